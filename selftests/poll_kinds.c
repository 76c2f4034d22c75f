// SPDX-License-Identifier: GPL-2.0-only
/* Law 5, and law 8: kinds of files that have ways of their own. */
#include <sys/mount.h>

#include "kinds_socket.h"
#include "offspring.h"
#include "pass_fd.h"
#include "readiness.h"
#include "sleeper.h"

static const unsigned int modes[] = {
	IOEVQ_POLL_LEVEL, IOEVQ_POLL_EDGE, IOEVQ_POLL_ONESHOT, IOEVQ_POLL_DISPATCH,
	IOEVQ_POLL_EDGE | IOEVQ_POLL_CONFIRM,
};

FIXTURE(proc)
{
	struct ioevq q;
	struct thing t;
};

/* A file of /proc whose change is news, told by POLLPRI to who asks first. */
FIXTURE_VARIANT(proc)
{
	int (*make)(struct thing *t);
	int (*rouse)(struct thing *t);
};

static int make_mounts(struct thing *t)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/ioevq-mount-%d", getpid());
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mkdir(path, 0700))
		return -1;
	memcpy(t->path, path, sizeof(path));
	t->fd = open("/proc/self/mounts", O_RDONLY | O_CLOEXEC);
	return t->fd < 0;
}

static int rouse_mounts(struct thing *t)
{
	/* One change each time. */
	t->port = !t->port;
	return t->port ? mount("none", t->path, "tmpfs", 0, NULL) : umount(t->path);
}

static int make_hostname(struct thing *t)
{
	if (unshare(CLONE_NEWUTS))
		return -1;
	t->fd = open("/proc/sys/kernel/hostname", O_RDONLY | O_CLOEXEC);
	return t->fd < 0;
}

static int rouse_hostname(struct thing *t)
{
	(void)t;
	return sethostname("ioevq", 5);
}

FIXTURE_VARIANT_ADD(proc, mounts) { make_mounts, rouse_mounts };
FIXTURE_VARIANT_ADD(proc, hostname) { make_hostname, rouse_hostname };

FIXTURE_SETUP(proc)
{
	self->t = (struct thing){ .fd = -1, .peer = -1, .aux = -1 };
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, variant->make(&self->t));
}

FIXTURE_TEARDOWN(proc)
{
	(void)variant;
	thing_end(&self->t);
	ioevq_close(&self->q);
}

TEST_F(proc, law_05_each_change_is_announced)
{
	struct thing *t = &self->t;
	struct ioevq_event ev;
	struct sleeper s;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, watch(&self->q, t->fd, POLLPRI, modes[i], i));
		EXPECT_TRUE(nothing(&self->q));
		for (j = 0; j < 3; j++)
			ASSERT_EQ(0, variant->rouse(t));
		ASSERT_EQ(1, enter_wait(&self->q, &ev, 1, 1, BOUND_NS));
		EXPECT_EQ(i, ev.user_data);
		EXPECT_EQ(POLLPRI | POLLERR, ev.res);
		/* The news is old, whatever the mode. */
		EXPECT_TRUE(nothing(&self->q));
		if (modes[i] == IOEVQ_POLL_ONESHOT)
			continue;
		ASSERT_EQ(0, change(&self->q, t->fd, POLLPRI, modes[i], -1));
		ASSERT_TRUE(put_to_sleep(&s, &self->q, 1, 1, BOUND_NS));
		ASSERT_EQ(0, variant->rouse(t));
		EXPECT_EQ(1, woken(&s));
		EXPECT_EQ(i, s.evs[0].user_data);
		EXPECT_EQ(POLLPRI | POLLERR, s.evs[0].res);
		ASSERT_EQ(0, ioevq_cancel(&self->q, i, MARK));
		EXPECT_TRUE(completed(&self->q, IOEVQ_OP_POLL, i, -ECANCELED));
		EXPECT_TRUE(completed(&self->q, IOEVQ_OP_CANCEL, MARK, 1));
	}
}

/* Who polls the queue takes no news away from its consumers. */
TEST_F(proc, law_05_polling_the_queue)
{
	static const unsigned int lasting[] = {
		IOEVQ_POLL_EDGE, IOEVQ_POLL_LEVEL, IOEVQ_POLL_EDGE | IOEVQ_POLL_CONFIRM,
	};
	struct ioevq q;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lasting); i++) {
		ASSERT_EQ(0, ioevq_open(&q, 4, 0));
		ASSERT_EQ(0, watch(&q, self->t.fd, POLLPRI, lasting[i], 1));
		EXPECT_TRUE(nothing(&q));
		ASSERT_EQ(0, variant->rouse(&self->t));
		EXPECT_EQ(POLLIN, poll_now(q.fd, POLLIN));
		EXPECT_EQ(POLLIN, poll_now(q.fd, POLLIN));
		EXPECT_EQ(POLLPRI | POLLERR, announced(&q, 1));
		EXPECT_TRUE(nothing(&q));
		EXPECT_EQ(0, poll_now(q.fd, POLLIN));
		ioevq_close(&q);
	}
}

/* Nor does he where the news is not what is waited for, but comes with it. */
TEST_F(proc, law_05_polling_the_queue_for_errors)
{
	ASSERT_EQ(0, watch(&self->q, self->t.fd, 0, IOEVQ_POLL_LEVEL, 1));
	EXPECT_TRUE(nothing(&self->q));
	ASSERT_EQ(0, variant->rouse(&self->t));
	EXPECT_EQ(POLLIN, poll_now(self->q.fd, POLLIN));
	EXPECT_EQ(POLLERR, announced(&self->q, 1));
	EXPECT_TRUE(nothing(&self->q));
}

/* What happened between open(2) and the watch is news, too; and what it is changed to. */
TEST_F(proc, law_05_before_the_watch)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, variant->rouse(&self->t));
		ASSERT_EQ(0, watch(&self->q, self->t.fd, POLLPRI, modes[i], 1));
		if (modes[i] == IOEVQ_POLL_ONESHOT) {
			EXPECT_TRUE(completed(&self->q, IOEVQ_OP_POLL, 1, POLLPRI | POLLERR));
			continue;
		}
		EXPECT_EQ(POLLPRI | POLLERR, announced(&self->q, 1))
			TH_LOG("mode %u", i);
		EXPECT_TRUE(nothing(&self->q));
		if (modes[i] == IOEVQ_POLL_DISPATCH) {
			ASSERT_EQ(0, variant->rouse(&self->t));
			ASSERT_EQ(0, change(&self->q, self->t.fd, POLLPRI, modes[i], -1));
			EXPECT_EQ(POLLPRI | POLLERR, announced(&self->q, 1));
		}
		ASSERT_EQ(0, ioevq_cancel(&self->q, 1, MARK));
		EXPECT_TRUE(completed(&self->q, IOEVQ_OP_POLL, 1, -ECANCELED));
		EXPECT_TRUE(completed(&self->q, IOEVQ_OP_CANCEL, MARK, 1));
	}
}

TEST_F(proc, law_08_close_is_close)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++)
		ASSERT_EQ(0, watch(&self->q, self->t.fd, POLLPRI, modes[i], 1));
	ASSERT_EQ(0, close(self->t.fd));
	self->t.fd = -1;
	for (i = 0; i < ARRAY_SIZE(modes); i++)
		EXPECT_TRUE(ended(&self->q, 1));
	EXPECT_TRUE(nothing(&self->q));
	EXPECT_EQ(0, requests(&self->q));
}

/*
 * The master's close is told by the close hook on Debian's Linux 6.12, by its wait queues on 6.1
 * and on kernels without CONFIG_FANOTIFY_ACCESS_PERMISSIONS, as the debug kernels are.
 */
TEST(law_05_a_pty_master_in_every_mode)
{
	struct ioevq_event ev;
	int master, slave;
	struct ioevq q;
	unsigned int i;

	ASSERT_EQ(0, ioevq_open(&q, 64, 0));
	ASSERT_EQ(0, make_pty(&master, &slave));
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		int ret = watch(&q, master, POLLIN, modes[i], i);

		ASSERT_EQ(0, ret);
		EXPECT_TRUE(nothing(&q));
		ASSERT_EQ(1, write(slave, "x", 1));
		ASSERT_EQ(POLLIN, kind_poll(master, POLLIN));
		ASSERT_EQ(1, enter_wait(&q, &ev, 1, 1, BOUND_NS));
		EXPECT_EQ(i, ev.user_data);
		EXPECT_EQ(POLLIN, ev.res & POLLIN);
		ASSERT_EQ(0, kind_drain_fd(master));
		EXPECT_TRUE(nothing(&q));
		ASSERT_EQ(0, ioevq_cancel_fd(&q, master, MARK));
		do {
			ASSERT_EQ(1, next_event(&q, &ev));
		} while (ev.user_data != MARK);
	}
	EXPECT_EQ(0, requests(&q));
	/* Its end is told at once, and once, whoever reads the other side. */
	for (i = 0; i < ARRAY_SIZE(modes); i++)
		ASSERT_EQ(0, watch(&q, master, POLLIN, modes[i], i));
	close(master);
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(1, next_event(&q, &ev));
		EXPECT_EQ(IOEVQ_EVENT_CLOSED, ev.flags);
	}
	EXPECT_TRUE(nothing(&q));
	close(slave);
	ioevq_close(&q);
}

/* Both directions in one watch: a file that has a wait queue for each. */
TEST(law_05_two_wait_queues)
{
	static int (*const make[])(struct thing *t) = { make_fifo_rdwr, make_pty_slave };
	struct thing t;
	struct ioevq q;
	unsigned int i;

	ASSERT_EQ(0, ioevq_open(&q, 64, 0));
	for (i = 0; i < ARRAY_SIZE(make); i++) {
		t = (struct thing){ .fd = -1, .peer = -1, .aux = -1 };
		ASSERT_EQ(0, make[i](&t));
		ASSERT_EQ(0, watch(&q, t.fd, POLLIN | POLLOUT, IOEVQ_POLL_LEVEL, 1));
		EXPECT_EQ(POLLOUT, announced(&q, 1));
		if (t.peer >= 0) {
			ASSERT_EQ(0, kind_write_peer_arrived(&t));
		} else {
			/* What a fifo holds can be read. */
			ASSERT_EQ(0, drain_pipe_write(&t));
			EXPECT_EQ(POLLIN, announced(&q, 1));
			ASSERT_EQ(0, kind_drain(&t));
			EXPECT_EQ(POLLOUT, announced(&q, 1));
			ASSERT_EQ(0, rouse_fifo_rdwr(&t));
		}
		EXPECT_EQ(POLLIN | POLLOUT, announced(&q, 1));
		ASSERT_EQ(0, kind_drain(&t));
		EXPECT_EQ(POLLOUT, announced(&q, 1));
		thing_end(&t);
		EXPECT_TRUE(ended(&q, 1));
	}
	ioevq_close(&q);
}

/* In every way there is. */
#define WAYS	(ARRAY_SIZE(modes) + 1)

static unsigned int way(unsigned int i)
{
	return i < ARRAY_SIZE(modes) ? modes[i] : IOEVQ_POLL_EDGE | IOEVQ_POLL_EXCLUSIVE;
}

/* A process that watches a signalfd in a queue of ours. */
static int watch_signals(struct offspring *c, long arg)
{
	const struct ioevq *q = (const struct ioevq *)arg;
	struct thing t = { .peer = -1, .aux = -1 };
	unsigned int i;

	if (make_signalfd(&t) || kill(getpid(), SIGRTMIN))
		return 90;
	for (i = 0; i < WAYS; i++)
		if (watch(q, t.fd, POLLIN, way(i), i))
			return 91;
	if (pass_fd(STDIN_FILENO, t.fd))
		return 92;
	say(c);
	await_go(c);
	return 0;
}

/* The descriptor lives on with us, but whose signals it tells is gone (POLLFREE). */
TEST(law_05_a_signalfd_whose_process_is_gone)
{
	unsigned int i, ends = 0;
	struct ioevq_event ev;
	struct offspring c;
	int over[2], fd;
	struct ioevq q;
	char word;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, over));
	ASSERT_EQ(STDIN_FILENO, dup2(over[1], STDIN_FILENO));
	ASSERT_EQ(0, ioevq_open(&q, 4, 0));
	ASSERT_EQ(0, offspring(&c, watch_signals, (long)&q));
	ASSERT_EQ(0, let_go(&c));
	ASSERT_EQ(1, read(c.said, &word, 1));
	fd = receive_fd(over[0]);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, let_go(&c));
	ASSERT_EQ(c.pid, waitpid(c.pid, NULL, 0));
	for (i = 0; ends != (1 << WAYS) - 1; i++) {
		ASSERT_GT(100, i);
		ASSERT_EQ(1, next_event(&q, &ev));
		if (ev.flags & IOEVQ_EVENT_MORE)
			continue;
		/* The one-shot may have had its event. */
		if (way(ev.user_data) != IOEVQ_POLL_ONESHOT)
			EXPECT_EQ(IOEVQ_EVENT_CLOSED, ev.flags);
		ASSERT_GT(WAYS, ev.user_data);
		EXPECT_EQ(0, ends & 1 << ev.user_data);
		ends |= 1 << ev.user_data;
	}
	EXPECT_EQ(0, requests(&q));
	close(fd);
	EXPECT_TRUE(nothing(&q));
	ioevq_close(&q);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/* Law 11, death is clean: whatever is under way when the last user of a queue goes. */
#include "kinds_socket.h"
#include "offspring.h"
#include "slow_io.h"

#define MESSAGES	50

/* What a queue can be busy with. */
struct work {
	struct ioevq q;
	struct thing things[16];
	struct slow_io s;
	pid_t child;
	int pipe[2];		/* 0 is watched by it, the test has 1 */
};

static int watch_all_kinds(struct work *w)
{
	static int (*const make[])(struct thing *t) = {
		make_eventfd, make_timerfd, make_signalfd, make_pipe, make_pipe_write,
		make_unix_stream, make_unix_dgram, make_unix_seqpacket, make_tcp,
		make_tcp_listen, make_udp, make_netlink, make_pty_slave, make_epoll,
		make_mqueue, make_pidfd,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(make); i++) {
		struct thing *t = &w->things[i];

		*t = (struct thing) { .fd = -1, .peer = -1, .aux = -1 };
		if (make[i](t) || watch(&w->q, t->fd, POLLIN, IOEVQ_POLL_EDGE, i) ||
		    watch(&w->q, t->fd, POLLIN | POLLPRI, IOEVQ_POLL_ONESHOT, i))
			return -1;
	}
	return watch(&w->q, w->pipe[0], POLLIN, IOEVQ_POLL_EDGE, i);
}

/* Watches of all kinds, children, I/O begun and queued, cancels that wait, messages. */
static int make_busy(struct work *w)
{
	unsigned int i;

	close(w->pipe[1]);
	if (ioevq_open(&w->q, 16, 0) || watch_all_kinds(w) || slow_make(&w->s))
		return -1;
	w->child = sleeper();
	if (watch_child(&w->q, w->child, 0, 50) || watch_child(&w->q, 0, 100, 51))
		return -1;
	for (i = 0; i < SLOW_PAGES; i++)
		if (slow_read(&w->q, &w->s, i, 60 + i))
			return -1;
	if (slow_started(&w->s))
		return -1;
	for (i = 0; i < 3; i++)
		if (ioevq_cancel(&w->q, 60, 70) || ioevq_cancel_fd(&w->q, w->s.file, 71))
			return -1;
	for (i = 0; i < MESSAGES; i++)
		if (ioevq_post(&w->q, i, 0, 0))
			return -1;
	/* Those that completed are not taken, and most did not fit the ring. */
	return query(&w->q).backlog > 0 ? 0 : -1;
}

static void end_work(struct work *w)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(w->things); i++)
		thing_end(&w->things[i]);
	kill(w->child, SIGKILL);
	waitpid(w->child, NULL, 0);
	slow_end(&w->s);
}

FIXTURE(death)
{
	long users;
	struct work *w;
};

/* @run: makes a queue busy, says so, and ends it with the next word */
FIXTURE_VARIANT(death)
{
	int (*run)(struct offspring *c, long work);
};

static int busy(struct offspring *c, long work)
{
	if (make_busy((struct work *)work))
		return 90;
	say(c);
	await_go(c);
	return 0;
}

static int run_exit(struct offspring *c, long work)
{
	return busy(c, work);
}

static int run_kill(struct offspring *c, long work)
{
	busy(c, work);
	kill(getpid(), SIGKILL);
	return 91;
}

static int run_exec(struct offspring *c, long work)
{
	busy(c, work);
	execlp("sleep", "sleep", "1000", NULL);
	return 92;
}

static int run_close(struct offspring *c, long work)
{
	struct work *w = (struct work *)work;

	busy(c, work);
	ioevq_close(&w->q);
	end_work(w);
	close(w->pipe[0]);
	for (;;)
		pause();
	return 93;
}

/* A child of it has the queue and its files for somewhat longer. */
static int run_fork(struct offspring *c, long work)
{
	int ret = busy(c, work);

	if (!fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ret = quiet(&((struct work *)work)->q);
	}
	return ret;
}

/* Somebody sleeps in the queue. */
static void *sleep_in(void *arg)
{
	struct ioevq_event events[4096];

	ioevq_wait(arg, events, ARRAY_SIZE(events), ARRAY_SIZE(events), IOEVQ_FOREVER);
	return NULL;
}

static int run_kill_waiters(struct offspring *c, long work)
{
	struct work *w = (struct work *)work;
	pthread_t thread;
	int i;

	if (make_busy(w))
		return 90;
	for (i = 0; i < 4; i++)
		if (pthread_create(&thread, NULL, sleep_in, &w->q))
			return 91;
	say(c);
	await_go(c);
	kill(getpid(), SIGKILL);
	return 92;
}

FIXTURE_VARIANT_ADD(death, exit) {
	.run = run_exit
};

FIXTURE_VARIANT_ADD(death, kill) {
	.run = run_kill
};

FIXTURE_VARIANT_ADD(death, exec) {
	.run = run_exec
};

FIXTURE_VARIANT_ADD(death, close) {
	.run = run_close
};

FIXTURE_VARIANT_ADD(death, fork) {
	.run = run_fork
};

FIXTURE_VARIANT_ADD(death, waiters) {
	.run = run_kill_waiters
};

FIXTURE_SETUP(death)
{
	(void)variant;
	self->users = module_users();
	ASSERT_LE(0, self->users);
	self->w = calloc(1, sizeof(*self->w));
	ASSERT_NE(NULL, self->w);
}

FIXTURE_TEARDOWN(death)
{
	(void)variant;
	(void)self;
}

TEST_F(death, law_11_death_is_clean)
{
	struct offspring c;
	char word;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, pipe2(self->w->pipe, O_CLOEXEC));
		ASSERT_EQ(0, offspring(&c, variant->run, (long)self->w));
		close(self->w->pipe[0]);
		ASSERT_EQ(0, let_go(&c));
		close(c.say);
		ASSERT_EQ(1, read(c.said, &word, 1));
		EXPECT_LT(self->users, module_users());
		EXPECT_EQ(0, kind_poll(self->w->pipe[1], POLLOUT) & POLLERR);
		ASSERT_EQ(0, let_go(&c));
		/* No file is kept, no process stays, the module could be unloaded. */
		EXPECT_EQ(POLLERR, kind_poll(self->w->pipe[1], 0) & POLLERR);
		EXPECT_TRUE(eventually(module_users() == self->users));
		kill(c.pid, SIGKILL);
		EXPECT_TRUE(eventually(waitpid(c.pid, NULL, WNOHANG) == c.pid));
		close(self->w->pipe[1]);
	}
}

TEST(law_11_no_unload_while_a_queue_is_open)
{
	struct ioevq q;

	ASSERT_EQ(0, ioevq_open(&q, 8, 0));
	EXPECT_EQ(-1, syscall(SYS_delete_module, "ioevq", O_NONBLOCK));
	EXPECT_TRUE(errno == EWOULDBLOCK || errno == EBUSY);
	EXPECT_TRUE(quiet(&q));
	ioevq_close(&q);
}

/* The ring stays where it is mapped, and so does its queue. */
TEST(law_11_a_mapping_is_a_user)
{
	long users = module_users();
	int fd = eventfd(0, EFD_NONBLOCK), i;
	struct ioevq_ring *ring;
	struct ioevq q;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, ioevq_open(&q, 8, 0));
		ring = q.ring;
		ASSERT_EQ(0, watch(&q, fd, POLLIN, IOEVQ_POLL_EDGE, 1));
		ASSERT_EQ(0, close(q.fd));
		EXPECT_EQ(users + 1, module_users());
		EXPECT_EQ(0, ring->tail);
		ASSERT_EQ(0, eventfd_write(fd, 1));
		EXPECT_EQ(1, ring->tail);
		EXPECT_EQ(1, q.slots[0].user_data);
		ASSERT_EQ(0, munmap(q.ring, q.ring_size));
		/* It was idle: nothing had to be waited for. */
		EXPECT_TRUE(eventually(module_users() == users));
		ASSERT_EQ(0, kind_drain_fd(fd));
		ASSERT_EQ(0, eventfd_write(fd, 1));
		ASSERT_EQ(0, kind_drain_fd(fd));
	}
	close(fd);
}

static void *map_and_unmap(void *arg)
{
	struct ioevq *q = arg;
	void *p;
	int i;

	for (i = 0; i < 20; i++) {
		p = mmap(NULL, q->ring_size, PROT_READ, MAP_SHARED, q->fd, 0);
		if (p == MAP_FAILED)
			break;
		munmap(p, q->ring_size);
	}
	return NULL;
}

TEST(law_11_close_against_mapping_and_wake_ups)
{
	long users = module_users();
	int fd = eventfd(0, EFD_NONBLOCK), i, j;
	pthread_t thread;
	struct ioevq q;

	for (i = 0; i < 300; i++) {
		ASSERT_EQ(0, ioevq_open(&q, 8, 0));
		for (j = 0; j < 8; j++)
			ASSERT_EQ(0, watch(&q, fd, POLLIN, IOEVQ_POLL_EDGE, j));
		ASSERT_EQ(0, pthread_create(&thread, NULL, map_and_unmap, &q));
		ASSERT_EQ(0, eventfd_write(fd, 1));
		close(q.fd);
		munmap(q.ring, q.ring_size);
		ASSERT_EQ(0, eventfd_write(fd, 1));
		ASSERT_EQ(0, pthread_join(thread, NULL));
	}
	EXPECT_TRUE(eventually(module_users() == users));
	close(fd);
}

/* I/O that a worker has in hand outlives the queue, and keeps the module until then. */
TEST(law_11_file_io_ends_after_its_queue)
{
	long users = module_users();
	struct slow_io s;
	struct ioevq q;
	int i;

	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, slow_make(&s));
		ASSERT_EQ(0, ioevq_open(&q, 8, 0));
		ASSERT_EQ(0, slow_read(&q, &s, 0, 1));
		ASSERT_EQ(0, slow_read(&q, &s, 1, 1));
		ASSERT_EQ(0, slow_started(&s));
		ASSERT_EQ(0, i & 1 ? ioevq_cancel_all(&q, 2) : 0);
		/* The close waits for nobody. */
		ioevq_close(&q);
		EXPECT_LT(users, module_users());
		EXPECT_EQ(-1, syscall(SYS_delete_module, "ioevq", O_NONBLOCK));
		ASSERT_EQ(0, slow_finish(&s, 0));
		ASSERT_EQ(0, slow_finish(&s, 1));
		EXPECT_TRUE(eventually(module_users() == users));
		slow_end(&s);
	}
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/* Law 8, close is close: every kind of file, and every way to close the last descriptor. */

#include "kinds.h"
#include "pass_fd.h"
#include "readiness.h"

TEST_F(kind, law_08_close_is_close)
{
	const struct kind *ops = &variant->ops;
	struct thing *t = &self->t;
	struct ioevq_event ev;
	int fd = t->fd, i, reused;

	ASSERT_EQ(0, watch(&self->q, fd, ops->mask, IOEVQ_POLL_EDGE, 1));
	ASSERT_EQ(0, watch(&self->q, fd, 0, IOEVQ_POLL_ONESHOT, 2));
	EXPECT_TRUE(quiet(&self->q));
	t->fd = -1;
	ASSERT_EQ(0, close(fd));
	/* First what others see; nobody had to look at the queue for that. */
	if (ops->gone)
		EXPECT_EQ(0, ops->gone(t));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, next_event(&self->q, &ev));
		EXPECT_EQ(IOEVQ_EVENT_CLOSED, ev.flags);
	}
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, requests(&self->q));

	/* The number is another file now. */
	reused = eventfd(1, 0);
	EXPECT_EQ(fd, dup2(reused, fd));
	if (reused != fd)
		close(reused);
	EXPECT_EQ(0, watch(&self->q, fd, POLLIN, IOEVQ_POLL_ONESHOT, 3));
	EXPECT_NEXT(&self->q, IOEVQ_OP_POLL, 3, POLLIN);
	close(fd);
	EXPECT_TRUE(quiet(&self->q));
}

TEST_F(kind, law_08_one_of_two_duplicates_is_not_the_last)
{
	const struct kind *ops = &variant->ops;
	struct thing *t = &self->t;
	struct ioevq_event ev;
	int fd = t->fd;

	ASSERT_EQ(0, watch(&self->q, fd, ops->mask, IOEVQ_POLL_EDGE, 1));
	t->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	ASSERT_LE(0, t->fd);
	ASSERT_EQ(0, close(fd));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, ops->rouse(t));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_EQ(IOEVQ_EVENT_MORE, ev.flags);

	fd = t->fd;
	t->fd = -1;
	ASSERT_EQ(0, close(fd));
	EXPECT_TRUE(ended(&self->q, 1));
	EXPECT_TRUE(quiet(&self->q));
	if (ops->gone)
		EXPECT_EQ(0, ops->gone(t));
}

TEST_F(kind, law_08_what_was_announced_stays_so)
{
	const struct kind *ops = &variant->ops;
	struct thing *t = &self->t;
	struct ioevq_event ev;

	ASSERT_EQ(0, ops->rouse(t));
	ASSERT_EQ(0, watch(&self->q, t->fd, ops->mask, IOEVQ_POLL_EDGE, 1));
	ASSERT_EQ(0, close(t->fd));
	t->fd = -1;
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_EQ(IOEVQ_EVENT_MORE, ev.flags);
	EXPECT_EQ(ops->mask, ev.res & ops->mask);
	EXPECT_TRUE(ended(&self->q, 1));
	EXPECT_TRUE(quiet(&self->q));
}

FIXTURE(way)
{
	struct ioevq q;
	int fd, peer;
};

FIXTURE_VARIANT(way)
{
	int (*dispose)(const struct ioevq *q, int fd, int peer);
};

FIXTURE_SETUP(way)
{
	int s[2];

	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s));
	self->fd = s[0];
	self->peer = s[1];
}

FIXTURE_TEARDOWN(way)
{
	(void)variant;
	close(self->peer);
	ioevq_close(&self->q);
}

static int by_close(const struct ioevq *q, int fd, int peer)
{
	(void)q;
	(void)peer;
	return close(fd);
}

static int by_dup2(const struct ioevq *q, int fd, int peer)
{
	int other = eventfd(0, 0);

	(void)q;
	(void)peer;
	if (dup2(other, fd) != fd)
		return -1;
	return close(other);
}

static int by_close_range(const struct ioevq *q, int fd, int peer)
{
	(void)q;
	(void)peer;
	return syscall(SYS_close_range, fd, fd, 0);
}

/* A child has the only descriptor left, until @how of it. */
static int by_child(const struct ioevq *q, int fd, int peer, int how)
{
	int go[2], ok, status;
	pid_t pid;
	char c;

	if (pipe2(go, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(go[1]);
		close(peer);
		if (read(go[0], &c, 1) < 0)
			_exit(1);
		if (how != SIGHUP)
			_exit(0);
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		execlp("sleep", "sleep", "1000", NULL);
		_exit(1);
	}
	close(go[0]);
	close(fd);
	ok = quiet(q) && kind_poll(peer, POLLOUT) == POLLOUT;
	if (how == SIGKILL)
		kill(pid, SIGKILL);
	close(go[1]);
	/* One that goes on without it must be ended when the test is. */
	if (how != SIGHUP)
		waitpid(pid, &status, 0);
	return ok ? 0 : -1;
}

static int by_exit(const struct ioevq *q, int fd, int peer)
{
	return by_child(q, fd, peer, 0);
}

static int by_kill(const struct ioevq *q, int fd, int peer)
{
	return by_child(q, fd, peer, SIGKILL);
}

static int by_exec(const struct ioevq *q, int fd, int peer)
{
	return by_child(q, fd, peer, SIGHUP);
}

static int by_carrier(const struct ioevq *q, int fd, int peer)
{
	int c[2], ok;

	(void)peer;
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, c) || pass_fd(c[0], fd))
		return -1;
	close(fd);
	close(c[0]);
	ok = quiet(q);
	close(c[1]);
	return ok ? 0 : -1;
}

FIXTURE_VARIANT_ADD(way, close) {
	.dispose = by_close
};

FIXTURE_VARIANT_ADD(way, dup2) {
	.dispose = by_dup2
};

FIXTURE_VARIANT_ADD(way, close_range) {
	.dispose = by_close_range
};

FIXTURE_VARIANT_ADD(way, exit) {
	.dispose = by_exit
};

FIXTURE_VARIANT_ADD(way, kill) {
	.dispose = by_kill
};

FIXTURE_VARIANT_ADD(way, exec) {
	.dispose = by_exec
};

FIXTURE_VARIANT_ADD(way, in_flight) {
	.dispose = by_carrier
};

TEST_F(way, law_08_every_way_to_close)
{
	char c;

	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, IOEVQ_POLL_EDGE, 1));
	EXPECT_EQ(0, variant->dispose(&self->q, self->fd, self->peer));
	EXPECT_EQ(POLLHUP, kind_poll(self->peer, 0) & POLLHUP);
	EXPECT_EQ(0, read(self->peer, &c, 1));
	EXPECT_TRUE(ended(&self->q, 1));
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, requests(&self->q));
}

/* Linux 6.1 has no close event for a master: there its wait queues tell. */
TEST(law_08_a_pty_master)
{
	struct ioevq_event ev;
	int master, slave;
	struct ioevq q;

	ASSERT_EQ(0, ioevq_open(&q, 64, 0));
	ASSERT_EQ(0, make_pty(&master, &slave));
	ASSERT_EQ(0, watch(&q, master, POLLIN, IOEVQ_POLL_EDGE, 1));
	EXPECT_EQ(1, write(slave, "x", 1));
	ASSERT_EQ(1, next_event(&q, &ev));
	EXPECT_EQ(POLLIN, ev.res & POLLIN);
	EXPECT_EQ(0, close(master));
	EXPECT_TRUE(ended(&q, 1));
	EXPECT_EQ(POLLHUP, kind_poll(slave, 0) & POLLHUP);
	EXPECT_TRUE(quiet(&q));
	close(slave);
	ioevq_close(&q);
}

/*
 * What tells of the close hangs on the inode, and goes with its last name. The watch
 * does not: the file is open still, and its close is the end.
 */
TEST(law_08_a_fifo_without_names)
{
	struct ioevq_event ev;
	char a[64], b[64];
	struct ioevq q;
	int r, w, i;

	ASSERT_EQ(0, ioevq_open(&q, 64, 0));
	snprintf(a, sizeof(a), "/tmp/ioevq-a-%d", getpid());
	snprintf(b, sizeof(b), "/tmp/ioevq-b-%d", getpid());
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, mkfifo(a, 0600));
		ASSERT_EQ(0, i ? link(a, b) : 0);
		r = open(a, O_RDONLY | O_NONBLOCK);
		w = open(a, O_WRONLY | O_NONBLOCK);
		ASSERT_LE(0, r);
		ASSERT_LE(0, w);
		ASSERT_EQ(0, watch(&q, r, POLLIN, IOEVQ_POLL_EDGE, 1));
		EXPECT_EQ(0, unlink(a));
		EXPECT_EQ(0, i ? unlink(b) : 0);
		EXPECT_TRUE(quiet(&q));
		EXPECT_EQ(1, write(w, "x", 1));
		ASSERT_EQ(1, next_event(&q, &ev));
		EXPECT_EQ(1, ev.user_data);
		EXPECT_EQ(POLLIN, ev.res & POLLIN);
		EXPECT_EQ(IOEVQ_EVENT_MORE, ev.flags);
		EXPECT_EQ(0, kind_drain_fd(r));
		/* One that is watched when its name is gone already. */
		ASSERT_EQ(0, watch(&q, w, 0, IOEVQ_POLL_EDGE, 2));
		close(r);
		EXPECT_TRUE(ended(&q, 1));
		ASSERT_EQ(1, next_event(&q, &ev));
		EXPECT_EQ(2, ev.user_data);
		EXPECT_EQ(POLLERR, ev.res & POLLERR);
		close(w);
		EXPECT_TRUE(ended(&q, 2));
		EXPECT_TRUE(quiet(&q));
		EXPECT_EQ(0, requests(&q));
	}
	ioevq_close(&q);
}

/* Watches of one file: each is told of the close, whichever of them went before. */
TEST(law_08_who_is_left)
{
	static const char gone[] = { 0, 7, 3, 4 };
	struct ioevq_event ev;
	unsigned int i, told;
	struct ioevq q;
	size_t n;
	int fd;

	ASSERT_EQ(0, ioevq_open(&q, 64, 0));
	for (n = 0; n <= sizeof(gone); n++) {
		fd = eventfd(0, 0);
		for (i = 0; i < 8; i++)
			ASSERT_EQ(0, watch(&q, fd, POLLIN, IOEVQ_POLL_EDGE, i));
		for (i = 0, told = 0; i < n; i++) {
			ASSERT_EQ(0, ioevq_cancel(&q, gone[i], 100));
			EXPECT_NEXT(&q, IOEVQ_OP_POLL, gone[i], -ECANCELED);
			EXPECT_NEXT(&q, IOEVQ_OP_CANCEL, 100, 1);
			told |= 1 << gone[i];
		}
		EXPECT_EQ(0, close(fd));
		for (; i < 8; i++) {
			ASSERT_EQ(1, next_event(&q, &ev));
			EXPECT_EQ(IOEVQ_EVENT_CLOSED, ev.flags);
			told |= 1 << ev.user_data;
		}
		EXPECT_EQ(0xff, told);
		EXPECT_TRUE(quiet(&q));
		EXPECT_EQ(0, requests(&q));
	}
	ioevq_close(&q);
}

/* Final events need no room in the ring. */
TEST(law_08_many_at_once_with_a_full_ring)
{
	struct ioevq q;
	int fd[500], i;

	ASSERT_EQ(0, ioevq_open(&q, 1, 0));
	for (i = 0; i < 500; i++) {
		fd[i] = eventfd(0, 0);
		ASSERT_EQ(0, watch(&q, fd[i], POLLIN, IOEVQ_POLL_EDGE, i));
	}
	for (i = 0; i < 500; i++)
		ASSERT_EQ(0, close(fd[i]));
	EXPECT_EQ(500, query(&q).available);
	for (i = 0; i < 500; i++)
		EXPECT_TRUE(ended(&q, i));
	EXPECT_TRUE(quiet(&q));
	EXPECT_EQ(0, requests(&q));
	ioevq_close(&q);
}

TEST_HARNESS_MAIN

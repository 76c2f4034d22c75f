// SPDX-License-Identifier: GPL-2.0-only
/* Law 10: processes that are named by a pidfd, children or not. */
#include <sys/epoll.h>
#include <sys/stat.h>

#include "children.h"

#define WATCH	7

FIXTURE(pidfd)
{
	struct ioevq q;
	struct offspring c;
};

FIXTURE_SETUP(pidfd)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
}

FIXTURE_TEARDOWN(pidfd)
{
	ioevq_close(&self->q);
}

/* As by its number; and the descriptor may go. */
TEST_F(pidfd, law_10_of_a_child)
{
	pid_t pid;
	int fd;

	ASSERT_EQ(0, offspring(&self->c, exit_with, 5));
	pid = self->c.pid;
	fd = pidfd_of(pid);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, watch_pidfd(&self->q, fd, 0, WATCH));
	ASSERT_EQ(0, close(fd));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, let_go(&self->c));
	EXPECT_TRUE(told(&self->q, WATCH, pid, 0, 5 << 8));
	EXPECT_EQ(pid, waitpid(pid, NULL, WNOHANG));
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, requests(&self->q));
}

TEST_F(pidfd, law_10_of_a_child_that_has_ended)
{
	pid_t pid;

	ASSERT_EQ(0, offspring(&self->c, exit_with, 5));
	pid = self->c.pid;
	ASSERT_EQ(0, let_go(&self->c));
	ASSERT_EQ(0, wait_until_zombie(pid));
	ASSERT_EQ(0, watch_as(&self->q, BY_PIDFD, pid, 0, WATCH));
	EXPECT_TRUE(told(&self->q, WATCH, pid, 0, 5 << 8));
}

/* When it exits, whether or not its own parent cares; that it did is all that is told. */
TEST_F(pidfd, law_10_of_a_grandchild)
{
	pid_t pid = grandchild(&self->c, 5);

	ASSERT_LT(0, pid);
	ASSERT_EQ(0, watch_as(&self->q, BY_PIDFD, pid, IOEVQ_CHILD_USAGE, WATCH));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, let_go(&self->c));
	EXPECT_TRUE(told_foreign(&self->q, WATCH, pid));
	EXPECT_EQ('Z', thread_state(pid, pid));
	EXPECT_TRUE(quiet(&self->q));
	/* A zombie by now. */
	ASSERT_EQ(0, watch_as(&self->q, BY_PIDFD, pid, 0, 2));
	EXPECT_TRUE(told_foreign(&self->q, 2, pid));
}

/* There is nobody any more: it ended, and with it the number. */
TEST_F(pidfd, law_10_of_one_that_was_reaped)
{
	pid_t pid;
	int fd;

	ASSERT_EQ(0, offspring(&self->c, exit_with, 5));
	pid = self->c.pid;
	fd = pidfd_of(pid);
	ASSERT_EQ(0, let_go(&self->c));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	ASSERT_EQ(0, watch_pidfd(&self->q, fd, 0, WATCH));
	EXPECT_TRUE(told_foreign(&self->q, WATCH, pid));
	EXPECT_EQ(-ECHILD, watch_pidfd(&self->q, fd, IOEVQ_CHILD_STOPPED, WATCH));
	close(fd);
}

/* What it is when it ends decides: a child by then, its end is told in full. */
TEST_F(pidfd, law_10_of_one_that_becomes_a_child)
{
	pid_t pid;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	pid = grandchild(&self->c, 5);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, watch_as(&self->q, BY_PIDFD, pid, 0, WATCH));
	ASSERT_EQ(0, kill(self->c.pid, SIGKILL));
	ASSERT_EQ(self->c.pid, waitpid(self->c.pid, NULL, 0));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, let_go(&self->c));
	EXPECT_TRUE(told(&self->q, WATCH, pid, 0, 5 << 8));
	EXPECT_EQ(pid, waitpid(pid, NULL, WNOHANG));
}

static int watch_parents(struct offspring *c, long test)
{
	struct ioevq *q = (struct ioevq *)test;
	int err = watch_as(q, BY_PIDFD, getpid(), 0, WATCH);

	say(c);
	await_go(c);
	return err ? 1 : 0;
}

/* Who watches himself; others share the queue. */
TEST_F(pidfd, law_10_of_oneself)
{
	char word;

	ASSERT_EQ(0, offspring(&self->c, watch_parents, (long)&self->q));
	ASSERT_EQ(0, let_go(&self->c));
	ASSERT_EQ(1, read(self->c.said, &word, 1));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, let_go(&self->c));
	EXPECT_TRUE(told_foreign(&self->q, WATCH, self->c.pid));
}

struct elsewhere {
	const struct ioevq *q;
	pid_t outside;
	int pidfd;
};

static int watch_outside(struct offspring *c, long arg)
{
	struct elsewhere *e = (struct elsewhere *)arg;

	if (getpid() != 1 || watch_pidfd(e->q, e->pidfd, 0, WATCH))
		return 1;
	/* Its number is nobody's in here. */
	if (watch_as(e->q, BY_PID, e->outside, 0, WATCH) != -ECHILD)
		return 2;
	say(c);
	await_go(c);
	return 0;
}

/* Who has no number in the namespace of the watcher has none in the event. */
TEST_F(pidfd, law_10_outside_of_the_namespace)
{
	struct elsewhere e = { .q = &self->q };
	struct offspring inside;
	char word;

	ASSERT_EQ(0, offspring(&self->c, exit_with, 5));
	e.outside = self->c.pid;
	e.pidfd = pidfd_of(e.outside);
	ASSERT_EQ(0, offspring_in(&inside, watch_outside, (long)&e, CLONE_NEWPID));
	ASSERT_EQ(0, let_go(&inside));
	ASSERT_EQ(1, read(inside.said, &word, 1));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, let_go(&self->c));
	EXPECT_TRUE(told_foreign(&self->q, WATCH, 0));
	ASSERT_EQ(0, let_go(&inside));
}

/* pidfd_open(2) of a thread, which Linux 6.1 does not have. */
static int thread_pidfd(pid_t tid)
{
	return syscall(SYS_pidfd_open, tid, O_EXCL);
}

static void *pause_thread(void *tid)
{
	__atomic_store_n((pid_t *)tid, gettid(), __ATOMIC_RELEASE);
	pause();
	return NULL;
}

TEST_F(pidfd, law_14_not_of_a_process)
{
	pthread_t thread;
	pid_t tid = 0;
	int fd;

	ASSERT_EQ(0, pthread_create(&thread, NULL, pause_thread, &tid));
	ASSERT_TRUE(eventually(__atomic_load_n(&tid, __ATOMIC_ACQUIRE)));
	fd = thread_pidfd(tid);
	if (fd < 0) {
		EXPECT_EQ(EINVAL, errno);
	} else {
		EXPECT_EQ(-EINVAL, watch_pidfd(&self->q, fd, 0, WATCH));
		close(fd);
	}
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, requests(&self->q));
}

TEST_F(pidfd, law_14_not_a_pidfd)
{
	int bad[] = { eventfd(0, 0), open("/proc/self", O_RDONLY), open("/dev/null", O_RDONLY),
		      epoll_create1(0), self->q.fd };
	struct ioevq_req req;
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_LE(0, bad[i]);
		EXPECT_EQ(-EINVAL, watch_pidfd(&self->q, bad[i], 0, WATCH))
			TH_LOG("descriptor %u", i);
	}
	EXPECT_EQ(-EBADF, watch_pidfd(&self->q, -1, 0, WATCH));
	EXPECT_EQ(-EBADF, watch_pidfd(&self->q, 1 << 20, 0, WATCH));
	fd = open("/tmp", O_PATH);
	EXPECT_EQ(-EBADF, watch_pidfd(&self->q, fd, 0, WATCH));
	close(fd);

	fd = pidfd_of(getpid());
	ASSERT_LE(0, fd);
	ioevq_prep_child_pidfd(&req, fd, 0, WATCH);
	req.len = getpid();
	EXPECT_EQ(-EINVAL, submit(&self->q, &req));
	ioevq_prep_child_pidfd(&req, fd, 0, WATCH);
	req.op_arg = 1;
	EXPECT_EQ(-EINVAL, submit(&self->q, &req));
	/* Not by accident. */
	ioevq_prep_child_pidfd(&req, fd, 0, WATCH);
	req.op_flags = 0;
	EXPECT_EQ(-EINVAL, submit(&self->q, &req));
	/* Only parents are told of stops. */
	EXPECT_EQ(-ECHILD, watch_pidfd(&self->q, fd, IOEVQ_CHILD_STOPPED, WATCH));
	EXPECT_EQ(-ECHILD, watch_pidfd(&self->q, fd, IOEVQ_CHILD_CONTINUED, WATCH));
	EXPECT_EQ(0, requests(&self->q));
	EXPECT_TRUE(quiet(&self->q));
	close(fd);
}

/* It is about the process: the file does not match. */
TEST_F(pidfd, law_09_cancel)
{
	int fd;

	ASSERT_EQ(0, offspring(&self->c, exit_with, 5));
	fd = pidfd_of(self->c.pid);
	ASSERT_EQ(0, watch_pidfd(&self->q, fd, 0, WATCH));
	ASSERT_EQ(0, ioevq_cancel_fd(&self->q, fd, 1));
	EXPECT_NEXT(&self->q, IOEVQ_OP_CANCEL, 1, 0);
	ASSERT_EQ(0, ioevq_cancel(&self->q, WATCH, 2));
	EXPECT_NEXT(&self->q, IOEVQ_OP_CHILD, WATCH, -ECANCELED);
	EXPECT_NEXT(&self->q, IOEVQ_OP_CANCEL, 2, 1);
	ASSERT_EQ(0, let_go(&self->c));
	ASSERT_EQ(self->c.pid, waitpid(self->c.pid, NULL, 0));
	EXPECT_TRUE(quiet(&self->q));
}

/* Anybody may have a pidfd: who fills the places keeps out himself, and not the parent. */
TEST_F(pidfd, law_13_the_limit_is_of_a_user)
{
	struct ioevq_event ev;
	struct ioevq others;
	struct stat st;
	int i, ret, fd;

	ASSERT_EQ(0, stat("/dev/ioevq", &st));
	ASSERT_EQ(0, chmod("/dev/ioevq", 0666));
	ASSERT_EQ(0, setreuid(1000, 0));
	ret = ioevq_open(&others, 4, 0);
	ASSERT_EQ(0, setreuid(0, 0));
	ASSERT_EQ(0, chmod("/dev/ioevq", st.st_mode & 07777));
	ASSERT_EQ(0, ret);

	ASSERT_EQ(0, offspring(&self->c, exit_with, 5));
	fd = pidfd_of(self->c.pid);
	for (i = 0; i < 64; i++)
		ASSERT_EQ(0, watch_pidfd(&others, fd, 0, i));
	EXPECT_EQ(-EBUSY, watch_pidfd(&others, fd, 0, i));
	ASSERT_EQ(0, watch_as(&self->q, BY_PID, self->c.pid, 0, WATCH));
	ASSERT_EQ(0, let_go(&self->c));
	EXPECT_TRUE(told(&self->q, WATCH, self->c.pid, 0, 5 << 8));
	for (i = 0; i < 64; i++) {
		ASSERT_EQ(1, next_event(&others, &ev));
		EXPECT_EQ(self->c.pid, ev.res);
		EXPECT_EQ(5 << 8, IOEVQ_CHILD_STATUS(ev.data));
	}
	close(fd);
	ioevq_close(&others);
}

TEST_HARNESS_MAIN

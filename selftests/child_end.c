// SPDX-License-Identifier: GPL-2.0-only
/* Law 10: every way to end, watched before and after; and bursts. */
#include "expect.h"

#define WATCH	7

/* Children that wait for the end of the pipe go before they end. */
static int go[2];

static void wait_for_go(void)
{
	char c;

	close(go[1]);
	if (read(go[0], &c, 1) < 0)
		_exit(99);
}

static pid_t child_exit(void)
{
	pid_t pid = fork();

	if (!pid) {
		wait_for_go();
		_exit(42);
	}
	return pid;
}

static pid_t child_signal(void)
{
	pid_t pid = fork();

	if (!pid) {
		wait_for_go();
		raise(SIGKILL);
	}
	return pid;
}

static void *other_thread(void *arg)
{
	/* The leader is a zombie by now, and nobody may be told. */
	while (thread_state(getpid(), getpid()) != 'Z')
		sched_yield();
	wait_for_go();
	syscall(SYS_exit_group, 42);
	return arg;
}

static pid_t child_leader_first(void)
{
	pid_t pid = fork();
	pthread_t thread;

	if (!pid) {
		if (pthread_create(&thread, NULL, other_thread, NULL))
			_exit(98);
		syscall(SYS_exit, 1);
	}
	eventually(thread_state(pid, pid) == 'Z');
	return pid;
}

static void *exec_thread(void *arg)
{
	wait_for_go();
	execl("/bin/sh", "sh", "-c", "exit 42", NULL);
	_exit(97);
	return arg;
}

/* The leader is replaced by the thread, which gets its process ID. */
static pid_t child_exec_in_thread(void)
{
	pid_t pid = fork();
	pthread_t thread;

	if (!pid) {
		if (pthread_create(&thread, NULL, exec_thread, NULL))
			_exit(98);
		for (;;)
			pause();
	}
	return pid;
}

static void *fork_in_thread(void *arg)
{
	*(pid_t *)arg = child_exit();
	return NULL;
}

static pid_t child_of_thread(void)
{
	pthread_t thread;
	pid_t pid = -1;

	if (pthread_create(&thread, NULL, fork_in_thread, &pid) || pthread_join(thread, NULL))
		return -1;
	return pid;
}

/* Its end sends no signal; wait4(2) finds it with __WALL. */
static pid_t child_without_signal(void)
{
	pid_t pid = syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);

	if (!pid) {
		wait_for_go();
		syscall(SYS_exit_group, 42);
	}
	return pid;
}

FIXTURE(death)
{
	struct ioevq q;
	pid_t pid;
};

FIXTURE_VARIANT(death)
{
	pid_t (*start)(void);
	int status;
};

FIXTURE_VARIANT_ADD(death, exit) {
	.start = child_exit, .status = 42 << 8
};

FIXTURE_VARIANT_ADD(death, signal) {
	.start = child_signal, .status = SIGKILL
};

FIXTURE_VARIANT_ADD(death, leader_first) {
	.start = child_leader_first, .status = 42 << 8
};

FIXTURE_VARIANT_ADD(death, exec_in_thread) {
	.start = child_exec_in_thread, .status = 42 << 8
};

FIXTURE_VARIANT_ADD(death, of_thread) {
	.start = child_of_thread, .status = 42 << 8
};

FIXTURE_VARIANT_ADD(death, without_signal) {
	.start = child_without_signal, .status = 42 << 8
};

FIXTURE_SETUP(death)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, pipe2(go, O_CLOEXEC));
	self->pid = variant->start();
	ASSERT_LT(0, self->pid);
}

FIXTURE_TEARDOWN(death)
{
	(void)variant;
	kill(self->pid, SIGKILL);
	waitpid(self->pid, NULL, __WALL);
	ioevq_close(&self->q);
}

/* The event of one child's end, that can be waited for right now. Reaps it. */
static int child_ended(const struct ioevq *q, pid_t pid, int status, unsigned int flags)
{
	struct ioevq_event ev = {};
	int seen;

	if (next_event(q, &ev) != 1 || ev.op != IOEVQ_OP_CHILD || ev.user_data != WATCH ||
	    ev.flags != flags || ev.res != pid || IOEVQ_CHILD_STATUS(ev.data) != status)
		return 0;
	return waitpid(pid, &seen, WNOHANG | __WALL) == pid && seen == status;
}

TEST_F(death, law_10_child_event_means_waitable)
{
	ASSERT_EQ(0, watch_child(&self->q, 0, 0, WATCH));
	EXPECT_TRUE(quiet(&self->q));
	close(go[1]);
	EXPECT_TRUE(child_ended(&self->q, self->pid, variant->status, IOEVQ_EVENT_MORE));
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(1, requests(&self->q));
}

TEST_F(death, law_10_one_child)
{
	ASSERT_EQ(0, watch_child(&self->q, self->pid, 0, WATCH));
	EXPECT_TRUE(quiet(&self->q));
	close(go[1]);
	EXPECT_TRUE(child_ended(&self->q, self->pid, variant->status, 0));
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, requests(&self->q));
	EXPECT_EQ(-ECHILD, watch_child(&self->q, self->pid, 0, WATCH));
}

/* Nothing is missed by a watch that begins late. */
TEST_F(death, law_10_ended_before_the_watch)
{
	struct ioevq_event ev;
	siginfo_t info;

	close(go[1]);
	ASSERT_EQ(0, waitid(P_PID, self->pid, &info, WEXITED | WNOWAIT | __WALL));
	ASSERT_EQ(0, watch_child(&self->q, 0, 0, WATCH));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_EQ(IOEVQ_EVENT_RESCAN | IOEVQ_EVENT_MORE, ev.flags);
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, watch_child(&self->q, self->pid, 0, WATCH));
	EXPECT_TRUE(child_ended(&self->q, self->pid, variant->status, 0));
	EXPECT_TRUE(quiet(&self->q));
}

FIXTURE(child)
{
	struct ioevq q;
};

FIXTURE_SETUP(child)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, pipe2(go, O_CLOEXEC));
}

FIXTURE_TEARDOWN(child)
{
	ioevq_close(&self->q);
}

#define BURST	100

/* Reap all that there is; counts each once. */
static void rescan(char *reaped, const pid_t *pids)
{
	pid_t pid;
	int i;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		for (i = 0; i < BURST; i++)
			reaped[i] += pids[i] == pid;
}

/* More at once than there is memory for: said, and never passed over in silence. */
TEST_F(child, law_10_a_burst_is_not_lost)
{
	struct ioevq_event ev;
	char reaped[BURST] = {};
	int i, sum, rescans = 0;
	pid_t pids[BURST];
	struct ioevq q;

	ASSERT_EQ(0, ioevq_open(&q, 1, 0));
	ASSERT_EQ(0, watch_child(&q, 0, 1, WATCH));
	for (i = 0; i < BURST; i++)
		pids[i] = child_exit();
	close(go[1]);
	/* Nobody takes anything until the last of them has ended. */
	for (i = 0; i < BURST; i++) {
		siginfo_t info;

		ASSERT_EQ(0, waitid(P_PID, pids[i], &info, WEXITED | WNOWAIT));
	}
	do {
		ASSERT_EQ(1, next_event(&q, &ev));
		ASSERT_EQ(IOEVQ_EVENT_MORE, ev.flags & ~IOEVQ_EVENT_RESCAN);
		if (ev.flags & IOEVQ_EVENT_RESCAN) {
			rescans++;
			rescan(reaped, pids);
		}
		for (i = 0; i < BURST; i++)
			if (pids[i] == ev.res && waitpid(ev.res, NULL, WNOHANG) == ev.res)
				reaped[i]++;
		for (i = 0, sum = 0; i < BURST; i++) {
			ASSERT_GE(1, reaped[i]);
			sum += reaped[i];
		}
	} while (sum < BURST);
	EXPECT_LT(0, rescans);
	while (ioevq_wait(&q, &ev, 0, 1, 0) == 1)
		EXPECT_EQ(IOEVQ_EVENT_MORE, ev.flags & ~IOEVQ_EVENT_RESCAN);
	/* And it goes on. */
	i = fork();
	if (!i)
		_exit(5);
	EXPECT_TRUE(child_ended(&q, i, 5 << 8, IOEVQ_EVENT_MORE));
	ioevq_close(&q);
}

TEST_HARNESS_MAIN

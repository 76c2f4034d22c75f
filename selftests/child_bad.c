// SPDX-License-Identifier: GPL-2.0-only
/* Law 10: numbers that are used again, parents that die first, children that make children. */
#include <linux/sched.h>

#include "children.h"

#define WATCH	7

FIXTURE(bad)
{
	struct ioevq q;
	struct offspring c;
};

FIXTURE_SETUP(bad)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
}

FIXTURE_TEARDOWN(bad)
{
	ioevq_close(&self->q);
}

/* A child with a process ID of our choice, which must be free. */
static int offspring_numbered(struct offspring *c, pid_t pid, int code)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)&pid,
		.set_tid_size = 1,
	};
	int go[2];

	if (pipe(go))
		return -1;
	*c = (struct offspring){ .start = go[0], .go = go[1] };
	c->pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!c->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		await_go(c);
		_exit(code);
	}
	return c->pid == pid ? 0 : -1;
}

/* An event is about who had the number then, as is a pidfd. */
TEST_F(bad, law_10_a_number_that_is_used_again)
{
	struct offspring again;
	pid_t pid;
	int fd;

	ASSERT_EQ(0, offspring(&self->c, exit_with, 1));
	pid = self->c.pid;
	fd = pidfd_of(pid);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, watch_as(&self->q, BY_PID, pid, 0, 1));
	ASSERT_EQ(0, let_go(&self->c));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ(-ECHILD, watch_as(&self->q, BY_PID, pid, 0, 2));
	ASSERT_EQ(0, offspring_numbered(&again, pid, 2));
	ASSERT_EQ(0, watch_as(&self->q, BY_PID, pid, 0, 3));
	ASSERT_EQ(0, watch_pidfd(&self->q, fd, 0, 4));
	EXPECT_TRUE(told(&self->q, 1, pid, 0, 1 << 8));
	EXPECT_TRUE(told_foreign(&self->q, 4, pid));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, let_go(&again));
	EXPECT_TRUE(told(&self->q, 3, pid, 0, 2 << 8));
	EXPECT_EQ(pid, waitpid(pid, NULL, WNOHANG));
	EXPECT_TRUE(quiet(&self->q));
	close(fd);
}

/* An event that comes late does not take who has the number now from who watches that. */
TEST_F(bad, law_10_a_late_event_of_a_number)
{
	struct offspring again;
	struct ioevq_event ev;
	siginfo_t info;
	pid_t pid;

	ASSERT_EQ(0, offspring(&self->c, exit_with, 1));
	pid = self->c.pid;
	ASSERT_EQ(0, watch_as(&self->q, BY_PID, pid, 0, 1));
	ASSERT_EQ(0, let_go(&self->c));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	ASSERT_EQ(0, offspring_numbered(&again, pid, 2));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	/* It lives. */
	EXPECT_EQ(0, ioevq_reap(&ev, &info, NULL));
	ASSERT_EQ(0, watch_as(&self->q, BY_PID, pid, 0, 2));
	ASSERT_EQ(0, let_go(&again));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	ASSERT_EQ(1, ioevq_reap(&ev, &info, NULL));
	EXPECT_EQ(2, info.si_status);
}

static int watch_a_child(struct offspring *c, long q)
{
	pid_t pid = fork();

	if (!pid) {
		await_go(c);
		_exit(3);
	}
	if (watch_as((struct ioevq *)q, BY_PID, pid, IOEVQ_CHILD_STOPPED | IOEVQ_CHILD_USAGE,
		     WATCH))
		return 1;
	if (write(c->say, &pid, sizeof(pid)) != sizeof(pid))
		return 2;
	pause();
	return 0;
}

/* The queue is shared, so that there is somebody to be told: that it ended, and not how. */
TEST_F(bad, law_10_the_parent_dies_first)
{
	pid_t pid;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, offspring(&self->c, watch_a_child, (long)&self->q));
	ASSERT_EQ(0, let_go(&self->c));
	ASSERT_EQ(sizeof(pid), read(self->c.said, &pid, sizeof(pid)));
	ASSERT_EQ(0, kill(self->c.pid, SIGKILL));
	ASSERT_EQ(self->c.pid, waitpid(self->c.pid, NULL, 0));
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(1, requests(&self->q));
	/* Stops are a parent's business. */
	ASSERT_EQ(0, kill(pid, SIGSTOP));
	ASSERT_TRUE(eventually(thread_state(pid, pid) == 'T'));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, kill(pid, SIGCONT));
	ASSERT_EQ(0, let_go(&self->c));
	EXPECT_TRUE(told_foreign(&self->q, WATCH, pid));
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, requests(&self->q));
}

static int watch_outsider(struct offspring *c, long arg)
{
	const struct ioevq *q = (const struct ioevq *)((long *)arg)[0];
	pid_t pid = ((long *)arg)[1];

	(void)c;
	/* There it is nobody, or somebody else. */
	return watch_as(q, BY_PID, pid, 0, WATCH) == -ECHILD &&
	       watch_as(q, BY_PID, 1, 0, WATCH) == -ECHILD ? 0 : 1;
}

TEST_F(bad, law_14_in_another_namespace)
{
	struct offspring inside;
	long arg[2] = { (long)&self->q };
	int status;

	ASSERT_EQ(0, offspring(&self->c, exit_with, 0));
	arg[1] = self->c.pid;
	ASSERT_EQ(0, offspring_in(&inside, watch_outsider, (long)arg, CLONE_NEWPID));
	ASSERT_EQ(0, let_go(&inside));
	ASSERT_EQ(inside.pid, waitpid(inside.pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, requests(&self->q));
}

struct bomb {
	unsigned int started;		/* processes, itself included */
	unsigned int refused;
};

/* Each makes three, and waits for none. */
static void burst_of(struct bomb *b, int depth)
{
	int i;

	for (i = 0; depth && i < 3; i++) {
		pid_t pid = fork();

		if (!pid) {
			depth--;
			i = -1;
			continue;
		}
		__atomic_add_fetch(pid < 0 ? &b->refused : &b->started, 1, __ATOMIC_RELAXED);
	}
}

static int explode(struct offspring *c, long arg)
{
	struct rlimit few = { .rlim_cur = 20, .rlim_max = 20 };
	struct bomb *b = (struct bomb *)arg;

	(void)c;
	if (setrlimit(RLIMIT_NPROC, &few) || setresuid(1000, 1000, 1000))
		return 1;
	__atomic_add_fetch(&b->started, 1, __ATOMIC_RELAXED);
	burst_of(b, 4);
	return 0;
}

static void count(const siginfo_t *info, const struct rusage *usage, void *n)
{
	(void)info;
	(void)usage;
	++*(unsigned int *)n;
}

/* As many as are allowed, all of whom become ours: each is told of once. */
TEST_F(bad, law_10_a_fork_bomb)
{
	struct bomb *b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int told = 0;
	struct ioevq_event ev;
	struct rusage usage;
	siginfo_t info;

	ASSERT_NE(MAP_FAILED, b);
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, watch_as(&self->q, ANY, 0, 0, WATCH));
	ASSERT_EQ(0, offspring(&self->c, explode, (long)b));
	ASSERT_EQ(0, let_go(&self->c));
	while (!is_childless()) {
		ASSERT_EQ(1, next_event(&self->q, &ev));
		if (ioevq_reap(&ev, &info, &usage) == 1)
			told++;
		else if (ev.flags & IOEVQ_EVENT_RESCAN)
			ASSERT_LE(0, ioevq_rescan(NULL, 0, WEXITED, count, &told));
	}
	EXPECT_LT(1, b->started);
	EXPECT_LT(0, b->refused);
	EXPECT_EQ(b->started, told);
	EXPECT_EQ(1, requests(&self->q));
	munmap(b, sizeof(*b));
}

TEST_HARNESS_MAIN

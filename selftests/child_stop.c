// SPDX-License-Identifier: GPL-2.0-only
/* Law 10: children that stop and go on, for who asks for it. */
#include "children.h"

#define WATCH	7
#define BOTH	(IOEVQ_CHILD_STOPPED | IOEVQ_CHILD_CONTINUED)
#define WENT_ON	0xffff

static int stopped_by(int sig)
{
	return sig << 8 | 0x7f;
}

FIXTURE(stop)
{
	struct ioevq q;
	struct offspring c;
};

FIXTURE_VARIANT(stop)
{
	enum naming name;
};

FIXTURE_VARIANT_ADD(stop, pid) {
	.name = BY_PID
};

FIXTURE_VARIANT_ADD(stop, pidfd) {
	.name = BY_PIDFD
};

FIXTURE_VARIANT_ADD(stop, any) {
	.name = ANY
};

FIXTURE_SETUP(stop)
{
	(void)variant;
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, offspring(&self->c, exit_with, 4));
	/* Not an orphan, or job control's signals do nothing. */
	ASSERT_EQ(0, setpgid(self->c.pid, self->c.pid));
}

FIXTURE_TEARDOWN(stop)
{
	(void)variant;
	ioevq_close(&self->q);
}

/* wait4(2) finds the same, at once. */
static int waitable(pid_t pid, int status)
{
	int seen;

	return waitpid(pid, &seen, WNOHANG | WUNTRACED | WCONTINUED) == pid && seen == status;
}

/* Ended, with @code, and all is told. */
static int ends(const struct ioevq *q, const struct offspring *c, enum naming name, int code)
{
	return !let_go(c) &&
	       told(q, WATCH, c->pid, name == ANY ? IOEVQ_EVENT_MORE : 0, code << 8) &&
	       waitable(c->pid, code << 8) && quiet(q);
}

TEST_F(stop, law_10_each_is_told)
{
	static const int signals[] = { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU };
	pid_t pid = self->c.pid;
	unsigned int i;

	ASSERT_EQ(0, watch_as(&self->q, variant->name, pid, BOTH, WATCH));
	for (i = 0; i < ARRAY_SIZE(signals); i++) {
		ASSERT_EQ(0, kill(pid, signals[i]));
		ASSERT_TRUE(told(&self->q, WATCH, pid, IOEVQ_EVENT_MORE, stopped_by(signals[i])));
		EXPECT_TRUE(waitable(pid, stopped_by(signals[i])));
		EXPECT_TRUE(quiet(&self->q));
		ASSERT_EQ(0, kill(pid, SIGCONT));
		ASSERT_TRUE(told(&self->q, WATCH, pid, IOEVQ_EVENT_MORE, WENT_ON));
		EXPECT_TRUE(waitable(pid, WENT_ON));
		EXPECT_TRUE(quiet(&self->q));
	}
	EXPECT_TRUE(ends(&self->q, &self->c, variant->name, 4));
}

/* Its parent may not want the signals. */
TEST_F(stop, law_10_without_sigchld)
{
	struct sigaction act = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP };
	pid_t pid = self->c.pid;

	ASSERT_EQ(0, sigaction(SIGCHLD, &act, NULL));
	ASSERT_EQ(0, watch_as(&self->q, variant->name, pid, BOTH, WATCH));
	ASSERT_EQ(0, kill(pid, SIGSTOP));
	EXPECT_TRUE(told(&self->q, WATCH, pid, IOEVQ_EVENT_MORE, stopped_by(SIGSTOP)));
	ASSERT_EQ(0, kill(pid, SIGCONT));
	EXPECT_TRUE(told(&self->q, WATCH, pid, IOEVQ_EVENT_MORE, WENT_ON));
	EXPECT_TRUE(ends(&self->q, &self->c, variant->name, 4));
}

TEST_F(stop, law_10_only_what_was_asked_for)
{
	pid_t pid = self->c.pid;
	siginfo_t info;

	ASSERT_EQ(0, watch_as(&self->q, variant->name, pid, IOEVQ_CHILD_STOPPED, WATCH));
	ASSERT_EQ(0, watch_as(&self->q, variant->name, pid, IOEVQ_CHILD_CONTINUED, WATCH + 1));
	ASSERT_EQ(0, kill(pid, SIGSTOP));
	EXPECT_TRUE(told(&self->q, WATCH, pid, IOEVQ_EVENT_MORE, stopped_by(SIGSTOP)));
	ASSERT_EQ(0, waitid(P_PID, pid, &info, WSTOPPED));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, kill(pid, SIGCONT));
	EXPECT_TRUE(told(&self->q, WATCH + 1, pid, IOEVQ_EVENT_MORE, WENT_ON));
	EXPECT_TRUE(quiet(&self->q));
}

TEST_F(stop, law_10_killed_while_it_is_stopped)
{
	pid_t pid = self->c.pid;

	ASSERT_EQ(0, watch_as(&self->q, variant->name, pid, BOTH, WATCH));
	ASSERT_EQ(0, kill(pid, SIGSTOP));
	EXPECT_TRUE(told(&self->q, WATCH, pid, IOEVQ_EVENT_MORE, stopped_by(SIGSTOP)));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_TRUE(told(&self->q, WATCH, pid, variant->name == ANY ? IOEVQ_EVENT_MORE : 0,
			 SIGKILL));
	EXPECT_TRUE(quiet(&self->q));
}

/* What wait4(2) has news of when the watch begins is told, or said to be there. */
TEST_F(stop, law_10_before_the_watch)
{
	pid_t pid = self->c.pid;
	struct ioevq_event ev;
	siginfo_t info;
	int i;

	ASSERT_EQ(0, kill(pid, SIGSTOP));
	ASSERT_TRUE(eventually(is_settled(pid, 'T')));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, watch_as(&self->q, variant->name, pid, BOTH, WATCH));
		if (variant->name == ANY) {
			ASSERT_EQ(1, next_event(&self->q, &ev));
			EXPECT_EQ(IOEVQ_EVENT_RESCAN | IOEVQ_EVENT_MORE, ev.flags);
		} else {
			EXPECT_TRUE(told(&self->q, WATCH, pid, IOEVQ_EVENT_MORE,
					 i ? WENT_ON : stopped_by(SIGSTOP)));
		}
		EXPECT_TRUE(quiet(&self->q));
		ASSERT_EQ(0, ioevq_cancel(&self->q, WATCH, 1));
		EXPECT_NEXT(&self->q, IOEVQ_OP_CHILD, WATCH, -ECANCELED);
		EXPECT_NEXT(&self->q, IOEVQ_OP_CANCEL, 1, 1);
		ASSERT_EQ(0, kill(pid, SIGCONT));
		ASSERT_TRUE(eventually(is_settled(pid, 'S')));
	}
	/* Who does not ask is not told, nor what was taken. */
	ASSERT_EQ(0, watch_as(&self->q, variant->name, pid, 0, WATCH));
	ASSERT_EQ(0, waitid(P_PID, pid, &info, WCONTINUED));
	ASSERT_EQ(0, watch_as(&self->q, variant->name, pid, BOTH, WATCH));
	EXPECT_TRUE(quiet(&self->q));
}

/* The process goes on when its first thread has gone: and stops. */
TEST_F(stop, law_10_the_leader_ends_first)
{
	struct offspring c;

	ASSERT_EQ(0, offspring(&c, leave_a_thread, 3));
	ASSERT_EQ(0, let_go(&c));
	ASSERT_TRUE(eventually(thread_state(c.pid, c.pid) == 'Z'));
	ASSERT_EQ(0, watch_as(&self->q, variant->name, c.pid, BOTH, WATCH));
	ASSERT_EQ(0, kill(c.pid, SIGSTOP));
	EXPECT_TRUE(told(&self->q, WATCH, c.pid, IOEVQ_EVENT_MORE, stopped_by(SIGSTOP)));
	ASSERT_EQ(0, kill(c.pid, SIGCONT));
	EXPECT_TRUE(told(&self->q, WATCH, c.pid, IOEVQ_EVENT_MORE, WENT_ON));
	EXPECT_TRUE(waitable(c.pid, WENT_ON));
	EXPECT_TRUE(ends(&self->q, &c, variant->name, 3));
}

/* Its stops are those of debugging then. */
TEST_F(stop, law_10_traced_by_the_parent)
{
	pid_t pid = self->c.pid;
	int status;

	ASSERT_EQ(0, watch_as(&self->q, variant->name, pid, BOTH, WATCH));
	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, pid, 0, 0));
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, pid, 0, 0));
	ASSERT_EQ(pid, waitpid(pid, &status, __WALL));
	EXPECT_TRUE(WIFSTOPPED(status));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, pid, 0, 0));
	ASSERT_EQ(0, kill(pid, SIGSTOP));
	EXPECT_TRUE(told(&self->q, WATCH, pid, IOEVQ_EVENT_MORE, stopped_by(SIGSTOP)));
}

/* Of others' children, and of children of children, nothing. */
TEST_F(stop, law_10_only_children)
{
	struct offspring c;
	pid_t pid = grandchild(&c, 0);

	ASSERT_LT(0, pid);
	ASSERT_EQ(0, watch_as(&self->q, variant->name, self->c.pid, BOTH, WATCH));
	if (variant->name != ANY)
		EXPECT_EQ(-ECHILD, watch_as(&self->q, variant->name, pid, BOTH, WATCH));
	ASSERT_EQ(0, kill(pid, SIGSTOP));
	ASSERT_TRUE(eventually(thread_state(pid, pid) == 'T'));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, kill(pid, SIGKILL));
}

FIXTURE(full)
{
	struct ioevq q;
	struct offspring c;
};

FIXTURE_SETUP(full)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 1, 0));
	ASSERT_EQ(0, offspring(&self->c, exit_with, 4));
}

FIXTURE_TEARDOWN(full)
{
	ioevq_close(&self->q);
}

/* Stop and let go on, without taking what is told. 1: it did. */
static int stop_and_go(pid_t pid)
{
	return !kill(pid, SIGSTOP) && eventually(is_settled(pid, 'T')) &&
	       waitable(pid, stopped_by(SIGSTOP)) && !kill(pid, SIGCONT) &&
	       eventually(is_settled(pid, 'S')) && waitable(pid, WENT_ON);
}

/* One record waits, and says that it is not all; the exit has its own. */
TEST_F(full, law_02_the_last_state_is_told)
{
	pid_t pid = self->c.pid;
	struct ioevq_event ev;
	int i;

	ASSERT_EQ(0, watch_as(&self->q, BY_PID, pid, BOTH | IOEVQ_CHILD_USAGE, WATCH));
	for (i = 0; i < 5; i++)
		ASSERT_TRUE(stop_and_go(pid));
	EXPECT_EQ(2, query(&self->q).available);
	ASSERT_EQ(0, let_go(&self->c));
	ASSERT_EQ(0, wait_until_zombie(pid));
	EXPECT_TRUE(told(&self->q, WATCH, pid, IOEVQ_EVENT_MORE, stopped_by(SIGSTOP)));
	EXPECT_TRUE(told(&self->q, WATCH, pid, IOEVQ_EVENT_MORE | IOEVQ_EVENT_RESCAN, WENT_ON));
	EXPECT_TRUE(told(&self->q, WATCH, pid, IOEVQ_EVENT_MORE, 4 << 8));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_EQ(IOEVQ_EVENT_USAGE, ev.flags);
	EXPECT_EQ(pid, ev.res);
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, requests(&self->q));
}

/* They use what is reserved for exits: what is more is found by the rescan. */
TEST_F(full, law_02_a_burst_of_stops)
{
	struct ioevq_event ev;
	struct ioevq_req req;
	pid_t pid = self->c.pid;
	int i;

	ioevq_prep_child(&req, 0, 3, WATCH);
	req.op_flags = BOTH;
	ASSERT_EQ(0, submit(&self->q, &req));
	for (i = 0; i < 10; i++)
		ASSERT_TRUE(stop_and_go(pid));
	EXPECT_EQ(5, query(&self->q).available);
	for (i = 0; i < 4; i++)
		EXPECT_TRUE(told(&self->q, WATCH, pid, IOEVQ_EVENT_MORE,
				 i & 1 ? WENT_ON : stopped_by(SIGSTOP)));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_EQ(IOEVQ_EVENT_RESCAN | IOEVQ_EVENT_MORE, ev.flags);
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, let_go(&self->c));
	EXPECT_TRUE(told(&self->q, WATCH, pid, IOEVQ_EVENT_MORE, 4 << 8));
}

TEST_HARNESS_MAIN

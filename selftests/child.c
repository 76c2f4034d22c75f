// SPDX-License-Identifier: GPL-2.0-only
/* Law 10, a child event means waitable: one child and every way it can end. */
#include <semaphore.h>

#include "expect.h"
#include "offspring.h"

#define WATCH	7

FIXTURE(child)
{
	struct ioevq q;
	struct offspring c;
};

/* Each is true of a watch of one process and of a watch of all children. */
FIXTURE_VARIANT(child)
{
	bool any;
};

FIXTURE_VARIANT_ADD(child, one) {
	.any = false
};

FIXTURE_VARIANT_ADD(child, any) {
	.any = true
};

FIXTURE_SETUP(child)
{
	(void)variant;
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
}

FIXTURE_TEARDOWN(child)
{
	(void)variant;
	ioevq_close(&self->q);
}

/* Watch the child, and let it go: nothing is told before it has ended. */
static int begin(const struct ioevq *q, bool any, struct offspring *c)
{
	return watch_child(q, any ? 0 : c->pid, 0, WATCH) || !quiet(q) || let_go(c) ? -1 : 0;
}

/* It ended like this: and is there for wait4(2) at once, with the same status. */
static int ended(const struct ioevq *q, bool any, pid_t pid, int status)
{
	struct ioevq_event ev = {};
	int seen = -1;

	if (next_event(q, &ev) != 1 || ev.op != IOEVQ_OP_CHILD || ev.user_data != WATCH ||
	    ev.flags != (any ? IOEVQ_EVENT_MORE : 0) || ev.res != pid)
		return 0;
	if (waitpid(pid, &seen, WNOHANG | __WALL) != pid)
		return 0;
	return seen == status && IOEVQ_CHILD_STATUS(ev.data) == status && quiet(q) &&
	       requests(q) == any;
}

TEST_F(child, law_10_child_event_means_waitable)
{
	int i;

	for (i = 0; i < 200; i++) {
		ASSERT_EQ(0, offspring(&self->c, exit_with, i));
		/* One watch for all of them, or one for each. */
		ASSERT_EQ(0, i && variant->any ? let_go(&self->c) :
			     begin(&self->q, variant->any, &self->c));
		ASSERT_TRUE(ended(&self->q, variant->any, self->c.pid, i << 8));
		offspring_close(&self->c);
	}
	EXPECT_EQ(-1, waitpid(-1, NULL, WNOHANG));
	EXPECT_EQ(ECHILD, errno);
	EXPECT_EQ(-ECHILD, watch_child(&self->q, self->c.pid, 0, WATCH));
}

TEST_F(child, law_10_killed)
{
	ASSERT_EQ(0, offspring(&self->c, exit_with, 0));
	ASSERT_EQ(0, watch_child(&self->q, variant->any ? 0 : self->c.pid, 0, WATCH));
	ASSERT_EQ(0, kill(self->c.pid, SIGKILL));
	EXPECT_TRUE(ended(&self->q, variant->any, self->c.pid, SIGKILL));
}

TEST_F(child, law_10_killed_by_its_own_fault)
{
	struct rlimit none = {};

	/* No core: its flag would be part of the status. */
	ASSERT_EQ(0, setrlimit(RLIMIT_CORE, &none));
	ASSERT_EQ(0, offspring(&self->c, raise_signal, SIGSEGV));
	ASSERT_EQ(0, begin(&self->q, variant->any, &self->c));
	EXPECT_TRUE(ended(&self->q, variant->any, self->c.pid, SIGSEGV));
}

/* It has ended when its last thread has. */
TEST_F(child, law_10_the_leader_ends_first)
{
	pid_t pid;

	ASSERT_EQ(0, offspring(&self->c, leave_a_thread, 3));
	ASSERT_EQ(0, begin(&self->q, variant->any, &self->c));
	pid = self->c.pid;
	ASSERT_TRUE(eventually(thread_state(pid, pid) == 'Z'));
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, waitpid(pid, NULL, WNOHANG));
	ASSERT_EQ(0, let_go(&self->c));
	EXPECT_TRUE(ended(&self->q, variant->any, pid, 3 << 8));
}

/* The thread gets the process ID of the leader, who goes: that is no end. */
TEST_F(child, law_10_a_thread_calls_exec)
{
	char word;

	ASSERT_EQ(0, offspring(&self->c, exec_in_a_thread, 0));
	ASSERT_EQ(0, begin(&self->q, variant->any, &self->c));
	ASSERT_EQ(1, read(self->c.said, &word, 1));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, let_go(&self->c));
	EXPECT_TRUE(ended(&self->q, variant->any, self->c.pid, 6 << 8));
}

TEST_F(child, law_10_stop_and_continue_are_no_end)
{
	siginfo_t info;
	int i;

	ASSERT_EQ(0, offspring(&self->c, exit_with, 4));
	ASSERT_EQ(0, watch_child(&self->q, variant->any ? 0 : self->c.pid, 0, WATCH));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, kill(self->c.pid, SIGSTOP));
		ASSERT_EQ(0, waitid(P_PID, self->c.pid, &info, WSTOPPED));
		EXPECT_TRUE(quiet(&self->q));
		ASSERT_EQ(0, kill(self->c.pid, SIGCONT));
		ASSERT_EQ(0, waitid(P_PID, self->c.pid, &info, WCONTINUED));
		EXPECT_TRUE(quiet(&self->q));
	}
	ASSERT_EQ(0, let_go(&self->c));
	EXPECT_TRUE(ended(&self->q, variant->any, self->c.pid, 4 << 8));
}

/* The tracer is told first; the parent, and we, when it has had its news. */
TEST_F(child, law_10_traced_by_another)
{
	struct offspring tracer;
	siginfo_t info = {};
	pid_t pid;
	char word;

	ASSERT_EQ(0, offspring(&self->c, exit_with, 5));
	pid = self->c.pid;
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 0));
	ASSERT_EQ(0, offspring(&tracer, debug, pid));
	ASSERT_EQ(0, let_go(&tracer));
	ASSERT_EQ(1, read(tracer.said, &word, 1));
	ASSERT_EQ(0, begin(&self->q, variant->any, &self->c));
	ASSERT_TRUE(eventually(thread_state(pid, pid) == 'Z'));
	EXPECT_EQ(0, waitpid(pid, NULL, WNOHANG));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, let_go(&tracer));
	EXPECT_TRUE(ended(&self->q, variant->any, pid, 5 << 8));
	ASSERT_EQ(0, waitid(P_PID, tracer.pid, &info, WEXITED | WNOHANG | WNOWAIT));
	EXPECT_EQ(0, info.si_pid);
	let_go(&tracer);
}

TEST_F(child, law_10_traced_by_the_parent)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, offspring(&self->c, exit_with, 9));
	pid = self->c.pid;
	ASSERT_EQ(0, watch_child(&self->q, variant->any ? 0 : pid, 0, WATCH));
	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, pid, 0, 0));
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, pid, 0, 0));
	ASSERT_EQ(pid, waitpid(pid, &status, __WALL));
	EXPECT_TRUE(WIFSTOPPED(status));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, ptrace(PTRACE_CONT, pid, 0, 0));
	ASSERT_EQ(0, let_go(&self->c));
	EXPECT_TRUE(ended(&self->q, variant->any, pid, 9 << 8));
}

/* The kernel reaps it: the event is all that tells, and it tells that, too. */
static int ended_reaped(const struct ioevq *q, bool any, pid_t pid, int status)
{
	struct ioevq_event ev = {};

	if (next_event(q, &ev) != 1 || ev.res != pid ||
	    ev.flags != (IOEVQ_EVENT_AUTOREAP | (any ? IOEVQ_EVENT_MORE : 0)) ||
	    IOEVQ_CHILD_STATUS(ev.data) != status)
		return 0;
	return waitpid(pid, NULL, 0) == -1 && errno == ECHILD && quiet(q);
}

TEST_F(child, law_10_sigchld_is_ignored)
{
	ASSERT_NE(SIG_ERR, signal(SIGCHLD, SIG_IGN));
	ASSERT_EQ(0, offspring(&self->c, exit_with, 2));
	ASSERT_EQ(0, begin(&self->q, variant->any, &self->c));
	EXPECT_TRUE(ended_reaped(&self->q, variant->any, self->c.pid, 2 << 8));
}

TEST_F(child, law_10_children_are_not_waited_for)
{
	struct sigaction act = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };

	ASSERT_EQ(0, sigaction(SIGCHLD, &act, NULL));
	ASSERT_EQ(0, offspring(&self->c, exit_with, 2));
	ASSERT_EQ(0, begin(&self->q, variant->any, &self->c));
	EXPECT_TRUE(ended_reaped(&self->q, variant->any, self->c.pid, 2 << 8));
}

/* We leave the signal alone. */
TEST_F(child, law_10_sigchld_comes_as_ever)
{
	struct timespec bound = { .tv_sec = BOUND_NS / 1000000000LL };
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	ASSERT_EQ(0, offspring(&self->c, exit_with, 2));
	ASSERT_EQ(0, begin(&self->q, variant->any, &self->c));
	EXPECT_TRUE(ended(&self->q, variant->any, self->c.pid, 2 << 8));
	ASSERT_EQ(SIGCHLD, sigtimedwait(&set, &info, &bound));
	EXPECT_EQ(self->c.pid, info.si_pid);
	EXPECT_EQ(2, info.si_status);
}

TEST_F(child, law_10_cpu_time_of_all_threads)
{
	const long us = 100 * 1000;
	struct ioevq_event ev;
	struct rusage ru;

	ASSERT_EQ(0, offspring(&self->c, burn, us));
	ASSERT_EQ(0, begin(&self->q, variant->any, &self->c));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	ASSERT_EQ(self->c.pid, wait4(self->c.pid, NULL, WNOHANG, &ru));
	EXPECT_LE(us, IOEVQ_CHILD_CPU_US(ev.data));
	EXPECT_TRUE(about(IOEVQ_CHILD_CPU_US(ev.data), &ru));
}

TEST_F(child, law_10_every_queue_and_watch_is_told)
{
	pid_t which;
	struct ioevq other;
	int i;

	ASSERT_EQ(0, ioevq_open(&other, 1, 0));
	ASSERT_EQ(0, offspring(&self->c, exit_with, 0));
	which = variant->any ? 0 : self->c.pid;
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, watch_child(&self->q, which, 0, i));
		ASSERT_EQ(0, watch_child(&other, which, 0, i));
	}
	ASSERT_EQ(0, let_go(&self->c));
	for (i = 0; i < 6; i++) {
		struct ioevq_event ev;

		ASSERT_EQ(1, next_event(i & 1 ? &self->q : &other, &ev));
		EXPECT_EQ(self->c.pid, ev.res);
		EXPECT_GT(3, ev.user_data);
	}
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_TRUE(quiet(&other));
	EXPECT_EQ(self->c.pid, waitpid(self->c.pid, NULL, WNOHANG));
	ioevq_close(&other);
}

/* Those who are told of one end are limited, in all queues together. */
TEST_F(child, law_10_so_many_are_told)
{
	struct ioevq_event ev;
	struct ioevq_req req;
	struct ioevq other;
	pid_t which;
	int i;

	ASSERT_EQ(0, ioevq_open(&other, 64, 0));
	ASSERT_EQ(0, offspring(&self->c, exit_with, 0));
	which = variant->any ? 0 : self->c.pid;
	for (i = 0; i < 64; i++)
		ASSERT_EQ(0, watch_child(i & 1 ? &self->q : &other, which, 0, 1));
	EXPECT_EQ(-EBUSY, watch_child(&self->q, which, 0, 2));
	EXPECT_EQ(-EBUSY, watch_child(&other, which, 0, 2));
	/* Who wants to know of its stops is told as the parent is. */
	if (variant->any) {
		ioevq_prep_child(&req, self->c.pid, 0, 2);
		req.op_flags = IOEVQ_CHILD_STOPPED;
		EXPECT_EQ(-EBUSY, submit(&other, &req));
	}
	EXPECT_EQ(32, requests(&self->q));
	ASSERT_EQ(0, let_go(&self->c));
	for (i = 0; i < 64; i++) {
		ASSERT_EQ(1, next_event(i & 1 ? &self->q : &other, &ev));
		EXPECT_EQ(self->c.pid, ev.res);
		EXPECT_EQ(1, ev.user_data);
	}
	EXPECT_EQ(self->c.pid, waitpid(self->c.pid, NULL, WNOHANG));
	ioevq_close(&other);
	/* What was given up is free again. */
	EXPECT_EQ(variant->any ? 0 : -ECHILD, watch_child(&self->q, which, 0, 2));
}

/* Who reaps is decided when it ends. A zombie stays one, whatever becomes of SIGCHLD. */
TEST_F(child, law_10_a_zombie_is_not_reaped_later)
{
	struct ioevq_event ev;
	siginfo_t info;

	ASSERT_EQ(0, offspring(&self->c, exit_with, 1));
	ASSERT_EQ(0, let_go(&self->c));
	ASSERT_EQ(0, waitid(P_PID, self->c.pid, &info, WEXITED | WNOWAIT));
	ASSERT_NE(SIG_ERR, signal(SIGCHLD, SIG_IGN));
	ASSERT_EQ(0, watch_child(&self->q, variant->any ? 0 : self->c.pid, 0, WATCH));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_EQ(0, ev.flags & IOEVQ_EVENT_AUTOREAP);
	EXPECT_EQ(self->c.pid, waitpid(self->c.pid, NULL, WNOHANG));
}

TEST_F(child, law_10_not_after_the_cancel)
{
	ASSERT_EQ(0, offspring(&self->c, exit_with, 1));
	ASSERT_EQ(0, watch_child(&self->q, variant->any ? 0 : self->c.pid, 0, WATCH));
	ASSERT_EQ(0, ioevq_cancel(&self->q, WATCH, 1));
	EXPECT_NEXT(&self->q, IOEVQ_OP_CHILD, WATCH, -ECANCELED);
	EXPECT_NEXT(&self->q, IOEVQ_OP_CANCEL, 1, 1);
	EXPECT_EQ(0, requests(&self->q));
	ASSERT_EQ(0, let_go(&self->c));
	ASSERT_EQ(self->c.pid, waitpid(self->c.pid, NULL, 0));
	EXPECT_TRUE(quiet(&self->q));
}

/* Numbers are those of the watcher's namespace, whatever the child calls itself. */
TEST_F(child, law_10_the_first_process_of_a_namespace)
{
	ASSERT_EQ(0, offspring_in(&self->c, exit_with, 8, CLONE_NEWPID));
	ASSERT_NE(1, self->c.pid);
	ASSERT_EQ(0, begin(&self->q, variant->any, &self->c));
	EXPECT_TRUE(ended(&self->q, variant->any, self->c.pid, 8 << 8));
}

/* Nothing is missed by a watch that begins late; that of all says to look. */
TEST_F(child, law_10_ended_before_the_watch)
{
	static int (*const ways[])(struct offspring *c, long arg) = {
		exit_with, exec_in_a_thread, leave_a_thread,
	};
	struct ioevq_event ev;
	siginfo_t info;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		ASSERT_EQ(0, offspring(&self->c, ways[i], 6));
		/* Two words: it is not known to listen when it is told to end. */
		ASSERT_EQ(0, let_go(&self->c) || let_go(&self->c));
		ASSERT_EQ(0, waitid(P_PID, self->c.pid, &info, WEXITED | WNOWAIT));
		ASSERT_EQ(0, watch_child(&self->q, variant->any ? 0 : self->c.pid, 0, WATCH));
		if (variant->any) {
			ASSERT_EQ(1, next_event(&self->q, &ev));
			EXPECT_EQ(IOEVQ_EVENT_RESCAN | IOEVQ_EVENT_MORE, ev.flags);
			EXPECT_TRUE(quiet(&self->q));
			EXPECT_EQ(self->c.pid, waitpid(-1, NULL, WNOHANG));
			ASSERT_EQ(0, ioevq_cancel(&self->q, WATCH, 1));
			EXPECT_NEXT(&self->q, IOEVQ_OP_CHILD, WATCH, -ECANCELED);
			EXPECT_NEXT(&self->q, IOEVQ_OP_CANCEL, 1, 1);
		} else {
			EXPECT_TRUE(ended(&self->q, false, self->c.pid, 6 << 8));
		}
		offspring_close(&self->c);
	}
}

struct parent {
	struct offspring c;
	int failed;
	sem_t started, end;
};

/* It stays: offspring ends with the thread that made it. */
static void *start_in_a_thread(void *arg)
{
	struct parent *p = arg;

	p->failed = offspring(&p->c, exit_with, 7);
	sem_post(&p->started);
	while (sem_wait(&p->end) && errno == EINTR)
		;
	return NULL;
}

/* Children are the process's, whichever thread made them. */
TEST_F(child, law_10_of_another_thread)
{
	struct parent p = {};
	pthread_t thread;

	ASSERT_EQ(0, sem_init(&p.started, 0, 0) || sem_init(&p.end, 0, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, start_in_a_thread, &p));
	ASSERT_EQ(0, sem_wait(&p.started));
	ASSERT_EQ(0, p.failed);
	ASSERT_EQ(0, begin(&self->q, variant->any, &p.c));
	EXPECT_TRUE(ended(&self->q, variant->any, p.c.pid, 7 << 8));
	ASSERT_EQ(0, sem_post(&p.end));
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

/* wait4(2) finds it with __WALL, and no signal is sent. */
TEST_F(child, law_10_a_child_without_a_signal)
{
	ASSERT_EQ(0, offspring_of(&self->c, exit_with, 8, 0));
	ASSERT_EQ(0, begin(&self->q, variant->any, &self->c));
	EXPECT_TRUE(ended(&self->q, variant->any, self->c.pid, 8 << 8));
}

TEST_HARNESS_MAIN

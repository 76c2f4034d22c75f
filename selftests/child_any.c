// SPDX-License-Identifier: GPL-2.0-only
/* Law 10: many children, whose they are, and what is refused. */
#include "expect.h"
#include "offspring.h"

#define MANY	50

FIXTURE(family)
{
	struct ioevq q;
};

FIXTURE_SETUP(family)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
}

FIXTURE_TEARDOWN(family)
{
	ioevq_close(&self->q);
}

/* The process that the next event is about, which lives on; else -1. */
static pid_t next_end(const struct ioevq *q)
{
	struct ioevq_event ev = {};

	if (next_event(q, &ev) != 1 || ev.op != IOEVQ_OP_CHILD || ev.flags != IOEVQ_EVENT_MORE)
		return -1;
	return ev.res;
}

static int wait_until_dead(pid_t pid)
{
	siginfo_t info;

	return waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
}

/* What waitid(2) finds without waiting. */
static int reap_all(void)
{
	int n = 0;

	while (waitpid(-1, NULL, WNOHANG) > 0)
		n++;
	return n;
}

TEST_F(family, law_10_present_and_future_children)
{
	struct offspring now, later;

	ASSERT_EQ(0, offspring(&now, exit_with, 0));
	ASSERT_EQ(0, watch_child(&self->q, 0, 0, 1));
	ASSERT_EQ(0, offspring(&later, exit_with, 0));
	let_go(&later);
	EXPECT_EQ(later.pid, next_end(&self->q));
	let_go(&now);
	EXPECT_EQ(now.pid, next_end(&self->q));
	EXPECT_EQ(2, reap_all());
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(1, requests(&self->q));
}

TEST_F(family, law_10_who_had_ended_before)
{
	struct ioevq_event ev;
	struct offspring c;

	ASSERT_EQ(0, offspring(&c, exit_with, 5));
	let_go(&c);
	ASSERT_EQ(0, wait_until_dead(c.pid));
	ASSERT_EQ(0, watch_child(&self->q, c.pid, 0, 1));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_EQ(c.pid, ev.res);
	EXPECT_EQ(0, ev.flags);
	EXPECT_EQ(5 << 8, IOEVQ_CHILD_STATUS(ev.data));

	ASSERT_EQ(0, watch_child(&self->q, 0, 0, 2));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_EQ(2, ev.user_data);
	EXPECT_EQ(0, ev.res);
	EXPECT_EQ(IOEVQ_EVENT_MORE | IOEVQ_EVENT_RESCAN, ev.flags);
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(1, reap_all());
}

TEST_F(family, law_10_a_burst_is_announced)
{
	struct ioevq_event ev;
	int status, i, round, told, rescans;
	pid_t pids[MANY];
	struct ioevq q;

	/* Room for two in ring and reserve; then it says so, once, until that is taken. */
	ASSERT_EQ(0, ioevq_open(&q, 1, 0));
	ASSERT_EQ(0, watch_child(&q, 0, 1, 1));
	for (round = 0; round < 3; round++) {
		for (i = 0; i < MANY; i++) {
			pids[i] = fork();
			if (!pids[i])
				_exit(i);
		}
		for (i = 0; i < MANY; i++)
			ASSERT_EQ(0, wait_until_dead(pids[i]));
		EXPECT_EQ(3, query(&q).available);
		ASSERT_EQ(0, ioevq_post(&q, MARK, 0, 0));
		told = 0;
		rescans = 0;
		for (;;) {
			ASSERT_EQ(1, next_event(&q, &ev));
			if (ev.user_data == MARK)
				break;
			EXPECT_EQ(IOEVQ_EVENT_MORE, ev.flags & ~IOEVQ_EVENT_RESCAN);
			if (ev.flags & IOEVQ_EVENT_RESCAN) {
				rescans++;
				continue;
			}
			EXPECT_EQ(ev.res, waitpid(ev.res, &status, WNOHANG));
			EXPECT_EQ(IOEVQ_CHILD_STATUS(ev.data), status);
			told++;
		}
		EXPECT_EQ(2, told);
		EXPECT_EQ(1, rescans);
		EXPECT_EQ(MANY - told, reap_all());
	}
	EXPECT_TRUE(quiet(&q));
	ioevq_close(&q);
}

TEST_F(family, law_10_within_the_reserve_each_has_its_event)
{
	unsigned char seen[256] = {};
	struct ioevq_event ev;
	struct ioevq q;
	pid_t pid;
	int i;

	ASSERT_EQ(0, ioevq_open(&q, 1, 0));
	ASSERT_EQ(0, watch_child(&q, 0, MANY, 1));
	for (i = 0; i < MANY; i++) {
		pid = fork();
		if (!pid)
			_exit(i);
		ASSERT_EQ(0, wait_until_dead(pid));
	}
	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(1, next_event(&q, &ev));
		EXPECT_EQ(IOEVQ_EVENT_MORE, ev.flags);
		EXPECT_EQ(i, IOEVQ_CHILD_STATUS(ev.data) >> 8);
		EXPECT_EQ(1, ++seen[i]);
		EXPECT_EQ(ev.res, waitpid(ev.res, NULL, WNOHANG));
	}
	EXPECT_TRUE(quiet(&q));
	ioevq_close(&q);
}

TEST_F(family, law_10_vfork)
{
	pid_t pid;

	ASSERT_EQ(0, watch_child(&self->q, 0, 0, 1));
	pid = vfork();
	if (!pid)
		_exit(3);
	EXPECT_EQ(pid, next_end(&self->q));
	EXPECT_EQ(pid, waitpid(pid, NULL, WNOHANG));
}

/* Ends with a child of its own left behind, alive or dead. */
static int abandon(struct offspring *c, long dead)
{
	pid_t pid = fork();

	if (!pid) {
		if (!dead)
			await_go(c);
		_exit(0);
	}
	if (dead)
		wait_until_dead(pid);
	if (write(c->say, &pid, sizeof(pid)) != sizeof(pid))
		return 97;
	await_go(c);
	return 0;
}

TEST_F(family, law_10_orphans_of_a_subreaper)
{
	struct offspring c;
	pid_t orphan, a, b;
	long dead;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, watch_child(&self->q, 0, 0, 1));
	for (dead = 0; dead < 2; dead++) {
		ASSERT_EQ(0, offspring(&c, abandon, dead));
		let_go(&c);
		ASSERT_EQ(sizeof(orphan), read(c.said, &orphan, sizeof(orphan)));
		EXPECT_TRUE(quiet(&self->q));
		ASSERT_EQ(0, kill(c.pid, SIGKILL));
		if (!dead) {
			EXPECT_EQ(c.pid, next_end(&self->q));
			EXPECT_TRUE(quiet(&self->q));
			kill(orphan, SIGKILL);
			EXPECT_EQ(orphan, next_end(&self->q));
		} else {
			a = next_end(&self->q);
			b = next_end(&self->q);
			EXPECT_TRUE((a == c.pid && b == orphan) || (a == orphan && b == c.pid));
		}
		EXPECT_EQ(2, reap_all());
		EXPECT_TRUE(quiet(&self->q));
	}
}

/* A grandchild is no business of ours. */
TEST_F(family, law_10_children_of_children)
{
	struct offspring c;
	pid_t grandchild;

	ASSERT_EQ(0, watch_child(&self->q, 0, 0, 1));
	ASSERT_EQ(0, offspring(&c, abandon, 1));
	let_go(&c);
	ASSERT_EQ(sizeof(grandchild), read(c.said, &grandchild, sizeof(grandchild)));
	EXPECT_EQ(-ECHILD, watch_child(&self->q, grandchild, 0, 1));
	EXPECT_TRUE(quiet(&self->q));
	let_go(&c);
	EXPECT_EQ(c.pid, next_end(&self->q));
	EXPECT_TRUE(quiet(&self->q));
}

FIXTURE(owner)
{
	struct ioevq q;
};

FIXTURE_VARIANT(owner)
{
	int (*run)(struct offspring *c, long q);
};

FIXTURE_SETUP(owner)
{
	(void)variant;
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
}

FIXTURE_TEARDOWN(owner)
{
	ioevq_close(&self->q);
}

static int watch_and_exit(struct offspring *c, long q)
{
	if (watch_child((struct ioevq *)q, 0, 0, 1))
		return 97;
	say(c);
	await_go(c);
	return 0;
}

static int watch_and_leave_a_thread(struct offspring *c, long q)
{
	if (watch_child((struct ioevq *)q, 0, 0, 1))
		return 97;
	say(c);
	return leave_a_thread(c, 0);
}

static int watch_and_exec(struct offspring *c, long q)
{
	if (watch_child((struct ioevq *)q, 0, 0, 1))
		return 97;
	return exec_in_a_thread(c, 0);
}

FIXTURE_VARIANT_ADD(owner, exit) {
	.run = watch_and_exit
};

FIXTURE_VARIANT_ADD(owner, last_thread) {
	.run = watch_and_leave_a_thread
};

FIXTURE_VARIANT_ADD(owner, exec) {
	.run = watch_and_exec
};

/* Who shares the queue sees that the watch has ended, with the whole process only. */
TEST_F(owner, law_10_the_parent_itself_ends)
{
	struct ioevq_event ev;
	struct offspring c;
	char word;

	ASSERT_EQ(0, offspring(&c, variant->run, (long)&self->q));
	let_go(&c);
	ASSERT_EQ(1, read(c.said, &word, 1));
	if (variant->run == watch_and_leave_a_thread)
		ASSERT_TRUE(eventually(thread_state(c.pid, c.pid) == 'Z'));
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(1, requests(&self->q));
	let_go(&c);
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_EQ(IOEVQ_OP_CHILD, ev.op);
	EXPECT_EQ(1, ev.user_data);
	EXPECT_EQ(IOEVQ_EVENT_CLOSED, ev.flags);
	EXPECT_EQ(0, ev.res);
	EXPECT_EQ(c.pid, waitpid(c.pid, NULL, 0));
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, requests(&self->q));
}

static int exec_with_child(struct offspring *c, long q)
{
	if (watch_child((struct ioevq *)q, 0, 0, 1))
		return 97;
	dup2(c->start, 0);
	dup2(c->say, 1);
	execl("/bin/bash", "bash", "-c", "(exit 7); read -r -N 1 word; exit 6", NULL);
	return 96;
}

TEST_F(family, law_10_the_watch_goes_on_through_exec)
{
	struct ioevq_event ev;
	struct offspring c;

	ASSERT_EQ(0, offspring(&c, exec_with_child, (long)&self->q));
	let_go(&c);
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_EQ(IOEVQ_EVENT_MORE, ev.flags);
	EXPECT_EQ(7 << 8, IOEVQ_CHILD_STATUS(ev.data));
	let_go(&c);
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_EQ(IOEVQ_EVENT_CLOSED, ev.flags);
	EXPECT_EQ(c.pid, waitpid(c.pid, NULL, 0));
}

static void *pause_thread(void *tid)
{
	__atomic_store_n((pid_t *)tid, gettid(), __ATOMIC_RELEASE);
	pause();
	return NULL;
}

TEST_F(family, law_10_refusals)
{
	struct ioevq_req req;
	struct offspring c;
	pthread_t thread;
	pid_t tid = 0;

	EXPECT_EQ(-ECHILD, watch_child(&self->q, 1, 0, 1));
	EXPECT_EQ(-ECHILD, watch_child(&self->q, getpid(), 0, 1));
	EXPECT_EQ(-ECHILD, watch_child(&self->q, getppid(), 0, 1));
	EXPECT_EQ(-ECHILD, watch_child(&self->q, INT32_MAX, 0, 1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, pause_thread, &tid));
	ASSERT_TRUE(eventually(__atomic_load_n(&tid, __ATOMIC_ACQUIRE)));
	EXPECT_EQ(-ECHILD, watch_child(&self->q, tid, 0, 1));

	ASSERT_EQ(0, offspring(&c, exit_with, 0));
	EXPECT_EQ(-EINVAL, watch_child(&self->q, c.pid, 1, 1));
	let_go(&c);
	ASSERT_EQ(c.pid, waitpid(c.pid, NULL, 0));
	EXPECT_EQ(-ECHILD, watch_child(&self->q, c.pid, 0, 1));

	EXPECT_EQ(-EINVAL, watch_child(&self->q, -1, 0, 1));
	ioevq_prep_child(&req, 0, 0, 1);
	req.len = 1ULL << 31;
	EXPECT_EQ(-EINVAL, submit(&self->q, &req));
	req.len = 1ULL << 32;
	EXPECT_EQ(-EINVAL, submit(&self->q, &req));
	EXPECT_EQ(-EINVAL, watch_child(&self->q, 0, 4097, 1));
	EXPECT_EQ(0, requests(&self->q));
	EXPECT_EQ(0, watch_child(&self->q, 0, 4096, 1));
	EXPECT_TRUE(quiet(&self->q));
}

TEST_HARNESS_MAIN

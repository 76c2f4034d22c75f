// SPDX-License-Identifier: GPL-2.0-only
/* Law 6: a wait that is over by the clock, of whichever kind, wakes once. */
#include <sched.h>
#include <sys/resource.h>

#include "sleeper.h"
#include "worker.h"

#define MS	1000000LL

FIXTURE(clock)
{
	struct ioevq q;
	struct sleeper s[2];
};

FIXTURE_SETUP(clock)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 8, 0));
}

FIXTURE_TEARDOWN(clock)
{
	ioevq_close(&self->q);
}

static int64_t now_of(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME };

TEST_F(clock, law_06_until_a_time_of_a_clock)
{
	struct ioevq_event ev;
	unsigned int i;
	int64_t until;

	for (i = 0; i < ARRAY_SIZE(clocks); i++) {
		until = now_of(clocks[i]) + 20 * MS;
		EXPECT_EQ(0, ioevq_wait_until(&self->q, &ev, 1, 1, clocks[i], until));
		EXPECT_LE(until, now_of(clocks[i]));
		/* What has passed is no time to wait. */
		EXPECT_EQ(0, ioevq_wait_until(&self->q, &ev, 1, 1, clocks[i], until));
		EXPECT_EQ(0, ioevq_wait_until(&self->q, &ev, 1, 1, clocks[i], 1));
		EXPECT_EQ(0, ioevq_wait_until(&self->q, &ev, 1, 1, clocks[i], 0));
		ASSERT_EQ(0, ioevq_post(&self->q, i, 0, 0));
		EXPECT_EQ(1, ioevq_wait_until(&self->q, &ev, 1, 1, clocks[i], 1));
		EXPECT_EQ(i, ev.user_data);
		ASSERT_EQ(0, ioevq_post(&self->q, i, 0, 0));
		/* Whether or not there is an event. */
		ASSERT_EQ(-EINVAL, ioevq_wait_until(&self->q, &ev, 1, 1, clocks[i], -2));
		ASSERT_EQ(-EINVAL, ioevq_wait(&self->q, &ev, 1, 1, -2));
		EXPECT_EQ(1, ioevq_wait_until(&self->q, &ev, 1, 1, clocks[i], IOEVQ_FOREVER));
	}
	EXPECT_EQ(-EINVAL, ioevq_wait_until(&self->q, &ev, 1, 1, CLOCK_TAI, 1));
	EXPECT_EQ(-EINVAL, ioevq_wait_until(&self->q, &ev, 1, 1, CLOCK_MONOTONIC, -2));
	EXPECT_EQ(0, wakeups(&self->q));
}

/* Relative ones: how long it takes does not depend on the clock. */
TEST_F(clock, law_06_relative_to_a_clock)
{
	static const __u32 flags[] = { 0, IOEVQ_ENTER_BOOTTIME };
	struct ioevq_event ev;
	unsigned int i;
	int64_t start;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		struct ioevq_enter e = {
			.flags = flags[i], .events = (uintptr_t)&ev, .min = 1, .max = 1,
			.timeout_ns = 10 * MS,
		};

		start = now_ns();
		EXPECT_EQ(0, ioevq_enter(&self->q, &e));
		EXPECT_LE(10 * MS, now_ns() - start);
	}
}

struct until {
	const struct ioevq *q;
	clockid_t clock;
	int64_t time;
	int ret;
	pid_t tid;
	pthread_t thread;
};

static void *wait_until(void *arg)
{
	struct until *u = arg;
	struct ioevq_event ev;

	__atomic_store_n(&u->tid, gettid(), __ATOMIC_RELEASE);
	u->ret = ioevq_wait_until(u->q, &ev, 1, 1, u->clock, u->time);
	return NULL;
}

/* A time of day comes when the clock is set to it. */
TEST_F(clock, law_06_the_time_of_day_is_set)
{
	struct until u = { .q = &self->q, .clock = CLOCK_REALTIME };
	struct timespec ts;

	u.time = now_of(CLOCK_REALTIME) + 3600 * 1000 * MS;
	ASSERT_EQ(0, pthread_create(&u.thread, NULL, wait_until, &u));
	ASSERT_TRUE(eventually(query(&self->q).waiting == 1));
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += 3601;
	ASSERT_EQ(0, clock_settime(CLOCK_REALTIME, &ts));
	ASSERT_EQ(0, pthread_join(u.thread, NULL));
	EXPECT_EQ(0, u.ret);
	ts.tv_sec -= 3601;
	ASSERT_EQ(0, clock_settime(CLOCK_REALTIME, &ts));
}

struct batch {
	const struct ioevq *q;
	int64_t timeout;
	uint64_t batch;
	struct ioevq_event evs[8];
	int64_t took;
	int ret;
	int tid;
	long sleeps;
	long before;
	pthread_t thread;
};

static void *wait_batch(void *arg)
{
	struct batch *b = arg;
	int64_t start = now_ns();
	struct rusage before, after;

	__atomic_store_n(&b->tid, gettid(), __ATOMIC_RELEASE);
	getrusage(RUSAGE_THREAD, &before);
	b->ret = ioevq_wait_batch(b->q, b->evs, 4, 8, b->timeout, b->batch);
	getrusage(RUSAGE_THREAD, &after);
	b->sleeps = after.ru_nvcsw - before.ru_nvcsw;
	b->took = now_ns() - start;
	return NULL;
}

static long switches(const struct batch *b)
{
	return thread_status(b->tid, "voluntary_ctxt_switches");
}

/* Start it, and return when it sleeps. */
static int start_batch(struct batch *b, const struct ioevq *q, int64_t timeout, uint64_t batch)
{
	*b = (struct batch){ .q = q, .timeout = timeout, .batch = batch };
	if (pthread_create(&b->thread, NULL, wait_batch, b) ||
	    !eventually(query(q).waiting == 1) ||
	    !eventually(is_asleep(is_set(&b->tid))))
		return 0;
	b->before = switches(b);
	return 1;
}

/* It was woken, by its clock perhaps, and had to go to sleep again. */
static int slept_again(const struct batch *b)
{
	return eventually(switches(b) > b->before && query(b->q).waiting == 1);
}

static int post_n(const struct ioevq *q, unsigned int n)
{
	while (n--)
		if (ioevq_post(q, n, 0, 0))
			return -1;
	return 0;
}

/* Be no consumer of a limited queue any more. */
static int leave_it(void)
{
	struct ioevq q = { .fd = open("/dev/ioevq", O_RDWR | O_CLOEXEC) };
	struct ioevq_event ev;
	int ret = enter_wait(&q, &ev, 1, 1, 0);

	close(q.fd);
	return ret;
}

#define BATCHERS	8

/* One event, and eight who would wait for more: one of them has the clock, and the event. */
TEST_F(clock, law_06_one_clock_for_a_batch)
{
	struct batch b[BATCHERS];
	long before[BATCHERS];
	unsigned int i, with_event = 0, switched = 0;

	for (i = 0; i < BATCHERS; i++) {
		b[i] = (struct batch){ .q = &self->q, .timeout = -1, .batch = 30 * MS };
		ASSERT_EQ(0, pthread_create(&b[i].thread, NULL, wait_batch, &b[i]));
		ASSERT_TRUE(eventually(query(&self->q).waiting == i + 1));
		ASSERT_TRUE(eventually(is_asleep(is_set(&b[i].tid))));
		before[i] = thread_status(b[i].tid, "voluntary_ctxt_switches");
	}
	ASSERT_EQ(0, post_n(&self->q, 1));
	ASSERT_TRUE(eventually(query(&self->q).waiting == BATCHERS - 1 &&
			       query(&self->q).available == 0));
	for (i = 0; i < BATCHERS; i++)
		switched += thread_status(b[i].tid, "voluntary_ctxt_switches") != before[i];
	/* The one that has it may have ended by now. */
	EXPECT_GE(1, switched);
	/* Those that are left have a clock of their own for what comes next. */
	ASSERT_EQ(0, post_n(&self->q, 1));
	ASSERT_TRUE(eventually(query(&self->q).waiting == BATCHERS - 2 &&
			       query(&self->q).available == 0));
	ASSERT_EQ(0, ioevq_alert(&self->q, 0));
	for (i = 0; i < BATCHERS; i++) {
		ASSERT_EQ(0, pthread_join(b[i].thread, NULL));
		EXPECT_EQ(1, b[i].ret);
		with_event += !(b[i].evs[0].flags & IOEVQ_EVENT_ALERT);
	}
	EXPECT_EQ(2, with_event);
}

/*
 * The delay is over, but somebody else has the slot: with it comes what is there, and
 * not another delay.
 */
TEST_F(clock, law_07_batch_is_over_when_the_slot_comes)
{
	struct ioevq_event ev;
	struct batch b;

	ASSERT_EQ(0, ioevq_set_concurrency(&self->q, 1));
	ASSERT_TRUE(start_batch(&b, &self->q, -1, 10 * MS));
	/* We have the slot, and there is an event. */
	ASSERT_EQ(0, enter_wait(&self->q, &ev, 1, 1, 0));
	ASSERT_EQ(0, post_n(&self->q, 1));
	/* Its clock has woken it, and it has found that it must not run. */
	ASSERT_TRUE(slept_again(&b));
	EXPECT_EQ(1, query(&self->q).available);
	/* The slot is given up by us as we leave this queue for one without a limit. */
	ASSERT_EQ(0, leave_it());
	ASSERT_EQ(0, pthread_join(b.thread, NULL));
	EXPECT_EQ(1, b.ret);
	/* It slept for the event, and for the slot. */
	EXPECT_GE(2, b.sleeps);
}

/* Woken for other things meanwhile, the clock goes on where it was. */
TEST_F(clock, law_06_batch_clock_is_not_set_back)
{
	int64_t start;
	struct batch b;

	ASSERT_TRUE(start_batch(&b, &self->q, -1, 100 * MS));
	ASSERT_EQ(0, post_n(&self->q, 1));
	start = now_ns();
	/* Each limit lets whoever sleeps look again. */
	do {
		ASSERT_EQ(0, ioevq_set_concurrency(&self->q, 4));
		ASSERT_EQ(0, ioevq_set_concurrency(&self->q, IOEVQ_UNLIMITED));
	} while (query(&self->q).available && now_ns() - start < BOUND_NS);
	ASSERT_EQ(0, pthread_join(b.thread, NULL));
	EXPECT_EQ(1, b.ret);
	EXPECT_LE(100 * MS, now_ns() - start);
}

/* In a time namespace a time is what its members see. */
TEST_F(clock, law_13_time_namespace)
{
	struct ioevq_event ev;
	int64_t start, until;
	int fd, status;
	pid_t pid;

	ASSERT_EQ(0, unshare(CLONE_NEWTIME));
	fd = open("/proc/self/timens_offsets", O_WRONLY);
	ASSERT_LE(0, fd);
	ASSERT_LT(0, dprintf(fd, "monotonic 86400 0\n"));
	ASSERT_LT(0, dprintf(fd, "boottime 172800 0\n"));
	close(fd);
	pid = fork();
	if (!pid) {
		unsigned int i;

		for (i = 0; i < ARRAY_SIZE(clocks); i++) {
			start = now_of(clocks[i]);
			until = start + 20 * MS;
			if (ioevq_wait_until(&self->q, &ev, 1, 1, clocks[i], until))
				_exit(1);
			if (now_of(clocks[i]) < until || now_of(clocks[i]) > start + BOUND_NS)
				_exit(2 + i);
			/* Before the namespace was: over. */
			if (ioevq_wait_until(&self->q, &ev, 1, 1, clocks[i], 1000))
				_exit(10);
		}
		if (now_of(CLOCK_BOOTTIME) < now_of(CLOCK_MONOTONIC) + 40000 * 1000 * MS)
			_exit(20);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* As many as were asked for: at once, and nobody is woken before. */
TEST_F(clock, law_06_batch_is_full)
{
	struct batch b;

	ASSERT_TRUE(start_batch(&b, &self->q, -1, BOUND_NS));
	ASSERT_EQ(0, post_n(&self->q, 3));
	EXPECT_EQ(0, wakeups(&self->q));
	EXPECT_EQ(1, query(&self->q).waiting);
	ASSERT_EQ(0, post_n(&self->q, 1));
	pthread_join(b.thread, NULL);
	EXPECT_EQ(4, b.ret);
	EXPECT_EQ(1, wakeups(&self->q));
	EXPECT_GT(BOUND_NS, b.took);
}

/* The first one has waited long enough. Nothing wakes before, and no event does. */
TEST_F(clock, law_06_batch_is_late)
{
	int64_t start = now_ns();
	struct batch b;
	int i;

	for (i = 0; i < 2; i++) {
		/* The delay begins with the first event, not with the wait. */
		ASSERT_TRUE(start_batch(&b, &self->q, i ? BOUND_NS : -1, 50 * MS));
		start = now_ns();
		ASSERT_EQ(0, post_n(&self->q, 3));
		pthread_join(b.thread, NULL);
		EXPECT_LE(50 * MS, now_ns() - start);
		EXPECT_EQ(3, b.ret);
		EXPECT_EQ(0, wakeups(&self->q));
		EXPECT_EQ(0, query(&self->q).available);
	}
	/* What is there before the wait counts from its begin. */
	ASSERT_EQ(0, post_n(&self->q, 1));
	start = now_ns();
	EXPECT_EQ(1, ioevq_wait_batch(&self->q, b.evs, 4, 8, -1, 20 * MS));
	EXPECT_LE(20 * MS, now_ns() - start);
	EXPECT_GT(BOUND_NS, now_ns() - start);
}

/* Without any event there is no batch, only the timeout. */
TEST_F(clock, law_06_batch_without_a_first)
{
	int64_t start = now_ns();
	struct batch b = {};

	EXPECT_EQ(0, ioevq_wait_batch(&self->q, b.evs, 4, 8, 30 * MS, 1));
	EXPECT_LE(30 * MS, now_ns() - start);
	/* The timeout comes before the delay is over. */
	ASSERT_EQ(0, post_n(&self->q, 2));
	EXPECT_EQ(2, ioevq_wait_batch(&self->q, b.evs, 4, 8, 1, BOUND_NS));
	EXPECT_EQ(0, ioevq_wait_batch(&self->q, b.evs, 4, 8, 0, BOUND_NS));
	EXPECT_EQ(-EINVAL, ioevq_wait_batch(&self->q, b.evs, 4, 3, 0, 1));
	EXPECT_EQ(-EINVAL, ioevq_wait_batch(&self->q, b.evs, 0, 0, 0, 1));
	ASSERT_EQ(0, post_n(&self->q, 4));
	EXPECT_EQ(4, ioevq_wait_batch(&self->q, b.evs, 4, 8, -1, UINT64_MAX));
}

/* Others take the first event: its delay is no reason to return with nothing. */
TEST_F(clock, law_06_batch_is_stolen)
{
	struct ioevq_event ev;
	struct batch b;

	ASSERT_TRUE(start_batch(&b, &self->q, -1, 30 * MS));
	/* Until a theft has succeeded: the waiter has its event, and waits on. */
	for (;;) {
		ASSERT_EQ(0, post_n(&self->q, 1));
		if (ioevq_take(&self->q, &ev) == 1)
			break;
		ASSERT_EQ(0, pthread_join(b.thread, NULL));
		ASSERT_EQ(1, b.ret);
		ASSERT_TRUE(start_batch(&b, &self->q, -1, 30 * MS));
	}
	/* Its clock wakes it, it finds nothing, and sleeps again. */
	EXPECT_TRUE(slept_again(&b));
	ASSERT_EQ(0, post_n(&self->q, 4));
	pthread_join(b.thread, NULL);
	EXPECT_EQ(4, b.ret);
}

TEST_HARNESS_MAIN

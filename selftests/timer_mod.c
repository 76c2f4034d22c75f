// SPDX-License-Identifier: GPL-2.0-only
/* TIMER_MOD, and cancels: what a timer was, and what it is from then on. */
#include "timer_test.h"
#include "scaled.h"

#define DONE	0xd0eULL

FIXTURE(timer_mod)
{
	struct ioevq q;
};

FIXTURE_SETUP(timer_mod)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
}

FIXTURE_TEARDOWN(timer_mod)
{
	ioevq_close(&self->q);
}

/* With its event. */
static int modify(const struct ioevq *q, uint64_t user_data, __u32 flags, uint64_t time,
		  uint64_t period)
{
	struct ioevq_req req;

	ioevq_prep_timer_mod(&req, user_data, flags, time, period, DONE);
	return submit(q, &req);
}

#define MODIFIED(_q, _n) completed(_q, IOEVQ_OP_TIMER_MOD, DONE, _n)

TEST_F(timer_mod, law_02_sooner_and_later)
{
	int64_t until, start;
	unsigned int i, j;
	int ret;

	for (i = 0; i < ARRAY_SIZE(clocks); i++) {
		for (j = 0; j < ARRAY_SIZE(clocks); j++) {
			__u32 at = clocks[j].flag | IOEVQ_TIMER_ABSTIME;

			ASSERT_EQ(0, set_timer(&self->q, clocks[i].flag, HOUR, 0, 1));
			until = now_of(clocks[j].id) + 10 * MS;
			ASSERT_EQ(0, modify(&self->q, 1, at, until, 0));
			EXPECT_TRUE(MODIFIED(&self->q, 1));
			EXPECT_TRUE(rang(&self->q, 1));
			EXPECT_LE(until, now_of(clocks[j].id));
			/* It has ended. */
			EXPECT_EQ(-ENOENT, modify(&self->q, 1, at, until, 0));

			/* Unless it was faster than we are. */
			ASSERT_EQ(0, set_timer(&self->q, clocks[i].flag, 20 * MS, 0, 1));
			start = now_ns();
			ret = mod_timer(&self->q, 1, clocks[j].flag, 40 * MS, 0);
			EXPECT_TRUE(rang(&self->q, 1));
			if (ret != -ENOENT) {
				EXPECT_EQ(0, ret);
				EXPECT_LE(start + 40 * MS, now_ns());
			}
			EXPECT_TRUE(quiet(&self->q));
		}
	}
	EXPECT_EQ(0, requests(&self->q));
}

/* What is told before the event of the change is as the timer was, the rest as it is. */
TEST_F(timer_mod, law_09_before_and_after)
{
	int i;

	/* To what has passed: told at once, but after it. */
	ASSERT_EQ(0, set_timer(&self->q, 0, HOUR, 0, 1));
	ASSERT_EQ(0, modify(&self->q, 1, 0, 0, 0));
	EXPECT_TRUE(MODIFIED(&self->q, 1));
	EXPECT_TRUE(rang(&self->q, 1));

	/* From what repeats to once, while an event of it is not taken. */
	ASSERT_EQ(0, set_timer(&self->q, 0, 0, MS, 2));
	ASSERT_EQ(0, modify(&self->q, 2, 0, 0, 0));
	EXPECT_EQ(1, ticked(&self->q, 2));
	EXPECT_TRUE(MODIFIED(&self->q, 1));
	EXPECT_TRUE(rang(&self->q, 2));
	EXPECT_TRUE(quiet(&self->q));

	/* The same, and it repeats: its new time comes, and waits for the old event. */
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, set_timer(&self->q, 0, 0, HOUR, 3));
		ASSERT_EQ(0, modify(&self->q, 3, 0, i ? 5 * MS : 0, i ? HOUR : END_OF_TIME));
		if (i)
			usleep(20000);
		EXPECT_EQ(2, query(&self->q).available);
		EXPECT_EQ(1, ticked(&self->q, 3));
		EXPECT_TRUE(MODIFIED(&self->q, 1));
		EXPECT_EQ(1, ticked(&self->q, 3));
		EXPECT_TRUE(quiet(&self->q));
		EXPECT_EQ(0, cancelled(&self->q, 3));
	}

	/* From once to what repeats. */
	ASSERT_EQ(0, set_timer(&self->q, 0, HOUR, 0, 4));
	ASSERT_EQ(0, modify(&self->q, 4, 0, 0, 1));
	EXPECT_TRUE(MODIFIED(&self->q, 1));
	for (i = 0; i < 3; i++)
		EXPECT_LT(0, ticked(&self->q, 4));
	/* What it had expired is forgotten. */
	ASSERT_EQ(0, mod_timer(&self->q, 4, 0, HOUR, HOUR));
	EXPECT_LT(0, ticked(&self->q, 4));
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, cancelled(&self->q, 4));
	EXPECT_EQ(0, requests(&self->q));
}

/* The old event is in the backlog: neither it nor the new time is lost. */
TEST_F(timer_mod, law_02_event_in_the_backlog)
{
	struct ioevq q;
	unsigned int i;

	ASSERT_EQ(0, ioevq_open(&q, 1, 0));
	ASSERT_EQ(0, ioevq_post(&q, 9, 0, 0));
	ASSERT_EQ(0, set_timer(&q, 0, 0, HOUR, 1));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, modify(&q, 1, 0, 0, HOUR));
	EXPECT_EQ(5, query(&q).available);
	EXPECT_TRUE(completed(&q, IOEVQ_OP_POST, 9, 0));
	EXPECT_EQ(1, ticked(&q, 1));
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(MODIFIED(&q, 1));
	EXPECT_EQ(1, ticked(&q, 1));
	/* The last event, too, with one before it that is not taken. */
	ASSERT_EQ(0, ioevq_post(&q, 9, 0, 0));
	ASSERT_EQ(0, mod_timer(&q, 1, 0, 0, HOUR));
	ASSERT_EQ(0, mod_timer(&q, 1, 0, 0, 0));
	EXPECT_TRUE(completed(&q, IOEVQ_OP_POST, 9, 0));
	EXPECT_EQ(1, ticked(&q, 1));
	EXPECT_TRUE(rang(&q, 1));
	EXPECT_EQ(0, requests(&q));
	ioevq_close(&q);
}

/* All timers of this user data, and nothing else. */
TEST_F(timer_mod, law_09_several)
{
	struct ioevq_event ev;
	int fd = eventfd(0, 0);
	unsigned int i;

	ASSERT_EQ(0, watch(&self->q, fd, POLLIN, IOEVQ_POLL_EDGE, 1));
	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, set_timer(&self->q, 0, HOUR, 0, i % 2));
	ASSERT_EQ(0, modify(&self->q, 1, 0, 0, 0));
	EXPECT_TRUE(MODIFIED(&self->q, 10));
	for (i = 0; i < 10; i++)
		EXPECT_TRUE(rang(&self->q, 1));
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(11, requests(&self->q));
	ASSERT_EQ(0, ioevq_cancel(&self->q, 0, DONE));
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(1, next_event(&self->q, &ev));
		EXPECT_EQ(0, ev.user_data);
		EXPECT_EQ(-ECANCELED, ev.res);
		EXPECT_EQ(0, ev.flags);
	}
	EXPECT_TRUE(completed(&self->q, IOEVQ_OP_CANCEL, DONE, 10));
	EXPECT_EQ(1, requests(&self->q));
	close(fd);
}

/* A time that is about as long as it takes to do something about it. */
static uint64_t soon(unsigned int i)
{
	return i * 7919 % 60000;
}

/* Either it has rung, or it was cancelled, and nothing of it follows the fence. */
TEST_F(timer_mod, law_09_cancel_races_with_the_time)
{
	unsigned int i, by_time = 0, by_cancel = 0;
	struct ioevq_event evs[2];

	for (i = 0; i < scaled(3000); i++) {
		ASSERT_EQ(0, set_timer(&self->q, 0, soon(i), 0, i));
		ASSERT_EQ(0, ioevq_cancel(&self->q, i, DONE));
		ASSERT_EQ(2, ioevq_wait(&self->q, evs, 2, 2, BOUND_NS));
		ASSERT_EQ(i, evs[0].user_data);
		ASSERT_EQ(0, evs[0].flags);
		ASSERT_EQ(IOEVQ_OP_CANCEL, evs[1].op);
		if (evs[0].res) {
			ASSERT_EQ(-ECANCELED, evs[0].res);
			ASSERT_EQ(1, evs[1].res);
			by_cancel++;
		} else {
			/* Perhaps while the cancel was at it. */
			ASSERT_GE(1, evs[1].res);
			by_time++;
		}
	}
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, requests(&self->q));
	TH_LOG("%u by time, %u by cancel", by_time, by_cancel);
}

/* Either it has rung and is no more, or it rings at the new time. */
TEST_F(timer_mod, law_01_change_races_with_the_time)
{
	unsigned int i, by_time = 0, changed = 0;
	struct ioevq_event ev;
	int ret;

	for (i = 0; i < scaled(3000); i++) {
		ASSERT_EQ(0, set_timer(&self->q, 0, soon(i), 0, i));
		ret = modify(&self->q, i, 0, i & 1 ? HOUR : soon(i), 0);
		if (ret == -ENOENT) {
			ASSERT_TRUE(rang(&self->q, i));
			by_time++;
			continue;
		}
		ASSERT_EQ(0, ret);
		ASSERT_TRUE(MODIFIED(&self->q, 1));
		changed++;
		ASSERT_TRUE(i & 1 ? !cancelled(&self->q, i) : rang(&self->q, i));
	}
	EXPECT_EQ(0, ioevq_take(&self->q, &ev));
	EXPECT_EQ(0, requests(&self->q));
	TH_LOG("%u by time, %u changed", by_time, changed);
}

struct taker {
	const struct ioevq *q;
	unsigned int seen;		/* of the two ways to take, one for each */
	uint64_t ticks[8];
	unsigned int ends[8];
	int stop;
	pthread_t thread;
};

static void count(struct taker *t, const struct ioevq_event *ev)
{
	if (ev->op != IOEVQ_OP_TIMER || ev->user_data >= 8)
		return;
	if (ev->flags)
		t->ticks[ev->user_data] += ev->data + 1;
	else
		t->ends[ev->user_data]++;
}

static void *take(void *arg)
{
	struct taker *t = arg;
	struct ioevq_event ev;

	while (!__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE)) {
		if (t->seen ? ioevq_wait(t->q, &ev, 1, 1, MS) == 1 : take_unseen(t->q, &ev))
			count(t, &ev);
		else
			sched_yield();
	}
	return NULL;
}

/* Takers by both ways, timers that repeat, one who changes them, and one who cancels. */
TEST_F(timer_mod, law_01_all_at_once)
{
	struct taker t[3] = {};
	unsigned int i, round, ends;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		t[i].q = &self->q;
		t[i].seen = i;
		ASSERT_EQ(0, pthread_create(&t[i].thread, NULL, take, &t[i]));
	}
	for (round = 0; round < scaled(200); round++) {
		for (i = 0; i < 8; i++)
			ASSERT_EQ(0, set_timer(&self->q, clocks[i % 3].flag, soon(round + i),
					       1 + soon(i * round), i));
		for (i = 0; i < 40; i++)
			ASSERT_EQ(0, mod_timer(&self->q, i % 8, clocks[i % 3].flag, soon(i + round),
					       1 + soon(i)));
		for (i = 0; i < 8; i++)
			ASSERT_EQ(0, ioevq_cancel(&self->q, i, DONE));
	}
	ASSERT_TRUE(eventually(!requests(&self->q)));
	ASSERT_TRUE(eventually(!query(&self->q).available));
	for (i = 0; i < ARRAY_SIZE(t); i++)
		__atomic_store_n(&t[i].stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < ARRAY_SIZE(t); i++)
		pthread_join(t[i].thread, NULL);
	for (i = 0; i < 8; i++) {
		ends = t[0].ends[i] + t[1].ends[i] + t[2].ends[i];
		EXPECT_EQ(scaled(200), ends);
		EXPECT_LT(0, t[0].ticks[i] + t[1].ticks[i] + t[2].ticks[i]);
	}
}

/* Closed with some on their way, some here, and some not taken. */
TEST_F(timer_mod, law_11_closed)
{
	unsigned int i, round;
	struct ioevq q;

	for (round = 0; round < scaled(100); round++) {
		ASSERT_EQ(0, ioevq_open(&q, 4, 0));
		for (i = 0; i < 20; i++)
			ASSERT_EQ(0, set_timer(&q, clocks[i % 3].flag, soon(round + i),
					       i % 2 ? 1 + soon(i) : 0, i));
		ioevq_close(&q);
	}
}

TEST_HARNESS_MAIN

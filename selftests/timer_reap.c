// SPDX-License-Identifier: GPL-2.0-only
/* Timers that repeat: they go on when their event was taken, by whomever. */
#include "sleeper.h"
#include "timer_test.h"

FIXTURE(timer_reap)
{
	struct ioevq q;
};

FIXTURE_SETUP(timer_reap)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
}

FIXTURE_TEARDOWN(timer_reap)
{
	ioevq_close(&self->q);
}

/* What is not taken is not told again: one event, and one interrupt, whatever the period. */
TEST_F(timer_reap, law_05_one_event_until_it_is_taken)
{
	static const int64_t periods[] = { 1, MS };
	unsigned int i;
	int64_t start;
	__u64 events;

	for (i = 0; i < ARRAY_SIZE(periods); i++) {
		events = query(&self->q).events;
		ASSERT_EQ(0, count_interrupts());
		start = now_ns();
		ASSERT_EQ(0, set_timer(&self->q, 0, MS, periods[i], 1));
		ASSERT_TRUE(eventually(now_ns() > start + 100 * MS));
		EXPECT_EQ(events + 1, query(&self->q).events);
		EXPECT_EQ(1, interrupts());
		EXPECT_LE(1, ticked(&self->q, 1));
		/* All the others have passed by now, and are told at once. */
		EXPECT_LE(50 * MS / periods[i], ticked(&self->q, 1));
		EXPECT_LE(0, cancelled(&self->q, 1));
	}
}

/* Nor does it storm if they are taken: each interrupt is paid for by a system call. */
TEST_F(timer_reap, law_05_no_storm)
{
	static const int64_t periods[] = { 1, 100, 10000 };
	struct ioevq_event ev;
	unsigned int i, n;
	int64_t start;
	long irqs;

	for (i = 0; i < ARRAY_SIZE(periods); i++) {
		ASSERT_EQ(0, count_interrupts());
		ASSERT_EQ(0, set_timer(&self->q, 0, 0, periods[i], 1));
		for (n = 0; n < 1000; n++)
			ASSERT_LT(0, ticked(&self->q, 1));
		/* Taken from the ring by who does not enter: it rests. */
		ASSERT_TRUE(eventually(take_unseen(&self->q, &ev)));
		EXPECT_EQ(IOEVQ_EVENT_MORE, ev.flags);
		EXPECT_TRUE(self->q.ring->flags & IOEVQ_RING_RECHECK);
		irqs = interrupts();
		EXPECT_LE(0, irqs);
		EXPECT_GE(1001, irqs);
		ASSERT_EQ(0, count_interrupts());
		start = now_ns();
		ASSERT_TRUE(eventually(now_ns() > start + 20 * MS));
		EXPECT_EQ(0, query(&self->q).available);
		EXPECT_EQ(0, interrupts());
		EXPECT_LE(0, cancelled(&self->q, 1));
	}
}

/* Who sleeps is woken, once, and for each period. */
TEST_F(timer_reap, law_06_wakes_one)
{
	struct sleeper s[2];
	unsigned int i;

	ASSERT_TRUE(put_to_sleep(&s[0], &self->q, 1, 1, BOUND_NS));
	ASSERT_TRUE(put_to_sleep(&s[1], &self->q, 1, 1, BOUND_NS));
	ASSERT_EQ(0, set_timer(&self->q, 0, 5 * MS, 20 * MS, 1));
	/* The first one that has it lets the timer go on before it returns. */
	for (i = 0; i < 2; i++)
		EXPECT_EQ(1, woken(&s[i]));
	EXPECT_EQ(2, wakeups(&self->q));
	EXPECT_LE(0, cancelled(&self->q, 1));
}

/* A consumer of the library never leaves a timer at rest. */
TEST_F(timer_reap, law_02_taken_by_the_library)
{
	struct ioevq_event ev;
	unsigned int n;

	ASSERT_EQ(0, set_timer(&self->q, 0, 0, MS, 1));
	for (n = 0; n < 20; n++) {
		ASSERT_TRUE(eventually(ioevq_take(&self->q, &ev) == 1));
		EXPECT_EQ(IOEVQ_OP_TIMER, ev.op);
		/* It is on its way, or here, and nobody needs to enter for it. */
		EXPECT_TRUE(eventually(query(&self->q).available));
	}
	/* A message behind it does not hide it. */
	ASSERT_EQ(0, ioevq_post(&self->q, 7, 0, 0));
	ASSERT_EQ(1, ioevq_wait(&self->q, &ev, 1, 1, 0));
	EXPECT_EQ(1, ev.user_data);
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_EQ(7, ev.user_data);
	EXPECT_LE(0, cancelled(&self->q, 1));
}

/* Who has taken it from the ring comes back: by a wait, by poll(2), or dies. */
TEST_F(timer_reap, law_02_goes_on)
{
	struct ioevq_event ev;
	unsigned int how;
	int status;
	pid_t pid;

	ASSERT_EQ(0, set_timer(&self->q, 0, 0, MS, 1));
	for (how = 0; how < 5; how++) {
		if (how < 4) {
			ASSERT_TRUE(eventually(take_unseen(&self->q, &ev)));
		} else {
			pid = fork();
			if (!pid)
				_exit(!eventually(take_unseen(&self->q, &ev)));
			ASSERT_EQ(pid, waitpid(pid, &status, 0));
			EXPECT_EQ(0, status);
		}
		if (how == 0) {
			EXPECT_LE(0, enter_wait(&self->q, NULL, 0, 0, 0));
		} else if (how == 1) {
			struct ioevq_event evs[2];

			/* It sleeps for more than there will be. */
			EXPECT_EQ(1, enter_wait(&self->q, evs, 2, 2, 20 * MS));
			continue;
		} else if (how == 2) {
			EXPECT_EQ(POLLIN, poll(&(struct pollfd){ self->q.fd, POLLIN, 0 }, 1,
					       BOUND_NS / MS) == 1 ? POLLIN : 0);
		} else if (how == 3) {
			ASSERT_EQ(0, ioevq_post(&self->q, MARK, 0, 0));
			ASSERT_EQ(1, next_event(&self->q, &ev));
		}
		EXPECT_TRUE(eventually(query(&self->q).available));
	}
	EXPECT_LE(0, cancelled(&self->q, 1));
}

/*
 * Who shares the ring takes back what he took, so that the timer rings while its event is
 * there. When that is taken once more it goes on, and has counted.
 */
TEST_F(timer_reap, law_12_taken_back)
{
	struct ioevq_event ev;

	ASSERT_EQ(0, set_timer(&self->q, 0, 0, 20 * MS, 1));
	ASSERT_TRUE(take_unseen(&self->q, &ev));
	ASSERT_EQ(0, enter_wait(&self->q, NULL, 0, 0, 0));
	EXPECT_FALSE(self->q.ring->flags & IOEVQ_RING_RECHECK);
	__atomic_fetch_sub(&self->q.ring->head, 1, __ATOMIC_SEQ_CST);
	EXPECT_TRUE(eventually(__atomic_load_n(&self->q.ring->flags, __ATOMIC_ACQUIRE) &
			       IOEVQ_RING_RECHECK));
	ASSERT_TRUE(take_unseen(&self->q, &ev));
	EXPECT_LE(1, ticked(&self->q, 1));
	EXPECT_LE(0, cancelled(&self->q, 1));
}

/* Of another who sleeps for what comes, and does not enter by himself. */
TEST_F(timer_reap, law_06_goes_on_for_who_sleeps)
{
	struct ioevq_event ev;
	struct sleeper s;

	ASSERT_EQ(0, set_timer(&self->q, 0, 0, MS, 1));
	ASSERT_TRUE(put_to_sleep(&s, &self->q, 2, 2, BOUND_NS));
	ASSERT_EQ(1, take_unseen(&self->q, &ev));
	ASSERT_EQ(0, ioevq_post(&self->q, 7, 0, 0));
	/* The message alone is not enough, but who submitted it has entered. */
	EXPECT_EQ(2, woken(&s));
	EXPECT_LE(0, cancelled(&self->q, 1));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/* TIMER: each clock, once and again and again, exactly. */
#include "timer_test.h"

FIXTURE(timer)
{
	struct ioevq q;
};

FIXTURE_SETUP(timer)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
}

FIXTURE_TEARDOWN(timer)
{
	ioevq_close(&self->q);
}

TEST_F(timer, law_01_from_now_on)
{
	unsigned int i;
	int64_t start;

	for (i = 0; i < ARRAY_SIZE(clocks); i++) {
		start = now_ns();
		ASSERT_EQ(0, set_timer(&self->q, clocks[i].flag, 20 * MS, 0, i));
		EXPECT_TRUE(rang(&self->q, i));
		EXPECT_LE(20 * MS, now_ns() - start);
		EXPECT_TRUE(quiet(&self->q));
		EXPECT_EQ(0, requests(&self->q));
	}
}

/* Never before its time, by the very clock. */
TEST_F(timer, law_02_at_a_time)
{
	unsigned int i, round;
	int64_t until;

	for (i = 0; i < ARRAY_SIZE(clocks); i++) {
		for (round = 0; round < 20; round++) {
			until = now_of(clocks[i].id) + round * MS / 7;
			ASSERT_EQ(0, set_timer(&self->q, clocks[i].flag | IOEVQ_TIMER_ABSTIME,
					       until, 0, i));
			EXPECT_TRUE(rang(&self->q, i));
			EXPECT_LE(until, now_of(clocks[i].id));
		}
	}
	EXPECT_TRUE(quiet(&self->q));
}

/* What has passed is told within the submission, without an interrupt. */
TEST_F(timer, law_02_the_past)
{
	unsigned int i, n;
	int64_t now;

	ASSERT_EQ(0, count_interrupts());
	for (i = 0; i < ARRAY_SIZE(clocks); i++) {
		__u32 at = clocks[i].flag | IOEVQ_TIMER_ABSTIME;

		ASSERT_EQ(0, set_timer(&self->q, at, 0, 0, 1));
		ASSERT_EQ(0, set_timer(&self->q, at, 1, 0, 2));
		ASSERT_EQ(0, set_timer(&self->q, at, now_of(clocks[i].id), 0, 3));
		ASSERT_EQ(0, set_timer(&self->q, clocks[i].flag, 0, 0, 4));
		EXPECT_EQ(4, query(&self->q).available);
		for (n = 1; n <= 4; n++)
			EXPECT_TRUE(rang(&self->q, n));
		/* And of what repeats all that has passed. */
		now = now_of(clocks[i].id);
		ASSERT_EQ(0, set_timer(&self->q, at, now - now / 8 * 5, now / 4, 5));
		EXPECT_EQ(1, query(&self->q).available);
		EXPECT_EQ(3, ticked(&self->q, 5));
		EXPECT_TRUE(quiet(&self->q));
		EXPECT_EQ(0, cancelled(&self->q, 5));
	}
	EXPECT_EQ(0, interrupts());
}

TEST_F(timer, law_02_the_end_of_time)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(clocks); i++) {
		__u32 at = clocks[i].flag | IOEVQ_TIMER_ABSTIME;
		struct ioevq_req req;

		ASSERT_EQ(0, set_timer(&self->q, at, END_OF_TIME, 0, 1));
		ASSERT_EQ(0, set_timer(&self->q, clocks[i].flag, END_OF_TIME, END_OF_TIME, 2));
		ASSERT_EQ(0, set_timer(&self->q, at, END_OF_TIME - 1, 1, 3));
		ioevq_prep_timer(&req, at, END_OF_TIME, 0, 4);
		req.op_arg = UINT32_MAX;
		ASSERT_EQ(0, submit(&self->q, &req));
		/* It comes once, and then never. */
		ASSERT_EQ(0, set_timer(&self->q, at, 1, END_OF_TIME, 5));
		EXPECT_EQ(1, ticked(&self->q, 5));
		ASSERT_EQ(0, set_timer(&self->q, at, 0, END_OF_TIME, 6));
		EXPECT_EQ(1, ticked(&self->q, 6));
		EXPECT_TRUE(quiet(&self->q));
	}
	EXPECT_EQ(6 * ARRAY_SIZE(clocks), requests(&self->q));
	ASSERT_EQ(0, ioevq_cancel_all(&self->q, MARK));
	for (i = 0; i < 6 * ARRAY_SIZE(clocks); i++)
		EXPECT_EQ(1, ioevq_wait(&self->q, &(struct ioevq_event){}, 1, 1, BOUND_NS));
	EXPECT_TRUE(completed(&self->q, IOEVQ_OP_CANCEL, MARK, 6 * ARRAY_SIZE(clocks)));
	EXPECT_EQ(0, requests(&self->q));
}

TEST_F(timer, law_14_refused)
{
	static const struct {
		uint64_t time, period;
		__u32 flags;
	} bad[] = {
		{ END_OF_TIME + 1, 0, 0 }, { UINT64_MAX, 0, 0 }, { 1, END_OF_TIME + 1, 0 },
		{ 1, UINT64_MAX, 0 }, { UINT64_MAX, 0, IOEVQ_TIMER_ABSTIME },
		{ 1, 0, IOEVQ_TIMER_BOOTTIME | IOEVQ_TIMER_REALTIME },
		{ 1, 0, IOEVQ_TIMER_BOOTTIME | IOEVQ_TIMER_REALTIME | IOEVQ_TIMER_ABSTIME },
	};
	unsigned int i;

	ASSERT_EQ(0, set_timer(&self->q, 0, HOUR, 0, 1));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, set_timer(&self->q, bad[i].flags, bad[i].time,
					     bad[i].period, 2));
		EXPECT_EQ(-EINVAL, mod_timer(&self->q, 1, bad[i].flags, bad[i].time,
					     bad[i].period));
	}
	EXPECT_EQ(-ENOENT, mod_timer(&self->q, 2, 0, 0, 0));
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, cancelled(&self->q, 1));
	EXPECT_EQ(0, requests(&self->q));
}

/* Whoever takes them, and however late: each expiry is counted, once. */
TEST_F(timer, law_02_each_period_is_counted)
{
	static const int64_t periods[] = { 1, 1000, MS / 3, 7 * MS };
	unsigned int i, j, n;

	for (i = 0; i < ARRAY_SIZE(clocks); i++) {
		for (j = 0; j < ARRAY_SIZE(periods); j++) {
			int64_t begin = now_of(clocks[i].id) + 2 * MS, told = 0;
			int64_t before, after, ticks;

			ASSERT_EQ(0, set_timer(&self->q, clocks[i].flag | IOEVQ_TIMER_ABSTIME,
					       begin, periods[j], 1));
			for (n = 0; n < 10; n++) {
				ticks = ticked(&self->q, 1);
				ASSERT_LT(0, ticks);
				told += ticks;
				EXPECT_LE(begin + (told - 1) * periods[j], now_of(clocks[i].id));
				/* Sometimes late. */
				before = now_ns();
				while (n & 1 && now_ns() < before + 3 * MS)
					;
			}
			before = now_of(clocks[i].id);
			ticks = cancelled(&self->q, 1);
			ASSERT_LE(0, ticks);
			told += ticks;
			after = now_of(clocks[i].id);
			EXPECT_LE((before - begin) / periods[j] + 1, told);
			EXPECT_GE((after - begin) / periods[j] + 1, told);
		}
	}
	EXPECT_EQ(0, requests(&self->q));
}

/* It may be late by so much, and no more. */
TEST_F(timer, law_02_slack)
{
	struct ioevq_event evs[2];
	struct ioevq_req req;
	int64_t start;

	ASSERT_EQ(0, count_interrupts());
	start = now_ns();
	ioevq_prep_timer(&req, 0, 20 * MS, 0, 1);
	req.op_arg = 200 * MS;
	ASSERT_EQ(0, submit(&self->q, &req));
	ASSERT_EQ(0, set_timer(&self->q, 0, 60 * MS, 0, 2));
	ASSERT_EQ(2, enter_wait(&self->q, evs, 2, 2, BOUND_NS));
	EXPECT_LE(60 * MS, now_ns() - start);
	/* By one interrupt, that of the one that must not be late. */
	EXPECT_EQ(3, evs[0].user_data + evs[1].user_data);
	EXPECT_EQ(1, interrupts());
	/* Never early, and not for ever. */
	start = now_ns();
	ASSERT_EQ(0, submit(&self->q, &req));
	EXPECT_TRUE(rang(&self->q, 1));
	EXPECT_LE(20 * MS, now_ns() - start);
}

/* A queue of two, and a hundred timers: all are told of, in order of their time. */
TEST_F(timer, law_03_by_time)
{
	__u32 at = IOEVQ_TIMER_REALTIME | IOEVQ_TIMER_ABSTIME;
	int64_t base = now_of(CLOCK_REALTIME) + HOUR;
	struct ioevq q;
	unsigned int i;

	ASSERT_EQ(0, ioevq_open(&q, 2, 0));
	for (i = 0; i < 100; i++)
		ASSERT_EQ(0, set_timer(&q, at, base + i * 37 % 100 * 1000, 0, i * 37 % 100));
	/* And of one that repeats: in the backlog it counts, too. */
	ASSERT_EQ(0, set_timer(&q, at, base + MS, MS, 100));
	EXPECT_EQ(0, query(&q).available);
	ASSERT_EQ(0, shift_clock(3700));
	ASSERT_TRUE(eventually(query(&q).available == 101));
	for (i = 0; i < 100; i++)
		EXPECT_TRUE(rang(&q, i));
	EXPECT_LE(99999, ticked(&q, 100));
	EXPECT_LE(1, ticked(&q, 100));
	ASSERT_EQ(0, shift_clock(-3700));
	EXPECT_LE(0, cancelled(&q, 100));
	EXPECT_EQ(0, requests(&q));
	ioevq_close(&q);
}

/* A time of day comes when the clock is set to it; how long something takes is no such time. */
TEST_F(timer, law_02_the_time_of_day_is_set)
{
	__u32 at = IOEVQ_TIMER_REALTIME | IOEVQ_TIMER_ABSTIME;
	int64_t now = now_of(CLOCK_REALTIME), ticks;
	struct ioevq_event evs[3];

	ASSERT_EQ(0, set_timer(&self->q, at, now + HOUR, 0, 1));
	ASSERT_EQ(0, set_timer(&self->q, IOEVQ_TIMER_REALTIME, HOUR, 0, 2));
	ASSERT_EQ(0, set_timer(&self->q, 0, HOUR, 0, 3));
	ASSERT_EQ(0, shift_clock(3601));
	EXPECT_TRUE(rang(&self->q, 1));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, shift_clock(-3601));
	ASSERT_EQ(0, ioevq_cancel_all(&self->q, 0));
	EXPECT_EQ(3, ioevq_wait(&self->q, evs, 3, 3, BOUND_NS));

	/* What repeats has passed as often as the clock says. */
	now = now_of(CLOCK_REALTIME);
	ASSERT_EQ(0, set_timer(&self->q, at, now + 1800 * 1000 * MS, 60 * 1000 * MS, 1));
	ASSERT_EQ(0, shift_clock(3630));
	ticks = ticked(&self->q, 1);
	EXPECT_LE(31, ticks);
	EXPECT_GE(32, ticks);
	/* And is told again when it is that late again. */
	ASSERT_EQ(0, shift_clock(-3630));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, shift_clock(3630 + 120));
	ticks = ticked(&self->q, 1);
	EXPECT_LE(2, ticks);
	EXPECT_GE(3, ticks);
	ASSERT_EQ(0, shift_clock(-3630 - 120));
	EXPECT_EQ(0, cancelled(&self->q, 1));
}

/* In a time namespace a time is what its members see. */
TEST_F(timer, law_13_time_namespace)
{
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
		int64_t until;
		__u32 at;

		for (i = 0; i < ARRAY_SIZE(clocks); i++) {
			until = now_of(clocks[i].id) + 20 * MS;
			at = clocks[i].flag | IOEVQ_TIMER_ABSTIME;
			if (set_timer(&self->q, at, until, 0, 1) || !rang(&self->q, 1))
				_exit(1);
			if (now_of(clocks[i].id) < until)
				_exit(2);
			/* Before the namespace was: it has passed. */
			if (set_timer(&self->q, at, 1000, 0, 1) ||
			    query(&self->q).available != 1 || !rang(&self->q, 1))
				_exit(3);
		}
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN

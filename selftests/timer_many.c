// SPDX-License-Identifier: GPL-2.0-only
/* A hundred thousand timers in one queue. */
#include "scaled.h"
#include "timer_test.h"

#define BATCH	250

FIXTURE(timer_many)
{
	struct ioevq q;
	unsigned int n;
};

FIXTURE_SETUP(timer_many)
{
	self->n = scaled(100000);
	ASSERT_EQ(0, ioevq_open(&self->q, 1024, 0));
}

FIXTURE_TEARDOWN(timer_many)
{
	ioevq_close(&self->q);
}

/* Some order of 0 ... n - 1, n a multiple of ten: nothing divides both of these. */
static unsigned int place(unsigned int i, unsigned int n)
{
	return (unsigned long)i * 7919 % n;
}

/* Submit prep() for each of n; the nanoseconds of one, or a negative errno. */
static long long for_each(const struct ioevq *q, unsigned int n, int64_t base,
			  void (*prep)(struct ioevq_req *req, unsigned int i, unsigned int n,
				       int64_t base))
{
	struct ioevq_req reqs[BATCH];
	long long start = now_ns();
	unsigned int i, j;
	int ret;

	for (i = 0; i < n; i += BATCH) {
		for (j = 0; j < BATCH; j++)
			prep(&reqs[j], i + j, n, base);
		ret = ioevq_submit(q, reqs, BATCH);
		if (ret != BATCH)
			return ret < 0 ? ret : -EIO;
	}
	return (now_ns() - start) / n;
}

/* At a time of the day, a microsecond apart. User data is the place by time. */
static void prep_add(struct ioevq_req *req, unsigned int i, unsigned int n, int64_t base)
{
	ioevq_prep_timer(req, IOEVQ_TIMER_REALTIME | IOEVQ_TIMER_ABSTIME,
			 base + place(i, n) * 1000ULL, 0, place(i, n));
}

/* The other way round. */
static void prep_mod(struct ioevq_req *req, unsigned int i, unsigned int n, int64_t base)
{
	ioevq_prep_timer_mod(req, i, IOEVQ_TIMER_REALTIME | IOEVQ_TIMER_ABSTIME,
			     base + (n - i) * 1000ULL, 0, 0);
	req->flags = IOEVQ_REQ_SKIP_SUCCESS;
}

static void prep_cancel(struct ioevq_req *req, unsigned int i, unsigned int n, int64_t base)
{
	(void)base;
	ioevq_prep_cancel(req, IOEVQ_CANCEL_USER_DATA, place(i, n), -1, 0, 0);
	req->flags = IOEVQ_REQ_SKIP_SUCCESS;
}

/* Each once, by its time (or against it), at that time or later: 1 or 0. */
static int all_ring(const struct ioevq *q, unsigned int n, int64_t base, int up)
{
	struct ioevq_event evs[BATCH];
	unsigned int total = 0, place;
	int64_t now;
	int i, ret;

	while (total < n) {
		ret = ioevq_wait(q, evs, 1, BATCH, BOUND_NS);
		if (ret < 1)
			return 0;
		now = now_of(CLOCK_REALTIME);
		for (i = 0; i < ret; i++, total++) {
			place = up ? total : n - total - 1;
			if (evs[i].op != IOEVQ_OP_TIMER || evs[i].res || evs[i].flags ||
			    evs[i].user_data != place || now < base + total * 1000LL)
				return 0;
		}
	}
	return 1;
}

/* All at once, when the clock is set: each once, in order, and by many short interrupts. */
TEST_F(timer_many, law_03_all_ring_by_time)
{
	int64_t base = now_of(CLOCK_REALTIME) + HOUR;
	long irqs;
	int up;

	for (up = 1; up >= 0; up--) {
		ASSERT_LE(0, for_each(&self->q, self->n, base, prep_add));
		if (!up)
			ASSERT_LE(0, for_each(&self->q, self->n, base, prep_mod));
		EXPECT_EQ(self->n, requests(&self->q));
		EXPECT_EQ(0, query(&self->q).available);
		ASSERT_EQ(0, count_interrupts());
		ASSERT_EQ(0, shift_clock(3700));
		EXPECT_TRUE(all_ring(&self->q, self->n, base, up));
		irqs = interrupts();
		EXPECT_LE(self->n / 64, irqs);
		EXPECT_TRUE(quiet(&self->q));
		EXPECT_EQ(0, requests(&self->q));
		ASSERT_EQ(0, shift_clock(-3700));
		TH_LOG("%u timers, %ld interrupts", self->n, irqs);
	}
}

/* What one costs, alone and among many. */
TEST_F(timer_many, law_01_each_is_cancelled)
{
	unsigned int sizes[] = { BATCH, self->n }, i;
	int64_t base = now_of(CLOCK_REALTIME) + HOUR;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned char *seen = calloc(1, sizes[i]);
		long long add, mod, cancel, take;
		struct ioevq_event evs[BATCH];
		unsigned int total = 0;
		int j, n = 1;

		add = for_each(&self->q, sizes[i], base, prep_add);
		mod = for_each(&self->q, sizes[i], base, prep_mod);
		cancel = for_each(&self->q, sizes[i], base, prep_cancel);
		ASSERT_LE(0, add);
		ASSERT_LE(0, mod);
		ASSERT_LE(0, cancel);
		take = now_ns();
		while (total < sizes[i] && n > 0) {
			n = ioevq_wait(&self->q, evs, 1, BATCH, BOUND_NS);
			for (j = 0; j < n; j++, total++)
				if (evs[j].op != IOEVQ_OP_TIMER || evs[j].res != -ECANCELED ||
				    evs[j].flags || evs[j].data || evs[j].user_data >= sizes[i] ||
				    seen[evs[j].user_data]++)
					n = -EIO;
		}
		take = (now_ns() - take) / sizes[i];
		EXPECT_EQ(sizes[i], total);
		EXPECT_LT(0, n);
		EXPECT_TRUE(quiet(&self->q));
		EXPECT_EQ(0, requests(&self->q));
		TH_LOG("%u timers, ns: add %lld, modify %lld, cancel %lld, take %lld", sizes[i],
		       add, mod, cancel, take);
		free(seen);
	}
}

static void prep_repeat(struct ioevq_req *req, unsigned int i, unsigned int n, int64_t base)
{
	(void)n;
	(void)base;
	ioevq_prep_timer(req, 0, i % 1000, 1, i);
}

/* Each repeats each nanosecond: one event of each, at most, and then silence. */
TEST_F(timer_many, law_05_no_storm)
{
	struct ioevq_event evs[BATCH];
	unsigned int taken = 0;
	int64_t start;
	int n;

	ASSERT_EQ(0, count_interrupts());
	ASSERT_LE(0, for_each(&self->q, self->n, 0, prep_repeat));
	ASSERT_TRUE(eventually(query(&self->q).available == self->n));
	EXPECT_GE(self->n + 1, interrupts());
	ASSERT_EQ(0, count_interrupts());
	start = now_ns();
	ASSERT_TRUE(eventually(now_ns() > start + 50 * MS));
	EXPECT_EQ(self->n, query(&self->q).available);
	/* What is taken comes back behind the others, and by no interrupt. */
	while (taken < 2 * self->n) {
		n = ioevq_wait(&self->q, evs, 1, BATCH, BOUND_NS);
		ASSERT_LT(0, n);
		for (; n; n--, taken++) {
			ASSERT_EQ(IOEVQ_EVENT_MORE, evs[n - 1].flags);
			if (taken >= self->n)
				ASSERT_LT(0, evs[n - 1].data);
		}
	}
	EXPECT_EQ(0, interrupts());
	EXPECT_EQ(self->n, query(&self->q).available);
}

/* The queue is closed, and they are gone. */
TEST_F(timer_many, law_11_closed)
{
	struct ioevq q;

	ASSERT_EQ(0, ioevq_open(&q, 8, 0));
	ASSERT_LE(0, for_each(&q, self->n, now_of(CLOCK_REALTIME) + HOUR, prep_add));
	EXPECT_EQ(self->n, requests(&q));
	ASSERT_EQ(0, count_interrupts());
	ioevq_close(&q);
	ASSERT_EQ(0, shift_clock(3700));
	EXPECT_EQ(0, interrupts());
	ASSERT_EQ(0, shift_clock(-3700));
}

TEST_HARNESS_MAIN

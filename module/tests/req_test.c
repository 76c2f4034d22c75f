// SPDX-License-Identifier: GPL-2.0-only
/* Who completes a request: one, and what becomes of its record. */
#include <linux/cpumask.h>
#include <linux/jiffies.h>
#include <linux/workqueue.h>

#include "tests.h"

static void take_is(struct kunit *test, u64 user_data, s64 res, u32 flags)
{
	struct ioevq_event ev = {};

	KUNIT_ASSERT_TRUE(test, test_take(test->priv, &ev));
	KUNIT_EXPECT_EQ(test, ev.user_data, user_data);
	KUNIT_EXPECT_EQ(test, ev.res, res);
	KUNIT_EXPECT_EQ(test, ev.flags, flags);
}

/* Not before it is accepted, once after that, never again. */
static void req_once(struct kunit *test)
{
	struct ioevq_queue *q = test->priv;
	struct ioevq_kreq *kreq = ioevq_kreq_alloc(q, &test_source, IOEVQ_OP_NOP, 5, false);
	struct ioevq_event ev;

	KUNIT_ASSERT_FALSE(test, IS_ERR(kreq));
	KUNIT_EXPECT_EQ(test, kreq->state, IOEVQ_NEW);
	KUNIT_EXPECT_FALSE(test, ioevq_complete(kreq, 1, 0, 0));
	KUNIT_EXPECT_EQ(test, test_available(q), 0ULL);
	test_accept(kreq);
	KUNIT_EXPECT_EQ(test, kreq->state, IOEVQ_LIVE);
	KUNIT_EXPECT_TRUE(test, ioevq_complete(kreq, 2, 0, 0));
	KUNIT_EXPECT_EQ(test, kreq->state, IOEVQ_FINAL);
	KUNIT_EXPECT_FALSE(test, ioevq_complete(kreq, 3, 0, 0));
	KUNIT_EXPECT_TRUE(test, ioevq_cancel_now(kreq));
	take_is(test, 5, 2, 0);
	KUNIT_EXPECT_FALSE(test, test_take(q, &ev));
}

struct racer {
	struct work_struct work;
	struct ioevq_kreq *kreq;
	atomic_t *here;
	s64 res;
	bool won;
};

static void race(struct work_struct *work)
{
	struct racer *r = container_of(work, struct racer, work);
	unsigned long end = jiffies + 2;

	/* Together, if the other one has a CPU. */
	atomic_dec(r->here);
	while (atomic_read(r->here) && time_before(jiffies, end))
		cpu_relax();
	r->won = ioevq_complete(r->kreq, r->res, 0, 0);
}

/* Two at once, on two CPUs: one is told that it was the one, and the event is its. */
static void req_race(struct kunit *test)
{
	struct racer *r = kunit_kcalloc(test, 2, sizeof(*r), GFP_KERNEL);
	unsigned int round, wrong = 0, i, cpu;
	struct ioevq_queue *q = test->priv;
	struct ioevq_event ev;
	atomic_t here;

	KUNIT_ASSERT_NOT_NULL(test, r);
	for (round = 0; round < 20; round++) {
		struct ioevq_kreq *kreq = test_request(test, &test_source, IOEVQ_OP_NOP, round);

		atomic_set(&here, 2);
		cpu = cpumask_first(cpu_online_mask);
		for (i = 0; i < 2; i++) {
			INIT_WORK(&r[i].work, race);
			r[i].kreq = kreq;
			r[i].here = &here;
			r[i].res = i + 1;
			schedule_work_on(i ? cpumask_last(cpu_online_mask) : cpu, &r[i].work);
		}
		flush_work(&r[0].work);
		flush_work(&r[1].work);
		wrong += r[0].won == r[1].won;
		wrong += !test_take(q, &ev) || ev.user_data != round ||
			 ev.res != (r[0].won ? 1 : 2);
		wrong += test_take(q, &ev);
		test_sweep(q);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0U);
	KUNIT_EXPECT_EQ(test, atomic_read(&q->requests), 0);
}

/* Memory for one event more; it may be in the backlog when a test fails. */
struct more {
	struct ioevq_rec rec;
	struct ioevq_rec *pool;
};

static struct more *post_more(struct kunit *test, struct ioevq_kreq *kreq, u32 flags)
{
	struct more *more = kunit_kzalloc(test, sizeof(*more), GFP_KERNEL);
	struct ioevq_queue *q = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, more);
	more->pool = &more->rec;
	spin_lock_irq(&q->lock);
	ioevq_post_more(kreq, &more->pool, 1, flags, 0, true);
	spin_unlock_irq(&q->lock);
	return more;
}

/* Events with MORE come in a record of their own, then the final one in the request's. */
static void req_more(struct kunit *test)
{
	struct ioevq_kreq *kreq = test_request(test, &test_source, IOEVQ_OP_NOP, 9);
	struct more *more = post_more(test, kreq, IOEVQ_EVENT_CLOSED);

	KUNIT_EXPECT_PTR_EQ(test, more->pool, &more->rec);
	KUNIT_EXPECT_EQ(test, kreq->seq, 0ULL);
	KUNIT_EXPECT_EQ(test, kreq->state, IOEVQ_LIVE);
	KUNIT_EXPECT_TRUE(test, ioevq_complete(kreq, 2, 0, 0));
	take_is(test, 9, 1, IOEVQ_EVENT_CLOSED | IOEVQ_EVENT_MORE);
	take_is(test, 9, 2, 0);
}

/* A request that is complete stays until its event has a slot, and counts until the sweep. */
static void req_sweep(struct kunit *test)
{
	struct ioevq_queue *q = test->priv;
	unsigned int i;

	for (i = 0; i < TEST_ENTRIES + 2; i++)
		ioevq_complete(test_request(test, &test_source, IOEVQ_OP_NOP, i), i, 0, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&q->requests), TEST_ENTRIES + 2);
	test_sweep(q);
	KUNIT_EXPECT_EQ(test, atomic_read(&q->requests), 2);
	KUNIT_EXPECT_EQ(test, q->index.nr, 2U);
	for (i = 0; i < TEST_ENTRIES + 2; i++)
		take_is(test, i, i, 0);
	test_sweep(q);
	KUNIT_EXPECT_EQ(test, atomic_read(&q->requests), 0);
	KUNIT_EXPECT_EQ(test, q->index.nr, 0U);
}

/* Who wants no last word has none, but for an event of it that nobody can see yet. */
static void req_quiet(struct kunit *test)
{
	struct ioevq_queue *q = test->priv;
	struct ioevq_kreq *kreq = test_request(test, &test_source, IOEVQ_OP_NOP, 1);
	unsigned int i;

	kreq->quiet = true;
	KUNIT_EXPECT_TRUE(test, ioevq_complete(kreq, 0, 0, 0));
	KUNIT_EXPECT_EQ(test, test_available(q), 0ULL);
	test_sweep(q);
	KUNIT_EXPECT_EQ(test, atomic_read(&q->requests), 0);

	for (i = 0; i < TEST_ENTRIES; i++)
		ioevq_complete(test_request(test, &test_source, IOEVQ_OP_NOP, 2), 0, 0, 0);
	kreq = test_request(test, &test_source, IOEVQ_OP_NOP, 3);
	kreq->quiet = true;
	KUNIT_EXPECT_NULL(test, post_more(test, kreq, 0)->pool);
	KUNIT_EXPECT_TRUE(test, ioevq_complete(kreq, 2, 0, 0));
	for (i = 0; i < TEST_ENTRIES; i++)
		take_is(test, 2, 0, 0);
	take_is(test, 3, 1, IOEVQ_EVENT_MORE);
	take_is(test, 3, 2, 0);
}

/* What succeeds at once has an event, or an answer, never both. */
static void req_done(struct kunit *test)
{
	struct ioevq_queue *q = test->priv;
	struct ioevq_kreq *kreq = ioevq_kreq_alloc(q, &test_source, IOEVQ_OP_NOP, 4, true);

	KUNIT_ASSERT_FALSE(test, IS_ERR(kreq));
	KUNIT_EXPECT_EQ(test, ioevq_done(kreq, 11, 0), IOEVQ_DONE);
	KUNIT_EXPECT_EQ(test, kreq->rec.ev.res, 11LL);
	KUNIT_EXPECT_EQ(test, kreq->state, IOEVQ_NEW);
	KUNIT_EXPECT_EQ(test, test_available(q), 0ULL);
	ioevq_kreq_free(kreq);
	kreq = ioevq_kreq_alloc(q, &test_source, IOEVQ_OP_NOP, 4, false);
	KUNIT_ASSERT_FALSE(test, IS_ERR(kreq));
	KUNIT_EXPECT_EQ(test, ioevq_done(kreq, 12, 0), 0);
	take_is(test, 4, 12, 0);
}

/* Of a file the newest is found first, however often the index has grown: order.c needs that. */
static void req_newest_first(struct kunit *test)
{
	struct ioevq_queue *q = test->priv;
	/* Only compared. */
	struct file *files[2] = { (struct file *)q, (struct file *)test };
	struct ioevq_kreq *kreq;
	int i, next, n = 0;

	for (i = 0; i < 1000; i++) {
		kreq = ioevq_kreq_alloc(q, &test_source, IOEVQ_OP_NOP, i % 7, false);
		KUNIT_ASSERT_FALSE(test, IS_ERR(kreq));
		kreq->file = files[i % 2];
		kreq->fd = i;
		test_accept(kreq);
	}
	for (i = 0; i < 2; i++) {
		next = 998 + i;
		hlist_for_each_entry(kreq, ioevq_index_file(&q->index, files[i]), by_file) {
			if (kreq->file != files[i])
				continue;
			KUNIT_EXPECT_EQ(test, kreq->fd, next);
			next -= 2;
			n++;
		}
	}
	KUNIT_EXPECT_EQ(test, n, 1000);
}

static struct kunit_case req_cases[] = {
	KUNIT_CASE(req_once),
	KUNIT_CASE(req_race),
	KUNIT_CASE(req_more),
	KUNIT_CASE(req_sweep),
	KUNIT_CASE(req_quiet),
	KUNIT_CASE(req_done),
	KUNIT_CASE(req_newest_first),
	{}
};

struct kunit_suite test_req_suite = {
	.name = "ioevq_req",
	.init = test_queue_init,
	.exit = test_queue_exit,
	.test_cases = req_cases,
};

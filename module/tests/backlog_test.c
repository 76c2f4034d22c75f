// SPDX-License-Identifier: GPL-2.0-only
/* Events that found the ring full: none is lost, none overtakes another. */
#include <linux/slab.h>

#include "../ring.h"
#include "tests.h"

#define ENTRIES		4
#define RECORDS		100

struct backlog_test {
	struct ioevq_ring_state ring;
	struct ioevq_rec *home;		/* records that are free */
	struct ioevq_rec recs[RECORDS];
	u64 posted;
	u64 taken;
};

static int backlog_init(struct kunit *test)
{
	struct backlog_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	unsigned int i;

	if (!t)
		return -ENOMEM;
	test->priv = t;
	for (i = 0; i < RECORDS; i++) {
		t->recs[i].home = &t->home;
		ioevq_rec_return(&t->recs[i]);
	}
	return ioevq_ring_alloc(&t->ring, ENTRIES);
}

static void backlog_exit(struct kunit *test)
{
	struct backlog_test *t = test->priv;

	if (t)
		ioevq_ring_free(&t->ring);
}

static unsigned int free_records(struct backlog_test *t)
{
	struct ioevq_rec *rec;
	unsigned int n = 0;

	for (rec = t->home; rec; rec = rec->next)
		n++;
	return n;
}

/* Event number n says so. */
static void post(struct kunit *test)
{
	struct backlog_test *t = test->priv;
	struct ioevq_rec *rec = t->home;

	t->home = rec->next;
	rec->ev.user_data = t->posted;
	KUNIT_EXPECT_EQ(test, ioevq_ring_post(&t->ring, rec), t->posted);
	t->posted++;
}

static void take(struct kunit *test)
{
	struct backlog_test *t = test->priv;
	u64 head = t->ring.page->head;

	KUNIT_EXPECT_EQ(test, t->ring.slots[head % ENTRIES].user_data, t->taken);
	t->ring.page->head++;
	t->taken++;
}

/* The record waits with its event; it is its owner's again when that has a slot. */
static void backlog_records(struct kunit *test)
{
	struct backlog_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < ENTRIES; i++)
		post(test);
	KUNIT_EXPECT_EQ(test, free_records(t), (unsigned int)RECORDS);
	KUNIT_EXPECT_EQ(test, t->ring.page->flags & IOEVQ_RING_BACKLOG, 0U);
	for (i = 0; i < 3; i++)
		post(test);
	KUNIT_EXPECT_EQ(test, free_records(t), RECORDS - 3U);
	KUNIT_EXPECT_EQ(test, t->ring.backlog_len, 3ULL);
	KUNIT_EXPECT_EQ(test, t->ring.page->tail, (u64)ENTRIES);
	KUNIT_EXPECT_EQ(test, ioevq_ring_available(&t->ring), ENTRIES + 3ULL);
	KUNIT_EXPECT_NE(test, t->ring.page->flags & IOEVQ_RING_BACKLOG, 0U);
	/* No room, no change. */
	ioevq_ring_flush(&t->ring, 10);
	KUNIT_EXPECT_EQ(test, t->ring.backlog_len, 3ULL);
	take(test);
	take(test);
	take(test);
	ioevq_ring_flush(&t->ring, 2);
	KUNIT_EXPECT_EQ(test, t->ring.backlog_len, 1ULL);
	KUNIT_EXPECT_NE(test, t->ring.page->flags & IOEVQ_RING_BACKLOG, 0U);
	ioevq_ring_flush(&t->ring, 2);
	KUNIT_EXPECT_EQ(test, t->ring.backlog_len, 0ULL);
	KUNIT_EXPECT_EQ(test, t->ring.page->flags & IOEVQ_RING_BACKLOG, 0U);
	KUNIT_EXPECT_EQ(test, free_records(t), (unsigned int)RECORDS);
}

/* Who posts moves two of those before it, and stands behind the rest. */
static void backlog_post(struct kunit *test)
{
	struct backlog_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < ENTRIES + 3; i++)
		post(test);
	for (i = 0; i < ENTRIES; i++)
		take(test);
	post(test);
	KUNIT_EXPECT_EQ(test, t->ring.page->tail, ENTRIES + 2ULL);
	KUNIT_EXPECT_EQ(test, t->ring.backlog_len, 2ULL);
	post(test);
	/* The rest of the three, and the ring is full. */
	KUNIT_EXPECT_EQ(test, t->ring.page->tail, ENTRIES + 4ULL);
	KUNIT_EXPECT_EQ(test, t->ring.backlog_len, 1ULL);
	for (i = 0; i < ENTRIES; i++)
		take(test);
	/* The backlog is empty by then: straight to the ring. */
	post(test);
	KUNIT_EXPECT_EQ(test, t->ring.backlog_len, 0ULL);
	KUNIT_EXPECT_EQ(test, t->ring.page->tail, t->posted);
}

/* Come and go in every proportion: the events are those that were posted, in their order. */
static void backlog_order(struct kunit *test)
{
	struct backlog_test *t = test->priv;
	unsigned int round, i;

	for (round = 0; round < 200; round++) {
		for (i = 0; i < round * 7 % 11 && t->home; i++)
			post(test);
		ioevq_ring_flush(&t->ring, round % 4);
		for (i = 0; i < round * 5 % 13 && ioevq_ring_used(&t->ring); i++) {
			take(test);
			ioevq_ring_flush(&t->ring, round % 3);
		}
		KUNIT_EXPECT_EQ(test, ioevq_ring_available(&t->ring), t->posted - t->taken);
		KUNIT_EXPECT_EQ(test, free_records(t) + t->ring.backlog_len, (u64)RECORDS);
		KUNIT_EXPECT_EQ(test, !!(t->ring.flags & IOEVQ_RING_BACKLOG),
				!!t->ring.backlog_len);
	}
	while (t->taken < t->posted) {
		ioevq_ring_flush(&t->ring, 1);
		KUNIT_ASSERT_NE(test, ioevq_ring_used(&t->ring), 0ULL);
		take(test);
	}
	KUNIT_EXPECT_GT(test, t->posted, 500ULL);
	KUNIT_EXPECT_EQ(test, free_records(t), (unsigned int)RECORDS);
}

/* A head that cannot be makes no room: events wait until it is right again. */
static void backlog_wild_head(struct kunit *test)
{
	struct backlog_test *t = test->priv;
	unsigned int i;

	post(test);
	t->ring.page->head = 1ULL << 40;
	for (i = 0; i < RECORDS - 1; i++)
		post(test);
	ioevq_ring_flush(&t->ring, RECORDS);
	KUNIT_EXPECT_EQ(test, t->ring.page->tail, 1ULL);
	KUNIT_EXPECT_EQ(test, t->ring.backlog_len, RECORDS - 1ULL);
	t->ring.page->head = 0;
	while (t->taken < t->posted) {
		ioevq_ring_flush(&t->ring, RECORDS);
		KUNIT_ASSERT_NE(test, ioevq_ring_used(&t->ring), 0ULL);
		take(test);
	}
}

static struct kunit_case backlog_cases[] = {
	KUNIT_CASE(backlog_records),
	KUNIT_CASE(backlog_post),
	KUNIT_CASE(backlog_order),
	KUNIT_CASE(backlog_wild_head),
	{}
};

struct kunit_suite test_backlog_suite = {
	.name = "ioevq_backlog",
	.init = backlog_init,
	.exit = backlog_exit,
	.test_cases = backlog_cases,
};

// SPDX-License-Identifier: GPL-2.0-only
/* The ring as long as it has room: order, what is private, and a head that lies. */
#include <linux/mm.h>

#include "../ring.h"
#include "tests.h"

#define ENTRIES		8

struct ring_test {
	struct ioevq_ring_state ring;
	struct ioevq_rec *home;
	struct ioevq_rec recs[ENTRIES + 1];
};

static int ring_init(struct kunit *test)
{
	struct ring_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	if (!t)
		return -ENOMEM;
	test->priv = t;
	return ioevq_ring_alloc(&t->ring, ENTRIES);
}

static void ring_exit(struct kunit *test)
{
	struct ring_test *t = test->priv;

	if (t)
		ioevq_ring_free(&t->ring);
}

static ioevq_seq_t post(struct ring_test *t, struct ioevq_rec *rec, u64 user_data)
{
	rec->home = &t->home;
	rec->ev.user_data = user_data;
	return ioevq_ring_post(&t->ring, rec);
}

/* A window of whole pages, and what user space is told of it. */
static void ring_size(struct kunit *test)
{
	struct ring_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, ioevq_ring_bytes(1), PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, ioevq_ring_bytes(124), PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, ioevq_ring_bytes(125), 2 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, t->ring.page->entries, (u32)ENTRIES);
	KUNIT_EXPECT_EQ(test, t->ring.page->tail, 0ULL);
	KUNIT_EXPECT_PTR_EQ(test, (void *)t->ring.slots,
			    (void *)t->ring.page + IOEVQ_RING_EVENTS);
	KUNIT_EXPECT_EQ(test, ioevq_ring_available(&t->ring), 0ULL);
}

/* Events stand in the order in which they were posted, also where the ring wraps. */
static void ring_order(struct kunit *test)
{
	struct ring_test *t = test->priv;
	struct ioevq_ring_state *ring = &t->ring;
	u64 n;

	for (n = 0; n < 5 * ENTRIES; n++) {
		struct ioevq_rec *rec = &t->recs[0];

		KUNIT_EXPECT_EQ(test, post(t, rec, 100 + n), n);
		/* It has its slot, so that the record is free again at once. */
		KUNIT_EXPECT_PTR_EQ(test, t->home, rec);
		t->home = NULL;
		KUNIT_EXPECT_EQ(test, ring->page->tail, n + 1);
		KUNIT_EXPECT_EQ(test, ring->slots[n % ENTRIES].user_data, 100 + n);
		KUNIT_EXPECT_EQ(test, ioevq_ring_used(ring), n < 3 ? n + 1 : 4);
		if (n >= 3)
			ring->page->head++;
	}
}

/* An event is reaped when the head has passed it, wherever the numbers are. */
static void ring_reaped(struct kunit *test)
{
	struct ring_test *t = test->priv;
	ioevq_seq_t first = post(t, &t->recs[0], 1), second = post(t, &t->recs[1], 2);

	KUNIT_EXPECT_TRUE(test, ioevq_ring_reaped(&t->ring, IOEVQ_NO_SEQ));
	KUNIT_EXPECT_FALSE(test, ioevq_ring_reaped(&t->ring, first));
	t->ring.page->head++;
	KUNIT_EXPECT_TRUE(test, ioevq_ring_reaped(&t->ring, first));
	KUNIT_EXPECT_FALSE(test, ioevq_ring_reaped(&t->ring, second));
	t->ring.page->head++;
	KUNIT_EXPECT_TRUE(test, ioevq_ring_reaped(&t->ring, second));
}

/* What was not paid for has a place only if there is one: it displaces nothing. */
static void ring_unpaid(struct kunit *test)
{
	struct ring_test *t = test->priv;
	struct ioevq_event ev = { .user_data = 77 };
	unsigned int i;

	for (i = 0; i < ENTRIES; i++)
		KUNIT_EXPECT_TRUE(test, ioevq_ring_post_unpaid(&t->ring, &ev));
	KUNIT_EXPECT_FALSE(test, ioevq_ring_post_unpaid(&t->ring, &ev));
	KUNIT_EXPECT_EQ(test, t->ring.page->tail, (u64)ENTRIES);
	/* Room was made, but who is in the backlog has it. */
	post(t, &t->recs[0], 1);
	post(t, &t->recs[1], 2);
	post(t, &t->recs[2], 3);
	t->ring.page->head += 2;
	KUNIT_EXPECT_FALSE(test, ioevq_ring_post_unpaid(&t->ring, &ev));
	KUNIT_EXPECT_EQ(test, t->ring.page->tail, (u64)ENTRIES + 2);
	KUNIT_EXPECT_EQ(test, t->ring.backlog_len, 1ULL);
}

/* Whatever is written to the page, but the head, nothing of it is believed. */
static void ring_private(struct kunit *test)
{
	struct ring_test *t = test->priv;
	struct ioevq_ring_state *ring = &t->ring;

	ioevq_ring_set_flag(ring, IOEVQ_RING_ALERT, true);
	post(t, &t->recs[0], 1);
	ring->page->tail = 1000;
	ring->page->entries = 1 << 20;
	ring->page->flags = ~0;
	KUNIT_EXPECT_EQ(test, post(t, &t->recs[1], 2), 1ULL);
	KUNIT_EXPECT_EQ(test, ring->page->tail, 2ULL);
	KUNIT_EXPECT_EQ(test, ioevq_ring_used(ring), 2ULL);
	ioevq_ring_set_flag(ring, IOEVQ_RING_LIMITED, true);
	KUNIT_EXPECT_EQ(test, ring->page->flags, (u32)(IOEVQ_RING_ALERT | IOEVQ_RING_LIMITED));
	ioevq_ring_set_flag(ring, IOEVQ_RING_ALERT, false);
	KUNIT_EXPECT_EQ(test, ring->page->flags, (u32)IOEVQ_RING_LIMITED);
}

/* A head that cannot be reads as a full ring: nothing is written over. */
static void ring_wild_head(struct kunit *test)
{
	static const u64 heads[] = { 3, 4, 1ULL << 32, 1ULL << 63, ~0ULL - ENTRIES, ~0ULL - 6 };
	struct ring_test *t = test->priv;
	struct ioevq_ring_state *ring = &t->ring;
	unsigned int i;

	post(t, &t->recs[0], 1);
	post(t, &t->recs[1], 2);
	KUNIT_EXPECT_TRUE(test, ioevq_ring_head_is_sane(ring));
	for (i = 0; i < ARRAY_SIZE(heads); i++) {
		ring->page->head = heads[i];
		KUNIT_EXPECT_FALSE(test, ioevq_ring_head_is_sane(ring));
		KUNIT_EXPECT_EQ(test, ioevq_ring_used(ring), (u64)ENTRIES);
		KUNIT_EXPECT_FALSE(test, ioevq_ring_post_unpaid(ring, &t->recs[0].ev));
	}
	/* An empty ring is none of them. */
	ring->page->head = 2;
	KUNIT_EXPECT_TRUE(test, ioevq_ring_head_is_sane(ring));
	KUNIT_EXPECT_EQ(test, ioevq_ring_used(ring), 0ULL);
	KUNIT_EXPECT_EQ(test, ring->page->tail, 2ULL);
}

static struct kunit_case ring_cases[] = {
	KUNIT_CASE(ring_size),
	KUNIT_CASE(ring_order),
	KUNIT_CASE(ring_reaped),
	KUNIT_CASE(ring_unpaid),
	KUNIT_CASE(ring_private),
	KUNIT_CASE(ring_wild_head),
	{}
};

struct kunit_suite test_ring_suite = {
	.name = "ioevq_ring",
	.init = ring_init,
	.exit = ring_exit,
	.test_cases = ring_cases,
};

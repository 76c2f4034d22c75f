// SPDX-License-Identifier: GPL-2.0-only
/* What a watch announces of many wake-ups: each change once, until that is reaped. */
#include <linux/poll.h>

#include "../watch.h"
#include "tests.h"

#define IN	((__force u32)EPOLLIN)
#define OUT	((__force u32)EPOLLOUT)
#define PRI	((__force u32)EPOLLPRI)
#define RDHUP	((__force u32)EPOLLRDHUP)

/* There is no file. */
static bool never_ready(struct ioevq_kreq *kreq, bool tell)
{
	return false;
}

static const struct ioevq_source watch_source = {
	.size = sizeof(struct ioevq_watch),
	.cancel = ioevq_cancel_now,
	.recheck = never_ready,
};

static struct ioevq_watch *watch(struct kunit *test, u32 mode)
{
	struct ioevq_queue *q = test->priv;
	struct ioevq_kreq *kreq = ioevq_kreq_alloc(q, &watch_source, IOEVQ_OP_POLL, 7, false);
	struct ioevq_watch *w;

	KUNIT_ASSERT_FALSE(test, IS_ERR(kreq));
	w = container_of(kreq, struct ioevq_watch, kreq);
	w->mask = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLERR | EPOLLHUP;
	w->mode = mode;
	w->tells = true;
	ioevq_watch_arm(w, true);
	w->spare = &w->more;
	test_accept(kreq);
	return w;
}

static bool announce(struct ioevq_watch *w, u32 ready)
{
	struct ioevq_queue *q = w->kreq.q;
	bool ret;

	spin_lock_irq(&q->lock);
	ret = ioevq_watch_announce(w, (__force __poll_t)ready, true);
	spin_unlock_irq(&q->lock);
	return ret;
}

static void take_is(struct kunit *test, s64 res, u32 flags, u64 folded)
{
	struct ioevq_event ev = {};

	KUNIT_ASSERT_TRUE(test, test_take(test->priv, &ev));
	KUNIT_EXPECT_EQ(test, ev.user_data, 7ULL);
	KUNIT_EXPECT_EQ(test, ev.res, res);
	KUNIT_EXPECT_EQ(test, ev.flags, flags);
	KUNIT_EXPECT_EQ(test, ev.data, folded);
}

/* Once, however often, until it is reaped; then again, with the number of those between. */
static void coalesce_edge(struct kunit *test)
{
	struct ioevq_watch *w = watch(test, IOEVQ_POLL_EDGE);
	struct ioevq_event ev;
	unsigned int i;

	KUNIT_EXPECT_TRUE(test, announce(w, IN));
	for (i = 0; i < 100; i++)
		KUNIT_EXPECT_FALSE(test, announce(w, IN));
	KUNIT_EXPECT_EQ(test, test_available(test->priv), 1ULL);
	KUNIT_EXPECT_TRUE(test, ioevq_watch_unreaped(w));
	take_is(test, IN, IOEVQ_EVENT_MORE, 0);
	KUNIT_EXPECT_FALSE(test, ioevq_watch_unreaped(w));
	KUNIT_EXPECT_FALSE(test, test_take(test->priv, &ev));
	KUNIT_EXPECT_TRUE(test, announce(w, IN));
	take_is(test, IN, IOEVQ_EVENT_MORE, 100);
	KUNIT_EXPECT_TRUE(test, announce(w, IN));
	take_is(test, IN, IOEVQ_EVENT_MORE, 0);
}

/* What was not announced is, and nothing but that. */
static void coalesce_bits(struct kunit *test)
{
	struct ioevq_watch *w = watch(test, IOEVQ_POLL_EDGE);

	KUNIT_EXPECT_TRUE(test, announce(w, IN));
	KUNIT_EXPECT_TRUE(test, announce(w, IN | OUT));
	KUNIT_EXPECT_FALSE(test, announce(w, IN | OUT));
	take_is(test, IN, IOEVQ_EVENT_MORE, 0);
	/* The input was reaped, the output was not. */
	KUNIT_EXPECT_TRUE(test, announce(w, IN | OUT));
	take_is(test, OUT, IOEVQ_EVENT_MORE, 0);
	take_is(test, IN, IOEVQ_EVENT_MORE, 1);
	KUNIT_EXPECT_EQ(test, test_available(test->priv), 0ULL);
}

/* More at once than there is memory for is looked at again, not lost. */
static void coalesce_many(struct kunit *test)
{
	struct ioevq_watch *w = watch(test, IOEVQ_POLL_EDGE);
	struct ioevq_queue *q = test->priv;
	bool due;

	KUNIT_EXPECT_TRUE(test, announce(w, IN));
	KUNIT_EXPECT_TRUE(test, announce(w, OUT));
	KUNIT_EXPECT_TRUE(test, announce(w, PRI));
	KUNIT_EXPECT_TRUE(test, list_empty(&w->kreq.recheck));
	KUNIT_EXPECT_FALSE(test, announce(w, RDHUP));
	KUNIT_EXPECT_FALSE(test, list_empty(&w->kreq.recheck));
	KUNIT_EXPECT_NE(test, q->ring.page->flags & IOEVQ_RING_RECHECK, 0U);
	KUNIT_EXPECT_EQ(test, test_available(q), (u64)IOEVQ_MAX_ANNOUNCED);
	take_is(test, IN, IOEVQ_EVENT_MORE, 0);
	take_is(test, OUT, IOEVQ_EVENT_MORE, 0);
	take_is(test, PRI, IOEVQ_EVENT_MORE, 0);
	spin_lock_irq(&q->lock);
	due = ioevq_recheck_due(q);
	spin_unlock_irq(&q->lock);
	KUNIT_EXPECT_TRUE(test, due);
}

/* An event that nobody can see yet says more, instead of another one that follows. */
static void coalesce_backlog(struct kunit *test)
{
	struct ioevq_queue *q = test->priv;
	struct ioevq_watch *w = watch(test, IOEVQ_POLL_EDGE);
	struct ioevq_event ev;
	unsigned int i;

	for (i = 0; i < TEST_ENTRIES; i++)
		ioevq_complete(test_request(test, &test_source, IOEVQ_OP_NOP, i), 0, 0, 0);
	KUNIT_EXPECT_TRUE(test, announce(w, IN));
	KUNIT_EXPECT_NULL(test, w->spare);
	KUNIT_EXPECT_FALSE(test, announce(w, OUT));
	KUNIT_EXPECT_FALSE(test, announce(w, IN));
	KUNIT_EXPECT_EQ(test, q->ring.backlog_len, 1ULL);
	KUNIT_EXPECT_TRUE(test, list_empty(&w->kreq.recheck));
	for (i = 0; i < TEST_ENTRIES; i++)
		KUNIT_EXPECT_TRUE(test, test_take(q, &ev));
	take_is(test, IN | OUT, IOEVQ_EVENT_MORE, 0);
	KUNIT_EXPECT_PTR_EQ(test, w->spare, &w->more);
	KUNIT_EXPECT_TRUE(test, announce(w, IN));
	take_is(test, IN, IOEVQ_EVENT_MORE, 2);
}

/* One event, and the watch has ended, or rests. */
static void coalesce_modes(struct kunit *test)
{
	struct ioevq_watch *w = watch(test, IOEVQ_POLL_ONESHOT);

	KUNIT_EXPECT_TRUE(test, announce(w, IN));
	KUNIT_EXPECT_EQ(test, w->kreq.state, IOEVQ_FINAL);
	announce(w, IN);
	take_is(test, IN, 0, 0);
	KUNIT_EXPECT_EQ(test, test_available(test->priv), 0ULL);

	w = watch(test, IOEVQ_POLL_DISPATCH);
	KUNIT_EXPECT_TRUE(test, announce(w, IN));
	KUNIT_EXPECT_FALSE(test, w->armed);
	KUNIT_EXPECT_EQ(test, w->kreq.state, IOEVQ_LIVE);
	take_is(test, IN, IOEVQ_EVENT_MORE, 0);
}

/* Level: the file is to be looked at again, and not before the event is reaped. */
static void coalesce_level(struct kunit *test)
{
	struct ioevq_watch *w = watch(test, 0);
	struct ioevq_queue *q = test->priv;
	bool before, after;

	KUNIT_EXPECT_TRUE(test, announce(w, IN));
	KUNIT_EXPECT_TRUE(test, w->kreq.level);
	spin_lock_irq(&q->lock);
	before = ioevq_recheck_due(q);
	spin_unlock_irq(&q->lock);
	take_is(test, IN, IOEVQ_EVENT_MORE, 0);
	spin_lock_irq(&q->lock);
	after = ioevq_recheck_due(q);
	spin_unlock_irq(&q->lock);
	KUNIT_EXPECT_FALSE(test, before);
	KUNIT_EXPECT_TRUE(test, after);
}

/* The same by the wake-ups of a wait queue, of which some are of no interest. */
static void coalesce_wake(struct kunit *test)
{
	struct ioevq_watch *w = watch(test, IOEVQ_POLL_EDGE);
	DECLARE_WAIT_QUEUE_HEAD_ONSTACK(head);
	u64 found[5];
	unsigned int i;

	w->mask = EPOLLIN | EPOLLERR | EPOLLHUP;
	KUNIT_EXPECT_EQ(test, ioevq_watch_join(w, &head), 0);
	wake_up_poll(&head, EPOLLOUT);
	found[0] = test_available(test->priv);
	for (i = 0; i < 10; i++)
		wake_up_poll(&head, EPOLLIN | EPOLLOUT);
	found[1] = test_available(test->priv);
	ioevq_watch_arm(w, false);
	wake_up_poll(&head, EPOLLERR);
	found[2] = test_available(test->priv);
	ioevq_watch_arm(w, true);
	wake_up_poll(&head, EPOLLERR);
	found[3] = test_available(test->priv);
	ioevq_watch_leave(w);
	wake_up_poll(&head, EPOLLHUP);
	found[4] = test_available(test->priv);

	KUNIT_EXPECT_TRUE(test, list_empty(&head.head));
	KUNIT_EXPECT_EQ(test, found[0], 0ULL);
	KUNIT_EXPECT_EQ(test, found[1], 1ULL);
	KUNIT_EXPECT_EQ(test, found[2], 1ULL);
	KUNIT_EXPECT_EQ(test, found[3], 2ULL);
	KUNIT_EXPECT_EQ(test, found[4], 2ULL);
	take_is(test, IN, IOEVQ_EVENT_MORE, 0);
	take_is(test, (__force u32)EPOLLERR, IOEVQ_EVENT_MORE, 9);
}

static struct kunit_case coalesce_cases[] = {
	KUNIT_CASE(coalesce_edge),
	KUNIT_CASE(coalesce_bits),
	KUNIT_CASE(coalesce_many),
	KUNIT_CASE(coalesce_backlog),
	KUNIT_CASE(coalesce_modes),
	KUNIT_CASE(coalesce_level),
	KUNIT_CASE(coalesce_wake),
	{}
};

struct kunit_suite test_coalesce_suite = {
	.name = "ioevq_coalesce",
	.init = test_queue_init,
	.exit = test_queue_exit,
	.test_cases = coalesce_cases,
};

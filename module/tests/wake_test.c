// SPDX-License-Identifier: GPL-2.0-only
/* Whom an event wakes: the last to sleep, if there are as many as it asked for. */
#include "../wake.h"
#include "tests.h"

/* Something that sleeps, but does not: what the wake-up does with it is what counts. */
static struct ioevq_waiter *waiter(struct kunit *test, u32 need)
{
	struct ioevq_waiter *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);
	struct ioevq_queue *q = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, w);
	w->task = current;
	w->need = need;
	spin_lock_irq(&q->lock);
	q->least = list_empty(&q->waiters) ? need : min(q->least, need);
	list_add(&w->node, &q->waiters);
	q->waiting++;
	spin_unlock_irq(&q->lock);
	return w;
}

/* It has taken its events and returns. */
static void returns(struct ioevq_queue *q, struct ioevq_waiter *w)
{
	struct ioevq_event ev;
	u32 n;

	for (n = 0; n < w->need; n++)
		test_take(q, &ev);
	spin_lock_irq(&q->lock);
	q->claimed -= w->need;
	ioevq_hand_on(q);
	spin_unlock_irq(&q->lock);
}

static void wake_exit(struct kunit *test)
{
	struct ioevq_queue *q = test->priv;

	if (q)
		INIT_LIST_HEAD(&q->waiters);
	test_queue_exit(test);
}

/* One event, one waiter: the last that came. */
static void wake_lifo(struct kunit *test)
{
	struct ioevq_queue *q = test->priv;
	struct ioevq_waiter *w[3];
	int i;

	for (i = 0; i < 3; i++)
		w[i] = waiter(test, 1);
	for (i = 2; i >= 0; i--) {
		KUNIT_EXPECT_FALSE(test, w[i]->woken);
		test_post(test, 1);
		KUNIT_EXPECT_TRUE(test, w[i]->woken);
		KUNIT_EXPECT_EQ(test, q->waiting, (u32)i);
		KUNIT_EXPECT_EQ(test, q->wakeups, 3ULL - i);
	}
	KUNIT_EXPECT_EQ(test, q->claimed, 3ULL);
}

/* Who asked for more is left alone until they are there, and is no obstacle. */
static void wake_min(struct kunit *test)
{
	struct ioevq_waiter *one = waiter(test, 1), *three = waiter(test, 3);
	struct ioevq_queue *q = test->priv;

	test_post(test, 1);
	KUNIT_EXPECT_TRUE(test, one->woken);
	KUNIT_EXPECT_FALSE(test, three->woken);
	/* Of these one is claimed. */
	test_post(test, 2);
	KUNIT_EXPECT_FALSE(test, three->woken);
	KUNIT_EXPECT_EQ(test, q->least, 3U);
	test_post(test, 1);
	KUNIT_EXPECT_TRUE(test, three->woken);
	KUNIT_EXPECT_EQ(test, q->wakeups, 2ULL);
	returns(q, one);
	returns(q, three);
	KUNIT_EXPECT_EQ(test, q->claimed, 0ULL);
	KUNIT_EXPECT_EQ(test, test_available(q), 0ULL);
}

/* What a woken one leaves, because it was not there any more or was not wanted, wakes others. */
static void wake_hand_on(struct kunit *test)
{
	struct ioevq_queue *q = test->priv;
	struct ioevq_waiter *below = waiter(test, 1), *top = waiter(test, 1);

	test_post(test, 1);
	KUNIT_EXPECT_TRUE(test, top->woken);
	KUNIT_EXPECT_FALSE(test, below->woken);
	spin_lock_irq(&q->lock);
	ioevq_hand_on(q);
	spin_unlock_irq(&q->lock);
	KUNIT_EXPECT_FALSE(test, below->woken);
	/* It was killed, and takes nothing. */
	spin_lock_irq(&q->lock);
	q->claimed -= top->need;
	ioevq_hand_on(q);
	spin_unlock_irq(&q->lock);
	KUNIT_EXPECT_TRUE(test, below->woken);
	KUNIT_EXPECT_EQ(test, q->claimed, 1ULL);
}

/* The first event of a batch starts one clock, and wakes nobody. */
static void wake_batch(struct kunit *test)
{
	struct ioevq_queue *q = test->priv;
	struct ioevq_waiter *other = waiter(test, 4), *w = waiter(test, 3);
	struct hrtimer_sleeper batch;

	w->batch = &batch;
	hrtimer_init_sleeper_on_stack(&batch, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
	w->batch_ns = 3600ULL * NSEC_PER_SEC;
	w->batching = true;
	q->least = 1;
	test_post(test, 1);
	KUNIT_EXPECT_PTR_EQ(test, q->clock, w);
	KUNIT_EXPECT_FALSE(test, w->woken);
	KUNIT_EXPECT_TRUE(test, hrtimer_active(&batch.timer));
	test_post(test, 1);
	KUNIT_EXPECT_FALSE(test, w->woken);
	test_post(test, 1);
	KUNIT_EXPECT_TRUE(test, w->woken);
	KUNIT_EXPECT_FALSE(test, other->woken);
	KUNIT_EXPECT_EQ(test, q->wakeups, 1ULL);
	hrtimer_cancel(&batch.timer);
	destroy_hrtimer_on_stack(&batch.timer);
	q->clock = NULL;
}

#define MANY	200

/* However many there are for it: not all in one go, with interrupts off. */
static void wake_many(struct kunit *test)
{
	struct ioevq_queue *q = test->priv;
	unsigned int i;

	test_post(test, MANY);
	for (i = 0; i < MANY; i++)
		waiter(test, 1);
	spin_lock_irq(&q->lock);
	ioevq_hand_on(q);
	KUNIT_EXPECT_EQ(test, q->wakeups, 64ULL);
	spin_unlock_irq(&q->lock);
	/* The next ones follow each other. */
	while (READ_ONCE(q->waiting) && irq_work_is_busy(&q->wake_kick))
		cpu_relax();
	irq_work_sync(&q->wake_kick);
	KUNIT_EXPECT_EQ(test, q->wakeups, (u64)MANY);
	KUNIT_EXPECT_EQ(test, q->claimed, (u64)MANY);
}

static struct kunit_case wake_cases[] = {
	KUNIT_CASE(wake_lifo),
	KUNIT_CASE(wake_min),
	KUNIT_CASE(wake_hand_on),
	KUNIT_CASE(wake_batch),
	KUNIT_CASE(wake_many),
	{}
};

struct kunit_suite test_wake_suite = {
	.name = "ioevq_wake",
	.init = test_queue_init,
	.exit = wake_exit,
	.test_cases = wake_cases,
};

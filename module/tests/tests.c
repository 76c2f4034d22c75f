// SPDX-License-Identifier: GPL-2.0-only
/*
 * The suites, and what they share: a queue without a file, requests without a source, and a
 * consumer without a process.
 *
 * They are run by the module's init, not by KUnit when the module is loaded: that is before
 * init in Linux 6.1, and after it in 6.12.
 */
#include "tests.h"

static struct kunit_suite *suites[] = {
	&test_ring_suite,
	&test_backlog_suite,
	&test_req_suite,
	&test_ioctl_suite,
	&test_submit_suite,
	&test_limit_suite,
	&test_coalesce_suite,
	&test_cancel_suite,
	&test_fence_suite,
	&test_wake_suite,
	&test_wait_suite,
};

/* They take a while, and tests of the module's end load it often. */
static bool unit_tests;
module_param(unit_tests, bool, 0444);
MODULE_PARM_DESC(unit_tests, "run the unit tests");

/* The results are in the kernel log and in debugfs. That some fail is no reason not to load. */
void ioevq_tests_run(void)
{
	if (unit_tests)
		__kunit_test_suites_init(suites, ARRAY_SIZE(suites));
}

void ioevq_tests_exit(void)
{
	if (unit_tests)
		__kunit_test_suites_exit(suites, ARRAY_SIZE(suites));
}

static bool cancel_busy(struct ioevq_kreq *kreq)
{
	return false;
}

const struct ioevq_source test_source = {
	.size = sizeof(struct ioevq_kreq),
	.cancel = ioevq_cancel_now,
};

const struct ioevq_source test_busy_source = {
	.size = sizeof(struct ioevq_kreq),
	.cancel = cancel_busy,
};

int test_queue_init(struct kunit *test)
{
	static const struct ioevq_setup setup = { .entries = TEST_ENTRIES };
	struct ioevq_queue *q = ioevq_queue_new();

	if (!q)
		return -ENOMEM;
	test->priv = q;
	return ioevq_queue_setup(q, &setup);
}

void test_queue_exit(struct kunit *test)
{
	struct ioevq_queue *q = test->priv;
	struct ioevq_kreq *kreq;
	unsigned int i;

	if (!q)
		return;
	/* What the device has still, if the test has failed. */
	for (i = 0; i < ioevq_index_size(&q->index); i++)
		hlist_for_each_entry(kreq, &q->index.by_user_data[i], by_user_data)
			ioevq_complete(kreq, -ECANCELED, 0, 0);
	ioevq_queue_close(q);
}

void test_accept(struct ioevq_kreq *kreq)
{
	struct ioevq_queue *q = kreq->q;

	mutex_lock(&q->mutex);
	ioevq_accept(kreq);
	ioevq_index_add(&q->index, kreq);
	mutex_unlock(&q->mutex);
}

struct ioevq_kreq *test_request(struct kunit *test, const struct ioevq_source *src, u32 op,
				u64 user_data)
{
	struct ioevq_kreq *kreq = ioevq_kreq_alloc(test->priv, src, op, user_data, false);

	KUNIT_ASSERT_FALSE(test, IS_ERR(kreq));
	test_accept(kreq);
	return kreq;
}

/* As ENTER does. */
int test_submit(struct ioevq_queue *q, const struct ioevq_req *req, s64 *res)
{
	int ret;

	mutex_lock(&q->mutex);
	ret = ioevq_submit_one(q, ioevq_source(req->op), req, res);
	mutex_unlock(&q->mutex);
	return ret;
}

/* Messages, of which each is an event at once. */
void test_post(struct kunit *test, unsigned int n)
{
	const struct ioevq_req nop = { .op = IOEVQ_OP_NOP, .fd = -1 };

	while (n--)
		KUNIT_EXPECT_EQ(test, test_submit(test->priv, &nop, NULL), 0);
}

void test_sweep(struct ioevq_queue *q)
{
	mutex_lock(&q->mutex);
	ioevq_sweep(q);
	mutex_unlock(&q->mutex);
}

/* The only consumer takes the next event: false if there is none. */
bool test_take(struct ioevq_queue *q, struct ioevq_event *ev)
{
	struct ioevq_ring_state *ring = &q->ring;
	bool any;

	spin_lock_irq(&q->lock);
	ioevq_ring_flush(ring, 128);
	any = ioevq_ring_used(ring);
	if (any) {
		*ev = ring->slots[ring->page->head & (ring->entries - 1)];
		ring->page->head++;
	}
	spin_unlock_irq(&q->lock);
	return any;
}

u64 test_available(struct ioevq_queue *q)
{
	u64 n;

	spin_lock_irq(&q->lock);
	n = ioevq_ring_available(&q->ring);
	spin_unlock_irq(&q->lock);
	return n;
}

// SPDX-License-Identifier: GPL-2.0-only
/* A cancel is a fence: its event follows those of all that it matched. */
#include "tests.h"

#define DONE	1000		/* user data of a cancel */

static const struct ioevq_req all = { .op = IOEVQ_OP_CANCEL, .fd = -1, .user_data = DONE };

static void next_is(struct kunit *test, u64 user_data, s64 res)
{
	struct ioevq_event ev = {};

	KUNIT_ASSERT_TRUE(test, test_take(test->priv, &ev));
	KUNIT_EXPECT_EQ(test, ev.user_data, user_data);
	KUNIT_EXPECT_EQ(test, ev.res, res);
}

/* The fence: I/O that the device has is waited for, and the cancel's event comes after it. */
static void fence_waits(struct kunit *test)
{
	struct ioevq_queue *q = test->priv;
	struct ioevq_kreq *a = test_request(test, &test_busy_source, IOEVQ_OP_NOP, 1);
	struct ioevq_kreq *b = test_request(test, &test_busy_source, IOEVQ_OP_NOP, 2);
	struct ioevq_req again = all;

	test_request(test, &test_source, IOEVQ_OP_NOP, 3);
	KUNIT_EXPECT_EQ(test, test_submit(q, &all, NULL), 0);
	next_is(test, 3, -ECANCELED);
	KUNIT_EXPECT_EQ(test, test_available(q), 0ULL);
	/* A second one, of one of them: it hangs on the first, and so follows it. */
	again.op_flags = IOEVQ_CANCEL_USER_DATA;
	again.addr = 1;
	again.user_data = DONE + 1;
	KUNIT_EXPECT_EQ(test, test_submit(q, &again, NULL), 0);
	KUNIT_EXPECT_EQ(test, q->fences, 2U);
	ioevq_complete(a, 100, 0, 0);
	next_is(test, 1, 100);
	KUNIT_EXPECT_EQ(test, test_available(q), 0ULL);
	ioevq_complete(b, 200, 0, 0);
	next_is(test, 2, 200);
	next_is(test, DONE, 3);
	next_is(test, DONE + 1, 1);
	KUNIT_EXPECT_EQ(test, q->fences, 0U);
}

/* So many cancels may wait, and the next is refused. */
static void fence_limit(struct kunit *test)
{
	struct ioevq_queue *q = test->priv;
	struct ioevq_kreq *busy = test_request(test, &test_busy_source, IOEVQ_OP_NOP, 1);
	unsigned int i;

	for (i = 0; i < 64; i++)
		KUNIT_EXPECT_EQ(test, test_submit(q, &all, NULL), 0);
	KUNIT_EXPECT_EQ(test, test_submit(q, &all, NULL), -EAGAIN);
	KUNIT_EXPECT_EQ(test, atomic_read(&q->requests), 65);
	ioevq_complete(busy, 5, 0, 0);
	next_is(test, 1, 5);
	for (i = 0; i < 64; i++)
		next_is(test, DONE, 1);
	KUNIT_EXPECT_EQ(test, q->fences, 0U);
}

static struct kunit_case fence_cases[] = {
	KUNIT_CASE(fence_waits),
	KUNIT_CASE(fence_limit),
	{}
};

struct kunit_suite test_fence_suite = {
	.name = "ioevq_fence",
	.init = test_queue_init,
	.exit = test_queue_exit,
	.test_cases = fence_cases,
};

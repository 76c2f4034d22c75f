// SPDX-License-Identifier: GPL-2.0-only
/* What a request may say: flags, and fields that are of no use to it. */
#include "tests.h"

/* Each bit of a request that its operation does not know is refused, by its errno. */
static void submit_flags(struct kunit *test)
{
	struct ioevq_queue *q = test->priv;
	struct ioevq_req req = { .op = IOEVQ_OP_NOP, .fd = -1 };
	unsigned int bit, op;

	for (op = 0; op < IOEVQ_OP__COUNT; op++) {
		const struct ioevq_source *src = ioevq_source(op);

		KUNIT_ASSERT_NOT_NULL(test, src);
		req.op = op;
		for (bit = 0; bit < 8 * sizeof(req.flags); bit++) {
			req.flags = BIT(bit) & ~src->req_flags;
			if (req.flags)
				KUNIT_EXPECT_EQ(test, test_submit(q, &req, NULL), -EOPNOTSUPP);
		}
		req.flags = 0;
		for (bit = 0; bit < 8 * sizeof(req.op_flags); bit++) {
			req.op_flags = BIT(bit) & ~src->op_flags;
			if (req.op_flags)
				KUNIT_EXPECT_EQ(test, test_submit(q, &req, NULL), -EOPNOTSUPP);
		}
		req.op_flags = 0;
	}
	req.op = IOEVQ_OP__COUNT;
	KUNIT_EXPECT_EQ(test, test_submit(q, &req, NULL), -EOPNOTSUPP);
	memset(&req.op, 0xff, sizeof(req.op));
	KUNIT_EXPECT_EQ(test, test_submit(q, &req, NULL), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, test_available(q), 0ULL);
	KUNIT_EXPECT_EQ(test, atomic_read(&q->requests), 0);
}

/* So is each field that it does not read, and an operation that the queue does not take. */
static void submit_fields(struct kunit *test)
{
	struct ioevq_queue *q = test->priv;
	const struct ioevq_req nop = { .op = IOEVQ_OP_NOP, .fd = -1 };
	struct ioevq_req reqs[9];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(reqs); i++)
		reqs[i] = nop;
	reqs[0].fd = 0;
	reqs[1].addr = 1ULL << 63;
	reqs[2].off = 1;
	reqs[3].len = 1;
	reqs[4].op_arg = 1;
	reqs[5].buf_index = 1;
	for (i = 0; i < ARRAY_SIZE(nop.__reserved); i++)
		reqs[6 + i].__reserved[i] = 1;
	for (i = 0; i < ARRAY_SIZE(reqs); i++)
		KUNIT_EXPECT_EQ_MSG(test, test_submit(q, &reqs[i], NULL), -EINVAL, "field %u", i);
	KUNIT_EXPECT_EQ(test, test_available(q), 0ULL);
	KUNIT_EXPECT_EQ(test, test_submit(q, &nop, NULL), 0);
	KUNIT_EXPECT_EQ(test, test_available(q), 1ULL);
	q->ops &= ~BIT_ULL(IOEVQ_OP_NOP);
	KUNIT_EXPECT_EQ(test, test_submit(q, &nop, NULL), -EPERM);
	KUNIT_EXPECT_EQ(test, test_available(q), 1ULL);
}

static struct kunit_case submit_cases[] = {
	KUNIT_CASE(submit_flags),
	KUNIT_CASE(submit_fields),
	{}
};

struct kunit_suite test_submit_suite = {
	.name = "ioevq_submit",
	.init = test_queue_init,
	.exit = test_queue_exit,
	.test_cases = submit_cases,
};

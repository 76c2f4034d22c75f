// SPDX-License-Identifier: GPL-2.0-only
/* Law 14: the fields of a request, for every operation. */
#include <sys/stat.h>

#include "expect.h"

/* Fields that an operation may use. */
enum {
	USES_FD = 1,
	USES_ADDR = 2,
	USES_OFF = 4,
	USES_LEN = 8,
	USES_ARG = 16,
};

static const unsigned int uses[IOEVQ_OP__COUNT] = {
	[IOEVQ_OP_POST] = USES_FD | USES_ADDR | USES_OFF,
	[IOEVQ_OP_POLL] = USES_FD | USES_LEN | USES_ARG,
	[IOEVQ_OP_READ] = USES_FD | USES_ADDR | USES_OFF | USES_LEN | USES_ARG,
	[IOEVQ_OP_WRITE] = USES_FD | USES_ADDR | USES_OFF | USES_LEN | USES_ARG,
	[IOEVQ_OP_FSYNC] = USES_FD | USES_OFF | USES_LEN,
	[IOEVQ_OP_CHILD] = USES_LEN | USES_ARG,
	/* Of cancel's fields each is used with its flag only. */
	[IOEVQ_OP_CANCEL] = 0,
	/* And the address and the offset of a change. */
	[IOEVQ_OP_POLL_MOD] = USES_FD | USES_ARG,
	[IOEVQ_OP_CLOSE] = USES_FD,
	[IOEVQ_OP_TIMER] = USES_OFF | USES_LEN | USES_ARG,
	[IOEVQ_OP_TIMER_MOD] = USES_ADDR | USES_OFF | USES_LEN | USES_ARG,
};

FIXTURE(request)
{
	struct ioevq q;
	struct ioevq_req good[IOEVQ_OP__COUNT];
	char buf[64];
	int file;
	int event;
};

FIXTURE_SETUP(request)
{
	struct ioevq_req *good = self->good;

	self->file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	self->event = eventfd(0, 0);
	ASSERT_LE(0, self->file);
	ASSERT_LE(0, self->event);
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ioevq_prep_nop(&good[IOEVQ_OP_NOP], 1);
	ioevq_prep_post(&good[IOEVQ_OP_POST], -1, 0, 0, 1);
	ioevq_prep_poll(&good[IOEVQ_OP_POLL], self->event, POLLIN, IOEVQ_POLL_EDGE, 1);
	ioevq_prep_read(&good[IOEVQ_OP_READ], self->file, self->buf, sizeof(self->buf), 0, 1);
	ioevq_prep_write(&good[IOEVQ_OP_WRITE], self->file, self->buf, sizeof(self->buf), 0, 1);
	ioevq_prep_fsync(&good[IOEVQ_OP_FSYNC], self->file, 0, 1);
	ioevq_prep_child(&good[IOEVQ_OP_CHILD], 0, 1, 1);
	ioevq_prep_cancel(&good[IOEVQ_OP_CANCEL], 0, 0, -1, 0, 1);
	ioevq_prep(&good[IOEVQ_OP_POLL_MOD], IOEVQ_OP_POLL_MOD, self->event, 1);
	good[IOEVQ_OP_POLL_MOD].op_flags = IOEVQ_POLL_EDGE;
	ioevq_prep_close(&good[IOEVQ_OP_CLOSE], self->event, 1);
	ioevq_prep_timer(&good[IOEVQ_OP_TIMER], 0, BOUND_NS, 0, 7);
	ioevq_prep_timer_mod(&good[IOEVQ_OP_TIMER_MOD], 7, 0, BOUND_NS, 0, 1);
}

FIXTURE_TEARDOWN(request)
{
	ioevq_close(&self->q);
	close(self->event);
	close(self->file);
}

TEST_F(request, law_14_known_operations)
{
	unsigned int op;

	for (op = 0; op < IOEVQ_OP__COUNT; op++) {
		/* The cancel has ended what there was to change. */
		if (op == IOEVQ_OP_POLL_MOD)
			ASSERT_EQ(0, submit(&self->q, &self->good[IOEVQ_OP_POLL]));
		EXPECT_EQ(0, submit(&self->q, &self->good[op]))
			TH_LOG("operation %u", op);
	}
}

TEST_F(request, law_14_unknown_operations)
{
	static const unsigned int ops[] = {
		IOEVQ_OP__COUNT, IOEVQ_OP__COUNT + 1, 63, 64, 0xff, 0x100, 0x7fff, 0x8000, 0xffff,
	};
	struct ioevq_req req;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		ioevq_prep(&req, ops[i], -1, 1);
		EXPECT_EQ(-EOPNOTSUPP, submit(&self->q, &req))
			TH_LOG("operation %u", ops[i]);
	}
	EXPECT_TRUE(quiet(&self->q));
}

TEST_F(request, law_14_unknown_flags)
{
	struct ioevq_info info = {};
	struct ioevq_req req;
	unsigned int op, bit;

	for (op = 0; op < IOEVQ_OP__COUNT; op++) {
		info.op = op;
		ASSERT_EQ(0, ioevq_info(&self->q, &info));
		for (bit = 0; bit < 16; bit++) {
			if (info.req_flags & (1U << bit))
				continue;
			req = self->good[op];
			req.flags = 1U << bit;
			EXPECT_EQ(-EOPNOTSUPP, submit(&self->q, &req))
				TH_LOG("operation %u, flag %u", op, bit);
		}
		for (bit = 0; bit < 32; bit++) {
			if (info.op_flags & (1U << bit))
				continue;
			req = self->good[op];
			req.op_flags |= 1U << bit;
			EXPECT_EQ(-EOPNOTSUPP, submit(&self->q, &req))
				TH_LOG("operation %u, op_flag %u", op, bit);
		}
	}
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, requests(&self->q));
}

TEST_F(request, law_14_reserved_and_unused_fields)
{
	struct ioevq_req bad[11], *b;
	unsigned int op;

	for (op = 0; op < IOEVQ_OP__COUNT; op++) {
		b = bad;
		for (b = bad; b < bad + ARRAY_SIZE(bad); b++)
			*b = self->good[op];
		b = bad;
		b++->__reserved[0] = 1;
		b++->__reserved[0] = 1U << 31;
		b++->__reserved[1] = 1;
		b++->__reserved[2] = 1U << 31;
		if (!(uses[op] & USES_FD))
			b++->fd = 0;
		if (!(uses[op] & USES_ADDR))
			b++->addr = 1ULL << 32;
		if (!(uses[op] & USES_OFF))
			b++->off = 1ULL << 63;
		if (!(uses[op] & USES_LEN))
			b++->len = 1;
		if (!(uses[op] & USES_ARG))
			b++->op_arg = 1;
		/* It is used with its flag only. */
		b++->buf_index = 1;
		while (b-- > bad) {
			EXPECT_EQ(-EINVAL, submit(&self->q, b))
				TH_LOG("operation %u, case %d", op, (int)(b - bad));
		}
	}
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, requests(&self->q));
}

TEST_F(request, law_14_fields_of_a_cancel)
{
	static const unsigned int all = IOEVQ_CANCEL_USER_DATA | IOEVQ_CANCEL_FD |
					IOEVQ_CANCEL_OP | IOEVQ_CANCEL_EXACT;
	struct ioevq_req req = self->good[IOEVQ_OP_CANCEL];
	unsigned int flags;

	for (flags = 0; flags <= all; flags++) {
		req.op_flags = flags;
		/* The very descriptor, but which? */
		if (flags & IOEVQ_CANCEL_EXACT && !(flags & IOEVQ_CANCEL_FD)) {
			req.fd = -1;
			req.addr = 0;
			req.len = 0;
			EXPECT_EQ(-EINVAL, submit(&self->q, &req));
			continue;
		}
		req.addr = 7;
		req.len = 0;
		req.fd = flags & IOEVQ_CANCEL_FD ? self->event : -1;
		EXPECT_EQ(flags & IOEVQ_CANCEL_USER_DATA ? 0 : -EINVAL, submit(&self->q, &req));
		req.addr = 0;
		req.len = IOEVQ_OP_POLL;
		EXPECT_EQ(flags & IOEVQ_CANCEL_OP ? 0 : -EINVAL, submit(&self->q, &req));
		req.len = 0;
		req.fd = self->event;
		EXPECT_EQ(flags & IOEVQ_CANCEL_FD ? 0 : -EINVAL, submit(&self->q, &req));
	}
	req = self->good[IOEVQ_OP_CANCEL];
	req.op_flags = IOEVQ_CANCEL_OP;
	req.len = IOEVQ_OP__COUNT;
	EXPECT_EQ(-EOPNOTSUPP, submit(&self->q, &req));
	req.op_flags = IOEVQ_CANCEL_FD;
	req.len = 0;
	EXPECT_EQ(-EBADF, submit(&self->q, &req));
}

/* Every operation that takes a descriptor. */
TEST_F(request, law_14_bad_descriptors)
{
	static const int bad[] = { -2, INT32_MIN, 1 << 20, INT32_MAX };
	static const unsigned int ops[] = {
		IOEVQ_OP_POST, IOEVQ_OP_POLL, IOEVQ_OP_READ, IOEVQ_OP_WRITE, IOEVQ_OP_FSYNC,
		IOEVQ_OP_CANCEL, IOEVQ_OP_POLL_MOD, IOEVQ_OP_CLOSE,
	};
	int path = open("/tmp", O_PATH);
	struct ioevq_req req;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		req = self->good[ops[i]];
		if (ops[i] == IOEVQ_OP_CANCEL)
			req.op_flags = IOEVQ_CANCEL_FD;
		for (j = 0; j < ARRAY_SIZE(bad); j++) {
			req.fd = bad[j];
			EXPECT_EQ(-EBADF, submit(&self->q, &req))
				TH_LOG("operation %u, descriptor %d", ops[i], bad[j]);
		}
		req.fd = path;
		EXPECT_EQ(-EBADF, submit(&self->q, &req))
			TH_LOG("operation %u, O_PATH", ops[i]);
		if (ops[i] == IOEVQ_OP_POST)
			continue;
		req.fd = -1;
		/* To change watches of any descriptor takes a flag. */
		EXPECT_EQ(ops[i] == IOEVQ_OP_POLL_MOD ? -EINVAL : -EBADF, submit(&self->q, &req))
			TH_LOG("operation %u, no descriptor", ops[i]);
	}
	EXPECT_TRUE(quiet(&self->q));
	close(path);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Laws 1 and 2 when memory runs out, or a copy fails, in the middle of a batch: on a
 * kernel with fault injection the n-th allocation or copy of a call fails, for every n.
 */
#include "fault.h"
#include "fixed.h"
#include "kinds_socket.h"

#define FENCE	100

FIXTURE(fault)
{
	struct ioevq q;
	struct ioevq_req req;	/* the one in the middle */
	struct thing t;
	char buf[4096];
};

FIXTURE_VARIANT(fault)
{
	int (*make)(struct thing *t);
	int op;
	bool any;
	bool fixed;
};

static int make_file(struct thing *t)
{
	t->fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	return t->fd < 0 || ftruncate(t->fd, 65536);
}

FIXTURE_VARIANT_ADD(fault, poll_eventfd) {
	.make = make_eventfd, .op = IOEVQ_OP_POLL
};

FIXTURE_VARIANT_ADD(fault, poll_tcp) {
	.make = make_tcp, .op = IOEVQ_OP_POLL
};

FIXTURE_VARIANT_ADD(fault, poll_fifo) {
	.make = make_fifo_rdwr, .op = IOEVQ_OP_POLL
};

FIXTURE_VARIANT_ADD(fault, read) {
	.make = make_file, .op = IOEVQ_OP_READ
};

FIXTURE_VARIANT_ADD(fault, write) {
	.make = make_file, .op = IOEVQ_OP_WRITE
};

FIXTURE_VARIANT_ADD(fault, read_fixed) {
	.make = make_file, .op = IOEVQ_OP_READ, .fixed = true
};

FIXTURE_VARIANT_ADD(fault, write_fixed) {
	.make = make_file, .op = IOEVQ_OP_WRITE, .fixed = true
};

FIXTURE_VARIANT_ADD(fault, fsync) {
	.make = make_file, .op = IOEVQ_OP_FSYNC
};

FIXTURE_VARIANT_ADD(fault, child) {
	.make = make_pidfd, .op = IOEVQ_OP_CHILD
};

FIXTURE_VARIANT_ADD(fault, any_child) {
	.make = make_pidfd, .op = IOEVQ_OP_CHILD, .any = true
};

FIXTURE_VARIANT_ADD(fault, cancel) {
	.make = make_eventfd, .op = IOEVQ_OP_CANCEL
};

FIXTURE_SETUP(fault)
{
	struct ioevq_req *req = &self->req;

	make_faults();
	self->t = (struct thing) { .fd = -1, .peer = -1, .aux = -1 };
	/* A ring of one: that events find no room is the rule. */
	ASSERT_EQ(0, ioevq_open(&self->q, 1, 0));
	ASSERT_EQ(0, variant->make(&self->t));
	switch (variant->op) {
	case IOEVQ_OP_POLL:
		ioevq_prep_poll(req, self->t.fd, POLLIN, IOEVQ_POLL_EDGE, 2);
		break;
	case IOEVQ_OP_CHILD:
		ioevq_prep_child(req, variant->any ? 0 : self->t.pid, 0, 2);
		break;
	case IOEVQ_OP_CANCEL:
		ioevq_prep_cancel(req, IOEVQ_CANCEL_USER_DATA, 1000, -1, 0, 2);
		break;
	case IOEVQ_OP_FSYNC:
		ioevq_prep_fsync(req, self->t.fd, 0, 2);
		break;
	default:
		ioevq_prep_rw(req, variant->op, self->t.fd, self->buf, sizeof(self->buf), 0, 2);
		if (variant->fixed) {
			ASSERT_EQ(0, register_one(&self->q, self->buf, sizeof(self->buf)));
			req->op_flags = IOEVQ_RW_FIXED;
		}
	}
}

FIXTURE_TEARDOWN(fault)
{
	(void)variant;
	thing_end(&self->t);
	ioevq_close(&self->q);
}

/*
 * Whatever fails: what was accepted is a first part of the batch, and each request of
 * it has one final event. Nothing is left.
 */
TEST_F_TIMEOUT(fault, law_01_one_final_event_when_memory_runs_out, 600)
{
	struct ioevq_req reqs[3];
	int n, ret, failures = 0, in_a_row = 0;

	reqs[1] = self->req;
	ioevq_prep_nop(&reqs[0], 1);
	ioevq_prep_nop(&reqs[2], 3);
	for (n = 1; in_a_row < IN_A_ROW; n++) {
		struct ioevq_enter enter = { .reqs = (uintptr_t)reqs, .nr_reqs = 3 };
		unsigned int finals[4] = {}, i, accepted;
		struct ioevq_event ev;
		bool failed;

		ASSERT_GT(1000, n);
		fail_nth(n);
		ret = ioevq_enter(&self->q, &enter);
		failed = has_failed();
		ASSERT_EQ(0, ioevq_cancel_all(&self->q, FENCE));
		for (;;) {
			ASSERT_EQ(1, next_event(&self->q, &ev));
			if (ev.user_data == FENCE)
				break;
			ASSERT_LE(1, ev.user_data);
			ASSERT_GE(3, ev.user_data);
			finals[ev.user_data] += !(ev.flags & IOEVQ_EVENT_MORE);
		}
		for (accepted = 0; accepted < 3 && finals[accepted + 1]; accepted++)
			EXPECT_EQ(1, finals[accepted + 1]);
		for (i = accepted + 1; i <= 3; i++)
			EXPECT_EQ(0, finals[i]);
		EXPECT_TRUE(quiet(&self->q));
		EXPECT_EQ(0, requests(&self->q));
		if (ret >= 0) {
			EXPECT_EQ(3, accepted);
		} else if (ret == -ENOMEM) {
			EXPECT_EQ(enter.submitted, accepted);
			EXPECT_GT(3, accepted);
			failures++;
		} else {
			/* A copy that failed: it may be that of the answer. */
			EXPECT_EQ(-EFAULT, ret);
		}
		in_a_row = failed ? 0 : in_a_row + 1;
	}
	EXPECT_LE(0, ret);
	EXPECT_LT(0, failures);
}

/* A queue that cannot be made leaves nothing behind. */
TEST(law_11_a_queue_that_cannot_be_opened)
{
	long users = module_users();
	int n, ret, failures = 0, in_a_row = 0;
	struct ioevq q;

	make_faults();
	for (n = 1; in_a_row < IN_A_ROW; n++) {
		ASSERT_GT(1000, n);
		fail_nth(n);
		ret = ioevq_open(&q, 256, 0);
		in_a_row = has_failed() ? 0 : in_a_row + 1;
		if (!ret)
			ioevq_close(&q);
		else
			EXPECT_TRUE(ret == -ENOMEM || ret == -EFAULT);
		failures += ret == -ENOMEM;
	}
	EXPECT_EQ(0, ret);
	EXPECT_LT(5, failures);
	EXPECT_TRUE(eventually(module_users() == users));
}

FIXTURE(fault_buffers)
{
	struct ioevq q;
	struct ioevq_buffer buffers[3];
};

FIXTURE_SETUP(fault_buffers)
{
	unsigned int i;
	char *p;

	make_faults();
	ASSERT_EQ(0, ioevq_open(&self->q, 1, 0));
	for (i = 0; i < 3; i++) {
		p = pages(8 * PAGE);
		ASSERT_NE(NULL, p);
		self->buffers[i] = (struct ioevq_buffer){ (uintptr_t)p, 8 * PAGE };
	}
}

FIXTURE_TEARDOWN(fault_buffers)
{
	ioevq_close(&self->q);
}

static long call_register(void *fault_buffers)
{
	struct _test_data_fault_buffers *self = fault_buffers;

	return ioevq_register_buffers(&self->q, self->buffers, 3);
}

static int after_register(void *fault_buffers, long ret)
{
	struct _test_data_fault_buffers *self = fault_buffers;

	if (query(&self->q).buffers != (ret ? 0 : 3) || pinned() != (ret ? 0 : 24))
		return -1;
	return ioevq_unregister_buffers(&self->q) != (ret ? -ENOENT : 0) || pinned();
}

/*
 * Nor do buffers that cannot be registered: no page is kept. Three allocations for each, and
 * one for all; a chance may be used up by what comes between, as in fault_call.h.
 */
TEST_F(fault_buffers, law_11_buffers_that_cannot_be_registered)
{
	const struct faulty f = { .call = call_register, .after = after_register };
	struct sweep s = {};
	int i;

	for (i = 0; i < 3 && s.enomem < 10; i++)
		ASSERT_EQ(0, sweep(&s, &f, self));
	EXPECT_LE(10, s.enomem);
}

TEST_HARNESS_MAIN

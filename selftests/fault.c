// SPDX-License-Identifier: GPL-2.0-only
/*
 * Laws 1 and 2 when memory runs out, or a copy fails, in the middle of a batch: on a
 * kernel with fault injection the n-th allocation or copy of a call fails, for every n.
 */
#include "fault.h"
#include "fixed.h"
#include "kinds_socket.h"
#include "loaded.h"
#include "readiness.h"
#include "served.h"

#define FENCE	100

#define TRACE_TAKE	"/sys/kernel/tracing/events/ioevq/ioevq_take/enable"

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
	bool stream;
};

static int make_file(struct thing *t)
{
	t->fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	return t->fd < 0 || ftruncate(t->fd, 65536);
}

static int make_pty_master(struct thing *t)
{
	return make_pty(&t->fd, &t->peer);
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

FIXTURE_VARIANT_ADD(fault, poll_terminals_master) {
	.make = make_pty_master, .op = IOEVQ_OP_POLL
};

FIXTURE_VARIANT_ADD(fault, read_that_waits) {
	.make = make_fifo_rdwr, .op = IOEVQ_OP_READ, .stream = true
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
		ioevq_prep_rw(req, variant->op, self->t.fd, self->buf, sizeof(self->buf),
			      variant->stream ? IOEVQ_POSITION : 0, 2);
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

/*
 * Loading takes hundreds, most of them the kernel's own. Those of the module after its first cache
 * are the last: from 10 (the device) to 60 before the end (6.1). How many there are differs from
 * load to load, by up to 8 in 12 loads: each is taken several times, so that none is stepped over.
 */
#define LAST_CHANCES	100
#define TIMES		3

FIXTURE(fault_load)
{
	int ko;
};

FIXTURE_SETUP(fault_load)
{
	make_faults();
	self->ko = module_open();
	ASSERT_LE(0, self->ko);
	ASSERT_EQ(0, module_unload());
}

FIXTURE_TEARDOWN(fault_load)
{
	fail_nth(0);
	if (access("/dev/ioevq", F_OK))
		EXPECT_EQ(0, module_load(self->ko, module_params()));
	close(self->ko);
}

/* A module that cannot be loaded leaves nothing behind either, and can be loaded the next time. */
TEST_F_TIMEOUT(fault_load, law_11_a_module_that_cannot_be_loaded, 1200)
{
	int i, n, last, ret, refused = 0;
	char text[16] = "";

	fail_nth(MOST_CHANCES);
	ASSERT_EQ(0, module_load(self->ko, module_params()));
	ASSERT_LT(0, pread(fail_fd, text, sizeof(text) - 1, 0));
	fail_nth(0);
	last = MOST_CHANCES - atoi(text);
	ASSERT_LT(LAST_CHANCES, last);
	for (i = 0; i < TIMES * LAST_CHANCES; i++) {
		n = last - i / TIMES;
		if (!access("/dev/ioevq", F_OK))
			ASSERT_EQ(0, module_unload());
		fail_nth(n);
		ret = module_load(self->ko, module_params());
		has_failed();
		ASSERT_TRUE(!ret || is_fault(ret))
			TH_LOG("chance %d: %d", n, ret);
		/* There, or not: never a part of it. */
		ASSERT_EQ(!ret, !access("/dev/ioevq", F_OK));
		ASSERT_EQ(!ret, !access("/sys/module/ioevq", F_OK));
		refused += !!ret;
	}
	TH_LOG("%d times at the last %d of %d chances", refused, LAST_CHANCES, last);
	/* The caches, the device, the close hook's group, the workqueue. */
	EXPECT_LE(TIMES * 10, refused);
}

FIXTURE(fault_table)
{
	struct ioevq q;
};

FIXTURE_SETUP(fault_table)
{
	make_faults();
	ASSERT_EQ(0, ioevq_open(&self->q, 256, 0));
}

FIXTURE_TEARDOWN(fault_table)
{
	ioevq_close(&self->q);
}

/* Enough for the table of requests to grow twice (module/index.c). */
#define MANY_REQUESTS	200

/* Without memory it does not grow: everything is found all the same, only later. */
TEST_F_TIMEOUT(fault_table, law_01_a_table_that_cannot_grow, 600)
{
	int n, i, ret, failed = 1;
	struct ioevq_req req;

	for (n = 1; failed; n++) {
		failed = 0;
		for (i = 0; i < MANY_REQUESTS; i++) {
			ioevq_prep_timer(&req, 0, 3600 * 1000000000LL, 0, i);
			fail_nth(n);
			ret = submit(&self->q, &req);
			failed += has_failed();
			if (!ret)
				continue;
			ASSERT_TRUE(is_fault(ret));
			/* A copy that failed: it may be that of the answer. */
			if (requests(&self->q) == (unsigned int)i)
				ASSERT_EQ(0, submit(&self->q, &req));
		}
		ASSERT_EQ(MANY_REQUESTS, requests(&self->q));
		for (i = 0; i < MANY_REQUESTS; i++) {
			ioevq_prep_cancel(&req, IOEVQ_CANCEL_USER_DATA, i, -1, 0, FENCE);
			ASSERT_EQ(0, submit(&self->q, &req));
			EXPECT_NEXT(&self->q, IOEVQ_OP_TIMER, i, -ECANCELED);
			EXPECT_NEXT(&self->q, IOEVQ_OP_CANCEL, FENCE, 1);
		}
		ASSERT_TRUE(quiet(&self->q));
		/* It never becomes smaller. */
		ioevq_close(&self->q);
		ASSERT_EQ(0, ioevq_open(&self->q, 256, 0));
	}
	/* The copies of a submission, its memory, and that of the table. */
	EXPECT_LT(4, n);
}

/* The memory for it goes while the request is under way: it stands, and is counted. */
TEST_F(fault_table, law_02_a_result_that_cannot_be_told)
{
	int64_t *results = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				-1, 0);
	struct ioevq_enter enter = { .nr_reqs = 2, .results = (uintptr_t)results };
	struct ioevq_req reqs[2];
	struct served file = {};

	ASSERT_NE(MAP_FAILED, results);
	ASSERT_EQ(0, served_make(&file));
	ASSERT_EQ(0, watch(&self->q, file.fd, POLLIN, IOEVQ_POLL_LEVEL, 1));
	ioevq_prep_poll_mod(&reqs[0], file.fd, POLLIN, IOEVQ_POLL_LEVEL, 2, 0);
	reqs[0].flags = IOEVQ_REQ_SKIP_SUCCESS;
	ioevq_prep_nop(&reqs[1], 3);
	enter.reqs = (uintptr_t)reqs;
	file.gone = results;
	EXPECT_EQ(-EFAULT, ioevq_enter(&self->q, &enter));
	EXPECT_EQ(NULL, file.gone);
	EXPECT_EQ(1, enter.submitted);
	ASSERT_TRUE(quiet(&self->q));
	/* It has its new name. */
	file.ready = POLLIN;
	ASSERT_EQ(0, served_notify(&file));
	EXPECT_EQ(POLLIN, announced(&self->q, 2));
	EXPECT_EQ(0, served_end(&file));
	munmap(results, PAGE);
}

/* Who is next in the line begins to wait in a consumer's hands: without memory it ends there. */
TEST_F(fault_table, law_01_a_stream_that_cannot_wait)
{
	struct thing t = { .fd = -1, .peer = -1, .aux = -1 };
	struct ioevq_event ev;
	struct ioevq_req req;
	int n, i, refused = 0, in_a_row = 0;
	char buf[2];

	ASSERT_EQ(0, make_fifo_rdwr(&t));
	for (n = 1; in_a_row < IN_A_ROW; n++) {
		int taken, res[2] = {}, finals = 0;

		for (i = 0; i < 2; i++) {
			ioevq_prep_read(&req, t.fd, buf + i, 1, IOEVQ_POSITION, i);
			ASSERT_EQ(0, submit(&self->q, &req));
		}
		ASSERT_EQ(1, write(t.fd, "x", 1));
		fail_nth(n);
		taken = enter_wait(&self->q, &ev, 1, 1, BOUND_NS);
		in_a_row = has_failed() ? 0 : in_a_row + 1;
		ASSERT_TRUE(taken == 1 || is_fault(taken));
		if (taken < 0)
			ASSERT_EQ(1, next_event(&self->q, &ev));
		ASSERT_EQ(0, ioevq_cancel_all(&self->q, FENCE));
		for (; ev.user_data != FENCE; finals++) {
			ASSERT_GT(2, ev.user_data);
			ASSERT_EQ(0, ev.flags);
			res[ev.user_data] = ev.res;
			ASSERT_EQ(1, next_event(&self->q, &ev));
		}
		ASSERT_EQ(2, finals);
		ASSERT_TRUE(res[0] == 1 || is_fault(res[0]));
		ASSERT_TRUE(res[1] == 1 || res[1] == -ECANCELED || is_fault(res[1]));
		refused += res[1] == -ENOMEM;
		ASSERT_EQ(0, kind_drain_fd(t.fd));
		ASSERT_TRUE(quiet(&self->q));
	}
	EXPECT_LT(0, refused);
	thing_end(&t);
}

/* What is traced is read where it was copied to: if that fails the event is there all the same. */
TEST_F(fault_table, law_02_an_event_that_cannot_be_traced)
{
	struct ioevq_event ev;
	int n, ret, untold = 0, in_a_row = 0;
	bool failed;

	write_file(TRACE_TAKE, "1");
	for (n = 1; in_a_row < IN_A_ROW; n++) {
		ASSERT_EQ(0, ioevq_post(&self->q, n, 0, 0));
		fail_nth(n);
		ret = enter_wait(&self->q, &ev, 1, 1, 0);
		failed = has_failed();
		in_a_row = failed ? 0 : in_a_row + 1;
		untold += failed && ret == 1;
		ASSERT_TRUE(ret == 1 || ret == -EFAULT);
		if (ret == -EFAULT)
			ASSERT_EQ(1, next_event(&self->q, &ev));
		EXPECT_EQ(n, ev.user_data);
		EXPECT_TRUE(quiet(&self->q));
	}
	write_file(TRACE_TAKE, "0");
	EXPECT_LT(0, untold);
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

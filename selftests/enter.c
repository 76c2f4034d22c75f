// SPDX-License-Identifier: GPL-2.0-only
/* Laws 1 and 14: what ENTER refuses, and what stands then; the limits. */
#include <pthread.h>

#include "expect.h"

#define PAGE	4096

FIXTURE(enter)
{
	struct ioevq q;
	char *end;	/* end of a page, the next one is out of bounds */
	long max_requests;
	long max_user_requests;
};

FIXTURE_SETUP(enter)
{
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, p);
	self->end = p + PAGE;
	ASSERT_EQ(0, mprotect(self->end, PAGE, PROT_NONE));
	self->max_requests = get_param("max_requests");
	self->max_user_requests = get_param("max_user_requests");
	ASSERT_LT(0, self->max_requests);
	ASSERT_LT(0, self->max_user_requests);
	ASSERT_EQ(0, ioevq_open(&self->q, 4, 0));
}

FIXTURE_TEARDOWN(enter)
{
	EXPECT_EQ(0, set_param("max_requests", self->max_requests));
	EXPECT_EQ(0, set_param("max_user_requests", self->max_user_requests));
	ioevq_close(&self->q);
	munmap(self->end - PAGE, 2 * PAGE);
}

static int enter(const struct ioevq *q, struct ioevq_enter e)
{
	return ioevq_enter(q, &e);
}

static int post_n(const struct ioevq *q, unsigned int n)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < n && !ret; i++)
		ret = ioevq_post(q, i, 0, 0);
	return ret;
}

TEST_F(enter, law_14_counts)
{
	struct ioevq_req *reqs = calloc(IOEVQ_MAX_BATCH + 1, sizeof(*reqs));
	const struct ioevq *q = &self->q;
	uintptr_t ev = (uintptr_t)(self->end - PAGE);
	struct ioevq_enter e;
	unsigned int i;

	for (i = 0; i <= IOEVQ_MAX_BATCH; i++)
		ioevq_prep_nop(&reqs[i], i);
	e = (struct ioevq_enter){
		.reqs = (uintptr_t)reqs, .nr_reqs = IOEVQ_MAX_BATCH + 1, .submitted = 77,
	};
	EXPECT_EQ(-EINVAL, ioevq_enter(q, &e));
	EXPECT_EQ(0, e.submitted);
	e.nr_reqs = UINT32_MAX;
	EXPECT_EQ(-EINVAL, ioevq_enter(q, &e));
	EXPECT_EQ(0, query(q).available);
	e.nr_reqs = IOEVQ_MAX_BATCH;
	EXPECT_EQ(IOEVQ_MAX_BATCH, ioevq_enter(q, &e));
	EXPECT_EQ(IOEVQ_MAX_BATCH, e.submitted);
	EXPECT_EQ(IOEVQ_MAX_BATCH, query(q).available);

	EXPECT_EQ(-EINVAL, enter(q, (struct ioevq_enter){ .events = ev, .min = 2, .max = 1 }));
	EXPECT_EQ(-EINVAL,
		  enter(q, (struct ioevq_enter){ .events = ev, .min = UINT32_MAX, .max = 100 }));
	EXPECT_EQ(IOEVQ_MAX_BATCH, query(q).available);
	EXPECT_EQ(IOEVQ_MAX_BATCH, enter(q, (struct ioevq_enter){ .min = 1 }));
	EXPECT_EQ(1, enter(q, (struct ioevq_enter){ .events = ev, .min = 1, .max = 1 }));
	free(reqs);
}

TEST_F(enter, law_14_timeouts)
{
	static const __s64 bad[] = { -2, -1000000000, INT64_MIN, INT64_MIN + 1 };
	static const __s64 good[] = { -1, 0, 1, 1000000000, INT64_MAX - 1, INT64_MAX };
	struct ioevq_event ev;
	unsigned int i;

	ASSERT_EQ(0, post_n(&self->q, ARRAY_SIZE(good)));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, enter_wait(&self->q, &ev, 1, 1, bad[i]));
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		EXPECT_EQ(1, enter_wait(&self->q, &ev, 1, 1, good[i]));
		EXPECT_EQ(i, ev.user_data);
	}
}

TEST_F(enter, law_14_unknown_flags)
{
	struct ioevq_enter e;
	struct ioevq_req req;
	unsigned int bit;

	ioevq_prep_nop(&req, 1);
	for (bit = 5; bit < 32; bit++) {
		e = (struct ioevq_enter){
			.flags = 1U << bit, .reqs = (uintptr_t)&req, .nr_reqs = 1,
		};
		EXPECT_EQ(-EOPNOTSUPP, ioevq_enter(&self->q, &e));
		EXPECT_EQ(0, e.submitted);
	}
	/* Two clocks at once. */
	EXPECT_EQ(-EINVAL, enter(&self->q, (struct ioevq_enter){
		.flags = IOEVQ_ENTER_BOOTTIME | IOEVQ_ENTER_REALTIME }));
	/* A signal mask that nobody would look at. */
	EXPECT_EQ(-EINVAL, enter(&self->q, (struct ioevq_enter){ .sigmask = 1 }));
	EXPECT_EQ(0, query(&self->q).available);
}

/* What each descriptor may do, on one queue that another writes to. */
TEST_F(enter, law_13_modes_of_the_descriptor)
{
	struct ioevq rd = { .fd = open("/dev/ioevq", O_RDONLY) };
	struct ioevq wr = { .fd = open("/dev/ioevq", O_WRONLY) };
	struct ioevq_event ev;
	struct ioevq_enter e;
	struct ioevq_req req;

	ASSERT_LE(0, rd.fd);
	ASSERT_LE(0, wr.fd);
	ioevq_prep_nop(&req, 1);
	e = (struct ioevq_enter){ .reqs = (uintptr_t)&req, .nr_reqs = 1 };
	EXPECT_EQ(-EBADF, ioevq_enter(&rd, &e));
	EXPECT_EQ(0, e.submitted);
	EXPECT_EQ(0, enter_wait(&rd, &ev, 0, 1, 0));
	EXPECT_EQ(0, query(&rd).available);

	EXPECT_EQ(1, ioevq_enter(&wr, &e));
	EXPECT_EQ(1, e.submitted);
	EXPECT_EQ(1, query(&wr).available);
	EXPECT_EQ(-EBADF, enter_wait(&wr, &ev, 0, 1, 0));
	EXPECT_EQ(-EBADF, enter_wait(&wr, &ev, 1, 1, 0));
	e.events = (uintptr_t)&ev;
	e.max = 1;
	EXPECT_EQ(-EBADF, ioevq_enter(&wr, &e));
	EXPECT_EQ(0, e.submitted);
	EXPECT_EQ(1, query(&wr).available);
	close(rd.fd);
	close(wr.fd);
}

TEST_F(enter, law_14_bad_address_of_requests)
{
	struct ioevq_req *reqs = (struct ioevq_req *)self->end - 3;
	struct ioevq_enter e = { .reqs = (uintptr_t)self->end, .nr_reqs = 1 };
	int i;

	EXPECT_EQ(-EFAULT, ioevq_enter(&self->q, &e));
	EXPECT_EQ(0, e.submitted);
	e.reqs = 0;
	EXPECT_EQ(-EFAULT, ioevq_enter(&self->q, &e));
	e.reqs = ~0ULL - 63;
	EXPECT_EQ(-EFAULT, ioevq_enter(&self->q, &e));
	e.reqs = 1ULL << 63;
	EXPECT_EQ(-EFAULT, ioevq_enter(&self->q, &e));
	EXPECT_EQ(0, query(&self->q).available);

	/* The address of the fourth one is bad. */
	for (i = 0; i < 3; i++)
		ioevq_prep_nop(&reqs[i], i);
	e = (struct ioevq_enter){ .reqs = (uintptr_t)reqs, .nr_reqs = 5 };
	EXPECT_EQ(-EFAULT, ioevq_enter(&self->q, &e));
	EXPECT_EQ(3, e.submitted);
	EXPECT_EQ(3, query(&self->q).available);
	/* Half of the third is there. */
	e = (struct ioevq_enter){ .reqs = (uintptr_t)reqs + 32, .nr_reqs = 3 };
	memmove((char *)reqs + 32, reqs, 2 * sizeof(*reqs));
	EXPECT_EQ(-EFAULT, ioevq_enter(&self->q, &e));
	EXPECT_EQ(2, e.submitted);
	EXPECT_EQ(5, query(&self->q).available);
}

/* Six events in a ring of four whose first slot is the third. */
TEST_F(enter, law_02_a_fault_takes_nothing)
{
	struct ioevq_event *good = (struct ioevq_event *)(self->end - PAGE);
	struct ioevq_event *bad[] = {
		NULL, (void *)self->end, (struct ioevq_event *)self->end - 1,
		(struct ioevq_event *)self->end - 2, (struct ioevq_event *)self->end - 3,
		(void *)(self->end - 1), (void *)(self->end - 3 * sizeof(*good) - 5),
		(void *)-sizeof(*good), (void *)-4096UL,
	};
	const struct ioevq *q = &self->q;
	unsigned int i;

	ASSERT_EQ(0, post_n(q, 2));
	ASSERT_EQ(2, enter_wait(q, good, 2, 2, -1));
	ASSERT_EQ(0, post_n(q, 6));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EFAULT, enter_wait(q, bad[i], 0, 4, 0));
		EXPECT_EQ(-EFAULT, enter_wait(q, bad[i], 4, 4, -1));
		EXPECT_EQ(6, query(q).available);
	}
	for (i = 0; i < 6; i++)
		EXPECT_NEXT(q, IOEVQ_OP_POST, i, 0);

	/* Read-only is as bad. */
	ASSERT_EQ(0, post_n(q, 1));
	ASSERT_EQ(0, mprotect(good, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, enter_wait(q, good, 1, 1, -1));
	EXPECT_EQ(1, query(q).available);
}

/* What was taken is told, what was not is there: beyond the ring's size, too. */
TEST_F(enter, law_02_a_fault_loses_nothing)
{
	struct ioevq_event *to = (struct ioevq_event *)self->end - 6;
	unsigned int i, taken;
	int ret;

	ASSERT_EQ(0, post_n(&self->q, 12));
	ret = enter_wait(&self->q, to, 12, 12, -1);
	if (ret < 0)
		EXPECT_EQ(-EFAULT, ret);
	taken = ret < 0 ? 0 : ret;
	EXPECT_GE(6, taken);
	EXPECT_EQ(12 - taken, query(&self->q).available);
	for (i = 0; i < taken; i++)
		EXPECT_EQ(i, to[i].user_data);
	for (; i < 12; i++)
		EXPECT_NEXT(&self->q, IOEVQ_OP_POST, i, 0);
	EXPECT_TRUE(quiet(&self->q));
}

/* The third of five is refused, for each reason: two stand, two are untouched. */
TEST_F(enter, law_01_refusal_in_a_batch)
{
	struct ioevq_event evs[8];
	struct ioevq_req reqs[5];
	struct ioevq_enter e = {
		.reqs = (uintptr_t)reqs, .nr_reqs = 5, .events = (uintptr_t)evs, .min = 2,
		.max = 8, .timeout_ns = -1,
	};
	struct {
		int err;
		struct ioevq_req req;
	} bad[8];
	unsigned int i, j;

	ioevq_prep(&bad[0].req, IOEVQ_OP__COUNT, -1, 2);
	bad[0].err = -EOPNOTSUPP;
	ioevq_prep(&bad[1].req, IOEVQ_OP_NOP, 0, 2);
	bad[1].err = -EINVAL;
	ioevq_prep_poll(&bad[2].req, 1 << 20, POLLIN, IOEVQ_POLL_EDGE, 2);
	bad[2].err = -EBADF;
	ioevq_prep_poll(&bad[3].req, self->q.fd, POLLIN, IOEVQ_POLL_EDGE, 2);
	bad[3].err = -ELOOP;
	ioevq_prep_child(&bad[4].req, getpid(), 0, 2);
	bad[4].err = -ECHILD;
	ioevq_prep_post(&bad[5].req, 0, 0, 0, 2);
	bad[5].err = -EINVAL;
	ioevq_prep_read(&bad[6].req, eventfd(0, 0), evs, 8, 0, 2);
	bad[6].err = -ESPIPE;
	ioevq_prep_fsync(&bad[7].req, open("/dev/ioevq", O_RDONLY), 0, 2);
	bad[7].err = -ESPIPE;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		for (j = 0; j < 5; j++)
			ioevq_prep_post(&reqs[j], -1, 0, 0, j);
		reqs[2] = bad[i].req;
		memset(evs, 0xa5, sizeof(evs));
		e.submitted = 77;
		EXPECT_EQ(bad[i].err, ioevq_enter(&self->q, &e))
			TH_LOG("case %u", i);
		EXPECT_EQ(2, e.submitted);
		EXPECT_EQ(5, e.nr_reqs);
		/* Nothing was waited for or taken. */
		EXPECT_EQ(0xa5a5a5a5, evs[0].op);
		EXPECT_EQ(2, query(&self->q).available);
		EXPECT_NEXT(&self->q, IOEVQ_OP_POST, 0, 0);
		EXPECT_NEXT(&self->q, IOEVQ_OP_POST, 1, 0);
		EXPECT_EQ(2, ioevq_submit(&self->q, reqs, 5));
		EXPECT_EQ(bad[i].err, ioevq_submit(&self->q, reqs + 2, 3));
		EXPECT_EQ(2, ioevq_submit(&self->q, reqs + 3, 2));
		EXPECT_EQ(4, ioevq_wait(&self->q, evs, 4, 8, -1));
		EXPECT_TRUE(quiet(&self->q));
	}
}

/* An error of the wait is told apart by the number of requests. */
TEST_F(enter, law_01_error_of_the_wait)
{
	struct ioevq_req reqs[2];
	struct ioevq_enter e = {
		.reqs = (uintptr_t)reqs, .nr_reqs = 2, .events = (uintptr_t)self->end, .min = 1,
		.max = 1, .timeout_ns = -1,
	};

	ioevq_prep_nop(&reqs[0], 1);
	ioevq_prep_nop(&reqs[1], 2);
	EXPECT_EQ(-EFAULT, ioevq_enter(&self->q, &e));
	EXPECT_EQ(2, e.submitted);
	EXPECT_NEXT(&self->q, IOEVQ_OP_NOP, 1, 0);
	EXPECT_NEXT(&self->q, IOEVQ_OP_NOP, 2, 0);
}

/* All in one call: submit, wait and take. */
TEST_F(enter, law_01_submit_wait_and_take)
{
	struct ioevq_event evs[6] = {};
	struct ioevq_req reqs[6];
	struct ioevq_enter e = {
		.reqs = (uintptr_t)reqs, .nr_reqs = 6, .events = (uintptr_t)evs, .min = 6, .max = 6,
		.timeout_ns = -1,
	};
	unsigned int i;

	for (i = 0; i < 6; i++)
		ioevq_prep_nop(&reqs[i], i);
	EXPECT_EQ(6, ioevq_enter(&self->q, &e));
	EXPECT_EQ(6, e.submitted);
	for (i = 0; i < 6; i++)
		EXPECT_EQ(i, evs[i].user_data);
}

struct caller {
	const struct ioevq *q;
	struct ioevq_enter *enter;
	pid_t tid;
	int ret;
};

static void *call(void *arg)
{
	struct caller *c = arg;

	__atomic_store_n(&c->tid, gettid(), __ATOMIC_RELEASE);
	c->ret = ioevq_enter(c->q, c->enter);
	return NULL;
}

/* The structure cannot be written any more when there are events. */
TEST_F(enter, law_02_an_answer_that_cannot_be_given)
{
	struct ioevq_enter *e = (void *)(self->end - PAGE);
	struct caller c = { .q = &self->q, .enter = e };
	struct ioevq_event evs[2] = {};
	struct ioevq_req req;
	pthread_t thread;

	ioevq_prep_nop(&req, 1);
	*e = (struct ioevq_enter){
		.reqs = (uintptr_t)&req, .nr_reqs = 1, .events = (uintptr_t)evs, .min = 2, .max = 2,
		.timeout_ns = BOUND_NS,
	};
	ASSERT_EQ(0, pthread_create(&thread, NULL, call, &c));
	ASSERT_TRUE(eventually(__atomic_load_n(&c.tid, __ATOMIC_ACQUIRE)));
	ASSERT_TRUE(eventually(query(&self->q).available == 1 &&
			       thread_state(getpid(), c.tid) == 'S'));
	ASSERT_EQ(0, mprotect(e, PAGE, PROT_READ));
	ASSERT_EQ(0, ioevq_post(&self->q, 2, 0, 0));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(2, c.ret);
	EXPECT_EQ(1, evs[0].user_data);
	EXPECT_EQ(2, evs[1].user_data);
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, mprotect(e, PAGE, PROT_READ | PROT_WRITE));
}

TEST_F(enter, law_14_limit_of_a_queue)
{
	struct ioevq_event evs[8];
	struct ioevq other;
	int fd = eventfd(0, 0);

	ASSERT_EQ(0, set_param("max_requests", 8));
	EXPECT_EQ(8, query(&self->q).max_requests);
	EXPECT_EQ(8, park(&self->q, fd, 11, 0));
	EXPECT_EQ(8, query(&self->q).requests);
	EXPECT_EQ(-EAGAIN, park(&self->q, fd, 1, 8));

	/* It is one queue's limit, and it is not for what holds no memory. */
	ASSERT_EQ(0, ioevq_open(&other, 4, 0));
	EXPECT_EQ(3, park(&other, fd, 3, 0));
	ioevq_close(&other);
	EXPECT_EQ(0, ioevq_post(&self->q, 1, 0, 0));
	EXPECT_NEXT(&self->q, IOEVQ_OP_POST, 1, 0);

	/* Whoever has taken the events may go on. */
	ASSERT_EQ(0, eventfd_write(fd, 1));
	EXPECT_EQ(8, enter_wait(&self->q, evs, 8, 8, -1));
	ASSERT_EQ(0, eventfd_read(fd, &(eventfd_t){ 0 }));
	EXPECT_EQ(8, park(&self->q, fd, 9, 0));
	close(fd);
}

TEST_F(enter, law_14_limit_of_a_user)
{
	int fd = eventfd(0, 0);
	struct ioevq other;

	/* Its ring counts, too, where it is no small one. */
	ioevq_close(&self->q);
	ASSERT_EQ(0, ioevq_open(&self->q, 4, 0));
	/* What other programs of this user have left behind may take a while to end. */
	ASSERT_EQ(0, set_param("max_user_requests", 8));
	ASSERT_TRUE(eventually(park(&self->q, fd, 5 - query(&self->q).requests, 0) >= 0 &&
			       query(&self->q).requests == 5));
	ASSERT_EQ(0, ioevq_open(&other, 4, 0));
	ASSERT_TRUE(eventually(park(&other, fd, 5, 0) == -EDQUOT));
	EXPECT_EQ(3, query(&other).requests);
	EXPECT_EQ(-EDQUOT, park(&self->q, fd, 1, 0));
	EXPECT_EQ(5, query(&self->q).requests);

	/* A queue that is closed gives back what it had. */
	ioevq_close(&other);
	EXPECT_EQ(3, park(&self->q, fd, 4, 0));
	close(fd);
}

/* So does what a request for all children has memory for, eight of which are one. */
TEST_F(enter, law_14_what_is_reserved_counts)
{
	int fd = eventfd(0, 0);
	struct ioevq other;

	ioevq_close(&self->q);
	ASSERT_EQ(0, ioevq_open(&self->q, 4, 0));
	ASSERT_EQ(0, set_param("max_user_requests", 8));
	ASSERT_EQ(0, ioevq_open(&other, 4, 0));
	ASSERT_TRUE(eventually(!watch_child(&other, 0, 48, 1)));
	EXPECT_EQ(-EDQUOT, watch_child(&self->q, 0, 48, 1));
	EXPECT_EQ(1, park(&self->q, fd, 2, 0));
	ioevq_close(&other);
	EXPECT_EQ(7, park(&self->q, fd, 8, 0));
	close(fd);
}

TEST_HARNESS_MAIN

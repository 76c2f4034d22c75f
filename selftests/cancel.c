// SPDX-License-Identifier: GPL-2.0-only
/* Law 9, cancel is a fence. */
#include "expect.h"
#include "offspring.h"
#include "slow_io.h"

#define FENCE	0xfe4ceULL

FIXTURE(cancel)
{
	struct ioevq q;
	int fd[2];		/* two eventfds */
	int dup;		/* of the first one */
};

FIXTURE_SETUP(cancel)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	self->fd[0] = eventfd(0, EFD_NONBLOCK);
	self->fd[1] = eventfd(0, EFD_NONBLOCK);
	self->dup = dup(self->fd[0]);
	ASSERT_LE(0, self->dup);
}

FIXTURE_TEARDOWN(cancel)
{
	close(self->fd[0]);
	close(self->fd[1]);
	close(self->dup);
	ioevq_close(&self->q);
}

static int cancel(const struct ioevq *q, unsigned int flags, uint64_t addr, int fd, uint64_t op)
{
	struct ioevq_req req;

	ioevq_prep(&req, IOEVQ_OP_CANCEL, fd, FENCE);
	req.op_flags = flags;
	req.addr = addr;
	req.len = op;
	return submit(q, &req);
}

/*
 * The mask of the user data (0 to 62) of what ended as cancelled, with nothing else
 * before the fence and nothing after it; ~0 if that is not so.
 */
static uint64_t cancelled(const struct ioevq *q)
{
	struct ioevq_event ev;
	uint64_t mask = 0;
	int64_t n;

	for (n = 0; next_event(q, &ev) == 1 && ev.user_data != FENCE; n++) {
		if (ev.res != -ECANCELED || ev.flags || ev.user_data > 62 ||
		    mask & 1ULL << ev.user_data)
			return ~0ULL;
		mask |= 1ULL << ev.user_data;
	}
	if (ev.user_data != FENCE || ev.op != IOEVQ_OP_CANCEL || ev.flags || ev.res != n)
		return ~0ULL;
	return quiet(q) ? mask : ~0ULL;
}

#define BIT(n)	(1ULL << (n))

/* 1 and 2: first file, 3: second, 4: the first by its duplicate, 5: a child. */
#define FILL()								\
do {									\
	ASSERT_EQ(0, watch(&self->q, self->fd[0], POLLIN, IOEVQ_POLL_EDGE, 1)); \
	ASSERT_EQ(0, watch(&self->q, self->fd[0], POLLIN, IOEVQ_POLL_ONESHOT, 2)); \
	ASSERT_EQ(0, watch(&self->q, self->fd[1], POLLIN, IOEVQ_POLL_EDGE, 3)); \
	ASSERT_EQ(0, watch(&self->q, self->dup, POLLIN, IOEVQ_POLL_EDGE, 4)); \
	ASSERT_EQ(0, watch_child(&self->q, 0, 0, 5));			\
} while (0)

TEST_F(cancel, law_09_cancel_is_a_fence)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		FILL();
		ASSERT_EQ(0, cancel(&self->q, 0, 0, -1, 0));
		EXPECT_EQ(BIT(1) | BIT(2) | BIT(3) | BIT(4) | BIT(5), cancelled(&self->q));
		EXPECT_EQ(0, requests(&self->q));
		/* Nobody listens any more. */
		ASSERT_EQ(0, eventfd_write(self->fd[0], 1));
		ASSERT_EQ(0, eventfd_write(self->fd[1], 1));
		EXPECT_TRUE(quiet(&self->q));
		ASSERT_EQ(8, read(self->fd[0], &(uint64_t){0}, 8));
		ASSERT_EQ(8, read(self->fd[1], &(uint64_t){0}, 8));
	}
}

TEST_F(cancel, law_09_by_user_data)
{
	FILL();
	ASSERT_EQ(0, cancel(&self->q, IOEVQ_CANCEL_USER_DATA, 3, -1, 0));
	EXPECT_EQ(BIT(3), cancelled(&self->q));
	EXPECT_EQ(4, requests(&self->q));
	/* Several of the same. */
	ASSERT_EQ(0, watch(&self->q, self->fd[1], POLLIN, IOEVQ_POLL_EDGE, 40));
	ASSERT_EQ(0, watch(&self->q, self->fd[1], POLLIN, IOEVQ_POLL_EDGE, 40));
	ASSERT_EQ(0, cancel(&self->q, IOEVQ_CANCEL_USER_DATA, 40, -1, 0));
	EXPECT_NEXT(&self->q, IOEVQ_OP_POLL, 40, -ECANCELED);
	EXPECT_NEXT(&self->q, IOEVQ_OP_POLL, 40, -ECANCELED);
	EXPECT_NEXT(&self->q, IOEVQ_OP_CANCEL, FENCE, 2);
	EXPECT_TRUE(quiet(&self->q));
}

/* The open file, whatever number it is known by. */
TEST_F(cancel, law_09_by_descriptor)
{
	FILL();
	ASSERT_EQ(0, cancel(&self->q, IOEVQ_CANCEL_FD, 0, self->dup, 0));
	EXPECT_EQ(BIT(1) | BIT(2) | BIT(4), cancelled(&self->q));
	ASSERT_EQ(0, cancel(&self->q, IOEVQ_CANCEL_FD, 0, self->fd[1], 0));
	EXPECT_EQ(BIT(3), cancelled(&self->q));
	EXPECT_EQ(1, requests(&self->q));
}

TEST_F(cancel, law_09_by_operation)
{
	FILL();
	ASSERT_EQ(0, cancel(&self->q, IOEVQ_CANCEL_OP, 0, -1, IOEVQ_OP_CHILD));
	EXPECT_EQ(BIT(5), cancelled(&self->q));
	ASSERT_EQ(0, cancel(&self->q, IOEVQ_CANCEL_OP, 0, -1, IOEVQ_OP_READ));
	EXPECT_EQ(0, cancelled(&self->q));
	ASSERT_EQ(0, cancel(&self->q, IOEVQ_CANCEL_OP, 0, -1, IOEVQ_OP_POLL));
	EXPECT_EQ(BIT(1) | BIT(2) | BIT(3) | BIT(4), cancelled(&self->q));
}

TEST_F(cancel, law_09_all_that_is_given_must_match)
{
	const unsigned int all = IOEVQ_CANCEL_USER_DATA | IOEVQ_CANCEL_FD | IOEVQ_CANCEL_OP;

	FILL();
	ASSERT_EQ(0, cancel(&self->q, all, 1, self->fd[1], IOEVQ_OP_POLL));
	EXPECT_EQ(0, cancelled(&self->q));
	ASSERT_EQ(0, cancel(&self->q, all, 1, self->fd[0], IOEVQ_OP_CHILD));
	EXPECT_EQ(0, cancelled(&self->q));
	ASSERT_EQ(0, cancel(&self->q, all, 9, self->fd[0], IOEVQ_OP_POLL));
	EXPECT_EQ(0, cancelled(&self->q));
	ASSERT_EQ(0, cancel(&self->q, all, 1, self->fd[0], IOEVQ_OP_POLL));
	EXPECT_EQ(BIT(1), cancelled(&self->q));
	ASSERT_EQ(0, cancel(&self->q, IOEVQ_CANCEL_USER_DATA | IOEVQ_CANCEL_OP, 5, -1,
			    IOEVQ_OP_POLL));
	EXPECT_EQ(0, cancelled(&self->q));
	ASSERT_EQ(0, cancel(&self->q, IOEVQ_CANCEL_FD | IOEVQ_CANCEL_OP, 0, self->fd[0],
			    IOEVQ_OP_POLL));
	EXPECT_EQ(BIT(2) | BIT(4), cancelled(&self->q));
}

TEST_F(cancel, law_09_nothing_matches)
{
	ASSERT_EQ(0, cancel(&self->q, 0, 0, -1, 0));
	EXPECT_EQ(0, cancelled(&self->q));
	/* What is done cannot be cancelled, though its event was not taken. */
	ASSERT_EQ(0, eventfd_write(self->fd[0], 1));
	ASSERT_EQ(0, watch(&self->q, self->fd[0], POLLIN, IOEVQ_POLL_ONESHOT, 1));
	ASSERT_EQ(0, cancel(&self->q, IOEVQ_CANCEL_USER_DATA, 1, -1, 0));
	EXPECT_NEXT(&self->q, IOEVQ_OP_POLL, 1, POLLIN);
	EXPECT_NEXT(&self->q, IOEVQ_OP_CANCEL, FENCE, 0);
	/* Another queue's requests are not ours. */
	ASSERT_EQ(0, cancel(&self->q, IOEVQ_CANCEL_FD, 0, self->q.fd, 0));
	EXPECT_EQ(0, cancelled(&self->q));
	ASSERT_EQ(-EBADF, cancel(&self->q, IOEVQ_CANCEL_FD, 0, 1 << 20, 0));
	EXPECT_EQ(0, requests(&self->q));
}

/* An announcement that waits stays; the cancellation comes after it. */
TEST_F(cancel, law_09_what_was_announced_stays)
{
	struct ioevq_event ev;

	ASSERT_EQ(0, watch(&self->q, self->fd[0], POLLIN, IOEVQ_POLL_EDGE, 1));
	ASSERT_EQ(0, eventfd_write(self->fd[0], 1));
	ASSERT_EQ(0, cancel(&self->q, IOEVQ_CANCEL_USER_DATA, 1, -1, 0));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_EQ(IOEVQ_EVENT_MORE, ev.flags);
	EXPECT_EQ(BIT(1), cancelled(&self->q));
}

/* In one batch: what stands before it is hit, what stands behind is not. */
TEST_F(cancel, law_09_in_a_batch)
{
	struct ioevq_req reqs[3];

	ioevq_prep_poll(&reqs[0], self->fd[0], POLLIN, IOEVQ_POLL_EDGE, 1);
	ioevq_prep_cancel(&reqs[1], IOEVQ_CANCEL_USER_DATA, 1, -1, 0, FENCE);
	ioevq_prep_poll(&reqs[2], self->fd[0], POLLIN, IOEVQ_POLL_EDGE, 1);
	ASSERT_EQ(3, ioevq_submit(&self->q, reqs, 3));
	EXPECT_EQ(BIT(1), cancelled(&self->q));
	EXPECT_EQ(1, requests(&self->q));
}

TEST_F(cancel, law_09_with_a_full_ring)
{
	struct ioevq q;
	int i;

	ASSERT_EQ(0, ioevq_open(&q, 1, 0));
	for (i = 0; i < 60; i++)
		ASSERT_EQ(0, watch(&q, self->fd[0], POLLIN, IOEVQ_POLL_EDGE, i));
	ASSERT_EQ(0, cancel(&q, 0, 0, -1, 0));
	EXPECT_EQ(BIT(60) - 1, cancelled(&q));
	EXPECT_EQ(0, requests(&q));
	ioevq_close(&q);
}

struct racer {
	int fd;
	int stop;
};

static void *keep_writing(void *arg)
{
	struct racer *r = arg;

	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE))
		if (eventfd_write(r->fd, 1) && errno != EAGAIN)
			break;
	return NULL;
}

/* Each watch: one final event, before the fence, whoever is faster. */
TEST_F_TIMEOUT(cancel, law_09_cancel_against_wake_ups, 600)
{
	struct racer r = { .fd = self->fd[0] };
	uint64_t finals, all = BIT(8) - 1;
	struct ioevq_event ev;
	pthread_t thread;
	int round, i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, keep_writing, &r));
	for (round = 0; round < 2000; round++) {
		for (i = 0; i < 8; i++)
			ASSERT_EQ(0, watch(&self->q, self->fd[0], POLLIN, i & 1 ?
					   IOEVQ_POLL_EDGE : IOEVQ_POLL_ONESHOT, i));
		ASSERT_EQ(0, cancel(&self->q, round & 1 ? IOEVQ_CANCEL_FD : 0, 0,
				    round & 1 ? self->dup : -1, 0));
		finals = 0;
		for (;;) {
			ASSERT_EQ(1, next_event(&self->q, &ev));
			if (ev.user_data == FENCE)
				break;
			ASSERT_GT(8, ev.user_data);
			ASSERT_EQ(0, finals & BIT(ev.user_data));
			if (!(ev.flags & IOEVQ_EVENT_MORE))
				finals |= BIT(ev.user_data);
		}
		ASSERT_EQ(all, finals);
		ASSERT_TRUE(quiet(&self->q));
		ASSERT_EQ(0, requests(&self->q));
		ASSERT_TRUE(read(self->fd[0], &(uint64_t){0}, 8) == 8 || errno == EAGAIN);
	}
	__atomic_store_n(&r.stop, 1, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

#define IOS	64
#define SIZE	(256 * 1024)

/* File I/O is waited for if it has started; it ends once, with a result that is true. */
TEST_F_TIMEOUT(cancel, law_09_file_io_under_way, 600)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600), round, i;
	static char buf[SIZE];
	struct ioevq_req req;
	struct ioevq_event ev;
	uint64_t finals, n;

	ASSERT_LE(0, fd);
	for (round = 0; round < 20; round++) {
		for (i = 0; i < IOS; i++) {
			if (i & 1)
				ioevq_prep_write(&req, fd, buf, SIZE, (uint64_t)i * SIZE, i);
			else
				ioevq_prep_fsync(&req, fd, 0, i);
			ASSERT_EQ(0, submit(&self->q, &req));
		}
		/* Two fences on the same I/O: both hold. */
		ASSERT_EQ(0, cancel(&self->q, IOEVQ_CANCEL_FD, 0, fd, 0));
		ASSERT_EQ(0, cancel(&self->q, 0, 0, -1, 0));
		finals = 0;
		for (n = 0; n < 2;) {
			ASSERT_EQ(1, next_event(&self->q, &ev));
			if (ev.user_data == FENCE) {
				n++;
				EXPECT_EQ(~0ULL, finals);
				continue;
			}
			ASSERT_GT(IOS, ev.user_data);
			EXPECT_EQ(0, ev.flags);
			EXPECT_EQ(0, finals & BIT(ev.user_data));
			finals |= BIT(ev.user_data);
			if (ev.res != -ECANCELED)
				EXPECT_EQ(ev.user_data & 1 ? SIZE : 0, ev.res);
		}
		EXPECT_TRUE(quiet(&self->q));
	}
	EXPECT_EQ(0, requests(&self->q));
	close(fd);
}

static int cancel_quietly(const struct ioevq *q, uint64_t user_data)
{
	struct ioevq_req req;

	ioevq_prep_cancel(&req, IOEVQ_CANCEL_USER_DATA, user_data, -1, 0, FENCE);
	req.flags = IOEVQ_REQ_SKIP_SUCCESS;
	return submit(q, &req);
}

static int cancel_until_refused(const struct ioevq *q, uint64_t user_data, int *ret)
{
	int n;

	for (n = 0; n < 1000; n++) {
		*ret = cancel_quietly(q, user_data);
		if (*ret)
			break;
	}
	return n;
}

/* What is to have no event is not charged: if it has one there are few all the same. */
TEST_F(cancel, law_13_cancels_that_have_an_event_after_all)
{
	struct ioevq_event evs[80];
	struct slow_io s;
	struct ioevq q;
	int ret, i;

	ASSERT_EQ(0, ioevq_open(&q, 4, 0));
	ASSERT_EQ(0, slow_make(&s));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, slow_read(&q, &s, i, i));
		ASSERT_EQ(0, slow_started(&s));
		EXPECT_EQ(i ? 3 : 64, cancel_until_refused(&q, i, &ret));
		EXPECT_EQ(-EAGAIN, ret);
		ASSERT_EQ(0, slow_finish(&s, i));
		ASSERT_TRUE(eventually(query(&q).available == (i ? 69 : 65)));
	}
	EXPECT_EQ(69, enter_wait(&q, evs, 69, 80, 0));
	EXPECT_EQ(-ENOENT, cancel_quietly(&q, 0));
	EXPECT_EQ(0, requests(&q));
	slow_end(&s);
	ioevq_close(&q);
}

/* Cancels that wait are limited, and the limit is given back. */
TEST_F(cancel, law_14_cancels_that_wait)
{
	struct ioevq_event ev;
	struct slow_io s;
	int waiting, i;

	ASSERT_EQ(0, slow_make(&s));
	ASSERT_EQ(0, slow_read(&self->q, &s, 0, 1));
	ASSERT_EQ(0, slow_started(&s));
	for (waiting = 0; waiting < 1000; waiting++)
		if (cancel(&self->q, IOEVQ_CANCEL_USER_DATA, 1, -1, 0))
			break;
	EXPECT_EQ(64, waiting);
	EXPECT_EQ(-EAGAIN, cancel(&self->q, IOEVQ_CANCEL_USER_DATA, 1, -1, 0));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, slow_finish(&s, 0));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, SLOW_PAGE);
	/* In the order in which they came. */
	for (i = 0; i < waiting; i++) {
		ASSERT_EQ(1, next_event(&self->q, &ev));
		EXPECT_EQ(FENCE, ev.user_data);
		EXPECT_EQ(1, ev.res);
	}
	ASSERT_EQ(0, cancel(&self->q, IOEVQ_CANCEL_USER_DATA, 1, -1, 0));
	EXPECT_NEXT(&self->q, IOEVQ_OP_CANCEL, FENCE, 0);
	EXPECT_EQ(0, requests(&self->q));
	slow_end(&s);
}

TEST_HARNESS_MAIN

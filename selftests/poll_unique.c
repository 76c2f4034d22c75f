// SPDX-License-Identifier: GPL-2.0-only
/* Laws 9 and 14: one watch for each descriptor, and cancelling by the very descriptor. */
#include "kinds_socket.h"
#include "readiness.h"

#define DONE	0xd0eULL
#define ONCE	(IOEVQ_POLL_EDGE | IOEVQ_POLL_UNIQUE)

FIXTURE(number)
{
	struct ioevq q;
	int fd, dup;		/* an eventfd, twice */
};

FIXTURE_SETUP(number)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	self->fd = eventfd(0, EFD_NONBLOCK);
	self->dup = dup(self->fd);
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->dup);
}

FIXTURE_TEARDOWN(number)
{
	close(self->fd);
	close(self->dup);
	ioevq_close(&self->q);
}

TEST_F(number, law_14_one_watch_of_a_descriptor)
{
	struct ioevq other;

	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, ONCE, 1));
	EXPECT_EQ(-EEXIST, watch(&self->q, self->fd, POLLIN, ONCE, 1));
	EXPECT_EQ(-EEXIST, watch(&self->q, self->fd, POLLOUT, ONCE, 2));
	EXPECT_EQ(-EEXIST, watch(&self->q, self->fd, POLLIN, IOEVQ_POLL_UNIQUE, 2));
	/* Who does not care is not refused, and counts. */
	EXPECT_EQ(0, watch(&self->q, self->fd, POLLIN, IOEVQ_POLL_EDGE, 3));
	EXPECT_EQ(0, watch(&self->q, self->dup, POLLIN, IOEVQ_POLL_EDGE, 4));
	EXPECT_EQ(-EEXIST, watch(&self->q, self->dup, POLLIN, ONCE, 5));
	EXPECT_EQ(3, requests(&self->q));
	/* Nor does another queue. */
	ASSERT_EQ(0, ioevq_open(&other, 4, 0));
	EXPECT_EQ(0, watch(&other, self->fd, POLLIN, ONCE, 1));
	ioevq_close(&other);
}

TEST_F(number, law_14_a_duplicate_is_another)
{
	struct ioevq_event evs[2];

	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, ONCE, 1));
	EXPECT_EQ(0, watch(&self->q, self->dup, POLLIN, ONCE, 2));
	EXPECT_EQ(-EEXIST, watch(&self->q, self->dup, POLLIN, ONCE, 3));
	ASSERT_EQ(0, eventfd_write(self->fd, 1));
	/* Who is told first is not promised. */
	EXPECT_EQ(2, ioevq_wait(&self->q, evs, 2, 2, BOUND_NS));
	EXPECT_EQ(1 + 2, evs[0].user_data + evs[1].user_data);
}

/* One that has ended is in nobody's way, whether its event was taken or not. */
TEST_F(number, law_14_one_after_the_other)
{
	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, ONCE, 1));
	ASSERT_EQ(0, ioevq_cancel(&self->q, 1, DONE));
	EXPECT_EQ(0, watch(&self->q, self->fd, POLLIN, IOEVQ_POLL_ONESHOT | IOEVQ_POLL_UNIQUE, 2));
	EXPECT_EQ(-EEXIST, watch(&self->q, self->fd, POLLIN, ONCE, 3));
	ASSERT_EQ(0, eventfd_write(self->fd, 1));
	EXPECT_EQ(0, watch(&self->q, self->fd, POLLIN, ONCE, 3));
	EXPECT_TRUE(completed(&self->q, IOEVQ_OP_POLL, 1, -ECANCELED));
	EXPECT_TRUE(completed(&self->q, IOEVQ_OP_CANCEL, DONE, 1));
	EXPECT_TRUE(completed(&self->q, IOEVQ_OP_POLL, 2, POLLIN));
	EXPECT_EQ(POLLIN, announced(&self->q, 3));
}

/* Law 8: a number that is reused is a new file, though the old one is open and watched. */
TEST_F(number, law_08_a_number_that_is_reused)
{
	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, ONCE, 1));
	ASSERT_EQ(self->fd, dup3(eventfd(1, EFD_NONBLOCK), self->fd, 0));
	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, ONCE, 2));
	EXPECT_EQ(POLLIN, announced(&self->q, 2));
	/* The old file by the same number again. */
	ASSERT_EQ(self->fd, dup2(self->dup, self->fd));
	EXPECT_EQ(-EEXIST, watch(&self->q, self->fd, POLLIN, ONCE, 3));
	/* The same for one that is closed, and its event not taken. */
	close(self->dup);
	close(self->fd);
	self->fd = dup2(eventfd(1, EFD_NONBLOCK), self->fd);
	EXPECT_EQ(0, watch(&self->q, self->fd, POLLIN, ONCE, 4));
}

/* The mask of the user data (0 to 62) of what was cancelled before the fence; ~0: other. */
static uint64_t cancelled(const struct ioevq *q)
{
	struct ioevq_event ev = {};
	uint64_t mask = 0;
	int64_t n;

	for (n = 0; next_event(q, &ev) == 1 && ev.user_data != DONE; n++) {
		if (ev.res != -ECANCELED || ev.flags || ev.user_data > 62)
			return ~0ULL;
		mask |= 1ULL << ev.user_data;
	}
	return ev.user_data == DONE && ev.res == n && !ev.flags ? mask : ~0ULL;
}

static int cancel(const struct ioevq *q, unsigned int op_flags, int fd, uint64_t user_data,
		  unsigned int flags)
{
	struct ioevq_req req;

	ioevq_prep_cancel(&req, op_flags, user_data, fd, 0, DONE);
	req.flags = flags;
	return submit(q, &req);
}

#define EXACT	(IOEVQ_CANCEL_FD | IOEVQ_CANCEL_EXACT)

TEST_F(number, law_09_by_the_very_descriptor)
{
	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, IOEVQ_POLL_EDGE, 1));
	ASSERT_EQ(0, watch(&self->q, self->dup, POLLIN, IOEVQ_POLL_EDGE, 2));
	ASSERT_EQ(0, watch(&self->q, self->dup, POLLIN, IOEVQ_POLL_ONESHOT, 3));
	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, IOEVQ_POLL_EDGE, 4));
	ASSERT_EQ(0, cancel(&self->q, EXACT | IOEVQ_CANCEL_USER_DATA, self->dup, 1, 0));
	EXPECT_EQ(0, cancelled(&self->q));
	ASSERT_EQ(0, cancel(&self->q, EXACT | IOEVQ_CANCEL_USER_DATA, self->fd, 1, 0));
	EXPECT_EQ(1 << 1, cancelled(&self->q));
	ASSERT_EQ(0, cancel(&self->q, EXACT, self->dup, 0, 0));
	EXPECT_EQ(1 << 2 | 1 << 3, cancelled(&self->q));
	ASSERT_EQ(0, cancel(&self->q, EXACT, self->dup, 0, 0));
	EXPECT_EQ(0, cancelled(&self->q));
	/* By any of them, as ever. */
	ASSERT_EQ(0, cancel(&self->q, IOEVQ_CANCEL_FD, self->dup, 0, 0));
	EXPECT_EQ(1 << 4, cancelled(&self->q));
	EXPECT_EQ(-EBADF, cancel(&self->q, EXACT, 1 << 20, 0, 0));
}

/* The number of another file now: what was submitted for it by then is not meant. */
TEST_F(number, law_09_by_a_number_that_is_reused)
{
	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, IOEVQ_POLL_EDGE, 1));
	ASSERT_EQ(self->fd, dup2(eventfd(0, 0), self->fd));
	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, IOEVQ_POLL_EDGE, 2));
	ASSERT_EQ(0, cancel(&self->q, EXACT, self->fd, 0, 0));
	EXPECT_EQ(1 << 2, cancelled(&self->q));
	EXPECT_EQ(1, requests(&self->q));
}

TEST_F(number, law_01_a_cancel_without_an_event)
{
	unsigned int skip = IOEVQ_REQ_SKIP_SUCCESS, by_data = IOEVQ_CANCEL_USER_DATA;

	EXPECT_EQ(-ENOENT, cancel(&self->q, 0, -1, 0, skip));
	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, IOEVQ_POLL_EDGE, 1));
	EXPECT_EQ(-ENOENT, cancel(&self->q, by_data, -1, 2, skip));
	EXPECT_EQ(-ENOENT, cancel(&self->q, EXACT, self->dup, 0, skip));
	EXPECT_EQ(1, requests(&self->q));
	ASSERT_EQ(0, cancel(&self->q, by_data, -1, 1, skip));
	EXPECT_TRUE(completed(&self->q, IOEVQ_OP_POLL, 1, -ECANCELED));
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, requests(&self->q));
}

/* No last word, however it ends, but of those whose events wait for room in the ring. */
TEST_F(number, law_01_a_quiet_watch)
{
	unsigned int flags = IOEVQ_POLL_EDGE | IOEVQ_POLL_QUIET;
	struct ioevq small;

	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, flags, 1));
	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, IOEVQ_POLL_QUIET, 2));
	ASSERT_EQ(0, cancel(&self->q, IOEVQ_CANCEL_USER_DATA, -1, 1, 0));
	EXPECT_TRUE(completed(&self->q, IOEVQ_OP_CANCEL, DONE, 1));
	ASSERT_EQ(0, eventfd_write(self->fd, 1));
	EXPECT_EQ(POLLIN, announced(&self->q, 2));
	ASSERT_EQ(0, ioevq_open(&small, 1, 0));
	ASSERT_EQ(0, ioevq_post(&small, MARK, 0, 0));
	ASSERT_EQ(0, watch(&small, self->fd, POLLIN, flags, 3));
	close(self->fd);
	close(self->dup);
	EXPECT_TRUE(nothing(&self->q));
	EXPECT_EQ(0, requests(&self->q));
	EXPECT_TRUE(completed(&small, IOEVQ_OP_POST, MARK, 0));
	EXPECT_EQ(POLLIN, announced(&small, 3));
	EXPECT_TRUE(ended(&small, 3));
	EXPECT_EQ(0, requests(&small));
	ioevq_close(&small);
	self->fd = -1;
	self->dup = -1;
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/* POLL_MOD: watches that are changed and armed again. */
#include "kinds_socket.h"
#include "readiness.h"

#define DONE	0xd0eULL

FIXTURE(mod)
{
	struct ioevq q;
	struct thing t;		/* a connection, writable all the time */
};

FIXTURE_SETUP(mod)
{
	self->t = (struct thing){ .fd = -1, .peer = -1, .aux = -1 };
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, make_unix_stream(&self->t));
}

FIXTURE_TEARDOWN(mod)
{
	thing_end(&self->t);
	ioevq_close(&self->q);
}

/* POLL_MOD as it is, with its event. */
static int modify(const struct ioevq *q, int fd, unsigned int mask, unsigned int op_flags,
		  uint64_t match, uint64_t user_data)
{
	struct ioevq_req req;

	ioevq_prep(&req, IOEVQ_OP_POLL_MOD, fd, DONE);
	req.op_arg = mask;
	req.op_flags = op_flags;
	req.addr = match;
	req.off = user_data;
	return submit(q, &req);
}

#define MODIFIED(_q, _n) completed(_q, IOEVQ_OP_POLL_MOD, DONE, _n)

TEST_F(mod, law_05_another_mask)
{
	struct thing *t = &self->t;

	ASSERT_EQ(0, watch(&self->q, t->fd, POLLIN, IOEVQ_POLL_EDGE, 1));
	EXPECT_TRUE(nothing(&self->q));
	ASSERT_EQ(0, modify(&self->q, t->fd, POLLOUT, IOEVQ_POLL_EDGE, 0, 0));
	EXPECT_TRUE(MODIFIED(&self->q, 1));
	EXPECT_EQ(POLLOUT, announced(&self->q, 1));
	ASSERT_EQ(0, kind_write_peer(t));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, modify(&self->q, t->fd, POLLIN | POLLOUT, IOEVQ_POLL_EDGE, 0, 0));
	EXPECT_TRUE(MODIFIED(&self->q, 1));
	EXPECT_EQ(POLLIN | POLLOUT, announced(&self->q, 1));
	/* Of interest is nothing any more, but the end. */
	ASSERT_EQ(0, modify(&self->q, t->fd, 0, IOEVQ_POLL_EDGE, 0, 0));
	EXPECT_TRUE(MODIFIED(&self->q, 1));
	ASSERT_EQ(0, kind_write_peer(t));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, close(t->peer));
	t->peer = -1;
	EXPECT_EQ(POLLHUP, announced(&self->q, 1));
	EXPECT_EQ(1, requests(&self->q));
}

/*
 * A full ring, and behind it the events of an edge watch and of a level one: 4 and 5. The first is
 * armed again, for 6: there is no memory to announce that before its event is taken.
 */
static int arm_behind_a_full_ring(const struct ioevq *q, int edge, int level)
{
	int i, err = 0;

	for (i = 0; i < 4; i++)
		err |= ioevq_post(q, i, 0, 0);
	err |= watch(q, edge, POLLOUT, IOEVQ_POLL_EDGE, 4) ||
	       watch(q, level, POLLIN, IOEVQ_POLL_LEVEL, 5) || enter_wait(q, NULL, 6, 0, 0) != 6;
	return err || change(q, edge, POLLOUT, IOEVQ_POLL_EDGE, 6);
}

/* It is announced then, whatever others wait for that stand before it. */
TEST_F(mod, law_05_armed_again_in_its_turn)
{
	int fd = eventfd(1, EFD_CLOEXEC);
	struct ioevq_event evs[5];
	struct ioevq q;

	ASSERT_EQ(0, ioevq_open(&q, 4, 0));
	ASSERT_EQ(0, arm_behind_a_full_ring(&q, self->t.fd, fd));
	ASSERT_EQ(5, enter_wait(&q, evs, 5, 5, 0));
	EXPECT_EQ(4, evs[4].user_data);
	ASSERT_EQ(2, enter_wait(&q, evs, 2, 2, BOUND_NS));
	EXPECT_EQ(5, evs[0].user_data);
	EXPECT_EQ(6, evs[1].user_data);
	close(fd);
	ioevq_close(&q);
}

/* The same where it finds room meanwhile: the others do not wait for what it has announced then. */
TEST_F(mod, law_05_armed_again_and_announced)
{
	int a = eventfd(1, EFD_CLOEXEC), b = eventfd(1, EFD_CLOEXEC), i;
	struct ioevq_event evs[3];
	struct ioevq q;
	eventfd_t value;

	ASSERT_EQ(0, ioevq_open(&q, 4, 0));
	ASSERT_EQ(0, arm_behind_a_full_ring(&q, a, b));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(1, enter_wait(&q, evs, 1, 1, 0));
	ASSERT_EQ(0, eventfd_read(a, &value));
	ASSERT_EQ(3, enter_wait(&q, evs, 3, 3, 0));
	EXPECT_EQ(5, evs[2].user_data);
	ASSERT_EQ(2, enter_wait(&q, evs, 2, 2, BOUND_NS));
	EXPECT_EQ(6, evs[0].user_data);
	EXPECT_EQ(5, evs[1].user_data);
	close(a);
	close(b);
	ioevq_close(&q);
}

/* What is ready is announced again, whatever was announced before. */
TEST_F(mod, law_05_an_edge_is_armed_again)
{
	struct ioevq_event ev;
	int i;

	ASSERT_EQ(0, kind_write_peer(&self->t));
	ASSERT_EQ(0, watch(&self->q, self->t.fd, POLLIN, IOEVQ_POLL_EDGE, 1));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(POLLIN, announced(&self->q, 1));
		EXPECT_TRUE(quiet(&self->q));
		ASSERT_EQ(0, change(&self->q, self->t.fd, POLLIN, IOEVQ_POLL_EDGE, -1));
	}
	EXPECT_EQ(POLLIN, announced(&self->q, 1));
	ASSERT_EQ(0, kind_drain(&self->t));
	ASSERT_EQ(0, change(&self->q, self->t.fd, POLLIN, IOEVQ_POLL_EDGE, -1));
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, ioevq_take(&self->q, &ev));
}

TEST_F(mod, law_05_another_mode)
{
	struct thing *t = &self->t;
	struct ioevq_event ev;
	int i;

	ASSERT_EQ(0, watch(&self->q, t->fd, POLLIN, IOEVQ_POLL_EDGE, 1));
	ASSERT_EQ(0, kind_write_peer(t));
	EXPECT_EQ(POLLIN, announced(&self->q, 1));
	ASSERT_EQ(0, change(&self->q, t->fd, POLLIN, IOEVQ_POLL_LEVEL, -1));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(POLLIN, announced(&self->q, 1));
	ASSERT_EQ(0, change(&self->q, t->fd, POLLIN, IOEVQ_POLL_DISPATCH, -1));
	EXPECT_EQ(POLLIN, announced(&self->q, 1));
	EXPECT_TRUE(nothing(&self->q));
	EXPECT_EQ(0, self->q.ring->flags);
	ASSERT_EQ(0, kind_write_peer(t));
	EXPECT_TRUE(nothing(&self->q));
	ASSERT_EQ(0, change(&self->q, t->fd, POLLIN, IOEVQ_POLL_EDGE, -1));
	EXPECT_EQ(POLLIN, announced(&self->q, 1));
	ASSERT_EQ(0, kind_write_peer(t));
	EXPECT_EQ(POLLIN, announced(&self->q, 1));
	ASSERT_EQ(0, kind_drain(t));
	ASSERT_EQ(0, change(&self->q, t->fd, POLLIN, IOEVQ_POLL_EDGE | IOEVQ_POLL_CONFIRM, -1));
	ASSERT_EQ(0, kind_write_peer(t));
	ASSERT_EQ(0, kind_drain(t));
	EXPECT_TRUE(nothing(&self->q));
	ASSERT_EQ(0, change(&self->q, t->fd, POLLIN, IOEVQ_POLL_ONESHOT, -1));
	EXPECT_TRUE(nothing(&self->q));
	ASSERT_EQ(0, kind_write_peer(t));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_EQ(0, ev.flags);
	EXPECT_EQ(POLLIN, ev.res);
	EXPECT_EQ(0, requests(&self->q));
}

/* A level-triggered watch is looked at no more when it is another mode's. */
TEST_F(mod, law_05_level_no_more)
{
	struct ioevq_event ev;

	ASSERT_EQ(0, kind_write_peer(&self->t));
	ASSERT_EQ(0, watch(&self->q, self->t.fd, POLLIN, IOEVQ_POLL_LEVEL, 1));
	EXPECT_EQ(POLLIN, announced(&self->q, 1));
	EXPECT_EQ(POLLIN, announced(&self->q, 1));
	ASSERT_EQ(0, change(&self->q, self->t.fd, POLLPRI, IOEVQ_POLL_LEVEL, -1));
	EXPECT_TRUE(nothing(&self->q));
	EXPECT_EQ(0, poll_now(self->q.fd, POLLIN));
	ASSERT_EQ(0, change(&self->q, self->t.fd, POLLIN, IOEVQ_POLL_LEVEL, -1));
	EXPECT_EQ(POLLIN, announced(&self->q, 1));
	ASSERT_EQ(0, ioevq_cancel(&self->q, 1, DONE));
	do {
		ASSERT_EQ(1, next_event(&self->q, &ev));
	} while (ev.user_data != DONE);
	EXPECT_TRUE(nothing(&self->q));
	EXPECT_EQ(0, self->q.ring->flags);
	EXPECT_EQ(0, requests(&self->q));
}

/* Events before that of the change are as the watch was, those after it as it is. */
TEST_F(mod, law_09_user_data_by_a_fence)
{
	struct thing *t = &self->t;
	unsigned int flags = IOEVQ_POLL_EDGE | IOEVQ_POLL_MOD_USER_DATA;
	int size;

	for (size = 1; size <= 64; size *= 64) {
		struct ioevq q;

		/* A small ring: what waits in the backlog keeps its user data, too. */
		ASSERT_EQ(0, ioevq_open(&q, size, 0));
		ASSERT_EQ(0, ioevq_post(&q, MARK, 0, 0));
		ASSERT_EQ(0, kind_write_peer(t));
		ASSERT_EQ(0, watch(&q, t->fd, POLLIN, IOEVQ_POLL_EDGE, 1));
		ASSERT_EQ(0, modify(&q, t->fd, POLLIN, flags, 0, 2));
		EXPECT_TRUE(completed(&q, IOEVQ_OP_POST, MARK, 0));
		EXPECT_EQ(POLLIN, announced(&q, 1));
		EXPECT_TRUE(MODIFIED(&q, 1));
		EXPECT_EQ(POLLIN, announced(&q, 2));
		ASSERT_EQ(0, modify(&q, t->fd, POLLIN, flags, 0, UINT64_MAX));
		EXPECT_TRUE(MODIFIED(&q, 1));
		EXPECT_EQ(POLLIN, announced(&q, UINT64_MAX));
		EXPECT_TRUE(quiet(&q));
		ASSERT_EQ(0, kind_write_peer(t));
		EXPECT_EQ(POLLIN, announced(&q, UINT64_MAX));
		/* It is found by what it is now. */
		ASSERT_EQ(0, ioevq_cancel(&q, 1, DONE));
		EXPECT_TRUE(completed(&q, IOEVQ_OP_CANCEL, DONE, 0));
		ASSERT_EQ(0, ioevq_cancel(&q, UINT64_MAX, DONE));
		EXPECT_TRUE(completed(&q, IOEVQ_OP_POLL, UINT64_MAX, -ECANCELED));
		EXPECT_TRUE(completed(&q, IOEVQ_OP_CANCEL, DONE, 1));
		ASSERT_EQ(0, kind_drain(t));
		ioevq_close(&q);
	}
}

/* The final event carries it, too. */
TEST_F(mod, law_08_user_data_of_the_end)
{
	ASSERT_EQ(0, watch(&self->q, self->t.fd, POLLIN, IOEVQ_POLL_EDGE, 1));
	ASSERT_EQ(0, change(&self->q, self->t.fd, POLLIN, IOEVQ_POLL_EDGE, 7));
	ASSERT_EQ(0, close(self->t.fd));
	self->t.fd = -1;
	EXPECT_TRUE(ended(&self->q, 7));
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, requests(&self->q));
}

/* All watches of the descriptor, or those with that user data, of it or of any. */
TEST_F(mod, law_05_which_watches)
{
	unsigned int match = IOEVQ_POLL_EDGE | IOEVQ_POLL_MOD_MATCH;
	int a = self->t.fd, b = dup(a), i;

	ASSERT_LE(0, b);
	for (i = 1; i <= 3; i++)
		ASSERT_EQ(0, watch(&self->q, a, POLLIN, IOEVQ_POLL_EDGE, i));
	ASSERT_EQ(0, watch(&self->q, b, POLLIN, IOEVQ_POLL_EDGE, 1));
	ASSERT_EQ(0, watch(&self->q, self->t.peer, POLLIN, IOEVQ_POLL_EDGE, 1));
	/* Another's watches of the same file are not asked for. */
	ASSERT_EQ(0, modify(&self->q, a, POLLIN, IOEVQ_POLL_EDGE, 0, 0));
	EXPECT_TRUE(MODIFIED(&self->q, 3));
	ASSERT_EQ(0, modify(&self->q, b, POLLIN, IOEVQ_POLL_EDGE, 0, 0));
	EXPECT_TRUE(MODIFIED(&self->q, 1));
	ASSERT_EQ(0, modify(&self->q, a, POLLIN, match, 1, 0));
	EXPECT_TRUE(MODIFIED(&self->q, 1));
	ASSERT_EQ(0, modify(&self->q, -1, POLLIN, match, 2, 0));
	EXPECT_TRUE(MODIFIED(&self->q, 1));
	ASSERT_EQ(0, modify(&self->q, -1, POLLOUT, match, 1, 0));
	EXPECT_TRUE(MODIFIED(&self->q, 3));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(POLLOUT, announced(&self->q, 1));
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(-ENOENT, modify(&self->q, b, POLLIN, match, 2, 0));
	EXPECT_EQ(-ENOENT, modify(&self->q, -1, POLLIN, match, 4, 0));
	close(b);
}

TEST_F(mod, law_01_skip_success)
{
	struct ioevq_req req;
	int64_t res = 7;

	ASSERT_EQ(0, watch(&self->q, self->t.fd, POLLIN, IOEVQ_POLL_EDGE, 1));
	ASSERT_EQ(0, change(&self->q, self->t.fd, POLLOUT, IOEVQ_POLL_EDGE, -1));
	EXPECT_EQ(POLLOUT, announced(&self->q, 1));
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(1, requests(&self->q));
	EXPECT_EQ(0, ioevq_poll_mod(&self->q, self->t.fd, POLLOUT, IOEVQ_POLL_EDGE, 2));
	EXPECT_EQ(POLLOUT, announced(&self->q, 2));
	EXPECT_TRUE(quiet(&self->q));
	/* What did not succeed is refused, with or without. */
	EXPECT_EQ(-ENOENT, ioevq_poll_mod(&self->q, self->t.peer, POLLOUT, IOEVQ_POLL_EDGE, 2));
	ioevq_prep_poll_mod(&req, self->t.fd, POLLIN, IOEVQ_POLL_EDGE, 3, DONE);
	ASSERT_EQ(0, submit(&self->q, &req));
	EXPECT_TRUE(MODIFIED(&self->q, 1));
	/* How many were changed. */
	req.flags = IOEVQ_REQ_SKIP_SUCCESS;
	ASSERT_EQ(1, ioevq_submit_results(&self->q, &req, 1, &res));
	EXPECT_EQ(1, res);
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(1, requests(&self->q));
}

TEST_F(mod, law_14_no_such_watch)
{
	int fd = self->t.fd;

	EXPECT_EQ(-ENOENT, modify(&self->q, fd, POLLIN, IOEVQ_POLL_EDGE, 0, 0));
	EXPECT_EQ(-EBADF, modify(&self->q, 1 << 20, POLLIN, IOEVQ_POLL_EDGE, 0, 0));
	EXPECT_EQ(-EBADF, modify(&self->q, -2, POLLIN, IOEVQ_POLL_EDGE, 0, 0));
	/* Fired, its event taken or not. */
	ASSERT_EQ(0, watch(&self->q, fd, POLLOUT, IOEVQ_POLL_ONESHOT, 1));
	EXPECT_EQ(-ENOENT, modify(&self->q, fd, POLLOUT, IOEVQ_POLL_ONESHOT, 0, 0));
	EXPECT_TRUE(completed(&self->q, IOEVQ_OP_POLL, 1, POLLOUT));
	EXPECT_EQ(-ENOENT, modify(&self->q, fd, POLLOUT, IOEVQ_POLL_ONESHOT, 0, 0));
	EXPECT_EQ(-ENOENT, modify(&self->q, -1, POLLOUT, IOEVQ_POLL_MOD_MATCH, 1, 0));
	/* Cancelled. */
	ASSERT_EQ(0, watch(&self->q, fd, POLLIN, IOEVQ_POLL_EDGE, 2));
	ASSERT_EQ(0, ioevq_cancel(&self->q, 2, DONE));
	EXPECT_EQ(-ENOENT, modify(&self->q, fd, POLLIN, IOEVQ_POLL_EDGE, 0, 0));
	EXPECT_TRUE(completed(&self->q, IOEVQ_OP_POLL, 2, -ECANCELED));
	EXPECT_TRUE(completed(&self->q, IOEVQ_OP_CANCEL, DONE, 1));
	/* Of another operation. */
	ASSERT_EQ(0, watch_child(&self->q, 0, 0, 3));
	EXPECT_EQ(-ENOENT, modify(&self->q, -1, POLLIN, IOEVQ_POLL_MOD_MATCH, 3, 0));
	/* The number is another file now. */
	ASSERT_EQ(0, watch(&self->q, fd, POLLIN, IOEVQ_POLL_EDGE, 4));
	self->t.aux = dup(fd);
	ASSERT_EQ(fd, dup2(self->t.peer, fd));
	EXPECT_EQ(-ENOENT, modify(&self->q, fd, POLLIN, IOEVQ_POLL_EDGE, 0, 0));
	EXPECT_EQ(-ENOENT, modify(&self->q, self->t.aux, POLLIN, IOEVQ_POLL_EDGE, 0, 0));
	ASSERT_EQ(0, modify(&self->q, -1, POLLOUT, IOEVQ_POLL_MOD_MATCH, 4, 0));
	EXPECT_TRUE(MODIFIED(&self->q, 1));
	EXPECT_EQ(POLLOUT, announced(&self->q, 4));
}

TEST_F(mod, law_14_bad_changes)
{
	static const unsigned int flags[] = {
		IOEVQ_POLL_EDGE | IOEVQ_POLL_ONESHOT, IOEVQ_POLL_EDGE | IOEVQ_POLL_DISPATCH,
		IOEVQ_POLL_ONESHOT | IOEVQ_POLL_DISPATCH, IOEVQ_POLL_LIFO,
		IOEVQ_POLL_EDGE | IOEVQ_POLL_EXCLUSIVE,
	};
	int fd = self->t.fd;
	unsigned int i;

	ASSERT_EQ(0, watch(&self->q, fd, POLLIN, IOEVQ_POLL_EDGE, 1));
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		EXPECT_EQ(-EINVAL, modify(&self->q, fd, POLLOUT, flags[i], 0, 0))
			TH_LOG("flags %x", flags[i]);
	}
	EXPECT_EQ(-EINVAL, modify(&self->q, fd, POLLOUT | EPOLLET, IOEVQ_POLL_EDGE, 0, 0));
	EXPECT_EQ(-EINVAL, modify(&self->q, fd, ~0U, IOEVQ_POLL_EDGE, 0, 0));
	/* Values without their flags. */
	EXPECT_EQ(-EINVAL, modify(&self->q, fd, POLLOUT, IOEVQ_POLL_EDGE, 1, 0));
	EXPECT_EQ(-EINVAL, modify(&self->q, fd, POLLOUT, IOEVQ_POLL_EDGE, 0, 1));
	/* Nothing was changed by these. */
	EXPECT_TRUE(nothing(&self->q));
	ASSERT_EQ(0, kind_write_peer(&self->t));
	EXPECT_EQ(POLLIN, announced(&self->q, 1));
	EXPECT_EQ(1, requests(&self->q));
}

/* One that was exclusive stays so. */
TEST_F(mod, law_14_exclusive_stays_exclusive)
{
	unsigned int flags = IOEVQ_POLL_EDGE | IOEVQ_POLL_EXCLUSIVE;

	ASSERT_EQ(0, watch(&self->q, self->t.fd, POLLIN, flags, 1));
	EXPECT_EQ(-EINVAL, modify(&self->q, self->t.fd, POLLIN, IOEVQ_POLL_EDGE, 0, 0));
	ASSERT_EQ(0, modify(&self->q, self->t.fd, POLLOUT, flags, 0, 0));
	EXPECT_TRUE(MODIFIED(&self->q, 1));
	EXPECT_EQ(POLLOUT, announced(&self->q, 1));
}

/* Unless it has ended, seen or not. */
TEST_F(mod, law_14_no_such_exclusive_watch)
{
	struct ioevq small;
	unsigned int i;

	ASSERT_EQ(0, ioevq_open(&small, 2, 0));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, ioevq_post(&small, DONE, 0, 0));
	ASSERT_EQ(0, watch(&small, self->t.fd, POLLOUT, IOEVQ_POLL_ONESHOT | IOEVQ_POLL_EXCLUSIVE,
			   1));
	EXPECT_EQ(-ENOENT, modify(&small, -1, POLLOUT, IOEVQ_POLL_MOD_MATCH, 1, 0));
	EXPECT_EQ(-ENOENT, modify(&small, self->t.fd, POLLOUT, IOEVQ_POLL_ONESHOT, 0, 0));
	ioevq_close(&small);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/* Law 5, level-triggered: every kind of file, at every wait for as long as it is ready. */
#include "kinds.h"
#include "readiness.h"
#include "sleeper.h"

#define WATCH	1

/* What a wait finds now: the mask of the one event of the watch; 0: nothing, -1: other. */
static int64_t found(const struct ioevq *q)
{
	struct ioevq_event evs[4];
	int n = enter_wait(q, evs, 0, 4, 0);

	if (!n)
		return 0;
	if (n != 1 || evs[0].user_data != WATCH || evs[0].op != IOEVQ_OP_POLL ||
	    evs[0].flags != IOEVQ_EVENT_MORE)
		return -1;
	return evs[0].res;
}

TEST_F_TIMEOUT(kind, law_05_level_again_at_every_wait, 300)
{
	const struct kind *ops = &variant->ops;
	struct thing *t = &self->t;
	int i, round;

	ASSERT_EQ(0, watch(&self->q, t->fd, ops->mask, IOEVQ_POLL_LEVEL, WATCH));
	EXPECT_EQ(0, found(&self->q));
	for (round = 0; round < 2; round++) {
		ASSERT_EQ(0, ops->rouse(t));
		/* For as long as it holds, however often; and it is true each time. */
		for (i = 0; i < 5; i++)
			EXPECT_EQ(ops->mask, found(&self->q) & ops->mask);
		if (!ops->drain)
			return;
		ASSERT_EQ(0, ops->drain(t));
		EXPECT_EQ(0, found(&self->q));
		EXPECT_EQ(0, query(&self->q).available);
	}
}

/* One that is ready when it is submitted, and whose readiness ends before anybody comes. */
TEST_F_TIMEOUT(kind, law_05_level_is_true_when_it_is_told, 300)
{
	const struct kind *ops = &variant->ops;
	struct thing *t = &self->t;

	ASSERT_EQ(0, ops->rouse(t));
	ASSERT_EQ(0, watch(&self->q, t->fd, ops->mask, IOEVQ_POLL_LEVEL, WATCH));
	if (!ops->drain) {
		EXPECT_EQ(ops->mask, found(&self->q) & ops->mask);
		return;
	}
	ASSERT_EQ(0, ops->drain(t));
	EXPECT_EQ(0, found(&self->q));
	ASSERT_EQ(0, ops->rouse(t));
	ASSERT_EQ(0, ops->drain(t));
	EXPECT_EQ(0, found(&self->q));
	ASSERT_EQ(0, ops->rouse(t));
	EXPECT_EQ(ops->mask, found(&self->q) & ops->mask);
}

/* Nobody comes: there is not more than one event, whatever happens. */
TEST_F_TIMEOUT(kind, law_05_level_is_no_flood, 300)
{
	const struct kind *ops = &variant->ops;
	struct thing *t = &self->t;
	int i;

	ASSERT_EQ(0, watch(&self->q, t->fd, ops->mask, IOEVQ_POLL_LEVEL, WATCH));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, ops->rouse(t));
		/* Who waits, but does not take, has it looked at. */
		EXPECT_EQ(1, enter_wait(&self->q, NULL, 1, 0, BOUND_NS));
		EXPECT_EQ(POLLIN, poll_now(self->q.fd, POLLIN));
	}
	EXPECT_EQ(1, query(&self->q).available);
	EXPECT_EQ(ops->mask, found(&self->q) & ops->mask);
}

TEST_F_TIMEOUT(kind, law_05_level_wakes_who_sleeps, 300)
{
	const struct kind *ops = &variant->ops;
	struct thing *t = &self->t;
	struct sleeper s[2];

	ASSERT_EQ(0, watch(&self->q, t->fd, ops->mask, IOEVQ_POLL_LEVEL, WATCH));
	ASSERT_TRUE(put_to_sleep(&s[0], &self->q, 1, 1, BOUND_NS));
	ASSERT_TRUE(put_to_sleep(&s[1], &self->q, 1, 1, BOUND_NS));
	/* A signalfd tells each who asks, and both are of this process. */
	ASSERT_EQ(0, ops->rouse(t));
	EXPECT_EQ(1, woken(&s[1]));
	EXPECT_EQ(WATCH, s[1].evs[0].user_data);
	EXPECT_EQ(ops->mask, s[1].evs[0].res & ops->mask);
	/* It is ready still, but that is for who comes, not for who sleeps. */
	ASSERT_EQ(0, ioevq_post(&self->q, MARK, 0, 0));
	EXPECT_EQ(1, woken(&s[0]));
	EXPECT_EQ(MARK, s[0].evs[0].user_data);
	EXPECT_EQ(ops->mask, found(&self->q) & ops->mask);
}

/* Who looks only at the ring is asked to enter for as long as it is ready. */
TEST_F_TIMEOUT(kind, law_05_level_and_the_mapped_ring, 300)
{
	const struct kind *ops = &variant->ops;
	struct thing *t = &self->t;
	struct ioevq_event ev;
	int i;

	ASSERT_EQ(0, watch(&self->q, t->fd, ops->mask, IOEVQ_POLL_LEVEL, WATCH));
	ASSERT_TRUE(nothing(&self->q));
	EXPECT_EQ(0, self->q.ring->flags);
	ASSERT_EQ(0, ops->rouse(t));
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(IOEVQ_RING_RECHECK, self->q.ring->flags);
		EXPECT_EQ(1, i & 1 ? ioevq_take(&self->q, &ev) :
				     ioevq_wait(&self->q, &ev, 1, 1, BOUND_NS));
		EXPECT_EQ(WATCH, ev.user_data);
		EXPECT_EQ(ops->mask, ev.res & ops->mask);
	}
	if (!ops->drain)
		return;
	ASSERT_EQ(0, ops->drain(t));
	EXPECT_EQ(0, ioevq_take(&self->q, &ev));
	EXPECT_EQ(0, self->q.ring->flags);
}

static int epoll_now(int ep)
{
	struct epoll_event ev;

	return epoll_wait(ep, &ev, 1, 0);
}

/* Who polls the queue is told the truth, and takes nothing away. */
TEST_F_TIMEOUT(kind, law_05_level_and_pollers_of_the_queue, 300)
{
	struct epoll_event in = { .events = EPOLLIN };
	const struct kind *ops = &variant->ops;
	int ep = epoll_create1(EPOLL_CLOEXEC);
	/* It cannot be asked by who may have been called by it. */
	int perhaps = ops->make == make_epoll;
	struct thing *t = &self->t;
	int i;

	ASSERT_EQ(0, watch(&self->q, t->fd, ops->mask, IOEVQ_POLL_LEVEL, WATCH));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->q.fd, &in));
	EXPECT_EQ(0, poll_now(self->q.fd, POLLIN));
	EXPECT_EQ(0, epoll_now(ep));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, ops->rouse(t));
		EXPECT_EQ(POLLIN, poll_now(self->q.fd, POLLIN));
		EXPECT_EQ(POLLIN, poll_now(self->q.fd, POLLIN));
		EXPECT_EQ(1, epoll_now(ep));
		/* Taken, and ready still. */
		EXPECT_EQ(ops->mask, found(&self->q) & ops->mask);
		EXPECT_EQ(POLLIN, poll_now(self->q.fd, POLLIN));
		EXPECT_EQ(1, epoll_now(ep));
		if (!ops->drain)
			break;
		ASSERT_EQ(0, ops->drain(t));
		EXPECT_EQ(perhaps, perhaps || poll_now(self->q.fd, POLLIN));
		EXPECT_EQ(perhaps, perhaps || epoll_now(ep));
		EXPECT_EQ(0, found(&self->q));
	}
	close(ep);
}

/* The last close ends a watch that is ready, and was told so. */
TEST_F(kind, law_08_close_of_what_is_ready)
{
	const struct kind *ops = &variant->ops;
	struct thing *t = &self->t;

	ASSERT_EQ(0, watch(&self->q, t->fd, ops->mask, IOEVQ_POLL_LEVEL, WATCH));
	ASSERT_EQ(0, ops->rouse(t));
	EXPECT_EQ(ops->mask, found(&self->q) & ops->mask);
	ASSERT_EQ(0, close(t->fd));
	t->fd = -1;
	EXPECT_TRUE(ended(&self->q, WATCH));
	EXPECT_TRUE(nothing(&self->q));
	EXPECT_EQ(0, poll_now(self->q.fd, POLLIN));
	EXPECT_EQ(0, self->q.ring->flags);
	EXPECT_EQ(0, requests(&self->q));
}

TEST_HARNESS_MAIN

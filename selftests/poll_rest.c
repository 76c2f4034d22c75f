// SPDX-License-Identifier: GPL-2.0-only
/* Law 5: what is told once, watches that rest after it, those that are told only what is true. */
#include "kinds.h"
#include "readiness.h"
#include "sleeper.h"

#define WATCH	1

TEST_F_TIMEOUT(kind, law_05_dispatch_rests_until_it_is_armed, 300)
{
	const struct kind *ops = &variant->ops;
	struct thing *t = &self->t;
	int i;

	ASSERT_EQ(0, watch(&self->q, t->fd, ops->mask, IOEVQ_POLL_DISPATCH, WATCH));
	EXPECT_TRUE(nothing(&self->q));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, ops->rouse(t));
		EXPECT_EQ(ops->mask, announced(&self->q, WATCH) & ops->mask);
		/* It rests, whatever comes. */
		ASSERT_EQ(0, ops->rouse(t));
		EXPECT_TRUE(nothing(&self->q));
		EXPECT_EQ(0, self->q.ring->flags);
		EXPECT_EQ(0, poll_now(self->q.fd, POLLIN));
		EXPECT_EQ(1, requests(&self->q));
		/* What came meanwhile is announced when it is armed. */
		ASSERT_EQ(0, change(&self->q, t->fd, ops->mask, IOEVQ_POLL_DISPATCH, -1));
		EXPECT_EQ(ops->mask, announced(&self->q, WATCH) & ops->mask);
		EXPECT_TRUE(nothing(&self->q));
		if (!ops->drain)
			break;
		ASSERT_EQ(0, ops->drain(t));
		ASSERT_EQ(0, change(&self->q, t->fd, ops->mask, IOEVQ_POLL_DISPATCH, -1));
		EXPECT_TRUE(nothing(&self->q));
	}
}

TEST_F(kind, law_08_close_of_what_rests)
{
	const struct kind *ops = &variant->ops;
	struct thing *t = &self->t;

	ASSERT_EQ(0, ops->rouse(t));
	ASSERT_EQ(0, watch(&self->q, t->fd, ops->mask, IOEVQ_POLL_DISPATCH, WATCH));
	EXPECT_EQ(ops->mask, announced(&self->q, WATCH) & ops->mask);
	ASSERT_EQ(0, ops->rouse(t));
	ASSERT_EQ(0, close(t->fd));
	t->fd = -1;
	if (ops->gone)
		EXPECT_EQ(0, ops->gone(t));
	EXPECT_TRUE(ended(&self->q, WATCH));
	EXPECT_TRUE(nothing(&self->q));
	EXPECT_EQ(0, requests(&self->q));
}

/* What a ->poll of the queue announces stands for what it saw: nobody is told again. */
TEST_F(kind, law_05_once_though_the_queue_is_polled)
{
	const struct kind *ops = &variant->ops;
	struct thing *t = &self->t;
	int i;

	ASSERT_EQ(0, watch(&self->q, t->fd, ops->mask, IOEVQ_POLL_EDGE, WATCH));
	EXPECT_TRUE(nothing(&self->q));
	ASSERT_EQ(0, ops->rouse(t));
	EXPECT_EQ(POLLIN, poll_now(self->q.fd, POLLIN));
	EXPECT_EQ(ops->mask, announced(&self->q, WATCH) & ops->mask);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, poll_now(self->q.fd, POLLIN));
		EXPECT_TRUE(nothing(&self->q));
	}
}

FIXTURE(confirm)
{
	struct ioevq q;
	struct thing t;
};

FIXTURE_VARIANT(confirm)
{
	unsigned int mode;
};

FIXTURE_VARIANT_ADD(confirm, edge) { IOEVQ_POLL_EDGE };
FIXTURE_VARIANT_ADD(confirm, oneshot) { IOEVQ_POLL_ONESHOT };
FIXTURE_VARIANT_ADD(confirm, dispatch) { IOEVQ_POLL_DISPATCH };
FIXTURE_VARIANT_ADD(confirm, level) { IOEVQ_POLL_LEVEL };

FIXTURE_SETUP(confirm)
{
	self->t = (struct thing){ .fd = -1, .peer = -1, .aux = -1 };
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, make_unix_stream(&self->t));
}

FIXTURE_TEARDOWN(confirm)
{
	(void)variant;
	thing_end(&self->t);
	ioevq_close(&self->q);
}

/* What others have used up before anybody comes is no news, and no use of the watch. */
TEST_F(confirm, law_05_only_what_is_true)
{
	unsigned int flags = variant->mode == IOEVQ_POLL_ONESHOT ? 0 : IOEVQ_EVENT_MORE;
	struct thing *t = &self->t;
	struct ioevq_event ev;
	int i;

	ASSERT_EQ(0, watch(&self->q, t->fd, POLLIN, variant->mode | IOEVQ_POLL_CONFIRM, WATCH));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, kind_write_peer(t));
		ASSERT_EQ(0, kind_drain(t));
		EXPECT_EQ(0, poll_now(self->q.fd, POLLIN));
		EXPECT_TRUE(nothing(&self->q));
		EXPECT_EQ(0, query(&self->q).available);
	}
	ASSERT_EQ(0, kind_write_peer(t));
	EXPECT_EQ(POLLIN, poll_now(self->q.fd, POLLIN));
	ASSERT_EQ(1, enter_wait(&self->q, &ev, 1, 1, BOUND_NS));
	EXPECT_EQ(WATCH, ev.user_data);
	EXPECT_EQ(POLLIN, ev.res);
	EXPECT_EQ(flags, ev.flags);
	ASSERT_EQ(0, kind_drain(t));
	EXPECT_TRUE(nothing(&self->q));
	EXPECT_EQ(0, self->q.ring->flags);
	EXPECT_EQ(!!flags, requests(&self->q));
}

/* Of what was true the part that still is. */
TEST_F(confirm, law_05_only_the_part_that_is_true)
{
	struct thing *t = &self->t;
	struct ioevq_event ev;

	ASSERT_EQ(0, drain_pipe_write(t));
	ASSERT_EQ(0, watch(&self->q, t->fd, POLLIN | POLLOUT, variant->mode | IOEVQ_POLL_CONFIRM,
			   WATCH));
	/* Writable, and not any more; readable. */
	ASSERT_EQ(0, kind_drain_fd(t->peer));
	ASSERT_EQ(0, drain_pipe_write(t));
	ASSERT_EQ(0, kind_write_peer(t));
	ASSERT_EQ(1, enter_wait(&self->q, &ev, 1, 1, BOUND_NS));
	EXPECT_EQ(POLLIN, ev.res);
}

/* A wake-up for nothing ends no wait: what TCP says of bytes is true of urgent ones only. */
TEST_F(confirm, law_05_no_wait_ends_for_nothing)
{
	struct thing t = { .aux = -1 };
	struct sleeper s;
	int i;

	ASSERT_EQ(0, make_tcp(&t));
	ASSERT_EQ(0, watch(&self->q, t.fd, POLLPRI, variant->mode | IOEVQ_POLL_CONFIRM, WATCH));
	ASSERT_TRUE(put_to_sleep(&s, &self->q, 1, 1, BOUND_NS));
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, kind_write_peer_arrived(&t));
		ASSERT_TRUE(eventually(sleeps(&s)));
	}
	EXPECT_EQ(0, query(&self->q).events);
	ASSERT_EQ(1, send(t.peer, "u", 1, MSG_OOB));
	EXPECT_EQ(1, woken(&s));
	EXPECT_EQ(WATCH, s.evs[0].user_data);
	EXPECT_EQ(POLLPRI, s.evs[0].res);
	thing_end(&t);
}

/* Two consumers: who comes second is not told what the first has been told. */
TEST_F(confirm, law_06_one_of_two)
{
	struct sleeper s[2];
	struct thing *t = &self->t;

	ASSERT_EQ(0, watch(&self->q, t->fd, POLLIN, variant->mode | IOEVQ_POLL_CONFIRM, WATCH));
	ASSERT_TRUE(put_to_sleep(&s[0], &self->q, 1, 1, BOUND_NS));
	ASSERT_TRUE(put_to_sleep(&s[1], &self->q, 1, 1, BOUND_NS));
	ASSERT_EQ(0, kind_write_peer(t));
	EXPECT_EQ(1, woken(&s[1]));
	EXPECT_EQ(WATCH, s[1].evs[0].user_data);
	EXPECT_TRUE(eventually(sleeps(&s[0])));
	EXPECT_EQ(1, wakeups(&self->q));
	ASSERT_EQ(0, kind_drain(t));
	ASSERT_EQ(0, ioevq_post(&self->q, MARK, 0, 0));
	EXPECT_EQ(1, woken(&s[0]));
	EXPECT_EQ(MARK, s[0].evs[0].user_data);
}

TEST_HARNESS_MAIN

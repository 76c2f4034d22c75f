// SPDX-License-Identifier: GPL-2.0-only
/* Law 13: one user takes time and workers, or crowds in on what another one shares with it. */
#include "pass_fd.h"
#include "slow_io.h"
#include "starve.h"

FIXTURE(two)
{
	struct attack *a;		/* shared */
	struct offspring c;
};

FIXTURE_SETUP(two)
{
	self->a = attack_begin();
	ASSERT_NE(NULL, self->a);
}

FIXTURE_TEARDOWN(two)
{
	EXPECT_EQ(0, attack_end(self->a, &self->c));
}

/* Workers that wait for memory which does not come, in one queue after the other. */
static int take_workers(struct offspring *c, long arg)
{
	long queues = get_param("max_user_workers") / get_param("max_workers") + 1;
	struct attack *a = (struct attack *)arg;
	struct slow_io s;
	struct ioevq q;
	int i;

	/* Made by root: it is to be filled by somebody, and is not. */
	if (queues < 2 || slow_make(&s) || become(ALICE))
		return 1;
	for (; a->queues < queues; a->queues++) {
		if (enter_by(&q, &a->d, 4))
			return 2;
		for (i = 0; i < SLOW_PAGES; i++)
			if (slow_read(&q, &s, i, 1))
				return 3;
	}
	for (i = 0; i < get_param("max_user_workers"); i++)
		if (slow_started(&s))
			return 4;
	say(c);
	await_go(c);
	return 0;
}

TEST_F(two, law_13_workers)
{
	ASSERT_EQ(0, set_param("max_user_requests", 4 * LIMIT));
	ASSERT_EQ(0, run_until_it_says(&self->c, take_workers, (long)self->a))
		TH_LOG("status %d", status_of(&self->c));
	EXPECT_EQ(0, run_to_its_end(be_well, (long)&self->a->d));
}

/*
 * Timers with no time between two expiries, as many as there may be. Workers that she had in
 * a test before may have requests of hers still: they end by themselves.
 */
static int take_time(struct offspring *c, long arg)
{
	struct attack *a = (struct attack *)arg;
	struct ioevq_req req;
	struct ioevq q;
	int ret;

	if (become(ALICE))
		return 1;
	ioevq_prep_timer(&req, 0, 1, 1, 1);
	do {
		if (enter_by(&q, &a->d, 4))
			return 2;
		do {
			ret = submit(&q, &req);
			a->got += !ret;
		} while (!ret || (ret == -EDQUOT && a->got < LIMIT));
	} while (ret == -EAGAIN);
	if (ret != -EDQUOT)
		return 3;
	say(c);
	await_go(c);
	return 0;
}

TEST_F(two, law_13_time)
{
	EXPECT_BOB_IS_WELL_BESIDE(take_time);
	EXPECT_EQ(LIMIT, self->a->got);
}

/* An eventfd of Bob's that Alice has as well, watched by all she may have, in all ways. */
static int crowd_in(struct offspring *c, long arg)
{
	static const unsigned int modes[] = {
		IOEVQ_POLL_EDGE, IOEVQ_POLL_LEVEL, IOEVQ_POLL_ONESHOT,
		IOEVQ_POLL_EDGE | IOEVQ_POLL_EXCLUSIVE,
	};
	struct attack *a = (struct attack *)arg;
	int fd = receive_fd(a->over[0]), ret;
	struct ioevq q;

	if (fd < 0 || become(ALICE))
		return 1;
	do {
		if (enter_by(&q, &a->d, 4))
			return 2;
		do {
			ret = watch(&q, fd, POLLIN | POLLOUT,
				    modes[a->got % ARRAY_SIZE(modes)], 1);
			a->got += !ret;
		} while (!ret);
	} while (ret == -EAGAIN);
	if (ret != -EDQUOT)
		return 3;
	say(c);
	await_go(c);
	return 0;
}

TEST_F(two, law_13_a_crowd_at_a_shared_file)
{
	int fd = eventfd(0, EFD_NONBLOCK), i;
	struct ioevq_event ev;
	struct ioevq q, late;
	eventfd_t n;

	ASSERT_EQ(0, pass_fd(self->a->over[1], fd));
	/* Bob was there before her, and comes after her. */
	ASSERT_EQ(0, act_as(BOB));
	ASSERT_EQ(0, enter_by(&q, &self->a->d, 8));
	ASSERT_EQ(0, watch(&q, fd, POLLIN, IOEVQ_POLL_EDGE, 1));
	ASSERT_EQ(0, act_as_root());
	ASSERT_EQ(0, run_until_it_says(&self->c, crowd_in, (long)self->a))
		TH_LOG("status %d", status_of(&self->c));
	/* A few more were one-shot, and have ended by then. */
	EXPECT_LE(LIMIT, self->a->got);
	EXPECT_EQ(0, run_to_its_end(be_well, (long)&self->a->d));
	ASSERT_EQ(0, act_as(BOB));
	ASSERT_EQ(0, enter_by(&late, &self->a->d, 8));
	ASSERT_EQ(0, watch(&late, fd, POLLIN, IOEVQ_POLL_EDGE, 2));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, eventfd_write(fd, 1));
		ASSERT_EQ(1, next_event(&q, &ev));
		EXPECT_EQ(1, ev.user_data);
		ASSERT_EQ(1, next_event(&late, &ev));
		EXPECT_EQ(2, ev.user_data);
		ASSERT_EQ(0, eventfd_read(fd, &n));
		EXPECT_EQ(1, n);
	}
	ioevq_close(&q);
	ioevq_close(&late);
	close(fd);
}

/* Bob's queue, which Alice was given to post to, and fills. */
static int flood(struct offspring *c, long arg)
{
	struct attack *a = (struct attack *)arg;
	int fd = receive_fd(a->over[0]), ret;
	struct ioevq_req req;
	struct ioevq q;

	if (fd < 0 || become(ALICE) || enter_by(&q, &a->d, 4))
		return 1;
	ioevq_prep_post(&req, fd, 0, 0, 1);
	while (!(ret = submit(&q, &req)))
		a->got++;
	if (ret != -EAGAIN)
		return 2;
	say(c);
	await_go(c);
	return 0;
}

/* It is full then, and no other of his; nothing of what was accepted is lost. */
TEST_F(two, law_13_a_flood_of_messages)
{
	struct ioevq_event ev;
	struct ioevq q, other;
	int i, fd = eventfd(0, 0);

	ASSERT_EQ(0, act_as(BOB));
	ASSERT_EQ(0, enter_by(&q, &self->a->d, 4));
	ASSERT_EQ(0, act_as_root());
	ASSERT_EQ(0, pass_fd(self->a->over[1], q.fd));
	ASSERT_EQ(0, run_until_it_says(&self->c, flood, (long)self->a))
		TH_LOG("status %d", status_of(&self->c));
	EXPECT_EQ(QUEUE_LIMIT + 4, self->a->got);
	EXPECT_EQ(0, run_to_its_end(be_well, (long)&self->a->d));
	ASSERT_EQ(0, act_as(BOB));
	ASSERT_EQ(0, enter_by(&other, &self->a->d, 4));
	EXPECT_EQ(QUEUE_LIMIT, park(&other, fd, QUEUE_LIMIT + 1, 0));
	EXPECT_EQ(-EAGAIN, park(&q, fd, 1, 0));
	for (i = 0; i < self->a->got; i++) {
		ASSERT_EQ(1, next_event(&q, &ev));
		EXPECT_EQ(IOEVQ_OP_POST, ev.op);
	}
	EXPECT_EQ(1, park(&q, fd, 1, 0));
	ioevq_close(&q);
	ioevq_close(&other);
}

TEST_HARNESS_MAIN

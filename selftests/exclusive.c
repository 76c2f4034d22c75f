// SPDX-License-Identifier: GPL-2.0-only
/* Law 6 among queues: of those that watch a file exclusively, one is told. */
#include "offspring.h"
#include "party.h"

FIXTURE(exclusive)
{
	struct party p;
};

FIXTURE_VARIANT(exclusive)
{
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(exclusive, edge) { IOEVQ_POLL_EDGE };
FIXTURE_VARIANT_ADD(exclusive, level) { IOEVQ_POLL_LEVEL };
FIXTURE_VARIANT_ADD(exclusive, confirm) { IOEVQ_POLL_EDGE | IOEVQ_POLL_CONFIRM };

FIXTURE_SETUP(exclusive)
{
	ASSERT_EQ(0, party_begin(&self->p, make_tcp_listen, POLLIN, variant->flags));
}

FIXTURE_TEARDOWN(exclusive)
{
	(void)variant;
	party_end(&self->p);
}

/* Each connection wakes one, and each queue has its turn. */
TEST_F(exclusive, law_06_one_queue_is_told)
{
	int i, one, n[QUEUES] = {}, events = 0;
	struct party *p = &self->p;

	for (i = 0; i < QUEUES; i++)
		ASSERT_TRUE(lie_down(p, i));
	for (i = 0; i < 10 * QUEUES; i++) {
		ASSERT_EQ(0, rouse_tcp_listen(&p->t));
		one = who(p);
		ASSERT_LE(0, one);
		n[one]++;
		ASSERT_EQ(0, drain_listen(&p->t));
		ASSERT_TRUE(lie_down(p, one));
	}
	for (i = 0; i < QUEUES; i++) {
		EXPECT_EQ(10, n[i]);
		EXPECT_EQ(10, wakeups(&p->q[i]));
		events += query(&p->q[i]).events;
	}
	EXPECT_EQ(10 * QUEUES, events);
}

/* Some are busy: who waits is told, and only who is alone is told always. */
TEST_F(exclusive, law_06_who_waits_comes_first)
{
	struct party *p = &self->p;
	int i, free, one;

	for (free = 0; free < QUEUES; free++) {
		ASSERT_TRUE(lie_down(p, free));
		for (i = 0; i < 5; i++) {
			ASSERT_EQ(0, rouse_tcp_listen(&p->t));
			one = who(p);
			EXPECT_EQ(free, one);
			ASSERT_LE(0, one);
			ASSERT_EQ(0, drain_listen(&p->t));
			ASSERT_TRUE(lie_down(p, free));
		}
		ASSERT_EQ(0, ioevq_post(&p->q[free], MARK, 0, 0));
		ASSERT_EQ(1, woken(&p->s[free]));
		p->asleep[free] = false;
	}
}

/* All are busy: who comes first finds it, and the others find it done. */
TEST_F(exclusive, law_02_nobody_waits)
{
	struct party *p = &self->p;
	struct ioevq_event ev;
	int i, first;

	for (first = 0; first < 2 * QUEUES; first++) {
		struct ioevq *q = &p->q[first % QUEUES];

		ASSERT_EQ(0, rouse_tcp_listen(&p->t));
		ASSERT_EQ(1, enter_wait(q, &ev, 1, 1, BOUND_NS));
		EXPECT_EQ(first % QUEUES, ev.user_data);
		EXPECT_EQ(POLLIN, ev.res);
		ASSERT_EQ(0, drain_listen(&p->t));
		for (i = 0; i < QUEUES; i++)
			EXPECT_TRUE(nothing(&p->q[i]));
	}
}

/* One that was told does not come: those who come are told. */
TEST_F(exclusive, law_02_two_connections)
{
	struct party *p = &self->p;
	int i, one, two;

	for (i = 0; i < QUEUES; i++)
		ASSERT_TRUE(lie_down(p, i));
	ASSERT_EQ(0, rouse_tcp_listen(&p->t));
	one = who(p);
	ASSERT_LE(0, one);
	ASSERT_EQ(0, rouse_tcp_listen(&p->t));
	two = who(p);
	ASSERT_LE(0, two);
	EXPECT_NE(one, two);
	ASSERT_EQ(0, drain_listen(&p->t));
}

/* The end is for all. */
TEST_F(exclusive, law_08_all_are_told_of_the_close)
{
	struct party *p = &self->p;
	int i;

	ASSERT_EQ(0, close(p->t.fd));
	p->t.fd = -1;
	EXPECT_EQ(0, gone_tcp_listen(&p->t));
	for (i = 0; i < QUEUES; i++) {
		EXPECT_TRUE(ended(&p->q[i], i));
		EXPECT_TRUE(nothing(&p->q[i]));
		EXPECT_EQ(0, requests(&p->q[i]));
	}
}

/* Told, and closed before anybody took the event: another is told. */
TEST_F(exclusive, law_02_a_queue_is_closed)
{
	struct party *p = &self->p;
	struct ioevq gone;
	struct sleeper s;
	int i, one;

	ASSERT_EQ(0, ioevq_open(&gone, 8, 0));
	ASSERT_EQ(0, watch(&gone, p->t.fd, POLLIN, variant->flags | IOEVQ_POLL_EXCLUSIVE, 9));
	for (i = 0; i < QUEUES; i++)
		ASSERT_TRUE(lie_down(p, i));
	/* Its consumer waits, and takes nothing. Its turn comes. */
	ASSERT_TRUE(put_to_sleep(&s, &gone, 1, 0, BOUND_NS));
	for (i = 0; i <= QUEUES; i++) {
		ASSERT_EQ(0, rouse_tcp_listen(&p->t));
		ASSERT_TRUE(eventually(is_done(&s) || who_is_done(p) >= 0));
		if (is_done(&s))
			break;
		one = who(p);
		ASSERT_LE(0, one);
		ASSERT_EQ(0, drain_listen(&p->t));
		ASSERT_TRUE(lie_down(p, one));
	}
	EXPECT_EQ(1, woken(&s));
	EXPECT_EQ(1, query(&gone).available);
	ioevq_close(&gone);
	EXPECT_LE(0, who(p));
}

struct told {
	int listener;
	unsigned int flags;
};

/* A process with a queue of its own, that is told and does not get to it. */
static int be_told(struct offspring *c, long arg)
{
	struct told *told = (struct told *)arg;
	struct ioevq q;

	if (ioevq_open(&q, 8, 0) ||
	    watch(&q, told->listener, POLLIN, told->flags | IOEVQ_POLL_EXCLUSIVE, 9))
		return 90;
	say(c);
	if (enter_wait(&q, NULL, 1, 0, BOUND_NS) != 1)
		return 91;
	say(c);
	await_go(c);
	return 92;
}

TEST_F(exclusive, law_02_a_process_is_killed)
{
	struct told told = { .listener = self->p.t.fd, .flags = variant->flags };
	struct pollfd said = { .events = POLLIN };
	struct party *p = &self->p;
	struct offspring c;
	char word;
	int i;

	ASSERT_EQ(0, offspring(&c, be_told, (long)&told));
	ASSERT_EQ(0, let_go(&c));
	ASSERT_EQ(1, read(c.said, &word, 1));
	ASSERT_TRUE(eventually(thread_state(c.pid, c.pid) == 'S'));
	ASSERT_TRUE(lie_down(p, 0));
	said.fd = c.said;
	/* One has its turn first, or the other. */
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, rouse_tcp_listen(&p->t));
		ASSERT_TRUE(eventually(is_done(&p->s[0]) || poll(&said, 1, 0) == 1));
		if (poll(&said, 1, 0) == 1)
			break;
		ASSERT_EQ(0, who(p));
		ASSERT_EQ(0, drain_listen(&p->t));
		ASSERT_TRUE(lie_down(p, 0));
	}
	EXPECT_GT(3, i);
	EXPECT_TRUE(sleeps(&p->s[0]));
	ASSERT_EQ(0, kill(c.pid, SIGKILL));
	ASSERT_EQ(c.pid, waitpid(c.pid, NULL, 0));
	EXPECT_EQ(0, who(p));
	offspring_close(&c);
}

TEST_HARNESS_MAIN

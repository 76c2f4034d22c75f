// SPDX-License-Identifier: GPL-2.0-only
/* Law 6 among queues: kinds of files, without turns, and other watchers of the file. */
#include "party.h"

#define ROUNDS	9

FIXTURE(thing)
{
	struct party p;
};

FIXTURE_VARIANT(thing)
{
	struct kind ops;
	unsigned int mode;
};

#define THING(_mode, ...) { .ops = { POLLIN, __VA_ARGS__, NULL }, .mode = IOEVQ_POLL_##_mode }

FIXTURE_VARIANT_ADD(thing, pipe) THING(EDGE, make_pipe, kind_write_peer, kind_drain);
FIXTURE_VARIANT_ADD(thing, pipe_level) THING(LEVEL, make_pipe, kind_write_peer, kind_drain);
FIXTURE_VARIANT_ADD(thing, eventfd) THING(EDGE, make_eventfd, rouse_eventfd, kind_drain);
FIXTURE_VARIANT_ADD(thing, eventfd_level) THING(LEVEL, make_eventfd, rouse_eventfd, kind_drain);
FIXTURE_VARIANT_ADD(thing, timerfd) THING(EDGE, make_timerfd, rouse_timerfd, kind_drain);
FIXTURE_VARIANT_ADD(thing, timerfd_level) THING(LEVEL, make_timerfd, rouse_timerfd, kind_drain);
FIXTURE_VARIANT_ADD(thing, unix_dgram) THING(EDGE, make_unix_dgram, kind_write_peer, kind_drain);
FIXTURE_VARIANT_ADD(thing, udp) THING(LEVEL, make_udp, rouse_udp, kind_drain);

FIXTURE_SETUP(thing)
{
	ASSERT_EQ(0, party_begin(&self->p, variant->ops.make, POLLIN, variant->mode));
}

FIXTURE_TEARDOWN(thing)
{
	(void)variant;
	party_end(&self->p);
}

TEST_F_TIMEOUT(thing, law_06_one_queue_is_told, 300)
{
	struct party *p = &self->p;
	int i, one, n[QUEUES] = {};

	for (i = 0; i < QUEUES; i++)
		ASSERT_TRUE(lie_down(p, i));
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, variant->ops.rouse(&p->t));
		one = who(p);
		ASSERT_LE(0, one);
		n[one]++;
		ASSERT_EQ(0, variant->ops.drain(&p->t));
		ASSERT_TRUE(lie_down(p, one));
	}
	for (i = 0; i < QUEUES; i++)
		EXPECT_EQ(ROUNDS / QUEUES, n[i]);
}

TEST_F_TIMEOUT(thing, law_02_nobody_waits, 300)
{
	struct party *p = &self->p;
	struct ioevq_event ev;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, variant->ops.rouse(&p->t));
		ASSERT_EQ(1, enter_wait(&p->q[i % QUEUES], &ev, 1, 1, BOUND_NS));
		EXPECT_EQ(i % QUEUES, ev.user_data);
		ASSERT_EQ(0, variant->ops.drain(&p->t));
	}
	for (i = 0; i < QUEUES; i++)
		EXPECT_TRUE(nothing(&p->q[i]));
}

FIXTURE(mix)
{
	struct party p;
};

FIXTURE_VARIANT(mix)
{
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(mix, turns) { IOEVQ_POLL_EDGE };
FIXTURE_VARIANT_ADD(mix, lifo) { IOEVQ_POLL_EDGE | IOEVQ_POLL_LIFO };

FIXTURE_SETUP(mix)
{
	int i;

	ASSERT_EQ(0, party_begin(&self->p, make_tcp_listen, POLLIN, variant->flags));
	for (i = 0; i < QUEUES; i++)
		ASSERT_TRUE(lie_down(&self->p, i));
}

FIXTURE_TEARDOWN(mix)
{
	(void)variant;
	party_end(&self->p);
}

/* Without turns always the same, for as long as it waits; then another one always. */
TEST_F(mix, law_06_with_and_without_turns)
{
	int i, one, n[QUEUES] = {}, first = -1;
	struct party *p = &self->p;

	for (i = 0; i < 10 * QUEUES; i++) {
		ASSERT_EQ(0, rouse_tcp_listen(&p->t));
		one = who(p);
		ASSERT_LE(0, one);
		n[one]++;
		if (!i)
			first = one;
		ASSERT_EQ(0, drain_listen(&p->t));
		ASSERT_TRUE(lie_down(p, one));
	}
	EXPECT_EQ(variant->flags & IOEVQ_POLL_LIFO ? 10 * QUEUES : 10, n[first]);

	/* It does not wait any more. */
	ASSERT_EQ(0, ioevq_post(&p->q[first], MARK, 0, 0));
	ASSERT_EQ(1, woken(&p->s[first]));
	p->asleep[first] = false;
	for (i = 0; i < 6; i++) {
		int last = one;

		ASSERT_EQ(0, rouse_tcp_listen(&p->t));
		one = who(p);
		ASSERT_LE(0, one);
		EXPECT_NE(first, one);
		if (i)
			EXPECT_EQ(!!(variant->flags & IOEVQ_POLL_LIFO), last == one);
		ASSERT_EQ(0, drain_listen(&p->t));
		ASSERT_TRUE(lie_down(p, one));
	}
}

/* A thread that waits in an epoll of its own. */
struct other {
	int ep;
	pid_t tid;
	int ret;
	int done;
	pthread_t thread;
};

static void *other_body(void *arg)
{
	struct other *o = arg;
	struct epoll_event ev;

	__atomic_store_n(&o->tid, gettid(), __ATOMIC_RELEASE);
	o->ret = epoll_wait(o->ep, &ev, 1, BOUND_NS / 1000000);
	__atomic_store_n(&o->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static int other_begin(struct other *o)
{
	o->tid = 0;
	o->done = 0;
	return !pthread_create(&o->thread, NULL, other_body, o) &&
	       eventually(__atomic_load_n(&o->tid, __ATOMIC_ACQUIRE)) &&
	       eventually(is_asleep(o->tid));
}

static int other_is_done(struct other *o)
{
	return __atomic_load_n(&o->done, __ATOMIC_ACQUIRE);
}

static int other_open(struct other *o, int fd, unsigned int flags)
{
	struct epoll_event ev = { .events = EPOLLIN | flags };

	o->ep = epoll_create1(EPOLL_CLOEXEC);
	return epoll_ctl(o->ep, EPOLL_CTL_ADD, fd, &ev);
}

/* Exclusive watchers of epoll and ours: one of all. */
TEST_F(mix, law_06_exclusive_epoll)
{
	struct party *p = &self->p;
	struct other o;
	int i;

	ASSERT_EQ(0, other_open(&o, p->t.fd, EPOLLEXCLUSIVE));
	ASSERT_TRUE(other_begin(&o));
	for (i = 0; i < 12; i++) {
		ASSERT_EQ(0, rouse_tcp_listen(&p->t));
		ASSERT_TRUE(eventually(other_is_done(&o) || who_is_done(p) >= 0));
		if (other_is_done(&o)) {
			ASSERT_EQ(0, pthread_join(o.thread, NULL));
			EXPECT_EQ(1, o.ret);
			EXPECT_EQ(-1, who_is_done(p));
			ASSERT_EQ(0, drain_listen(&p->t));
			ASSERT_TRUE(other_begin(&o));
		} else {
			int one = who(p);

			ASSERT_LE(0, one);
			EXPECT_TRUE(is_asleep(o.tid));
			EXPECT_FALSE(other_is_done(&o));
			ASSERT_EQ(0, drain_listen(&p->t));
			ASSERT_TRUE(lie_down(p, one));
		}
	}
	/* Who stands where is not promised. When all others are busy it is epoll's turn. */
	for (i = 0; i <= QUEUES && !other_is_done(&o); i++) {
		ASSERT_EQ(0, rouse_tcp_listen(&p->t));
		ASSERT_TRUE(eventually(other_is_done(&o) || who_is_done(p) >= 0));
		if (who_is_done(p) >= 0)
			ASSERT_LE(0, who(p));
	}
	ASSERT_EQ(0, pthread_join(o.thread, NULL));
	EXPECT_EQ(1, o.ret);
	close(o.ep);
}

/* Who does not watch exclusively is told always, and takes nobody's turn. */
TEST_F(mix, law_06_others_are_told_always)
{
	struct party *p = &self->p;
	struct ioevq plain;
	struct other o;
	int i, one;

	ASSERT_EQ(0, ioevq_open(&plain, 8, 0));
	ASSERT_EQ(0, watch(&plain, p->t.fd, POLLIN, IOEVQ_POLL_EDGE, 5));
	ASSERT_EQ(0, other_open(&o, p->t.fd, 0));
	for (i = 0; i < 9; i++) {
		ASSERT_TRUE(other_begin(&o));
		ASSERT_EQ(0, rouse_tcp_listen(&p->t));
		one = who(p);
		ASSERT_LE(0, one);
		ASSERT_EQ(0, pthread_join(o.thread, NULL));
		EXPECT_EQ(1, o.ret);
		EXPECT_EQ(POLLIN, announced(&plain, 5));
		ASSERT_EQ(0, drain_listen(&p->t));
		ASSERT_TRUE(lie_down(p, one));
	}
	ioevq_close(&plain);
	close(o.ep);
}

/* One in a queue that nobody waits for costs the others nothing. */
TEST_F(mix, law_02_a_queue_without_consumers)
{
	struct party *p = &self->p;
	struct ioevq idle;
	int i, one;

	ASSERT_EQ(0, ioevq_open(&idle, 8, 0));
	ASSERT_EQ(0, watch(&idle, p->t.fd, POLLIN, variant->flags | IOEVQ_POLL_EXCLUSIVE, 5));
	for (i = 0; i < 9; i++) {
		ASSERT_EQ(0, rouse_tcp_listen(&p->t));
		one = who(p);
		ASSERT_LE(0, one);
		ASSERT_EQ(0, drain_listen(&p->t));
		ASSERT_TRUE(lie_down(p, one));
	}
	EXPECT_TRUE(nothing(&idle));
	ioevq_close(&idle);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/* A queue is a file that can be polled: by poll(2), select(2) and epoll. */
#include <sys/epoll.h>
#include <sys/select.h>

#include "sleeper.h"
#include "slow_io.h"
#include "worker.h"

FIXTURE(pollable)
{
	struct ioevq q;
	int ep;
};

FIXTURE_SETUP(pollable)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };

	ASSERT_EQ(0, ioevq_open(&self->q, 4, 0));
	self->ep = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_LE(0, self->ep);
	ASSERT_EQ(0, epoll_ctl(self->ep, EPOLL_CTL_ADD, self->q.fd, &ev));
}

FIXTURE_TEARDOWN(pollable)
{
	close(self->ep);
	ioevq_close(&self->q);
}

static int poll_now(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) < 0 ? -errno : pfd.revents;
}

static int select_now(int fd)
{
	struct timeval none = { 0 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return select(fd + 1, &set, NULL, NULL, &none);
}

static int epoll_now(int ep)
{
	struct epoll_event ev;

	return epoll_wait(ep, &ev, 1, 0);
}

/* The ways to sleep until a queue is readable. */
static int by_poll(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, BOUND_NS / 1000000) == 1 && pfd.revents == POLLIN;
}

static int by_select(int fd)
{
	struct timeval bound = { .tv_sec = BOUND_NS / 1000000000 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return select(fd + 1, &set, NULL, NULL, &bound) == 1;
}

static int by_epoll(int ep)
{
	struct epoll_event ev;

	return epoll_wait(ep, &ev, 1, BOUND_NS / 1000000) == 1 && ev.events == EPOLLIN;
}

/* A thread that polls, and is known to sleep there. */
struct poller {
	int (*how)(int fd);
	int fd;
	pid_t tid;
	pthread_t thread;
	int ret;
};

static void *poller_body(void *arg)
{
	struct poller *p = arg;

	__atomic_store_n(&p->tid, gettid(), __ATOMIC_RELEASE);
	p->ret = p->how(p->fd);
	return NULL;
}

static int start_poller(struct poller *p, int (*how)(int fd), int fd)
{
	*p = (struct poller){ .how = how, .fd = fd };
	return !pthread_create(&p->thread, NULL, poller_body, p) &&
	       eventually(__atomic_load_n(&p->tid, __ATOMIC_ACQUIRE)) &&
	       eventually(thread_state(getpid(), p->tid) == 'S');
}

static int end_poller(struct poller *p)
{
	pthread_join(p->thread, NULL);
	return p->ret;
}

/* Readable as long as there is an event, in the ring or in the backlog. */
TEST_F(pollable, law_06_readable_while_there_are_events)
{
	struct ioevq_event ev;
	int i, ret;

	EXPECT_EQ(0, poll_now(self->q.fd));
	EXPECT_EQ(0, select_now(self->q.fd));
	EXPECT_EQ(0, epoll_now(self->ep));
	for (i = 0; i < 9; i++)
		ASSERT_EQ(0, ioevq_post(&self->q, i, 0, 0));
	EXPECT_EQ(1, epoll_now(self->ep));
	/* This one is edge-triggered: what it has told it does not tell again. */
	EXPECT_EQ(0, epoll_now(self->ep));
	for (i = 0; i < 9; i++) {
		EXPECT_EQ(POLLIN, poll_now(self->q.fd));
		EXPECT_EQ(1, select_now(self->q.fd));
		ret = i % 2 ? ioevq_take(&self->q, &ev) : enter_wait(&self->q, &ev, 1, 1, 0);
		ASSERT_EQ(1, ret);
		EXPECT_EQ(i, ev.user_data);
	}
	EXPECT_EQ(0, poll_now(self->q.fd));
	EXPECT_EQ(0, select_now(self->q.fd));
}

TEST_F(pollable, law_06_sleeping_pollers_are_told)
{
	static int (*const ways[])(int fd) = { by_poll, by_select, by_epoll };
	struct ioevq_event ev;
	struct poller p;
	unsigned int i;

	for (i = 0; i < 10 * ARRAY_SIZE(ways); i++) {
		int (*how)(int fd) = ways[i % ARRAY_SIZE(ways)];

		ASSERT_TRUE(start_poller(&p, how, how == by_epoll ? self->ep : self->q.fd));
		ASSERT_EQ(0, ioevq_post(&self->q, i, 0, 0));
		EXPECT_EQ(1, end_poller(&p));
		ASSERT_EQ(1, ioevq_take(&self->q, &ev));
		/* What the others were told is no news to epoll any more. */
		epoll_now(self->ep);
	}
	/* To look is not to consume: nobody was woken by law 6. */
	EXPECT_EQ(0, wakeups(&self->q));
}

/* All at once, and beside a consumer who sleeps in ENTER. */
TEST_F(pollable, law_06_pollers_and_a_consumer_are_told)
{
	struct poller p[3];
	struct sleeper s;
	unsigned int i;
	int fd = eventfd(0, 0);

	ASSERT_EQ(1, park(&self->q, fd, 1, 3));
	ASSERT_TRUE(start_poller(&p[0], by_epoll, self->ep));
	ASSERT_TRUE(put_to_sleep(&s, &self->q, 1, 0, BOUND_NS));
	ASSERT_TRUE(start_poller(&p[1], by_poll, self->q.fd));
	ASSERT_TRUE(start_poller(&p[2], by_select, self->q.fd));
	ASSERT_EQ(0, eventfd_write(fd, 1));
	for (i = 0; i < ARRAY_SIZE(p); i++)
		EXPECT_EQ(1, end_poller(&p[i]));
	EXPECT_EQ(1, woken(&s));
	EXPECT_EQ(1, wakeups(&self->q));
	EXPECT_EQ(1, query(&self->q).available);
	close(fd);
}

/* A queue that nobody has used yet: its first use may be another's. */
TEST_F(pollable, law_06_pollers_of_a_new_queue_are_told)
{
	static int (*const ways[])(int fd) = { by_poll, by_select, by_epoll };
	struct epoll_event ev = { .events = EPOLLIN };
	struct ioevq_req req;
	struct poller p;
	unsigned int i;
	int fd, ep;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		fd = open("/dev/ioevq", O_RDWR);
		ep = epoll_create1(0);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
		EXPECT_EQ(0, poll_now(fd));
		ASSERT_TRUE(start_poller(&p, ways[i], ways[i] == by_epoll ? ep : fd));
		ioevq_prep_post(&req, fd, 0, 0, 0);
		ASSERT_EQ(0, submit(&self->q, &req));
		EXPECT_EQ(1, end_poller(&p)) {
			TH_LOG("way %u", i);
			break;
		}
		EXPECT_EQ(POLLIN, poll_now(fd));
		close(ep);
		close(fd);
	}
}

struct chain {
	const struct ioevq *q;
	int ep;
	unsigned int n;
	int ret;
};

static void *answer_by_epoll(void *arg)
{
	struct chain *c = arg;
	struct ioevq_event ev;
	int ret;

	while (c->n && !c->ret) {
		if (!by_epoll(c->ep)) {
			c->ret = -ETIME;
			break;
		}
		/* Edge-triggered: take all that is there. */
		while ((ret = ioevq_take(c->q, &ev)) == 1)
			c->n--;
		if (ret < 0)
			c->ret = ret;
	}
	return NULL;
}

/* No edge is lost, however an event falls between a look and a sleep. */
TEST_F(pollable, law_06_no_edge_is_lost)
{
	struct chain c = { .q = &self->q, .ep = self->ep, .n = 3000 };
	unsigned int i, n = c.n;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, answer_by_epoll, &c));
	for (i = 0; i < n; i++) {
		ASSERT_EQ(0, ioevq_post(&self->q, i, 0, 0));
		if (i % 7 == 0)
			ASSERT_TRUE(eventually(query(&self->q).available == 0));
	}
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, c.ret);
	EXPECT_EQ(0, c.n);
}

struct batch {
	const struct ioevq *q;
	struct ioevq_req *reqs;
	int ret;
};

static void *submit_two(void *arg)
{
	struct batch *b = arg;

	b->ret = ioevq_submit(b->q, b->reqs, 2);
	return NULL;
}

/*
 * Told once that a file is to be looked at, and sent away as another submits, for as long as he
 * wants: told again when that is over.
 */
TEST_F(pollable, law_02_who_was_turned_away_is_told_again)
{
	int file = eventfd(0, EFD_CLOEXEC), idle = eventfd(0, EFD_CLOEXEC);
	struct epoll_event ep_ev;
	struct ioevq_event ev;
	struct slow_io slow;
	pthread_t thread;
	struct batch b;

	ASSERT_EQ(0, slow_make(&slow));
	ASSERT_EQ(0, slow_finish(&slow, 0));
	ASSERT_EQ(0, watch(&self->q, file, POLLIN, IOEVQ_POLL_LEVEL, 1));
	EXPECT_EQ(0, epoll_now(self->ep));
	/* The second request is missing, and not valid when it comes. */
	b.q = &self->q;
	b.reqs = (struct ioevq_req *)(slow.pages + SLOW_PAGE) - 1;
	ioevq_prep_poll(b.reqs, idle, POLLIN, IOEVQ_POLL_LEVEL, 2);
	ASSERT_EQ(0, pthread_create(&thread, NULL, submit_two, &b));
	ASSERT_EQ(0, slow_started(&slow));
	ASSERT_EQ(0, eventfd_write(file, 1));
	ASSERT_EQ(1, epoll_wait(self->ep, &ep_ev, 1, BOUND_NS / 1000000));
	ASSERT_EQ(0, ioevq_wait(&self->q, &ev, 1, 1, 0));
	ASSERT_EQ(0, slow_finish(&slow, 1));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(1, b.ret);
	EXPECT_EQ(1, epoll_wait(self->ep, &ep_ev, 1, BOUND_NS / 1000000));
	ASSERT_EQ(1, ioevq_wait(&self->q, &ev, 1, 1, 0));
	EXPECT_EQ(1, ev.user_data);
	EXPECT_EQ(POLLIN, ev.res);
	slow_end(&slow);
	close(idle);
	close(file);
}

#define FILES	4

struct silence {
	const struct ioevq *q;
	int files[FILES], idle;
	unsigned int served;
	int stop;
};

/* Whoever takes the event of a file empties it. */
static void serve(struct silence *s, const struct ioevq_event *ev)
{
	eventfd_t n;

	if (ev->user_data < FILES && !eventfd_read(s->files[ev->user_data], &n))
		__atomic_fetch_add(&s->served, 1, __ATOMIC_RELAXED);
}

/* Has the mutex again and again. */
static void *submit_on(void *arg)
{
	struct silence *s = arg;
	struct ioevq_req req;

	while (!is_set(&s->stop)) {
		ioevq_prep_poll_mod(&req, s->idle, POLLIN, IOEVQ_POLL_LEVEL, FILES, 0);
		req.flags = IOEVQ_REQ_SKIP_SUCCESS;
		submit(s->q, &req);
	}
	return NULL;
}

/* One event for each time that it is told to, and nothing more. */
static void *take_one_each(void *arg)
{
	struct silence *s = arg;
	struct ioevq_event ev;
	unsigned int seen = 0, now;

	while (!is_set(&s->stop)) {
		now = __atomic_load_n(&s->served, __ATOMIC_RELAXED) / FILES;
		if (now == seen && now)
			continue;
		seen = now;
		if (ioevq_wait(s->q, &ev, 1, 1, 0) == 1)
			serve(s, &ev);
	}
	return NULL;
}

/* If there is something told: take until nothing is left. How many were served so far. */
static unsigned int heed(struct silence *s, int ep)
{
	struct ioevq_event ev;

	if (epoll_now(ep) == 1)
		while (ioevq_wait(s->q, &ev, 1, 1, 0) == 1)
			serve(s, &ev);
	return __atomic_load_n(&s->served, __ATOMIC_RELAXED);
}

/*
 * Files that others have in hand, or leave, are told of to who polls and is told once: he is the
 * only one who comes until nothing is left.
 */
TEST_F(pollable, law_02_no_file_is_left_in_silence)
{
	struct silence s = { .q = &self->q };
	pthread_t threads[2];
	unsigned int i, round;

	s.idle = eventfd(0, EFD_CLOEXEC);
	ASSERT_EQ(0, watch(&self->q, s.idle, POLLIN, IOEVQ_POLL_LEVEL, FILES));
	for (i = 0; i < FILES; i++) {
		s.files[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		ASSERT_EQ(0, watch(&self->q, s.files[i], POLLIN, IOEVQ_POLL_LEVEL, i));
	}
	ASSERT_EQ(0, pthread_create(&threads[0], NULL, submit_on, &s));
	ASSERT_EQ(0, pthread_create(&threads[1], NULL, take_one_each, &s));
	for (round = 1; round <= 500; round++) {
		for (i = 0; i < FILES; i++)
			ASSERT_EQ(0, eventfd_write(s.files[i], 1));
		/* The last one may be served by the other, and nobody is told of that. */
		ASSERT_TRUE(eventually(heed(&s, self->ep) == round * FILES));
	}
	set(&s.stop);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	for (i = 0; i < FILES; i++)
		close(s.files[i]);
	close(s.idle);
}

/* The last close ends what epoll knows of it. */
TEST_F(pollable, law_08_closed_while_polled)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct ioevq q;
	int i;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, ioevq_open(&q, 4, 0));
		ASSERT_EQ(0, epoll_ctl(self->ep, EPOLL_CTL_ADD, q.fd, &ev));
		ASSERT_EQ(0, ioevq_post(&q, 1, 0, 0));
		ASSERT_EQ(1, epoll_now(self->ep));
		ioevq_close(&q);
		EXPECT_EQ(0, epoll_now(self->ep));
	}
}

TEST_HARNESS_MAIN

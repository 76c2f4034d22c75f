// SPDX-License-Identifier: MIT
/* Some of many eventfds are written to, told of, and read. */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/poll.h>

#include "bench.h"

#define FILES	200
#define MANY	64

struct ready {
	unsigned int next;		/* that is written to */
	int fds[FILES];
	int epfd;
	struct ioevq q;
	union {
		struct epoll_event epoll[MANY];
		struct ioevq_event ours[MANY];
	} events;
};

static struct ready *open_files(void)
{
	struct ready *r = new_state(sizeof(*r));

	r->epfd = -1;
	r->q.fd = -1;
	for (unsigned int i = 0; i < FILES; i++)
		r->fds[i] = MUST(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	return r;
}

static void *open_alone(void)
{
	return open_files();
}

static void *open_epoll(uint32_t mode)
{
	struct ready *r = open_files();

	r->epfd = MUST(epoll_create1(EPOLL_CLOEXEC));
	for (unsigned int i = 0; i < FILES; i++) {
		struct epoll_event event = { .events = EPOLLIN | mode, .data.fd = r->fds[i] };

		MUST(epoll_ctl(r->epfd, EPOLL_CTL_ADD, r->fds[i], &event));
	}
	return r;
}

static void *open_epoll_edge(void)
{
	return open_epoll(EPOLLET);
}

static void *open_epoll_level(void)
{
	return open_epoll(0);
}

static void *open_ours(uint32_t mode)
{
	struct ready *r = open_files();

	OURS(ioevq_open(&r->q, 256, 0));
	for (unsigned int i = 0; i < FILES; i++) {
		struct ioevq_req req;

		ioevq_prep_poll(&req, r->fds[i], POLLIN, mode, r->fds[i]);
		OURS(ioevq_submit(&r->q, &req, 1));
	}
	return r;
}

static void *open_ours_edge(void)
{
	return open_ours(IOEVQ_POLL_EDGE);
}

static void *open_ours_level(void)
{
	return open_ours(IOEVQ_POLL_LEVEL);
}

static void close_ready(void *state)
{
	struct ready *r = state;

	if (r->q.fd >= 0)
		ioevq_close(&r->q);
	if (r->epfd >= 0)
		close(r->epfd);
	for (unsigned int i = 0; i < FILES; i++)
		close(r->fds[i]);
	free(r);
}

static void write_to(struct ready *r, unsigned int n)
{
	while (n--) {
		put_message(r->fds[r->next]);
		r->next = (r->next + 1) % FILES;
	}
}

/* By who knows which they are. */
static void round_alone(struct ready *r, unsigned int n)
{
	unsigned int i;

	write_to(r, n);
	for (i = 0; i < n; i++)
		get_message(r->fds[(r->next + FILES - n + i) % FILES]);
}

static void round_epoll(struct ready *r, unsigned int n)
{
	unsigned int got;

	write_to(r, n);
	for (; n; n -= got) {
		got = MUST(epoll_wait(r->epfd, r->events.epoll, n, -1));
		for (unsigned int i = 0; i < got; i++)
			get_message(r->events.epoll[i].data.fd);
	}
}

/* By the system call, even if there is something in the ring. */
static void round_enter(struct ready *r, unsigned int n)
{
	struct ioevq_enter enter = {
		.events = (uintptr_t)r->events.ours, .min = 1, .timeout_ns = IOEVQ_FOREVER,
	};
	unsigned int got;

	write_to(r, n);
	for (; n; n -= got) {
		enter.max = n;
		got = OURS(ioevq_enter(&r->q, &enter));
		for (unsigned int i = 0; i < got; i++)
			get_message((int)r->events.ours[i].user_data);
	}
}

static void round_ring(struct ready *r, unsigned int n)
{
	struct ioevq_event event;

	write_to(r, n);
	while (n) {
		if (OURS(ioevq_take(&r->q, &event))) {
			get_message((int)event.user_data);
			n--;
		}
	}
}

#define ROUND(name, n)			\
static void name##_##n(void *state)	\
{					\
	name(state, n);			\
}

ROUND(round_alone, 1)
ROUND(round_epoll, 1)
ROUND(round_enter, 1)
ROUND(round_ring, 1)
ROUND(round_alone, MANY)
ROUND(round_epoll, MANY)
ROUND(round_enter, MANY)
ROUND(round_ring, MANY)

const struct question ready_questions[] = {
	{ "1 of 200 eventfds is ready, edge-triggered", 1, {
		[ALONE] = { open_alone, round_alone_1, close_ready },
		[EPOLL] = { open_epoll_edge, round_epoll_1, close_ready },
		[ENTER] = { open_ours_edge, round_enter_1, close_ready },
		[RING] = { open_ours_edge, round_ring_1, close_ready },
	} },
	{ "the same, level-triggered", 1, {
		[ALONE] = { open_alone, round_alone_1, close_ready },
		[EPOLL] = { open_epoll_level, round_epoll_1, close_ready },
		[ENTER] = { open_ours_level, round_enter_1, close_ready },
	} },
	{ "64 of 200 are ready, edge-triggered", MANY, {
		[ALONE] = { open_alone, round_alone_MANY, close_ready },
		[EPOLL] = { open_epoll_edge, round_epoll_MANY, close_ready },
		[ENTER] = { open_ours_edge, round_enter_MANY, close_ready },
		[RING] = { open_ours_edge, round_ring_MANY, close_ready },
	} },
};

const unsigned int nr_ready_questions = ARRAY_SIZE(ready_questions);

// SPDX-License-Identifier: GPL-2.0-only
/* Readiness by poll(2) and epoll(7), and without being told. */
#include "ready.h"

static void open_nothing(struct ready *r)
{
	(void)r;
}

static __always_inline unsigned int take_known(struct ready *r)
{
	const struct objects *o = r->o;
	unsigned int i, at = o->next + o->n - o->k;

	for (i = 0; i < o->k; i++)
		r->ready[i] = (at + i) % o->n;
	return o->k;
}

static void round_base(void *arg)
{
	ready_round(arg, take_known, not_rearmed);
}

static void round_base_unread(void *arg)
{
	struct ready *r = arg;

	put_message(r->o->wr[0]);
}

static void open_poll(struct ready *r)
{
	struct pollfd *p = warm_alloc(r->o->n, sizeof(*p));

	for (unsigned int i = 0; i < r->o->n; i++)
		p[i] = (struct pollfd){ .fd = r->o->rd[i], .events = POLLIN };
	r->state = p;
}

static unsigned int take_poll(struct ready *r)
{
	struct pollfd *p = r->state;
	int left = MUST(poll(p, r->o->n, -1));
	unsigned int n = 0, i;

	for (i = 0; left && n < MAX_ACTIVE; i++) {
		if (p[i].revents) {
			r->ready[n++] = i;
			left--;
		}
	}
	return n;
}

static void round_poll(void *arg)
{
	ready_round(arg, take_poll, not_rearmed);
}

static void close_poll(struct ready *r)
{
	free(r->state);
}

struct epoll {
	int fd;
	struct epoll_event events[MAX_ACTIVE];
};

static void open_epoll(struct ready *r, uint32_t flags)
{
	struct epoll *e = warm_alloc(1, sizeof(*e));
	struct epoll_event ev = { .events = EPOLLIN | flags };
	unsigned int i;

	e->fd = MUST(epoll_create1(0));
	for (i = 0; i < r->o->n; i++) {
		ev.data.u32 = i;
		MUST(epoll_ctl(e->fd, EPOLL_CTL_ADD, r->o->rd[i], &ev));
	}
	r->state = e;
}

static void open_epoll_level(struct ready *r)
{
	open_epoll(r, 0);
}

static void open_epoll_edge(struct ready *r)
{
	open_epoll(r, EPOLLET);
}

static void open_epoll_oneshot(struct ready *r)
{
	open_epoll(r, EPOLLONESHOT);
}

static __always_inline unsigned int take_epoll(struct ready *r)
{
	struct epoll *e = r->state;
	int n = MUST(epoll_wait(e->fd, e->events, MAX_ACTIVE, -1));

	for (int i = 0; i < n; i++)
		r->ready[i] = e->events[i].data.u32;
	return (unsigned int)n;
}

static void round_epoll(void *arg)
{
	ready_round(arg, take_epoll, not_rearmed);
}

static void round_epoll_unread(void *arg)
{
	unread_round(arg, take_epoll);
}

static __always_inline void rearm_epoll(struct ready *r, unsigned int i)
{
	struct epoll *e = r->state;
	struct epoll_event ev = { .events = EPOLLIN | EPOLLONESHOT, .data.u32 = i };

	MUST(epoll_ctl(e->fd, EPOLL_CTL_MOD, r->o->rd[i], &ev));
}

static void round_epoll_oneshot(void *arg)
{
	ready_round(arg, take_epoll, rearm_epoll);
}

static void close_epoll(struct ready *r)
{
	close(((struct epoll *)r->state)->fd);
	free(r->state);
}

const struct way ways_classic[] = {
	{ "write and read", BASE, open_nothing, round_base, open_nothing, 0,
	  round_base_unread },
	{ "poll", PEER, open_poll, round_poll, close_poll, 10000 },
	{ "epoll LT", PEER, open_epoll_level, round_epoll, close_epoll, 0 },
	{ "epoll ET", PEER, open_epoll_edge, round_epoll, close_epoll, 0,
	  round_epoll_unread },
	{ "epoll ONESHOT", PEER, open_epoll_oneshot, round_epoll_oneshot, close_epoll, 0 },
};

const unsigned int nr_ways_classic = ARRAY_SIZE(ways_classic);

// SPDX-License-Identifier: GPL-2.0-only
/* Readiness by /dev/ioevq. */
#include "ready.h"

#define ENTRIES		256

struct ours {
	struct ioevq q;
	struct ioevq_event events[MAX_ACTIVE];
	struct ioevq_req reqs[MAX_ACTIVE];	/* to be submitted with the next wait */
	unsigned int nr_reqs;
};

static void watch_all(struct ready *r, unsigned int mode)
{
	struct ours *s = warm_alloc(1, sizeof(*s));
	unsigned int i, n = 0;

	errno = -ioevq_open(&s->q, ENTRIES, 0);
	if (errno)
		die("ioevq_open");
	for (i = 0; i < r->o->n; i++) {
		ioevq_prep_poll(&s->reqs[n++], r->o->rd[i], POLLIN, mode, i);
		if (n == MAX_ACTIVE || i + 1 == r->o->n) {
			if (ioevq_submit(&s->q, s->reqs, n) != (int)n)
				die("ioevq_submit");
			n = 0;
		}
	}
	r->state = s;
}

static void open_edge(struct ready *r)
{
	watch_all(r, IOEVQ_POLL_EDGE);
}

static void open_level(struct ready *r)
{
	watch_all(r, IOEVQ_POLL_LEVEL);
}

static void open_once(struct ready *r)
{
	watch_all(r, IOEVQ_POLL_ONESHOT);
}

static void open_dispatch(struct ready *r)
{
	watch_all(r, IOEVQ_POLL_DISPATCH);
}

/* From the ring, without a system call. */
static __always_inline unsigned int take_ring(struct ready *r)
{
	struct ours *s = r->state;
	struct ioevq_event ev;
	unsigned int n = 0;

	while (n < MAX_ACTIVE && ioevq_take(&s->q, &ev) > 0)
		r->ready[n++] = (unsigned int)ev.user_data;
	return n;
}

/* The same, all that are there by one access. */
static __always_inline unsigned int take_many(struct ready *r)
{
	struct ours *s = r->state;
	int i, n = ioevq_take_many(&s->q, s->events, MAX_ACTIVE);

	for (i = 0; i < n; i++)
		r->ready[i] = (unsigned int)s->events[i].user_data;
	return n > 0 ? (unsigned int)n : 0;
}

static void round_many(void *arg)
{
	ready_round(arg, take_many, not_rearmed);
}

/* By one call, which submits what there is, too. */
static __always_inline unsigned int take_enter(struct ready *r)
{
	struct ours *s = r->state;
	struct ioevq_enter enter = {
		.reqs = (uintptr_t)s->reqs,
		.nr_reqs = s->nr_reqs,
		.events = (uintptr_t)s->events,
		.min = 1,
		.max = MAX_ACTIVE,
		.timeout_ns = -1,
	};
	int i, n = ioevq_enter(&s->q, &enter);

	if (n < 1)
		die("ioevq_enter");
	s->nr_reqs = 0;
	for (i = 0; i < n; i++)
		r->ready[i] = (unsigned int)s->events[i].user_data;
	return (unsigned int)n;
}

/* By read(2): a call, too, whose arguments are in registers. */
static __always_inline unsigned int take_read(struct ready *r)
{
	struct ours *s = r->state;
	ssize_t i, n = read(s->q.fd, s->events, sizeof(s->events));

	if (n < (ssize_t)sizeof(*s->events))
		die("read of a queue");
	n /= (ssize_t)sizeof(*s->events);
	for (i = 0; i < n; i++)
		r->ready[i] = (unsigned int)s->events[i].user_data;
	return (unsigned int)n;
}

static void round_read(void *arg)
{
	ready_round(arg, take_read, not_rearmed);
}

static void round_ring(void *arg)
{
	ready_round(arg, take_ring, not_rearmed);
}

static void round_enter(void *arg)
{
	ready_round(arg, take_enter, not_rearmed);
}

static void round_ring_unread(void *arg)
{
	unread_round(arg, take_ring);
}

static void round_enter_unread(void *arg)
{
	unread_round(arg, take_enter);
}

static __always_inline void watch_again(struct ready *r, unsigned int i)
{
	struct ours *s = r->state;

	ioevq_prep_poll(&s->reqs[s->nr_reqs++], r->o->rd[i], POLLIN, IOEVQ_POLL_ONESHOT, i);
}

static __always_inline void rearm(struct ready *r, unsigned int i)
{
	struct ours *s = r->state;
	struct ioevq_req *req = &s->reqs[s->nr_reqs++];

	ioevq_prep_poll_mod(req, r->o->rd[i], POLLIN, IOEVQ_POLL_DISPATCH, i, 0);
	req->flags = IOEVQ_REQ_SKIP_SUCCESS;
}

static void submit_before(struct ours *s)
{
	if (s->nr_reqs && ioevq_submit(&s->q, s->reqs, s->nr_reqs) != (int)s->nr_reqs)
		die("ioevq_submit");
	s->nr_reqs = 0;
}

/* Armed by the call that waits for the next one. */
static void round_once(void *arg)
{
	ready_round(arg, take_enter, watch_again);
}

static void round_dispatch(void *arg)
{
	ready_round(arg, take_enter, rearm);
}

/* Armed by a call of its own, before anything else is ready. */
static void round_once_before(void *arg)
{
	struct ready *r = arg;

	submit_before(r->state);
	ready_round(r, take_ring, watch_again);
}

static void round_dispatch_before(void *arg)
{
	struct ready *r = arg;

	submit_before(r->state);
	ready_round(r, take_ring, rearm);
}

static void close_ours(struct ready *r)
{
	ioevq_close(&((struct ours *)r->state)->q);
	free(r->state);
}

const struct way ways_ours[] = {
	{ "ioevq edge, ring", OURS, open_edge, round_ring, close_ours, 0,
	  round_ring_unread },
	{ "ioevq edge, ring, many", OURS, open_edge, round_many, close_ours, 0 },
	{ "ioevq edge, ENTER", OURS, open_edge, round_enter, close_ours, 0,
	  round_enter_unread },
	{ "ioevq edge, read", OURS, open_edge, round_read, close_ours, 0 },
	{ "ioevq level, read", OURS, open_level, round_read, close_ours, 0 },
	{ "ioevq level, ENTER", OURS, open_level, round_enter, close_ours, 0 },
	{ "ioevq one-shot", OURS, open_once, round_once, close_ours, 0 },
	{ "ioevq one-shot, armed before", OURS, open_once, round_once_before, close_ours, 0 },
	{ "ioevq dispatch", OURS, open_dispatch, round_dispatch, close_ours, 0 },
	{ "ioevq dispatch, armed before", OURS, open_dispatch, round_dispatch_before, close_ours,
	  0 },
};

const unsigned int nr_ways_ours = ARRAY_SIZE(ways_ours);

// SPDX-License-Identifier: GPL-2.0-only
/* Readiness by io_uring. */
#include "ready.h"
#include "uring.h"

#define ENTRIES		256

static void watch_all(struct ready *r, unsigned int flags, bool multi)
{
	struct uring *u = warm_alloc(1, sizeof(*u));
	unsigned int i;

	if (uring_open(u, ENTRIES, flags))
		die("io_uring_setup");
	for (i = 0; i < r->o->n; i++) {
		uring_poll(u, r->o->rd[i], i, multi);
		if (u->to_submit == ENTRIES || i + 1 == r->o->n)
			MUST(uring_enter(u, 0, 0));
	}
	r->state = u;
}

static void open_multi(struct ready *r)
{
	watch_all(r, 0, true);
}

static void open_multi_defer(struct ready *r)
{
	watch_all(r, URING_DEFER, true);
}

static void open_once(struct ready *r)
{
	watch_all(r, 0, false);
}

static void open_once_defer(struct ready *r)
{
	watch_all(r, URING_DEFER, false);
	uring_register_files(r->state, r->o->rd, r->o->n);
}

static __always_inline unsigned int reap(struct ready *r, struct uring *u)
{
	unsigned int head = *u->cq_head, n;
	unsigned int tail = __atomic_load_n(u->cq_tail, __ATOMIC_ACQUIRE);

	for (n = 0; head + n != tail && n < MAX_ACTIVE; n++)
		r->ready[n] = (unsigned int)u->cqes[(head + n) & u->cq_mask].user_data;
	uring_seen(u, n);
	return n;
}

/* The kernel has put it there at the end of the write: a call only where it has not. */
static __always_inline unsigned int take_ring(struct ready *r)
{
	unsigned int n = reap(r, r->state);

	while (!n) {
		MUST(uring_enter(r->state, 1, IORING_ENTER_GETEVENTS));
		n = reap(r, r->state);
	}
	return n;
}

/* What is to be submitted goes with the wait. */
static __always_inline unsigned int take_enter(struct ready *r)
{
	MUST(uring_enter(r->state, 1, IORING_ENTER_GETEVENTS));
	return reap(r, r->state);
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

static __always_inline void rearm(struct ready *r, unsigned int i)
{
	uring_poll(r->state, r->o->rd[i], i, false);
}

static __always_inline void rearm_fixed(struct ready *r, unsigned int i)
{
	uring_poll(r->state, (int)i, i, false)->flags = IOSQE_FIXED_FILE;
}

/* Armed by the call that waits for the next one. */
static void round_once(void *arg)
{
	ready_round(arg, take_enter, rearm);
}

static void round_once_fixed(void *arg)
{
	ready_round(arg, take_enter, rearm_fixed);
}

/* Armed by a call of its own, before anything else is ready. */
static void round_once_before(void *arg)
{
	struct ready *r = arg;

	if (((struct uring *)r->state)->to_submit)
		MUST(uring_enter(r->state, 0, IORING_ENTER_GETEVENTS));
	ready_round(r, take_ring, rearm);
}

static void close_uring(struct ready *r)
{
	uring_close(r->state);
	free(r->state);
}

const struct way ways_uring[] = {
	{ "io_uring multishot, ring", PEER, open_multi, round_ring, close_uring, 0,
	  round_ring_unread },
	{ "io_uring multishot, DEFER", PEER, open_multi_defer, round_enter, close_uring, 0,
	  round_enter_unread },
	{ "io_uring one-shot", PEER, open_once, round_once, close_uring, 0 },
	{ "io_uring one-shot, DEFER, fixed", PEER, open_once_defer, round_once_fixed, close_uring,
	  0 },
	{ "io_uring one-shot, armed before", PEER, open_once, round_once_before, close_uring, 0 },
};

const unsigned int nr_ways_uring = ARRAY_SIZE(ways_uring);

// SPDX-License-Identifier: MIT
/* Take events, and account for them. */
#define _GNU_SOURCE
#include <errno.h>
#include <unistd.h>

#include "facade.h"

/* Without lock it is a guess. The kick is none: it is for another thread. */
bool has_events(const struct world *w)
{
	const struct ioevq_ring *ring = w->q.ring;
	uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
	uint64_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);

	return tail - head > (w->kicked ? 1 : 0) ||
	       __atomic_load_n(&ring->flags, __ATOMIC_RELAXED) & IOEVQ_RING_BACKLOG;
}

static void account(struct world *w, const struct ioevq_event *ev)
{
	struct request *r = (struct request *)(uintptr_t)ev->user_data;

	if (ev->user_data == KICK)
		w->kicked = false;
	else if (ev->user_data == FENCE)
		return;
	else if (r->state == POLLING)
		stream_ready(w, r, ev);
	else
		request_finish(w, r, ev->res);
}

/* What is outside of the ring comes in by a system call. */
static bool take(struct world *w, struct ioevq_event *ev)
{
	struct ioevq_enter enter = { .events = (uintptr_t)ev, .max = 1 };

	if (ioevq_take_mapped(&w->q, ev, 1))
		return true;
	return __atomic_load_n(&w->q.ring->flags, __ATOMIC_RELAXED) & IOEVQ_RING_BACKLOG &&
	       queue_enter(w, &enter) == 1;
}

/* The thread that sleeps in the queue shall look at what is outside of it. */
static void kick(struct world *w)
{
	struct ioevq_req req;
	unsigned int accepted;

	if (w->kicked)
		return;
	ioevq_prep_post(&req, -1, 0, 0, KICK);
	w->kicked = !queue_submit(w, &req, 1, &accepted);
}

void wake_sleepers(struct world *w)
{
	if (!w->has_sleepers)
		return;
	w->has_sleepers = false;
	__atomic_add_fetch(&w->changes, 1, __ATOMIC_RELEASE);
	futex_wake(&w->changes, INT32_MAX);
}

/*
 * What is due when something has ended, before the lock is left. Another thread that sleeps
 * in the queue, and knows only that there was nothing, is kicked: what it sleeps for may be
 * among that. The helper sleeps for nothing in particular, but for what is left to it.
 */
void tell(struct world *w)
{
	if (!w->news && !w->todo)
		return;
	w->news = false;
	wake_sleepers(w);
	if (w->sleeper && (w->sleeper != w->helper || w->todo) && w->sleeper != gettid())
		kick(w);
}

/* All that is there. The kick is for who sleeps, or wakes. */
void reap(struct world *w)
{
	bool mine = !w->sleeper || w->sleeper == gettid();
	struct ioevq_event ev;

	start_ready(w);
	while ((mine || has_events(w)) && take(w, &ev)) {
		account(w, &ev);
		start_ready(w);
		/* Be it the kick, which another one must have instead. */
		w->news = true;
	}
	tell(w);
}

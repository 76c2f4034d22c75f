// SPDX-License-Identifier: GPL-2.0-only
/*
 * File I/O in order. A request that is to start after all earlier ones on its open file is
 * held at a gate until the last of them has ended. Each of them is before one gate at most:
 * who is held at the next one waits for who was held at this one, and so for those as well.
 *
 * Where who was held is cancelled, the gate takes its place among those that the next one
 * waits for. Whatever ends costs the same, however many gates there are: where nothing but
 * another gate is before one, that other one does for both.
 */
#include <linux/slab.h>

#include "aio.h"

/* Under queue->lock. It is there for as long as requests are before it that have not ended. */
struct ioevq_gate {
	u32 earlier;			/* those, and @prev */
	struct ioevq_aio *waiter;	/* is held here; NULL: was cancelled */
	struct ioevq_gate *prev;	/* without a waiter, is before this one; or NULL */
	struct ioevq_gate *next;	/* the same from there */
};

/* What a request needs to be held: it is freed with it if it never is. 0 or -ENOMEM. */
int ioevq_order_prepare(struct ioevq_aio *aio)
{
	aio->gate = kzalloc(sizeof(*aio->gate), GFP_KERNEL_ACCOUNT);
	return aio->gate ? 0 : -ENOMEM;
}

static void link(struct ioevq_gate *prev, struct ioevq_gate *next)
{
	prev->next = next;
	if (next)
		next->prev = prev;
}

/* If there is only another gate before it, that takes its place. */
static void merge(struct ioevq_gate *gate)
{
	struct ioevq_gate *prev = gate->prev;

	if (!prev || gate->earlier > 1)
		return;
	prev->waiter = gate->waiter;
	if (prev->waiter)
		prev->waiter->gate = prev;
	link(prev, gate->next);
	kfree(gate);
}

/* Of one queue's file I/O on one open file, those that have not ended. */
static struct ioevq_aio *unended(struct ioevq_kreq *kreq, struct ioevq_aio *than)
{
	if (kreq->src->cancel != ioevq_aio_cancel || kreq->file != than->kreq.file ||
	    kreq == &than->kreq || kreq->state == IOEVQ_FINAL)
		return NULL;
	return to_aio(kreq);
}

/*
 * @other comes before @gate, or what it comes before does: that is one for all of those. The
 * newest one is first: a gate that is before another one still is behind that.
 */
static void come_before(struct ioevq_aio *other, struct ioevq_gate *gate)
{
	struct ioevq_gate *last = other->before;

	if (!last)
		other->before = gate;
	else if (!last->waiter && !last->next)
		link(last, gate);
	else
		return;
	gate->earlier++;
}

/*
 * Wait for those that came before: false if there are none. It was prepared. Under
 * queue->mutex, @aio is not in the index yet.
 */
bool ioevq_order_hold(struct ioevq_aio *aio)
{
	struct ioevq_queue *q = aio->kreq.q;
	struct ioevq_gate *gate = aio->gate;
	struct ioevq_kreq *kreq;
	struct ioevq_aio *other;
	bool held;

	/* One for ourselves: they may all end before we have seen the last of them. */
	gate->earlier = 1;
	gate->waiter = aio;
	hlist_for_each_entry(kreq, ioevq_index_file(&q->index, aio->kreq.file), by_file) {
		spin_lock_irq(&q->lock);
		other = unended(kreq, aio);
		if (other)
			come_before(other, gate);
		spin_unlock_irq(&q->lock);
		cond_resched();
	}
	spin_lock_irq(&q->lock);
	held = --gate->earlier;
	aio->held = held;
	if (held)
		merge(gate);
	spin_unlock_irq(&q->lock);
	return held;
}

/* It has ended: who comes next may start. queue->lock is held, in any context. */
void ioevq_order_ended(struct ioevq_aio *aio)
{
	struct ioevq_gate *gate = aio->before;

	aio->before = NULL;
	if (!gate)
		return;
	if (--gate->earlier) {
		merge(gate);
		return;
	}
	if (gate->waiter) {
		gate->waiter->gate = NULL;
		gate->waiter->held = false;
		ioevq_lane_add_locked(aio->kreq.q, &gate->waiter->item);
	}
	/* It is not the only one before that: merge() sees to it. */
	if (gate->next) {
		gate->next->prev = NULL;
		gate->next->earlier--;
	}
	kfree(gate);
}

/*
 * It is cancelled: those that it waits for are waited for by who waits for it. False if it
 * is not held. Under queue->mutex.
 */
bool ioevq_order_leave(struct ioevq_aio *aio)
{
	struct ioevq_queue *q = aio->kreq.q;
	struct ioevq_gate *next;
	bool held;

	spin_lock_irq(&q->lock);
	held = aio->held;
	if (held) {
		aio->held = false;
		aio->gate->waiter = NULL;
		next = aio->before;
		aio->before = NULL;
		link(aio->gate, next);
		aio->gate = NULL;
		if (next)
			merge(next);
	}
	spin_unlock_irq(&q->lock);
	return held;
}

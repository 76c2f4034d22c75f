// SPDX-License-Identifier: GPL-2.0-only
/*
 * File I/O in order. A request that is to start after all earlier ones on its open file is
 * held until the last of them has ended. Each of those knows the first one that was to come
 * after it, and that one the next: no more is needed, for the next waits for the first, too.
 */
#include "aio.h"

/* Of one queue's file I/O on one open file, those that have not ended. */
static struct ioevq_aio *unended(struct ioevq_kreq *kreq, struct ioevq_aio *than)
{
	if (kreq->src->cancel != ioevq_aio_cancel || kreq->file != than->kreq.file ||
	    kreq == &than->kreq || kreq->state == IOEVQ_FINAL)
		return NULL;
	return to_aio(kreq);
}

/*
 * Wait for those that came before: false if there are none. Under queue->mutex, @aio is not
 * in the index yet.
 */
bool ioevq_order_hold(struct ioevq_aio *aio)
{
	struct ioevq_queue *q = aio->kreq.q;
	struct ioevq_kreq *kreq;
	struct ioevq_aio *other;
	bool held;

	/* One for ourselves: they may all end before we have seen the last of them. */
	aio->earlier = 1;
	hlist_for_each_entry(kreq, ioevq_index_file(&q->index, aio->kreq.file), by_file) {
		spin_lock_irq(&q->lock);
		other = unended(kreq, aio);
		if (other && !other->before) {
			other->before = aio;
			aio->earlier++;
		}
		spin_unlock_irq(&q->lock);
		cond_resched();
	}
	spin_lock_irq(&q->lock);
	held = --aio->earlier;
	aio->held = held;
	spin_unlock_irq(&q->lock);
	return held;
}

/* It has ended: who comes next may start. queue->lock is held, in any context. */
void ioevq_order_ended(struct ioevq_aio *aio)
{
	struct ioevq_aio *next = aio->before;

	aio->before = NULL;
	if (!next || --next->earlier || !next->held)
		return;
	next->held = false;
	ioevq_lane_add_locked(next->kreq.q, &next->item);
}

/*
 * It is cancelled: those that it waits for are waited for by who waits for it. False if it
 * is not held. Under queue->mutex.
 */
bool ioevq_order_leave(struct ioevq_aio *aio)
{
	struct ioevq_queue *q = aio->kreq.q;
	struct ioevq_kreq *kreq;
	struct ioevq_aio *other;

	spin_lock_irq(&q->lock);
	if (!aio->held) {
		spin_unlock_irq(&q->lock);
		return false;
	}
	aio->held = false;
	spin_unlock_irq(&q->lock);
	hlist_for_each_entry(kreq, ioevq_index_file(&q->index, aio->kreq.file), by_file) {
		spin_lock_irq(&q->lock);
		other = unended(kreq, aio);
		if (other && other->before == aio) {
			other->before = aio->before;
			if (aio->before)
				aio->before->earlier++;
		}
		spin_unlock_irq(&q->lock);
		cond_resched();
	}
	return true;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Messages. */
#include "req.h"
#include "wake.h"

/* Post it without new memory: in the ring, or in the record of a message before. */
static bool post_for_free(struct ioevq_queue *q, const struct ioevq_event *ev)
{
	struct ioevq_rec *rec;

	if (ioevq_ring_post_unpaid(&q->ring, ev))
		return true;
	rec = q->done_posts;
	if (!rec)
		return false;
	WRITE_ONCE(q->done_posts, rec->next);
	rec->ev = *ev;
	ioevq_ring_post(&q->ring, rec);
	return true;
}

static int post_in_new_memory(struct ioevq_queue *q, const struct ioevq_event *ev)
{
	struct ioevq_kreq *kreq = ioevq_kreq_alloc(q, ioevq_source(ev->op), ev->op, ev->user_data,
						   false);

	if (IS_ERR(kreq))
		return PTR_ERR(kreq);
	kreq->rec.home = &q->done_posts;
	ioevq_accept(kreq);
	ioevq_complete(kreq, ev->res, 0, ev->data);
	return 0;
}

/*
 * Post messages. If the ring has room that costs nothing; else one needs a record,
 * allocated here and counted as a request of the queue that receives it: a sender
 * is refused, never blocked, and a message that was accepted is never lost. The
 * receiver may never submit, and so never sweep: its records are used again.
 *
 * Of an operation whose source has no object. Returns how many were posted, or why not even
 * the first one was.
 */
int ioevq_post(struct ioevq_queue *q, const struct ioevq_event *evs, unsigned int nr)
{
	struct ioevq_ring_state *ring = &q->ring;
	unsigned int n = 0;
	int err = 0;

	spin_lock_irq(&q->lock);
	while (n < nr && ioevq_ring_is_open(ring)) {
		ioevq_seq_t seq = ring->tail;

		trace_ioevq_post(ring, &evs[n], seq);
		*ioevq_ring_slot(ring, seq) = evs[n++];
		ioevq_ring_publish(ring, seq);
	}
	while (n < nr && post_for_free(q, &evs[n]))
		n++;
	if (n)
		ioevq_wake(q);
	spin_unlock_irq(&q->lock);
	for (; n < nr && !err; n += !err)
		err = post_in_new_memory(q, &evs[n]);
	return n ? (int)n : err;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Taking events where there is more to be done than that. */
#include <linux/sched/signal.h>

#include "take.h"
#include "wake.h"

/* Files were looked at, which may have taken its time. As ioevq_take_at_once(). */
static int take_after_look(struct ioevq_queue *q, struct ioevq_event __user *to, u32 min, u32 max,
			   unsigned int no_wait)
{
	u32 flags = READ_ONCE(q->ring.flags);
	int ret = -EAGAIN;

	if (flags & ~(IOEVQ_RING_RECHECK | IOEVQ_RING_BACKLOG))
		return -EAGAIN;
	if (!(flags & IOEVQ_RING_BACKLOG))
		ret = ioevq_take_now(q, to, min, max, no_wait);
	/*
	 * Another was faster, or a fault, or there was more than the ring has room for. The
	 * long way would look at the files once more.
	 */
	if (ret == -EAGAIN && max && (no_wait || min == 1))
		ret = ioevq_take_events(q, to, max);
	return ret || no_wait ? ret : -EAGAIN;
}

/*
 * What ioevq_take_at_once() does where there may be files to be looked at: they are, if it is
 * time for that. -EAGAIN: there is more to think of.
 */
int ioevq_look_and_take(struct ioevq_queue *q, struct ioevq_event __user *to, u32 min, u32 max,
			unsigned int no_wait)
{
	u32 found = 0;
	bool due;
	int ret;

	/* Who has sent a message only looks at no file for it. */
	if (READ_ONCE(q->ring.flags) & ~IOEVQ_RING_RECHECK || ioevq_conc_counts_me() ||
	    !ioevq_seems_empty(&q->unreaped) || !(min || max))
		return -EAGAIN;
	spin_lock_irq(&q->lock);
	/* Who looks at them now may leave some, and owes us to be told of that. */
	due = ioevq_recheck_due(q) || q->looking;
	spin_unlock_irq(&q->lock);
	if (!due)
		return ioevq_take_now(q, to, min, max, no_wait);
	found = ioevq_recheck(q, max ?: U64_MAX, false);
	ret = take_after_look(q, to, min, max, no_wait);
	if (found) {
		spin_lock_irq(&q->lock);
		q->claimed -= found;
		/* Who only waits takes from the mapped ring: what he has found is for him. */
		if ((max || ret <= 0) && !list_empty(&q->waiters))
			ioevq_hand_on(q);
		spin_unlock_irq(&q->lock);
	}
	/* What goes on may be for others, while we are busy with what we have. */
	if (ret > 0)
		ioevq_go_on(q, true);
	else if (!ret && READ_ONCE(q->polled))
		ioevq_leave_look(q);
	return ret;
}

/* What is aside comes into the ring. Is there more of it? @sane: is the head? */
static bool bring_in(struct ioevq_queue *q, bool *sane)
{
	bool more;

	spin_lock_irq(&q->lock);
	ioevq_ring_flush(&q->ring, 128);
	more = q->ring.backlog;
	*sane = ioevq_ring_head_is_sane(&q->ring);
	spin_unlock_irq(&q->lock);
	return more;
}

/* Take up to @max events, as many as are there. */
int ioevq_take_events(struct ioevq_queue *q, struct ioevq_event __user *to, u32 max)
{
	struct ioevq_ring_state *ring = &q->ring;
	bool sane = true, more;
	u32 taken = 0;
	u64 head, tail;
	int n;

	while (taken < max) {
		more = READ_ONCE(ring->flags) & IOEVQ_RING_BACKLOG && bring_in(q, &sane);
		/* Pairs with the release in ioevq_ring_publish(). */
		tail = smp_load_acquire(&ring->tail);
		head = READ_ONCE(ring->page->head);
		if (head == tail)
			break;
		if (tail - head <= ring->entries) {
			n = ioevq_take(q, head, min_t(u64, tail - head, max - taken), to + taken);
			if (n < 0)
				return taken ?: n;
			taken += n;
			/* All that was there. What has come since is for the next time. */
			if (n == tail - head && !more)
				break;
		} else {
			/* Others have taken what is newer than that tail; or it is a lie. */
			bring_in(q, &sane);
			n = 0;
		}
		if (!sane)
			return taken ?: -EBADFD;
		/*
		 * A head that never rests must not keep us here. What is to be had, the caller
		 * gets: of what a look has announced for him nothing is to be left.
		 */
		if (!n && signal_pending(current))
			break;
		cond_resched();
	}
	return taken;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Taking events: copied first and taken after, by whoever is first. */
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "conc.h"
#include "point.h"
#include "take.h"
#include "trace.h"

/* Copy the @n events from @head on: 0 or -EFAULT. */
static int copy_events(const struct ioevq_ring_state *ring, u64 head, u32 n,
		       struct ioevq_event __user *to)
{
	const void *slot;

	if (!user_access_begin(to, n * sizeof(*to)))
		return -EFAULT;
	for (; n; n--, head++, to++) {
		slot = ring->slots + (head & (ring->entries - 1));
		unsafe_copy_to_user((void __user *)to, slot, sizeof(*to), fault);
	}
	user_access_end();
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

/*
 * They are copied first and taken after, by compare-and-swap on the head, as user space
 * does: a fault takes none. @n: how many, or 0 if somebody else was faster; or -EFAULT.
 */
static int take(struct ioevq_queue *q, u64 head, u32 n, struct ioevq_event __user *to)
{
	struct ioevq_ring_state *ring = &q->ring;

	if (copy_events(ring, head, n, to))
		return -EFAULT;
	ioevq_point(IOEVQ_POINT_TAKE);
	/* Pairs with the head being read by who posts; see ioevq_ring_reaped(). */
	if (cmpxchg(&ring->page->head, head, head + n) != head)
		return 0;
	ioevq_trace_take(q, to, head, n);
	return n;
}

/*
 * As a rule there is nothing to think of but events: no limit, here or at a queue before, no
 * alert, no file to be looked at, no backlog. That is what the flags say, here as to who takes
 * from the mapped ring, and no lock is needed. As ioevq_wait(), or -EAGAIN: go the long way.
 */
int ioevq_take_at_once(struct ioevq_queue *q, const struct ioevq_enter *enter)
{
	struct ioevq_ring_state *ring = &q->ring;
	u64 head, n;
	int ret;

	if (READ_ONCE(ring->flags) || ioevq_conc_counts_me())
		return -EAGAIN;
	/* Pairs with the release in ioevq_ring_publish(). */
	n = smp_load_acquire(&ring->tail);
	head = READ_ONCE(ring->page->head);
	n -= head;
	if (n > ring->entries || (n < enter->min && enter->timeout_ns))
		return -EAGAIN;
	if (!n || !enter->max)
		return n;
	ret = take(q, head, min_t(u64, n, enter->max), u64_to_user_ptr(enter->events));
	/* Another was faster, or a fault: that is for who tries again. */
	return ret > 0 ? ret : -EAGAIN;
}

/* Take up to @max events, as many as are there. */
int ioevq_take_events(struct ioevq_queue *q, struct ioevq_event __user *to, u32 max)
{
	struct ioevq_ring_state *ring = &q->ring;
	u32 taken = 0;

	while (taken < max) {
		u64 head, tail;
		bool sane, more;
		int n;

		spin_lock_irq(&q->lock);
		ioevq_ring_flush(ring, 128);
		more = ring->backlog;
		sane = ioevq_ring_head_is_sane(ring);
		tail = ring->tail;
		spin_unlock_irq(&q->lock);
		if (!sane)
			return taken ?: -EBADFD;

		head = READ_ONCE(ring->page->head);
		if (head == tail)
			break;
		if (tail - head <= ring->entries) {
			n = take(q, head, min_t(u64, tail - head, max - taken), to + taken);
			if (n < 0)
				return taken ?: n;
			taken += n;
			/* All that was there. What has come since is for the next time. */
			if (n == tail - head && !more)
				break;
		}
		/* A head that never rests must not keep us here. */
		if (signal_pending(current))
			break;
		cond_resched();
	}
	return taken;
}

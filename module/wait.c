// SPDX-License-Identifier: GPL-2.0-only
/* Taking events, and waiting for them. */
#include <linux/hrtimer.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "req.h"
#include "wake.h"

/*
 * Take up to @max events, as many as are there. They are copied first and taken
 * after, by compare-and-swap on the head, as user space does: a fault takes none.
 */
static int take_events(struct ioevq_queue *q, struct ioevq_event __user *to, u32 max)
{
	struct ioevq_ring_state *ring = &q->ring;
	u32 taken = 0;

	while (taken < max) {
		u64 head, tail;
		u32 slot, n, first;
		bool sane;

		spin_lock_irq(&q->lock);
		ioevq_ring_flush(ring, 128);
		sane = ioevq_ring_head_is_sane(ring);
		tail = ring->tail;
		spin_unlock_irq(&q->lock);
		if (!sane)
			return taken ?: -EBADFD;

		head = READ_ONCE(ring->page->head);
		if (head == tail)
			break;
		if (tail - head <= ring->entries) {
			n = min_t(u64, tail - head, max - taken);
			slot = head & (ring->entries - 1);
			first = min(n, ring->entries - slot);
			if (copy_to_user(to + taken, ring->slots + slot, first * sizeof(*to)) ||
			    copy_to_user(to + taken + first, ring->slots,
					 (n - first) * sizeof(*to)))
				return taken ?: -EFAULT;
			/* Pairs with the head being read by who posts; see ioevq_ring_reaped(). */
			if (cmpxchg(&ring->page->head, head, head + n) == head)
				taken += n;
		}
		/* A head that never rests must not keep us here. */
		if (signal_pending(current))
			break;
		cond_resched();
	}
	return taken;
}

/* Sleep until @need events are there or a file must be looked at. */
static int sleep_for(struct ioevq_queue *q, u32 need, ktime_t *expires, struct ioevq_waiter *w)
{
	bool expired;

	spin_lock_irq(&q->lock);
	ioevq_ring_flush(&q->ring, 128);
	if (ioevq_ring_available(&q->ring) >= need) {
		spin_unlock_irq(&q->lock);
		return 0;
	}
	/* Files that ask to be looked at all the time must not keep us here. */
	if (signal_pending(current)) {
		spin_unlock_irq(&q->lock);
		return -EINTR;
	}
	if (!list_empty(&q->recheck) && !mutex_is_locked(&q->mutex)) {
		spin_unlock_irq(&q->lock);
		return expires && ktime_after(ktime_get(), *expires) ? -ETIME : 0;
	}
	w->task = current;
	w->need = need;
	w->woken = false;
	q->least = list_empty(&q->waiters) ? need : min(q->least, need);
	list_add(&w->node, &q->waiters);
	__set_current_state(TASK_INTERRUPTIBLE | TASK_FREEZABLE);
	spin_unlock_irq(&q->lock);

	expired = !schedule_hrtimeout_range(expires, current->timer_slack_ns, HRTIMER_MODE_ABS);
	__set_current_state(TASK_RUNNING);

	spin_lock_irq(&q->lock);
	if (!w->woken)
		list_del(&w->node);
	spin_unlock_irq(&q->lock);
	return expired && !w->woken ? -ETIME : 0;
}

/* We were woken to look at files, and have, or could not. queue->lock is held. */
static void end_recheck(struct ioevq_queue *q, struct ioevq_waiter *w)
{
	if (!w->rechecker)
		return;
	w->rechecker = false;
	q->rechecker = false;
	if (!list_empty(&q->recheck))
		ioevq_wake_recheck(q);
}

/* Give back what a wake-up promised us; who else waits may have the rest. */
static void end_claim(struct ioevq_queue *q, struct ioevq_waiter *w, bool hand_on)
{
	if (!w->woken)
		return;
	spin_lock_irq(&q->lock);
	q->claimed -= w->need;
	end_recheck(q, w);
	if (hand_on)
		ioevq_wake(q);
	spin_unlock_irq(&q->lock);
	w->woken = false;
}

/* How many events could be taken now, or -EBADFD. */
static int available(struct ioevq_queue *q)
{
	bool sane;
	u64 n;

	spin_lock_irq(&q->lock);
	ioevq_ring_flush(&q->ring, 128);
	sane = ioevq_ring_head_is_sane(&q->ring);
	n = ioevq_ring_available(&q->ring);
	spin_unlock_irq(&q->lock);
	return sane ? min_t(u64, n, INT_MAX) : -EBADFD;
}

/*
 * Returns the number of events taken (@max 0: available), or -EINTR, -EFAULT,
 * -EBADFD if there was none. @timeout_ns as in the interface, checked.
 */
int ioevq_wait(struct ioevq_queue *q, struct ioevq_event __user *events, u32 min, u32 max,
	       s64 timeout_ns)
{
	ktime_t until = 0, *expires = NULL;
	struct ioevq_waiter w = {};
	u32 taken = 0;
	int ret;

	if (timeout_ns > 0) {
		until = ktime_add_safe(ktime_get(), ns_to_ktime(timeout_ns));
		expires = &until;
	}
	for (;;) {
		ioevq_recheck(q);
		if (w.rechecker) {
			spin_lock_irq(&q->lock);
			end_recheck(q, &w);
			spin_unlock_irq(&q->lock);
		}
		ret = available(q);
		if (ret < 0)
			break;
		if (!max) {
			if ((u32)ret >= min || !timeout_ns)
				break;
		} else if (!timeout_ns || (u32)ret >= min - taken) {
			ret = take_events(q, events + taken, max - taken);
			if (ret < 0)
				break;
			taken += ret;
			if (taken >= min || !timeout_ns)
				break;
		}
		end_claim(q, &w, true);
		ret = sleep_for(q, min - taken, expires, &w);
		if (ret == -ETIME || (ret == -EINTR && !fatal_signal_pending(current))) {
			/* A last look: events come before the timeout and the signal. */
			int last = max ? take_events(q, events + taken, max - taken)
				       : available(q);

			if (max && last > 0)
				taken += last;
			else if (last || ret == -ETIME)
				ret = last;
			break;
		}
		/* Killed while it was woken: another must have what it was woken for. */
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
		if (ret)
			break;
	}
	/* Who only waits takes from the mapped ring: what woke it is not for others. */
	end_claim(q, &w, max || ret < 0);
	return taken ?: ret;
}

__poll_t ioevq_poll(struct file *file, struct poll_table_struct *pt)
{
	struct ioevq_queue *q = ioevq_queue_from_file(file);
	__poll_t mask = EPOLLOUT | EPOLLWRNORM;

	poll_wait(file, &q->poll_wait, pt);
	spin_lock_irq(&q->lock);
	q->polled = true;
	if (ioevq_queue_ready(q) &&
	    (ioevq_ring_available(&q->ring) || !list_empty(&q->recheck)))
		mask |= EPOLLIN | EPOLLRDNORM;
	spin_unlock_irq(&q->lock);
	return mask;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waking those who wait for events.
 *
 * Waiters form a stack: the last to sleep is the first to wake. An event wakes
 * one waiter, and only if there are as many events as it asked for that no other
 * woken waiter comes for. Those are counted (claimed) from the wake-up until the
 * waiter has taken them; then the stack is looked at again, so that a wake-up
 * that was not used is handed on.
 *
 * On a queue with a concurrency value it takes a slot, too. Where there is none the
 * waiters are looked at again when one becomes free.
 */
#include <linux/cpumask.h>
#include <linux/poll.h>
#include <linux/sched.h>

#include "point.h"
#include "trace.h"
#include "wake.h"

/* Waiters that are woken in one hold of the lock, with interrupts off. */
#define MAX_WOKEN	64

static bool is_frozen(const struct ioevq_waiter *w)
{
	return READ_ONCE(w->task->__state) & TASK_FROZEN;
}

/*
 * False if it was frozen in its sleep (cgroups of version 1): it comes when it is thawed, and
 * what it was woken for is for another.
 */
static bool wake_waiter(struct ioevq_queue *q, struct ioevq_waiter *w)
{
	list_del(&w->node);
	q->waiting--;
	w->woken = true;
	q->wakeups++;
	trace_ioevq_wake(q, w);
	ioevq_point(IOEVQ_POINT_WAKE);
	/* Under the lock: the waiter cannot return before it has taken it. */
	wake_up_process(w->task);
	return !is_frozen(w);
}

/* It comes for nothing that another has to wait for: its need is no claim. */
static void promise_nothing(struct ioevq_queue *q, struct ioevq_waiter *w)
{
	if (w->slot)
		ioevq_conc_unreserve(&q->conc);
	w->slot = false;
	w->need = 0;
}

static bool get_slot(struct ioevq_queue *q, struct ioevq_waiter *w)
{
	w->slot = w->consumer && ioevq_conc_reserve(&q->conc);
	return w->slot || !w->consumer;
}

/* To those who poll the queue there is something to see: queue->lock is held. */
void ioevq_notify(struct ioevq_queue *q)
{
	/* They set q->polled under q->lock after joining the queue: we see them, or they us. */
	if (q->polled && waitqueue_active(&q->poll_wait))
		irq_work_queue(&q->poll_kick);
}

/* The first event that nobody comes for yet is here. It has one clock, not one for each. */
static void start_clock(struct ioevq_queue *q, struct ioevq_waiter *w)
{
	q->clock = w;
	w->batching = false;
	hrtimer_set_expires(&w->batch->timer, ktime_add_safe(ktime_get(), w->batch_ns));
	hrtimer_sleeper_start_expires(w->batch, HRTIMER_MODE_ABS);
}

/*
 * There are events, claims or slots that were left over: who sleeps may have them.
 * queue->lock is held, in any context.
 */
void ioevq_hand_on(struct ioevq_queue *q)
{
	unsigned int budget = MAX_WOKEN;
	struct ioevq_waiter *w, *next;
	u64 avail;
	u32 least;

	lockdep_assert_held(&q->lock);

	if (list_empty(&q->waiters))
		return;
	/* Its time may be over, unheard: another's begins. */
	if (q->clock && is_frozen(q->clock)) {
		q->clock = NULL;
		q->least = min(q->least, 1U);
	}
	avail = ioevq_ring_available(&q->ring);
	if (avail < q->claimed + q->least)
		return;
	/* As a rule one; more where others than those who were woken had the events. */
	least = U32_MAX;
	list_for_each_entry_safe(w, next, &q->waiters, node) {
		if (avail >= q->claimed + w->need) {
			/* There is no event that is worth so long a time without interrupts. */
			if (!budget--) {
				q->woke_many = true;
				irq_work_queue(&q->wake_kick);
				return;
			}
			/* All slots are taken: the same holds for the others. */
			if (!get_slot(q, w))
				return;
			if (!wake_waiter(q, w)) {
				promise_nothing(q, w);
				continue;
			}
			q->claimed += w->need;
			if (avail == q->claimed)
				return;
			continue;
		}
		if (w->batching && !q->clock && avail > q->claimed && !is_frozen(w))
			start_clock(q, w);
		least = min(least, ioevq_waiter_cares(q, w));
	}
	/* All were looked at: none of those that are left has enough. */
	q->least = least;
}

/*
 * A file must be looked at: one consumer shall do that. Those who poll the queue were told
 * when it asked. queue->lock is held.
 */
void ioevq_wake_recheck(struct ioevq_queue *q)
{
	struct ioevq_waiter *w;

	lockdep_assert_held(&q->lock);

	ioevq_ring_set_flag(&q->ring, IOEVQ_RING_RECHECK, true);
	if (q->rechecker || list_empty(&q->waiters))
		return;
	WRITE_ONCE(q->look_owed, true);
	/* Who has the mutex asks again: pairs with the one in ioevq_unlock(). */
	smp_mb();
	if (mutex_is_locked(&q->mutex))
		return;
	WRITE_ONCE(q->look_owed, false);
	while ((w = list_first_entry_or_null(&q->waiters, struct ioevq_waiter, node)) &&
	       get_slot(q, w)) {
		w->need = 0;
		if (wake_waiter(q, w)) {
			q->rechecker = true;
			w->rechecker = true;
			return;
		}
		promise_nothing(q, w);
	}
}

/* Everybody who sleeps now shall look for himself. Drops queue->lock in between. */
static void wake_all(struct ioevq_queue *q)
{
	unsigned int budget = MAX_WOKEN;
	struct ioevq_waiter *w;
	LIST_HEAD(waiters);

	ioevq_notify(q);
	/* Who goes to sleep from here on has looked; who gives up leaves this list, too. */
	list_splice_init(&q->waiters, &waiters);
	while ((w = list_first_entry_or_null(&waiters, struct ioevq_waiter, node))) {
		w->need = 0;
		wake_waiter(q, w);
		if (!--budget) {
			budget = MAX_WOKEN;
			spin_unlock_irq(&q->lock);
			cond_resched();
			spin_lock_irq(&q->lock);
		}
	}
}

/* A slot is free, or may be: queue->lock is held. */
static void wake_held_back(struct ioevq_queue *q)
{
	WRITE_ONCE(q->conc.held_back, false);
	/* Some of the latter may be due. */
	if (!list_empty(&q->recheck) || !list_empty(&q->level))
		ioevq_wake_recheck(q);
	ioevq_hand_on(q);
}

/* Does a consumer wait for events, and may run? queue->lock is held. */
bool ioevq_is_idle(struct ioevq_queue *q)
{
	lockdep_assert_held(&q->lock);

	/* Who comes to poll at this moment looks for himself, see queue_poll(). */
	if (q->polled && waitqueue_active(&q->poll_wait))
		return true;
	return !list_empty(&q->waiters) && ioevq_conc_has_slot(&q->conc);
}

static void kick_held_back(struct irq_work *work)
{
	struct ioevq_queue *q = container_of(work, struct ioevq_queue, conc.kick);
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	wake_held_back(q);
	spin_unlock_irqrestore(&q->lock, flags);
}

/* @limit as in the interface. The queue was set up. */
void ioevq_set_limit(struct ioevq_queue *q, u32 limit)
{
	bool was_limited;

	if (!limit)
		limit = num_online_cpus();
	if (limit != IOEVQ_UNLIMITED)
		ioevq_conc_enable();
	spin_lock_irq(&q->lock);
	was_limited = ioevq_conc_limited(&q->conc);
	WRITE_ONCE(q->conc.limit, limit);
	ioevq_ring_set_flag(&q->ring, IOEVQ_RING_LIMITED, ioevq_conc_limited(&q->conc));
	/* Who went to sleep without being counted must come back as a consumer. */
	if (was_limited)
		wake_held_back(q);
	else if (ioevq_conc_limited(&q->conc))
		wake_all(q);
	spin_unlock_irq(&q->lock);
}

/* Sticky: whoever waits, or comes to wait, is told until it is cleared. */
void ioevq_set_alert(struct ioevq_queue *q, bool on, u64 user_data)
{
	spin_lock_irq(&q->lock);
	WRITE_ONCE(q->alerted, on);
	q->alert = user_data;
	ioevq_ring_set_flag(&q->ring, IOEVQ_RING_ALERT, on);
	if (on)
		wake_all(q);
	spin_unlock_irq(&q->lock);
}

/*
 * Pollers of the queue are woken from here, with no lock held: who posts may be
 * inside the wake-up of a file that watches this queue in turn. EPOLL_URING_WAKE
 * tells such files, too, not to go round in circles.
 */
static void kick_pollers(struct irq_work *work)
{
	struct ioevq_queue *q = container_of(work, struct ioevq_queue, poll_kick);

	/* An alert is for all. */
	__wake_up(&q->poll_wait, TASK_NORMAL, READ_ONCE(q->alerted) ? 0 : 1,
		  poll_to_key(EPOLLIN | EPOLLRDNORM | EPOLL_URING_WAKE));
}

static void kick_waiters(struct irq_work *work)
{
	struct ioevq_queue *q = container_of(work, struct ioevq_queue, wake_kick);
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	ioevq_hand_on(q);
	spin_unlock_irqrestore(&q->lock, flags);
}

/* Nobody waits, or polls, any more, nor does an event come. May sleep. */
void ioevq_wake_end(struct ioevq_queue *q)
{
	/* With PREEMPT_RT these wait for an RCU grace period, in close(2) as a rule. */
	if (q->polled)
		irq_work_sync(&q->poll_kick);
	if (q->woke_many)
		irq_work_sync(&q->wake_kick);
}

void ioevq_wake_init(struct ioevq_queue *q)
{
	INIT_LIST_HEAD(&q->waiters);
	INIT_LIST_HEAD(&q->recheck);
	INIT_LIST_HEAD(&q->level);
	INIT_LIST_HEAD(&q->unreaped);
	init_waitqueue_head(&q->poll_wait);
	init_irq_work(&q->poll_kick, kick_pollers);
	init_irq_work(&q->wake_kick, kick_waiters);
	ioevq_conc_init(&q->conc, kick_held_back);
}

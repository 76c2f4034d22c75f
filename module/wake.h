/* SPDX-License-Identifier: GPL-2.0-only */
/* Waiters, and who wakes which of them. */
#ifndef IOEVQ_WAKE_H
#define IOEVQ_WAKE_H

#include <linux/hrtimer.h>

#include "queue.h"

/*
 * What wakes a waiter: events, with a slot if it is a consumer of a limited queue; a
 * file to be looked at, the same; or everybody is woken, to look for themselves.
 */
struct ioevq_waiter {
	struct list_head node;		/* queue->lock; queue->waiters */
	struct task_struct *task;
	struct ioevq_consumer *consumer;	/* NULL: the queue had no limit */
	u32 need;
	bool woken;			/* queue->lock */
	bool slot;			/* queue->lock; one was reserved for it */
	bool rechecker;			/* queue->lock; woken to look at files */
	bool batching;			/* queue->lock; an event would start its clock */
	u64 batch_ns;			/* constant */
	struct hrtimer_sleeper *batch;	/* the clock; see ioevq_queue.clock */
};

void ioevq_wake_init(struct ioevq_queue *q);
void ioevq_wake_end(struct ioevq_queue *q);
void ioevq_notify(struct ioevq_queue *q);
bool ioevq_is_idle(struct ioevq_queue *q);
void ioevq_hand_on(struct ioevq_queue *q);
void ioevq_wake_recheck(struct ioevq_queue *q);
void ioevq_set_limit(struct ioevq_queue *q, u32 limit);
void ioevq_set_alert(struct ioevq_queue *q, bool on, u64 user_data);

/* An event has come: queue->lock is held, in any context. */
static inline void ioevq_wake(struct ioevq_queue *q)
{
	lockdep_assert_held(&q->lock);

	if (q->polled)
		ioevq_notify(q);
	if (q->waiting)
		ioevq_hand_on(q);
}

/* How many events it takes for the waiter to be of interest. queue->lock is held. */
static inline u32 ioevq_waiter_cares(const struct ioevq_queue *q, const struct ioevq_waiter *w)
{
	return w->batching && !q->clock ? 1 : w->need;
}

#endif

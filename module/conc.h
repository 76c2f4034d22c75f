/* SPDX-License-Identifier: GPL-2.0-only */
/* The concurrency value: how many consumers of a queue run. Knows nothing of queues. */
#ifndef IOEVQ_CONC_H
#define IOEVQ_CONC_H

#include <linux/atomic.h>
#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <linux/ioevq.h>

struct ioevq_consumer;

/*
 * Part of a queue. "lock" is the queue's. Slots are given out under the lock only. Who was
 * blocked, or returns from a wait without one, takes one unasked; and they are given
 * back anywhere, also under the scheduler's locks.
 */
struct ioevq_conc {
	atomic_t running;		/* slots that are taken */
	u32 limit;			/* lock to change; IOEVQ_UNLIMITED */
	bool held_back;			/* lock to change; a waiter wants a slot */
	bool used;			/* consumers_lock; there has been a consumer */
	struct list_head consumers;	/* consumers_lock */
	struct irq_work kick;		/* a slot has become free for who is held back */
};

void ioevq_conc_init(struct ioevq_conc *conc, void (*kick)(struct irq_work *work));
void ioevq_conc_close(struct ioevq_conc *conc);
void ioevq_conc_enable(void);
void ioevq_conc_exit(void);

int ioevq_conc_join(struct ioevq_conc *conc, struct ioevq_consumer **consumer);
void ioevq_conc_returns(struct ioevq_consumer *consumer);

/* With the lock: */
bool ioevq_conc_reserve(struct ioevq_conc *conc);
bool ioevq_conc_keep(struct ioevq_conc *conc, struct ioevq_consumer *consumer);
void ioevq_conc_got_slot(struct ioevq_consumer *consumer);
void ioevq_conc_give_up(struct ioevq_consumer *consumer);

/* Who it was reserved for does not come. The lock is held. */
static inline void ioevq_conc_unreserve(struct ioevq_conc *conc)
{
	atomic_dec(&conc->running);
}

/* The next slot that becomes free is announced by a kick. The lock is held. */
static inline void ioevq_conc_hold_back(struct ioevq_conc *conc)
{
	WRITE_ONCE(conc->held_back, true);
}

static inline bool ioevq_conc_has_slot(struct ioevq_conc *conc)
{
	return (u32)atomic_read(&conc->running) < READ_ONCE(conc->limit);
}

/* May the caller be a consumer, here or elsewhere? Others do not join or leave. */
static inline bool ioevq_conc_counts_me(void)
{
	return !hlist_empty(&current->preempt_notifiers);
}

static inline bool ioevq_conc_limited(struct ioevq_conc *conc)
{
	return READ_ONCE(conc->limit) != IOEVQ_UNLIMITED;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Waiters, and who wakes which of them. */
#ifndef IOEVQ_WAKE_H
#define IOEVQ_WAKE_H

#include "queue.h"

struct ioevq_waiter {
	struct list_head node;		/* queue->lock; queue->waiters */
	struct task_struct *task;
	u32 need;
	bool woken;			/* queue->lock */
	bool rechecker;			/* queue->lock; woken to look at files */
};

void ioevq_wake_init(struct ioevq_queue *q);
void ioevq_wake(struct ioevq_queue *q);
void ioevq_wake_recheck(struct ioevq_queue *q);

#endif

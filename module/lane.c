// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lanes. Work that would block its submitter waits in a list of its queue, which
 * at most max_workers kernel workers drain, however long it is: never a thread for
 * each I/O. A hung device stops the lanes of queues that use it, and with those at
 * most the workers of their user.
 */
#include "lane.h"
#include "point.h"
#include "rest.h"

static void lane_run(struct work_struct *work)
{
	struct ioevq_lane *lane = container_of(work, struct ioevq_lane, work);
	struct ioevq_queue *q = lane->q;
	struct ioevq_lane_item *item;

	ioevq_work_begin();
	spin_lock_irq(&q->lock);
	while ((item = list_first_entry_or_null(&q->punted, struct ioevq_lane_item, node))) {
		list_del_init(&item->node);
		spin_unlock_irq(&q->lock);
		ioevq_point(IOEVQ_POINT_WORK);
		item->run(item);
		ioevq_point(IOEVQ_POINT_WORKED);
		cond_resched();
		ioevq_work_pause();
		spin_lock_irq(&q->lock);
	}
	lane->busy = false;
	spin_unlock_irq(&q->lock);
	ioevq_work_end();
	ioevq_queue_put_inflight(q);
}

/* The same with queue->lock. */
void ioevq_lane_add_locked(struct ioevq_queue *q, struct ioevq_lane_item *item)
{
	unsigned int i, nr = clamp(ioevq_max_workers, 1U, (unsigned int)IOEVQ_MAX_LANES);

	lockdep_assert_held(&q->lock);

	list_add_tail(&item->node, &q->punted);
	for (i = 0; i < nr; i++) {
		struct ioevq_lane *lane = &q->lanes[i];

		if (lane->busy)
			continue;
		lane->busy = true;
		/* A running lane uses the queue: it must outlive the lane. */
		q->inflight++;
		queue_work(q->user->workers, &lane->work);
		break;
	}
}

/* Any context; ioevq_user_need_workers() was called before. */
void ioevq_lane_add(struct ioevq_queue *q, struct ioevq_lane_item *item)
{
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	ioevq_lane_add_locked(q, item);
	spin_unlock_irqrestore(&q->lock, flags);
}

/* Take back what has not started. */
bool ioevq_lane_remove(struct ioevq_queue *q, struct ioevq_lane_item *item)
{
	bool waiting;

	spin_lock_irq(&q->lock);
	waiting = !list_empty(&item->node);
	list_del_init(&item->node);
	spin_unlock_irq(&q->lock);
	return waiting;
}

void ioevq_lanes_init(struct ioevq_queue *q)
{
	unsigned int i;

	INIT_LIST_HEAD(&q->punted);
	for (i = 0; i < IOEVQ_MAX_LANES; i++) {
		q->lanes[i].q = q;
		INIT_WORK(&q->lanes[i].work, lane_run);
	}
}

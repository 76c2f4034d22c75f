/* SPDX-License-Identifier: GPL-2.0-only */
/* Lanes: a bounded number of workers per queue for what would block. */
#ifndef IOEVQ_LANE_H
#define IOEVQ_LANE_H

#include "queue.h"

struct ioevq_lane_item {
	struct list_head node;		/* queue->lock; queue->punted until it starts */
	void (*run)(struct ioevq_lane_item *item);
};

void ioevq_lanes_init(struct ioevq_queue *q);
void ioevq_lane_add_locked(struct ioevq_queue *q, struct ioevq_lane_item *item);
void ioevq_lane_add(struct ioevq_queue *q, struct ioevq_lane_item *item);
bool ioevq_lane_remove(struct ioevq_queue *q, struct ioevq_lane_item *item);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The times that a queue waits for, by clock. Knows nothing of requests. */
#ifndef IOEVQ_CLOCK_H
#define IOEVQ_CLOCK_H

#include <linux/hrtimer.h>
#include <linux/timerqueue.h>

struct ioevq_clock;
struct ioevq_clocks;
struct ioevq_queue;

/* A time. All under queue->lock. */
struct ioevq_alarm {
	struct timerqueue_node node;	/* expires: the latest time when to ring */
	struct ioevq_clock *clock;
	ktime_t time;			/* the earliest */
};

typedef void (*ioevq_ring_fn)(struct ioevq_alarm *alarm, ktime_t now);

/* With queue->mutex: */
int ioevq_clocks_need(struct ioevq_queue *q, ioevq_ring_fn ring);
void ioevq_clocks_free(struct ioevq_queue *q);

/* With queue->lock: */
void ioevq_alarm_init(struct ioevq_alarm *alarm);
void ioevq_alarm_set(struct ioevq_alarm *alarm, struct ioevq_clock *clock, ktime_t time);
void ioevq_alarm_start(struct ioevq_alarm *alarm, u64 slack);
void ioevq_alarm_stop(struct ioevq_alarm *alarm);
struct ioevq_clock *ioevq_clock(struct ioevq_queue *q, clockid_t id);
ktime_t ioevq_clock_now(struct ioevq_clock *clock);

static inline bool ioevq_alarm_is_on(struct ioevq_alarm *alarm)
{
	return timerqueue_node_queued(&alarm->node);
}

#endif

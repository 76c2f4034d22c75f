// SPDX-License-Identifier: GPL-2.0-only
/*
 * The times that a queue waits for. Of each clock a tree in order of time, and one timer of
 * the kernel for the first of them.
 *
 * So what is in the tree is what will ring: queue->lock alone decides who stops an alarm or
 * lets it ring, there is no callback to wait for. And however many of a queue ring at once,
 * the interrupt is short: the others wait for the next one, which leaves as much time to
 * others as this one took, up to MAX_PAUSE.
 */
#include <linux/slab.h>

#include "clock.h"
#include "point.h"
#include "queue.h"

/* With interrupts off. */
#define MAX_AT_ONCE	64
#define MAX_PAUSE	((ktime_t)10 * NSEC_PER_MSEC)

struct ioevq_clock {
	struct hrtimer timer;
	struct timerqueue_head alarms;	/* queue->lock */
	struct ioevq_queue *q;
	ioevq_ring_fn ring;
};

static const clockid_t ids[] = { CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME };

struct ioevq_clocks {
	struct ioevq_clock clock[ARRAY_SIZE(ids)];
};

static struct ioevq_alarm *first_alarm(struct ioevq_clock *clock)
{
	struct timerqueue_node *node = timerqueue_getnext(&clock->alarms);

	return node ? container_of(node, struct ioevq_alarm, node) : NULL;
}

/*
 * Have the timer ring in time for the first alarm. If it is going to do so earlier, for one
 * that was stopped since, that costs one interrupt in vain, and nothing now.
 */
static void wind(struct ioevq_clock *clock)
{
	struct ioevq_alarm *first = first_alarm(clock);
	ktime_t latest;

	if (!first)
		return;
	latest = first->node.expires;
	if (hrtimer_is_queued(&clock->timer) && hrtimer_get_expires(&clock->timer) <= latest)
		return;
	hrtimer_start_range_ns(&clock->timer, first->time, latest - first->time,
			       HRTIMER_MODE_ABS);
}

/* By the clock: it may have been set back, and then nothing is due. */
static struct ioevq_alarm *due_alarm(struct ioevq_clock *clock, ktime_t now)
{
	struct ioevq_alarm *first = first_alarm(clock);

	return first && first->time <= now ? first : NULL;
}

/* In an interrupt, or with PREEMPT_RT in a thread. */
static enum hrtimer_restart expired(struct hrtimer *timer)
{
	struct ioevq_clock *clock = container_of(timer, struct ioevq_clock, timer);
	ktime_t began = ktime_get(), now;
	struct ioevq_alarm *alarm;
	unsigned long flags;
	unsigned int n = 0;

	ioevq_point(IOEVQ_POINT_EXPIRE);
	spin_lock_irqsave(&clock->q->lock, flags);
	now = ioevq_clock_now(clock);
	while ((alarm = due_alarm(clock, now)) && n++ < MAX_AT_ONCE) {
		timerqueue_del(&clock->alarms, &alarm->node);
		clock->ring(alarm, now);
	}
	/* Measured by a clock that nobody sets, and a CPU of a guest may have rested meanwhile. */
	if (alarm) {
		now = ktime_add_safe(ioevq_clock_now(clock), min(ktime_get() - began, MAX_PAUSE));
		hrtimer_start(timer, now, HRTIMER_MODE_ABS);
	} else {
		wind(clock);
	}
	spin_unlock_irqrestore(&clock->q->lock, flags);
	return HRTIMER_NORESTART;
}

/* With queue->lock: a timer that is being started on another CPU has no clock for a moment. */
ktime_t ioevq_clock_now(struct ioevq_clock *clock)
{
	lockdep_assert_held(&clock->q->lock);

	return hrtimer_cb_get_time(&clock->timer);
}

/* @id was checked. */
struct ioevq_clock *ioevq_clock(struct ioevq_queue *q, clockid_t id)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ids) - 1; i++)
		if (ids[i] == id)
			break;
	return &q->clocks->clock[i];
}

void ioevq_alarm_init(struct ioevq_alarm *alarm)
{
	timerqueue_init(&alarm->node);
}

/* It is stopped. */
void ioevq_alarm_set(struct ioevq_alarm *alarm, struct ioevq_clock *clock, ktime_t time)
{
	alarm->clock = clock;
	alarm->time = time;
}

/* Ring at its time, or up to @slack later if that saves an interrupt. It is stopped. */
void ioevq_alarm_start(struct ioevq_alarm *alarm, u64 slack)
{
	struct ioevq_clock *clock = alarm->clock;

	lockdep_assert_held(&clock->q->lock);

	alarm->node.expires = ktime_add_safe(alarm->time, slack);
	if (timerqueue_add(&clock->alarms, &alarm->node))
		wind(clock);
}

/* It does not ring any more. */
void ioevq_alarm_stop(struct ioevq_alarm *alarm)
{
	struct ioevq_clock *clock = alarm->clock;

	lockdep_assert_held(&clock->q->lock);

	if (!ioevq_alarm_is_on(alarm))
		return;
	/* Were it the last: if this comes too late it rings in vain. */
	if (!timerqueue_del(&clock->alarms, &alarm->node))
		hrtimer_try_to_cancel(&clock->timer);
}

/* The first use. @ring is called with queue->lock held, in any context. 0 or -ENOMEM. */
int ioevq_clocks_need(struct ioevq_queue *q, ioevq_ring_fn ring)
{
	struct ioevq_clocks *clocks;
	struct ioevq_clock *clock;
	unsigned int i;

	lockdep_assert_held(&q->mutex);

	if (q->clocks)
		return 0;
	clocks = kzalloc(sizeof(*clocks), GFP_KERNEL_ACCOUNT);
	if (!clocks)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		clock = &clocks->clock[i];
		hrtimer_init(&clock->timer, ids[i], HRTIMER_MODE_ABS);
		clock->timer.function = expired;
		timerqueue_init_head(&clock->alarms);
		clock->q = q;
		clock->ring = ring;
	}
	q->clocks = clocks;
	return 0;
}

/* The queue is closed, and no alarm is on. Waits for an interrupt in vain. */
void ioevq_clocks_free(struct ioevq_queue *q)
{
	unsigned int i;

	for (i = 0; q->clocks && i < ARRAY_SIZE(ids); i++)
		hrtimer_cancel(&q->clocks->clock[i].timer);
	kfree(q->clocks);
}

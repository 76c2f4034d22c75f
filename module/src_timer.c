// SPDX-License-Identifier: GPL-2.0-only
/*
 * TIMER: once, or again and again.
 *
 * One that repeats goes on when its event was taken, which a consumer finds out in its own
 * context: however short the period is, each interrupt is paid for by a consumer who comes or
 * is woken. What has passed by then is counted, and told at once, without an interrupt.
 */
#include <linux/math64.h>

#include "compat/compat.h"
#include "timer.h"
#include "wake.h"

/*
 * How many times has it expired that were not told of, by @now? It stands at the first one
 * after that.
 */
static u64 count_expired(struct ioevq_timer *t, ktime_t now)
{
	u64 n;

	if (t->alarm.time > now)
		return 0;
	if (!t->period)
		return 1;
	n = div64_u64(now - t->alarm.time, t->period) + 1;
	/* Beyond the end of time is at the end. */
	t->alarm.time = ktime_add_safe(t->alarm.time, n * t->period);
	return n;
}

/*
 * Its time has come. One that repeats has one event at most that is not taken: as long as
 * there is one the next one waits, and counts.
 */
static void tell(struct ioevq_timer *t, ktime_t now, bool news)
{
	struct ioevq_kreq *kreq = &t->kreq;

	if (!t->period) {
		ioevq_complete_locked(kreq, 0, 0, 0, news);
	} else if (ioevq_is_reaped(kreq)) {
		ioevq_await_reap(kreq);
		ioevq_post_more(kreq, &t->spare, 0, 0, count_expired(t, now) - 1, news);
	} else {
		/* Who shares the ring has taken back what he took: wait for that once more. */
		if (list_empty(&kreq->recheck))
			ioevq_await_reap(kreq);
		return;
	}
	/* It is not what they were told of before. */
	if (!news)
		ioevq_notify(kreq->q);
}

/* The alarm rings: queue->lock is held, in any context. */
static void timer_rings(struct ioevq_alarm *alarm, ktime_t now)
{
	tell(container_of(alarm, struct ioevq_timer, alarm), now, true);
}

/* What has passed already needs no interrupt. @news as of ioevq_complete_locked(). */
void ioevq_timer_start(struct ioevq_timer *t, bool news)
{
	ktime_t now = ioevq_clock_now(t->alarm.clock);

	lockdep_assert_held(&t->kreq.q->lock);

	if (t->alarm.time > now)
		ioevq_alarm_start(&t->alarm, t->slack);
	else
		tell(t, now, news);
}

/* Are times and flags valid? 0 or -EINVAL. */
int ioevq_timer_check(const struct ioevq_req *req)
{
	if (req->off > KTIME_MAX || req->len > KTIME_MAX ||
	    (req->op_flags & IOEVQ_TIMER_BOOTTIME && req->op_flags & IOEVQ_TIMER_REALTIME))
		return -EINVAL;
	return 0;
}

/* What @req asks for, which was checked. The alarm is stopped. */
void ioevq_timer_set(struct ioevq_timer *t, const struct ioevq_req *req)
{
	bool absolute = req->op_flags & IOEVQ_TIMER_ABSTIME;
	struct ioevq_clock *clock;
	clockid_t id = CLOCK_MONOTONIC;
	ktime_t time = req->off;

	if (req->op_flags & IOEVQ_TIMER_BOOTTIME)
		id = CLOCK_BOOTTIME;
	/* How long something takes has nothing to do with the time of day. */
	if (req->op_flags & IOEVQ_TIMER_REALTIME && absolute)
		id = CLOCK_REALTIME;
	clock = ioevq_clock(t->kreq.q, id);
	if (absolute)
		time = compat_timens_to_host(id, time);
	else
		time = ktime_add_safe(ioevq_clock_now(clock), time);
	ioevq_alarm_set(&t->alarm, clock, time);
	t->period = req->len;
	t->slack = req->op_arg;
}

static int timer_submit(struct ioevq_queue *q, struct ioevq_kreq *kreq,
			const struct ioevq_req *req)
{
	struct ioevq_timer *t = to_timer(kreq);
	int err = ioevq_timer_check(req) ?: ioevq_clocks_need(q, timer_rings);

	if (err)
		return err;
	t->spare = &t->more;
	ioevq_alarm_init(&t->alarm);
	spin_lock_irq(&q->lock);
	ioevq_timer_set(t, req);
	WRITE_ONCE(kreq->state, IOEVQ_LIVE);
	ioevq_timer_start(t, true);
	spin_unlock_irq(&q->lock);
	return 0;
}

static bool timer_cancel(struct ioevq_kreq *kreq)
{
	struct ioevq_timer *t = to_timer(kreq);
	struct ioevq_queue *q = kreq->q;

	spin_lock_irq(&q->lock);
	if (kreq->state == IOEVQ_LIVE) {
		ioevq_alarm_stop(&t->alarm);
		ioevq_complete_locked(kreq, -ECANCELED, 0,
				      count_expired(t, ioevq_clock_now(t->alarm.clock)), true);
	}
	spin_unlock_irq(&q->lock);
	return true;
}

static void timer_reaped(struct ioevq_kreq *kreq, bool news)
{
	struct ioevq_timer *t = to_timer(kreq);

	/* It may be on its way since it was changed. */
	if (!t->changing && !ioevq_alarm_is_on(&t->alarm))
		ioevq_timer_start(t, news);
}

const struct ioevq_source ioevq_src_timer = {
	.size = sizeof(struct ioevq_timer),
	.op_flags = IOEVQ_TIMER_FLAGS,
	.uses = IOEVQ_USES_OFF | IOEVQ_USES_LEN | IOEVQ_USES_ARG,
	.submit = timer_submit,
	.cancel = timer_cancel,
	.reaped = timer_reaped,
};

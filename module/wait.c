// SPDX-License-Identifier: GPL-2.0-only
/* Waiting for events. */
#include <linux/hrtimer.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "compat/compat.h"
#include "point.h"
#include "req.h"
#include "take.h"
#include "trace.h"
#include "wake.h"

/* A call of ENTER that waits or takes, and how far it has come. */
struct wait {
	struct ioevq_queue *q;
	struct ioevq_event __user *events;
	u32 min;
	u32 max;
	u32 taken;
	bool no_wait;			/* take what is there and go */
	bool only_submits;		/* a message perhaps: look at no file for it */
	bool patient;			/* has no time, but waits for another who looks at files */
	bool timed;
	struct hrtimer_sleeper *timeout;	/* if timed */
	bool batch_over;		/* the first event has waited long enough */
	u64 alert;			/* user data, if it is an alert that we return by */
	struct ioevq_waiter w;
};

/* How many events the caller is content with. */
static u32 needed(const struct wait *wait)
{
	u32 need = wait->min - wait->taken;

	return wait->no_wait || wait->batch_over ? min(need, 1U) : need;
}

/* The events are there: may we have them? With queue->lock. */
static bool may_take(struct wait *wait)
{
	return !wait->w.consumer || ioevq_conc_keep(&wait->q->conc, wait->w.consumer);
}

/* The clock is nobody's again. With queue->lock; true if it was ours. */
static bool end_clock(struct wait *wait)
{
	if (wait->q->clock != &wait->w)
		return false;
	wait->q->clock = NULL;
	/* The first event starts another's. */
	wait->q->least = min(wait->q->least, 1U);
	return true;
}

/*
 * How many events may be taken now: 0 if less than needed, or too many consumers run.
 * -ECANCELED if the queue is alerted, -EBADFD.
 */
static int look(struct wait *wait)
{
	struct ioevq_queue *q = wait->q;
	int ret = 0;
	u64 n;

	spin_lock_irq(&q->lock);
	ioevq_ring_flush(&q->ring, 128);
	n = ioevq_ring_available(&q->ring);
	/* Others were faster: the next event is a first one again. */
	if (!n) {
		wait->batch_over = false;
		end_clock(wait);
	}
	wait->alert = q->alert;
	if (!ioevq_ring_head_is_sane(&q->ring))
		ret = -EBADFD;
	else if (q->alerted && (wait->min || wait->max))
		ret = -ECANCELED;
	else if (n && n >= needed(wait) && may_take(wait))
		ret = min_t(u64, n, INT_MAX);
	spin_unlock_irq(&q->lock);
	return ret;
}

/* Does somebody have the mutex, who wakes us when he is done? With queue->lock. */
static bool leave_files(struct ioevq_queue *q)
{
	WRITE_ONCE(q->look_owed, true);
	/* Pairs with the one in ioevq_unlock(). */
	smp_mb();
	return mutex_is_locked(&q->mutex);
}

/* With queue->lock: is there a reason not to sleep? 1: yes, 0: no, or -EINTR, -ETIME. */
static int stay_awake(struct wait *wait)
{
	struct ioevq_queue *q = wait->q;
	bool enough;

	ioevq_ring_flush(&q->ring, 128);
	/* A limit was set meanwhile: join first. */
	if (q->alerted || (!wait->w.consumer && ioevq_conc_limited(&q->conc)) ||
	    !ioevq_ring_head_is_sane(&q->ring))
		return 1;
	enough = ioevq_ring_available(&q->ring) >= needed(wait);
	if (enough && may_take(wait))
		return 1;
	/* Files that ask to be looked at all the time must not keep us here. */
	if (signal_pending(current))
		return -EINTR;
	/* Whoever has no slot sleeps, and looks when he gets one. */
	if (enough ||
	    (!ioevq_reaped_due(q) && (!ioevq_recheck_due(q) || leave_files(q))))
		return 0;
	return wait->timed && ktime_after(hrtimer_cb_get_time(&wait->timeout->timer),
					  hrtimer_get_expires(&wait->timeout->timer)) ? -ETIME : 1;
}

/* On the stack of waiters, and asleep once queue->lock is dropped. */
static void prepare_sleep(struct wait *wait)
{
	struct ioevq_queue *q = wait->q;
	struct ioevq_waiter *w = &wait->w;
	u32 cares;

	w->task = current;
	w->need = needed(wait);
	w->woken = false;
	w->slot = false;
	w->batching = w->batch_ns && w->need > 1 && q->clock != w;
	cares = ioevq_waiter_cares(q, w);
	q->least = list_empty(&q->waiters) ? cares : min(q->least, cares);
	list_add(&w->node, &q->waiters);
	q->waiting++;
	trace_ioevq_wait_begin(q, w->need);
	__set_current_state(TASK_INTERRUPTIBLE | TASK_FREEZABLE);
	/* Ours goes on where it was: it may be over, and wakes only who is asleep. */
	if (q->clock == w && !wait->batch_over)
		hrtimer_sleeper_start_expires(w->batch, HRTIMER_MODE_ABS);
	/* Our slot may be for another; the first event may be there, and its time begins. */
	if (w->consumer)
		ioevq_conc_give_up(w->consumer);
	if (w->consumer || w->batching)
		ioevq_hand_on(q);
}

/* With queue->lock, awake again. */
static void end_sleep(struct wait *wait)
{
	struct ioevq_waiter *w = &wait->w;

	trace_ioevq_wait_end(wait->q, w->woken);
	if (!w->woken) {
		list_del(&w->node);
		wait->q->waiting--;
	}
	if (w->slot)
		ioevq_conc_got_slot(w->consumer);
	w->batching = false;
}

/* Sleep until needed() events are there or a file must be looked at. */
static int sleep_for(struct wait *wait)
{
	struct ioevq_queue *q = wait->q;
	bool expired;
	int ret;

	spin_lock_irq(&q->lock);
	ret = stay_awake(wait);
	if (!ret)
		prepare_sleep(wait);
	spin_unlock_irq(&q->lock);
	if (ret)
		return min(ret, 0);

	ioevq_point(IOEVQ_POINT_SLEEP);
	if (wait->timed) {
		wait->timeout->task = current;
		hrtimer_sleeper_start_expires(wait->timeout, HRTIMER_MODE_ABS);
	}
	if (!wait->timed || wait->timeout->task)
		schedule();
	if (wait->timed)
		hrtimer_cancel(&wait->timeout->timer);
	__set_current_state(TASK_RUNNING);

	ioevq_point(IOEVQ_POINT_AWAKE);
	spin_lock_irq(&q->lock);
	end_sleep(wait);
	spin_unlock_irq(&q->lock);
	/* Nobody starts it any more. */
	if (wait->w.batch_ns) {
		hrtimer_cancel(&wait->w.batch->timer);
		if (!wait->w.batch->task)
			wait->batch_over = true;
		wait->w.batch->task = current;
	}
	expired = wait->timed && !wait->timeout->task;
	return expired && !wait->w.woken ? -ETIME : 0;
}

/* We were woken to look at files, and have, or could not. queue->lock is held. */
static void end_recheck(struct ioevq_queue *q, struct ioevq_waiter *w)
{
	if (!w->rechecker)
		return;
	w->rechecker = false;
	q->rechecker = false;
	if (ioevq_recheck_due(q))
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
		ioevq_hand_on(q);
	else if (w->consumer)
		/* Should it block before it takes what is there, that is for others. */
		ioevq_conc_hold_back(&q->conc);
	spin_unlock_irq(&q->lock);
	w->woken = false;
}

/* The same for what was found by looking at files. */
static void end_found(struct ioevq_queue *q, struct ioevq_waiter *w, u32 found, bool hand_on)
{
	if (!found)
		return;
	spin_lock_irq(&q->lock);
	q->claimed -= found;
	if (hand_on)
		ioevq_hand_on(q);
	else if (w->consumer)
		ioevq_conc_hold_back(&q->conc);
	spin_unlock_irq(&q->lock);
}

/* What is left may be another's batch, whose clock begins. */
static void hand_on_clock(struct wait *wait)
{
	if (!wait->w.batch_ns)
		return;
	spin_lock_irq(&wait->q->lock);
	if (end_clock(wait))
		ioevq_hand_on(wait->q);
	spin_unlock_irq(&wait->q->lock);
}

/* Look at files first, then take what there is: 0 to go on, 1 to return, or an errno. */
static int look_and_take(struct wait *wait)
{
	struct ioevq_queue *q = wait->q;
	bool comes = wait->min || wait->max;
	int ret = 0;
	u32 found;

	if (comes && (ioevq_conc_limited(&q->conc) || ioevq_conc_counts_me()))
		ret = ioevq_conc_join(&q->conc, &wait->w.consumer);
	if (ret)
		return ret;
	found = ioevq_go_on(q, !comes);
	if (!wait->only_submits)
		found += ioevq_recheck(q, wait->max ? wait->max - wait->taken : U64_MAX,
				       wait->patient);
	if (wait->w.rechecker) {
		spin_lock_irq(&q->lock);
		end_recheck(q, &wait->w);
		spin_unlock_irq(&q->lock);
	}
	ret = look(wait);
	if (ret > 0 && wait->max) {
		ret = ioevq_take_events(q, wait->events + wait->taken, wait->max - wait->taken);
		if (ret > 0)
			wait->taken += ret;
		/* What goes on may be for others, while we are busy with what we have. */
		ioevq_go_on(q, true);
	} else if (ret > 0) {
		/* Who only waits takes from the mapped ring. */
		wait->taken = ret;
	}
	/* Who only waits takes from the mapped ring: what it has found is not for others. */
	end_found(q, &wait->w, found, wait->max || ret <= 0);
	if (ret < 0)
		return ret;
	if (wait->no_wait && !wait->only_submits && !wait->taken && READ_ONCE(q->polled))
		ioevq_leave_look(q);
	/* A batch that others have taken from meanwhile is not waited for again. */
	return wait->no_wait || wait->taken >= wait->min || (wait->w.batch_ns && wait->taken);
}

static int wait_loop(struct wait *wait)
{
	/* Who may sleep has just found nothing, or has to leave another queue first. */
	bool looks = wait->no_wait || ioevq_conc_counts_me();
	int why = 0, ret;

	for (;;) {
		ret = looks ? look_and_take(wait) : 0;
		looks = true;
		/* Events come before the timeout and the signal. */
		if (ret)
			return ret < 0 || wait->taken ? ret : why;
		cond_resched();
		end_claim(wait->q, &wait->w, true);
		ret = sleep_for(wait);
		/* Killed while it was woken: another must have what it was woken for. */
		if (fatal_signal_pending(current))
			return -EINTR;
		if (ret) {
			/* A last look. */
			why = ret == -ETIME ? 0 : ret;
			wait->no_wait = true;
		}
	}
}

/* An event of the queue itself. */
static int tell_alert(struct wait *wait)
{
	struct ioevq_event ev = {
		.user_data = wait->alert, .op = IOEVQ_OP_NOP, .flags = IOEVQ_EVENT_ALERT,
	};

	if (!wait->max || wait->taken)
		return 0;
	if (copy_to_user(wait->events, &ev, sizeof(ev)))
		return -EFAULT;
	wait->taken = 1;
	return 0;
}

/* Who sleeps shall look, too, at what we were told by level. */
static void pass_on(struct ioevq_queue *q)
{
	spin_lock_irq(&q->lock);
	if (ioevq_recheck_due(q))
		ioevq_wake_recheck(q);
	spin_unlock_irq(&q->lock);
}

static void prepare_timers(struct wait *wait, const struct ioevq_enter *enter)
{
	struct hrtimer *timer = &wait->timeout->timer;
	clockid_t clock = CLOCK_MONOTONIC;
	ktime_t t = enter->timeout_ns;

	wait->w.batch_ns = min_t(u64, enter->batch_ns, KTIME_MAX);
	if (wait->w.batch_ns)
		hrtimer_init_sleeper_on_stack(wait->w.batch, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
	wait->timed = t > 0 && !wait->no_wait;
	if (!wait->timed)
		return;
	if (enter->flags & IOEVQ_ENTER_BOOTTIME)
		clock = CLOCK_BOOTTIME;
	if (enter->flags & IOEVQ_ENTER_REALTIME)
		clock = CLOCK_REALTIME;
	hrtimer_init_sleeper_on_stack(wait->timeout, clock, HRTIMER_MODE_ABS);
	if (enter->flags & IOEVQ_ENTER_ABSTIME)
		t = compat_timens_to_host(clock, t);
	else
		t = ktime_add_safe(hrtimer_cb_get_time(timer), t);
	hrtimer_set_expires_range_ns(timer, t, rt_task(current) ? 0 : current->timer_slack_ns);
}

static void destroy_timers(struct wait *wait)
{
	if (wait->timed)
		destroy_hrtimer_on_stack(&wait->timeout->timer);
	if (wait->w.batch_ns)
		destroy_hrtimer_on_stack(&wait->w.batch->timer);
}

/* What ioevq_take_at_once() is not for; else as ioevq_wait(). */
int ioevq_wait_long(struct ioevq_queue *q, const struct ioevq_enter *enter)
{
	/* Large, and set up by prepare_timers() where they are needed. */
	struct hrtimer_sleeper timeout, batch;
	struct wait wait = {
		.q = q,
		.events = u64_to_user_ptr(enter->events),
		.min = enter->min,
		.max = enter->max,
		.no_wait = !enter->timeout_ns || !enter->min,
		.only_submits = enter->nr_reqs && !enter->min && !enter->max,
		.timeout = &timeout,
		.w.batch = &batch,
	};
	int ret;

	/* Not the last look of a wait whose time is over: that has none left. */
	wait.patient = wait.no_wait && enter->flags & IOEVQ_ENTER_PASS_ON;
	prepare_timers(&wait, enter);
	ret = wait_loop(&wait);
	if (ret == -ECANCELED)
		ret = tell_alert(&wait);
	/* Who only waits takes from the mapped ring: what woke it is not for others. */
	end_claim(q, &wait.w, wait.max || ret < 0);
	hand_on_clock(&wait);
	if (enter->flags & IOEVQ_ENTER_PASS_ON && wait.taken)
		pass_on(q);
	if (wait.w.consumer)
		ioevq_conc_returns(wait.w.consumer);
	destroy_timers(&wait);
	return wait.taken ?: min(ret, 0);
}

/*
 * Returns the number of events taken (with max 0: available), or -EINTR, -EFAULT,
 * -EBADFD, -ENOMEM if there was none. The arguments were checked.
 */
int ioevq_wait(struct ioevq_queue *q, const struct ioevq_enter *enter)
{
	int ret = -EAGAIN;

	if (!(enter->flags & IOEVQ_ENTER_PASS_ON))
		ret = ioevq_take_at_once(q, u64_to_user_ptr(enter->events), enter->min, enter->max,
					 !enter->timeout_ns);
	return ret == -EAGAIN ? ioevq_wait_long(q, enter) : ret;
}

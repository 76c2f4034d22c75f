// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looking at files again. Of some only ->poll can tell whether they are ready, and it may
 * sleep: a consumer does that, in its own context, when it comes for events.
 *
 * They stand in q->recheck, first come first served. One that was announced and is to be
 * looked at again once that event is reaped stands in q->level until then. A look takes
 * them from there to a list of its own, and what it leaves returns to the front of
 * q->recheck. Of one that nobody has asked for yet nobody was told: should its file wake it
 * in the meantime, that is news.
 */
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>

#include "point.h"
#include "req.h"
#include "wake.h"

/* Level watches that are taken up for a look, or passed by, at once, with interrupts off. */
#define MAX_DUE		64

/* What the mapped ring says of it. queue->lock is held. */
void ioevq_recheck_set_flag(struct ioevq_queue *q)
{
	ioevq_ring_set_flag(&q->ring, IOEVQ_RING_RECHECK,
			    q->looking || !list_empty(&q->recheck) || !list_empty(&q->level) ||
			    !list_empty(&q->unreaped));
}

/*
 * Let a consumer look at the file. False: whoever had to know of it was told before, and
 * telling again could go round in a circle. queue->lock is held, in any context.
 */
bool ioevq_ask_recheck(struct ioevq_kreq *kreq)
{
	struct ioevq_queue *q = kreq->q;

	lockdep_assert_held(&q->lock);

	if (!list_empty(&kreq->recheck)) {
		if (!kreq->level || !ioevq_ring_reaped(&q->ring, kreq->seq))
			return false;
		list_del(&kreq->recheck);
		kreq->level = false;
	}
	list_add_tail(&kreq->recheck, &q->recheck);
	if (q->polled)
		ioevq_notify(q);
	ioevq_wake_recheck(q);
	return true;
}

/* The file is to be looked at again at the first wait after its last event was reaped. */
void ioevq_recheck_when_reaped(struct ioevq_kreq *kreq)
{
	struct ioevq_queue *q = kreq->q;
	struct list_head *at;
	unsigned int n = 0;

	lockdep_assert_held(&q->lock);

	/* As a rule it was just taken from a list, to be looked at. */
	if (!list_empty(&kreq->recheck))
		list_del(&kreq->recheck);
	kreq->level = true;
	/*
	 * They stand in the order of their events, and as a rule this is the last. One that could
	 * not be announced again is not. It may wait for another's event if they are many.
	 */
	at = q->level.prev;
	while (at != &q->level && n++ < MAX_DUE &&
	       (s64)(list_entry(at, struct ioevq_kreq, recheck)->seq - kreq->seq) > 0)
		at = at->prev;
	list_add(&kreq->recheck, at);
	ioevq_ring_set_flag(&q->ring, IOEVQ_RING_RECHECK, true);
}

/* The file need not be looked at. queue->lock is held. */
void ioevq_recheck_forget(struct ioevq_kreq *kreq)
{
	struct ioevq_queue *q = kreq->q;

	lockdep_assert_held(&q->lock);

	if (list_empty(&kreq->recheck))
		return;
	list_del_init(&kreq->recheck);
	kreq->level = false;
	ioevq_recheck_set_flag(q);
}

static bool level_due(struct ioevq_queue *q)
{
	struct ioevq_kreq *kreq = list_first_entry_or_null(&q->level, struct ioevq_kreq, recheck);

	return kreq && ioevq_is_reaped(kreq);
}

/* Is there a file to look at? queue->lock is held. */
bool ioevq_recheck_due(struct ioevq_queue *q)
{
	lockdep_assert_held(&q->lock);

	return !list_empty(&q->recheck) || level_due(q);
}

/*
 * Of those that were announced before event @end: what a look itself announces may be taken
 * at once, time and again.
 */
static void take_due(struct ioevq_queue *q, struct list_head *todo, ioevq_seq_t end)
{
	struct ioevq_kreq *kreq;
	unsigned int n = 0;

	while (n++ < MAX_DUE && level_due(q)) {
		kreq = list_first_entry(&q->level, struct ioevq_kreq, recheck);
		if ((s64)(kreq->seq - end) >= 0)
			break;
		list_move_tail(&kreq->recheck, todo);
	}
}

/*
 * With the mutex and queue->lock; whatever asks while we look is for the next round. Returns
 * the number of the next event.
 */
static ioevq_seq_t begin_look(struct ioevq_queue *q, struct list_head *todo)
{
	ioevq_seq_t end = q->ring.tail + q->ring.backlog_len;

	WRITE_ONCE(q->looking, true);
	list_splice_init(&q->recheck, todo);
	take_due(q, todo, end);
	return end;
}

static void end_look(struct ioevq_queue *q, struct list_head *todo)
{
	WRITE_ONCE(q->looking, false);
	list_splice(todo, &q->recheck);
	ioevq_recheck_set_flag(q);
}

/* Drops queue->lock meanwhile. @kreq stays: to be freed takes the mutex. */
static bool look_at(struct ioevq_kreq *kreq, bool tell)
{
	list_del_init(&kreq->recheck);
	kreq->level = false;
	return kreq->src->recheck(kreq, tell);
}

/* Not for a peek: who polls would be told by his own look, and so on in a circle. */
static void tell_turned_away(struct ioevq_queue *q)
{
	/* He has the mutex by now, and files in his hand: he owes it. */
	if (q->looking)
		return;
	WRITE_ONCE(q->turned_away, false);
	if (ioevq_recheck_due(q) || ioevq_ring_available(&q->ring))
		ioevq_notify(q);
}

/*
 * The caller leaves with nothing. Who has the mutex owes the look to who sleeps, or is done with
 * it by now. And to who polls: the caller may be one of those who are told once. He may have
 * looked, too, as far as to an event that another has taken.
 */
void ioevq_leave_look(struct ioevq_queue *q)
{
	spin_lock_irq(&q->lock);
	if (ioevq_recheck_due(q))
		ioevq_wake_recheck(q);
	if (q->polled) {
		WRITE_ONCE(q->turned_away, true);
		/* Pairs with the one in ioevq_unlock(). */
		smp_mb();
		if (!mutex_is_locked(&q->mutex))
			tell_turned_away(q);
	}
	spin_unlock_irq(&q->lock);
}

/*
 * Look at the files that asked for it until @want events are there: what is announced
 * long before it is taken may be true no more. One file at least, or those who always find
 * events would never look. Where somebody has the mutex, who may keep it for long, that is
 * left to whom ioevq_unlock() wakes. Only who asks for it (@patient) waits for another who
 * looks, though not for one who submits.
 *
 * Returns how many were found ready: the caller has a claim to so many events, and gives
 * it back when it has taken them, or cannot.
 */
static noinline u32 recheck(struct ioevq_queue *q, u64 want, bool patient)
{
	LIST_HEAD(todo);
	ioevq_seq_t end;
	u32 found;

	if (!mutex_trylock(&q->mutex) &&
	    (!patient || READ_ONCE(q->submitting) || mutex_lock_interruptible(&q->mutex))) {
		ioevq_leave_look(q);
		return 0;
	}
	spin_lock_irq(&q->lock);
	q->rechecker = false;
	q->found = 0;
	end = begin_look(q, &todo);
	while (!list_empty(&todo)) {
		look_at(list_first_entry(&todo, struct ioevq_kreq, recheck), true);
		/* Files may be many, and slow: who is killed need not look at all of them. */
		if (ioevq_ring_available(&q->ring) >= want || fatal_signal_pending(current))
			break;
		if (list_empty(&todo))
			take_due(q, &todo, end);
	}
	end_look(q, &todo);
	found = q->found;
	spin_unlock_irq(&q->lock);
	ioevq_unlock(q);
	return found;
}

/* The lists may seem empty while all is in the hand of who looks, or just was. */
static noinline bool is_any(struct ioevq_queue *q)
{
	bool any;

	if (!ioevq_seems_empty(&q->recheck) || !ioevq_seems_empty(&q->level))
		return true;
	spin_lock_irq(&q->lock);
	any = q->looking || !list_empty(&q->recheck) || !list_empty(&q->level);
	spin_unlock_irq(&q->lock);
	return any;
}

/* As a rule there is nothing to be done, and that takes no lock. */
u32 ioevq_recheck(struct ioevq_queue *q, u64 want, bool patient)
{
	if (!(READ_ONCE(q->ring.flags) & IOEVQ_RING_RECHECK) || !is_any(q))
		return 0;
	return recheck(q, want, patient);
}

/*
 * The poll of one queue may be that of another one's files, and so on: those in the way
 * need room. Half of it may be used.
 */
static bool is_deep(void)
{
	unsigned long here = (unsigned long)__builtin_frame_address(0);

	return here - (unsigned long)end_of_stack(current) < THREAD_SIZE / 2;
}

/*
 * Is one of the files ready that are to be looked at? Only what stays true is announced.
 * Where that cannot be found out now: perhaps, yes. For ->poll of the queue itself.
 */
bool ioevq_peek(struct ioevq_queue *q)
{
	struct ioevq_kreq *kreq;
	bool ready = false;
	LIST_HEAD(todo);

	if (is_deep() || !mutex_trylock(&q->mutex))
		return true;
	spin_lock_irq(&q->lock);
	begin_look(q, &todo);
	while (!ready && (kreq = list_first_entry_or_null(&todo, struct ioevq_kreq, recheck))) {
		bool later = look_at(kreq, false);

		/* For who comes to take it; it may have asked again meanwhile. */
		if (later && kreq->state == IOEVQ_LIVE && list_empty(&kreq->recheck))
			list_add(&kreq->recheck, &todo);
		ready = later || ioevq_ring_available(&q->ring);
	}
	end_look(q, &todo);
	spin_unlock_irq(&q->lock);
	ioevq_unlock(q);
	return ready;
}

/* Drop the mutex. Files that asked to be looked at meanwhile are for whoever waits. */
void ioevq_unlock(struct ioevq_queue *q)
{
	mutex_unlock(&q->mutex);
	ioevq_point(IOEVQ_POINT_UNLOCK);
	/*
	 * Pairs with those in ioevq_wake_recheck(), leave_files() and ioevq_leave_look(): we see
	 * who asked, or went to sleep, or was turned away, or they see us gone.
	 */
	smp_mb();
	if (ioevq_seems_empty(&q->recheck) && !READ_ONCE(q->look_owed) &&
	    !READ_ONCE(q->turned_away))
		return;
	spin_lock_irq(&q->lock);
	/* If another has the mutex by now it is he who owes it. */
	WRITE_ONCE(q->look_owed, false);
	if (ioevq_recheck_due(q))
		ioevq_wake_recheck(q);
	if (q->turned_away)
		tell_turned_away(q);
	spin_unlock_irq(&q->lock);
}

/* Free what has ended, unless somebody has the mutex, who does it. */
void ioevq_try_sweep(struct ioevq_queue *q)
{
	if (!mutex_trylock(&q->mutex))
		return;
	ioevq_sweep(q);
	ioevq_unlock(q);
}

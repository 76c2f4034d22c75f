// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests that go on when their last event was taken. To find that out takes nothing but
 * queue->lock; but it is left to who comes for events, in its own context, so that nothing goes
 * on faster than somebody asks for it. Who takes such an event from the mapped ring has to
 * enter the kernel, see %IOEVQ_RING_RECHECK, and the library takes it there.
 *
 * They stand in q->unreaped in the order of their events.
 */
#include <linux/sched/signal.h>

#include "req.h"

/* With interrupts off. */
#define MAX_AT_ONCE	64

/*
 * Call ->reaped() once the event is taken that is to be posted under this hold of
 * queue->lock. Before it is posted: who sees it shall see the flag, too.
 */
void ioevq_await_reap(struct ioevq_kreq *kreq)
{
	struct ioevq_queue *q = kreq->q;

	lockdep_assert_held(&q->lock);

	list_move_tail(&kreq->recheck, &q->unreaped);
	ioevq_recheck_set_flag(q);
}

static struct ioevq_kreq *first_reaped(struct ioevq_queue *q)
{
	struct ioevq_kreq *kreq = list_first_entry_or_null(&q->unreaped, struct ioevq_kreq,
							   recheck);

	return kreq && ioevq_is_reaped(kreq) ? kreq : NULL;
}

/* Is there one that may go on? queue->lock is held. */
bool ioevq_reaped_due(struct ioevq_queue *q)
{
	lockdep_assert_held(&q->lock);

	return first_reaped(q);
}

/*
 * Let those go on whose last event was taken. Returns how many events that has posted; if not
 * @news the caller has a claim to them, as with ioevq_recheck().
 */
u32 ioevq_go_on_some(struct ioevq_queue *q, bool news)
{
	u32 found_by_others, found = 0;
	struct ioevq_kreq *kreq;
	unsigned int n = 0;
	ioevq_seq_t end;

	spin_lock_irq(&q->lock);
	/* Who takes what is posted here meanwhile must not keep us. */
	end = q->ring.tail;
	while ((kreq = first_reaped(q)) && (s64)(kreq->seq - end) < 0) {
		list_del_init(&kreq->recheck);
		found_by_others = q->found;
		kreq->src->reaped(kreq, news);
		found += q->found - found_by_others;
		q->found = found_by_others;
		if (++n % MAX_AT_ONCE)
			continue;
		spin_unlock_irq(&q->lock);
		cond_resched();
		spin_lock_irq(&q->lock);
	}
	ioevq_recheck_set_flag(q);
	spin_unlock_irq(&q->lock);
	return found;
}

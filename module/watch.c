// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a watch does when its file wakes it.
 *
 * Where the wake-up says what has become ready that is announced at once. Else, and if
 * the watch is to say what is true when it is taken, a consumer looks at the file.
 *
 * A watch remembers where its announcements stand in the ring. While one is unreaped its
 * bits are not announced again: who takes it acts on it, and looks at the file after.
 */
#include <linux/poll.h>

#include "compat/master.h"
#include "point.h"
#include "wake.h"
#include "watch.h"

/* The same where the last announcement is unreaped: each of the others may be, too. */
static noinline __poll_t not_announced_in_part(struct ioevq_watch *w, __poll_t mask)
{
	unsigned int i;

	for (i = 0; i < IOEVQ_MAX_ANNOUNCED; i++) {
		if (w->announced[i] && ioevq_ring_reaped(&w->kreq.q->ring, w->seq[i]))
			w->announced[i] = 0;
		mask &= ~(__force __poll_t)w->announced[i];
	}
	return mask;
}

/* What of @mask was not announced, or was and has been reaped. Frees what was reaped. */
static inline __poll_t not_announced(struct ioevq_queue *q, struct ioevq_watch *w, __poll_t mask)
{
	if (unlikely(!ioevq_ring_reaped(&q->ring, w->kreq.seq)))
		return not_announced_in_part(w, mask);
	ioevq_watch_forget(w);
	return mask;
}

/* Where to note the next announcement: a free place, or -1. */
static int free_place(struct ioevq_watch *w)
{
	unsigned int i;

	for (i = 0; i < IOEVQ_MAX_ANNOUNCED; i++)
		if (!w->announced[i])
			return i;
	return -1;
}

/*
 * The last one is in the backlog still, out of sight: it can say more, unless that is
 * from before the watch was changed.
 */
static bool say_more(struct ioevq_watch *w, __poll_t mask)
{
	unsigned int i;

	if (w->spare)
		return false;
	for (i = 0; i < IOEVQ_MAX_ANNOUNCED; i++) {
		if (w->announced[i] && w->seq[i] == w->kreq.seq) {
			w->announced[i] |= (__force u16)mask;
			w->more.ev.res |= (__force u32)mask;
			return true;
		}
	}
	return false;
}

/*
 * The file is ready: make it known unless that was done. @news: who polls the queue was
 * not told yet. True if there is an event that was not there. queue->lock is held. Inline
 * in the wake-up, and of a @plain watch without looking at the mode: to call it would be a
 * tenth of what that costs, and the mode another one.
 */
static __always_inline bool announce(struct ioevq_queue *q, struct ioevq_watch *w, __poll_t ready,
				     bool news, bool plain)
{
	u64 folded = w->folded;
	int place;

	lockdep_assert_held(&q->lock);

	if (!plain && w->mode & IOEVQ_POLL_ONESHOT) {
		ioevq_complete_locked(&w->kreq, (__force u32)ready, 0, folded, news);
		return true;
	}
	ready = not_announced(q, w, ready);
	place = free_place(w);
	if (!ready || place < 0 || !w->spare) {
		w->folded++;
		/* More than there is memory for: look again. */
		if (ready && !say_more(w, ready) && list_empty(&w->kreq.recheck))
			ioevq_recheck_when_reaped(&w->kreq);
		return false;
	}
	w->folded = 0;
	w->announced[place] = (__force u16)ready;
	w->seq[place] = ioevq_post_more(&w->kreq, &w->spare, (__force u32)ready, 0, folded, news);
	if (!plain && w->mode & IOEVQ_POLL_DISPATCH)
		ioevq_watch_arm(w, false);
	/* One that was to be looked at after its last event is after this one. */
	if (w->kreq.level || (!plain && !(w->mode & (IOEVQ_POLL_EDGE | IOEVQ_POLL_DISPATCH))))
		ioevq_recheck_when_reaped(&w->kreq);
	return true;
}

bool ioevq_watch_announce(struct ioevq_watch *w, __poll_t ready, bool news)
{
	return announce(w->kreq.q, w, ready, news, false);
}

/* Was it announced that the file is ready, and nobody has taken that? queue->lock is held. */
bool ioevq_watch_unreaped(struct ioevq_watch *w)
{
	not_announced(w->kreq.q, w, 0);
	return w->announced[0] || w->announced[1] || w->announced[2];
}

/* The wait queue is going away, not because the file is closed. queue->lock is held. */
void ioevq_watch_ended(struct ioevq_watch *w)
{
	ioevq_complete_locked(&w->kreq, (__force u32)EPOLLHUP, IOEVQ_EVENT_CLOSED, w->folded, true);
}

/* The wait queue goes. */
static noinline int freed(struct ioevq_entry *e, struct ioevq_watch *w)
{
	struct ioevq_queue *q = w->kreq.q;
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	if (w->kreq.state == IOEVQ_NEW)
		w->early_free = true;
	else
		ioevq_watch_ended(w);
	spin_unlock_irqrestore(&q->lock, flags);
	list_del_init(&e->wait.entry);
	/* Last: pairs with detach_entry(). The head may be freed from here on. */
	smp_store_release(&e->head, NULL);
	return 0;
}

/* The last wake-up: after it nothing keeps the file. Pairs with leave_master(). */
static noinline void master_closes(struct ioevq_watch *w, struct ioevq_entry *e)
{
	struct ioevq_queue *q = w->kreq.q;
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	list_del_init(&e->wait.entry);
	WRITE_ONCE(e->head, NULL);
	ioevq_complete_locked(&w->kreq, 0, IOEVQ_EVENT_CLOSED, w->folded, true);
	spin_unlock_irqrestore(&q->lock, flags);
}

/* What is plain is not looked at here. True if a consumer is told by it. queue->lock is held. */
static noinline bool changed(struct ioevq_watch *w, __poll_t key, __poll_t ready)
{
	lockdep_assert_held(&w->kreq.q->lock);

	if (w->kreq.state == IOEVQ_NEW) {
		w->early |= ready;
		w->early_recheck |= !w->tells || !ready;
		return false;
	}
	if (w->kreq.state != IOEVQ_LIVE || !w->armed || (key && !ready))
		return false;
	if (w->mode & IOEVQ_POLL_EXCLUSIVE && !ioevq_is_idle(w->kreq.q)) {
		/* Another queue shall have it. If none does, who comes will find it. */
		ioevq_ask_recheck(&w->kreq);
		return false;
	}
	if (w->tells && key)
		return announce(w->kreq.q, w, ready, true, false);
	return ioevq_ask_recheck(&w->kreq);
}

/*
 * The queue was told. Fair: it goes to the end, for the others to have a turn. Else to
 * the front of the exclusive ones. With the lock of the wait queue. A walk of it must end
 * with us, or it would meet us again: no file whose wake-ups tell wakes all by a key.
 */
static void take_turns(struct ioevq_watch *w, wait_queue_entry_t *wait, wait_queue_head_t *head)
{
	wait_queue_entry_t *prev = wait;

	if (!(READ_ONCE(w->mode) & IOEVQ_POLL_LIFO)) {
		list_move_tail(&wait->entry, &head->head);
		return;
	}
	while (!list_is_first(&prev->entry, &head->head)) {
		wait_queue_entry_t *before = list_prev_entry(prev, entry);

		if (!(before->flags & WQ_FLAG_EXCLUSIVE))
			break;
		prev = before;
	}
	if (prev != wait)
		list_move_tail(&wait->entry, &prev->entry);
}

/* The same from outside of a wake-up. The caller holds the file. */
void ioevq_watch_take_turns(struct ioevq_watch *w)
{
	struct ioevq_entry *e = &w->entry;
	wait_queue_head_t *head;

	rcu_read_lock();
	/* Pairs with the release in freed(). */
	head = smp_load_acquire(&e->head);
	if (head) {
		spin_lock_irq(&head->lock);
		if (!list_empty(&e->wait.entry))
			take_turns(w, &e->wait, head);
		spin_unlock_irq(&head->lock);
	}
	rcu_read_unlock();
}

/* Something that concerns us, or may: a watch that is not exclusive. */
static noinline int woken(struct ioevq_entry *e, struct ioevq_watch *w, __poll_t key)
{
	struct ioevq_queue *q = w->kreq.q;
	unsigned long flags;
	__poll_t ready;

	if (unlikely(key & POLLFREE))
		return freed(e, w);
	ioevq_point(IOEVQ_POINT_EVENT);
	spin_lock_irqsave(&q->lock, flags);
	/* Pairs with the consumer's compare-and-swap: see ioevq_ring_reaped(). */
	smp_mb__after_spinlock();
	ready = key & w->mask;
	if (likely(w->plain && ready && w->kreq.state == IOEVQ_LIVE))
		announce(q, w, ready, true, true);
	else
		changed(w, key, ready);
	spin_unlock_irqrestore(&q->lock, flags);
	return 0;
}

/* The same of an exclusive one: 1 if a consumer is told by this very wake-up. */
static int woken_exclusive(struct ioevq_entry *e, struct ioevq_watch *w, __poll_t key)
{
	struct ioevq_queue *q = w->kreq.q;
	unsigned long flags;
	bool told;

	if (unlikely(key & POLLFREE))
		return freed(e, w);
	ioevq_point(IOEVQ_POINT_EVENT);
	spin_lock_irqsave(&q->lock, flags);
	/* As in woken(). */
	smp_mb__after_spinlock();
	told = changed(w, key, key & w->mask);
	spin_unlock_irqrestore(&q->lock, flags);
	/* As in epoll: one who waits for input is not the one to serve output, too. */
	if (!told || (key & (EPOLLIN | EPOLLOUT)) == (EPOLLIN | EPOLLOUT))
		return 0;
	/* Whoever has to look at the file does it in his own time, see poll_recheck(). */
	if (key && READ_ONCE(w->tells))
		take_turns(w, &e->wait, e->head);
	return 1;
}

/*
 * What does not concern us, as that there is room where we wait for data, is to cost little.
 * Who changes the mask looks at the file after it: see ioevq_watch_pass(). POLLFREE comes with
 * EPOLLHUP, which is in every mask.
 */
static bool concerns(struct ioevq_watch *w, __poll_t key)
{
	return !key || key & READ_ONCE(w->mask);
}

/* The wake-up: any context, under the lock of the wait queue. */
static int wake(wait_queue_entry_t *wait, unsigned int mode, int sync, void *keyp)
{
	struct ioevq_watch *w = wait->private;
	__poll_t key = key_to_poll(keyp);

	if (!concerns(w, key))
		return 0;
	return woken(container_of(wait, struct ioevq_entry, wait), w, key);
}

/* The same of those that are seldom. */
static int wake_other(wait_queue_entry_t *wait, unsigned int mode, int sync, void *keyp)
{
	struct ioevq_entry *e = container_of(wait, struct ioevq_entry, wait);
	struct ioevq_watch *w = wait->private;
	__poll_t key = key_to_poll(keyp);

	if (w->is_master && compat_master_is_closing(w->kreq.file)) {
		master_closes(w, e);
		return 0;
	}
	if (!concerns(w, key))
		return 0;
	if (READ_ONCE(w->mode) & IOEVQ_POLL_EXCLUSIVE)
		return woken_exclusive(e, w, key);
	return woken(e, w, key);
}

/* Which of them is for this watch. That it is exclusive does not change. */
wait_queue_func_t ioevq_watch_wake(const struct ioevq_watch *w)
{
	return w->is_master || w->mode & IOEVQ_POLL_EXCLUSIVE ? wake_other : wake;
}

/* The file is being closed, or we lost interest. Under the lock of the close hook. */
static void closed(struct ioevq_fwatch *fw, bool by_close)
{
	struct ioevq_watch *w = container_of(fw, struct ioevq_watch, close);
	struct ioevq_queue *q = w->kreq.q;

	ioevq_watch_leave(w);
	if (!by_close)
		return;
	ioevq_point(IOEVQ_POINT_COMPLETE);
	spin_lock_irq(&q->lock);
	/* Read without the lock by others_owe(), perhaps of the next file at this address. */
	WRITE_ONCE(w->owes, false);
	ioevq_complete_locked(&w->kreq, 0, IOEVQ_EVENT_CLOSED, w->folded, true);
	spin_unlock_irq(&q->lock);
}

/* From now on the close of @file ends the watch, which has joined its wait queues. */
int ioevq_watch_begin(struct ioevq_watch *w, struct file *file)
{
	w->close.closed = closed;
	return w->is_master ? 0 : ioevq_fclose_watch(&w->close, file);
}

/* On return it is in no wait queue any more. May sleep. */
void ioevq_watch_end(struct ioevq_watch *w)
{
	if (w->is_master)
		ioevq_watch_leave(w);
	else
		ioevq_fclose_unwatch(&w->close);
}

/* A reference to the file, or NULL if it is being closed. */
struct file *ioevq_watch_file(struct ioevq_watch *w)
{
	struct ioevq_queue *q = w->kreq.q;
	struct file *file = NULL;

	if (!w->is_master)
		return ioevq_fclose_get(&w->close);
	spin_lock_irq(&q->lock);
	if (w->entry.head && compat_get_master(w->kreq.file))
		file = w->kreq.file;
	spin_unlock_irq(&q->lock);
	return file;
}

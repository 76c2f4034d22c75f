// SPDX-License-Identifier: GPL-2.0-only
/* The entries of a watch in the wait queues of its file. */
#include <linux/poll.h>
#include <linux/slab.h>

#include "point.h"
#include "watch.h"

/*
 * Leave the wait queue, which may be going away itself: the protocol of POLLFREE
 * (include/linux/wait.h) keeps its memory for an RCU grace period. The next exclusive entry
 * may have to be told instead of us.
 */
static void detach_entry(struct ioevq_watch *w, struct ioevq_entry *e)
{
	wait_queue_head_t *head;

	rcu_read_lock();
	/* Pairs with the release in freed(): NULL means that it is gone. */
	head = smp_load_acquire(&e->head);
	if (head) {
		ioevq_point(IOEVQ_POINT_DETACH);
		spin_lock_irq(&head->lock);
		list_del_init(&e->wait.entry);
		if (w->hands_on)
			__wake_up_locked_key(head, TASK_NORMAL, poll_to_key(w->handed_on));
		spin_unlock_irq(&head->lock);
		e->head = NULL;
	}
	rcu_read_unlock();
}

/*
 * The same where the close hook does not work: while the entry is in the wait queue that
 * stays, see compat/master.h. The head is that of a terminal that the watch holds.
 */
static void leave_master(struct ioevq_queue *q, struct ioevq_entry *e)
{
	wait_queue_head_t *head = READ_ONCE(e->head);

	/* Pairs with master_closes(), which was faster, and may be at it still. */
	if (!head) {
		spin_lock_irq(&q->lock);
		spin_unlock_irq(&q->lock);
		return;
	}
	spin_lock_irq(&head->lock);
	spin_lock(&q->lock);
	if (e->head) {
		list_del_init(&e->wait.entry);
		WRITE_ONCE(e->head, NULL);
	}
	spin_unlock(&q->lock);
	spin_unlock_irq(&head->lock);
}

static void leave(struct ioevq_watch *w, struct ioevq_entry *e)
{
	if (!w->is_master)
		detach_entry(w, e);
	else
		leave_master(w->kreq.q, e);
}

static void pass(struct ioevq_entry *e)
{
	wait_queue_head_t *head;

	rcu_read_lock();
	/* Pairs with the release in freed(). */
	head = smp_load_acquire(&e->head);
	if (head) {
		spin_lock_irq(&head->lock);
		spin_unlock_irq(&head->lock);
	}
	rcu_read_unlock();
}

/*
 * The wake-ups before this are seen by whoever calls it, with all that led to them, those
 * after it see what he has written. The lock is all that some files have for it: eventfd_write()
 * has no barrier between what it adds and the wake-up's look at the mask. The caller holds
 * the file.
 */
void ioevq_watch_pass(struct ioevq_watch *w)
{
	struct ioevq_entry *e;

	pass(&w->entry);
	for (e = w->others; e; e = e->next)
		pass(e);
}

/* Under the lock of the close hook, or before it knows us. */
void ioevq_watch_leave(struct ioevq_watch *w)
{
	struct ioevq_entry *e;

	leave(w, &w->entry);
	for (e = w->others; e; e = e->next)
		leave(w, e);
}

void ioevq_watch_free_entries(struct ioevq_watch *w)
{
	struct ioevq_entry *e;

	while ((e = w->others)) {
		w->others = e->next;
		kfree(e);
	}
}

/* Files have few wait queues. May sleep. 0, -ENOMEM or -EOPNOTSUPP. */
int ioevq_watch_join(struct ioevq_watch *w, wait_queue_head_t *head)
{
	struct ioevq_entry *e = &w->entry;
	unsigned int others = 0;

	if (e->head) {
		struct ioevq_entry *o;

		if (e->head == head)
			return 0;
		for (o = w->others; o; o = o->next) {
			if (o->head == head)
				return 0;
			others++;
		}
		if (others == IOEVQ_MAX_OTHERS)
			return -EOPNOTSUPP;
		e = kzalloc(sizeof(*e), GFP_KERNEL_ACCOUNT);
		if (!e)
			return -ENOMEM;
		e->next = w->others;
		w->others = e;
	}
	e->head = head;
	init_waitqueue_func_entry(&e->wait, ioevq_watch_wake(w));
	e->wait.private = w;
	if (w->mode & IOEVQ_POLL_EXCLUSIVE)
		add_wait_queue_exclusive(head, &e->wait);
	else
		add_wait_queue(head, &e->wait);
	return 0;
}

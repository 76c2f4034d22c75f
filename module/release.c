// SPDX-License-Identifier: GPL-2.0-only
/*
 * References to files that are dropped in the middle of an ioctl that may go to sleep. Were one
 * the last, because another thread has closed the file meanwhile, fput() would only note that it
 * has to be released when this thread returns to user space: the peer would see nothing, and
 * the event that we go to sleep for might be that of this very close. So a kernel thread of the
 * user's does it.
 *
 * It holds the queue, and not who closes that, nor those who submit: a socket may linger for as
 * long as nobody reads what was sent. Who has dropped it waits for that, as he would in close(2).
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "queue.h"

/* So many of a queue are not charged: one that has no request left closes files, too. */
#define MAX_FREE	64

struct release {
	struct work_struct work;
	struct list_head node;		/* queue->lock; queue->releases */
	struct ioevq_queue *q;
	struct file *file;
	u32 number;
	bool charged;
};

static void run(struct work_struct *work)
{
	struct release *r = container_of(work, struct release, work);
	struct ioevq_queue *q = r->q;

	/* A queue is released at the next tick: it may have such a work of its own. */
	if (ioevq_queue_from_file(r->file))
		fput(r->file);
	else
		__fput_sync(r->file);
	if (r->charged)
		ioevq_uncharge(q);
	spin_lock_irq(&q->lock);
	WRITE_ONCE(q->releasing, q->releasing - 1);
	list_del(&r->node);
	spin_unlock_irq(&q->lock);
	/* The list before who waits: pairs with prepare_to_wait_event(). */
	smp_mb();
	wake_up_var(&q->releases);
	kfree(r);
	ioevq_queue_put_inflight(q);
}

/* False: there are many already, and the queue has no request left to count it as. */
static bool hand_over(struct ioevq_queue *q, struct file *file)
{
	struct workqueue_struct *closers = ioevq_user_closers(q->user);
	struct release *r;

	/* Without it our thread might sleep until the file that it keeps tells of its end. */
	r = kmalloc(sizeof(*r), GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
	r->q = q;
	r->file = file;
	INIT_WORK(&r->work, run);
	r->charged = READ_ONCE(q->releasing) >= MAX_FREE;
	if (r->charged && ioevq_charge(q)) {
		kfree(r);
		return false;
	}
	spin_lock_irq(&q->lock);
	q->inflight++;
	WRITE_ONCE(q->releasing, q->releasing + 1);
	r->number = q->nr_releases;
	/* Read without the lock by submit(). */
	WRITE_ONCE(q->nr_releases, r->number + 1);
	list_add_tail(&r->node, &q->releases);
	spin_unlock_irq(&q->lock);
	queue_work(closers ?: ioevq_workqueue, &r->work);
	return true;
}

/* Drop a reference. May sleep, but for nobody's release. */
void ioevq_queue_fput(struct ioevq_queue *q, struct file *file)
{
	if (atomic_long_add_unless(&file->f_count, -1, 1))
		return;
	/* Else it is released late, when this thread returns. */
	if (!hand_over(q, file))
		fput(file);
}

static bool are_over(struct ioevq_queue *q, u32 first, u32 end)
{
	struct release *r;
	bool over = true;

	spin_lock_irq(&q->lock);
	/* They stand in order, and ours are among the last. */
	list_for_each_entry_reverse(r, &q->releases, node) {
		over = (s32)(r->number - first) < 0;
		if (over || (s32)(r->number - end) < 0)
			break;
		over = true;
	}
	spin_unlock_irq(&q->lock);
	return over;
}

/* Wait for those from number @first to before @end, or for a signal. */
void ioevq_wait_releases(struct ioevq_queue *q, u32 first, u32 end)
{
	if (first != end)
		wait_var_event_interruptible(&q->releases, are_over(q, first, end));
}

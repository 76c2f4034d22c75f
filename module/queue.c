// SPDX-License-Identifier: GPL-2.0-only
/* A queue from open to the end. */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "buf.h"
#include "clock.h"
#include "compat/compat.h"
#include "lane.h"
#include "point.h"
#include "req.h"
#include "rw.h"
#include "wake.h"

struct ioevq_queue *ioevq_queue_from_file(struct file *file)
{
	return file->f_op == &ioevq_fops ? file->private_data : NULL;
}

/* For what does not wait: free_work, and releases where there is no memory for another. */
struct workqueue_struct *ioevq_workqueue;

/*
 * Free all requests of a closed queue that are complete. Events in the backlog are
 * moved through the ring, which nobody reads any more, to where the sweep finds them.
 */
static void queue_drain(struct ioevq_queue *q)
{
	lockdep_assert_held(&q->mutex);

	while (READ_ONCE(q->ring.backlog)) {
		spin_lock_irq(&q->lock);
		q->ring.page->head = q->ring.tail;
		ioevq_ring_flush(&q->ring, 64);
		spin_unlock_irq(&q->lock);
		cond_resched();
	}
	ioevq_sweep(q);
}

/*
 * What the memory of a ring counts for, in requests of its user: eight events are one. The
 * first page is that of the queue, which the limit of descriptors bounds.
 */
static unsigned int ring_charge(u32 entries)
{
	return (ioevq_ring_bytes(entries) - PAGE_SIZE) / (8 * sizeof(struct ioevq_event));
}

/* Free a queue that nobody can reach: no file, no mapping, no I/O, no lane. */
static void queue_free(struct ioevq_queue *q)
{
	/*
	 * Who put the last reference may be inside of the unlock, which does not everywhere end
	 * with an RCU read lock, as the one below takes for granted.
	 */
	spin_lock_irq(&q->lock);
	spin_unlock_irq(&q->lock);
	ioevq_wake_end(q);
	mutex_lock(&q->mutex);
	queue_drain(q);
	ioevq_clocks_free(q);
	ioevq_spares_free(q);
	mutex_unlock(&q->mutex);
	WARN_ON_ONCE(atomic_read(&q->requests));
	if (q->ready)
		ioevq_uncharge_user(q->user, ring_charge(q->ring.entries));
	ioevq_ring_free(&q->ring);
	ioevq_index_free(&q->index);
	ioevq_user_put(q->user);
	mutex_destroy(&q->mutex);
	/* Who put the last reference may still be inside of the unlock of q->lock. */
	kfree_rcu(q, rcu);
}

/*
 * The last I/O of a closed queue was given back. This runs on a workqueue of our own,
 * which module exit drains: dropping the module's reference here is safe.
 */
static void queue_free_work(struct work_struct *work)
{
	queue_free(container_of(work, struct ioevq_queue, free_work));
	module_put(THIS_MODULE);
}

/* Any context; q may be gone on return. */
void ioevq_queue_put_inflight(struct ioevq_queue *q)
{
	unsigned long flags;

	ioevq_point(IOEVQ_POINT_PUT);
	spin_lock_irqsave(&q->lock, flags);
	/* The open file holds one, too: only a closed queue gets here. */
	if (!--q->inflight)
		queue_work(ioevq_workqueue, &q->free_work);
	spin_unlock_irqrestore(&q->lock, flags);
}

/* Of the queue that was opened last. */
static atomic_t last_number;

/* An empty queue of the caller, before SETUP. NULL: no memory. */
struct ioevq_queue *ioevq_queue_new(void)
{
	struct ioevq_queue *q = kzalloc(sizeof(*q), GFP_KERNEL_ACCOUNT);

	if (!q)
		return NULL;
	if (ioevq_index_init(&q->index)) {
		kfree(q);
		return NULL;
	}
	q->user = ioevq_user_get();
	if (!q->user) {
		ioevq_index_free(&q->index);
		kfree(q);
		return NULL;
	}
	spin_lock_init(&q->lock);
	mutex_init(&q->mutex);
	mutex_init(&q->setup_mutex);
	ioevq_wake_init(q);
	ioevq_nested_init(q);
	ioevq_lanes_init(q);
	INIT_WORK(&q->free_work, queue_free_work);
	INIT_LIST_HEAD(&q->releases);
	q->ring.number = atomic_inc_return(&last_number);
	q->inflight = 1;
	ioevq_spares_init(q);
	q->ops = GENMASK_ULL(IOEVQ_OP__COUNT - 1, 0);
	return q;
}

static int queue_open(struct inode *inode, struct file *file)
{
	file->private_data = ioevq_queue_new();
	return file->private_data ? stream_open(inode, file) : -ENOMEM;
}

/*
 * Some close, perhaps in the exit of a consumer that was told of an event (max 0) and has not
 * taken it: it is for who sleeps.
 */
static int queue_flush(struct file *file, fl_owner_t id)
{
	struct ioevq_queue *q = file->private_data;

	ioevq_go_on(q, true);
	spin_lock_irq(&q->lock);
	/* Waiters are there only once the ring is. */
	if (!list_empty(&q->waiters) && ioevq_recheck_due(q))
		ioevq_wake_recheck(q);
	ioevq_hand_on(q);
	spin_unlock_irq(&q->lock);
	return 0;
}

/*
 * The last close. Nothing can be submitted any more, and nobody waits. Whatever
 * can be stopped is stopped now; I/O that a device or a worker has in hand is not
 * waited for: the last one of it frees the queue.
 */
void ioevq_queue_close(struct ioevq_queue *q)
{
	struct ioevq_kreq *kreq;
	unsigned int i;
	bool last;

	mutex_lock(&q->mutex);
	for (i = 0; i < ioevq_index_size(&q->index); i++) {
		hlist_for_each_entry(kreq, &q->index.by_user_data[i], by_user_data) {
			if (kreq->src->cancel)
				kreq->src->cancel(kreq);
			cond_resched();
		}
	}
	queue_drain(q);
	mutex_unlock(&q->mutex);
	ioevq_point(IOEVQ_POINT_RELEASE);
	ioevq_bufs_drop(q);
	ioevq_nested_close(q);
	ioevq_conc_close(&q->conc);

	spin_lock_irq(&q->lock);
	last = !--q->inflight;
	if (!last)
		__module_get(THIS_MODULE);
	spin_unlock_irq(&q->lock);
	if (last)
		queue_free(q);
}

static int queue_release(struct inode *inode, struct file *file)
{
	ioevq_queue_close(file->private_data);
	return 0;
}

static int queue_setup_locked(struct ioevq_queue *q, const struct ioevq_setup *setup)
{
	u32 entries = setup->entries ?: ioevq_default_entries;
	int err;

	if (entries > ioevq_max_entries)
		return -EINVAL;
	if (setup->ops & ~q->ops)
		return -EOPNOTSUPP;
	entries = roundup_pow_of_two(entries);
	err = ioevq_charge_user(q->user, ring_charge(entries));
	if (err)
		return err;
	err = ioevq_ring_alloc(&q->ring, entries);
	if (err) {
		ioevq_uncharge_user(q->user, ring_charge(entries));
		return err;
	}
	if (setup->ops)
		WRITE_ONCE(q->ops, setup->ops);
	q->mapped = setup->flags & IOEVQ_SETUP_MAPPED;
	if (setup->flags & IOEVQ_SETUP_CONCURRENCY)
		ioevq_set_limit(q, setup->concurrency);
	/* Pairs with the acquire in ioevq_queue_ready(). */
	smp_store_release(&q->ready, true);
	return 0;
}

/* IOEVQ_IOC_SETUP: once, and before the first use. The flags were checked. */
int ioevq_queue_setup(struct ioevq_queue *q, const struct ioevq_setup *setup)
{
	int err;

	if (mutex_lock_interruptible(&q->setup_mutex))
		return -EINTR;
	err = q->ready ? -EBUSY : queue_setup_locked(q, setup);
	mutex_unlock(&q->setup_mutex);
	return err;
}

/* The first use of a queue that was not set up gives it what is usual. */
int ioevq_queue_use_first(struct ioevq_queue *q)
{
	static const struct ioevq_setup usual;
	int err = ioevq_queue_setup(q, &usual);

	return err == -EBUSY ? 0 : err;
}

/* What changes in a queue in use; the rest of @info is zero. */
void ioevq_queue_state(struct ioevq_queue *q, struct ioevq_info *info)
{
	*info = (struct ioevq_info){
		.requests = atomic_read(&q->requests),
		.concurrency = READ_ONCE(q->conc.limit),
		.runnable = atomic_read(&q->conc.running),
		.buffers = READ_ONCE(q->nr_bufs),
	};
	if (!ioevq_queue_ready(q))
		return;
	spin_lock_irq(&q->lock);
	info->entries = q->ring.entries;
	info->available = ioevq_ring_available(&q->ring);
	info->backlog = q->ring.backlog_len;
	info->events = q->ring.tail + q->ring.backlog_len;
	info->wakeups = q->wakeups;
	info->waiting = q->waiting;
	spin_unlock_irq(&q->lock);
}

/* Takes no lock of the queue: those are held while user memory is touched. */
static int queue_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct ioevq_queue *q = file->private_data;

	if (!ioevq_queue_ready(q) || !q->mapped)
		return -EACCES;
	/* VM_SHARED is taken from who opened the queue to read only. */
	if (!(vma->vm_flags & VM_MAYSHARE) || vma->vm_pgoff ||
	    vma->vm_end - vma->vm_start != ioevq_ring_bytes(q->ring.entries))
		return -EINVAL;
	ioevq_point(IOEVQ_POINT_MMAP);
	/* Children of a fork share the ring: they are consumers, too. */
	compat_vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	return remap_vmalloc_range(vma, q->ring.page, 0);
}

static __poll_t queue_poll(struct file *file, poll_table *pt)
{
	struct ioevq_queue *q = file->private_data;
	bool ready = false, look = false;

	ioevq_go_on(q, true);
	poll_wait(file, &q->poll_wait, pt);
	spin_lock_irq(&q->lock);
	WRITE_ONCE(q->polled, true);
	if (ioevq_queue_ready(q)) {
		ready = ioevq_ring_available(&q->ring) || q->alerted;
		look = q->looking || ioevq_recheck_due(q);
	}
	spin_unlock_irq(&q->lock);
	if (!ready && look)
		ready = ioevq_peek(q);
	return EPOLLOUT | EPOLLWRNORM | (ready ? EPOLLIN | EPOLLRDNORM : 0);
}

const struct file_operations ioevq_fops = {
	.owner = THIS_MODULE,
	.open = queue_open,
	.flush = queue_flush,
	.release = queue_release,
	.read = ioevq_read,
	.read_iter = ioevq_read_iter,
	.write = ioevq_write,
	.unlocked_ioctl = ioevq_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = queue_poll,
	.mmap = queue_mmap,
	.show_fdinfo = ioevq_show_fdinfo,
	.llseek = noop_llseek,
};

int ioevq_queues_init(void)
{
	ioevq_workqueue = alloc_workqueue("ioevq", WQ_UNBOUND, 0);
	return ioevq_workqueue ? 0 : -ENOMEM;
}

void ioevq_queues_exit(void)
{
	destroy_workqueue(ioevq_workqueue);
}

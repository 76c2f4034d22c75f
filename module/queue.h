/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A queue, its requests and the lock order. Arrows between the files go one way:
 *
 *   main -> ioctl, rw -> queue -> source table -> src_* -> fclose, nest, aio -> lane, env, buf
 *           src_aio -> src_stream -> stream -> watch, fclose, lane, env   src_child -> child
 *           src_timer -> clock   src_timer, wait -> reaped -> recheck   aio -> resident
 *           ioctl, rw -> wait -> take -> recheck   rw, src_post -> post -> req
 *           src_* -> watch -> recheck -> req -> index, wake
 *           wake, index -> ring, conc, limit   queue -> fdinfo   main, lane -> rest
 *           all -> trace
 *
 * Locks, outermost first:
 *
 *   queue->mutex        submission, sweeping, looking at files again; may sleep
 *     fclose bucket     spinlock, process context; what guards weak file pointers
 *       a source's own wait-queue head lock (any context)
 *         queue->lock   irq-safe and innermost, but for the scheduler's and the timers'
 *
 * Wake-up callbacks run under a source's lock and take queue->lock only.
 */
#ifndef IOEVQ_QUEUE_H
#define IOEVQ_QUEUE_H

#include <linux/atomic.h>
#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "conc.h"
#include "index.h"
#include "nest.h"
#include "ring.h"

struct ioevq_buf;
struct ioevq_clocks;
struct ioevq_waiter;
struct seq_file;

#define IOEVQ_MAX_LANES		16

/* A user and what counts for all queues that it opened; see limit.c. */
struct ioevq_user {
	struct hlist_node node;
	kuid_t uid;
	refcount_t queues;
	atomic_t requests;
	struct workqueue_struct *workers;	/* NULL before the first file I/O */
	struct workqueue_struct *closers;	/* the same for releases; see release.c */
};

/* A worker of a queue, for what would block its submitter; see lane.c. */
struct ioevq_lane {
	struct work_struct work;
	struct ioevq_queue *q;
	bool busy;			/* queue->lock */
};

struct ioevq_queue {
	spinlock_t lock;		/* whatever says so below */
	struct ioevq_ring_state ring;	/* lock; allocated once under mutex */
	struct list_head waiters;	/* lock; last to sleep first */
	u64 claimed;			/* lock; events that woken waiters come for */
	u32 least;			/* lock; no waiter cares for fewer events */
	u32 waiting;			/* lock; length of waiters */
	struct ioevq_waiter *clock;	/* lock; whose batching delay runs */
	u64 wakeups;			/* lock; statistics */
	u32 ended[IOEVQ_OP__COUNT];	/* lock; by operation; statistics */
	struct list_head recheck;	/* lock; files to be looked at; see recheck.c */
	struct list_head level;		/* lock; the same when their last event is reaped */
	struct list_head unreaped;	/* lock; who goes on when that is; see reaped.c */
	bool looking;			/* lock; somebody is at it */
	u32 found;			/* lock; events that he has posted */
	bool look_owed;			/* lock; by who has the mutex to who sleeps */
	bool turned_away;		/* lock; the same to who polls and came to take */
	bool rechecker;			/* lock; a waiter was woken to look again */
	bool polled;			/* lock; somebody polls the queue itself */
	bool woke_many;			/* lock; more than at once: wake_kick was used */
	bool alerted;			/* lock */
	u64 alert;			/* lock; what for */
	struct ioevq_conc conc;		/* see there */
	struct ioevq_nested nested;	/* see there */
	struct ioevq_clocks *clocks;	/* mutex to set, once; or NULL */
	struct ioevq_rec *done;		/* lock; final records, to be swept */
	struct ioevq_rec *done_posts;	/* lock; the same of messages, or to be used again */
	unsigned int inflight;		/* lock; I/O not given back, lanes and releases running */
	struct list_head releases;	/* lock; of files; see release.c */
	u32 releasing;			/* lock; length of releases */
	u32 nr_releases;		/* lock to change; so far */
	unsigned int fences;		/* lock; cancels that wait, or were not charged */
	struct list_head punted;	/* lock; work that waits for a lane */
	struct ioevq_lane lanes[IOEVQ_MAX_LANES];	/* lock */

	struct mutex mutex;		/* submission; drop it by ioevq_unlock() */
	struct mutex setup_mutex;	/* taken inside of mutex, also of another queue */
	bool ready;			/* release: ring may be used without the mutex */
	bool mapped;			/* constant once ready */
	u64 ops;			/* setup_mutex to change; operations not refused */
	atomic_t requests;		/* of the queue's limit */
	struct ioevq_user *user;	/* whose limits; who opened the queue */

	wait_queue_head_t poll_wait;
	struct irq_work poll_kick;
	struct irq_work wake_kick;
	struct work_struct free_work;
	bool sleepy;			/* mutex; who submits is going to wait */
	bool submitting;		/* mutex; it is somebody who submits that has it */
	struct ioevq_buf **bufs;	/* mutex; registered, NULL: none */
	u32 nr_bufs;			/* mutex to change */
	struct rcu_head rcu;
	struct ioevq_index index;	/* mutex; all requests */
	struct ioevq_rec *spares[IOEVQ_OP__COUNT];	/* mutex; objects for the next requests */
	u32 nr_spares;			/* mutex to change */
	u32 max_spares;			/* constant */
	u32 accepted[IOEVQ_OP__COUNT];	/* mutex to change; the same */
};

static inline bool ioevq_queue_ready(struct ioevq_queue *q)
{
	/* Pairs with the release in ioevq_queue_setup(). */
	return smp_load_acquire(&q->ready);
}

extern const struct file_operations ioevq_fops;

/* main.c: module parameters */
extern unsigned int ioevq_default_entries;
extern unsigned int ioevq_max_entries;
extern unsigned int ioevq_max_requests;
extern unsigned int ioevq_max_user_requests;
extern unsigned int ioevq_max_workers;
extern unsigned int ioevq_max_user_workers;

/* queue.c */
extern struct workqueue_struct *ioevq_workqueue;
struct ioevq_queue *ioevq_queue_new(void);
void ioevq_queue_close(struct ioevq_queue *q);
struct ioevq_queue *ioevq_queue_from_file(struct file *file);
int ioevq_queue_setup(struct ioevq_queue *q, const struct ioevq_setup *setup);
int ioevq_queue_use_first(struct ioevq_queue *q);
void ioevq_queue_state(struct ioevq_queue *q, struct ioevq_info *info);
void ioevq_queue_put_inflight(struct ioevq_queue *q);
int ioevq_queues_init(void);
void ioevq_queues_exit(void);

/* Without the lock: it may change at once. */
static inline bool ioevq_seems_empty(const struct list_head *list)
{
	/* Who has the lock uses plain stores, too. Each pointer is read by one load. */
	return data_race(list_empty_careful(list));
}

/* 0 or a negative errno. */
static inline int ioevq_queue_use(struct ioevq_queue *q)
{
	return likely(ioevq_queue_ready(q)) ? 0 : ioevq_queue_use_first(q);
}

/* release.c */
void ioevq_queue_fput(struct ioevq_queue *q, struct file *file);
void ioevq_wait_releases(struct ioevq_queue *q, u32 first, u32 end);

/* fdinfo.c */
void ioevq_show_fdinfo(struct seq_file *m, struct file *file);

/* ioctl.c */
long ioevq_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* limit.c */
struct ioevq_user *ioevq_user_get(void);
void ioevq_user_put(struct ioevq_user *user);
int ioevq_user_need_workers(struct ioevq_user *user);
struct workqueue_struct *ioevq_user_closers(struct ioevq_user *user);
int ioevq_charge(struct ioevq_queue *q);
void ioevq_uncharge(struct ioevq_queue *q);
int ioevq_charge_user(struct ioevq_user *user, unsigned int n);
void ioevq_uncharge_user(struct ioevq_user *user, unsigned int n);

/* wait.c */
int ioevq_wait(struct ioevq_queue *q, const struct ioevq_enter *enter);
int ioevq_wait_long(struct ioevq_queue *q, const struct ioevq_enter *enter);

#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The concurrency value. A consumer of a limited queue holds a slot from when it is
 * let go until it waits again or blocks. What others learn by a heuristic timer, that a
 * thread has blocked, the scheduler tells here, through a preempt notifier of the thread:
 *
 *            keeps or reserves a slot            blocks (sched_out)
 *   waiting ------------------------> counted ----------------------> blocked
 *           <------------------------         <----------------------
 *              waits again, gives it up        runs again (sched_in), come what may
 *
 * A consumer belongs to the queue that it waited on last. Only the thread itself can
 * register or unregister its notifier; thus when a queue is closed its consumers are
 * disowned (conc is NULL), and each leaves at its next context switch.
 *
 * Lifetime: a consumer is its thread's, and pins the module. It ends when the thread
 * waits on a queue without a limit, is disowned, or has lost the memory that it came
 * with, by exec or exit.
 */
#include <linux/cpumask.h>
#include <linux/llist.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "compat/compat.h"
#include "conc.h"
#include "point.h"

struct ioevq_consumer {
	struct preempt_notifier notifier;
	struct ioevq_conc *conc;	/* consumers_lock to change; NULL: disowned */
	struct list_head node;		/* consumers_lock; conc->consumers */
	struct pid *pid;		/* consumers_lock to change; of the thread */
	struct mm_struct *mm;		/* the thread's alone; only compared */
	bool counted;			/* the thread's alone; it holds a slot */
	bool blocked;			/* the thread's alone; it lost it by blocking */
	struct llist_node gone;
	struct rcu_head rcu;
};

/* Raw: it is taken where preemption is off. Innermost, for a few instructions. */
static DEFINE_RAW_SPINLOCK(consumers_lock);
static LLIST_HEAD(gone_consumers);
static DEFINE_MUTEX(enable_mutex);
static bool enabled;			/* enable_mutex */

static void free_consumer(struct ioevq_consumer *c)
{
	put_pid(c->pid);
	/* Who walks the notifiers of the thread may have it still in hand. */
	kfree_rcu(c, rcu);
	/* The caller's text is safe: of a queue in use, or see ioevq_conc_exit(). */
	module_put(THIS_MODULE);
}

/* Consumers that ended in a context switch, where nothing can be freed. */
static void reap_gone(struct irq_work *work)
{
	struct llist_node *list = llist_del_all(&gone_consumers);
	struct ioevq_consumer *c, *next;
	unsigned long flags;

	llist_for_each_entry_safe(c, next, list, gone) {
		raw_spin_lock_irqsave(&consumers_lock, flags);
		if (c->conc)
			list_del(&c->node);
		raw_spin_unlock_irqrestore(&consumers_lock, flags);
		free_consumer(c);
	}
}

static DEFINE_IRQ_WORK(reaper, reap_gone);

/* Any context, even under the lock of a run queue. */
static void slot_free(struct ioevq_conc *conc)
{
	ioevq_point(IOEVQ_POINT_SLOT);
	/*
	 * The decrement is a full barrier. Pairs with the one in ioevq_conc_reserve(): we
	 * see who is held back, or it sees the slot.
	 */
	if ((u32)atomic_dec_return(&conc->running) < READ_ONCE(conc->limit) &&
	    READ_ONCE(conc->held_back))
		irq_work_queue(&conc->kick);
}

/*
 * The thread leaves the CPU. Interrupts are off and the lock of the run queue is held,
 * so this must not wake, nor take a lock. Preemption being off keeps conc: see
 * ioevq_conc_close().
 */
static void sched_out(struct preempt_notifier *notifier, struct task_struct *next)
{
	struct ioevq_consumer *c = container_of(notifier, struct ioevq_consumer, notifier);
	struct ioevq_conc *conc = READ_ONCE(c->conc);

	bool leaves = !conc || current->mm != c->mm;

	if (conc && c->counted && (leaves || compat_current_blocks())) {
		c->counted = false;
		c->blocked = !leaves;
		slot_free(conc);
	}
	if (!leaves)
		return;
	/* Like hlist_del(), but our caller goes on from here to the next one. */
	hlist_del_rcu(&c->notifier.link);
	llist_add(&c->gone, &gone_consumers);
	irq_work_queue(&reaper);
}

static void sched_in(struct preempt_notifier *notifier, int cpu)
{
	struct ioevq_consumer *c = container_of(notifier, struct ioevq_consumer, notifier);
	struct ioevq_conc *conc = READ_ONCE(c->conc);

	if (conc && c->blocked) {
		c->blocked = false;
		c->counted = true;
		atomic_inc(&conc->running);
	}
}

static struct preempt_ops notifier_ops = {
	.sched_in = sched_in,
	.sched_out = sched_out,
};

/* Without preemption: the list is the thread's own, and changes in context switches. */
static struct ioevq_consumer *find_mine(void)
{
	struct preempt_notifier *notifier;

	hlist_for_each_entry(notifier, &current->preempt_notifiers, link)
		if (notifier->ops == &notifier_ops)
			return container_of(notifier, struct ioevq_consumer, notifier);
	return NULL;
}

/* Without preemption: from now on @c belongs to @conc, or NULL: to nobody. */
static void move(struct ioevq_consumer *c, struct ioevq_conc *conc)
{
	raw_spin_lock_irq(&consumers_lock);
	if (c->conc) {
		list_del(&c->node);
		if (c->counted)
			slot_free(c->conc);
	}
	c->counted = false;
	c->blocked = false;
	WRITE_ONCE(c->conc, conc);
	if (conc) {
		list_add(&c->node, &conc->consumers);
		conc->used = true;
	}
	raw_spin_unlock_irq(&consumers_lock);
}

/* The caller leaves the queue of @conc, or with NULL whatever queue it belongs to. */
static void leave(struct ioevq_conc *conc)
{
	struct ioevq_consumer *c;

	if (!ioevq_conc_counts_me())
		return;
	preempt_disable();
	c = find_mine();
	if (c && conc && c->conc != conc)
		c = NULL;
	if (c) {
		preempt_notifier_unregister(&c->notifier);
		move(c, NULL);
	}
	preempt_enable();
	if (c)
		free_consumer(c);
}

/* Returns what the caller has to put. */
static struct pid *rename(struct ioevq_consumer *c)
{
	struct pid *old = c->pid;

	raw_spin_lock_irq(&consumers_lock);
	c->pid = get_pid(task_pid(current));
	raw_spin_unlock_irq(&consumers_lock);
	return old;
}

static bool find_and_move(struct ioevq_conc *conc, struct ioevq_consumer **consumer)
{
	struct ioevq_consumer *c;
	struct pid *old = NULL;

	preempt_disable();
	c = find_mine();
	if (c && c->conc != conc)
		move(c, conc);
	/* It may have come through an exec without a context switch: it stays after all. */
	if (c)
		c->mm = current->mm;
	/* One who was not the leader is, then. */
	if (c && c->pid != task_pid(current))
		old = rename(c);
	preempt_enable();
	put_pid(old);
	*consumer = c;
	return c;
}

/*
 * The caller is about to wait on the queue of @conc. @consumer is what it is to that,
 * NULL if there is no limit. May sleep. Returns 0 or -ENOMEM.
 */
int ioevq_conc_join(struct ioevq_conc *conc, struct ioevq_consumer **consumer)
{
	struct ioevq_consumer *c;

	if (!ioevq_conc_limited(conc)) {
		leave(NULL);
		*consumer = NULL;
		return 0;
	}
	if (find_and_move(conc, consumer))
		return 0;
	c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);
	if (!c)
		return -ENOMEM;
	c->pid = get_pid(task_pid(current));
	c->mm = current->mm;
	__module_get(THIS_MODULE);
	preempt_notifier_init(&c->notifier, &notifier_ops);
	preempt_disable();
	move(c, conc);
	preempt_notifier_register(&c->notifier);
	preempt_enable();
	*consumer = c;
	return 0;
}

/* The wait is over: the caller runs, slot or no slot. */
void ioevq_conc_returns(struct ioevq_consumer *c)
{
	if (c->counted)
		return;
	c->counted = true;
	atomic_inc(&c->conc->running);
}

static bool try_reserve(struct ioevq_conc *conc)
{
	int running = atomic_read(&conc->running);

	do {
		if ((u32)running >= conc->limit)
			return false;
	} while (!atomic_try_cmpxchg(&conc->running, &running, running + 1));
	return true;
}

/*
 * Take a slot for who shall be let go. If there is none, the next that becomes free
 * is announced by a kick. The lock is held.
 */
bool ioevq_conc_reserve(struct ioevq_conc *conc)
{
	if (try_reserve(conc))
		return true;
	ioevq_conc_hold_back(conc);
	ioevq_point(IOEVQ_POINT_HOLD_BACK);
	/* Pairs with the decrement in slot_free(). */
	smp_mb();
	return try_reserve(conc);
}

/*
 * May the caller go on with events that are there? It keeps its slot unless too many
 * are taken, or takes one that is free. The lock is held.
 */
bool ioevq_conc_keep(struct ioevq_conc *conc, struct ioevq_consumer *c)
{
	if (c->counted && (u32)atomic_read(&conc->running) <= conc->limit)
		return true;
	ioevq_conc_give_up(c);
	c->counted = try_reserve(conc);
	return c->counted;
}

/* Who woke the caller reserved it. */
void ioevq_conc_got_slot(struct ioevq_consumer *c)
{
	c->counted = true;
}

/* The caller is going to sleep. Whom its slot is for must be looked for. */
void ioevq_conc_give_up(struct ioevq_consumer *c)
{
	if (!c->counted)
		return;
	c->counted = false;
	atomic_dec(&c->conc->running);
}

void ioevq_conc_init(struct ioevq_conc *conc, void (*kick)(struct irq_work *work))
{
	conc->limit = IOEVQ_UNLIMITED;
	INIT_LIST_HEAD(&conc->consumers);
	init_irq_work(&conc->kick, kick);
}

/* Takes one consumer from the queue: its thread, or NULL if there is none left. */
static struct pid *disown_one(struct ioevq_conc *conc)
{
	struct ioevq_consumer *c;
	struct pid *pid = NULL;

	raw_spin_lock_irq(&consumers_lock);
	c = list_first_entry_or_null(&conc->consumers, struct ioevq_consumer, node);
	if (c) {
		list_del(&c->node);
		WRITE_ONCE(c->conc, NULL);
		pid = get_pid(c->pid);
	}
	raw_spin_unlock_irq(&consumers_lock);
	return pid;
}

/*
 * Let a thread that sleeps run for a moment, so that it leaves in a context switch and
 * gives the module free. Whoever sleeps must expect to be woken without a reason; nearly
 * all look and sleep on. (sigtimedwait(2) returns EINTR.)
 */
static void nudge(struct pid *pid)
{
	struct task_struct *task = get_pid_task(pid, PIDTYPE_PID);
	wait_queue_entry_t entry = { .private = task };

	if (!task)
		return;
	default_wake_function(&entry, TASK_INTERRUPTIBLE, 0, NULL);
	put_task_struct(task);
}

/* Nobody waits on the queue any more. May sleep; conc is not used after the return. */
void ioevq_conc_close(struct ioevq_conc *conc)
{
	bool any = false;
	struct pid *pid;

	/* Nobody joins any more. What follows may wait for a grace period. */
	if (!conc->used)
		return;
	leave(conc);
	while ((pid = disown_one(conc))) {
		any = true;
		nudge(pid);
		put_pid(pid);
		cond_resched();
	}
	/* Context switches that have read conc. */
	if (any)
		synchronize_rcu();
	irq_work_sync(&conc->kick);
}

/*
 * Before the first limit: from here on every context switch looks whether the thread
 * has notifiers. That stays so: switching patches the kernel's text, which users
 * could have done again and again.
 */
void ioevq_conc_enable(void)
{
	mutex_lock(&enable_mutex);
	if (!enabled)
		preempt_notifier_inc();
	enabled = true;
	mutex_unlock(&enable_mutex);
}

/*
 * No consumer is left, but who freed the last one may be in our text for a moment yet:
 * the context switch that handed it over, and may have to queue the reaper still, and then
 * the reaper itself.
 */
void ioevq_conc_exit(void)
{
	synchronize_rcu();
	irq_work_sync(&reaper);
	if (enabled)
		preempt_notifier_dec();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * CHILD: child processes that ended.
 *
 * Any child: an entry in the queue that wait4(2) itself sleeps on; the kernel
 * wakes it with the child as the key, for exit, stop and continue
 * (__wake_up_parent(), kernel/signal.c), before wait4() can find the child. One
 * pid: the queue of its struct pid that pidfds poll.
 *
 * The wake-ups come with interrupts off and tasklist_lock and siglock held: look
 * at fields of the child, post, and take no lock but the queue's.
 */
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "req.h"

#define DEFAULT_RESERVE	16
#define MAX_RESERVE	4096
/* Who is told of one end: all of them while tasklist_lock is held, interrupts off. */
#define MAX_TOLD	64

struct child_watch {
	struct ioevq_kreq kreq;
	struct task_struct *leader;	/* of the parent; pins its signal_struct */
	struct pid *pid;		/* the one, or the parent's own */
	struct pid_namespace *ns;	/* whose numbers we tell */
	wait_queue_entry_t pid_wait;	/* on pid->wait_pidfd */
	wait_queue_entry_t any_wait;	/* on the parent's wait_chldexit */
	struct ioevq_rec *spare;	/* queue->lock; records for exits */
	struct ioevq_rec *rescan_spare;	/* queue->lock; &rescan when not waiting */
	struct ioevq_rec rescan;
	struct ioevq_rec *recs;
};

/*
 * Would wait4() find it? EXIT_TRACE is a zombie that its tracer is reaping: it
 * is a plain zombie again before the lock is dropped (wait_task_zombie()).
 */
static bool is_waitable(struct task_struct *p)
{
	return READ_ONCE(p->exit_state) & EXIT_ZOMBIE && thread_group_leader(p) &&
	       thread_group_empty(p);
}

static u64 child_data(struct task_struct *p)
{
	u64 ns = p->signal->sum_sched_runtime + p->se.sum_exec_runtime;
	int status = p->signal->flags & SIGNAL_GROUP_EXIT ? p->signal->group_exit_code
							  : p->exit_code;

	return (u64)(status & 0xffff) | div_u64(ns, NSEC_PER_USEC) << 16;
}

/* As do_notify_parent() decides it. */
static u32 child_flags(struct task_struct *p)
{
	struct task_struct *parent = rcu_dereference_raw(p->parent);
	struct sighand_struct *sighand = rcu_dereference_raw(parent->sighand);
	struct k_sigaction *action;
	int sig = p->exit_signal;

	if (sig != SIGCHLD && p->parent_exec_id != READ_ONCE(parent->self_exec_id))
		sig = SIGCHLD;
	if (p->ptrace || sig != SIGCHLD || !sighand)
		return 0;
	action = &sighand->action[SIGCHLD - 1];
	if (action->sa.sa_handler == SIG_IGN || action->sa.sa_flags & SA_NOCLDWAIT)
		return IOEVQ_EVENT_AUTOREAP;
	return 0;
}

static bool is_child_of(struct task_struct *p, struct task_struct *leader)
{
	return rcu_dereference_raw(p->real_parent)->signal == leader->signal;
}

/* The process of a pid, or NULL when it was reaped. RCU is held. */
static struct task_struct *child_task(struct pid *pid)
{
	struct task_struct *p = pid_task(pid, PIDTYPE_TGID), *gone = NULL;

	/* One thread's exec makes it the leader, and then the old leader dead. */
	while (p && p != gone && READ_ONCE(p->exit_state) == EXIT_DEAD) {
		gone = p;
		/* de_thread() stores in the other order; amd64 keeps both. */
		smp_rmb();
		p = pid_task(pid, PIDTYPE_TGID);
	}
	return p == gone ? NULL : p;
}

/* Is somebody else its tracer? Then the tracer's wait4() finds it, not the parent's. */
static bool is_traced_by_other(struct task_struct *p)
{
	return p->ptrace && !is_child_of(p, rcu_dereference_raw(p->parent));
}

/* Some exit has no event of its own. What waits already says so. queue->lock is held. */
static void post_rescan(struct child_watch *w)
{
	if (w->rescan_spare)
		ioevq_post_more(&w->kreq, &w->rescan_spare, 0, IOEVQ_EVENT_RESCAN, 0, true);
}

static int any_wake(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct child_watch *w = container_of(wait, struct child_watch, any_wait);
	struct ioevq_queue *q = w->kreq.q;
	struct task_struct *p = key;
	unsigned long flags;

	if (!p || !is_waitable(p) || !is_child_of(p, w->leader))
		return 0;
	spin_lock_irqsave(&q->lock, flags);
	if (w->kreq.state != IOEVQ_LIVE)
		;
	else if (w->spare)
		ioevq_post_more(&w->kreq, &w->spare, task_pid_nr_ns(p, w->ns), child_flags(p),
				child_data(p), true);
	else
		post_rescan(w);
	spin_unlock_irqrestore(&q->lock, flags);
	return 0;
}

/* The parent itself ended: its children are others' now. */
static int parent_wake(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct child_watch *w = container_of(wait, struct child_watch, pid_wait);
	struct task_struct *p;
	bool gone;

	rcu_read_lock();
	p = pid_task(w->pid, PIDTYPE_TGID);
	gone = !p || (p->exit_state && thread_group_empty(p));
	rcu_read_unlock();
	if (gone)
		ioevq_complete(&w->kreq, 0, IOEVQ_EVENT_CLOSED, 0);
	return 0;
}

/* The one child may have ended. Woken often, posts once. */
static int one_wake(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct child_watch *w = container_of(wait, struct child_watch, pid_wait);
	struct task_struct *p;

	rcu_read_lock();
	p = pid_task(w->pid, PIDTYPE_TGID);
	if (p && is_waitable(p) && !is_traced_by_other(p))
		ioevq_complete(&w->kreq, pid_nr_ns(w->pid, w->ns), child_flags(p), child_data(p));
	rcu_read_unlock();
	return 0;
}

static void child_init(struct child_watch *w, struct pid *pid)
{
	w->leader = get_task_struct(current->group_leader);
	w->pid = pid;
	w->ns = get_pid_ns(task_active_pid_ns(current));
}

static void child_exit(struct child_watch *w)
{
	put_task_struct(w->leader);
	put_pid(w->pid);
	put_pid_ns(w->ns);
	kvfree(w->recs);
}

static void child_release(struct ioevq_kreq *kreq)
{
	struct child_watch *w = container_of(kreq, struct child_watch, kreq);

	if (w->recs)
		remove_wait_queue(&w->leader->signal->wait_chldexit, &w->any_wait);
	remove_wait_queue(&w->pid->wait_pidfd, &w->pid_wait);
	child_exit(w);
}

/* Join a wait queue, unless too many of us are there. */
static int child_join(wait_queue_head_t *head, wait_queue_entry_t *wait, wait_queue_func_t wake)
{
	wait_queue_entry_t *other;
	unsigned int n = 0;

	init_waitqueue_func_entry(wait, wake);
	spin_lock_irq(&head->lock);
	list_for_each_entry(other, &head->head, entry)
		n += other->func == wake;
	if (n < MAX_TOLD)
		__add_wait_queue(head, wait);
	spin_unlock_irq(&head->lock);
	return n < MAX_TOLD ? 0 : -EBUSY;
}

/* Children that had ended before the watch began have no event: say that there are. */
static void announce_zombies(struct child_watch *w)
{
	struct ioevq_queue *q = w->kreq.q;
	struct task_struct *p;
	bool found = false;

	rcu_read_lock();
	for_each_process(p) {
		found = is_child_of(p, w->leader) && is_waitable(p);
		if (found)
			break;
	}
	rcu_read_unlock();
	if (!found)
		return;
	spin_lock_irq(&q->lock);
	if (w->kreq.state == IOEVQ_LIVE)
		post_rescan(w);
	spin_unlock_irq(&q->lock);
}

static int watch_any(struct child_watch *w, u32 reserve)
{
	int err;
	u32 i;

	if (reserve > MAX_RESERVE)
		return -EINVAL;
	if (!reserve)
		reserve = DEFAULT_RESERVE;
	w->recs = kvcalloc(reserve, sizeof(*w->recs), GFP_KERNEL_ACCOUNT);
	if (!w->recs)
		return -ENOMEM;
	for (i = 0; i < reserve; i++) {
		w->recs[i].next = w->spare;
		w->spare = &w->recs[i];
	}
	w->rescan_spare = &w->rescan;
	child_init(w, get_pid(task_tgid(current)));
	/* Before it can be told of anything; refused, it never is. */
	ioevq_accept(&w->kreq);
	err = child_join(&w->leader->signal->wait_chldexit, &w->any_wait, any_wake);
	if (err) {
		child_exit(w);
		return err;
	}
	init_waitqueue_func_entry(&w->pid_wait, parent_wake);
	add_wait_queue(&w->pid->wait_pidfd, &w->pid_wait);
	announce_zombies(w);
	return 0;
}

static bool has_ended(struct task_struct *p)
{
	return p && is_waitable(p) && !is_traced_by_other(p);
}

/*
 * If it ended before we listened nobody has told us. An end that is under way holds
 * tasklist_lock until it is known who reaps; we have that waited for by a kill that
 * sends nothing. A zombie from before it that is one still was left for its parent.
 * Of ends that begin after the first look we are told.
 */
static void check_one(struct child_watch *w)
{
	struct task_struct *p;
	bool ended;

	rcu_read_lock();
	ended = has_ended(child_task(w->pid));
	rcu_read_unlock();
	kill_pgrp(w->pid, 0, 1);
	rcu_read_lock();
	p = child_task(w->pid);
	if (!p)
		ioevq_complete(&w->kreq, -ECHILD, 0, 0);
	else if (ended && has_ended(p))
		ioevq_complete(&w->kreq, pid_nr_ns(w->pid, w->ns), 0, child_data(p));
	rcu_read_unlock();
}

static int watch_one(struct child_watch *w, pid_t nr)
{
	struct pid *pid = find_get_pid(nr);
	struct task_struct *p;
	bool ours;
	int err;

	rcu_read_lock();
	p = pid ? child_task(pid) : NULL;
	ours = p && is_child_of(p, current);
	rcu_read_unlock();
	if (!ours) {
		put_pid(pid);
		return -ECHILD;
	}
	child_init(w, pid);
	ioevq_accept(&w->kreq);
	err = child_join(&pid->wait_pidfd, &w->pid_wait, one_wake);
	if (err) {
		child_exit(w);
		return err;
	}
	check_one(w);
	return 0;
}

static int child_submit(struct ioevq_queue *q, struct ioevq_kreq *kreq,
			const struct ioevq_req *req)
{
	struct child_watch *w = container_of(kreq, struct child_watch, kreq);

	if (!req->len)
		return watch_any(w, req->op_arg);
	if (req->op_arg || req->len > INT_MAX)
		return -EINVAL;
	return watch_one(w, req->len);
}

const struct ioevq_source ioevq_src_child = {
	.size = sizeof(struct child_watch),
	.uses = IOEVQ_USES_LEN | IOEVQ_USES_ARG,
	.submit = child_submit,
	.cancel = ioevq_cancel_now,
	.release = child_release,
};

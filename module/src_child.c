// SPDX-License-Identifier: GPL-2.0-only
/*
 * CHILD: child processes that ended, stopped or went on.
 *
 * Any child: an entry in the queue that wait4(2) itself sleeps on; the kernel
 * wakes it with the child as the key, for exit, stop and continue
 * (__wake_up_parent(), kernel/signal.c), before wait4() can find the child. One
 * process: the queue of its struct pid that pidfds poll, and for stop and continue the
 * other one as well.
 *
 * The wake-ups come with interrupts off and tasklist_lock and siglock held: look
 * at fields of the child, post, and take no lock but the queue's.
 */
#include <linux/file.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "child.h"
#include "point.h"
#include "req.h"
#include "compat/pidfd.h"

#define DEFAULT_RESERVE	16
#define MAX_RESERVE	4096
/* For the limit of a user. */
#define RECS_OF_A_REQUEST	8
/*
 * Of a user's requests, who is told of one end: all of them while tasklist_lock is held,
 * interrupts off.
 */
#define MAX_TOLD	64

#define CHANGES		(IOEVQ_CHILD_STOPPED | IOEVQ_CHILD_CONTINUED)

struct child_watch {
	struct ioevq_kreq kreq;
	struct ioevq_asker asker;
	struct task_struct *leader;	/* of the asker, whose signal_struct it pins, or NULL */
	struct pid *pid;		/* the one, or the asker's own */
	struct pid_namespace *ns;	/* whose numbers we tell */
	wait_queue_entry_t pid_wait;	/* on pid->wait_pidfd */
	wait_queue_entry_t parent_wait;	/* on leader's wait_chldexit */
	u32 flags;			/* constant; &enum ioevq_child_flags */
	bool one;			/* constant */
	struct ioevq_rec *spare;	/* queue->lock; for exits and, of any, changes */
	struct ioevq_rec *other_spare;	/* queue->lock; &other when not waiting */
	struct ioevq_rec other;		/* of any: RESCAN; of one: its state */
	struct ioevq_rec first;		/* of one: its exit, if its usage is the last */
	struct ioevq_rec *recs;
	unsigned int charged;		/* constant; of the user's requests, for recs */
};

static bool wants_usage(struct child_watch *w)
{
	return w->flags & IOEVQ_CHILD_USAGE;
}

/* There is something that has no event of its own. What waits already says so. */
static void post_rescan(struct child_watch *w)
{
	if (w->other_spare)
		ioevq_post_more(&w->kreq, &w->other_spare, 0, IOEVQ_EVENT_RESCAN, 0, true);
}

/* The task may have lost its own meanwhile, if another thread reaps it while we look. */
static pid_t number(struct child_watch *w, struct task_struct *p)
{
	return w->one ? pid_nr_ns(w->pid, w->ns) : task_pid_nr_ns(p, w->ns);
}

/* Its end, and its usage right behind it. queue->lock is held, the request is live. */
static void post_exit(struct child_watch *w, struct task_struct *p, u32 flags)
{
	pid_t nr = number(w, p);
	u64 ns = ioevq_child_run_time(p);
	u64 data = ioevq_child_data(p, ns);

	if (w->one && !wants_usage(w)) {
		ioevq_complete_locked(&w->kreq, nr, flags, data, true);
		return;
	}
	if (!w->spare || (!w->one && wants_usage(w) && !w->spare->next)) {
		post_rescan(w);
		return;
	}
	ioevq_post_more(&w->kreq, &w->spare, nr, flags, data, true);
	if (!wants_usage(w))
		return;
	if (w->one)
		ioevq_complete_locked(&w->kreq, nr, IOEVQ_EVENT_USAGE,
				      ioevq_child_system_us(p, ns), true);
	else
		ioevq_post_more(&w->kreq, &w->spare, nr, IOEVQ_EVENT_USAGE,
				ioevq_child_system_us(p, ns), true);
}

/*
 * It stopped or went on. Of one there is a single record for that: while it waits for room
 * it is brought up to date, and tells that there was more. queue->lock is held, the request
 * is live.
 */
static void post_change(struct child_watch *w, struct task_struct *p, int status)
{
	pid_t nr = number(w, p);

	if (!w->one && w->spare) {
		ioevq_post_more(&w->kreq, &w->spare, nr, 0, status, true);
	} else if (!w->one) {
		post_rescan(w);
	} else if (w->other_spare) {
		ioevq_post_more(&w->kreq, &w->other_spare, nr, 0, status, true);
	} else {
		w->other.ev.data = status;
		w->other.ev.flags |= IOEVQ_EVENT_RESCAN;
	}
}

/* A child of the watcher has changed. */
static int parent_wake(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct child_watch *w = container_of(wait, struct child_watch, parent_wait);
	struct ioevq_queue *q = w->kreq.q;
	struct task_struct *p = key;
	unsigned long flags;
	bool ended;
	int status;

	if (!p || !ioevq_is_child_of(p, w->asker.process) || (w->one && task_pid(p) != w->pid))
		return 0;
	if (!ioevq_asker_may_know(&w->asker, p)) {
		/* Of one its end is told still, and that only. */
		if (!w->one)
			ioevq_complete(&w->kreq, 0, IOEVQ_EVENT_CLOSED, 0);
		return 0;
	}
	ended = ioevq_child_is_waitable(p);
	status = ended ? 0 : ioevq_child_change(p, w->flags);
	/* The end of one is told by its pid. */
	if (ended ? w->one : !status)
		return 0;
	ioevq_point(IOEVQ_POINT_CHILD);
	spin_lock_irqsave(&q->lock, flags);
	if (w->kreq.state != IOEVQ_LIVE)
		;
	else if (ended)
		post_exit(w, p, ioevq_child_flags(p));
	else
		post_change(w, p, status);
	spin_unlock_irqrestore(&q->lock, flags);
	return 0;
}

/* The parent itself ended: its children are others' now. */
static int self_wake(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct child_watch *w = container_of(wait, struct child_watch, pid_wait);
	struct task_struct *p;
	bool gone;

	rcu_read_lock();
	p = pid_task(w->pid, PIDTYPE_TGID);
	gone = !p || ioevq_child_has_exited(p);
	rcu_read_unlock();
	if (gone)
		ioevq_complete(&w->kreq, 0, IOEVQ_EVENT_CLOSED, 0);
	return 0;
}

/* Who is not its parent, or no more, is told that it ended, and not how. */
static void complete_foreign(struct child_watch *w)
{
	ioevq_complete(&w->kreq, pid_nr_ns(w->pid, w->ns), IOEVQ_EVENT_FOREIGN, 0);
}

static void complete_exit(struct child_watch *w, struct task_struct *p, u32 flags)
{
	struct ioevq_queue *q = w->kreq.q;
	unsigned long irqflags;

	ioevq_point(IOEVQ_POINT_CHILD);
	spin_lock_irqsave(&q->lock, irqflags);
	if (w->kreq.state == IOEVQ_LIVE)
		post_exit(w, p, flags);
	spin_unlock_irqrestore(&q->lock, irqflags);
}

/* A child of who asked, and for his eyes. */
static bool is_ours(struct child_watch *w, struct task_struct *p)
{
	return ioevq_is_child_of(p, w->asker.process) && ioevq_asker_may_know(&w->asker, p);
}

/* The one may have ended. Woken often, posts once. */
static int one_wake(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct child_watch *w = container_of(wait, struct child_watch, pid_wait);
	struct task_struct *p;

	rcu_read_lock();
	p = pid_task(w->pid, PIDTYPE_TGID);
	if (p && is_ours(w, p)) {
		if (ioevq_child_has_ended(p))
			complete_exit(w, p, ioevq_child_flags(p));
	} else if (!p || ioevq_child_has_exited(p)) {
		complete_foreign(w);
	}
	rcu_read_unlock();
	return 0;
}

static void child_init(struct child_watch *w, struct pid *pid)
{
	ioevq_asker_init(&w->asker);
	w->pid = pid;
	w->ns = get_pid_ns(task_active_pid_ns(current));
	w->other_spare = &w->other;
}

static void child_exit(struct child_watch *w)
{
	ioevq_asker_drop(&w->asker);
	if (w->leader)
		put_task_struct(w->leader);
	put_pid(w->pid);
	put_pid_ns(w->ns);
	kvfree(w->recs);
	ioevq_uncharge_user(w->kreq.q->user, w->charged);
}

static void child_release(struct ioevq_kreq *kreq)
{
	struct child_watch *w = container_of(kreq, struct child_watch, kreq);

	if (w->leader)
		remove_wait_queue(&w->leader->signal->wait_chldexit, &w->parent_wait);
	remove_wait_queue(&w->pid->wait_pidfd, &w->pid_wait);
	child_exit(w);
}

/* Join a wait queue, unless too many of the user's are there: others keep nobody out. */
static int child_join(struct child_watch *w, wait_queue_head_t *head, wait_queue_entry_t *wait,
		      wait_queue_func_t wake)
{
	wait_queue_entry_t *other;
	unsigned int n = 0;

	init_waitqueue_func_entry(wait, wake);
	wait->private = w->kreq.q->user;
	spin_lock_irq(&head->lock);
	list_for_each_entry(other, &head->head, entry)
		n += other->func == wake && other->private == wait->private;
	if (n < MAX_TOLD)
		__add_wait_queue(head, wait);
	spin_unlock_irq(&head->lock);
	return n < MAX_TOLD ? 0 : -EBUSY;
}

static int join_parent(struct child_watch *w)
{
	struct task_struct *leader = current->group_leader;
	int err = child_join(w, &leader->signal->wait_chldexit, &w->parent_wait, parent_wake);

	if (!err)
		w->leader = get_task_struct(leader);
	return err;
}

/* What had happened before the watch began has no event: say that there is something. */
static void announce_present(struct child_watch *w)
{
	struct ioevq_queue *q = w->kreq.q;
	struct task_struct *p;
	bool found = false;

	rcu_read_lock();
	for_each_process(p) {
		found = ioevq_is_child_of(p, w->asker.process) &&
			(ioevq_child_is_waitable(p) || ioevq_child_state(p, w->flags));
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
	if (wants_usage(w))
		reserve *= 2;
	err = ioevq_charge_user(w->kreq.q->user, DIV_ROUND_UP(reserve, RECS_OF_A_REQUEST));
	if (err)
		return err;
	w->charged = DIV_ROUND_UP(reserve, RECS_OF_A_REQUEST);
	w->recs = kvcalloc(reserve, sizeof(*w->recs), GFP_KERNEL_ACCOUNT);
	if (!w->recs) {
		ioevq_uncharge_user(w->kreq.q->user, w->charged);
		return -ENOMEM;
	}
	for (i = 0; i < reserve; i++) {
		w->recs[i].next = w->spare;
		w->spare = &w->recs[i];
	}
	child_init(w, get_pid(task_tgid(current)));
	/* Before it can be told of anything; refused, it never is. */
	ioevq_accept(&w->kreq);
	err = join_parent(w);
	if (err) {
		child_exit(w);
		return err;
	}
	init_waitqueue_func_entry(&w->pid_wait, self_wake);
	add_wait_queue(&w->pid->wait_pidfd, &w->pid_wait);
	announce_present(w);
	return 0;
}

/* It is not a zombie. Does wait4() have news of it? */
static void announce_state(struct child_watch *w, struct task_struct *p)
{
	struct ioevq_queue *q = w->kreq.q;
	int status = ioevq_child_state(p, w->flags);

	if (!status)
		return;
	spin_lock_irq(&q->lock);
	if (w->kreq.state == IOEVQ_LIVE)
		post_change(w, p, status);
	spin_unlock_irq(&q->lock);
}

static bool child_has_ended(struct child_watch *w, struct task_struct *p)
{
	return p && ioevq_is_child_of(p, w->asker.process) && ioevq_child_has_ended(p);
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
	ended = child_has_ended(w, ioevq_child_task(w->pid));
	rcu_read_unlock();
	kill_pgrp(w->pid, 0, 1);
	ioevq_point(IOEVQ_POINT_CHILD_CHECK);
	rcu_read_lock();
	p = ioevq_child_task(w->pid);
	if (!p && !(w->flags & IOEVQ_CHILD_PIDFD))
		ioevq_complete(&w->kreq, -ECHILD, 0, 0);
	else if (!p || (!ioevq_is_child_of(p, w->asker.process) && ioevq_child_has_exited(p)))
		complete_foreign(w);
	else if (ended && child_has_ended(w, p))
		complete_exit(w, p, 0);
	else if (ioevq_is_child_of(p, w->asker.process))
		announce_state(w, p);
	rcu_read_unlock();
}

/* @pid is ours. */
static int watch_one(struct child_watch *w, struct pid *pid)
{
	int err;

	w->one = true;
	if (wants_usage(w))
		w->spare = &w->first;
	child_init(w, pid);
	/* Nobody is told before it is accepted: what is missed is seen by the check. */
	err = child_join(w, &pid->wait_pidfd, &w->pid_wait, one_wake);
	if (!err && w->flags & CHANGES) {
		err = join_parent(w);
		if (err)
			remove_wait_queue(&pid->wait_pidfd, &w->pid_wait);
	}
	if (err) {
		child_exit(w);
		return err;
	}
	ioevq_accept(&w->kreq);
	check_one(w);
	return 0;
}

/* May we have what was asked for of it? */
static int check_pid(struct pid *pid, u32 flags)
{
	struct task_struct *p;
	int err = 0;

	rcu_read_lock();
	p = ioevq_child_task(pid);
	if (p && ioevq_is_child_of(p, task_tgid(current)))
		;
	else if (!(flags & IOEVQ_CHILD_PIDFD) || flags & CHANGES)
		err = -ECHILD;
	/* A thread. In this order: a process that goes is no thread first. */
	else if (!pid_task(pid, PIDTYPE_TGID) && pid_task(pid, PIDTYPE_PID))
		err = -EINVAL;
	rcu_read_unlock();
	return err;
}

static int watch_pid(struct child_watch *w, struct pid *pid)
{
	int err = pid ? check_pid(pid, w->flags) : -ECHILD;

	if (err)
		put_pid(pid);
	return err ? err : watch_one(w, pid);
}

/* The process is watched and not the file, which may be closed. */
static int watch_pidfd(struct ioevq_queue *q, struct child_watch *w, int fd)
{
	struct file *file = fget(fd);
	struct pid *pid;

	if (!file)
		return -EBADF;
	pid = compat_pidfd_pid(file);
	if (pid && compat_pidfd_is_thread(file))
		pid = NULL;
	get_pid(pid);
	ioevq_queue_fput(q, file);
	return pid ? watch_pid(w, pid) : -EINVAL;
}

static int child_submit(struct ioevq_queue *q, struct ioevq_kreq *kreq,
			const struct ioevq_req *req)
{
	struct child_watch *w = container_of(kreq, struct child_watch, kreq);

	w->flags = req->op_flags;
	if (w->flags & IOEVQ_CHILD_PIDFD)
		return req->len || req->op_arg ? -EINVAL : watch_pidfd(q, w, req->fd);
	if (req->fd != -1)
		return -EINVAL;
	if (!req->len)
		return watch_any(w, req->op_arg);
	if (req->op_arg || req->len > INT_MAX)
		return -EINVAL;
	return watch_pid(w, find_get_pid(req->len));
}

const struct ioevq_source ioevq_src_child = {
	.size = sizeof(struct child_watch),
	.op_flags = CHANGES | IOEVQ_CHILD_USAGE | IOEVQ_CHILD_PIDFD,
	.uses = IOEVQ_USES_FD | IOEVQ_USES_LEN | IOEVQ_USES_ARG,
	.submit = child_submit,
	.cancel = ioevq_cancel_now,
	.release = child_release,
};

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Children: what their tasks tell. The caller holds tasklist_lock or is in an RCU
 * critical section; nothing here takes a lock.
 */
#include <linux/cred.h>
#include <linux/math64.h>
#include <linux/pid.h>
#include <linux/sched/jobctl.h>
#include <linux/sched/signal.h>
#include <linux/ioevq.h>

#include "child.h"

void ioevq_asker_init(struct ioevq_asker *a)
{
	a->process = get_pid(task_tgid(current));
	a->cred = get_current_cred();
	a->exec_id = current->self_exec_id;
}

void ioevq_asker_drop(struct ioevq_asker *a)
{
	put_pid(a->process);
	put_cred(a->cred);
}

/*
 * The process has executed another program since. If that has become more than who asked, as
 * a set-user-ID program does, its children are none of his business.
 */
static bool is_as_before(const struct cred *now, const struct cred *then)
{
	return uid_eq(now->uid, then->uid) && uid_eq(now->euid, then->euid) &&
	       uid_eq(now->suid, then->suid) && gid_eq(now->gid, then->gid) &&
	       gid_eq(now->egid, then->egid) && gid_eq(now->sgid, then->sgid) &&
	       cap_issubset(now->cap_permitted, then->cap_permitted);
}

/* Of @p, a child of the asker's process. */
bool ioevq_asker_may_know(const struct ioevq_asker *a, struct task_struct *p)
{
	struct task_struct *parent = rcu_dereference_raw(p->real_parent);
	bool ret;

	if (READ_ONCE(parent->self_exec_id) == a->exec_id)
		return true;
	rcu_read_lock();
	ret = is_as_before(__task_cred(parent), a->cred);
	rcu_read_unlock();
	return ret;
}

/*
 * Would wait4() find it? EXIT_TRACE is a zombie that its tracer is reaping: it
 * is a plain zombie again before the lock is dropped (wait_task_zombie()).
 */
bool ioevq_child_is_waitable(struct task_struct *p)
{
	return READ_ONCE(p->exit_state) & EXIT_ZOMBIE && thread_group_leader(p) &&
	       thread_group_empty(p);
}

/* Would its pidfd be readable? */
bool ioevq_child_has_exited(struct task_struct *p)
{
	return READ_ONCE(p->exit_state) && thread_group_leader(p) && thread_group_empty(p);
}

/* Is somebody else its tracer? Then the tracer's wait4() finds it, not the parent's. */
static bool is_traced_by_other(struct task_struct *p)
{
	return p->ptrace && !ioevq_is_child_of(p, task_tgid(rcu_dereference_raw(p->parent)));
}

bool ioevq_child_has_ended(struct task_struct *p)
{
	return ioevq_child_is_waitable(p) && !is_traced_by_other(p);
}

/* In nanoseconds. It may run still: to be read once for all that is told. */
u64 ioevq_child_run_time(struct task_struct *p)
{
	return p->signal->sum_sched_runtime + p->se.sum_exec_runtime;
}

/* IOEVQ_CHILD_STATUS and IOEVQ_CHILD_CPU_US of one that has ended, and ran for @ns. */
u64 ioevq_child_data(struct task_struct *p, u64 ns)
{
	u64 us = min(div_u64(ns, NSEC_PER_USEC), IOEVQ_CHILD_CPU_US(~0ULL));
	int status = p->signal->flags & SIGNAL_GROUP_EXIT ? p->signal->group_exit_code
							  : p->exit_code;

	return (u64)(status & 0xffff) | us << 16;
}

/*
 * Its part of the CPU time in the kernel. That it ran is known to the nanosecond, where
 * it did from samples only: they tell the proportion, as in cputime_adjust().
 */
u64 ioevq_child_system_us(struct task_struct *p, u64 run_time)
{
	u64 user = p->signal->utime + p->utime;
	u64 system = p->signal->stime + p->stime;
	u64 ns = 0;

	if (!user)
		ns = system ? run_time : 0;
	else if (system)
		ns = mul_u64_u64_div_u64(system, run_time, system + user);
	return div_u64(ns, NSEC_PER_USEC);
}

/* As do_notify_parent() decides it. */
u32 ioevq_child_flags(struct task_struct *p)
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

/*
 * Can its parent know of stops? Not if the parent is the tracer as well: then wait4()
 * tells of each thread's, and of those of debugging.
 */
static bool can_stop(struct task_struct *p)
{
	return thread_group_leader(p) && READ_ONCE(p->exit_state) != EXIT_DEAD &&
	       (!p->ptrace || is_traced_by_other(p));
}

static int stopped(int sig)
{
	return 0x7f | (sig & 0xff) << 8;
}

/*
 * Its state as wait4() would tell it now, WUNTRACED and WCONTINUED by @which (&enum
 * ioevq_child_flags); 0: that would tell nothing.
 */
int ioevq_child_state(struct task_struct *p, u32 which)
{
	unsigned int flags = READ_ONCE(p->signal->flags);
	int sig;

	if (!can_stop(p))
		return 0;
	if (flags & SIGNAL_STOP_STOPPED) {
		sig = READ_ONCE(p->signal->group_exit_code);
		return which & IOEVQ_CHILD_STOPPED && sig ? stopped(sig) : 0;
	}
	return which & IOEVQ_CHILD_CONTINUED && flags & SIGNAL_STOP_CONTINUED ? 0xffff : 0;
}

/*
 * The same when its parent is told of a change, which another thread's wait4() may have
 * taken by now.
 */
int ioevq_child_change(struct task_struct *p, u32 which)
{
	unsigned int flags = READ_ONCE(p->signal->flags);
	int sig;

	if (!can_stop(p) || flags & SIGNAL_GROUP_EXIT)
		return 0;
	if (!(flags & SIGNAL_STOP_STOPPED))
		return which & IOEVQ_CHILD_CONTINUED ? 0xffff : 0;
	sig = READ_ONCE(p->signal->group_exit_code);
	if (!sig)
		sig = READ_ONCE(p->jobctl) & JOBCTL_STOP_SIGMASK;
	return which & IOEVQ_CHILD_STOPPED ? stopped(sig) : 0;
}

/* The process of a pid, or NULL when it was reaped. RCU is held. */
struct task_struct *ioevq_child_task(struct pid *pid)
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

/* SPDX-License-Identifier: GPL-2.0-only */
/* What a child's task tells of it; knows nothing of queues or requests. */
#ifndef IOEVQ_CHILD_H
#define IOEVQ_CHILD_H

#include <linux/sched/signal.h>
#include <linux/types.h>

struct pid;

/* Is it a child of the process @parent? RCU or tasklist_lock is held. */
static inline bool ioevq_is_child_of(struct task_struct *p, struct pid *parent)
{
	return task_tgid(rcu_dereference_raw(p->real_parent)) == parent;
}

/* Who asked, at that moment. */
struct ioevq_asker {
	struct pid *process;
	const struct cred *cred;
	u64 exec_id;
};

void ioevq_asker_init(struct ioevq_asker *a);
void ioevq_asker_drop(struct ioevq_asker *a);
bool ioevq_asker_may_know(const struct ioevq_asker *a, struct task_struct *p);
bool ioevq_child_is_waitable(struct task_struct *p);
bool ioevq_child_has_exited(struct task_struct *p);
bool ioevq_child_has_ended(struct task_struct *p);
u64 ioevq_child_run_time(struct task_struct *p);
u64 ioevq_child_data(struct task_struct *p, u64 ns);
u64 ioevq_child_system_us(struct task_struct *p, u64 ns);
u32 ioevq_child_flags(struct task_struct *p);
int ioevq_child_state(struct task_struct *p, u32 which);
int ioevq_child_change(struct task_struct *p, u32 which);
struct task_struct *ioevq_child_task(struct pid *pid);

#endif

// SPDX-License-Identifier: GPL-2.0-only
/* What a worker takes over of who submitted the request that it works on. */
#include <linux/blk-cgroup.h>
#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "compat/pkru.h"
#include "env.h"

/*
 * In the submitter's context. Only counts, no memory is kept in use. Registered memory needs
 * no mm, and is there when the submitter is gone. The mm does not tell who pays for what a
 * kernel thread allocates, but for the page cache.
 */
void ioevq_env_capture(struct ioevq_env *env, bool needs_mm)
{
	if (needs_mm) {
		mmgrab(current->mm);
		env->mm = current->mm;
		env->pkru = compat_read_pkru();
	}
#ifdef CONFIG_MEMCG
	env->memcg = task_get_css(current, memory_cgrp_id);
#endif
	env->cred = get_current_cred();
	env->fsize = rlimit(RLIMIT_FSIZE);
#ifdef CONFIG_BLK_CGROUP
	env->css = task_get_css(current, io_cgrp_id);
#endif
}

/* Not from an interrupt. */
void ioevq_env_drop(struct ioevq_env *env)
{
	if (env->mm)
		mmdrop(env->mm);
	if (env->cred)
		put_cred(env->cred);
	if (env->css)
		css_put(env->css);
	if (env->memcg)
		css_put(env->memcg);
	*env = (struct ioevq_env){};
}

/*
 * How large a file system lets a write make a file, under its own lock. A kernel thread has
 * limits of its own, which nobody else looks at; the signal that tells of this one it ignores.
 */
static unsigned long set_fsize(unsigned long limit)
{
	struct rlimit *mine = &current->signal->rlim[RLIMIT_FSIZE];
	unsigned long old = mine->rlim_cur;

	WRITE_ONCE(mine->rlim_cur, limit);
	return old;
}

/*
 * In a worker: be the submitter, until ioevq_env_leave(). False: the memory is gone, nobody
 * is left to see what would be put there. What is in @guise has references of its own: @env
 * may be gone when it is left.
 */
bool ioevq_env_enter(const struct ioevq_env *env, struct ioevq_guise *guise)
{
	if (env->mm && !mmget_not_zero(env->mm))
		return false;
	guise->mm = env->mm;
	guise->old = override_creds(env->cred);
	if (guise->mm) {
		kthread_use_mm(guise->mm);
		/*
		 * A kernel thread may access no memory that has a key. What it sets stays its
		 * own: x86_pkru_load() keeps that at a switch, of kernel threads, too.
		 */
		guise->pkru = compat_read_pkru();
		compat_write_pkru(env->pkru);
	}
	guise->fsize = set_fsize(env->fsize);
	guise->memcg = env->memcg;
#ifdef CONFIG_MEMCG
	if (guise->memcg) {
		css_get(guise->memcg);
		set_active_memcg(mem_cgroup_from_css(guise->memcg));
	}
#endif
#ifdef CONFIG_BLK_CGROUP
	kthread_associate_blkcg(env->css);
#endif
	return true;
}

void ioevq_env_leave(struct ioevq_guise *guise)
{
#ifdef CONFIG_BLK_CGROUP
	kthread_associate_blkcg(NULL);
#endif
#ifdef CONFIG_MEMCG
	if (guise->memcg) {
		set_active_memcg(NULL);
		css_put(guise->memcg);
	}
#endif
	set_fsize(guise->fsize);
	if (guise->mm) {
		compat_write_pkru(guise->pkru);
		kthread_unuse_mm(guise->mm);
	}
	revert_creds(guise->old);
	if (guise->mm)
		mmput(guise->mm);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Whom a worker works for: memory, credentials, limits and block cgroup; see env.c. */
#ifndef IOEVQ_ENV_H
#define IOEVQ_ENV_H

#include <linux/types.h>

struct cgroup_subsys_state;
struct cred;
struct mm_struct;

/* All NULL before ioevq_env_capture() and after ioevq_env_drop(). */
struct ioevq_env {
	struct mm_struct *mm;		/* its memory may be gone: a count, no user. NULL: unused */
	const struct cred *cred;
	struct cgroup_subsys_state *css;	/* of block I/O */
	struct cgroup_subsys_state *memcg;	/* who pays where no mm tells */
	unsigned long fsize;		/* RLIMIT_FSIZE */
	u32 pkru;			/* rights to memory with a protection key; if there is mm */
};

/* What a worker must undo; of its own, for the request may be gone by then. */
struct ioevq_guise {
	struct mm_struct *mm;
	const struct cred *old;
	struct cgroup_subsys_state *memcg;
	unsigned long fsize;
	u32 pkru;
};

void ioevq_env_capture(struct ioevq_env *env, bool needs_mm);
void ioevq_env_drop(struct ioevq_env *env);
bool ioevq_env_enter(const struct ioevq_env *env, struct ioevq_guise *guise);
void ioevq_env_leave(struct ioevq_guise *guise);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads and processes that wait for events, and are known to be asleep. */
#ifndef IOEVQ_SLEEPER_H
#define IOEVQ_SLEEPER_H

#include <sched.h>

#include "expect.h"

/* A wait and what came of it; of a process, in memory that is shared with it. */
struct sleeper {
	const struct ioevq *q;
	unsigned int min;
	unsigned int max;
	__s64 timeout_ns;
	struct ioevq_event evs[8];
	int ret;
	int done;
	pid_t tid;
	pid_t pid;		/* of the process it is in */
	pthread_t thread;
};

static inline void *sleeper_body(void *arg)
{
	struct sleeper *s = arg;
	long long start = now_ns();

	__atomic_store_n(&s->tid, gettid(), __ATOMIC_RELEASE);
	s->ret = enter_wait(s->q, s->max ? s->evs : NULL, s->min, s->max, s->timeout_ns);
	/* It slept until the bound: what it found then, nobody has woken it for. */
	if (s->ret > 0 && s->timeout_ns == BOUND_NS && now_ns() - start >= BOUND_NS)
		s->ret = -ETIME;
	__atomic_store_n(&s->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Is it asleep? It sleeps nowhere but in its wait. */
static inline int sleeps(struct sleeper *s)
{
	return !__atomic_load_n(&s->done, __ATOMIC_ACQUIRE) &&
	       thread_state(s->pid, s->tid) == 'S';
}

static inline int is_done(struct sleeper *s)
{
	return __atomic_load_n(&s->done, __ATOMIC_ACQUIRE);
}

static inline int fall_asleep(struct sleeper *s)
{
	return eventually(__atomic_load_n(&s->tid, __ATOMIC_ACQUIRE)) && eventually(sleeps(s));
}

/* Start a thread that waits, and return when it sleeps: 1, or 0. */
static inline int put_to_sleep(struct sleeper *s, const struct ioevq *q, unsigned int min,
			       unsigned int max, __s64 timeout_ns)
{
	*s = (struct sleeper){
		.q = q, .min = min, .max = max, .timeout_ns = timeout_ns, .pid = getpid(),
	};
	return !pthread_create(&s->thread, NULL, sleeper_body, s) && fall_asleep(s);
}

/* What its wait returned. */
static inline int woken(struct sleeper *s)
{
	pthread_join(s->thread, NULL);
	return s->ret;
}

static inline __u64 wakeups(const struct ioevq *q)
{
	return query(q).wakeups;
}

#endif

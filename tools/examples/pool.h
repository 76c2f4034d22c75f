/* SPDX-License-Identifier: MIT */
/* What the parts of the comparison of pools share. Start with pool.c. */
#ifndef POOL_H
#define POOL_H

#include <ioevq_pool.h>
#include <stdbool.h>

#define MAX_THREADS	256

struct job {
	struct ioevq_work work;		/* first: a job is found by it */
	struct job *next;
	bool waits;
	int64_t submitted;
	int64_t took;			/* both in nanoseconds */
};

struct pool {
	const char *name;
	void (*start)(unsigned int threads);
	void (*submit)(struct job *job);
	void (*stop)(void);
	unsigned int threads;		/* 0: what the user wants */
};

/* pools.c: one at a time can be in use */
enum { IOEVQ, PLAIN, EPOLL, FEW, NR_POOLS };
extern struct pool pools[NR_POOLS];

/* pool.c */
void do_job(struct job *job);
void die(const char *what, int err);

#endif /* POOL_H */

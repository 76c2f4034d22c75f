/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of the pool of threads share: a pool, and jobs for it. */
#ifndef IOEVQ_POOL_TEST_H
#define IOEVQ_POOL_TEST_H

#include <ioevq_pool.h>

#include "expect.h"

struct job {
	struct ioevq_work work;		/* first: a job is found by it */
	int started;
	int go;				/* set by the test: who spins may end */
	int runs;			/* how many times it has ended */
	struct ioevq_event ev;		/* of the last time */
};

FIXTURE(pool)
{
	struct ioevq q;
	struct ioevq_pool *pool;
	struct job job[16];
};

static int pipe_fds[2];			/* where jobs block */

FIXTURE_SETUP(pool)
{
	self->pool = NULL;
	ASSERT_EQ(0, ioevq_open(&self->q, 16, 0));
	ASSERT_EQ(0, pipe(pipe_fds));
}

static inline int get(const int *n)
{
	return __atomic_load_n(n, __ATOMIC_ACQUIRE);
}

static inline void set(int *n)
{
	__atomic_store_n(n, 1, __ATOMIC_RELEASE);
}

/* Whatever still spins or blocks may end. */
FIXTURE_TEARDOWN(pool)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(self->job); i++)
		set(&self->job[i].go);
	close(pipe_fds[1]);
	if (self->pool)
		EXPECT_EQ(0, ioevq_pool_stop(self->pool));
	close(pipe_fds[0]);
	ioevq_close(&self->q);
}

static inline void run(struct ioevq_work *work, const struct ioevq_event *ev)
{
	struct job *job = (struct job *)work;

	job->ev = *ev;
	set(&job->started);
	__atomic_add_fetch(&job->runs, 1, __ATOMIC_RELEASE);
}

/* It does not block, and it does not end. */
static inline void spin(struct ioevq_work *work, const struct ioevq_event *ev)
{
	struct job *job = (struct job *)work;

	set(&job->started);
	while (!get(&job->go))
		;
	run(work, ev);
}

static inline void block(struct ioevq_work *work, const struct ioevq_event *ev)
{
	struct job *job = (struct job *)work;
	char c;

	set(&job->started);
	if (read(pipe_fds[0], &c, 1) < 0)
		abort();
	run(work, ev);
}

/* Let so many of the blocked go on. */
static inline void unblock(int n)
{
	while (n--)
		if (write(pipe_fds[1], "x", 1) != 1)
			abort();
}

static inline struct ioevq_pool_stats stats(struct ioevq_pool *pool)
{
	struct ioevq_pool_stats s;

	ioevq_pool_stats(pool, &s);
	return s;
}

static inline int start_pool(struct _test_data_pool *self, uint32_t concurrency, uint32_t min,
			     uint32_t max, int64_t idle_ns)
{
	struct ioevq_pool_options options = {
		.concurrency = concurrency,
		.min_threads = min,
		.max_threads = max,
		.idle_ns = idle_ns,
	};

	return ioevq_pool_start(&self->pool, &self->q, &options);
}

static inline int stop_pool(struct _test_data_pool *self)
{
	int ret = ioevq_pool_stop(self->pool);

	if (!ret)
		self->pool = NULL;
	return ret;
}

/* Jobs number @from and following. True if all were accepted. */
static inline int submit_jobs(struct _test_data_pool *self,
			      void (*fn)(struct ioevq_work *work, const struct ioevq_event *ev),
			      unsigned int from, unsigned int n)
{
	for (; n--; from++) {
		self->job[from].work.fn = fn;
		if (ioevq_pool_submit(self->pool, &self->job[from].work))
			return 0;
	}
	return 1;
}

/* That many threads exist, and so many of them really sleep in the queue. */
static inline int settled(struct _test_data_pool *self, uint32_t threads, uint32_t asleep)
{
	struct ioevq_pool_stats s = stats(self->pool);

	return s.threads == threads && s.asleep == asleep && query(&self->q).waiting == asleep;
}

/* So many of the jobs from number @from on have run. */
static inline int ran(struct _test_data_pool *self, unsigned int from, unsigned int n)
{
	unsigned int i, runs = 0;

	for (i = from; i < ARRAY_SIZE(self->job); i++)
		runs += get(&self->job[i].runs);
	return runs == n;
}

#endif

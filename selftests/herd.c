// SPDX-License-Identifier: GPL-2.0-only
/* Laws 6 and 7, counted: wake-ups, context switches, and how many run at once. */
#include "scaled.h"
#include "sleeper.h"
#include "worker.h"

#define WAITERS		8
#define SINGLES		10000
#define MANY		50000

FIXTURE(herd)
{
	struct ioevq q;
	struct worker w[WAITERS];
};

FIXTURE_SETUP(herd)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 256, 0));
}

FIXTURE_TEARDOWN(herd)
{
	EXPECT_EQ(0, stop_workers(&self->q, self->w, WAITERS));
	ioevq_close(&self->q);
}

static void job_nothing(struct job *job)
{
	job->go++;
}

static int inside, most;

/* How many are at it at once. */
static void job_count(struct job *job)
{
	int n = __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
	int seen = __atomic_load_n(&most, __ATOMIC_RELAXED);
	int i;

	while (n > seen && !__atomic_compare_exchange_n(&most, &seen, n, 0, __ATOMIC_SEQ_CST,
							__ATOMIC_RELAXED))
		;
	for (i = 0; i < 200; i++)
		__atomic_store_n(&job->fd, i, __ATOMIC_RELAXED);
	__atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
}

static int jobs_done(struct worker *w, unsigned int n)
{
	unsigned int i, sum = 0;

	for (i = 0; i < n; i++)
		sum += __atomic_load_n(&w[i].jobs, __ATOMIC_RELAXED);
	return sum;
}

static int post_many(const struct ioevq *q, struct job *job, unsigned int n)
{
	struct ioevq_req reqs[64];
	unsigned int i;
	int ret;

	for (i = 0; i < 64; i++)
		ioevq_prep_post(&reqs[i], -1, 0, 0, (uintptr_t)job);
	while (n) {
		ret = ioevq_submit(q, reqs, n < 64 ? n : 64);
		if (ret < 0 && ret != -EAGAIN)
			return ret;
		n -= ret > 0 ? ret : 0;
	}
	return 0;
}

/* A number of the queue, as others see it. */
static long shown(const struct ioevq *q, const char *field)
{
	char path[64], line[128];
	long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", q->fd);
	f = fopen(path, "re");
	while (f && value < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, field, strlen(field)) && line[strlen(field)] == ':')
			value = strtol(line + strlen(field) + 1, NULL, 10);
	if (f)
		fclose(f);
	return value;
}

/* Apache's dilemma: eight wait, each event wakes one of them. */
TEST_F(herd, law_06_a_wake_up_for_each_event)
{
	unsigned int i, n = scaled(SINGLES);
	struct job job = { .run = job_nothing };

	for (i = 0; i < WAITERS; i++)
		ASSERT_TRUE(start_worker(&self->w[i], &self->q));
	for (i = 0; i < n; i++) {
		ASSERT_EQ(0, post_job(&self->q, &job));
		while (query(&self->q).waiting != WAITERS || query(&self->q).available)
			;
	}
	EXPECT_EQ(n, wakeups(&self->q));
	EXPECT_EQ(n, shown(&self->q, "wakeups"));
	EXPECT_EQ(WAITERS, shown(&self->q, "waiting"));
	EXPECT_EQ(0, shown(&self->q, "runnable"));
	EXPECT_EQ(0, shown(&self->q, "available"));
	EXPECT_EQ(n, jobs_done(self->w, WAITERS));
	/* The last to sleep is the first to wake: always the same one. */
	EXPECT_EQ(n, jobs_done(&self->w[WAITERS - 1], 1));
}

/* One may run, and there is always work: it does all of it, and the others sleep. */
TEST_F(herd, law_07_one_does_all_the_work)
{
	long before[WAITERS];
	struct job job = { .run = job_nothing };
	unsigned int i, n = scaled(MANY);

	ASSERT_EQ(0, ioevq_set_concurrency(&self->q, 1));
	for (i = 0; i < WAITERS; i++)
		ASSERT_TRUE(start_worker(&self->w[i], &self->q));
	for (i = 0; i < WAITERS; i++)
		before[i] = thread_status(self->w[i].tid, "voluntary_ctxt_switches");
	ASSERT_EQ(0, post_many(&self->q, &job, n));
	ASSERT_TRUE(eventually(jobs_done(self->w, WAITERS) == (int)n));
	EXPECT_EQ(n, jobs_done(&self->w[WAITERS - 1], 1));
	for (i = 0; i < WAITERS - 1; i++)
		EXPECT_EQ(before[i], thread_status(self->w[i].tid, "voluntary_ctxt_switches"));
}

FIXTURE(limit)
{
	struct ioevq q;
	struct worker w[WAITERS];
};

FIXTURE_VARIANT(limit)
{
	int n;
};

FIXTURE_VARIANT_ADD(limit, one) { 1 };
FIXTURE_VARIANT_ADD(limit, two) { 2 };
FIXTURE_VARIANT_ADD(limit, three) { 3 };

FIXTURE_SETUP(limit)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 256, 0));
}

FIXTURE_TEARDOWN(limit)
{
	EXPECT_EQ(0, stop_workers(&self->q, self->w, WAITERS));
	ioevq_close(&self->q);
}

/* Nobody blocks: so many run at once, and never more. */
TEST_F(limit, law_07_never_more_than_that)
{
	struct job job = { .run = job_count };
	unsigned int i, n = scaled(MANY);

	inside = 0;
	most = 0;
	ASSERT_EQ(0, ioevq_set_concurrency(&self->q, variant->n));
	for (i = 0; i < WAITERS; i++)
		ASSERT_TRUE(start_worker(&self->w[i], &self->q));
	ASSERT_EQ(0, post_many(&self->q, &job, n));
	ASSERT_TRUE(eventually(jobs_done(self->w, WAITERS) == (int)n));
	EXPECT_LE(1, most);
	EXPECT_GE(variant->n, most);
	EXPECT_TRUE(eventually(query(&self->q).waiting == WAITERS));
	EXPECT_EQ(0, query(&self->q).runnable);
}

TEST_HARNESS_MAIN

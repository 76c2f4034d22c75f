// SPDX-License-Identifier: GPL-2.0-only
/* Law 7 in the hands of the library's pool: how many threads there are, and who runs. */
#include <dirent.h>
#include <sys/resource.h>

#include "pool_test.h"

#define SHORT_NS	10000000LL	/* for workers to grow old; no test depends on it */

/* One thread for each that blocks, one that runs, and one asleep. */
TEST_F(pool, law_07_grows_when_all_are_blocked)
{
	const unsigned int k = 5;

	ASSERT_EQ(0, start_pool(self, 1, 0, 0, IOEVQ_FOREVER));
	ASSERT_TRUE(eventually(settled(self, 1, 1)));
	ASSERT_TRUE(submit_jobs(self, block, 0, k));
	ASSERT_TRUE(eventually(settled(self, k + 1, 1)));
	EXPECT_TRUE(eventually(query(&self->q).runnable == 0));
	ASSERT_TRUE(submit_jobs(self, run, k, 1));
	ASSERT_TRUE(eventually(get(&self->job[k].runs)));
	ASSERT_TRUE(eventually(settled(self, k + 2, 2)));
	/* That is enough for more of the same. */
	ASSERT_TRUE(submit_jobs(self, run, k, 5));
	ASSERT_TRUE(eventually(ran(self, k, 6)));
	EXPECT_TRUE(eventually(settled(self, k + 2, 2)));
	EXPECT_TRUE(ran(self, 0, 6));
	unblock(k);
	ASSERT_TRUE(eventually(ran(self, 0, k + 6)));
	EXPECT_TRUE(eventually(settled(self, k + 2, k + 2)));
	EXPECT_EQ(k + 2, stats(self->pool).most_threads);
	EXPECT_EQ(k + 2, stats(self->pool).started);
	EXPECT_EQ(0, stats(self->pool).ended);
}

/* However much waits, and however long. */
TEST_F(pool, law_07_does_not_grow_for_work_that_waits)
{
	struct ioevq *q = &self->q;
	unsigned int i;
	__u64 wakeups;

	ASSERT_EQ(0, start_pool(self, 2, 1, 0, IOEVQ_FOREVER));
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(submit_jobs(self, spin, i, 1));
		ASSERT_TRUE(eventually(get(&self->job[i].started) && settled(self, i + 2, 1)));
	}
	wakeups = query(q).wakeups;
	ASSERT_TRUE(submit_jobs(self, spin, 2, 14));
	for (i = 0; i < 200; i++)
		ASSERT_TRUE(submit_jobs(self, run, 2, 1));
	EXPECT_EQ(214, query(q).available);
	EXPECT_EQ(2, query(q).runnable);
	for (i = 2; i < 16; i++)
		EXPECT_FALSE(get(&self->job[i].started));
	EXPECT_TRUE(settled(self, 3, 1));
	EXPECT_EQ(wakeups, query(q).wakeups);
	for (i = 0; i < 16; i++)
		set(&self->job[i].go);
	ASSERT_TRUE(eventually(ran(self, 0, 216)));
	EXPECT_TRUE(eventually(settled(self, 3, 3)));
	EXPECT_EQ(3, stats(self->pool).most_threads);
}

static int at_once, most_at_once;

/* Some work, and a note of how many do such. */
static void counted(struct ioevq_work *work, const struct ioevq_event *ev)
{
	int n = __atomic_add_fetch(&at_once, 1, __ATOMIC_SEQ_CST);
	int most = get(&most_at_once);
	int i;

	while (n > most && !__atomic_compare_exchange_n(&most_at_once, &most, n, 0,
							__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	for (i = 0; i < 5000; i++)
		asm volatile("");
	__atomic_sub_fetch(&at_once, 1, __ATOMIC_SEQ_CST);
	run(work, ev);
}

/* Who starts a thread may block in it: here all that may be needed are there. */
TEST_F(pool, law_07_no_more_at_once_than_the_value)
{
	struct job *job = self->job;
	unsigned int i;

	at_once = 0;
	most_at_once = 0;
	ASSERT_EQ(0, start_pool(self, 2, 3, 0, IOEVQ_FOREVER));
	ASSERT_TRUE(eventually(settled(self, 3, 3)));
	EXPECT_EQ(2, query(&self->q).concurrency);
	ASSERT_TRUE(submit_jobs(self, spin, 0, 2));
	ASSERT_TRUE(eventually(get(&job[0].started) && get(&job[1].started)));
	for (i = 0; i < 3000; i++)
		ASSERT_TRUE(submit_jobs(self, counted, 2, 1));
	set(&job[0].go);
	set(&job[1].go);
	ASSERT_TRUE(eventually(ran(self, 2, 3000)));
	EXPECT_GE(2, most_at_once);
	EXPECT_EQ(3, stats(self->pool).most_threads);
}

/* When there may be no more, events wait until one that is blocked comes back. */
TEST_F(pool, law_07_max_threads)
{
	ASSERT_EQ(0, start_pool(self, 1, 0, 3, IOEVQ_FOREVER));
	ASSERT_TRUE(submit_jobs(self, block, 0, 3));
	ASSERT_TRUE(eventually(settled(self, 3, 0) && get(&self->job[2].started)));
	ASSERT_TRUE(submit_jobs(self, run, 3, 4));
	EXPECT_EQ(4, query(&self->q).available);
	unblock(1);
	ASSERT_TRUE(eventually(ran(self, 3, 4)));
	EXPECT_TRUE(eventually(settled(self, 3, 1)));
	unblock(2);
	ASSERT_TRUE(eventually(ran(self, 0, 7)));
	EXPECT_EQ(3, stats(self->pool).most_threads);
}

/* Without a limit each event has a thread, be they blocked or not. */
TEST_F(pool, law_07_unlimited)
{
	ASSERT_EQ(0, start_pool(self, IOEVQ_UNLIMITED, 0, 0, IOEVQ_FOREVER));
	ASSERT_TRUE(submit_jobs(self, spin, 0, 3));
	ASSERT_TRUE(eventually(get(&self->job[0].started) && get(&self->job[1].started) &&
			       get(&self->job[2].started)));
	EXPECT_TRUE(eventually(settled(self, 4, 1)));
}

static unsigned int threads_of_process(void)
{
	unsigned int n = 0;
	DIR *dir = opendir("/proc/self/task");

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n - 2;	/* . and .. */
}

/* Who was needed once leaves, and is needed again later. */
TEST_F(pool, law_07_shrinks_when_idle)
{
	unsigned int round, n = 1;

	ASSERT_EQ(0, start_pool(self, 1, 2, 0, SHORT_NS));
	for (round = 0; round < 3; round++, n += 8) {
		ASSERT_TRUE(submit_jobs(self, block, 0, 7));
		ASSERT_TRUE(eventually(settled(self, 8, 1)));
		EXPECT_EQ(9, threads_of_process());
		unblock(7);
		ASSERT_TRUE(eventually(settled(self, 2, 2)));
		EXPECT_TRUE(eventually(threads_of_process() == 3));
		/* The first one and five of the others are gone, or six of the others. */
		EXPECT_EQ(stats(self->pool).started - 2, stats(self->pool).ended);
		ASSERT_TRUE(submit_jobs(self, run, 7, 1));
		ASSERT_TRUE(eventually(ran(self, 0, n + 7)));
	}
	EXPECT_EQ(8, stats(self->pool).most_threads);
}

/* However idle, one stays asleep for who is blocked. */
TEST_F(pool, law_07_the_last_sleeper_stays)
{
	ASSERT_EQ(0, start_pool(self, 1, 0, 0, SHORT_NS));
	ASSERT_TRUE(submit_jobs(self, block, 0, 5));
	ASSERT_TRUE(eventually(settled(self, 6, 1)));
	unblock(3);
	/* Two are blocked, and one is left of the four that are not. */
	ASSERT_TRUE(eventually(settled(self, 3, 1)));
	ASSERT_TRUE(submit_jobs(self, run, 5, 1));
	ASSERT_TRUE(eventually(get(&self->job[5].runs)));
	ASSERT_TRUE(eventually(settled(self, 3, 1)));
	unblock(2);
	ASSERT_TRUE(eventually(settled(self, 1, 1)));
}

/* No thread of the process has slept for a time in which many waits would have ended. */
static int nothing_happened(void)
{
	struct rusage before, after;
	int64_t end = now_ns() + 5 * SHORT_NS;

	getrusage(RUSAGE_SELF, &before);
	while (now_ns() < end)
		;
	getrusage(RUSAGE_SELF, &after);
	return before.ru_nvcsw == after.ru_nvcsw;
}

/* A pool that has shrunk does not wake up to see whether it could shrink. */
TEST_F(pool, law_07_idle_is_idle)
{
	ASSERT_EQ(0, start_pool(self, 1, 2, 0, SHORT_NS / 10));
	ASSERT_TRUE(submit_jobs(self, block, 0, 3));
	ASSERT_TRUE(eventually(settled(self, 4, 1)));
	unblock(3);
	ASSERT_TRUE(eventually(settled(self, 2, 2)));
	/* Those two may have been told to look once more. */
	EXPECT_TRUE(eventually(nothing_happened()));
	EXPECT_TRUE(settled(self, 2, 2));
}

/* A thread cannot be had: nothing is lost, and one is tried for again. */
TEST_F(pool, law_07_threads_that_cannot_be_started)
{
	struct ioevq_event ev;
	pthread_attr_t normal, huge;

	ASSERT_EQ(0, pthread_getattr_default_np(&normal));
	pthread_attr_init(&huge);
	ASSERT_EQ(0, pthread_attr_setstacksize(&huge, 1UL << 48));
	ASSERT_EQ(0, ioevq_post(&self->q, 1, 0, 0));

	ASSERT_EQ(0, pthread_setattr_default_np(&huge));
	EXPECT_EQ(-EAGAIN, start_pool(self, 1, 2, 0, IOEVQ_FOREVER));
	EXPECT_EQ(IOEVQ_UNLIMITED, query(&self->q).concurrency);
	EXPECT_EQ(1, ioevq_wait(&self->q, &ev, 1, 1, BOUND_NS));
	ASSERT_EQ(0, pthread_setattr_default_np(&normal));

	ASSERT_EQ(0, start_pool(self, 1, 1, 0, IOEVQ_FOREVER));
	ASSERT_TRUE(eventually(settled(self, 1, 1)));
	ASSERT_EQ(0, pthread_setattr_default_np(&huge));
	ASSERT_TRUE(submit_jobs(self, block, 0, 1));
	ASSERT_TRUE(submit_jobs(self, run, 1, 4));
	ASSERT_TRUE(eventually(get(&self->job[0].started)));
	EXPECT_TRUE(settled(self, 1, 0));
	EXPECT_EQ(4, query(&self->q).available);
	EXPECT_EQ(1, stats(self->pool).not_started);
	unblock(1);
	ASSERT_TRUE(eventually(ran(self, 0, 5)));
	/* The first one that is handed out afterwards brings another. */
	ASSERT_TRUE(eventually(settled(self, 1, 1)));
	EXPECT_EQ(5, stats(self->pool).not_started);
	ASSERT_EQ(0, pthread_setattr_default_np(&normal));
	ASSERT_TRUE(submit_jobs(self, block, 5, 1));
	ASSERT_TRUE(eventually(settled(self, 2, 1)));
	unblock(1);
}

TEST_HARNESS_MAIN

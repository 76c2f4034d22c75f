// SPDX-License-Identifier: GPL-2.0-only
/* The library's pool of threads: what calls a callback, and when it is called no more. */
#include "pool_test.h"

#define SUBMITTERS	4
#define PER_SUBMITTER	5000

TEST_F(pool, law_14_options)
{
	struct ioevq_pool_options o = { .min_threads = 3, .max_threads = 2 };
	struct ioevq closed = { .fd = -1 };

	EXPECT_EQ(-EINVAL, ioevq_pool_start(&self->pool, &self->q, &o));
	o = (struct ioevq_pool_options){ .reserved = 1 };
	EXPECT_EQ(-EINVAL, ioevq_pool_start(&self->pool, &self->q, &o));
	o = (struct ioevq_pool_options){ .idle_ns = -2 };
	EXPECT_EQ(-EINVAL, ioevq_pool_start(&self->pool, &self->q, &o));
	EXPECT_EQ(-EBADF, ioevq_pool_start(&self->pool, &closed, NULL));
	EXPECT_EQ(NULL, self->pool);
	EXPECT_EQ(IOEVQ_UNLIMITED, query(&self->q).concurrency);

	ASSERT_EQ(0, ioevq_pool_start(&self->pool, &self->q, NULL));
	EXPECT_EQ(sysconf(_SC_NPROCESSORS_ONLN), query(&self->q).concurrency);
	EXPECT_TRUE(eventually(settled(self, 1, 1)));
	/* Without min_threads the default of max_threads stands; with many it gives way. */
	ASSERT_EQ(0, stop_pool(self));
	ASSERT_EQ(0, start_pool(self, 1, 300, 0, 0));
	EXPECT_TRUE(eventually(settled(self, 300, 300)));
}

static struct ioevq_pool **the_variable;
static int calls, without;

static void look_at_the_pool(struct ioevq_work *work, const struct ioevq_event *ev)
{
	(void)work;
	(void)ev;
	if (!__atomic_load_n(the_variable, __ATOMIC_RELAXED))
		__atomic_add_fetch(&without, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
}

/* What is there already is handed out while the others are being started. */
TEST_F(pool, law_14_callbacks_know_the_pool)
{
	struct ioevq_work work = { .fn = look_at_the_pool };
	int i;

	the_variable = &self->pool;
	for (i = 0; i < 100; i++)
		ASSERT_EQ(0, ioevq_post(&self->q, ioevq_work_data(&work), 0, 0));
	ASSERT_EQ(0, start_pool(self, IOEVQ_UNLIMITED, 50, 50, 0));
	EXPECT_TRUE(eventually(__atomic_load_n(&calls, __ATOMIC_RELAXED) == 100));
	EXPECT_EQ(0, without);
}

struct submitter {
	pthread_t thread;
	struct ioevq_pool *pool;
	struct job *jobs;
	int err;
};

static void *submit_all(void *arg)
{
	struct submitter *s = arg;
	int i, ret;

	for (i = 0; i < PER_SUBMITTER && !s->err; i++) {
		/* Too many wait: some will be taken. */
		while ((ret = ioevq_pool_submit(s->pool, &s->jobs[i].work)) == -EAGAIN)
			sched_yield();
		s->err = ret;
	}
	return NULL;
}

/* Every tenth one blocks for a moment. */
static void run_or_nap(struct ioevq_work *work, const struct ioevq_event *ev)
{
	static int n;

	if (__atomic_add_fetch(&n, 1, __ATOMIC_RELAXED) % 10 == 0)
		usleep(1);
	run(work, ev);
}

TEST_F(pool, law_04_each_job_once)
{
	const unsigned int n = SUBMITTERS * PER_SUBMITTER;
	struct job *jobs = calloc(n, sizeof(*jobs));
	struct submitter s[SUBMITTERS] = {};
	unsigned int i, runs = 0;

	ASSERT_NE(NULL, jobs);
	for (i = 0; i < n; i++)
		jobs[i].work.fn = run_or_nap;
	ASSERT_EQ(0, start_pool(self, 0, 0, 40, 1000000));
	for (i = 0; i < SUBMITTERS; i++) {
		s[i].pool = self->pool;
		s[i].jobs = jobs + i * PER_SUBMITTER;
		ASSERT_EQ(0, pthread_create(&s[i].thread, NULL, submit_all, &s[i]));
	}
	for (i = 0; i < SUBMITTERS; i++) {
		pthread_join(s[i].thread, NULL);
		EXPECT_EQ(0, s[i].err);
	}
	for (i = 0; i < n; i++)
		ASSERT_TRUE(eventually(get(&jobs[i].runs)));
	ASSERT_EQ(0, stop_pool(self));
	EXPECT_EQ(0, query(&self->q).available);
	for (i = 0; i < n; i++)
		runs += jobs[i].runs == 1;
	EXPECT_EQ(n, runs);
	EXPECT_EQ(IOEVQ_OP_POST, jobs[0].ev.op);
	EXPECT_EQ((uintptr_t)&jobs[0].work, jobs[0].ev.user_data);
	free(jobs);
}

/* Whatever has an event calls its callback. */
TEST_F(pool, law_01_events_of_all_sources)
{
	struct job *job = self->job;
	int file = memfd_create("pool", MFD_CLOEXEC), efd = eventfd(0, EFD_NONBLOCK);
	struct ioevq_req req[3];
	char buf[8] = "";
	pid_t pid;
	int i;

	for (i = 0; i < 4; i++)
		job[i].work.fn = run;
	ASSERT_EQ(5, pwrite(file, "hello", 5, 0));
	pid = fork();
	if (!pid) {
		pause();
		_exit(1);
	}
	ASSERT_EQ(0, start_pool(self, 0, 0, 0, 0));
	ioevq_prep_read(&req[0], file, buf, sizeof(buf), 0, ioevq_work_data(&job[0].work));
	ioevq_prep_poll(&req[1], efd, POLLIN, IOEVQ_POLL_EDGE, ioevq_work_data(&job[1].work));
	ioevq_prep_child(&req[2], pid, 0, ioevq_work_data(&job[2].work));
	ASSERT_EQ(3, ioevq_submit(&self->q, req, 3));
	ASSERT_TRUE(eventually(get(&job[0].runs)));
	EXPECT_EQ(IOEVQ_OP_READ, job[0].ev.op);
	EXPECT_EQ(5, job[0].ev.res);
	EXPECT_EQ(0, memcmp(buf, "hello", 5));

	for (i = 1; i <= 3; i++) {
		EXPECT_EQ(0, eventfd_write(efd, 1));
		ASSERT_TRUE(eventually(get(&job[1].runs) == i));
	}
	EXPECT_EQ(IOEVQ_OP_POLL, job[1].ev.op);
	EXPECT_EQ(IOEVQ_EVENT_MORE, job[1].ev.flags);

	kill(pid, SIGKILL);
	ASSERT_TRUE(eventually(get(&job[2].runs)));
	EXPECT_EQ(IOEVQ_OP_CHILD, job[2].ev.op);
	EXPECT_EQ(pid, job[2].ev.res);
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));

	/* The end of the watch, and the event of the cancel, which names no work. */
	ASSERT_EQ(0, ioevq_cancel_fd(&self->q, efd, 0));
	ASSERT_TRUE(eventually(get(&job[1].runs) == 4));
	EXPECT_EQ(-ECANCELED, job[1].ev.res);
	ASSERT_TRUE(submit_jobs(self, run, 3, 1));
	ASSERT_TRUE(eventually(get(&job[3].runs)));
	EXPECT_EQ(0, query(&self->q).available);
	close(efd);
	close(file);
}

static struct ioevq_pool *the_pool;
static int again_ret;

static void again(struct ioevq_work *work, const struct ioevq_event *ev)
{
	run(work, ev);
	/* Not before: another worker would have it, and count, at once. */
	if (get(&((struct job *)work)->runs) < 100)
		again_ret |= ioevq_pool_submit(the_pool, work);
}

static struct job *of_signal;

static void on_signal(int sig)
{
	(void)sig;
	again_ret |= ioevq_pool_submit(the_pool, &of_signal->work);
}

/* By a callback, and by a signal handler. */
TEST_F(pool, law_04_jobs_from_anywhere)
{
	int i;

	signal(SIGUSR1, on_signal);
	of_signal = &self->job[1];
	of_signal->work.fn = run;
	ASSERT_EQ(0, start_pool(self, 0, 0, 0, 0));
	the_pool = self->pool;
	again_ret = 0;
	ASSERT_TRUE(submit_jobs(self, again, 0, 1));
	for (i = 0; i < 100; i++)
		kill(getpid(), SIGUSR1);
	EXPECT_TRUE(eventually(get(&self->job[0].runs) == 100));
	EXPECT_TRUE(eventually(get(&self->job[1].runs) == 100));
	EXPECT_EQ(0, again_ret);
}

static sigset_t worker_mask;

static void see_mask(struct ioevq_work *work, const struct ioevq_event *ev)
{
	pthread_sigmask(SIG_SETMASK, NULL, &worker_mask);
	run(work, ev);
}

TEST_F(pool, law_06_signals_are_for_others)
{
	sigset_t before, after;
	int sig;

	sigemptyset(&before);
	sigemptyset(&after);
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	ASSERT_EQ(0, start_pool(self, 0, 0, 0, 0));
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
	ASSERT_TRUE(submit_jobs(self, see_mask, 0, 1));
	ASSERT_TRUE(eventually(get(&self->job[0].runs)));
	for (sig = 1; sig < 32; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			EXPECT_EQ(1, sigismember(&worker_mask, sig));
}

struct stopper {
	pthread_t thread;
	struct ioevq_pool *pool;
	int tid;
	int done;
	int ret;
};

static void *stop_it(void *arg)
{
	struct stopper *s = arg;

	__atomic_store_n(&s->tid, gettid(), __ATOMIC_RELEASE);
	s->ret = ioevq_pool_stop(s->pool);
	set(&s->done);
	return NULL;
}

/* Callbacks that run are waited for, be they blocked or not; events that wait are left. */
TEST_F(pool, law_02_stop_waits_and_leaves_events)
{
	struct job *job = self->job;
	struct ioevq_event ev;
	struct stopper s = {};
	int i;

	ASSERT_EQ(0, ioevq_set_concurrency(&self->q, 7));
	ASSERT_EQ(0, start_pool(self, 1, 0, 0, 0));
	ASSERT_TRUE(submit_jobs(self, block, 0, 2));
	ASSERT_TRUE(submit_jobs(self, spin, 2, 1));
	ASSERT_TRUE(eventually(get(&job[2].started) && settled(self, 4, 1)));
	ASSERT_TRUE(submit_jobs(self, run, 3, 5));
	s.pool = self->pool;
	ASSERT_EQ(0, pthread_create(&s.thread, NULL, stop_it, &s));
	/* Who sleeps goes; it sleeps until the others have. */
	ASSERT_TRUE(eventually(settled(self, 3, 0)));
	ASSERT_TRUE(eventually(thread_state(getpid(), get(&s.tid)) == 'S'));
	/* Jobs are accepted, and none begins. */
	ASSERT_TRUE(submit_jobs(self, run, 8, 1));
	unblock(2);
	ASSERT_TRUE(eventually(ran(self, 0, 2)));
	ASSERT_TRUE(eventually(settled(self, 1, 0)));
	EXPECT_FALSE(get(&s.done));
	set(&job[2].go);
	pthread_join(s.thread, NULL);
	self->pool = NULL;
	EXPECT_EQ(0, s.ret);
	EXPECT_TRUE(ran(self, 0, 3));
	EXPECT_EQ(6, query(&self->q).available);
	EXPECT_EQ(7, query(&self->q).concurrency);

	/* In order, to whoever comes. Who is not counted for it does not keep workers back. */
	ASSERT_EQ(0, ioevq_set_concurrency(&self->q, IOEVQ_UNLIMITED));
	ASSERT_EQ(1, ioevq_wait(&self->q, &ev, 1, 1, 0));
	EXPECT_EQ(ioevq_work_data(&job[3].work), ev.user_data);
	ASSERT_EQ(0, start_pool(self, 1, 0, 0, 0));
	EXPECT_TRUE(eventually(ran(self, 4, 5)));
	EXPECT_FALSE(get(&job[3].started));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, stop_pool(self));
		ASSERT_EQ(0, start_pool(self, i % 3, i % 5, 0, 0));
	}
}

static int stop_ret;

static void stop_myself(struct ioevq_work *work, const struct ioevq_event *ev)
{
	stop_ret = ioevq_pool_stop(the_pool);
	run(work, ev);
}

TEST_F(pool, law_14_a_worker_cannot_stop_its_pool)
{
	ASSERT_EQ(0, start_pool(self, 1, 0, 0, 0));
	the_pool = self->pool;
	ASSERT_TRUE(submit_jobs(self, stop_myself, 0, 1));
	ASSERT_TRUE(submit_jobs(self, run, 1, 1));
	ASSERT_TRUE(eventually(ran(self, 0, 2)));
	EXPECT_EQ(-EDEADLK, stop_ret);
}

/* The program's own alert ends all workers, also those that come back later. */
TEST_F(pool, law_06_alert_ends_workers)
{
	ASSERT_EQ(0, start_pool(self, 1, 3, 0, 0));
	ASSERT_TRUE(eventually(settled(self, 3, 3)));
	ASSERT_TRUE(submit_jobs(self, block, 0, 3));
	ASSERT_TRUE(eventually(settled(self, 4, 1)));
	ASSERT_EQ(0, ioevq_alert(&self->q, 5));
	ASSERT_TRUE(submit_jobs(self, run, 3, 1));
	ASSERT_TRUE(eventually(settled(self, 3, 0)));
	unblock(3);
	ASSERT_TRUE(eventually(settled(self, 0, 0)));
	EXPECT_EQ(4, stats(self->pool).ended);
	EXPECT_EQ(0, stats(self->pool).error);
	EXPECT_TRUE(ran(self, 0, 3));
	EXPECT_EQ(1, query(&self->q).available);
	ASSERT_EQ(0, stop_pool(self));
	EXPECT_EQ(0, self->q.ring->flags);
}

/* Who cannot wait ends, and says why. */
TEST_F(pool, law_12_workers_that_cannot_wait)
{
	ASSERT_EQ(0, start_pool(self, 2, 3, 0, 0));
	ASSERT_TRUE(eventually(settled(self, 3, 3)));
	__atomic_store_n(&self->q.ring->head, 1ULL << 40, __ATOMIC_RELEASE);
	ASSERT_TRUE(submit_jobs(self, run, 0, 3));
	ASSERT_TRUE(eventually(stats(self->pool).error == -EBADFD));
	ASSERT_EQ(0, stop_pool(self));
	EXPECT_TRUE(ran(self, 0, 0));
}

TEST_HARNESS_MAIN

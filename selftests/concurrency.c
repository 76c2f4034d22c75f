// SPDX-License-Identifier: GPL-2.0-only
/* Law 7: no more consumers run than the concurrency value says. */
#include <linux/futex.h>
#include <sys/file.h>
#include <sys/prctl.h>

#include "slow_io.h"
#include "worker.h"

#define WORKERS		4

/* Ways to block in the kernel, and how each is ended. The blocker has one job at a time. */
struct blocker {
	int pipe[2];
	int locked;		/* the same file, open twice */
	int file;
	struct slow_io slow;
	struct job *job;	/* that is at its futex */
};

static struct blocker b;

static int blocker_make(void)
{
	char path[] = "/tmp/ioevq-lock-XXXXXX";

	b.locked = mkstemp(path);
	b.file = open(path, O_RDWR);
	unlink(path);
	return pipe(b.pipe) || flock(b.locked, LOCK_EX) || slow_make(&b.slow);
}

static void blocker_end(void)
{
	slow_end(&b.slow);
	close(b.pipe[0]);
	close(b.pipe[1]);
	close(b.locked);
	close(b.file);
}

static void block_read(struct job *job)
{
	char c;

	job->go = read(b.pipe[0], &c, 1);
}

static void block_poll(struct job *job)
{
	struct pollfd p = { .fd = b.pipe[0], .events = POLLIN };

	job->go = poll(&p, 1, -1);
}

static void release_pipe(void)
{
	if (write(b.pipe[1], "x", 1) != 1)
		abort();
}

static void block_futex(struct job *job)
{
	b.job = job;
	while (!is_set(&job->go))
		syscall(SYS_futex, &job->go, FUTEX_WAIT_PRIVATE, 0, NULL);
}

static void release_futex(void)
{
	if (!b.job)
		return;
	set(&b.job->go);
	syscall(SYS_futex, &b.job->go, FUTEX_WAKE_PRIVATE, 1);
}

static void block_fault(struct job *job)
{
	job->go = __atomic_load_n(b.slow.pages, __ATOMIC_RELAXED);
}

static void release_fault(void)
{
	slow_finish(&b.slow, 0);
}

static void block_flock(struct job *job)
{
	job->go = flock(b.file, LOCK_EX);
}

static void release_flock(void)
{
	flock(b.locked, LOCK_UN);
}

FIXTURE(concurrency)
{
	struct ioevq q;
	struct worker w[WORKERS];
	struct job job[8];
	int started;
};

FIXTURE_SETUP(concurrency)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 16, 0));
	self->started = 0;
}

/* Whatever still spins may end. */
FIXTURE_TEARDOWN(concurrency)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(self->job); i++) {
		if (b.pipe[1])
			release_pipe();
		set(&self->job[i].go);
	}
	EXPECT_EQ(0, stop_workers(&self->q, self->w, self->started));
	ioevq_close(&self->q);
	if (b.pipe[1])
		blocker_end();
}

static int start(struct _test_data_concurrency *self, unsigned int n)
{
	while (n--) {
		if (!start_worker(&self->w[self->started], &self->q))
			return 0;
		self->started++;
	}
	return 1;
}

static int post_jobs(struct _test_data_concurrency *self, void (*run)(struct job *job),
		     unsigned int from, unsigned int n)
{
	for (; n--; from++) {
		self->job[from].run = run;
		if (post_job(&self->q, &self->job[from]))
			return 0;
	}
	return 1;
}

FIXTURE(blocking)
{
	struct _test_data_concurrency c;
};

FIXTURE_VARIANT(blocking)
{
	void (*block)(struct job *job);
	void (*release)(void);
};

FIXTURE_VARIANT_ADD(blocking, in_read) { block_read, release_pipe };
FIXTURE_VARIANT_ADD(blocking, in_poll) { block_poll, release_pipe };
FIXTURE_VARIANT_ADD(blocking, at_a_futex) { block_futex, release_futex };
FIXTURE_VARIANT_ADD(blocking, at_a_page_fault) { block_fault, release_fault };
FIXTURE_VARIANT_ADD(blocking, at_a_file_lock) { block_flock, release_flock };

FIXTURE_SETUP(blocking)
{
	ASSERT_EQ(0, blocker_make());
	ASSERT_EQ(0, ioevq_open(&self->c.q, 16, 0));
}

FIXTURE_TEARDOWN(blocking)
{
	unsigned int i;

	/* Whatever a test that failed has left blocked, too. */
	variant->release();
	variant->release();
	for (i = 0; i < ARRAY_SIZE(self->c.job); i++)
		set(&self->c.job[i].go);
	EXPECT_EQ(0, stop_workers(&self->c.q, self->c.w, self->c.started));
	ioevq_close(&self->c.q);
	blocker_end();
}

/* One blocks: another runs. It is back: nobody is let go for it. */
TEST_F(blocking, law_07_who_blocks_gives_its_slot)
{
	struct _test_data_concurrency *c = &self->c;
	struct ioevq *q = &c->q;
	struct job *job = c->job;

	ASSERT_EQ(0, ioevq_set_concurrency(q, 1));
	ASSERT_TRUE(start(c, 3));
	ASSERT_TRUE(post_jobs(c, variant->block, 0, 1));
	ASSERT_TRUE(eventually(is_set(&job[0].started) && query(q).runnable == 0));
	ASSERT_TRUE(post_jobs(c, job_spin, 1, 3));
	ASSERT_TRUE(eventually(is_set(&job[1].started)));
	EXPECT_EQ(1, query(q).runnable);
	EXPECT_EQ(2, query(q).available);
	EXPECT_EQ(1, query(q).waiting);
	EXPECT_EQ(2, wakeups(q));
	/* The last to sleep is the first to run. */
	EXPECT_EQ(&c->w[2], job[0].worker);
	EXPECT_EQ(&c->w[1], job[1].worker);

	/* Two run for a moment, and one of them has to wait though there is work. */
	variant->release();
	ASSERT_TRUE(eventually(is_set(&job[0].ended) && query(q).waiting == 2));
	ASSERT_TRUE(post_jobs(c, job_spin, 4, 1));
	EXPECT_EQ(1, query(q).runnable);
	EXPECT_EQ(3, query(q).available);
	EXPECT_EQ(2, wakeups(q));
	EXPECT_FALSE(is_set(&job[2].started));

	/* Who has the slot goes on with what is there, and nobody is woken. */
	set(&job[1].go);
	ASSERT_TRUE(eventually(is_set(&job[2].started)));
	EXPECT_EQ(job[1].worker, job[2].worker);
	set(&job[2].go);
	set(&job[3].go);
	set(&job[4].go);
	ASSERT_TRUE(eventually(is_set(&job[4].ended)));
	EXPECT_EQ(2, wakeups(q));
	EXPECT_EQ(4, c->w[1].jobs);
}

/* While it works, too: each job blocks for a moment, and is preceded by another's slot. */
TEST_F(blocking, law_07_blocked_work_that_is_there_already)
{
	struct _test_data_concurrency *c = &self->c;
	struct ioevq *q = &c->q;
	struct job *job = c->job;

	ASSERT_EQ(0, ioevq_set_concurrency(q, 1));
	ASSERT_TRUE(start(c, 2));
	/* The second one waits in the queue for the first one's slot. */
	ASSERT_TRUE(post_jobs(c, job_spin, 0, 1));
	ASSERT_TRUE(eventually(is_set(&job[0].started)));
	ASSERT_TRUE(post_jobs(c, variant->block, 1, 1));
	ASSERT_TRUE(post_jobs(c, job_spin, 2, 1));
	EXPECT_EQ(1, wakeups(q));
	set(&job[0].go);
	ASSERT_TRUE(eventually(is_set(&job[1].started) && is_set(&job[2].started)));
	EXPECT_EQ(&c->w[1], job[1].worker);
	EXPECT_EQ(&c->w[0], job[2].worker);
	EXPECT_EQ(2, wakeups(q));
	set(&job[2].go);
	variant->release();
	ASSERT_TRUE(eventually(is_set(&job[1].ended) && is_set(&job[2].ended)));
}

static void block_then_spin(struct job *job)
{
	char c;

	/* The flag says that it runs again. */
	job->fd = read(b.pipe[0], &c, 1);
	job_spin(job);
}

/* Many were blocked and run at once: until they are few enough, nobody is let go. */
TEST_F(concurrency, law_07_exceeded_for_a_while)
{
	struct ioevq *q = &self->q;
	struct job *job = self->job;
	int i;

	ASSERT_EQ(0, blocker_make());
	ASSERT_EQ(0, ioevq_set_concurrency(q, 1));
	ASSERT_TRUE(start(self, 4));
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(post_jobs(self, block_then_spin, i, 1));
		ASSERT_TRUE(eventually(is_set(&job[i].started) && query(q).runnable == 0));
	}
	EXPECT_EQ(3, wakeups(q));
	for (i = 0; i < 3; i++)
		release_pipe();
	ASSERT_TRUE(eventually(is_set(&job[0].fd) && is_set(&job[1].fd) && is_set(&job[2].fd)));
	EXPECT_EQ(3, query(q).runnable);
	ASSERT_TRUE(post_jobs(self, job_spin, 3, 1));
	for (i = 0; i < 2; i++) {
		set(&job[i].go);
		ASSERT_TRUE(eventually(query(q).waiting == 2U + i));
		EXPECT_EQ(2 - i, query(q).runnable);
		EXPECT_EQ(1, query(q).available);
	}
	EXPECT_EQ(3, wakeups(q));
	set(&job[2].go);
	ASSERT_TRUE(eventually(is_set(&job[3].started)));
	EXPECT_EQ(job[2].worker, job[3].worker);
	EXPECT_EQ(3, wakeups(q));
}

static int to_cpu(pid_t tid, int nr)
{
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(nr, &cpu);
	return sched_setaffinity(tid, sizeof(cpu), &cpu);
}

static void *hog(void *stop)
{
	to_cpu(0, 1);
	while (!is_set(stop))
		;
	return NULL;
}

/* Who is preempted runs, as far as others are concerned. */
TEST_F(concurrency, law_07_preemption_keeps_the_slot)
{
	struct job *job = self->job;
	pthread_t thread;
	int stop = 0;

	ASSERT_EQ(0, ioevq_set_concurrency(&self->q, 1));
	ASSERT_TRUE(start(self, 2));
	ASSERT_EQ(0, to_cpu(self->w[1].tid, 1));
	ASSERT_TRUE(post_jobs(self, job_spin, 0, 2));
	ASSERT_TRUE(eventually(is_set(&job[0].started)));
	ASSERT_EQ(0, pthread_create(&thread, NULL, hog, &stop));
	EXPECT_TRUE(eventually(thread_status(self->w[1].tid, "nonvoluntary_ctxt_switches") > 20));
	EXPECT_EQ(1, query(&self->q).runnable);
	EXPECT_EQ(1, wakeups(&self->q));
	EXPECT_FALSE(is_set(&job[1].started));
	set(&stop);
	pthread_join(thread, NULL);
	set(&job[0].go);
	ASSERT_TRUE(eventually(is_set(&job[1].started)));
	EXPECT_EQ(&self->w[1], job[1].worker);
}

/* Set, raised, lowered and lifted, with consumers asleep and at work. */
TEST_F(concurrency, law_07_set_at_any_time)
{
	struct ioevq *q = &self->q;
	struct job *job = self->job;
	int i;

	EXPECT_EQ(IOEVQ_UNLIMITED, query(q).concurrency);
	ASSERT_TRUE(start(self, 4));
	EXPECT_EQ(4, query(q).waiting);
	ASSERT_EQ(0, ioevq_set_concurrency(q, 1));
	EXPECT_EQ(1, query(q).concurrency);
	/* They came back to be counted, and sleep again. */
	ASSERT_TRUE(eventually(query(q).waiting == 4));
	EXPECT_EQ(4, wakeups(q));
	ASSERT_TRUE(post_jobs(self, job_spin, 0, 4));
	ASSERT_TRUE(eventually(is_set(&job[0].started)));
	EXPECT_EQ(3, query(q).available);
	ASSERT_EQ(0, ioevq_set_concurrency(q, 3));
	ASSERT_TRUE(eventually(is_set(&job[1].started) && is_set(&job[2].started)));
	EXPECT_EQ(3, query(q).runnable);
	EXPECT_EQ(1, query(q).available);
	/* Two of three have to go to sleep before another may run. */
	ASSERT_EQ(0, ioevq_set_concurrency(q, 2));
	set(&job[0].go);
	ASSERT_TRUE(eventually(query(q).waiting == 2));
	EXPECT_EQ(1, query(q).available);
	set(&job[1].go);
	ASSERT_TRUE(eventually(is_set(&job[3].started)));
	EXPECT_EQ(job[1].worker, job[3].worker);
	EXPECT_EQ(4 + 3, wakeups(q));
	/* Without a limit nothing waits. */
	ASSERT_TRUE(post_jobs(self, job_spin, 4, 2));
	EXPECT_EQ(2, query(q).available);
	ASSERT_EQ(0, ioevq_set_concurrency(q, IOEVQ_UNLIMITED));
	ASSERT_TRUE(eventually(is_set(&job[4].started) && is_set(&job[5].started)));
	EXPECT_EQ(4 + 5, wakeups(q));
	for (i = 0; i < 6; i++)
		set(&job[i].go);
	ASSERT_TRUE(eventually(query(q).waiting == 4));
	/* 0 is a value of its own. */
	ASSERT_EQ(0, ioevq_set_concurrency(q, 0));
	EXPECT_EQ(sysconf(_SC_NPROCESSORS_ONLN), query(q).concurrency);
}

TEST(law_07_set_at_setup)
{
	struct ioevq_setup setup = {
		.size = sizeof(setup), .flags = IOEVQ_SETUP_CONCURRENCY, .concurrency = 3,
	};
	struct ioevq q = { .fd = open("/dev/ioevq", O_RDWR) };

	ASSERT_EQ(0, ioctl(q.fd, IOEVQ_IOC_SETUP, &setup));
	EXPECT_EQ(3, query(&q).concurrency);
	close(q.fd);
	q.fd = open("/dev/ioevq", O_RDWR);
	setup.concurrency = 0;
	ASSERT_EQ(0, ioctl(q.fd, IOEVQ_IOC_SETUP, &setup));
	EXPECT_EQ(sysconf(_SC_NPROCESSORS_ONLN), query(&q).concurrency);
	close(q.fd);
	q.fd = open("/dev/ioevq", O_RDWR);
	setup.concurrency = IOEVQ_UNLIMITED;
	ASSERT_EQ(0, ioctl(q.fd, IOEVQ_IOC_SETUP, &setup));
	EXPECT_EQ(IOEVQ_UNLIMITED, query(&q).concurrency);
	close(q.fd);
	EXPECT_TRUE(query(&q).features & IOEVQ_FEAT_CONCURRENCY);
}

/* A thread belongs to the queue that it waited on last. */
TEST_F(concurrency, law_07_the_last_queue_counts)
{
	struct ioevq_event ev;
	struct ioevq other;

	ASSERT_EQ(0, ioevq_open(&other, 0, 0));
	ASSERT_EQ(0, ioevq_post(&self->q, 1, 0, 0));
	ASSERT_EQ(1, ioevq_wait(&self->q, &ev, 1, 1, 0));
	EXPECT_EQ(0, query(&self->q).runnable);

	ASSERT_EQ(0, ioevq_set_concurrency(&self->q, 1));
	ASSERT_EQ(0, ioevq_set_concurrency(&other, 5));
	EXPECT_EQ(0, ioevq_wait(&self->q, &ev, 1, 1, 0));
	EXPECT_EQ(1, query(&self->q).runnable);
	EXPECT_EQ(0, ioevq_wait(&other, &ev, 1, 1, 0));
	EXPECT_EQ(0, query(&self->q).runnable);
	EXPECT_EQ(1, query(&other).runnable);
	EXPECT_EQ(0, ioevq_wait(&self->q, &ev, 1, 1, 1));
	EXPECT_EQ(1, query(&self->q).runnable);
	EXPECT_EQ(0, query(&other).runnable);
	/* Whoever only submits is no consumer. */
	ASSERT_EQ(0, ioevq_post(&other, 1, 0, 0));
	EXPECT_EQ(0, query(&other).runnable);
	/* Without a limit nobody is counted. */
	ASSERT_EQ(0, ioevq_set_concurrency(&other, IOEVQ_UNLIMITED));
	EXPECT_EQ(1, enter_wait(&other, &ev, 1, 1, 0));
	EXPECT_EQ(0, query(&self->q).runnable);
	EXPECT_EQ(0, query(&other).runnable);
	ioevq_close(&other);
}

static void *told_and_blocked(void *arg)
{
	struct ioevq_event ev;
	char c;

	if (enter_wait(arg, NULL, 1, 0, BOUND_NS) != 1 || read(b.pipe[0], &c, 1) != 1)
		return arg;
	/* It was too late. */
	return ioevq_take(arg, &ev) ? arg : NULL;
}

/* Who was told of an event blocks before it takes it from the ring: another takes it. */
TEST_F(concurrency, law_07_told_but_blocked)
{
	pthread_t thread;
	void *failed;

	ASSERT_EQ(0, blocker_make());
	ASSERT_EQ(0, ioevq_set_concurrency(&self->q, 1));
	ASSERT_TRUE(start(self, 1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, told_and_blocked, &self->q));
	ASSERT_TRUE(eventually(query(&self->q).waiting == 2));
	set(&self->job[0].go);
	ASSERT_TRUE(post_jobs(self, job_spin, 0, 1));
	ASSERT_TRUE(eventually(is_set(&self->job[0].ended)));
	EXPECT_EQ(&self->w[0], self->job[0].worker);
	release_pipe();
	ASSERT_EQ(0, pthread_join(thread, &failed));
	EXPECT_EQ(NULL, failed);
}

/* Has the slot and an event, but wants three. */
static void *want_more(void *arg)
{
	const struct ioevq *q = arg;
	struct ioevq_event ev[3];

	if (enter_wait(q, ev, 1, 1, 0) || ioevq_post(q, 1, 0, 0))
		return arg;
	return enter_wait(q, ev, 3, 3, BOUND_NS) == 3 ? NULL : arg;
}

/* Who goes to sleep because of too little leaves it, and the slot, to who asked for less. */
TEST_F(concurrency, law_07_a_slot_for_who_wants_less)
{
	struct sleeper s;
	pthread_t thread;
	void *failed;
	int i;

	ASSERT_EQ(0, ioevq_set_concurrency(&self->q, 1));
	ASSERT_TRUE(put_to_sleep(&s, &self->q, 1, 1, BOUND_NS));
	ASSERT_EQ(0, pthread_create(&thread, NULL, want_more, &self->q));
	EXPECT_EQ(1, woken(&s));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, ioevq_post(&self->q, i, 0, 0));
	ASSERT_EQ(0, pthread_join(thread, &failed));
	EXPECT_EQ(NULL, failed);
}

/* No slot, no event, by whatever way; with a slot all ways. */
TEST_F(concurrency, law_07_no_way_around)
{
	struct ioevq_event ev[2];
	int i;

	ASSERT_EQ(0, ioevq_set_concurrency(&self->q, 1));
	ASSERT_TRUE(start(self, 1));
	ASSERT_TRUE(post_jobs(self, job_spin, 0, 1));
	ASSERT_TRUE(eventually(is_set(&self->job[0].started)));
	for (i = 1; i <= 6; i++)
		ASSERT_EQ(0, ioevq_post(&self->q, i, 0, 0));
	EXPECT_EQ(0, ioevq_take(&self->q, ev));
	EXPECT_EQ(0, ioevq_wait(&self->q, ev, 1, 2, 0));
	EXPECT_EQ(0, ioevq_wait(&self->q, ev, 0, 2, 0));
	EXPECT_EQ(0, ioevq_wait(&self->q, ev, 1, 2, 1000000));
	EXPECT_EQ(0, ioevq_wait_batch(&self->q, ev, 2, 2, 1000000, 1));
	EXPECT_EQ(0, enter_wait(&self->q, NULL, 1, 0, 1000000));
	EXPECT_EQ(6, query(&self->q).available);
	/* Who has come and gone runs, though: too many to let anyone go. */
	EXPECT_EQ(2, query(&self->q).runnable);
	ASSERT_EQ(0, ioevq_set_concurrency(&self->q, 2));
	EXPECT_EQ(1, ioevq_take(&self->q, ev));
	EXPECT_EQ(1, ev[0].user_data);
	EXPECT_EQ(2, ioevq_wait(&self->q, ev, 1, 2, 0));
	EXPECT_EQ(2, ev[0].user_data);
	EXPECT_EQ(3, ev[1].user_data);
	EXPECT_EQ(3, enter_wait(&self->q, NULL, 1, 0, 0));
	EXPECT_EQ(2, ioevq_wait_batch(&self->q, ev, 2, 2, -1, 1000000));
	EXPECT_EQ(1, ioevq_wait(&self->q, ev, 1, 2, BOUND_NS));
	EXPECT_EQ(6, ev[0].user_data);
}

TEST_HARNESS_MAIN

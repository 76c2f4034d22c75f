// SPDX-License-Identifier: MIT
/* The pools of threads that pool.c compares. */
#define _GNU_SOURCE
#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The pool of this library. */

static struct ioevq queue;
static struct ioevq_pool *ioevq_pool;

static void do_work(struct ioevq_work *work, const struct ioevq_event *ev)
{
	(void)ev;
	do_job((struct job *)work);
}

static void ioevq_start(unsigned int threads)
{
	struct ioevq_pool_options options = { .max_threads = threads };
	int ret = ioevq_open(&queue, 0, 0);

	if (ret)
		die("/dev/ioevq", -ret);
	ret = ioevq_pool_start(&ioevq_pool, &queue, &options);
	if (ret)
		die("start the pool", -ret);
}

static void ioevq_submit_job(struct job *job)
{
	int ret;

	job->work.fn = do_work;
	ret = ioevq_pool_submit(ioevq_pool, &job->work);
	if (ret)
		die("submit", -ret);
}

static void ioevq_stop(void)
{
	int ret = ioevq_pool_stop(ioevq_pool);

	if (ret)
		die("stop", -ret);
	ioevq_close(&queue);
}

/* What the other pools have in common: threads, and a list. */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct job *first, **last = &first;
static pthread_t thread[MAX_THREADS];
static unsigned int nr_threads;

static void start_threads(unsigned int n, void *(*body)(void *arg))
{
	for (nr_threads = 0; nr_threads < n; nr_threads++) {
		int err = pthread_create(&thread[nr_threads], NULL, body, NULL);

		if (err)
			die("pthread_create", err);
	}
}

static void join_threads(void)
{
	while (nr_threads)
		pthread_join(thread[--nr_threads], NULL);
}

static void append(struct job *job)
{
	job->next = NULL;
	*last = job;
	last = &job->next;
}

static struct job *take_first(void)
{
	struct job *job = first;

	if (job) {
		first = job->next;
		if (!first)
			last = &first;
	}
	return job;
}

/* Mutex and condition variable. */

static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static bool stopping;

static void *plain_body(void *arg)
{
	struct job *job;

	for (;;) {
		pthread_mutex_lock(&lock);
		while (!(job = take_first()) && !stopping)
			pthread_cond_wait(&more, &lock);
		pthread_mutex_unlock(&lock);
		if (!job)
			return arg;
		do_job(job);
	}
}

static void plain_start(unsigned int n)
{
	stopping = false;
	start_threads(n, plain_body);
}

static void plain_submit(struct job *job)
{
	pthread_mutex_lock(&lock);
	append(job);
	pthread_mutex_unlock(&lock);
	pthread_cond_signal(&more);
}

static void plain_stop(void)
{
	pthread_mutex_lock(&lock);
	stopping = true;
	pthread_mutex_unlock(&lock);
	pthread_cond_broadcast(&more);
	join_threads();
}

/* Eventfd and epoll. */

static int semaphore;

static void *epoll_body(void *arg)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int ep = epoll_create1(EPOLL_CLOEXEC);
	struct job *job;
	eventfd_t n;

	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, semaphore, &ev))
		die("epoll", errno);
	for (;;) {
		while (eventfd_read(semaphore, &n))
			epoll_wait(ep, &ev, 1, -1);
		pthread_mutex_lock(&lock);
		job = take_first();
		pthread_mutex_unlock(&lock);
		if (!job)
			break;
		do_job(job);
	}
	close(ep);
	return arg;
}

static void epoll_start(unsigned int n)
{
	semaphore = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
	if (semaphore < 0)
		die("eventfd", errno);
	start_threads(n, epoll_body);
}

static void epoll_submit(struct job *job)
{
	pthread_mutex_lock(&lock);
	append(job);
	pthread_mutex_unlock(&lock);
	eventfd_write(semaphore, 1);
}

static void epoll_stop(void)
{
	unsigned int i;

	/* Each time one is woken. */
	for (i = 0; i < nr_threads; i++)
		eventfd_write(semaphore, 1);
	join_threads();
	close(semaphore);
}

struct pool pools[NR_POOLS] = {
	[IOEVQ] = { "ioevq", ioevq_start, ioevq_submit_job, ioevq_stop, 0 },
	[PLAIN] = { "plain", plain_start, plain_submit, plain_stop, 0 },
	[EPOLL] = { "epoll", epoll_start, epoll_submit, epoll_stop, 0 },
	[FEW] = { "few", plain_start, plain_submit, plain_stop, 0 },
};

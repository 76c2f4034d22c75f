// SPDX-License-Identifier: MIT
/*
 * libioevq: the pool of threads.
 *
 * Who runs is up to the kernel. It lets a sleeping worker go when there is an event and
 * fewer than the concurrency value run: when the others are blocked, or have no event.
 * All that is left to do here is to have one worker asleep in the queue, always:
 *
 *	asleep  a worker counts from when it is about to wait, or about to be started,
 *		until it has returned with an event. Who counts it down to 0 was the
 *		last, and starts another before it calls anything that may block.
 *
 * Two that return at the same time cannot both be the last, nor none of them. Who finds
 * that another counts, while that one is on its way out by idleness, is safe as well:
 * an idle worker that was the last to count stays.
 */
#include <ioevq_pool.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#define EXPORT __attribute__((visibility("default")))

#define DEFAULT_MAX_THREADS	256
#define DEFAULT_IDLE_NS		(10 * 1000000000LL)

struct ioevq_pool {
	struct ioevq q;
	uint32_t min_threads;
	uint32_t max_threads;
	int64_t idle_ns;
	uint32_t old_concurrency;	/* the queue's, to be set again */
	uint32_t asleep;		/* atomic; see above */
	uint32_t threads;		/* lock to change; atomic */
	uint32_t most_threads;		/* lock, as all below */
	int32_t error;
	uint64_t started;
	uint64_t ended;
	uint64_t not_started;
	pthread_t last_ended;		/* to be joined by the next one that ends, or by stop */
	pthread_mutex_t lock;		/* for a moment; when threads come or go */
	pthread_cond_t empty;		/* no thread is left */
};

/* That the thread is a worker of. */
static __thread struct ioevq_pool *my_pool;

static void *work(void *arg);

static uint32_t get(const uint32_t *n)
{
	return __atomic_load_n(n, __ATOMIC_SEQ_CST);
}

static uint32_t add(uint32_t *n, int i)
{
	return __atomic_add_fetch(n, i, __ATOMIC_SEQ_CST);
}

/* A callback may have unblocked signals: it is not enough that workers block them. */
static int create_thread(struct ioevq_pool *pool)
{
	pthread_t thread;
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	/* It knows its name, and leaves it to who joins it. */
	err = pthread_create(&thread, NULL, work, pool);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}

/* Start a worker if there may be one more; a @spare one only if none is asleep. */
static int add_worker(struct ioevq_pool *pool, bool spare)
{
	uint32_t threads;
	int err;

	pthread_mutex_lock(&pool->lock);
	if (pool->threads >= pool->max_threads || (spare && get(&pool->asleep))) {
		pthread_mutex_unlock(&pool->lock);
		return 0;
	}
	/* It counts, so that nobody else starts one for the same reason. */
	threads = add(&pool->threads, 1);
	add(&pool->asleep, 1);
	pthread_mutex_unlock(&pool->lock);

	err = create_thread(pool);

	pthread_mutex_lock(&pool->lock);
	if (err) {
		add(&pool->threads, -1);
		add(&pool->asleep, -1);
		pool->not_started++;
	} else {
		pool->started++;
		if (threads > pool->most_threads)
			pool->most_threads = threads;
	}
	pthread_mutex_unlock(&pool->lock);
	return err;
}

/*
 * The caller's wait returned @ret, and there is nothing to do: may it end? Who is merely
 * idle (0) stays if it is needed. After true @pool is not there any more.
 */
static bool end(struct ioevq_pool *pool, int ret)
{
	bool last, stays, joins = false;
	pthread_t before;

	pthread_mutex_lock(&pool->lock);
	last = !add(&pool->asleep, -1);
	stays = !ret && (last || pool->threads <= pool->min_threads);
	if (stays) {
		add(&pool->asleep, 1);
	} else {
		joins = pool->ended++;
		before = pool->last_ended;
		pool->last_ended = pthread_self();
		if (ret < 0)
			pool->error = ret;
		if (!add(&pool->threads, -1))
			pthread_cond_signal(&pool->empty);
	}
	pthread_mutex_unlock(&pool->lock);
	/* So that whoever joins the last one knows that all have ended. */
	if (joins)
		pthread_join(before, NULL);
	return !stays;
}

/* How long to wait: who will not be allowed to end need not ask. */
static int64_t patience(const struct ioevq_pool *pool)
{
	return get(&pool->threads) <= pool->min_threads ? IOEVQ_FOREVER : pool->idle_ns;
}

/* A worker. It counts as asleep already. */
static void *work(void *arg)
{
	struct ioevq_pool *pool = arg;
	struct ioevq_event ev;
	struct ioevq_work *w;
	int ret;

	my_pool = pool;
	for (;;) {
		ret = ioevq_wait(&pool->q, &ev, 1, 1, patience(pool));
		if (ret == -EINTR)
			continue;
		if (ret != 1 || ev.flags & IOEVQ_EVENT_ALERT) {
			if (end(pool, ret))
				return NULL;
			continue;
		}
		/* Whether there may be one more is known under the lock alone: one may end. */
		if (!add(&pool->asleep, -1))
			add_worker(pool, true);
		w = (struct ioevq_work *)(uintptr_t)ev.user_data;
		if (w)
			w->fn(w, &ev);
		add(&pool->asleep, 1);
	}
}

static int take_options(struct ioevq_pool *pool, const struct ioevq_pool_options *o)
{
	static const struct ioevq_pool_options none;

	if (!o)
		o = &none;
	pool->min_threads = o->min_threads ? o->min_threads : 1;
	pool->max_threads = o->max_threads;
	if (!pool->max_threads)
		pool->max_threads = pool->min_threads > DEFAULT_MAX_THREADS ? pool->min_threads :
									      DEFAULT_MAX_THREADS;
	pool->idle_ns = o->idle_ns ? o->idle_ns : DEFAULT_IDLE_NS;
	if (o->reserved || pool->min_threads > pool->max_threads || pool->idle_ns < IOEVQ_FOREVER)
		return -EINVAL;
	return 0;
}

static int set_concurrency(struct ioevq_pool *pool, uint32_t concurrency)
{
	struct ioevq_info info = { .op = IOEVQ_OP_NOP };
	int ret = ioevq_info(&pool->q, &info);

	pool->old_concurrency = info.concurrency;
	return ret ? ret : ioevq_set_concurrency(&pool->q, concurrency);
}

static void free_pool(struct ioevq_pool *pool)
{
	pthread_cond_destroy(&pool->empty);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

/* One is enough. */
static int start_workers(struct ioevq_pool *pool)
{
	uint32_t i;
	int err;

	for (i = 0; i < pool->min_threads; i++) {
		err = add_worker(pool, false);
		if (err)
			return i ? 0 : err;
	}
	return 0;
}

EXPORT int ioevq_pool_start(struct ioevq_pool **pool, const struct ioevq *q,
			    const struct ioevq_pool_options *options)
{
	struct ioevq_pool *p = calloc(1, sizeof(*p));
	int ret;

	if (!p)
		return -ENOMEM;
	p->q = *q;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->empty, NULL);
	ret = take_options(p, options);
	if (!ret)
		ret = set_concurrency(p, options ? options->concurrency : 0);
	if (ret)
		goto fail;
	/* Before the first callback, which may use it. */
	*pool = p;
	ret = start_workers(p);
	if (!ret)
		return 0;
	*pool = NULL;
	ioevq_set_concurrency(&p->q, p->old_concurrency);
fail:
	free_pool(p);
	return ret;
}

EXPORT int ioevq_pool_submit(struct ioevq_pool *pool, struct ioevq_work *work)
{
	return ioevq_post(&pool->q, ioevq_work_data(work), 0, 0);
}

EXPORT int ioevq_pool_stop(struct ioevq_pool *pool)
{
	int ret;

	if (my_pool == pool)
		return -EDEADLK;
	ret = ioevq_alert(&pool->q, 0);
	if (ret)
		return ret;
	pthread_mutex_lock(&pool->lock);
	while (pool->threads)
		pthread_cond_wait(&pool->empty, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
	pthread_join(pool->last_ended, NULL);
	ioevq_clear_alert(&pool->q);
	ioevq_set_concurrency(&pool->q, pool->old_concurrency);
	free_pool(pool);
	return 0;
}

EXPORT void ioevq_pool_stats(struct ioevq_pool *pool, struct ioevq_pool_stats *stats)
{
	pthread_mutex_lock(&pool->lock);
	stats->threads = pool->threads;
	stats->asleep = get(&pool->asleep);
	stats->most_threads = pool->most_threads;
	stats->error = pool->error;
	stats->started = pool->started;
	stats->ended = pool->ended;
	stats->not_started = pool->not_started;
	pthread_mutex_unlock(&pool->lock);
}

/* SPDX-License-Identifier: MIT */
/*
 * ioevq_pool - a pool of threads that handle the events of a queue.
 *
 * The user data of a request is the address of a struct ioevq_work, which is embedded
 * in whatever the request is about. Each event calls its function, in a worker thread:
 * a readable socket, a file that was read, a child that ended, a message, or a job that
 * was handed to ioevq_pool_submit().
 *
 * The queue's concurrency value decides how many callbacks run at once, see
 * IOEVQ_CONTROL_CONCURRENCY: another event is handed out when a callback returns, or
 * when it blocks in the kernel, wherever that is (a read, a lock, a page fault), and not
 * because time has passed. So CPUs are neither idle while there is work, nor fought for.
 * To have somebody to hand it to, the pool sees to it that one worker sleeps in the
 * queue: who is the last to be let go first starts another. Hence there are as many
 * threads as have been at work or blocked at once, and one, and never more because work
 * waits for a CPU. (A worker can block in starting a thread, too; then for a moment one
 * more may run.)
 *
 * This is the one part of libioevq that allocates memory, starts threads and takes locks
 * (none is held while a callback runs or a worker waits). Workers block all signals.
 * After fork(2) the child has no workers: it must not use the pool in any way.
 */
#ifndef IOEVQ_POOL_H
#define IOEVQ_POOL_H

#include <ioevq.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What is to be done about an event. @fn runs in a worker. Its memory is the caller's,
 * and must be there until the last event of all requests that name it; @fn itself may
 * free it then.
 *
 * Two events that name the same work may be handled at the same time by two workers. A
 * watch with IOEVQ_POLL_EDGE can have that, one with IOEVQ_POLL_ONESHOT cannot.
 *
 * A callback may do anything but end its thread, leave by longjmp() or an exception, or
 * let a signal handler do so. If it waits on another queue its thread is not counted here
 * until it has returned.
 */
struct ioevq_work {
	void (*fn)(struct ioevq_work *work, const struct ioevq_event *ev);
};

/*
 * ioevq_work_data - the user data that names a work
 *
 * An event whose user data is 0 is taken and calls nothing. Any other that is no
 * address of a work is the program's end.
 */
static inline uint64_t ioevq_work_data(const struct ioevq_work *work)
{
	return (uintptr_t)work;
}

/*
 * Options; in each of them 0 asks for the default.
 * @concurrency: how many callbacks run at once if none blocks. 0 = as many as there are
 *	CPUs online now. IOEVQ_UNLIMITED: each event has a thread at once, up to
 *	@max_threads.
 * @min_threads: started at the beginning, and not ended for idleness. 0 = 1.
 * @max_threads: as many workers as there may be. 0 = 256, or @min_threads if that is more.
 *	While all of them are blocked events wait.
 * @idle_ns: in nanoseconds, IOEVQ_FOREVER: a worker that nothing was handed to for so
 *	long ends, unless no more than @min_threads exist, or no other one sleeps. It is
 *	the one that was at work last that is let go first, so that those that are not
 *	needed grow old. 0 = 10 seconds. A pool of @min_threads does not wake up for this.
 * @reserved: must be 0
 */
struct ioevq_pool_options {
	uint32_t concurrency;
	uint32_t min_threads;
	uint32_t max_threads;
	uint32_t reserved;
	int64_t idle_ns;
};

/*
 * State of a pool.
 * @threads: workers that exist
 * @asleep: of these, how many wait for an event, or are on their way there
 * @most_threads: as many as there were at once so far
 * @error: a negative errno if a worker could not wait and therefore ended, see
 *	ioevq_pool_start(); of the last such worker
 * @started: workers started so far
 * @ended: of these, how many have ended
 * @not_started: how many times pthread_create(3) failed
 */
struct ioevq_pool_stats {
	uint32_t threads;
	uint32_t asleep;
	uint32_t most_threads;
	int32_t error;
	uint64_t started;
	uint64_t ended;
	uint64_t not_started;
};

/* A pool */
struct ioevq_pool;

/*
 * ioevq_pool_start - handle the events of a queue by a pool of threads
 * @pool: set on success
 * @q: a queue, which from now on nobody else takes from. It is copied, and must stay
 *	open until ioevq_pool_stop(). Its concurrency value is set, until then. A thread
 *	that has waited on it before, when it had such a value, counts like a worker,
 *	unless it waits on another queue.
 * @options: NULL = all by default
 *
 * Once one worker exists a thread that cannot be started is no error: events wait for
 * those that exist, and another is tried for when the next event is handed out while no
 * worker sleeps.
 *
 * Workers also end, all of them, when the queue is alerted by anyone else: after
 * ioevq_alert(), which a signal handler may call, no callback begins. What is left to do
 * is ioevq_pool_stop(). The alert must not be cleared before.
 *
 * A worker ends if it cannot wait: -ENOMEM (a new one; it is the same as one that could
 * not be started), -EBADFD (the mapped ring was overwritten; all of them end).
 *
 * Returns 0, -EINVAL (options: @reserved, @idle_ns, or @min_threads more than
 * @max_threads), -ENOMEM, -EAGAIN (no thread), or what ioevq_set_concurrency() returns.
 */
int ioevq_pool_start(struct ioevq_pool **pool, const struct ioevq *q,
		     const struct ioevq_pool_options *options);

/*
 * ioevq_pool_submit - have a worker call a function
 * @work: its function is called once, with an event of IOEVQ_OP_POST, result and data 0.
 *	May be submitted again before that, and is then called as often.
 *
 * Any thread may call it, workers as well, and a signal handler. Jobs begin in the order
 * in which they were submitted. Returns 0, or -EAGAIN, -EDQUOT (too many wait), -ENOMEM,
 * -EPERM, -EBADF as ioevq_post().
 */
int ioevq_pool_submit(struct ioevq_pool *pool, struct ioevq_work *work);

/*
 * ioevq_pool_stop - end all workers, and free the pool
 *
 * No callback begins any more, and those that run are waited for. Events that no callback
 * was called for, and requests, stay in the queue, which gets back the concurrency value
 * that it had, and may be taken from and have a pool again.
 *
 * While it waits other threads may still use the pool, and must not when it has returned.
 * Returns 0, -EDEADLK (the caller is a worker of this pool), or what ioevq_alert()
 * returns; on failure the pool goes on.
 */
int ioevq_pool_stop(struct ioevq_pool *pool);

/* ioevq_pool_stats - fill @stats; any thread may ask */
void ioevq_pool_stats(struct ioevq_pool *pool, struct ioevq_pool_stats *stats);

#ifdef __cplusplus
}
#endif

#endif /* IOEVQ_POOL_H */

/* SPDX-License-Identifier: MIT */
/*
 * libioevq-aio: <aio.h> over /dev/ioevq.
 *
 * A process has one queue, made by the first operation, and what it knows of operations
 * under way is under one lock. Who holds the lock has all signals blocked, so that no
 * signal handler can find it held by its own thread: aio_error(3), aio_return(3) and
 * aio_suspend(3) may be called by handlers.
 *
 * Events are taken under the lock only, by whoever comes: a waiter, a poll by aio_error(3),
 * or the helper, a thread that is there while somebody is to be notified or something is
 * to be done after something else. So what was taken is always accounted for when the lock
 * is free. At most one thread sleeps in the queue, w->sleeper; others sleep on w->changes.
 *
 * All state is in memory that a child does not get: it starts anew.
 */
#ifndef IOEVQ_AIO_FACADE_H
#define IOEVQ_AIO_FACADE_H

#include <aio.h>
#include <ioevq.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ioevq-aio.h"

#define EXPORT __attribute__((visibility("default")))

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define NSEC_PER_SEC	1000000000LL

/* Without the one (33) by which a change of identity is made known to each thread, who answers. */
#define ALL_SIGNALS	(~(1ULL << (33 - 1)))
#define FOREVER		(-1LL)

/* User data of events that are of no operation: pointers are larger. */
#define KICK		1
#define FENCE		2

enum request_state {
	HELD,		/* waits for others of its file */
	QUEUED,		/* the queue has it */
	POLLING		/* the queue tells when to go on: see stream.c */
};

/* The kinds of which one waits for another, on one descriptor */
enum serial {
	SERIAL_READ,
	SERIAL_WRITE,
	SERIAL_KINDS,
	NOT_SERIAL = SERIAL_KINDS
};

/*
 * An operation under way; or a list of them, see list.c. Copies of what the control block
 * says: it is written to once more, when the operation has ended, and never read.
 */
struct request {
	struct request *next, *prev;	/* of its descriptor, in the order of the calls */
	struct request *link;		/* of one of the lists of struct world */
	struct record *rec;		/* NULL: a list */
	struct aiocb *cb;
	struct request *list;		/* that it is on, or NULL */
	struct sigevent ev;
	uint64_t seq;			/* the order of the calls */
	enum request_state state;
	enum serial serial;
	int op;				/* IOEVQ_OP_... */
	int fd;
	int datasync;
	char *buf;
	size_t len, done;
	int64_t off;
	int64_t res;			/* when it has ended: bytes or a negative errno */
	/* Of a list: */
	unsigned int left;		/* operations that have not ended */
	bool failed;
	bool awaited;			/* by a thread that frees it */
};

/* A descriptor with operations under way */
struct record {
	struct record *next;
	struct request *first, *last;
	struct request *running[SERIAL_KINDS];
	int fd;
	bool known;			/* these two are: see sync.c */
	dev_t dev;
	ino_t ino;
};

struct pool {
	void *free;
};

#define RECORD_HASH	64

struct world {
	int lock;			/* futex: 0, 1 (held), 2 (held, and others sleep) */
	int changes;			/* futex: counts */
	bool has_sleepers;		/* on changes */
	pid_t sleeper;			/* thread in the queue, or 0 */
	pid_t helper;			/* a thread; -1: it is on its way */
	pid_t pid;			/* 0: the queue is not there yet */
	bool kicked;			/* there is a KICK in the queue */
	bool news;			/* something has ended: see tell() */
	struct ioevq q;
	uint64_t seq;
	unsigned int outstanding;
	unsigned int cancelled;		/* counts */
	struct request *ready;		/* may be started now */
	struct request **ready_end;
	struct request *fsyncs;		/* held */
	struct request *todo;		/* notifications that are the helper's */
	struct request **todo_end;
	bool wants_helper;		/* something goes on without the program */
	struct record *records[RECORD_HASH];
	struct pool requests, record_pool;
};

/* world.c: the process's state, and its lock */
struct world *world_get(void);		/* NULL: errno, or use_libc is set */
struct world *world_peek(void);		/* NULL: no operation was ever started here */
uint64_t world_lock(struct world *w);	/* the signals that were blocked before */
bool world_trylock(struct world *w, uint64_t *mask);
void world_unlock(struct world *w, uint64_t mask);
void signals_restore(uint64_t mask);
void *pool_get(struct pool *pool, size_t size);
void pool_put(struct pool *pool, void *p);
extern bool use_libc;

/* sys.c: system calls that keep errno, and return its negative */
long sys_result(long ret, int saved_errno);
#define sys(...)							\
({									\
	int __saved = errno;						\
									\
	sys_result(syscall(__VA_ARGS__), __saved);			\
})
int queue_enter(const struct world *w, struct ioevq_enter *enter);
int queue_submit(const struct world *w, const struct ioevq_req *reqs, unsigned int nr,
		 unsigned int *accepted);
int futex_wait(int *futex, int value, long long timeout_ns);
void futex_wake(int *futex, int nr);
long long clock_now(void);

/* status.c: what a control block says of its operation */
void status_begin(struct aiocb *cb);
void status_end(struct aiocb *cb, int64_t res);
bool status_in_progress(const struct aiocb *cb);

/* request.c: operations under way. The lock is held in all that follows. */
struct request *request_new(struct world *w, struct aiocb *cb, int op, int *err);
void request_hold(struct world *w, struct request *r);
void request_finish(struct world *w, struct request *r, int64_t res);
void request_drop(struct world *w, struct request *r);
struct record *record_find(struct world *w, int fd);
bool request_must_wait(struct world *w, struct request *r);
void request_prepare(const struct request *r, struct ioevq_req *req);

/* start.c: give them to the queue */
int request_refused(struct world *w, struct request *r, int err);
int request_start(struct world *w, struct request *r);
void start_ready(struct world *w);
void ready_add(struct world *w, struct request *r);

/* sync.c: fsync after what was before it */
bool sync_must_wait(struct world *w, struct request *r);
void sync_recheck(struct world *w);

/* stream.c: files that have no offset */
int stream_start(struct world *w, struct request *r);
void stream_ready(struct world *w, struct request *r, const struct ioevq_event *ev);

/* reap.c: take events, and wait for them */
void reap(struct world *w);
bool has_events(const struct world *w);
void wake_sleepers(struct world *w);
void tell(struct world *w);

/* wait.c */
int sleep_once(struct world *w, long long deadline, uint64_t mask);
int wait_until(struct world *w, bool (*is_done)(void *arg), void *arg, long long deadline);

/* notify.c, helper.c */
void notify(struct world *w, struct request *r);
bool needs_helper(const struct sigevent *ev);
int post_event(const struct request *r);
void todo_add(struct world *w, struct request *r);
int helper_need(struct world *w);

/* list.c */
void list_one_less(struct world *w, struct request *list, bool failed);

/* libc.c: the C library's own, where there is no queue; absent from the archive */
struct libc_calls {
	int (*read)(struct aiocb *cb);
	int (*write)(struct aiocb *cb);
	int (*fsync)(int op, struct aiocb *cb);
	int (*error)(const struct aiocb *cb);
	ssize_t (*ret)(struct aiocb *cb);
	int (*suspend)(const struct aiocb *const list[], int nent,
		       const struct timespec *timeout);
	int (*cancel)(int fd, struct aiocb *cb);
	int (*listio)(int mode, struct aiocb *const list[], int nent, struct sigevent *ev);
	void (*init)(const struct aioinit *advice);
};

extern struct libc_calls libc;
#pragma weak libc_find
int libc_find(void);

#endif

// SPDX-License-Identifier: MIT
/*
 * Room for more events than the stack has: what is ready must come from one look at the
 * files, however much it is. Each thread has a mapping of its own, made when it is needed,
 * and kept until it ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "facade.h"

/* Of the first: memory that is not written to costs nothing. */
#define ROOM		1024

/*
 * The C library has room for the values of so many keys in each thread; for others it
 * allocates, which must not happen in a signal handler.
 */
#define KEYS		32

/* @busy: in use, by the call that a signal handler has interrupted; or that was left for good */
struct buffer {
	struct ioevq_event *events;
	size_t room;
	bool busy;
};

/* There from the begin: a signal handler may be the first who wants it. */
static __thread struct buffer own __attribute__((tls_model("initial-exec")));

static pthread_key_t key;
static bool has_key;

static void unmap(struct buffer *b)
{
	if (b->room)
		munmap(b->events, b->room * sizeof(*b->events));
	b->room = 0;
}

/* A thread ends. Others who are called for that may come back to us, or signals. */
static void end(void *arg)
{
	struct buffer *b = arg;

	__atomic_store_n(&b->busy, true, __ATOMIC_SEQ_CST);
	unmap(b);
	__atomic_store_n(&b->busy, false, __ATOMIC_SEQ_CST);
}

__attribute__((constructor))
static void make_key(void)
{
	has_key = !pthread_key_create(&key, end) && key < KEYS;
}

static bool grow(struct buffer *b, size_t max)
{
	size_t room = ROOM, size;
	int saved = errno;
	void *p;

	while (room < max)
		room *= 2;
	if (__builtin_mul_overflow(room, sizeof(*b->events), &size))
		return false;
	if (!has_key || pthread_setspecific(key, b))
		return false;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED) {
		errno = saved;
		return false;
	}
	unmap(b);
	b->events = p;
	b->room = room;
	return true;
}

struct ioevq_event *facade_borrow(size_t max)
{
	struct buffer *b = &own;

	if (__atomic_exchange_n(&b->busy, true, __ATOMIC_SEQ_CST))
		return NULL;
	if (b->room >= max || grow(b, max))
		return b->events;
	facade_give_back();
	return NULL;
}

void facade_give_back(void)
{
	__atomic_store_n(&own.busy, false, __ATOMIC_SEQ_CST);
}

// SPDX-License-Identifier: MIT
/*
 * What a control block says of its operation: aio_error(3) and aio_return(3).
 *
 * One word of it, which the C library has for itself, is the mark: of an operation under
 * way, of one that has ended, or anything else. It depends on the address, as a copy is no
 * control block of an operation, and while under way on the process, as a child has no
 * part in it. To set the mark is the last that is done to a control block: its owner may
 * free it then.
 */
#define _GNU_SOURCE
#include <errno.h>

#include "facade.h"

#define BUSY		0x696f657671616900ULL
#define DONE		0x646f6e6571616900ULL

static uint64_t mark_of(const struct aiocb *cb)
{
	return (uintptr_t)__atomic_load_n(&cb->__next_prio, __ATOMIC_ACQUIRE);
}

static void mark_set(struct aiocb *cb, uint64_t mark)
{
	__atomic_store_n(&cb->__next_prio, (struct aiocb *)(uintptr_t)mark, __ATOMIC_RELEASE);
}

static uint64_t done_mark(const struct aiocb *cb)
{
	return DONE ^ (uintptr_t)cb;
}

static uint64_t busy_mark(const struct aiocb *cb, const struct world *w)
{
	return BUSY ^ (uintptr_t)cb ^ (uint64_t)w->pid << 32;
}

void status_begin(struct aiocb *cb)
{
	struct world *w = world_peek();

	cb->__error_code = EINPROGRESS;
	cb->__return_value = -1;
	mark_set(cb, busy_mark(cb, w));
}

void status_end(struct aiocb *cb, int64_t res)
{
	cb->__error_code = res < 0 ? (int)-res : 0;
	cb->__return_value = res < 0 ? -1 : res;
	mark_set(cb, done_mark(cb));
}

bool status_in_progress(const struct aiocb *cb)
{
	struct world *w = world_peek();

	return w && mark_of(cb) == busy_mark(cb, w);
}

/* Who polls need not wait for anybody else to come. */
static void look(void)
{
	struct world *w = world_peek();
	uint64_t mask;

	if (!has_events(w) || !world_trylock(w, &mask))
		return;
	reap(w);
	world_unlock(w, mask);
}

EXPORT int aio_error(const struct aiocb *cb)
{
	int error = EINPROGRESS;

	if (use_libc)
		return libc.error(cb);
	if (status_in_progress(cb)) {
		look();
		if (status_in_progress(cb))
			return error;
	}
	if (mark_of(cb) == done_mark(cb))
		return cb->__error_code;
	errno = EINVAL;
	return -1;
}

/* Once: the mark is taken away. */
EXPORT ssize_t aio_return(struct aiocb *cb)
{
	struct aiocb *mark = (struct aiocb *)(uintptr_t)done_mark(cb);

	if (use_libc)
		return libc.ret(cb);
	if (__atomic_compare_exchange_n(&cb->__next_prio, &mark, NULL, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE)) {
		if (cb->__return_value < 0)
			errno = cb->__error_code;
		return cb->__return_value;
	}
	/* Too early: the C library does not set errno either, and it is told to ask first. */
	if (!status_in_progress(cb))
		errno = EINVAL;
	return -1;
}

EXPORT int aio_error64(const struct aiocb64 *cb)
{
	return aio_error((const struct aiocb *)cb);
}

EXPORT ssize_t aio_return64(struct aiocb64 *cb)
{
	return aio_return((struct aiocb *)cb);
}

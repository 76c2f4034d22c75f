// SPDX-License-Identifier: MIT
/* aio_cancel(3): end what has not begun. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>

#include "facade.h"

#define BATCH		64

/*
 * What waits for others is ours to end. From the last to the first: the end of one lets a
 * later one begin.
 */
static void cancel_held(struct world *w, struct record *rec, const struct aiocb *cb)
{
	struct request *r, *prev;

	for (r = rec->last; r; r = prev) {
		prev = r->prev;
		/* The last one of a record takes it along. */
		if (r->state == HELD && (!cb || r->cb == cb))
			request_finish(w, r, -ECANCELED);
	}
}

static void cancel_batch(struct world *w, const struct ioevq_req *reqs, unsigned int nr)
{
	unsigned int done = 0, accepted;

	/* One that finds nothing was late. Where no more may wait, the others do not matter. */
	while (done < nr) {
		int err = queue_submit(w, reqs + done, nr - done, &accepted);

		done += accepted;
		if (err == -EAGAIN || err == -EDQUOT || err == -ENOMEM)
			return;
		if (done < nr)
			done++;
	}
}

static void cancel_queued(struct world *w, struct record *rec, const struct aiocb *cb)
{
	struct ioevq_req reqs[BATCH];
	struct request *r;
	unsigned int nr = 0;

	for (r = rec->last; r; r = r->prev) {
		if (r->state == HELD || (cb && r->cb != cb))
			continue;
		ioevq_prep_cancel(&reqs[nr], IOEVQ_CANCEL_USER_DATA, (uintptr_t)r, -1, 0, FENCE);
		reqs[nr].flags = IOEVQ_REQ_SKIP_SUCCESS;
		if (++nr == BATCH) {
			cancel_batch(w, reqs, nr);
			nr = 0;
		}
	}
	cancel_batch(w, reqs, nr);
}

static bool has_any(struct world *w, int fd, const struct aiocb *cb)
{
	struct record *rec = record_find(w, fd);
	struct request *r = rec ? rec->first : NULL;

	while (r && cb && r->cb != cb)
		r = r->next;
	return r;
}

static int cancel(struct world *w, int fd, const struct aiocb *cb)
{
	struct record *rec;
	unsigned int before;

	/* What has ended is not to be cancelled. */
	reap(w);
	rec = record_find(w, fd);
	if (!has_any(w, fd, cb))
		return AIO_ALLDONE;
	before = w->cancelled;
	cancel_held(w, rec, cb);
	rec = record_find(w, fd);
	if (rec)
		cancel_queued(w, rec, cb);
	reap(w);
	if (has_any(w, fd, cb))
		return AIO_NOTCANCELED;
	return w->cancelled == before ? AIO_ALLDONE : AIO_CANCELED;
}

EXPORT int aio_cancel(int fd, struct aiocb *cb)
{
	struct world *w = world_peek();
	uint64_t mask;
	int ret;

	if (use_libc)
		return libc.cancel(fd, cb);
	if (fcntl(fd, F_GETFL) < 0)
		return -1;
	if (cb && cb->aio_fildes != fd) {
		errno = EINVAL;
		return -1;
	}
	if (!w)
		return AIO_ALLDONE;
	mask = world_lock(w);
	ret = cancel(w, fd, cb);
	tell(w);
	world_unlock(w, mask);
	return ret;
}

EXPORT int aio_cancel64(int fd, struct aiocb64 *cb)
{
	return aio_cancel(fd, (struct aiocb *)cb);
}

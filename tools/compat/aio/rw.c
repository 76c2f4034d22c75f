// SPDX-License-Identifier: MIT
/* aio_read(3), aio_write(3), aio_fsync(3): begin an operation. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "facade.h"

/* Nobody may ever ask for their ends: more than so many are looked after by the next. */
#define MANY		64

static int begin(struct world *w, struct aiocb *cb, int op, bool datasync)
{
	struct request *r;
	int err = 0;

	/* What has ended need not be waited for. */
	if (op == IOEVQ_OP_FSYNC || w->outstanding >= MANY)
		reap(w);
	if (needs_helper(&cb->aio_sigevent))
		err = helper_need(w);
	if (err)
		return err;
	r = request_new(w, cb, op, &err);
	if (!r)
		return err;
	r->datasync = datasync;
	err = request_start(w, r);
	if (err == -EAGAIN && has_events(w)) {
		reap(w);
		err = request_start(w, r);
	}
	if (err)
		request_drop(w, r);
	start_ready(w);
	/* Without one it goes on when the program looks for it. */
	if (w->wants_helper)
		helper_need(w);
	tell(w);
	return err;
}

static int begin_locked(struct world *w, struct aiocb *cb, int op, bool datasync)
{
	uint64_t mask = world_lock(w);
	int err = begin(w, cb, op, datasync);

	world_unlock(w, mask);
	if (!err)
		return 0;
	/* What was not begun has an end, too: as with the C library. */
	status_end(cb, err);
	errno = -err;
	return -1;
}

EXPORT int aio_read(struct aiocb *cb)
{
	struct world *w = world_get();

	if (use_libc)
		return libc.read(cb);
	return w ? begin_locked(w, cb, IOEVQ_OP_READ, false) : -1;
}

EXPORT int aio_write(struct aiocb *cb)
{
	struct world *w = world_get();

	if (use_libc)
		return libc.write(cb);
	return w ? begin_locked(w, cb, IOEVQ_OP_WRITE, false) : -1;
}

EXPORT int aio_fsync(int op, struct aiocb *cb)
{
	struct world *w = world_get();

	if (use_libc)
		return libc.fsync(op, cb);
	if (op != O_SYNC && op != O_DSYNC) {
		errno = EINVAL;
		return -1;
	}
	if (!w || fcntl(cb->aio_fildes, F_GETFL) < 0)
		return -1;
	return begin_locked(w, cb, IOEVQ_OP_FSYNC, op == O_DSYNC);
}

/* Its advice is about threads. */
EXPORT void aio_init(const struct aioinit *init)
{
	if (use_libc)
		libc.init(init);
}

EXPORT int aio_read64(struct aiocb64 *cb)
{
	return aio_read((struct aiocb *)cb);
}

EXPORT int aio_write64(struct aiocb64 *cb)
{
	return aio_write((struct aiocb *)cb);
}

EXPORT int aio_fsync64(int op, struct aiocb64 *cb)
{
	return aio_fsync(op, (struct aiocb *)cb);
}

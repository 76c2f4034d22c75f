// SPDX-License-Identifier: MIT
/* lio_listio(3): begin a list of operations, with few system calls. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>

#include "facade.h"

#define BATCH		64

/* @error: what the call says, 0 if all were begun */
struct batch {
	struct request *list;
	struct request *r[BATCH];
	struct ioevq_req reqs[BATCH];
	unsigned int nr;
	int error;
};

/* The last one, be it of the caller, tells who is to be told of the list. */
void list_one_less(struct world *w, struct request *list, bool failed)
{
	list->failed |= failed;
	if (!--list->left)
		notify(w, list);
}

/* It is not under way, for lack of room: it may be called for again. */
static void give_up(struct world *w, struct batch *b, struct request *r)
{
	struct aiocb *cb = r->cb;

	b->list->left--;
	b->error = EAGAIN;
	request_drop(w, r);
	status_end(cb, -EAGAIN);
}

/* An error of its own is its result, and is told as such. */
static void refused(struct world *w, struct batch *b, struct request *r, int err)
{
	err = request_refused(w, r, err);
	if (err == -EAGAIN)
		give_up(w, b, r);
	else if (err)
		request_finish(w, r, err);
}

static void submit(struct world *w, struct batch *b)
{
	unsigned int done = 0, accepted;
	int err;

	while (done < b->nr) {
		err = queue_submit(w, b->reqs + done, b->nr - done, &accepted);
		done += accepted;
		if (!err)
			break;
		/* What has ended makes room. */
		if (err == -EAGAIN && has_events(w)) {
			reap(w);
			continue;
		}
		refused(w, b, b->r[done++], err);
	}
	b->nr = 0;
}

static int op_of(const struct aiocb *cb)
{
	return cb->aio_lio_opcode == LIO_READ ? IOEVQ_OP_READ : IOEVQ_OP_WRITE;
}

static void add(struct world *w, struct batch *b, struct aiocb *cb)
{
	struct request *r = NULL;
	int err = -EINVAL;

	if (cb->aio_lio_opcode == LIO_READ || cb->aio_lio_opcode == LIO_WRITE)
		r = needs_helper(&cb->aio_sigevent) && helper_need(w) ? NULL :
		    request_new(w, cb, op_of(cb), &err);
	if (!r) {
		status_end(cb, err);
		if (!b->error)
			b->error = err == -EAGAIN ? EAGAIN : EIO;
		return;
	}
	r->list = b->list;
	b->list->left++;
	if (request_must_wait(w, r)) {
		request_hold(w, r);
		return;
	}
	r->state = QUEUED;
	b->r[b->nr] = r;
	request_prepare(r, &b->reqs[b->nr]);
	if (++b->nr == BATCH)
		submit(w, b);
}

static void begin_all(struct world *w, struct batch *b, struct aiocb *const list[], int nent)
{
	int i;

	for (i = 0; i < nent; i++)
		if (list[i] && list[i]->aio_lio_opcode != LIO_NOP)
			add(w, b, list[i]);
	submit(w, b);
	start_ready(w);
	if (w->wants_helper)
		helper_need(w);
}

/* The caller's own share is left. */
static bool is_over(void *arg)
{
	const struct request *list = arg;

	return list->left == 1;
}

static struct request *list_new(struct world *w, const struct sigevent *ev)
{
	struct request *list = pool_get(&w->requests, sizeof(*list));

	if (!list)
		return NULL;
	list->ev.sigev_notify = SIGEV_NONE;
	if (ev)
		list->ev = *ev;
	if (needs_helper(&list->ev) && helper_need(w)) {
		pool_put(&w->requests, list);
		return NULL;
	}
	list->left = 1;
	return list;
}

/* 0 or a negative errno; the list is told of unless it is waited for. */
static int run(struct world *w, int mode, struct aiocb *const list[], int nent,
	       const struct sigevent *ev)
{
	uint64_t mask = world_lock(w);
	struct batch b = { .list = list_new(w, ev) };
	int ret = 0, state;

	if (!b.list) {
		world_unlock(w, mask);
		return -EAGAIN;
	}
	begin_all(w, &b, list, nent);
	if (mode == LIO_WAIT) {
		tell(w);
		world_unlock(w, mask);
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
		ret = wait_until(w, is_over, b.list, FOREVER);
		pthread_setcancelstate(state, &state);
		mask = world_lock(w);
		if (!ret && b.list->failed)
			ret = -EIO;
	}
	list_one_less(w, b.list, false);
	tell(w);
	world_unlock(w, mask);
	return ret ? ret : -b.error;
}

EXPORT int lio_listio(int mode, struct aiocb *const list[], int nent, struct sigevent *ev)
{
	struct world *w = world_get();
	int err;

	if (use_libc)
		return libc.listio(mode, list, nent, ev);
	if ((mode != LIO_WAIT && mode != LIO_NOWAIT) || nent < 0) {
		errno = EINVAL;
		return -1;
	}
	if (!w)
		return -1;
	err = run(w, mode, list, nent, mode == LIO_NOWAIT ? ev : NULL);
	if (!err)
		return 0;
	errno = -err;
	return -1;
}

EXPORT int lio_listio64(int mode, struct aiocb64 *const list[], int nent, struct sigevent *ev)
{
	return lio_listio(mode, (struct aiocb *const *)list, nent, ev);
}

// SPDX-License-Identifier: MIT
/*
 * Operations under way, by descriptor and in the order of the calls: what must wait for
 * what, and what follows when one has ended.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "facade.h"

static struct record **bucket(struct world *w, int fd)
{
	return &w->records[(unsigned int)fd % RECORD_HASH];
}

struct record *record_find(struct world *w, int fd)
{
	struct record *rec = *bucket(w, fd);

	while (rec && rec->fd != fd)
		rec = rec->next;
	return rec;
}

static struct record *record_get(struct world *w, int fd)
{
	struct record *rec = record_find(w, fd);

	if (rec)
		return rec;
	rec = pool_get(&w->record_pool, sizeof(*rec));
	if (!rec)
		return NULL;
	rec->fd = fd;
	rec->next = *bucket(w, fd);
	*bucket(w, fd) = rec;
	return rec;
}

static void record_put(struct world *w, struct record *rec)
{
	struct record **p = bucket(w, rec->fd);

	if (rec->first)
		return;
	while (*p != rec)
		p = &(*p)->next;
	*p = rec->next;
	pool_put(&w->record_pool, rec);
}

static void append(struct record *rec, struct request *r)
{
	r->rec = rec;
	r->prev = rec->last;
	if (rec->last)
		rec->last->next = r;
	else
		rec->first = r;
	rec->last = r;
}

static void unlink_request(struct request *r)
{
	struct record *rec = r->rec;

	if (r->prev)
		r->prev->next = r->next;
	else
		rec->first = r->next;
	if (r->next)
		r->next->prev = r->prev;
	else
		rec->last = r->prev;
}

/* What is appended comes in the order of the calls, and the kernel keeps no order. */
static enum serial serial_of(int op, int fd)
{
	long flags;

	if (op != IOEVQ_OP_WRITE)
		return NOT_SERIAL;
	flags = sys(SYS_fcntl, fd, F_GETFL);
	return flags > 0 && flags & O_APPEND ? SERIAL_WRITE : NOT_SERIAL;
}

/* NULL: *@err says why, and the control block is as it was. */
struct request *request_new(struct world *w, struct aiocb *cb, int op, int *err)
{
	struct request *r;
	struct record *rec;

	*err = -EINVAL;
	if (op != IOEVQ_OP_FSYNC &&
	    (cb->aio_reqprio < 0 || cb->aio_reqprio > sysconf(_SC_AIO_PRIO_DELTA_MAX) ||
	     cb->aio_nbytes > SSIZE_MAX))
		return NULL;
	*err = -EAGAIN;
	r = pool_get(&w->requests, sizeof(*r));
	rec = r ? record_get(w, cb->aio_fildes) : NULL;
	if (!rec) {
		if (r)
			pool_put(&w->requests, r);
		return NULL;
	}
	r->cb = cb;
	r->ev = cb->aio_sigevent;
	r->op = op;
	r->fd = cb->aio_fildes;
	r->buf = (char *)cb->aio_buf;
	r->len = cb->aio_nbytes;
	r->off = cb->aio_offset;
	r->seq = ++w->seq;
	r->serial = serial_of(op, r->fd);
	append(rec, r);
	w->outstanding++;
	status_begin(cb);
	return r;
}

void request_prepare(const struct request *r, struct ioevq_req *req)
{
	if (r->op == IOEVQ_OP_FSYNC)
		ioevq_prep_fsync(req, r->fd, r->datasync ? IOEVQ_FSYNC_DATASYNC : 0,
				 (uintptr_t)r);
	else
		/* One that is negative is refused, and does not mean IOEVQ_POSITION. */
		ioevq_prep_rw(req, r->op, r->fd, r->buf, r->len,
			      r->off < 0 ? 1ULL << 63 : (uint64_t)r->off, (uintptr_t)r);
}

/* If not, and it is one of a row, it is the one that others wait for from now on. */
bool request_must_wait(struct world *w, struct request *r)
{
	struct request **running;

	if (r->op == IOEVQ_OP_FSYNC)
		return sync_must_wait(w, r);
	if (r->serial == NOT_SERIAL)
		return false;
	running = &r->rec->running[r->serial];
	if (*running && *running != r)
		return true;
	*running = r;
	return false;
}

static void next_of_row(struct world *w, struct request *r)
{
	struct request *next = r->rec->first;

	if (r->serial == NOT_SERIAL || r->rec->running[r->serial] != r)
		return;
	while (next && (next->state != HELD || next->serial != r->serial || next == r))
		next = next->next;
	r->rec->running[r->serial] = next;
	if (next)
		ready_add(w, next);
}

/* Returns the end of the list, if @r is taken from it or not. */
static struct request **unlist(struct request **p, struct request *r)
{
	while (*p) {
		if (*p == r)
			*p = r->link;
		else
			p = &(*p)->link;
	}
	return p;
}

/* The helper goes on with it, whatever the program does. */
void request_hold(struct world *w, struct request *r)
{
	r->state = HELD;
	w->wants_helper = true;
	if (r->op == IOEVQ_OP_FSYNC) {
		r->link = w->fsyncs;
		w->fsyncs = r;
	}
}

static void request_free(struct world *w, struct request *r)
{
	struct record *rec = r->rec;

	next_of_row(w, r);
	unlink_request(r);
	w->outstanding--;
	if (r->state == HELD) {
		unlist(&w->fsyncs, r);
		w->ready_end = unlist(&w->ready, r);
	}
	r->rec = NULL;
	sync_recheck(w);
	record_put(w, rec);
}

/*
 * It has ended. The control block is not touched afterwards, the notification follows it,
 * and what waits for this may be started: see start_ready().
 */
void request_finish(struct world *w, struct request *r, int64_t res)
{
	struct request *list = r->list;

	request_free(w, r);
	if (res == -ECANCELED)
		w->cancelled++;
	w->news = true;
	r->res = res;
	status_end(r->cb, res);
	notify(w, r);
	if (list)
		list_one_less(w, list, res < 0);
}

/* It was not begun: its caller is told, and nobody else. */
void request_drop(struct world *w, struct request *r)
{
	request_free(w, r);
	pool_put(&w->requests, r);
}

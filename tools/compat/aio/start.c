// SPDX-License-Identifier: MIT
/* Give operations to the queue, when it is their turn. */
#define _GNU_SOURCE
#include <errno.h>
#include <unistd.h>

#include "facade.h"

/* Not begun here, but by start_ready(): what ends makes others ready, and so on. */
void ready_add(struct world *w, struct request *r)
{
	r->link = NULL;
	*w->ready_end = r;
	w->ready_end = &r->link;
}

/*
 * The queue has refused it. Returns 0 if it is under way nevertheless, or a negative errno;
 * -EAGAIN is for lack of room.
 */
int request_refused(struct world *w, struct request *r, int err)
{
	switch (err) {
	case -ESPIPE:
	case -EOPNOTSUPP:
		return stream_start(w, r);
	case -EDQUOT:
	case -ENOMEM:
	case -EINTR:
		return -EAGAIN;
	default:
		return err;
	}
}

/* 0, also if it has to wait and is begun later, or a negative errno. */
int request_start(struct world *w, struct request *r)
{
	struct ioevq_req req;
	unsigned int accepted;
	int err;

	if (request_must_wait(w, r)) {
		request_hold(w, r);
		return 0;
	}
	request_prepare(r, &req);
	r->state = QUEUED;
	err = queue_submit(w, &req, 1, &accepted);
	return err ? request_refused(w, r, err) : 0;
}

static struct request *next_ready(struct world *w)
{
	struct request *r = w->ready;

	if (!r)
		return NULL;
	w->ready = r->link;
	if (!w->ready)
		w->ready_end = &w->ready;
	return r;
}

/* Where the queue is full of others, what was promised waits for the end of one. */
void start_ready(struct world *w)
{
	struct request *r;
	int err;

	while ((r = next_ready(w))) {
		err = request_start(w, r);
		if (err == -EAGAIN && w->outstanding > 1) {
			r->state = HELD;
			ready_add(w, r);
			return;
		}
		if (err)
			request_finish(w, r, err);
	}
}

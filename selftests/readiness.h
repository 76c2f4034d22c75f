/* SPDX-License-Identifier: GPL-2.0-only */
/* What tests of watches do again and again. */
#ifndef IOEVQ_READINESS_H
#define IOEVQ_READINESS_H

#include "expect.h"

/* Take the next event: its result if it is one of this watch that lives on, else -1. */
static inline int64_t announced(const struct ioevq *q, uint64_t user_data)
{
	struct ioevq_event ev = {};

	if (next_event(q, &ev) != 1 || ev.op != IOEVQ_OP_POLL || ev.user_data != user_data ||
	    ev.flags != IOEVQ_EVENT_MORE)
		return -1;
	return ev.res;
}

/* The next event is the last of this watch, whose file was closed. */
static inline int ended(const struct ioevq *q, uint64_t user_data)
{
	struct ioevq_event ev = {};

	return next_event(q, &ev) == 1 && ev.op == IOEVQ_OP_POLL && ev.user_data == user_data &&
	       ev.flags == IOEVQ_EVENT_CLOSED;
}

/* The next event is the last of a request of this operation, with this result. */
static inline int completed(const struct ioevq *q, unsigned int op, uint64_t user_data, int64_t res)
{
	struct ioevq_event ev = {};

	return next_event(q, &ev) == 1 && ev.op == op && ev.user_data == user_data &&
	       ev.res == res && !ev.flags;
}

/* A consumer comes, looks at the files that have to be looked at, and finds nothing. */
static inline int nothing(const struct ioevq *q)
{
	struct ioevq_event ev;

	return enter_wait(q, &ev, 0, 1, 0) == 0;
}

/*
 * Change the watches of a descriptor, with or without new user data (-1: as it was), and
 * without an event. Returns 0 or a negative errno.
 */
static inline int change(const struct ioevq *q, int fd, unsigned int mask, unsigned int mode,
			 int64_t user_data)
{
	struct ioevq_req req;

	ioevq_prep_poll_mod(&req, fd, mask, mode, user_data, 0);
	req.flags = IOEVQ_REQ_SKIP_SUCCESS;
	if (user_data < 0) {
		req.op_flags &= ~IOEVQ_POLL_MOD_USER_DATA;
		req.off = 0;
	}
	return submit(q, &req);
}

/* What poll(2) says of a descriptor at this moment. */
static inline int poll_now(int fd, short mask)
{
	struct pollfd p = { .fd = fd, .events = mask };

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

#endif

// SPDX-License-Identifier: GPL-2.0-only
/* The code of the tracepoints, and what is too much for one. */
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "req.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/*
 * One for each event, so that it finds the one that told of its post. What it says is read
 * where it was copied to: its slot in the ring may be another event's by now.
 */
void ioevq_trace_taken(struct ioevq_queue *q, const struct ioevq_event __user *events, u64 seq,
		       u32 n)
{
	struct ioevq_event ev;
	u32 i;

	for (i = 0; i < n; i++) {
		if (copy_from_user(&ev, events + i, sizeof(ev)))
			memset(&ev, 0, sizeof(ev));
		trace_ioevq_take(q, &ev, seq + i);
		cond_resched();
	}
}

void ioevq_trace_posted(const struct ioevq_kreq *kreq, s64 res, u32 flags, u64 data)
{
	struct ioevq_event ev = { };

	ioevq_fill_more(&ev, kreq, res, flags, data);
	trace_ioevq_post(&kreq->q->ring, &ev, kreq->seq);
}

/* @err: 0, it is submitted; or why it was refused. */
void ioevq_trace_message(const struct ioevq_queue *q, const struct ioevq_event *ev, int err)
{
	const struct ioevq_req req = {
		.op = IOEVQ_OP_POST,
		.fd = -1,
		.user_data = ev->user_data,
		.addr = ev->data,
		.off = ev->res,
	};

	if (err)
		trace_ioevq_refuse(q, &req, err);
	else
		trace_ioevq_submit(q, &req);
}

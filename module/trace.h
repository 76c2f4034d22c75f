/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints ioevq:*. Their fields are an interface, told of in Documentation/tracing.rst:
 * new ones come at the end, and none goes. A queue is known by its number, see
 * ioevq_ring_state; an event of it by its own (seq), which is what its latency is found by.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ioevq

#if !defined(IOEVQ_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define IOEVQ_TRACE_H

#include <linux/tracepoint.h>
#include <linux/ioevq.h>

struct ioevq_kreq;
struct ioevq_queue;
struct ioevq_ring_state;
struct ioevq_waiter;

TRACE_DEFINE_ENUM(IOEVQ_OP_NOP);
TRACE_DEFINE_ENUM(IOEVQ_OP_POST);
TRACE_DEFINE_ENUM(IOEVQ_OP_POLL);
TRACE_DEFINE_ENUM(IOEVQ_OP_READ);
TRACE_DEFINE_ENUM(IOEVQ_OP_WRITE);
TRACE_DEFINE_ENUM(IOEVQ_OP_FSYNC);
TRACE_DEFINE_ENUM(IOEVQ_OP_CHILD);
TRACE_DEFINE_ENUM(IOEVQ_OP_CANCEL);
TRACE_DEFINE_ENUM(IOEVQ_OP_POLL_MOD);
TRACE_DEFINE_ENUM(IOEVQ_OP_CLOSE);
TRACE_DEFINE_ENUM(IOEVQ_OP_TIMER);
TRACE_DEFINE_ENUM(IOEVQ_OP_TIMER_MOD);

#define ioevq_show_op(op)						\
	__print_symbolic(op,						\
			 { IOEVQ_OP_NOP, "NOP" },			\
			 { IOEVQ_OP_POST, "POST" },			\
			 { IOEVQ_OP_POLL, "POLL" },			\
			 { IOEVQ_OP_READ, "READ" },			\
			 { IOEVQ_OP_WRITE, "WRITE" },			\
			 { IOEVQ_OP_FSYNC, "FSYNC" },			\
			 { IOEVQ_OP_CHILD, "CHILD" },			\
			 { IOEVQ_OP_CANCEL, "CANCEL" },			\
			 { IOEVQ_OP_POLL_MOD, "POLL_MOD" },		\
			 { IOEVQ_OP_CLOSE, "CLOSE" },			\
			 { IOEVQ_OP_TIMER, "TIMER" },			\
			 { IOEVQ_OP_TIMER_MOD, "TIMER_MOD" })

/* A request comes, unchecked. If it is not refused, nor done without an event, events follow. */
TRACE_EVENT(ioevq_submit,
	    TP_PROTO(const struct ioevq_queue *q, const struct ioevq_req *req),

	    TP_ARGS(q, req),

	    TP_STRUCT__entry(__field(u32, queue)
			     __field(u32, op)
			     __field(u64, user_data)
			     __field(s32, fd)
			     __field(u32, flags)
			     __field(u32, op_flags)
			     __field(u32, op_arg)
			     __field(u64, addr)
			     __field(u64, off)
			     __field(u64, len)),

	    TP_fast_assign(__entry->queue = q->ring.number;
			   __entry->op = req->op;
			   __entry->user_data = req->user_data;
			   __entry->fd = req->fd;
			   __entry->flags = req->flags;
			   __entry->op_flags = req->op_flags;
			   __entry->op_arg = req->op_arg;
			   __entry->addr = req->addr;
			   __entry->off = req->off;
			   __entry->len = req->len;),

	    TP_printk("queue=%u op=%s user_data=0x%llx fd=%d flags=0x%x op_flags=0x%x op_arg=0x%x addr=0x%llx off=0x%llx len=%llu",
		      __entry->queue, ioevq_show_op(__entry->op), __entry->user_data, __entry->fd,
		      __entry->flags, __entry->op_flags, __entry->op_arg, __entry->addr,
		      __entry->off, __entry->len));

/* It has failed, and will have no event. */
TRACE_EVENT(ioevq_refuse,
	    TP_PROTO(const struct ioevq_queue *q, const struct ioevq_req *req, int error),

	    TP_ARGS(q, req, error),

	    TP_STRUCT__entry(__field(u32, queue)
			     __field(u32, op)
			     __field(u64, user_data)
			     __field(s32, fd)
			     __field(s32, error)),

	    TP_fast_assign(__entry->queue = q->ring.number;
			   __entry->op = req->op;
			   __entry->user_data = req->user_data;
			   __entry->fd = req->fd;
			   __entry->error = error;),

	    TP_printk("queue=%u op=%s user_data=0x%llx fd=%d error=%d",
		      __entry->queue, ioevq_show_op(__entry->op), __entry->user_data, __entry->fd,
		      __entry->error));

/* It has succeeded, and will have no event (IOEVQ_REQ_SKIP_SUCCESS). */
TRACE_EVENT(ioevq_done,
	    TP_PROTO(const struct ioevq_queue *q, const struct ioevq_req *req),

	    TP_ARGS(q, req),

	    TP_STRUCT__entry(__field(u32, queue)
			     __field(u32, op)
			     __field(u64, user_data)
			     __field(s32, fd)),

	    TP_fast_assign(__entry->queue = q->ring.number;
			   __entry->op = req->op;
			   __entry->user_data = req->user_data;
			   __entry->fd = req->fd;),

	    TP_printk("queue=%u op=%s user_data=0x%llx fd=%d",
		      __entry->queue, ioevq_show_op(__entry->op), __entry->user_data, __entry->fd));

/* A CANCEL or CLOSE, whose user data is @by, ends a request that had not ended before. */
TRACE_EVENT(ioevq_cancel,
	    TP_PROTO(const struct ioevq_kreq *kreq, const struct ioevq_kreq *by),

	    TP_ARGS(kreq, by),

	    TP_STRUCT__entry(__field(u32, queue)
			     __field(u32, op)
			     __field(u64, user_data)
			     __field(u64, by)),

	    TP_fast_assign(__entry->queue = kreq->q->ring.number;
			   __entry->op = kreq->rec.ev.op;
			   __entry->user_data = kreq->rec.ev.user_data;
			   __entry->by = by->rec.ev.user_data;),

	    TP_printk("queue=%u op=%s user_data=0x%llx by=0x%llx",
		      __entry->queue, ioevq_show_op(__entry->op), __entry->user_data, __entry->by));

/*
 * In any context, with the lock of the queue: what has completed. backlog: so many events are
 * outside of the ring, this one among them; 0: it is in the ring.
 */
TRACE_EVENT(ioevq_post,
	    TP_PROTO(const struct ioevq_ring_state *ring, const struct ioevq_event *ev, u64 seq),

	    TP_ARGS(ring, ev, seq),

	    TP_STRUCT__entry(__field(u32, queue)
			     __field(u32, op)
			     __field(u64, user_data)
			     __field(u64, seq)
			     __field(s64, res)
			     __field(u32, flags)
			     __field(u32, backlog)
			     __field(u64, data)),

	    TP_fast_assign(__entry->queue = ring->number;
			   __entry->op = ev->op;
			   __entry->user_data = ev->user_data;
			   __entry->seq = seq;
			   __entry->res = ev->res;
			   __entry->flags = ev->flags;
			   __entry->backlog = ring->backlog_len;
			   __entry->data = ev->data;),

	    TP_printk("queue=%u op=%s user_data=0x%llx seq=%llu res=%lld flags=%s backlog=%u data=0x%llx",
		      __entry->queue, ioevq_show_op(__entry->op), __entry->user_data, __entry->seq,
		      __entry->res,
		      __print_flags(__entry->flags, "|",
				    { 1, "MORE" }, { 2, "CLOSED" }, { 4, "AUTOREAP" },
				    { 8, "RESCAN" }, { 16, "ALERT" }, { 32, "FOREIGN" },
				    { 64, "USAGE" }),
		      __entry->backlog, __entry->data));

/* By IOEVQ_IOC_ENTER or read(2). Only the consumer knows of what is taken from a mapped ring. */
TRACE_EVENT(ioevq_take,
	    TP_PROTO(const struct ioevq_queue *q, const struct ioevq_event *ev, u64 seq),

	    TP_ARGS(q, ev, seq),

	    TP_STRUCT__entry(__field(u32, queue)
			     __field(u32, op)
			     __field(u64, user_data)
			     __field(u64, seq)
			     __field(s64, res)),

	    TP_fast_assign(__entry->queue = q->ring.number;
			   __entry->op = ev->op;
			   __entry->user_data = ev->user_data;
			   __entry->seq = seq;
			   __entry->res = ev->res;),

	    TP_printk("queue=%u op=%s user_data=0x%llx seq=%llu res=%lld",
		      __entry->queue, ioevq_show_op(__entry->op), __entry->user_data, __entry->seq,
		      __entry->res));

/* There is not enough: a consumer goes to sleep until @need events are there. */
TRACE_EVENT(ioevq_wait_begin,
	    TP_PROTO(const struct ioevq_queue *q, u32 need),

	    TP_ARGS(q, need),

	    TP_STRUCT__entry(__field(u32, queue)
			     __field(u32, need)),

	    TP_fast_assign(__entry->queue = q->ring.number;
			   __entry->need = need;),

	    TP_printk("queue=%u need=%u", __entry->queue, __entry->need));

/* It is awake. Not @woken: by the clock or a signal. */
TRACE_EVENT(ioevq_wait_end,
	    TP_PROTO(const struct ioevq_queue *q, bool woken),

	    TP_ARGS(q, woken),

	    TP_STRUCT__entry(__field(u32, queue)
			     __field(u32, woken)),

	    TP_fast_assign(__entry->queue = q->ring.number;
			   __entry->woken = woken;),

	    TP_printk("queue=%u woken=%u", __entry->queue, __entry->woken));

/* A consumer is woken, by an event (need) or to look for itself (need is 0). */
TRACE_EVENT(ioevq_wake,
	    TP_PROTO(const struct ioevq_queue *q, const struct ioevq_waiter *w),

	    TP_ARGS(q, w),

	    TP_STRUCT__entry(__field(u32, queue)
			     __field(s32, pid)
			     __field(u32, need)
			     __field(u32, recheck)
			     __field(u32, slot)),

	    TP_fast_assign(__entry->queue = q->ring.number;
			   __entry->pid = w->task->pid;
			   __entry->need = w->need;
			   __entry->recheck = w->rechecker;
			   __entry->slot = w->slot;),

	    TP_printk("queue=%u pid=%d need=%u recheck=%u slot=%u", __entry->queue, __entry->pid,
		      __entry->need, __entry->recheck, __entry->slot));

#ifndef IOEVQ_TRACE_ONCE
#define IOEVQ_TRACE_ONCE

/* trace.c */
void ioevq_trace_taken(struct ioevq_queue *q, const struct ioevq_event __user *events, u64 seq,
		       u32 n);

void ioevq_trace_posted(const struct ioevq_kreq *kreq, s64 res, u32 flags, u64 data);

/* A message that is written is shown as the request that it stands for; see ioevq_write(). */
static inline bool ioevq_traces_messages(void)
{
	return trace_ioevq_submit_enabled() || trace_ioevq_refuse_enabled();
}

void ioevq_trace_message(const struct ioevq_queue *q, const struct ioevq_event *ev, int err);

/* By ioevq_post_more(), into a slot: that is user memory, and not read back. */
static inline void ioevq_trace_more(const struct ioevq_kreq *kreq, s64 res, u32 flags, u64 data)
{
	if (trace_ioevq_post_enabled())
		ioevq_trace_posted(kreq, res, flags, data);
}

/* Events from number @seq on were taken, and are at @events. Process context, no lock. */
static inline void ioevq_trace_take(struct ioevq_queue *q,
				    const struct ioevq_event __user *events, u64 seq, u32 n)
{
	if (trace_ioevq_take_enabled())
		ioevq_trace_taken(q, events, seq, n);
}

#endif

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>

/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests: who completes one, and what a source of events must provide. */
#ifndef IOEVQ_REQ_H
#define IOEVQ_REQ_H

#include "trace.h"
#include "wake.h"

/*
 * NEW: being submitted, no event may be posted yet. LIVE: accepted. FINAL: the
 * final event is posted; whoever made this transition under queue->lock was the
 * one to complete it.
 */
enum ioevq_state {
	IOEVQ_NEW,
	IOEVQ_LIVE,
	IOEVQ_FINAL,
};

/*
 * A request as the kernel knows it, at the start of the object of its source. The
 * sweep frees it, in process context under queue->mutex, after its final event
 * reached the ring: whoever completes a request must not touch it afterwards.
 */
struct ioevq_kreq {
	struct ioevq_queue *q;
	const struct ioevq_source *src;
	struct ioevq_rec rec;		/* of the final event; home is q->done */
	struct hlist_node by_user_data;	/* queue->mutex; queue->index */
	struct hlist_node by_file;	/* queue->mutex; queue->index, if there is a file */
	struct file *file;		/* what it is about, or NULL; compared, not a reference */
	int fd;				/* by which it was named; only compared */
	struct list_head recheck;	/* queue->lock; queue->recheck, level or unreaped */
	ioevq_seq_t seq;		/* queue->lock; of the last event */
	struct ioevq_cancel *fence;	/* queue->lock; the cancel that waits for us */
	enum ioevq_state state;		/* queue->lock to change */
	bool level;			/* queue->lock; in queue->level, or taken from there */
	bool quiet;			/* queue->lock; the end needs no event */
	bool skip;			/* constant; IOEVQ_REQ_SKIP_SUCCESS */
	bool charged;			/* constant; counts for the limits */
};

/*
 * A source of events: one file, one row of the table in source.c. All functions
 * are called in process context under queue->mutex, but for what says so.
 *
 * @size: of its request object; 0 = needs none, submit gets NULL and no mutex: who sends
 *	a message waits for nobody's submission
 * @op_flags: valid op_flags
 * @req_flags: valid flags of the request
 * @uses: the fields that it reads, all others must be zero
 * @has_result: who gets no event must be told the result. It may take long, too, so that it
 *	is charged in any case
 * @submit: refuse with an errno, leaving nothing behind, or accept with 0, or with
 *	IOEVQ_DONE: it has succeeded, with rec.ev.res, and there is no event; nothing is held
 * @cancel: complete now; false if that cannot be hurried
 * @recheck: look at the watched file again, and announce what it is ready for. Without @tell
 *	that may be left to a later look: true if it is ready, or may be, and was not
 *	announced. With queue->lock, which it drops meanwhile
 * @reaped: go on: the event was taken for which ioevq_await_reap() was called. With queue->lock,
 *	and without the mutex
 * @release: drop what is held; the object is freed afterwards
 * @at_once: has no object of its own, and with IOEVQ_REQ_SKIP_SUCCESS has ended when submit
 *	returns
 */
struct ioevq_source {
	size_t size;
	u32 op_flags;
	u16 req_flags;
	u32 uses;
	bool has_result;
	bool at_once;
	int (*submit)(struct ioevq_queue *q, struct ioevq_kreq *kreq, const struct ioevq_req *req);
	bool (*cancel)(struct ioevq_kreq *kreq);
	bool (*recheck)(struct ioevq_kreq *kreq, bool tell);
	void (*reaped)(struct ioevq_kreq *kreq, bool news);
	void (*release)(struct ioevq_kreq *kreq);
};

#define IOEVQ_DONE	1

/* In the place of ioevq_kreq.file: that was closed, and another one may have its address. */
#define IOEVQ_NO_FILE	((struct file *)ERR_PTR(-EBADF))

enum {
	IOEVQ_USES_FD = BIT(0),
	IOEVQ_USES_ADDR = BIT(1),
	IOEVQ_USES_OFF = BIT(2),
	IOEVQ_USES_LEN = BIT(3),
	IOEVQ_USES_ARG = BIT(4),
	IOEVQ_USES_BUF = BIT(5),
};

/* source.c: the table */
const struct ioevq_source *ioevq_source(u32 op);
struct kmem_cache *ioevq_source_cache(u32 op);
const char *ioevq_source_name(u32 op);
int ioevq_sources_init(void);
void ioevq_sources_exit(void);
extern const struct ioevq_source ioevq_src_nop, ioevq_src_post, ioevq_src_poll, ioevq_src_read,
	ioevq_src_write, ioevq_src_fsync, ioevq_src_child, ioevq_src_cancel, ioevq_src_poll_mod,
	ioevq_src_close, ioevq_src_timer, ioevq_src_timer_mod;

/* req.c */
struct ioevq_kreq *ioevq_kreq_alloc(struct ioevq_queue *q, const struct ioevq_source *src, u32 op,
				    u64 user_data, bool skip);
void ioevq_kreq_free(struct ioevq_kreq *kreq);
void ioevq_spares_init(struct ioevq_queue *q);
void ioevq_spares_free(struct ioevq_queue *q);
int ioevq_submit_one(struct ioevq_queue *q, const struct ioevq_source *src,
		     const struct ioevq_req *req, s64 *res);
void ioevq_accept(struct ioevq_kreq *kreq);
bool ioevq_complete(struct ioevq_kreq *kreq, s64 res, u32 flags, u64 data);
bool ioevq_complete_locked(struct ioevq_kreq *kreq, s64 res, u32 flags, u64 data, bool news);
void ioevq_post_to_backlog(struct ioevq_kreq *kreq, struct ioevq_rec **pool, s64 res, u32 flags,
			   u64 data);
bool ioevq_cancel_now(struct ioevq_kreq *kreq);
int ioevq_done(struct ioevq_kreq *kreq, s64 res, u64 data);
void ioevq_sweep(struct ioevq_queue *q);

/*
 * An event is there. Not @news: whoever polls the queue was told before, and a consumer
 * that has looked for it is going to take it, see ioevq_recheck().
 */
static inline void ioevq_tell(struct ioevq_queue *q, bool news)
{
	if (news) {
		ioevq_wake(q);
	} else {
		q->claimed++;
		q->found++;
	}
}

static inline void ioevq_fill_more(struct ioevq_event *ev, const struct ioevq_kreq *kreq, s64 res,
				   u32 flags, u64 data)
{
	ev->user_data = kreq->rec.ev.user_data;
	ev->op = kreq->rec.ev.op;
	ev->res = res;
	ev->flags = flags | IOEVQ_EVENT_MORE;
	ev->data = data;
}

/*
 * Post an event that is not the last. Where the ring has no room it waits in a record of
 * @pool, which must not be empty and which the record returns to once it has its slot. Where
 * it stands is in kreq->seq, and returned. queue->lock is held. Inline, as this is what
 * readiness costs.
 */
static inline ioevq_seq_t ioevq_post_more(struct ioevq_kreq *kreq, struct ioevq_rec **pool,
					  s64 res, u32 flags, u64 data, bool news)
{
	struct ioevq_queue *q = kreq->q;
	ioevq_seq_t seq = q->ring.tail;

	lockdep_assert_held(&q->lock);

	if (likely(ioevq_ring_is_open(&q->ring))) {
		ioevq_fill_more(ioevq_ring_slot(&q->ring, seq), kreq, res, flags, data);
		kreq->seq = seq;
		ioevq_trace_more(kreq, res, flags, data);
		ioevq_ring_publish(&q->ring, seq);
	} else {
		ioevq_post_to_backlog(kreq, pool, res, flags, data);
		seq = kreq->seq;
	}
	ioevq_tell(q, news);
	return seq;
}

/* post.c */
int ioevq_post(struct ioevq_queue *q, const struct ioevq_event *evs, unsigned int nr);

/* reaped.c */
void ioevq_await_reap(struct ioevq_kreq *kreq);
bool ioevq_reaped_due(struct ioevq_queue *q);
u32 ioevq_go_on_some(struct ioevq_queue *q, bool news);

/* Was the last event taken, as far as the head tells? queue->lock is held. */
static inline bool ioevq_is_reaped(struct ioevq_kreq *kreq)
{
	struct ioevq_ring_state *ring = &kreq->q->ring;

	return (s64)(kreq->seq - ring->tail) < 0 && ioevq_ring_reaped(ring, kreq->seq);
}

/* As a rule there is none, and that takes neither a lock nor a call. */
static inline u32 ioevq_go_on(struct ioevq_queue *q, bool news)
{
	return ioevq_seems_empty(&q->unreaped) ? 0 : ioevq_go_on_some(q, news);
}

/* recheck.c */
void ioevq_recheck_set_flag(struct ioevq_queue *q);
void ioevq_recheck_forget(struct ioevq_kreq *kreq);
bool ioevq_ask_recheck(struct ioevq_kreq *kreq);
void ioevq_recheck_when_reaped(struct ioevq_kreq *kreq);
bool ioevq_recheck_due(struct ioevq_queue *q);
u32 ioevq_recheck(struct ioevq_queue *q, u64 want, bool patient);
void ioevq_leave_look(struct ioevq_queue *q);
bool ioevq_peek(struct ioevq_queue *q);
void ioevq_unlock(struct ioevq_queue *q);
void ioevq_try_sweep(struct ioevq_queue *q);

/* Who comes for events, and submits nothing, frees what has ended. */
static inline void ioevq_tidy(struct ioevq_queue *q)
{
	if (unlikely(READ_ONCE(q->done) || READ_ONCE(q->done_posts)))
		ioevq_try_sweep(q);
}

/* src_cancel.c */
struct ioevq_kreq *ioevq_fence_passed(struct ioevq_cancel *fence);

#endif

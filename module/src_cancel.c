// SPDX-License-Identifier: GPL-2.0-only
/*
 * CANCEL: a fence. Its event follows the final events of all that it matched.
 *
 * What can be stopped is completed here and now. File I/O in the hands of a
 * device or worker is not: the cancel hangs itself on it (kreq->fence) and its
 * event is posted, under the same hold of queue->lock, right after the last one.
 * If another cancel hangs there, this one hangs on that: chains end in the order
 * in which the cancels came, so there are no cycles.
 */
#include <linux/fdtable.h>
#include <linux/file.h>

#include "point.h"
#include "req.h"
#include "trace.h"

/* Chains are walked with interrupts off. */
#define MAX_FENCES	64

struct ioevq_cancel {
	struct ioevq_kreq kreq;
	unsigned int waits_for;		/* queue->lock; + 1 while it looks around */
	u64 matched;
	bool closes;			/* IOEVQ_OP_CLOSE */
	int res;			/* of the close */
};

/*
 * One of those that @fence waits for has posted its final event. If it was the
 * last, returns the cancel for the caller to post; queue->lock is held.
 */
struct ioevq_kreq *ioevq_fence_passed(struct ioevq_cancel *fence)
{
	lockdep_assert_held(&fence->kreq.q->lock);

	if (--fence->waits_for)
		return NULL;
	/* Else it is one of them until its event is in the ring: what bounds those in memory. */
	if (fence->kreq.charged)
		fence->kreq.q->fences--;
	fence->kreq.rec.ev.res = fence->closes ? fence->res : fence->matched;
	fence->kreq.rec.ev.data = fence->closes ? fence->matched : 0;
	return &fence->kreq;
}

static void hang_on(struct ioevq_cancel *c, struct ioevq_kreq *kreq)
{
	while (kreq->fence) {
		kreq = &kreq->fence->kreq;
		if (kreq == &c->kreq)
			return;
	}
	kreq->fence = c;
	c->waits_for++;
}

static void cancel_one(struct ioevq_cancel *c, struct ioevq_kreq *kreq)
{
	struct ioevq_queue *q = kreq->q;
	bool live;

	spin_lock_irq(&q->lock);
	live = kreq->state == IOEVQ_LIVE;
	spin_unlock_irq(&q->lock);
	if (!live)
		return;
	ioevq_point(IOEVQ_POINT_CANCEL);
	c->matched++;
	trace_ioevq_cancel(kreq, &c->kreq);
	if (kreq->src->cancel(kreq))
		return;
	ioevq_point(IOEVQ_POINT_FENCE);
	spin_lock_irq(&q->lock);
	/* If it has completed meanwhile its event was posted before ours. */
	if (kreq->state == IOEVQ_LIVE)
		hang_on(c, kreq);
	spin_unlock_irq(&q->lock);
}

static bool matches(struct ioevq_kreq *kreq, const struct ioevq_req *req, struct file *file)
{
	if (!kreq->src->cancel)
		return false;
	if (req->op_flags & IOEVQ_CANCEL_USER_DATA && kreq->rec.ev.user_data != req->addr)
		return false;
	if (req->op_flags & IOEVQ_CANCEL_OP && kreq->rec.ev.op != req->len)
		return false;
	if (req->op_flags & IOEVQ_CANCEL_EXACT && kreq->fd != req->fd)
		return false;
	return !file || READ_ONCE(kreq->file) == file;
}

/* @file: what CANCEL_FD and CLOSE name, held by the caller. */
static void cancel_matching(struct ioevq_cancel *c, const struct ioevq_req *req, struct file *file)
{
	struct ioevq_index *index = &c->kreq.q->index;
	struct ioevq_kreq *kreq;
	unsigned int i;

	/* Completed requests stay in the index until the sweep, which needs our mutex. */
	if (file) {
		hlist_for_each_entry(kreq, ioevq_index_file(index, file), by_file) {
			if (matches(kreq, req, file))
				cancel_one(c, kreq);
			cond_resched();
		}
		return;
	}
	if (req->op_flags & IOEVQ_CANCEL_USER_DATA) {
		hlist_for_each_entry(kreq, ioevq_index_user_data(index, req->addr),
				     by_user_data) {
			if (matches(kreq, req, NULL))
				cancel_one(c, kreq);
			cond_resched();
		}
		return;
	}
	for (i = 0; i < ioevq_index_size(index); i++) {
		hlist_for_each_entry(kreq, &index->by_user_data[i], by_user_data) {
			if (matches(kreq, req, NULL))
				cancel_one(c, kreq);
			cond_resched();
		}
	}
}

static bool get_fence(struct ioevq_queue *q)
{
	bool room;

	spin_lock_irq(&q->lock);
	room = q->fences < MAX_FENCES;
	if (room)
		q->fences++;
	spin_unlock_irq(&q->lock);
	return room;
}

/*
 * close(2) of a descriptor, and drop the caller's reference to its file. The last one to be
 * dropped by close_fd() is released when this thread returns to user space. If it goes to
 * sleep before that, let ours be the last.
 */
static int close_now(struct ioevq_queue *q, int fd, struct file *file)
{
	int err;

	ioevq_point(IOEVQ_POINT_CLOSE);
	if (!q->sleepy)
		fput(file);
	err = close_fd(fd);
	if (q->sleepy)
		ioevq_queue_fput(q, file);

	/* It is closed all the same, and must not be closed again. */
	switch (err) {
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
	case -ERESTARTNOHAND:
	case -ERESTART_RESTARTBLOCK:
		return -EINTR;
	}
	return err;
}

/* 0: its event is posted or will be; or IOEVQ_DONE, -ENOENT. */
static int end_submit(struct ioevq_cancel *c)
{
	struct ioevq_queue *q = c->kreq.q;
	bool skip;

	spin_lock_irq(&q->lock);
	if (ioevq_fence_passed(c)) {
		skip = c->kreq.skip && !c->res;
		if (skip)
			q->fences--;
		else
			ioevq_complete_locked(&c->kreq, c->kreq.rec.ev.res, 0,
					      c->kreq.rec.ev.data, true);
		spin_unlock_irq(&q->lock);
		if (!skip)
			return 0;
		return c->matched || c->closes ? IOEVQ_DONE : -ENOENT;
	}
	spin_unlock_irq(&q->lock);
	return 0;
}

static int cancel_and_close(struct ioevq_cancel *c, const struct ioevq_req *req,
			    struct file *file)
{
	if (!get_fence(c->kreq.q)) {
		/* Of those before us in the batch some may be over. */
		ioevq_sweep(c->kreq.q);
		if (!get_fence(c->kreq.q))
			return -EAGAIN;
	}
	ioevq_accept(&c->kreq);
	c->waits_for = 1;
	cancel_matching(c, req, file);
	if (c->closes)
		c->res = close_now(c->kreq.q, req->fd, file);
	return end_submit(c);
}

static int cancel_submit(struct ioevq_queue *q, struct ioevq_kreq *kreq,
			 const struct ioevq_req *req)
{
	struct ioevq_cancel *c = container_of(kreq, struct ioevq_cancel, kreq);
	struct file *file = NULL;
	int err;

	if ((!(req->op_flags & IOEVQ_CANCEL_USER_DATA) && req->addr) ||
	    (!(req->op_flags & IOEVQ_CANCEL_OP) && req->len) ||
	    (!(req->op_flags & IOEVQ_CANCEL_FD) &&
	     (req->fd != -1 || req->op_flags & IOEVQ_CANCEL_EXACT)))
		return -EINVAL;
	if (req->op_flags & IOEVQ_CANCEL_OP && req->len >= IOEVQ_OP__COUNT)
		return -EOPNOTSUPP;
	if (req->op_flags & IOEVQ_CANCEL_FD) {
		file = fget(req->fd);
		if (!file)
			return -EBADF;
	}
	err = cancel_and_close(c, req, file);
	if (file)
		ioevq_queue_fput(q, file);
	return err;
}

static int close_submit(struct ioevq_queue *q, struct ioevq_kreq *kreq,
			const struct ioevq_req *req)
{
	struct ioevq_cancel *c = container_of(kreq, struct ioevq_cancel, kreq);
	struct file *file = fget(req->fd);
	int err;

	if (!file)
		return -EBADF;
	c->closes = true;
	/* The ioctl that we are in may have no reference of its own. */
	err = ioevq_queue_from_file(file) == q ? -EINVAL : cancel_and_close(c, req, file);
	/* Not closed, then. */
	if (err < 0)
		fput(file);
	return err;
}

/* It was to have no event, was not charged for that, and had one. */
static void cancel_release(struct ioevq_kreq *kreq)
{
	if (kreq->charged)
		return;
	spin_lock_irq(&kreq->q->lock);
	kreq->q->fences--;
	spin_unlock_irq(&kreq->q->lock);
}

const struct ioevq_source ioevq_src_cancel = {
	.size = sizeof(struct ioevq_cancel),
	.op_flags = IOEVQ_CANCEL_USER_DATA | IOEVQ_CANCEL_FD | IOEVQ_CANCEL_OP |
		    IOEVQ_CANCEL_EXACT,
	.req_flags = IOEVQ_REQ_SKIP_SUCCESS,
	.uses = IOEVQ_USES_FD | IOEVQ_USES_ADDR | IOEVQ_USES_LEN,
	.submit = cancel_submit,
	.release = cancel_release,
};

const struct ioevq_source ioevq_src_close = {
	.size = sizeof(struct ioevq_cancel),
	.req_flags = IOEVQ_REQ_SKIP_SUCCESS,
	.uses = IOEVQ_USES_FD,
	.submit = close_submit,
	.release = cancel_release,
};

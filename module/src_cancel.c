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
#include <linux/file.h>

#include "req.h"

/* Chains are walked with interrupts off. */
#define MAX_FENCES	64

struct ioevq_cancel {
	struct ioevq_kreq kreq;
	unsigned int waits_for;		/* queue->lock; + 1 while it looks around */
	u64 matched;
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
	fence->kreq.q->fences--;
	fence->kreq.rec.ev.res = fence->matched;
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
	c->matched++;
	if (kreq->src->cancel(kreq))
		return;
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
	return !file || kreq->file == file;
}

/* @file: what CANCEL_FD names, held by the caller. */
static void cancel_matching(struct ioevq_cancel *c, const struct ioevq_req *req, struct file *file)
{
	struct ioevq_index *index = &c->kreq.q->index;
	struct ioevq_kreq *kreq;
	unsigned int i;

	/* Completed requests stay in the index until the sweep, which needs our mutex. */
	if (file) {
		hlist_for_each_entry(kreq, ioevq_index_file(index, file), by_file)
			if (matches(kreq, req, file))
				cancel_one(c, kreq);
		return;
	}
	if (req->op_flags & IOEVQ_CANCEL_USER_DATA) {
		hlist_for_each_entry(kreq, ioevq_index_user_data(index, req->addr), by_user_data)
			if (matches(kreq, req, NULL))
				cancel_one(c, kreq);
		return;
	}
	for (i = 0; i < ioevq_index_size(index); i++) {
		hlist_for_each_entry(kreq, &index->by_user_data[i], by_user_data)
			if (matches(kreq, req, NULL))
				cancel_one(c, kreq);
		cond_resched();
	}
}

static int cancel_submit(struct ioevq_queue *q, struct ioevq_kreq *kreq,
			 const struct ioevq_req *req)
{
	struct ioevq_cancel *c = container_of(kreq, struct ioevq_cancel, kreq);
	struct file *file = NULL;
	bool room;

	if ((!(req->op_flags & IOEVQ_CANCEL_USER_DATA) && req->addr) ||
	    (!(req->op_flags & IOEVQ_CANCEL_OP) && req->len) ||
	    (!(req->op_flags & IOEVQ_CANCEL_FD) && req->fd != -1))
		return -EINVAL;
	if (req->op_flags & IOEVQ_CANCEL_OP && req->len >= IOEVQ_OP__COUNT)
		return -EOPNOTSUPP;
	spin_lock_irq(&q->lock);
	room = q->fences < MAX_FENCES;
	if (room)
		q->fences++;
	spin_unlock_irq(&q->lock);
	if (!room)
		return -EAGAIN;
	if (req->op_flags & IOEVQ_CANCEL_FD) {
		file = fget(req->fd);
		if (!file) {
			spin_lock_irq(&q->lock);
			q->fences--;
			spin_unlock_irq(&q->lock);
			return -EBADF;
		}
	}
	ioevq_accept(kreq);
	c->waits_for = 1;
	cancel_matching(c, req, file);
	if (file)
		ioevq_queue_fput(q, file);
	spin_lock_irq(&q->lock);
	if (ioevq_fence_passed(c))
		ioevq_complete_locked(&c->kreq, c->matched, 0, 0);
	spin_unlock_irq(&q->lock);
	return 0;
}

const struct ioevq_source ioevq_src_cancel = {
	.size = sizeof(struct ioevq_cancel),
	.op_flags = IOEVQ_CANCEL_USER_DATA | IOEVQ_CANCEL_FD | IOEVQ_CANCEL_OP,
	.uses = IOEVQ_USES_FD | IOEVQ_USES_ADDR | IOEVQ_USES_LEN,
	.submit = cancel_submit,
};

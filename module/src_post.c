// SPDX-License-Identifier: GPL-2.0-only
/* NOP and POST: events from user space. */
#include <linux/file.h>
#include <linux/fs.h>

#include "req.h"
#include "wake.h"

/* Post it without new memory: in the ring, or in the record of a message before. */
static bool post_for_free(struct ioevq_queue *q, const struct ioevq_event *ev)
{
	struct ioevq_rec *rec;

	if (ioevq_ring_post_unpaid(&q->ring, ev))
		return true;
	rec = q->done_posts;
	if (!rec)
		return false;
	q->done_posts = rec->next;
	rec->ev = *ev;
	ioevq_ring_post(&q->ring, rec);
	return true;
}

/*
 * Post a message. If the ring has room it costs nothing; else it needs a record,
 * allocated here and counted as a request of the queue that receives it: a sender
 * is refused, never blocked, and a message that was accepted is never lost. The
 * receiver may never submit, and so never sweep: its records are used again.
 */
static int post(struct ioevq_queue *q, const struct ioevq_event *ev)
{
	struct ioevq_kreq *kreq;
	bool posted;

	spin_lock_irq(&q->lock);
	posted = post_for_free(q, ev);
	if (posted)
		ioevq_wake(q);
	spin_unlock_irq(&q->lock);
	if (posted)
		return 0;

	kreq = ioevq_kreq_alloc(q, &ioevq_src_post, ev->op, ev->user_data, false);
	if (IS_ERR(kreq))
		return PTR_ERR(kreq);
	kreq->rec.home = &q->done_posts;
	ioevq_accept(kreq);
	ioevq_complete(kreq, ev->res, 0, ev->data);
	return 0;
}

static int nop_submit(struct ioevq_queue *q, struct ioevq_kreq *kreq, const struct ioevq_req *req)
{
	struct ioevq_event ev = { .user_data = req->user_data, .op = IOEVQ_OP_NOP };

	return post(q, &ev);
}

static int post_submit(struct ioevq_queue *q, struct ioevq_kreq *kreq, const struct ioevq_req *req)
{
	struct ioevq_event ev = {
		.user_data = req->user_data,
		.res = req->off,
		.op = IOEVQ_OP_POST,
		.data = req->addr,
	};
	struct ioevq_queue *to;
	struct file *file;
	int err;

	if (req->fd == -1)
		return post(q, &ev);
	file = fget(req->fd);
	if (!file)
		return -EBADF;
	to = ioevq_queue_from_file(file);
	if (!to)
		err = -EINVAL;
	else if (!(file->f_mode & FMODE_WRITE))
		err = -EBADF;
	else
		err = ioevq_queue_use(to);
	if (!err)
		err = post(to, &ev);
	/* A refusal ends the ioctl, and with it the file if that is closed meanwhile. */
	if (err)
		fput(file);
	else
		ioevq_queue_fput(to, file);
	return err;
}

/* No size: only a message that has to wait becomes a request. */
const struct ioevq_source ioevq_src_nop = {
	.submit = nop_submit,
};

const struct ioevq_source ioevq_src_post = {
	.uses = IOEVQ_USES_FD | IOEVQ_USES_ADDR | IOEVQ_USES_OFF,
	.submit = post_submit,
};

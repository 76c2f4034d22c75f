// SPDX-License-Identifier: GPL-2.0-only
/* NOP and POST: events from user space. */
#include <linux/file.h>
#include <linux/fs.h>

#include "req.h"

static int post(struct ioevq_queue *q, const struct ioevq_event *ev)
{
	return min(ioevq_post(q, ev, 1), 0);
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

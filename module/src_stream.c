// SPDX-License-Identifier: GPL-2.0-only
/* READ and WRITE on pipes, FIFOs and sockets: what is refused, done at once, or waits. */
#include <linux/file.h>
#include <linux/net.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <net/sock.h>

#include "aio.h"
#include "point.h"
#include "stream.h"

static const struct ioevq_source stream_source;

bool ioevq_is_stream(struct file *file)
{
	return ioevq_is_pipe(file) || sock_from_file(file);
}

/* The line of the file, if a request on it waits. */
static struct ioevq_line *find_line(struct ioevq_queue *q, struct file *file)
{
	struct ioevq_kreq *kreq;

	hlist_for_each_entry(kreq, ioevq_index_file(&q->index, file), by_file)
		if (kreq->src == &stream_source && READ_ONCE(kreq->file) == file &&
		    to_stream(kreq)->line)
			return to_stream(kreq)->line;
	return NULL;
}

static int line_get(struct ioevq_stream *s, struct ioevq_line *line)
{
	if (!line) {
		line = kzalloc(sizeof(*line), GFP_KERNEL_ACCOUNT);
		if (!line)
			return -ENOMEM;
		INIT_LIST_HEAD(&line->turns[READ]);
		INIT_LIST_HEAD(&line->turns[WRITE]);
	}
	line->users++;
	s->line = line;
	return 0;
}

static void line_put(struct ioevq_stream *s)
{
	if (s->line && !--s->line->users)
		kfree(s->line);
	s->line = NULL;
}

/* A request that was done at once has none of this. */
static void stream_release(struct ioevq_kreq *kreq)
{
	struct ioevq_stream *s = to_stream(kreq);

	if (s->line)
		ioevq_watch_end(&s->w);
	ioevq_watch_free_entries(&s->w);
	line_put(s);
	ioevq_env_drop(&s->env);
	kfree(s->iov);
}

/* Accepted. What came by now counts; and those before it may be done by now. */
static void accept_waiting(struct ioevq_stream *s, bool ready)
{
	struct ioevq_queue *q = s->w.kreq.q;

	spin_lock_irq(&q->lock);
	WRITE_ONCE(s->w.kreq.state, IOEVQ_LIVE);
	list_add_tail(&s->turn, &s->line->turns[s->rw]);
	if (ioevq_stream_has_turn(s) && (ready || s->w.early_recheck || !s->joined))
		ioevq_ask_recheck(&s->w.kreq);
	spin_unlock_irq(&q->lock);
}

/* First the wait queues, then the close hook: see poll_arm(). @first: no other waits. */
static int wait_for_file(struct ioevq_stream *s, struct file *file, struct ioevq_line *line,
			 bool first)
{
	int err, ready = 0;

	err = ioevq_user_need_workers(s->w.kreq.q->user) ?: line_get(s, line);
	if (err)
		return err;
	if (first)
		ready = ioevq_stream_join(s, file);
	err = min(ready, 0);
	ioevq_point(IOEVQ_POINT_ARM);
	if (!err) {
		s->w.close.closed = ioevq_stream_closed;
		err = ioevq_fclose_watch(&s->w.close, file);
	}
	if (err) {
		ioevq_watch_leave(&s->w);
		ioevq_watch_free_entries(&s->w);
		line_put(s);
		return err;
	}
	ioevq_env_capture(&s->env, true);
	accept_waiting(s, ready);
	return 0;
}

/* It need not wait. */
static int answer(struct ioevq_stream *s, long res)
{
	kfree(s->iov);
	s->iov = NULL;
	if (res >= 0)
		return ioevq_done(&s->w.kreq, res, 0);
	ioevq_accept(&s->w.kreq);
	ioevq_complete(&s->w.kreq, res, 0, 0);
	return 0;
}

static int start(struct ioevq_stream *s, struct file *file, bool nowait)
{
	struct ioevq_line *line = find_line(s->w.kreq.q, file);
	bool first = !line || ioevq_seems_empty(&line->turns[s->rw]);
	long res;
	int err;

	/* Nobody is overtaken. Who is going to wait closes nothing before he returns. */
	if (first && (nowait || !s->w.kreq.q->sleepy || !ioevq_stream_brings_files(s, file)) &&
	    ioevq_stream_transfer(s, file, &res) == IOEVQ_STREAM_DONE)
		return answer(s, res);
	if (nowait)
		return answer(s, ioevq_stream_result(s, -EAGAIN));
	err = wait_for_file(s, file, line, first);
	/* What was written cannot be taken back. */
	return err && s->done ? answer(s, s->done) : err;
}

/*
 * A message to the kernel itself is carried out by who sends it, a long answer is made by who
 * reads it, and both by his namespaces: which process a number is, for example. A worker has
 * those of the first of all processes.
 */
static bool is_for_the_kernel(struct socket *sock)
{
	return sock && sock->sk && sock->sk->sk_family == AF_NETLINK;
}

static int prepare(struct ioevq_stream *s, struct file *file, const struct ioevq_req *req)
{
	struct socket *sock = sock_from_file(file);
	loff_t pos = 0;
	ssize_t len;

	if (!(file->f_mode & (s->rw == WRITE ? FMODE_WRITE : FMODE_READ)))
		return -EBADF;
	if (s->rw == WRITE ? !file->f_op->write_iter : !file->f_op->read_iter)
		return -EINVAL;
	if (req->off != IOEVQ_POSITION)
		return -ESPIPE;
	/* Of these only RWF_NOWAIT means anything here; and they are in order as they are. */
	if (req->op_arg & ~(__force u32)IOEVQ_RWF_KNOWN || req->op_flags & IOEVQ_RW_FIXED ||
	    req->flags & IOEVQ_REQ_AFTER || is_for_the_kernel(sock))
		return -EOPNOTSUPP;
	len = ioevq_import(req, s->rw, &s->iter, &s->iov);
	if (len < 0)
		return len;
	s->len = len;
	/* Elsewhere what is written is a message, all of it or none. */
	s->whole = s->rw == WRITE && (!sock || sock->type == SOCK_STREAM);
	return rw_verify_area(s->rw, file, &pos, len);
}

/* @file is one of ours, held by the caller. Under queue->mutex. */
int ioevq_stream_submit(struct ioevq_kreq *kreq, struct file *file, const struct ioevq_req *req,
			int rw)
{
	struct ioevq_stream *s = to_stream(kreq);
	int err;

	kreq->src = &stream_source;
	kreq->file = file;
	kreq->fd = req->fd;
	s->rw = rw;
	s->w.mask = EPOLLERR | EPOLLHUP |
		    (rw == WRITE ? EPOLLOUT | EPOLLWRNORM : EPOLLIN | EPOLLRDNORM | EPOLLRDHUP);
	/* Its wake-ups never tell: whoever comes for events has to transfer. */
	s->w.armed = true;
	s->item.run = ioevq_stream_run;
	INIT_LIST_HEAD(&s->item.node);
	INIT_LIST_HEAD(&s->turn);
	err = prepare(s, file, req);
	if (!err)
		err = start(s, file, req->op_arg & (__force u32)RWF_NOWAIT);
	if (err < 0)
		kfree(s->iov);
	return err;
}

/* In the place of READ's and WRITE's own, for what was submitted here. */
static const struct ioevq_source stream_source = {
	.cancel = ioevq_stream_cancel,
	.recheck = ioevq_stream_recheck,
	.release = stream_release,
};

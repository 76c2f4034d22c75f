// SPDX-License-Identifier: GPL-2.0-only
/*
 * READ and WRITE on pipes, FIFOs and sockets. They are tried at once, without blocking.
 * What cannot be done then waits as a watch does: with entries in the wait queues of the
 * file and a weak pointer to it. So close() is close(), and a queue may be in flight in the
 * very socket that it reads from.
 *
 * When the file wakes it, the next consumer that comes for events transfers (recheck.c):
 * in its own context if the memory is its own, else by way of a lane (lane.c). A worker
 * tries without blocking, too. Nothing is announced that is not done.
 *
 * Whoever transfers holds the file meanwhile, so that its close comes after, and is the only
 * one: the first of its line, under queue->mutex or with in_lane set.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fsnotify.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <net/af_unix.h>
#include <net/sock.h>

#include "compat/stream.h"
#include "point.h"
#include "stream.h"

/* Attempts in a row, before others have a turn. */
#define MAX_ATTEMPTS	16

/* Requests of one line that are served in a row. */
#define MAX_TURNS	16

/* As one call of read(2) or write(2) with O_NONBLOCK. The caller holds the file. */
static long attempt(struct ioevq_stream *s, struct file *file)
{
	struct iov_iter iter = s->iter;
	struct kiocb kiocb;
	long ret;

	/* No ki_complete: it is over when the call returns. */
	init_sync_kiocb(&kiocb, file);
	kiocb.ki_flags |= IOCB_NOWAIT | (s->rw == WRITE ? IOCB_WRITE : 0);
	iov_iter_advance(&iter, s->done);
	if (ioevq_is_pipe(file))
		ret = compat_pipe_nowait(&kiocb, &iter, s->rw);
	else if (s->rw == WRITE)
		ret = file->f_op->write_iter(&kiocb, &iter);
	else
		ret = file->f_op->read_iter(&kiocb, &iter);
	if (ret > 0 && s->rw == WRITE)
		fsnotify_modify(file);
	else if (ret > 0)
		fsnotify_access(file);
	return ret;
}

/*
 * Do descriptors come with the data (SCM_RIGHTS)? They are dropped, and what they are of is
 * closed when the thread returns to user space, or a kernel thread has time. A consumer that
 * may go to sleep before that leaves it to a worker: what he waits for may be their close.
 */
bool ioevq_stream_brings_files(struct ioevq_stream *s, struct file *file)
{
	struct socket *sock = s->rw == READ ? sock_from_file(file) : NULL;
	struct sk_buff_head *queue;
	bool found = false;
	struct sk_buff *skb;

	if (!sock || sock->sk->sk_family != AF_UNIX)
		return false;
	queue = &sock->sk->sk_receive_queue;
	spin_lock(&queue->lock);
	skb_queue_walk(queue, skb) {
		/* Another reader may be taking them. */
		if (data_race(UNIXCB(skb).fp)) {
			found = true;
			break;
		}
	}
	spin_unlock(&queue->lock);
	return found;
}

/* A call of ->poll also asks for the wake-up to come, where that must be asked for. */
static __poll_t look(struct ioevq_stream *s, struct file *file)
{
	poll_table pt = { ._key = s->w.mask };

	return vfs_poll(file, &pt) & s->w.mask;
}

long ioevq_stream_result(struct ioevq_stream *s, long ret)
{
	if (ret == -ERESTARTSYS || ret == -ERESTARTNOINTR || ret == -ERESTARTNOHAND ||
	    ret == -ERESTART_RESTARTBLOCK)
		ret = -EINTR;
	return s->done ? s->done + max(ret, 0L) : ret;
}

/* In a context that has the submitter's memory and credentials. */
enum ioevq_outcome ioevq_stream_transfer(struct ioevq_stream *s, struct file *file, long *res)
{
	size_t before = s->done;
	unsigned int n;
	long ret;

	for (n = 0; n < MAX_ATTEMPTS; n++) {
		ret = attempt(s, file);
		if (ret > 0 && s->whole && s->done + ret < s->len) {
			s->done += ret;
			continue;
		}
		if (ret != -EAGAIN) {
			*res = ioevq_stream_result(s, ret);
			return IOEVQ_STREAM_DONE;
		}
		if (!look(s, file))
			return IOEVQ_STREAM_REST;
	}
	/*
	 * A file that says it is ready, and is not, must not keep its consumers busy: something
	 * will change, and wake us.
	 */
	return s->done > before ? IOEVQ_STREAM_GO_ON : IOEVQ_STREAM_REST;
}

/*
 * The final event. Returns whose turn it is now, to be asked or served by the caller. With
 * queue->lock.
 */
static struct ioevq_stream *finish(struct ioevq_stream *s, s64 res, u32 flags, bool news)
{
	struct list_head *turns = &s->line->turns[s->rw];
	bool first = list_is_first(&s->turn, turns);

	list_del_init(&s->turn);
	ioevq_complete_locked(&s->w.kreq, res, flags, 0, news);
	return first ? list_first_entry_or_null(turns, struct ioevq_stream, turn) : NULL;
}

/* A consumer shall serve it. NULL is allowed. With queue->lock. */
static void ask(struct ioevq_stream *s)
{
	if (s)
		ioevq_ask_recheck(&s->w.kreq);
}

/* It ends before it is done. What was written counts, as in an interrupted write(2). */
static void finish_early(struct ioevq_stream *s, bool closed)
{
	ask(finish(s, ioevq_stream_result(s, -ECANCELED), closed ? IOEVQ_EVENT_CLOSED : 0, true));
}

/*
 * Cancelled or closed: the final event now, or if a worker transfers at this moment, when it
 * is over. False: that.
 */
static bool end(struct ioevq_stream *s, bool closed)
{
	struct ioevq_queue *q = s->w.kreq.q;
	bool removed = ioevq_lane_remove(q, &s->item), mine;

	spin_lock_irq(&q->lock);
	if (removed)
		s->in_lane = false;
	mine = !s->in_lane;
	if (mine)
		finish_early(s, closed);
	else if (closed)
		s->closed = true;
	else
		s->stopped = true;
	spin_unlock_irq(&q->lock);
	if (removed)
		ioevq_queue_put_inflight(q);
	return mine;
}

/* A worker is done with it, which may be gone on return. */
static void leave_lane(struct ioevq_stream *s, enum ioevq_outcome out, long res)
{
	struct ioevq_queue *q = s->w.kreq.q;

	ioevq_point(IOEVQ_POINT_TRANSFER);
	spin_lock_irq(&q->lock);
	s->in_lane = false;
	if (out == IOEVQ_STREAM_DONE)
		ask(finish(s, res, 0, true));
	else if (s->closed || s->stopped)
		finish_early(s, s->closed);
	else if (s->again || out == IOEVQ_STREAM_GO_ON)
		ask(s);
	spin_unlock_irq(&q->lock);
}

void ioevq_stream_run(struct ioevq_lane_item *item)
{
	struct ioevq_stream *s = container_of(item, struct ioevq_stream, item);
	struct ioevq_queue *q = s->w.kreq.q;
	enum ioevq_outcome out = IOEVQ_STREAM_REST;
	struct ioevq_guise guise;
	struct file *file;
	long res = 0;

	/* NULL: it is being closed, which ends the request before or after us. */
	file = ioevq_watch_file(&s->w);
	if (file && ioevq_env_enter(&s->env, &guise)) {
		out = ioevq_stream_transfer(s, file, &res);
		ioevq_env_leave(&guise);
	} else if (file) {
		out = IOEVQ_STREAM_DONE;
		res = ioevq_stream_result(s, -ECANCELED);
	}
	/* Whoever is told that it is over may close the file, and nobody else has it. */
	if (file)
		ioevq_queue_fput(q, file);
	leave_lane(s, out, res);
	ioevq_queue_put_inflight(q);
}

static void to_lane(struct ioevq_stream *s)
{
	struct ioevq_queue *q = s->w.kreq.q;

	spin_lock_irq(&q->lock);
	s->in_lane = true;
	s->again = false;
	q->inflight++;
	spin_unlock_irq(&q->lock);
	ioevq_lane_add(q, &s->item);
}

/*
 * The memory is that of the consumer. The credentials may be another thread's. Returns whose
 * turn it is then, if this one's is over.
 */
static struct ioevq_stream *transfer_here(struct ioevq_stream *s, struct file *file)
{
	struct ioevq_queue *q = s->w.kreq.q;
	const struct cred *old = override_creds(s->env.cred);
	struct ioevq_stream *next = NULL;
	enum ioevq_outcome out;
	long res = 0;

	out = ioevq_stream_transfer(s, file, &res);
	revert_creds(old);
	ioevq_point(IOEVQ_POINT_TRANSFER);
	spin_lock_irq(&q->lock);
	if (out == IOEVQ_STREAM_DONE)
		next = finish(s, res, 0, false);
	else if (out == IOEVQ_STREAM_GO_ON)
		ask(s);
	spin_unlock_irq(&q->lock);
	return next;
}

struct stream_join {
	poll_table pt;
	struct ioevq_watch *w;
	int err;
};

static void join_queue(struct file *file, wait_queue_head_t *head, poll_table *pt)
{
	struct stream_join *join = container_of(pt, struct stream_join, pt);

	if (!join->err)
		join->err = ioevq_watch_join(join->w, head);
}

/* From now on the file wakes it. Is it ready now? Or -ENOMEM, -EOPNOTSUPP. */
int ioevq_stream_join(struct ioevq_stream *s, struct file *file)
{
	struct stream_join join = { .w = &s->w };
	__poll_t ready;

	init_poll_funcptr(&join.pt, join_queue);
	join.pt._key = s->w.mask;
	ready = vfs_poll(file, &join.pt) & s->w.mask;
	if (!join.err && !ready && !s->w.entry.head)
		join.err = -EOPNOTSUPP;
	s->joined = !join.err;
	return join.err ?: !!ready;
}

/* Its turn has come: serve it. The caller holds the file. Returns as above. */
static struct ioevq_stream *serve(struct ioevq_stream *s, struct file *file)
{
	struct ioevq_queue *q = s->w.kreq.q;
	struct ioevq_stream *next;
	int err = s->joined ? 0 : ioevq_stream_join(s, file);

	if (err < 0) {
		spin_lock_irq(&q->lock);
		next = finish(s, ioevq_stream_result(s, err), 0, false);
		spin_unlock_irq(&q->lock);
		return next;
	}
	if (s->env.mm == current->mm && !ioevq_stream_brings_files(s, file))
		return transfer_here(s, file);
	to_lane(s);
	return NULL;
}

/*
 * And those after it, whose turn comes thereby. Nobody else ends one of them meanwhile: we
 * have the mutex, and the file.
 */
static void serve_line(struct ioevq_stream *s, struct file *file)
{
	struct ioevq_queue *q = s->w.kreq.q;
	unsigned int n;

	for (n = 0; s && n < MAX_TURNS; n++)
		s = serve(s, file);
	if (!s)
		return;
	spin_lock_irq(&q->lock);
	ask(s);
	spin_unlock_irq(&q->lock);
}

/* What poll(2) would say. If it cannot be waited for, who comes for events is told why. */
static bool is_ready(struct ioevq_stream *s, struct file *file)
{
	return s->joined ? !!look(s, file) : !!ioevq_stream_join(s, file);
}

bool ioevq_stream_recheck(struct ioevq_kreq *kreq, bool tell)
	__must_hold(&kreq->q->lock)
{
	struct ioevq_stream *s = to_stream(kreq);
	struct ioevq_queue *q = kreq->q;
	struct file *file = NULL;
	bool ready = false, turn;

	lockdep_assert_held(&q->lock);

	turn = ioevq_stream_has_turn(s);
	/* For the worker that has it: it was woken. */
	s->again = true;
	spin_unlock_irq(&q->lock);
	ioevq_point(IOEVQ_POINT_LOOK);
	if (turn)
		file = ioevq_watch_file(&s->w);
	if (file) {
		if (tell)
			serve_line(s, file);
		else
			ready = is_ready(s, file);
		ioevq_queue_fput(q, file);
	}
	cond_resched();
	spin_lock_irq(&q->lock);
	return ready;
}

bool ioevq_stream_cancel(struct ioevq_kreq *kreq)
{
	return end(to_stream(kreq), false);
}

/* Under the lock of the close hook. */
void ioevq_stream_closed(struct ioevq_fwatch *fw, bool by_close)
{
	struct ioevq_watch *w = container_of(fw, struct ioevq_watch, close);

	ioevq_watch_leave(w);
	if (!by_close)
		return;
	/* It may be in a lane still when another file has this address. */
	WRITE_ONCE(w->kreq.file, IOEVQ_NO_FILE);
	end(to_stream(&w->kreq), true);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * POLL: readiness of anything that select(2) takes.
 *
 * A watch is an entry in the wait queues of the file, and a weak pointer to it. What it
 * does when it is woken is told in watch.c.
 *
 * Sockets, pipes and eventfds say in their wake-up what has become ready. Others only say
 * that something may have changed, or need ->poll to be called again before the next
 * wake-up: a consumer looks at them in its own context.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/magic.h>
#include <linux/net.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <net/sock.h>

#include "compat/master.h"
#include "point.h"
#include "src_poll.h"

static struct ioevq_watch *to_watch(struct ioevq_kreq *kreq)
{
	return container_of(kreq, struct ioevq_watch, kreq);
}

struct poll_arm {
	poll_table pt;
	struct ioevq_watch *w;
	int err;
};

/* A task's own: it cannot change while the task runs here. */
static struct sighand_struct *my_sighand(void)
{
	return rcu_dereference_protected(current->sighand, true);
}

static void poll_queue(struct file *file, wait_queue_head_t *head, poll_table *pt)
{
	struct poll_arm *arm = container_of(pt, struct poll_arm, pt);

	if (arm->err)
		return;
	if (head == &my_sighand()->signalfd_wqh)
		arm->w->sighand = my_sighand();
	if (arm->w->is_master && !compat_is_masters_queue(file, head))
		arm->err = -EOPNOTSUPP;
	else
		arm->err = ioevq_watch_join(arm->w, head);
}

/* Do its wake-ups say what is ready, and does it need no call of ->poll between them? */
static bool wakeups_tell(struct file *file)
{
	struct socket *sock = sock_from_file(file);
	struct eventfd_ctx *eventfd;

	if (sock && sock->sk) {
		switch (sock->sk->sk_family) {
		case AF_UNIX:
		case AF_INET:
		case AF_INET6:
		case AF_NETLINK:
		case AF_PACKET:
			return true;
		}
		return false;
	}
	if (S_ISFIFO(file_inode(file)->i_mode))
		return true;
	eventfd = eventfd_ctx_fileget(file);
	if (IS_ERR(eventfd))
		return false;
	eventfd_ctx_put(eventfd);
	return true;
}

/* Level-triggered is none of the modes. */
static bool confirms(u32 mode)
{
	return mode & IOEVQ_POLL_CONFIRM || !(mode & IOEVQ_POLL_MODES);
}

/*
 * What the file is ready for where it tells news, or has told some. Some of /proc and of cgroups
 * tell of a change once to each open file (mounts_poll(), psi_trigger_poll()). @again: who asks
 * next is to be told, too, if the watch has its file looked at. With the mutex.
 */
__poll_t ioevq_poll_news(struct ioevq_watch *w, struct file *file, __poll_t ready, bool again)
{
	ready |= w->peeked;
	w->peeked = 0;
	if (again && confirms(w->mode) && ready & EPOLLPRI && S_ISREG(file_inode(file)->i_mode))
		w->peeked = ready & (EPOLLERR | EPOLLPRI);
	return ready;
}

/*
 * What @mask and @op_flags ask for; ioevq_watch_arm() follows. With queue->lock, or before
 * anybody else knows of the watch. A wake-up for input also says urgent data, for which there
 * may be none.
 */
void ioevq_poll_set(struct ioevq_watch *w, u32 mask, u32 op_flags)
{
	bool tells;

	/* Read without the lock by wake-ups. */
	WRITE_ONCE(w->mask, (__force __poll_t)mask | EPOLLERR | EPOLLHUP);
	WRITE_ONCE(w->mode, op_flags & IOEVQ_POLL_FLAGS);
	tells = !confirms(w->mode) && w->can_tell && !(w->mask & (EPOLLPRI | EPOLLRDBAND));
	WRITE_ONCE(w->tells, tells);
	w->kreq.quiet = w->mode & IOEVQ_POLL_QUIET;
}

/* Are mask and flags valid? 0 or -EINVAL. */
int ioevq_poll_check(u32 mask, u32 op_flags)
{
	if (mask & ~(__force u32)IOEVQ_POLL_MASK || hweight32(op_flags & IOEVQ_POLL_MODES) > 1 ||
	    (op_flags & IOEVQ_POLL_LIFO && !(op_flags & IOEVQ_POLL_EXCLUSIVE)) ||
	    (op_flags & IOEVQ_POLL_QUIET && op_flags & IOEVQ_POLL_ONESHOT))
		return -EINVAL;
	return 0;
}

/* What the file of the watch was ready for when it was armed counts. queue->lock is held. */
void ioevq_poll_found(struct ioevq_watch *w, __poll_t ready)
{
	if (!ready)
		return;
	if (confirms(w->mode))
		ioevq_ask_recheck(&w->kreq);
	else
		ioevq_watch_announce(w, ready, true);
}

/*
 * It was told in vain: what to tell the next exclusive entry. In one direction, or it would
 * not be the only one to be told. Where ->poll might block, as this may be the exit of who had
 * to answer it, only that there may be something: some believe what they are told.
 */
static void hand_on(struct ioevq_watch *w, struct file *file)
{
	poll_table pt = { ._key = w->mask };
	__poll_t ready;

	if (!w->can_tell) {
		w->hands_on = true;
		return;
	}
	ready = w->mask & vfs_poll(file, &pt);
	w->handed_on = ready & EPOLLIN ? ready & ~EPOLLOUT : ready;
	w->hands_on = !!ready;
}

/* Is there another watch of the file that has to be told of? The last one tells for all. */
static bool others_owe(struct ioevq_watch *w)
{
	struct ioevq_kreq *kreq;

	hlist_for_each_entry(kreq, ioevq_index_file(&w->kreq.q->index, w->kreq.file), by_file)
		if (kreq->src == &ioevq_src_poll && kreq->file == w->kreq.file &&
		    READ_ONCE(to_watch(kreq)->owes))
			return true;
	return false;
}

static void poll_release(struct ioevq_kreq *kreq)
{
	struct ioevq_watch *w = to_watch(kreq);
	struct file *file = NULL;

	if (READ_ONCE(w->owes) && !others_owe(w))
		file = ioevq_watch_file(w);
	if (file) {
		hand_on(w, file);
		ioevq_queue_fput(kreq->q, file);
	}
	ioevq_watch_end(w);
	if (w->is_master)
		compat_put_masters_tty(w->tty);
	else
		ioevq_nest_del(w->nest);
	ioevq_watch_free_entries(w);
}

/* Accepted: what has come by now counts. */
static void poll_accept(struct ioevq_watch *w, __poll_t ready)
{
	struct ioevq_queue *q = w->kreq.q;

	spin_lock_irq(&q->lock);
	WRITE_ONCE(w->kreq.state, IOEVQ_LIVE);
	if (w->tells)
		ready |= w->early;
	ioevq_poll_found(w, ready);
	if (w->early_free)
		ioevq_watch_ended(w);
	else if (w->early_recheck && w->kreq.state == IOEVQ_LIVE)
		ioevq_ask_recheck(&w->kreq);
	spin_unlock_irq(&q->lock);
}

/*
 * First the wait queues, then the close hook: what closed() detaches is all there.
 * Between the two our caller's reference keeps the file open.
 */
static int poll_arm(struct ioevq_watch *w, struct file *file)
{
	struct poll_arm arm = { .w = w };
	__poll_t ready;
	int err;

	init_poll_funcptr(&arm.pt, poll_queue);
	arm.pt._key = w->mask;
	ready = ioevq_poll_ask(w, file, &arm.pt, true);
	err = arm.err;
	if (!err && !ready && !w->entry.head)
		err = -EPERM;
	ioevq_point(IOEVQ_POINT_ARM);
	if (!err)
		err = ioevq_watch_begin(w, file);
	if (err) {
		ioevq_watch_leave(w);
		ioevq_watch_free_entries(w);
		return err;
	}
	poll_accept(w, ready);
	return 0;
}

static int poll_arm_queue(struct ioevq_watch *w, struct file *file, struct ioevq_queue *inner,
			  u32 most)
{
	int err;

	w->nest = ioevq_nest_add(&w->kreq, inner, most);
	if (IS_ERR(w->nest))
		return PTR_ERR(w->nest);
	err = poll_arm(w, file);
	if (err)
		ioevq_nest_del(w->nest);
	return err;
}

/* The terminal stays until nobody can be in the middle of leaving its wait queues. */
static int poll_arm_master(struct ioevq_watch *w, struct file *file)
{
	int err;

	w->tty = compat_get_masters_tty(file);
	err = poll_arm(w, file);
	if (err)
		compat_put_masters_tty(w->tty);
	return err;
}

/* Does the queue watch @file by @fd? The caller holds the file. */
static bool is_watched(struct ioevq_queue *q, struct file *file, int fd)
{
	struct ioevq_kreq *kreq;

	hlist_for_each_entry(kreq, ioevq_index_file(&q->index, file), by_file)
		if (ioevq_poll_is(kreq, file, fd))
			return true;
	return false;
}

/* A live watch of @file, submitted for @fd? The caller holds the file, and the mutex. */
bool ioevq_poll_is(struct ioevq_kreq *kreq, struct file *file, int fd)
{
	return kreq->src == &ioevq_src_poll && kreq->file == file && kreq->fd == fd &&
	       READ_ONCE(kreq->state) == IOEVQ_LIVE;
}

static int poll_file(struct ioevq_watch *w, struct file *file, const struct ioevq_req *req)
{
	struct ioevq_queue *q = w->kreq.q, *inner = ioevq_queue_from_file(file);

	if (!file_can_poll(file))
		return -EPERM;
	if (req->op_flags & IOEVQ_POLL_UNIQUE && is_watched(q, file, req->fd))
		return -EEXIST;
	w->kreq.file = file;
	w->kreq.fd = req->fd;
	w->can_tell = wakeups_tell(file);
	ioevq_poll_set(w, req->op_arg, req->op_flags);
	ioevq_watch_arm(w, true);
	w->is_master = compat_is_silent_master(file);
	w->spare = &w->more;
	if (inner)
		return poll_arm_queue(w, file, inner, min_t(u64, req->len, U32_MAX));
	return w->is_master ? poll_arm_master(w, file) : poll_arm(w, file);
}

static int poll_submit(struct ioevq_queue *q, struct ioevq_kreq *kreq, const struct ioevq_req *req)
{
	struct file *file;
	int err;

	err = ioevq_poll_check(req->op_arg, req->op_flags);
	if (err)
		return err;
	file = fget(req->fd);
	if (!file)
		return -EBADF;
	err = poll_file(to_watch(kreq), file, req);
	ioevq_queue_fput(q, file);
	return err;
}

/*
 * An epoll set, by the name that /proc shows: its operations are not exported. Taking
 * another file for one only makes peeking at it less exact.
 */
static bool is_epoll(struct file *file)
{
	return file_inode(file)->i_sb->s_magic == ANON_INODE_FS_MAGIC &&
	       !strcmp(file->f_path.dentry->d_name.name, "[eventpoll]");
}

/*
 * What the file is ready for now. @peek: only to answer a ->poll of the queue, who comes to
 * take it must be told, too. With the mutex.
 */
static __poll_t look(struct ioevq_watch *w, struct file *file, bool peek)
{
	poll_table pt = { ._key = w->mask };

	/*
	 * A signalfd tells its caller's signals, not those of the process that we
	 * watch for: to another consumer say that there may be some.
	 */
	if (w->sighand && w->sighand != my_sighand())
		return (EPOLLIN | EPOLLRDNORM) & w->mask;
	/* Our caller may be an epoll set that holds its mutex: this very one, perhaps. */
	if (peek && is_epoll(file))
		return EPOLLIN & w->mask;
	return ioevq_poll_ask(w, file, &pt, peek);
}

/* Without queue->lock, which is held on return. */
static bool look_and_tell(struct ioevq_watch *w, struct file *file, bool tell)
	__acquires(&w->kreq.q->lock)
{
	struct ioevq_queue *q = w->kreq.q;
	bool told = false, peek;
	__poll_t ready;

	/*
	 * Where it need not be true when it is taken the answer to a ->poll may be an event,
	 * but not about an epoll set, which is not asked then.
	 */
	peek = !tell && (confirms(w->mode) || is_epoll(file));
	/* It may have told meanwhile, and rest. Only who has the mutex arms it again. */
	ready = !READ_ONCE(w->armed) ? 0 : look(w, file, peek);
	/* Should it be closed from here on that has been told when we have the lock. */
	if (!(w->mode & IOEVQ_POLL_EXCLUSIVE))
		ioevq_queue_fput(q, file);
	spin_lock_irq(&q->lock);
	/* The head must not be older than the wake-up that asked for this look. */
	smp_mb__after_spinlock();
	if (ready && !peek && w->kreq.state == IOEVQ_LIVE && w->armed)
		told = ioevq_watch_announce(w, ready, !tell);
	if (!(w->mode & IOEVQ_POLL_EXCLUSIVE))
		return peek && ready;
	spin_unlock_irq(&q->lock);
	if (told)
		ioevq_watch_take_turns(w);
	ioevq_queue_fput(q, file);
	spin_lock_irq(&q->lock);
	return peek && ready;
}

static bool poll_recheck(struct ioevq_kreq *kreq, bool tell)
	__must_hold(&kreq->q->lock)
{
	struct ioevq_watch *w = to_watch(kreq);
	struct ioevq_queue *q = kreq->q;
	struct file *file;

	lockdep_assert_held(&q->lock);

	spin_unlock_irq(&q->lock);
	ioevq_point(IOEVQ_POINT_LOOK);
	cond_resched();
	file = ioevq_watch_file(w);
	if (file)
		return look_and_tell(w, file, tell);
	spin_lock_irq(&q->lock);
	return false;
}

static bool poll_cancel(struct ioevq_kreq *kreq)
{
	struct ioevq_watch *w = to_watch(kreq);
	struct ioevq_queue *q = kreq->q;

	spin_lock_irq(&q->lock);
	/* Once: it may have been cancelled before, by a request. */
	if (kreq->state == IOEVQ_LIVE && w->mode & IOEVQ_POLL_EXCLUSIVE)
		WRITE_ONCE(w->owes, ioevq_watch_unreaped(w) || !list_empty(&kreq->recheck));
	ioevq_complete_locked(kreq, -ECANCELED, 0, 0, true);
	spin_unlock_irq(&q->lock);
	return true;
}

const struct ioevq_source ioevq_src_poll = {
	.size = sizeof(struct ioevq_watch),
	.op_flags = IOEVQ_POLL_FLAGS | IOEVQ_POLL_UNIQUE,
	.uses = IOEVQ_USES_FD | IOEVQ_USES_LEN | IOEVQ_USES_ARG,
	.submit = poll_submit,
	.cancel = poll_cancel,
	.recheck = poll_recheck,
	.release = poll_release,
};

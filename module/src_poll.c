// SPDX-License-Identifier: GPL-2.0-only
/*
 * POLL: readiness of anything that select(2) takes.
 *
 * A watch is an entry in the wait queues of the file, and a weak pointer to it.
 * Sockets, pipes and eventfds say in their wake-up what has become ready: that is
 * announced at once, from the wake-up. Others only say that something may have
 * changed, or need ->poll to be called again before the next wake-up: a consumer
 * looks at them in its own context (recheck).
 *
 * An edge watch remembers for each bit of the mask where its last announcement stands
 * in the ring. While that is unreaped the bit is not announced again.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/net.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <net/sock.h>

#include "fclose.h"
#include "req.h"

#define MAX_HEADS	4
#define NR_BITS		14	/* EPOLLRDHUP is the last bit of POLL_MASK */
/* What a caller may ask for; the rest of the bits are epoll's own. */
#define POLL_MASK	(EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDNORM | \
			 EPOLLRDBAND | EPOLLWRNORM | EPOLLWRBAND | EPOLLMSG | EPOLLRDHUP)

struct poll_watch;

/* @head: NULL when not queued; see detach_entry() for who may clear it */
struct poll_entry {
	wait_queue_entry_t wait;
	wait_queue_head_t *head;
	struct poll_watch *w;
};

struct poll_watch {
	struct ioevq_kreq kreq;
	struct ioevq_fwatch close;
	__poll_t mask;			/* constant */
	bool oneshot;			/* constant */
	bool tells;			/* constant; its wake-ups say what is ready */
	struct ioevq_nest *nest;	/* constant; if it is a queue that is watched */
	struct sighand_struct *sighand;	/* constant, compared only; see poll_recheck() */
	/* queue->lock: */
	/* What came before the request was accepted: */
	__poll_t early;
	bool early_recheck;
	bool early_free;
	__poll_t announced;		/* bits that have a seq */
	ioevq_seq_t seq[NR_BITS];	/* of the last announcement of each bit */
	u64 folded;			/* wake-ups without an event of their own */
	struct ioevq_rec *spare;	/* &more, when it is not in the backlog */
	struct ioevq_rec more;
	ioevq_seq_t more_seq;		/* of what it was last used for */
	/* constant after submission: */
	unsigned int nr_entries;
	struct poll_entry entry;
	struct poll_entry *others[MAX_HEADS - 1];
};

/*
 * What of @mask was not announced, or was and has been reaped. Each bit has its own
 * place in the ring: a consumer that takes one announcement acts on that alone.
 */
static __poll_t not_announced(struct poll_watch *w, __poll_t mask)
{
	unsigned long bits = (__force u32)(mask & w->announced);
	unsigned int bit;

	for_each_set_bit(bit, &bits, NR_BITS)
		if (!ioevq_ring_reaped(&w->kreq.q->ring, w->seq[bit]))
			mask &= ~(__force __poll_t)BIT(bit);
	return mask;
}

static void note_announced(struct poll_watch *w, __poll_t mask, ioevq_seq_t seq)
{
	unsigned long bits = (__force u32)mask;
	unsigned int bit;

	w->announced |= mask;
	for_each_set_bit(bit, &bits, NR_BITS)
		w->seq[bit] = seq;
}

/* The file is ready: make it known unless that was done. queue->lock is held. */
static void announce(struct poll_watch *w, __poll_t mask)
{
	u64 folded = w->folded;

	if (w->oneshot) {
		ioevq_complete_locked(&w->kreq, (__force u32)mask, 0, w->folded);
		return;
	}
	mask = not_announced(w, mask);
	if (!mask) {
		w->folded++;
		return;
	}
	if (!w->spare) {
		/* The last one is in the backlog still, out of sight: it can say more. */
		w->more.ev.res |= (__force u32)mask;
		w->folded++;
		note_announced(w, mask, w->more_seq);
		return;
	}
	w->folded = 0;
	w->more_seq = ioevq_post_more(&w->kreq, &w->spare, (__force u32)mask, 0, folded);
	note_announced(w, mask, w->more_seq);
}

static void changed(struct poll_watch *w, __poll_t key)
{
	struct ioevq_queue *q = w->kreq.q;
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	/* Pairs with the consumer's compare-and-swap: see ioevq_ring_reaped(). */
	smp_mb__after_spinlock();
	if (w->kreq.state == IOEVQ_NEW) {
		w->early |= key;
		w->early_recheck |= !w->tells || !key;
	} else if (w->kreq.state == IOEVQ_LIVE) {
		if (w->tells && key)
			announce(w, key);
		else
			ioevq_ask_recheck(&w->kreq);
	}
	spin_unlock_irqrestore(&q->lock, flags);
}

/* The wait queue is going away, not because the file is closed. */
static void freed(struct poll_watch *w)
{
	struct ioevq_queue *q = w->kreq.q;
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	if (w->kreq.state == IOEVQ_NEW)
		w->early_free = true;
	else
		ioevq_complete_locked(&w->kreq, (__force u32)EPOLLHUP, IOEVQ_EVENT_CLOSED,
				      w->folded);
	spin_unlock_irqrestore(&q->lock, flags);
}

/* The wake-up: any context, under the lock of the wait queue. */
static int poll_wake(wait_queue_entry_t *wait, unsigned int mode, int sync, void *keyp)
{
	struct poll_entry *e = container_of(wait, struct poll_entry, wait);
	struct poll_watch *w = e->w;
	__poll_t key = key_to_poll(keyp);

	if (unlikely(key & POLLFREE)) {
		freed(w);
		list_del_init(&wait->entry);
		/* Last: pairs with detach_entry(). The head may be freed from here on. */
		smp_store_release(&e->head, NULL);
		return 0;
	}
	if (!key || key & w->mask)
		changed(w, key & w->mask);
	return 0;
}

/*
 * Leave the wait queue, which may be going away itself: the protocol of POLLFREE
 * (include/linux/wait.h) keeps its memory for an RCU grace period.
 */
static void detach_entry(struct poll_entry *e)
{
	wait_queue_head_t *head;

	rcu_read_lock();
	/* Pairs with the release in poll_wake(): NULL means that it is gone. */
	head = smp_load_acquire(&e->head);
	if (head) {
		spin_lock_irq(&head->lock);
		list_del_init(&e->wait.entry);
		spin_unlock_irq(&head->lock);
		e->head = NULL;
	}
	rcu_read_unlock();
}

static struct poll_entry *entry_nr(struct poll_watch *w, unsigned int i)
{
	return i ? w->others[i - 1] : &w->entry;
}

static void detach_all(struct poll_watch *w)
{
	unsigned int i;

	for (i = 0; i < w->nr_entries; i++)
		detach_entry(entry_nr(w, i));
}

/* The file is being closed, or we lost interest. Under the lock of the close hook. */
static void poll_closed(struct ioevq_fwatch *fw, bool by_close)
{
	struct poll_watch *w = container_of(fw, struct poll_watch, close);

	detach_all(w);
	if (by_close)
		ioevq_complete(&w->kreq, 0, IOEVQ_EVENT_CLOSED, w->folded);
}

struct poll_arm {
	poll_table pt;
	struct poll_watch *w;
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
	struct poll_watch *w = arm->w;
	struct poll_entry *e;
	unsigned int i;

	if (arm->err)
		return;
	for (i = 0; i < w->nr_entries; i++)
		if (entry_nr(w, i)->head == head)
			return;
	e = &w->entry;
	if (i == MAX_HEADS) {
		arm->err = -EOPNOTSUPP;
		return;
	}
	if (i) {
		e = kzalloc(sizeof(*e), GFP_KERNEL_ACCOUNT);
		if (!e) {
			arm->err = -ENOMEM;
			return;
		}
		w->others[i - 1] = e;
	}
	if (head == &my_sighand()->signalfd_wqh)
		w->sighand = my_sighand();
	w->nr_entries++;
	e->w = w;
	e->head = head;
	init_waitqueue_func_entry(&e->wait, poll_wake);
	add_wait_queue(head, &e->wait);
}

/*
 * Do its wake-ups say what is ready, and does it need no call of ->poll between
 * them? A wake-up for input also says urgent data, for which there may be none.
 */
static bool wakeups_tell(struct file *file, __poll_t mask)
{
	struct socket *sock = sock_from_file(file);
	struct eventfd_ctx *eventfd;

	if (mask & (EPOLLPRI | EPOLLRDBAND))
		return false;
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

static void free_entries(struct poll_watch *w)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(w->others); i++)
		kfree(w->others[i]);
}

static void poll_release(struct ioevq_kreq *kreq)
{
	struct poll_watch *w = container_of(kreq, struct poll_watch, kreq);

	ioevq_fclose_unwatch(&w->close);
	free_entries(w);
	ioevq_nest_del(w->nest);
}

/* Accepted: what has come by now counts. */
static void poll_accept(struct poll_watch *w, __poll_t ready)
{
	struct ioevq_queue *q = w->kreq.q;

	spin_lock_irq(&q->lock);
	w->kreq.state = IOEVQ_LIVE;
	if (w->tells)
		ready |= w->early;
	if (ready)
		announce(w, ready);
	if (w->early_free)
		ioevq_complete_locked(&w->kreq, (__force u32)EPOLLHUP, IOEVQ_EVENT_CLOSED,
				      w->folded);
	else if (w->early_recheck && w->kreq.state == IOEVQ_LIVE)
		ioevq_ask_recheck(&w->kreq);
	spin_unlock_irq(&q->lock);
}

/*
 * First the wait queues, then the close hook: what closed() detaches is all there.
 * Between the two our caller's reference keeps the file open.
 */
static int poll_arm(struct poll_watch *w, struct file *file)
{
	struct poll_arm arm = { .w = w };
	__poll_t ready;
	int err;

	init_poll_funcptr(&arm.pt, poll_queue);
	arm.pt._key = w->mask;
	ready = vfs_poll(file, &arm.pt) & w->mask;
	err = arm.err;
	if (!err && !ready && !w->nr_entries)
		err = -EPERM;
	if (!err)
		err = ioevq_fclose_watch(&w->close, file);
	if (err) {
		detach_all(w);
		free_entries(w);
		return err;
	}
	poll_accept(w, ready);
	return 0;
}

static int poll_arm_queue(struct poll_watch *w, struct file *file, struct ioevq_queue *inner)
{
	int err;

	w->nest = ioevq_nest_add(&w->kreq, inner);
	if (IS_ERR(w->nest))
		return PTR_ERR(w->nest);
	err = poll_arm(w, file);
	if (err)
		ioevq_nest_del(w->nest);
	return err;
}

static int poll_submit(struct ioevq_queue *q, struct ioevq_kreq *kreq, const struct ioevq_req *req)
{
	struct poll_watch *w = container_of(kreq, struct poll_watch, kreq);
	__poll_t mask = (__force __poll_t)req->op_arg;
	struct ioevq_queue *inner;
	struct file *file;
	int err;

	if (mask & ~POLL_MASK)
		return -EINVAL;
	if (!req->op_flags)
		return -EOPNOTSUPP;	/* level-triggered: to come */
	if (req->op_flags == (IOEVQ_POLL_EDGE | IOEVQ_POLL_ONESHOT))
		return -EINVAL;
	file = fget(req->fd);
	if (!file)
		return -EBADF;
	kreq->file = file;
	kreq->fd = req->fd;
	w->mask = mask | EPOLLERR | EPOLLHUP;
	w->oneshot = req->op_flags & IOEVQ_POLL_ONESHOT;
	w->tells = wakeups_tell(file, w->mask);
	w->spare = &w->more;
	w->close.closed = poll_closed;
	inner = ioevq_queue_from_file(file);
	if (!file_can_poll(file))
		err = -EPERM;
	else if (inner)
		err = poll_arm_queue(w, file, inner);
	else
		err = poll_arm(w, file);
	ioevq_queue_fput(q, file);
	return err;
}

static void poll_recheck(struct ioevq_kreq *kreq)
{
	struct poll_watch *w = container_of(kreq, struct poll_watch, kreq);
	struct file *file = ioevq_fclose_get(&w->close);
	struct ioevq_queue *q = kreq->q;
	poll_table pt = { ._key = w->mask };
	__poll_t ready;

	if (!file)
		return;
	/*
	 * A signalfd tells its caller's signals, not those of the process that we
	 * watch for: to another consumer say that there may be some.
	 */
	if (w->sighand && w->sighand != my_sighand())
		ready = (EPOLLIN | EPOLLRDNORM) & w->mask;
	else
		ready = vfs_poll(file, &pt) & w->mask;
	ioevq_queue_fput(q, file);
	if (!ready)
		return;
	spin_lock_irq(&q->lock);
	/* The head must not be older than the wake-up that asked for this look. */
	smp_mb__after_spinlock();
	if (kreq->state == IOEVQ_LIVE)
		announce(w, ready);
	spin_unlock_irq(&q->lock);
}

const struct ioevq_source ioevq_src_poll = {
	.size = sizeof(struct poll_watch),
	.op_flags = IOEVQ_POLL_EDGE | IOEVQ_POLL_ONESHOT,
	.uses = IOEVQ_USES_FD | IOEVQ_USES_ARG,
	.submit = poll_submit,
	.cancel = ioevq_cancel_now,
	.recheck = poll_recheck,
	.release = poll_release,
};

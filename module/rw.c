// SPDX-License-Identifier: GPL-2.0-only
/*
 * read(2) and write(2): events out of a queue, and messages into it. The arguments are in
 * registers, which is half of the cost of an ioctl.
 *
 * Nothing else is done by a write: what it says is about no descriptor and no memory of the
 * caller. A program that is made to write to a queue, as its standard output say, does what it
 * would do to a pipe.
 */
#include <linux/fs.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "req.h"
#include "rw.h"
#include "take.h"

/* Messages that are copied at once, and posted under one hold of the lock. */
#define CHUNK	8

static noinline int wait_for(struct ioevq_queue *q, struct ioevq_event __user *to, u32 max,
			     unsigned int no_wait)
{
	struct ioevq_enter enter = {
		.events = (uintptr_t)to,
		.min = 1,
		.max = max,
		.timeout_ns = no_wait ? 0 : -1,
	};

	return ioevq_wait_long(q, &enter);
}

/* One event at least, unless O_NONBLOCK says not to wait for it, and as many as are there. */
ssize_t ioevq_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	struct ioevq_event __user *to = (void __user *)buf;
	struct ioevq_queue *q = file->private_data;
	unsigned int no_wait = file->f_flags & O_NONBLOCK;
	/* A read is never longer than INT_MAX. */
	u32 max = len / sizeof(*to);
	int ret;

	if (!max)
		return -EINVAL;
	ret = ioevq_queue_use(q);
	if (ret)
		return ret;
	ioevq_tidy(q);
	ret = ioevq_take_at_once(q, to, 1, max, no_wait);
	if (unlikely(ret == -EAGAIN))
		ret = wait_for(q, to, max, no_wait);
	if (likely(ret > 0))
		return ret * sizeof(*to);
	/* Not restarted after a signal, as no wait for events is: see signal(7). */
	return ret ?: -EAGAIN;
}

/* By readv(2) the VFS would come back with an event in hand, and wait for another. */
ssize_t ioevq_read_iter(struct kiocb *kiocb, struct iov_iter *to)
{
	return -EINVAL;
}

/* How many of them are messages, up to the first that is none. */
static unsigned int count_messages(const struct ioevq_event *evs, unsigned int nr)
{
	unsigned int n = 0;

	while (n < nr && evs[n].op == IOEVQ_OP_POST && !evs[n].flags)
		n++;
	return n;
}

/* By words: what copy_from_user() costs is a third of all that is done for a message. */
static int copy_messages(struct ioevq_event *to, const struct ioevq_event __user *from,
			 unsigned int nr)
{
	const u64 __user *src = (const void __user *)from;
	u64 *dst = (void *)to, *end = dst + nr * sizeof(*to) / sizeof(*dst);

	if (!user_access_begin(from, nr * sizeof(*to)))
		return -EFAULT;
	for (; dst < end; dst += 4, src += 4) {
		unsafe_get_user(dst[0], src, fault);
		unsafe_get_user(dst[1], src + 1, fault);
		unsafe_get_user(dst[2], src + 2, fault);
		unsafe_get_user(dst[3], src + 3, fault);
	}
	user_access_end();
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

/* Up to CHUNK messages, one if it is traced: how many were posted, or why the first was not. */
static int write_some(struct ioevq_queue *q, const struct ioevq_event __user *from, unsigned int nr)
{
	struct ioevq_event evs[CHUNK];
	unsigned int n;
	int ret;

	if (!(READ_ONCE(q->ops) & BIT_ULL(IOEVQ_OP_POST)))
		return -EPERM;
	if (copy_messages(evs, from, nr)) {
		/* The first of them may be there all the same. */
		nr = 1;
		if (copy_messages(evs, from, nr))
			return -EFAULT;
	}
	n = count_messages(evs, nr);
	if (!n)
		return -EINVAL;
	if (!ioevq_traces_messages())
		return ioevq_post(q, evs, n);
	ioevq_trace_message(q, evs, 0);
	ret = ioevq_post(q, evs, 1);
	if (ret < 0)
		ioevq_trace_message(q, evs, ret);
	return ret;
}

/* Who has written less than he wanted to is told why by the next write. */
ssize_t ioevq_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	const struct ioevq_event __user *from = (const void __user *)buf;
	struct ioevq_queue *q = file->private_data;
	size_t nr = len / sizeof(*from), done = 0;
	unsigned int n;
	int ret;

	if (!nr || len % sizeof(*from))
		return -EINVAL;
	ret = ioevq_queue_use(q);
	if (ret)
		return ret;
	do {
		n = min_t(size_t, nr - done, CHUNK);
		ret = write_some(q, from + done, n);
		if (ret > 0)
			done += ret;
		cond_resched();
	} while (ret > 0 && done < nr && !signal_pending(current));
	/* Who writes has entered the kernel, too. */
	ioevq_go_on(q, true);
	return done ? done * sizeof(*from) : ret;
}

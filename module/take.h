/* SPDX-License-Identifier: GPL-2.0-only */
/* Taking events: copied first and taken after, by whoever is first. */
#ifndef IOEVQ_TAKE_H
#define IOEVQ_TAKE_H

#include <linux/uaccess.h>

#include "point.h"
#include "req.h"
#include "trace.h"

int ioevq_take_events(struct ioevq_queue *q, struct ioevq_event __user *to, u32 max);
int ioevq_look_and_take(struct ioevq_queue *q, struct ioevq_event __user *to, u32 min, u32 max,
			unsigned int no_wait);

static __always_inline u64 ioevq_word(const u64 *from)
{
	/* Written over meanwhile, perhaps: see ioevq_copy_events(). */
	return data_race(*from);
}

/*
 * Copy the @n events from @head on: 0 or -EFAULT. Where another takes them first they may be
 * written over meanwhile: then the caller's compare-and-swap fails.
 */
static __always_inline int ioevq_copy_events(const struct ioevq_ring_state *ring, u64 head,
					     u32 n, struct ioevq_event __user *to)
{
	const u64 *from;
	u64 __user *dst;

	BUILD_BUG_ON(sizeof(*to) != 4 * sizeof(u64));
	if (!user_access_begin(to, n * sizeof(*to)))
		return -EFAULT;
	for (; n; n--, head++, to++) {
		from = (const void *)(ring->slots + (head & ring->mask));
		dst = (void __user *)to;
		unsafe_put_user(ioevq_word(from), dst, fault);
		unsafe_put_user(ioevq_word(from + 1), dst + 1, fault);
		unsafe_put_user(ioevq_word(from + 2), dst + 2, fault);
		unsafe_put_user(ioevq_word(from + 3), dst + 3, fault);
	}
	user_access_end();
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

/*
 * They are copied first and taken after, by compare-and-swap on the head, as user space
 * does: a fault takes none. @n: how many, or 0 if somebody else was faster; or -EFAULT.
 */
static __always_inline int ioevq_take(struct ioevq_queue *q, u64 head, u32 n,
				      struct ioevq_event __user *to)
{
	struct ioevq_ring_state *ring = &q->ring;

	if (ioevq_copy_events(ring, head, n, to))
		return -EFAULT;
	ioevq_point(IOEVQ_POINT_TAKE);
	/* Pairs with the head being read by who posts; see ioevq_ring_reaped(). */
	if (cmpxchg(&ring->page->head, head, head + n) != head)
		return 0;
	ioevq_trace_take(q, to, head, n);
	return n;
}

/* What is in the ring, without the lock: see ioevq_take_at_once(). */
static __always_inline int ioevq_take_now(struct ioevq_queue *q, struct ioevq_event __user *to,
					  u32 min, u32 max, unsigned int no_wait)
{
	struct ioevq_ring_state *ring = &q->ring;
	u64 head, n;
	int ret;

	/* Pairs with the release in ioevq_ring_publish(). */
	n = smp_load_acquire(&ring->tail);
	head = READ_ONCE(ring->page->head);
	n -= head;
	if (n > ring->entries || (n < min && !no_wait))
		return -EAGAIN;
	if (!n || !max)
		return n;
	ret = ioevq_take(q, head, min_t(u64, n, max), to);
	/* Another was faster, or a fault: that is for who tries again. */
	return ret > 0 ? ret : -EAGAIN;
}

/*
 * As a rule there is nothing to think of but events: no limit, here or at a queue before, no
 * alert, no backlog, none that goes on when it is taken. That is what the flags say, here as to
 * who takes from the mapped ring, and no lock is needed. As ioevq_wait(), or -EAGAIN: go the long
 * way. Inline, as are the rest: this is what it costs to take an event.
 */
static __always_inline int ioevq_take_at_once(struct ioevq_queue *q, struct ioevq_event __user *to,
					      u32 min, u32 max, unsigned int no_wait)
{
	if (likely(!READ_ONCE(q->ring.flags) && !ioevq_conc_counts_me()))
		return ioevq_take_now(q, to, min, max, no_wait);
	return ioevq_look_and_take(q, to, min, max, no_wait);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Rings of events that can be watched themselves: io_uring, and other queues; see kinds.h. */
#ifndef IOEVQ_KINDS_RING_H
#define IOEVQ_KINDS_RING_H

#include <linux/io_uring.h>

#include "kinds_file.h"

/* Of the one that a test has. It is mapped while it is used: a mapping keeps it open. */
static struct io_uring_params kind_uring;

static inline int make_uring(struct thing *t)
{
	memset(&kind_uring, 0, sizeof(kind_uring));
	t->fd = syscall(SYS_io_uring_setup, 8, &kind_uring);
	return t->fd < 0;
}

static inline void *map_uring(struct thing *t, size_t size, off_t what)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, t->fd, what);

	return p == MAP_FAILED ? NULL : p;
}

/* It has a completion: of an operation that does nothing. */
static inline int rouse_uring(struct thing *t)
{
	size_t sq_size = kind_uring.sq_off.array + kind_uring.sq_entries * sizeof(__u32);
	size_t sqe_size = kind_uring.sq_entries * sizeof(struct io_uring_sqe);
	char *sq = map_uring(t, sq_size, IORING_OFF_SQ_RING);
	struct io_uring_sqe *sqe = map_uring(t, sqe_size, IORING_OFF_SQES);
	__u32 *tail, slot;
	int ret = -1;

	if (sq && sqe) {
		tail = (__u32 *)(sq + kind_uring.sq_off.tail);
		slot = *tail % kind_uring.sq_entries;
		memset(&sqe[slot], 0, sizeof(*sqe));
		sqe[slot].opcode = IORING_OP_NOP;
		((__u32 *)(sq + kind_uring.sq_off.array))[slot] = slot;
		__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
		ret = syscall(SYS_io_uring_enter, t->fd, 1, 0, 0, NULL, 0) == 1 ? 0 : -1;
	}
	munmap(sq, sq_size);
	munmap(sqe, sqe_size);
	return ret;
}

static inline int drain_uring(struct thing *t)
{
	size_t size = kind_uring.cq_off.cqes +
		      kind_uring.cq_entries * sizeof(struct io_uring_cqe);
	char *cq = map_uring(t, size, IORING_OFF_CQ_RING);
	__u32 tail;

	if (!cq)
		return -1;
	tail = __atomic_load_n((__u32 *)(cq + kind_uring.cq_off.tail), __ATOMIC_ACQUIRE);
	__atomic_store_n((__u32 *)(cq + kind_uring.cq_off.head), tail, __ATOMIC_RELEASE);
	return munmap(cq, size);
}

static inline int make_queue(struct thing *t)
{
	t->fd = open("/dev/ioevq", O_RDWR | O_CLOEXEC);
	return t->fd < 0;
}

static inline int rouse_queue(struct thing *t)
{
	struct ioevq q = { .fd = t->fd };

	return ioevq_post(&q, 1, 0, 0);
}

static inline int drain_queue(struct thing *t)
{
	struct ioevq q = { .fd = t->fd };
	struct ioevq_event ev;
	int ret;

	do {
		ret = enter_wait(&q, &ev, 0, 1, 0);
	} while (ret > 0);
	return ret;
}

#endif

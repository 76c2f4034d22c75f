/* SPDX-License-Identifier: GPL-2.0-only */
/* io_uring by its system calls, as its manual pages recommend it. */
#ifndef BENCH_URING_H
#define BENCH_URING_H

#include <linux/io_uring.h>

#include "bench.h"

/* Newer than the header of Debian 12. */
#define OP_WAITID		50

#define URING_DEFER	(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)

struct uring {
	int fd;
	int enter_fd;			/* registered: saves looking the descriptor up */
	unsigned int enter_flags;
	unsigned int *sq_tail, *sq_array, *sq_flags, *cq_head, *cq_tail;
	unsigned int sq_mask, cq_mask;
	unsigned int tail, to_submit;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	void *rings;
	size_t rings_size;
};

/* 0 or -errno: what this kernel does not know is not compared */
int uring_open_cq(struct uring *r, unsigned int entries, unsigned int cq_entries,
		  unsigned int flags);
void uring_register_files(struct uring *r, const int *fds, unsigned int n);
void uring_close(struct uring *r);

static inline int uring_open(struct uring *r, unsigned int entries, unsigned int flags)
{
	return uring_open_cq(r, entries, 4 * entries, flags);
}

static __always_inline struct io_uring_sqe *uring_sqe(struct uring *r, unsigned int op, int fd,
						      uint64_t user_data)
{
	struct io_uring_sqe *sqe = &r->sqes[r->tail++ & r->sq_mask];

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = (uint8_t)op;
	sqe->fd = fd;
	sqe->user_data = user_data;
	r->to_submit++;
	return sqe;
}

static __always_inline struct io_uring_sqe *uring_poll(struct uring *r, int fd, uint64_t user_data,
						       bool multi)
{
	struct io_uring_sqe *sqe = uring_sqe(r, IORING_OP_POLL_ADD, fd, user_data);

	sqe->poll32_events = POLLIN;
	if (multi)
		sqe->len = IORING_POLL_ADD_MULTI;
	return sqe;
}

/* Submit what was filled, and wait for so many. */
static __always_inline int uring_enter(struct uring *r, unsigned int min, unsigned int flags)
{
	unsigned int n = r->to_submit;

	__atomic_store_n(r->sq_tail, r->tail, __ATOMIC_RELEASE);
	r->to_submit = 0;
	return (int)syscall(__NR_io_uring_enter, r->enter_fd, n, min, flags | r->enter_flags,
			    NULL, 0);
}

/* The next completion, or NULL. It is taken by uring_seen(). */
static __always_inline struct io_uring_cqe *uring_peek(struct uring *r)
{
	unsigned int head = *r->cq_head;

	if (head == __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE))
		return NULL;
	return &r->cqes[head & r->cq_mask];
}

static __always_inline void uring_seen(struct uring *r, unsigned int n)
{
	__atomic_store_n(r->cq_head, *r->cq_head + n, __ATOMIC_RELEASE);
}

/* Wait for one, take it, and return its result. */
static inline int uring_result(struct uring *r)
{
	struct io_uring_cqe *cqe = uring_peek(r);
	int res;

	while (!cqe) {
		MUST(uring_enter(r, 1, IORING_ENTER_GETEVENTS));
		cqe = uring_peek(r);
	}
	res = cqe->res;
	uring_seen(r, 1);
	return res;
}

#endif

// SPDX-License-Identifier: GPL-2.0-only
/* What a system call costs, and calls that find nothing to do. */
#include "bench.h"
#include "uring.h"

static void round_getpid(void *arg)
{
	(void)arg;
	syscall(__NR_getpid);
}

static void round_epoll(void *arg)
{
	struct epoll_event ev;

	epoll_wait(*(int *)arg, &ev, 1, 0);
}

static void round_uring(void *arg)
{
	uring_enter(arg, 0, IORING_ENTER_GETEVENTS);
}

static void round_ours(void *arg)
{
	struct ioevq_event ev;
	struct ioevq_enter enter = { .events = (uintptr_t)&ev, .max = 1 };

	ioevq_enter(arg, &enter);
}

static void round_no_ioctl(void *arg)
{
	ioctl(*(int *)arg, _IO(IOEVQ_TYPE, 255), NULL);
}

static void floor_row(const char *name, enum kind kind, round_fn *round, void *arg)
{
	struct row row = { .question = "floor", .object = "", .name = name, .kind = kind,
			   .n = 1, .k = 1 };

	measure(&row, round, arg);
}

void bench_floor(void)
{
	struct uring u;
	struct ioevq q;
	int epfd = MUST(epoll_create1(0));

	MUST(ioevq_open(&q, 0, 0));
	floor_row("getpid", FLOOR, round_getpid, NULL);
	floor_row("epoll_wait(0) of an empty set", PEER, round_epoll, &epfd);
	if (!uring_open(&u, 8, URING_DEFER))
		floor_row("io_uring_enter of an empty ring", PEER, round_uring, &u);
	floor_row("ioevq ENTER of an empty queue", OURS, round_ours, &q);
	floor_row("ioevq, an ioctl that there is not", FLOOR, round_no_ioctl, &q.fd);
}

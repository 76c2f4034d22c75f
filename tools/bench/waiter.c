// SPDX-License-Identifier: GPL-2.0-only
/*
 * A blocked waiter: two threads wake each other by an eventfd each. An event is a write, the
 * switch to who waits, and the read; a round has two, one each way.
 */
#include <pthread.h>

#include "bench.h"
#include "uring.h"

/* One end: what it waits on, by which API, and who is woken. */
struct end {
	const struct wait_way *way;
	int in, out;
	int epfd;
	struct uring u;
	struct ioevq q;
};

struct wait_way {
	const char *name;
	enum kind kind;
	bool nonblock;
	void (*open)(struct end *e);
	void (*wait)(struct end *e);
	void (*serve)(struct end *e);	/* what the partner does for ever */
	round_fn *round;
};

static __always_inline void pass(struct end *e, void (*wait)(struct end *e))
{
	put_message(e->out);
	wait(e);
	get_message(e->in);
}

static __always_inline void answer(struct end *e, void (*wait)(struct end *e))
{
	for (;;) {
		wait(e);
		get_message(e->in);
		put_message(e->out);
	}
}

/* The three functions of a way whose wait is wait_NAME(). */
#define WAY(name)							\
static void round_##name(void *arg)					\
{									\
	pass(arg, wait_##name);						\
}									\
									\
static void serve_##name(struct end *e)					\
{									\
	answer(e, wait_##name);						\
}

static void open_nothing(struct end *e)
{
	(void)e;
}

static __always_inline void wait_read(struct end *e)
{
	(void)e;
}

WAY(read)

static __always_inline void wait_poll(struct end *e)
{
	struct pollfd p = { .fd = e->in, .events = POLLIN };

	MUST(poll(&p, 1, -1));
}

WAY(poll)

static void open_epoll(struct end *e, uint32_t flags)
{
	struct epoll_event ev = { .events = EPOLLIN | flags };

	e->epfd = MUST(epoll_create1(0));
	MUST(epoll_ctl(e->epfd, EPOLL_CTL_ADD, e->in, &ev));
}

static void open_epoll_level(struct end *e)
{
	open_epoll(e, 0);
}

static void open_epoll_edge(struct end *e)
{
	open_epoll(e, EPOLLET);
}

static __always_inline void wait_epoll(struct end *e)
{
	struct epoll_event ev;

	MUST(epoll_wait(e->epfd, &ev, 1, -1));
}

WAY(epoll)

static void open_uring(struct end *e, unsigned int flags)
{
	if (uring_open(&e->u, 8, flags))
		die("io_uring_setup");
	uring_poll(&e->u, e->in, 0, true);
	MUST(uring_enter(&e->u, 0, 0));
}

static void open_uring_default(struct end *e)
{
	open_uring(e, 0);
}

static void open_uring_defer(struct end *e)
{
	open_uring(e, URING_DEFER);
}

static __always_inline void wait_uring(struct end *e)
{
	MUST(uring_enter(&e->u, 1, IORING_ENTER_GETEVENTS));
	if (uring_peek(&e->u))
		uring_seen(&e->u, 1);
}

WAY(uring)

static void open_ours(struct end *e, uint32_t mode)
{
	struct ioevq_req req;

	MUST(ioevq_open(&e->q, 64, 0));
	ioevq_prep_poll(&req, e->in, POLLIN, mode, 1);
	MUST(ioevq_submit(&e->q, &req, 1));
}

static void open_ours_edge(struct end *e)
{
	open_ours(e, IOEVQ_POLL_EDGE);
}

static void open_ours_level(struct end *e)
{
	open_ours(e, IOEVQ_POLL_LEVEL);
}

static __always_inline void wait_ours(struct end *e)
{
	struct ioevq_event ev;
	struct ioevq_enter enter = {
		.events = (uintptr_t)&ev, .min = 1, .max = 1, .timeout_ns = -1,
	};

	MUST(ioevq_enter(&e->q, &enter));
}

WAY(ours)

static __always_inline void wait_ours_read(struct end *e)
{
	struct ioevq_event ev;

	if (read(e->q.fd, &ev, sizeof(ev)) != sizeof(ev))
		die("read of a queue");
}

WAY(ours_read)

static void *partner(void *arg)
{
	struct end *e = arg;

	e->way->open(e);
	e->way->serve(e);
	return NULL;
}

static const struct wait_way ways[] = {
	{ "blocking read", FLOOR, false, open_nothing, wait_read, serve_read, round_read },
	{ "poll", PEER, true, open_nothing, wait_poll, serve_poll, round_poll },
	{ "epoll LT", PEER, true, open_epoll_level, wait_epoll, serve_epoll, round_epoll },
	{ "epoll ET", PEER, true, open_epoll_edge, wait_epoll, serve_epoll, round_epoll },
	{ "io_uring multishot", PEER, true, open_uring_default, wait_uring, serve_uring,
	  round_uring },
	{ "io_uring multishot, DEFER", PEER, true, open_uring_defer, wait_uring, serve_uring,
	  round_uring },
	{ "ioevq edge, ENTER", OURS, true, open_ours_edge, wait_ours, serve_ours, round_ours },
	{ "ioevq edge, read", OURS, true, open_ours_edge, wait_ours_read, serve_ours_read,
	  round_ours_read },
	{ "ioevq level, ENTER", OURS, true, open_ours_level, wait_ours, serve_ours, round_ours },
};

/* The partner waits for good in the end: it is gone with the process. */
void bench_waiter(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++) {
		const struct wait_way *w = &ways[i];
		struct row row = {
			.question = "waiter", .object = "eventfd", .name = w->name,
			.kind = w->kind, .n = 1, .k = 1, .median = true, .per_round = 2,
		};
		int flags = w->nonblock ? EFD_NONBLOCK : 0;
		int a = MUST(eventfd(0, flags)), b = MUST(eventfd(0, flags));
		struct end *ends = warm_alloc(2, sizeof(*ends));
		pthread_t thread;

		ends[0] = (struct end){ .way = w, .in = a, .out = b };
		ends[1] = (struct end){ .way = w, .in = b, .out = a };
		w->open(&ends[0]);
		if (pthread_create(&thread, NULL, partner, &ends[1]))
			die("pthread_create");
		measure(&row, w->round, &ends[0]);
	}
}

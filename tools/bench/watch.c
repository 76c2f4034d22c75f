// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a watch costs to add, to change and to remove, one in a call and many; and to close
 * the set of them. Of n eventfds, all of them in turn.
 */
#include "objects.h"
#include "uring.h"

#define MANY	128

enum step { ADD, MODIFY, REMOVE, CLOSE, NR_STEPS };

static const char * const step_names[] = { "add", "modify", "remove", "close" };

struct watches {
	const struct objects *o;
	unsigned int batch;
	int epfd;
	struct uring u;
	struct ioevq q;
	struct ioevq_req reqs[MANY];
};

struct watch_way {
	const char *name;
	enum kind kind;
	unsigned int batch;
	void (*open)(struct watches *w);
	/* All of them, in this order. */
	void (*step[NR_STEPS])(struct watches *w);
};

static void open_epoll(struct watches *w)
{
	w->epfd = MUST(epoll_create1(0));
}

static __always_inline void ctl(struct watches *w, int op, uint32_t events)
{
	struct epoll_event ev = { .events = events };

	for (unsigned int i = 0; i < w->o->n; i++) {
		ev.data.u32 = i;
		MUST(epoll_ctl(w->epfd, op, w->o->rd[i], &ev));
	}
}

static void add_epoll(struct watches *w)
{
	ctl(w, EPOLL_CTL_ADD, EPOLLIN | EPOLLET);
}

static void modify_epoll(struct watches *w)
{
	ctl(w, EPOLL_CTL_MOD, EPOLLIN | EPOLLPRI | EPOLLET);
}

static void remove_epoll(struct watches *w)
{
	ctl(w, EPOLL_CTL_DEL, 0);
}

static void close_epoll(struct watches *w)
{
	close(w->epfd);
}

/* The table by which it finds what is to be removed is the larger the larger its ring is. */
static void open_uring(struct watches *w)
{
	if (uring_open_cq(&w->u, 2 * MANY, w->o->n > 8 * MANY ? w->o->n : 8 * MANY, URING_DEFER))
		die("io_uring_setup");
}

/* What was submitted has completed, and what was removed, too. */
static void flush_uring(struct watches *w, unsigned int completions)
{
	unsigned int n;

	MUST(uring_enter(&w->u, completions, completions ? IORING_ENTER_GETEVENTS : 0));
	for (n = 0; completions && uring_peek(&w->u); n++)
		uring_seen(&w->u, 1);
	if (n < completions)
		die("io_uring: completions are missing");
}

static void add_uring(struct watches *w)
{
	for (unsigned int i = 0; i < w->o->n; i++) {
		uring_poll(&w->u, w->o->rd[i], i + 1, true);
		if (w->u.to_submit == w->batch || i + 1 == w->o->n)
			flush_uring(w, 0);
	}
}

static void modify_uring(struct watches *w)
{
	for (unsigned int i = 0; i < w->o->n; i++) {
		struct io_uring_sqe *sqe = uring_sqe(&w->u, IORING_OP_POLL_REMOVE, -1, 0);

		sqe->addr = i + 1;
		sqe->len = IORING_POLL_UPDATE_EVENTS | IORING_POLL_ADD_MULTI;
		sqe->poll32_events = POLLIN | POLLPRI;
		sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
		if (w->u.to_submit == w->batch || i + 1 == w->o->n)
			flush_uring(w, 0);
	}
}

static void remove_uring(struct watches *w)
{
	for (unsigned int i = 0; i < w->o->n; i++) {
		struct io_uring_sqe *sqe = uring_sqe(&w->u, IORING_OP_POLL_REMOVE, -1, 0);

		sqe->addr = i + 1;
		sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
		/* Each watch has a last completion. */
		if (w->u.to_submit == w->batch || i + 1 == w->o->n)
			flush_uring(w, w->u.to_submit);
	}
}

static void close_uring(struct watches *w)
{
	uring_close(&w->u);
}

static void open_ours(struct watches *w)
{
	errno = -ioevq_open(&w->q, 2 * MANY, 0);
	if (errno)
		die("ioevq_open");
}

static void submit_ours(struct watches *w, unsigned int n)
{
	if (ioevq_submit(&w->q, w->reqs, n) != (int)n)
		die("ioevq_submit");
}

/* One call for each @batch of requests, which @prep fills. */
static __always_inline void each(struct watches *w,
				 void (*prep)(struct ioevq_req *req, int fd, unsigned int i))
{
	unsigned int i, n = 0;

	for (i = 0; i < w->o->n; i++) {
		prep(&w->reqs[n++], w->o->rd[i], i);
		if (n == w->batch || i + 1 == w->o->n) {
			submit_ours(w, n);
			n = 0;
		}
	}
}

static __always_inline void prep_add(struct ioevq_req *req, int fd, unsigned int i)
{
	ioevq_prep_poll(req, fd, POLLIN, IOEVQ_POLL_EDGE | IOEVQ_POLL_QUIET, i + 1);
}

static __always_inline void prep_modify(struct ioevq_req *req, int fd, unsigned int i)
{
	ioevq_prep_poll_mod(req, fd, POLLIN | POLLRDHUP, IOEVQ_POLL_EDGE | IOEVQ_POLL_QUIET,
			    i + 1, 0);
	req->flags = IOEVQ_REQ_SKIP_SUCCESS;
}

static __always_inline void prep_remove(struct ioevq_req *req, int fd, unsigned int i)
{
	(void)i;
	ioevq_prep_cancel(req, IOEVQ_CANCEL_FD, 0, fd, 0, 0);
	req->flags = IOEVQ_REQ_SKIP_SUCCESS;
}

static void add_ours(struct watches *w)
{
	each(w, prep_add);
}

static void modify_ours(struct watches *w)
{
	each(w, prep_modify);
}

static void remove_ours(struct watches *w)
{
	each(w, prep_remove);
}

static void close_ours(struct watches *w)
{
	ioevq_close(&w->q);
}

static const struct watch_way ways[] = {
	{ "epoll", PEER, 1, open_epoll, { add_epoll, modify_epoll, remove_epoll, close_epoll } },
	{ "io_uring, one", PEER, 1, open_uring,
	  { add_uring, modify_uring, remove_uring, close_uring } },
	{ "io_uring, 128", PEER, MANY, open_uring,
	  { add_uring, modify_uring, remove_uring, close_uring } },
	{ "ioevq, one", OURS, 1, open_ours,
	  { add_ours, modify_ours, remove_ours, close_ours } },
	{ "ioevq, 128", OURS, MANY, open_ours,
	  { add_ours, modify_ours, remove_ours, close_ours } },
};

/* One pass over all of them, as a region of its own. */
static void time_step(const struct watch_way *way, struct watches *w, enum step which,
		      double *figure, unsigned int *nr)
{
	uint64_t t;

	region_begin();
	t = clock_insns();
	way->step[which](w);
	t = clock_insns() - t;
	*nr = region_end();
	*figure = (double)t / w->o->n;
}

/* A pass adds all, changes all, and removes all, or closes what they are in. */
static void measure_way(const struct watch_way *way, const struct objects *o)
{
	struct watches *w = warm_alloc(1, sizeof(*w));
	double figures[NR_STEPS][MAX_BATCHES];
	unsigned int regions[NR_STEPS] = {};
	unsigned int n = o->n > 1000 ? 2 : nr_batches(), i;
	enum step step;

	w->o = o;
	w->batch = way->batch;
	for (i = 0; i < 2 * n; i++) {
		bool closes = i & 1;
		enum step last = closes ? REMOVE : CLOSE;

		way->open(w);
		settle();
		for (step = ADD; step < last; step++)
			time_step(way, w, step, &figures[step][i / 2], &regions[step]);
		settle();
		if (closes)
			time_step(way, w, CLOSE, &figures[CLOSE][i / 2], &regions[CLOSE]);
		else
			way->step[CLOSE](w);
	}
	for (step = ADD; step < NR_STEPS; step++) {
		struct row row = {
			.question = step_names[step], .object = "eventfd", .name = way->name,
			.kind = way->kind, .n = o->n, .k = way->batch,
		};

		region_set(regions[step]);
		put_row(&row, figures[step], n, o->n);
	}
	free(w);
}

void bench_watch(void)
{
	/* Of so many as come last ours only: does their number matter? */
	static const unsigned int ns[] = { 1000, 10000, 100, 100000 };
	struct objects o;
	unsigned int i, j;

	for (i = 0; i < (quick ? 2 : ARRAY_SIZE(ns)); i++) {
		objects_make(&o, &obj_eventfd, ns[i]);
		for (j = 0; j < ARRAY_SIZE(ways); j++)
			if (ns[i] <= 10000 || (ways[j].kind == OURS && ways[j].batch == MANY))
				measure_way(&ways[j], &o);
		objects_close(&o);
	}
}

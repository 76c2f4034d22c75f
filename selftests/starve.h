/* SPDX-License-Identifier: GPL-2.0-only */
/* Law 13: Alice takes what she may have, and Bob does as ever beside her. */
#ifndef IOEVQ_STARVE_H
#define IOEVQ_STARVE_H

#include <sys/resource.h>

#include "fixed.h"
#include "users.h"

#define LIMIT		512		/* of requests, for a test */
#define QUEUE_LIMIT	(LIMIT / 4)
#define LOCKED		16		/* pages that may be locked */

struct attack {
	struct door d;
	int over[2];			/* of descriptors, from Bob to Alice */
	long got;			/* how much Alice has */
	long queues;			/* the same of queues */
	long max_user_requests;
	long max_requests;
};

static inline struct attack *attack_begin(void)
{
	struct rlimit few = { .rlim_cur = LOCKED * PAGE, .rlim_max = LOCKED * PAGE };
	struct attack *a = mmap(NULL, sizeof(*a), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (a == MAP_FAILED)
		return NULL;
	a->max_user_requests = get_param("max_user_requests");
	a->max_requests = get_param("max_requests");
	if (a->max_user_requests < LIMIT || a->max_requests < QUEUE_LIMIT ||
	    door_make(&a->d, 0666, 0) || socketpair(AF_UNIX, SOCK_STREAM, 0, a->over) ||
	    set_param("max_user_requests", LIMIT) || set_param("max_requests", QUEUE_LIMIT) ||
	    setrlimit(RLIMIT_MEMLOCK, &few))
		return NULL;
	return a;
}

static inline int attack_end(struct attack *a, const struct offspring *c)
{
	if (act_as_root() || set_param("max_user_requests", a->max_user_requests) ||
	    set_param("max_requests", a->max_requests))
		return -1;
	door_end(&a->d);
	return c->pid > 0 && !kill(c->pid, SIGKILL) && waitpid(c->pid, NULL, 0) == c->pid ? 0 : -1;
}

/* A file by a worker, and by registered memory. */
static inline int writes(const struct ioevq *q, char *page)
{
	struct ioevq_req req;
	int fd = memfd_create("file", MFD_CLOEXEC), ret = 0;

	ioevq_prep_write(&req, fd, page, PAGE, 0, 1);
	req.op_arg = RWF_DSYNC;
	if (outcome(q, &req) != PAGE)
		ret = 1;
	ioevq_prep_fsync(&req, fd, 0, 1);
	if (outcome(q, &req))
		ret = 2;
	if (register_one(q, page, PAGE) || read_fixed(q, fd, page, PAGE, 0, 0) != PAGE ||
	    ioevq_unregister_buffers(q))
		ret = 3;
	close(fd);
	return ret;
}

/* All that one does with a queue, up to the limits. */
static inline int is_well(const struct door *d, char *page)
{
	int fd = eventfd(0, EFD_NONBLOCK), ret;
	struct ioevq_event ev;
	struct offspring c;
	struct ioevq_req req;
	struct ioevq q;

	if (fd < 0 || enter_by(&q, d, 8))
		return 1;
	if (!quiet(&q))
		return 2;
	if (watch(&q, fd, POLLIN, IOEVQ_POLL_EDGE, 1) || eventfd_write(fd, 1) ||
	    next_event(&q, &ev) != 1 || ev.op != IOEVQ_OP_POLL)
		return 3;
	close(fd);
	if (next_event(&q, &ev) != 1 || ev.flags != IOEVQ_EVENT_CLOSED)
		return 4;
	ioevq_prep_timer(&req, 0, 1000000, 0, 2);
	if (submit(&q, &req) || next_event(&q, &ev) != 1 || ev.op != IOEVQ_OP_TIMER)
		return 5;
	if (offspring(&c, exit_with, 5) || watch_as(&q, ANY, 0, 0, 3) || let_go(&c) ||
	    !told(&q, 3, c.pid, IOEVQ_EVENT_MORE, 5 << 8) || waitpid(c.pid, NULL, 0) != c.pid)
		return 6;
	offspring_close(&c);
	ret = writes(&q, page);
	if (ret)
		return 10 + ret;
	ioevq_close(&q);
	return 0;
}

static inline int be_well(struct offspring *c, long arg)
{
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)c;
	return become(BOB) || page == MAP_FAILED ? 90 : is_well((const struct door *)arg, page);
}

/* And in a process that lives on, as the same user, the whole of the limit. */
static inline int have_all(struct offspring *c, long arg)
{
	const struct door *d = (const struct door *)arg;
	int fd = eventfd(0, 0), n = 0, ret;
	struct ioevq q;

	(void)c;
	if (become(BOB))
		return 90;
	do {
		if (enter_by(&q, d, 4))
			return 1;
		ret = park(&q, fd, QUEUE_LIMIT, 0);
		n += ret < 0 ? 0 : ret;
	} while (ret > 0);
	return ret == -EDQUOT && n == LIMIT ? 0 : 2;
}

/* Alice takes, and says so; then Bob does as ever. */
#define EXPECT_BOB_IS_WELL_BESIDE(_run)						\
do {										\
	ASSERT_EQ(0, run_until_it_says(&self->c, _run, (long)self->a))		\
		TH_LOG("status %d", status_of(&self->c));			\
	EXPECT_EQ(0, run_to_its_end(be_well, (long)&self->a->d));		\
	EXPECT_EQ(0, run_to_its_end(have_all, (long)&self->a->d));		\
} while (0)

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Laws 11 and 14 when memory runs out, or a copy fails, in any call on a queue but the
 * submission of requests. It has happened, or it has not, and the queue is as good as before.
 */
#ifndef IOEVQ_FAULT_CALL_H
#define IOEVQ_FAULT_CALL_H

#include "fault.h"
#include "fixed.h"
#include "readiness.h"

#define EVENTS	3

struct called {
	struct ioevq q;
	struct ioevq plain;		/* another queue */
	long users;			/* of the module without q */
	struct ioevq_setup setup;
	struct ioevq_info info;		/* before the call */
	struct ioevq_event evs[EVENTS];
	struct ioevq_buffer buffer;
	void *map;
	size_t size;
	int fd;
	int epoll;
	int taken;
};

FIXTURE(fault_call)
{
	struct called c;
};

/* @enomem, @efault: so many calls at least have failed like that */
FIXTURE_VARIANT(fault_call)
{
	struct faulty f;
	unsigned int enomem;
	unsigned int efault;
	struct ioevq_setup setup;
};

/* A call: how often it fails at least, and what is called. */
#define CALL(_enomem, _efault, ...)					\
	{ .f = { __VA_ARGS__ }, .enomem = _enomem, .efault = _efault }

static inline int fresh(void *called)
{
	struct called *c = called;

	if (ioevq_open(&c->q, 4, 0))
		return -1;
	c->info = query(&c->q);
	return 0;
}

/* It works, and nothing of it is left. */
static inline int end(struct called *c)
{
	if (!quiet(&c->q) || requests(&c->q) || query(&c->q).waiting)
		return -1;
	ioevq_close(&c->q);
	return pinned() || !eventually(module_users() == c->users);
}

/* The numbers of the queue are as before. */
static inline int unchanged(const struct called *c)
{
	struct ioevq_info info = query(&c->q);

	return info.ops == c->info.ops && info.concurrency == c->info.concurrency &&
	       info.buffers == c->info.buffers && info.entries == c->info.entries &&
	       info.requests == c->info.requests && info.available == c->info.available;
}

static inline int same(void *called, long ret)
{
	struct called *c = called;

	(void)ret;
	return !unchanged(c) || end(c);
}

/* Buffers are there already, and stay. */
static inline int before_buffers(void *called)
{
	struct called *c = called;
	int err = fresh(c) || ioevq_register_buffers(&c->q, &c->buffer, 1);

	c->info = query(&c->q);
	return err;
}

FIXTURE_SETUP(fault_call)
{
	struct called *c = &self->c;

	memset(c, 0, sizeof(*c));
	c->setup = variant->setup;
	c->buffer = (struct ioevq_buffer){ (uintptr_t)pages(PAGE), PAGE };
	ASSERT_EQ(0, ioevq_open(&c->plain, 2, 0));
	c->users = module_users();
}

FIXTURE_TEARDOWN(fault_call)
{
	(void)variant;
	EXPECT_TRUE(quiet(&self->c.plain));
	ioevq_close(&self->c.plain);
}

/*
 * What a test of it does. A chance may be used up by what comes between, as a page fault: then
 * all is tried again.
 */
#define SWEEP_CALL()							\
do {									\
	struct sweep __s;						\
	int __i = 0;							\
									\
	do {								\
		ASSERT_EQ(0, sweep(&__s, &variant->f, &self->c));	\
		TH_LOG("%u calls failed: %u ENOMEM, %u EFAULT", __s.failed, __s.enomem,	\
		       __s.efault);					\
	} while ((__s.enomem < variant->enomem || __s.efault < variant->efault) && ++__i < 3); \
	EXPECT_LT(0, __s.failed);					\
	EXPECT_LE(variant->enomem, __s.enomem);				\
	EXPECT_LE(variant->efault, __s.efault);				\
} while (0)

#endif

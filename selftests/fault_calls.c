// SPDX-License-Identifier: GPL-2.0-only
/* Law 14 when something fails in open, SETUP, mmap, INFO, CONTROL, or at the first use. */
#include "fault_call.h"

static long call_open(void *called)
{
	struct called *c = called;

	c->fd = open("/dev/ioevq", O_RDWR | O_CLOEXEC);
	return or_errno(c->fd);
}

static int after_open(void *called, long ret)
{
	struct called *c = called;

	if (ret >= 0 && close(c->fd))
		return -1;
	return !eventually(module_users() == c->users);
}

FIXTURE_VARIANT_ADD(fault_call, open)
	CALL(3, 1, NULL, call_open, after_open);

static int before_setup(void *called)
{
	struct called *c = called;

	return call_open(c) < 0;
}

static long call_setup(void *called)
{
	struct called *c = called;
	struct ioevq_setup setup = c->setup;

	return or_errno(ioctl(c->fd, IOEVQ_IOC_SETUP, &setup));
}

/* If it was not set up it still can be; only the answer may have got lost. */
static int after_setup(void *called, long ret)
{
	struct called *c = called;
	struct ioevq_setup setup = c->setup;
	struct ioevq_info info = { .size = sizeof(info) };
	int again = or_errno(ioctl(c->fd, IOEVQ_IOC_SETUP, &setup));
	struct ioevq_enter enter = { .size = sizeof(enter) };

	if (again && !(again == -EBUSY && ret != -ENOMEM))
		return -1;
	if (ioctl(c->fd, IOEVQ_IOC_INFO, &info) || info.entries != c->setup.entries ||
	    (c->setup.ops && info.ops != c->setup.ops) || ioctl(c->fd, IOEVQ_IOC_ENTER, &enter))
		return -1;
	return close(c->fd) || !eventually(module_users() == c->users);
}

#define SETUP(...)							\
	{								\
		.f = { before_setup, call_setup, after_setup }, .enomem = 2, .efault = 2,	\
		.setup = { .size = sizeof(struct ioevq_setup), __VA_ARGS__ }	\
	}

FIXTURE_VARIANT_ADD(fault_call, setup)
	SETUP(.entries = 1);
FIXTURE_VARIANT_ADD(fault_call, setup_large)
	SETUP(.entries = 4096);
FIXTURE_VARIANT_ADD(fault_call, setup_mapped)
	SETUP(.entries = 512, .flags = IOEVQ_SETUP_MAPPED);
FIXTURE_VARIANT_ADD(fault_call, setup_limited)
	SETUP(.entries = 2, .flags = IOEVQ_SETUP_CONCURRENCY, .concurrency = 1);
FIXTURE_VARIANT_ADD(fault_call, setup_restricted)
	SETUP(.entries = 2, .ops = 1 << IOEVQ_OP_POST);

/* The first use of a queue that was not set up. */
static long call_first_use(void *called)
{
	struct called *c = called;
	struct ioevq_req req;
	struct ioevq_enter enter = {
		.size = sizeof(enter), .reqs = (uintptr_t)&req, .nr_reqs = 1,
	};

	ioevq_prep_nop(&req, 1);
	return or_errno(ioctl(c->fd, IOEVQ_IOC_ENTER, &enter));
}

static int after_first_use(void *called, long ret)
{
	struct called *c = called;
	struct ioevq_info info = { .size = sizeof(info) };
	struct ioevq_event ev;
	struct ioevq_enter enter = {
		.size = sizeof(enter), .events = (uintptr_t)&ev, .max = 1,
	};
	int there;

	if (ioctl(c->fd, IOEVQ_IOC_INFO, &info))
		return -1;
	/* It may have been submitted, and the answer lost. */
	there = info.available;
	if (there > 1 || (!ret && !there) || (ret == -ENOMEM && there))
		return -1;
	if (ioctl(c->fd, IOEVQ_IOC_ENTER, &enter) != there)
		return -1;
	return close(c->fd) || !eventually(module_users() == c->users);
}

/* The structure is copied in another way if the first one fails. */
FIXTURE_VARIANT_ADD(fault_call, first_use)
	CALL(2, 1, before_setup, call_first_use, after_first_use);

static long call_first_limit(void *called)
{
	struct called *c = called;

	return ioevq_set_concurrency(&(struct ioevq){ .fd = c->fd }, 2);
}

static int after_first_limit(void *called, long ret)
{
	struct called *c = called;
	struct ioevq_info info = { .size = sizeof(info) };

	if (ioctl(c->fd, IOEVQ_IOC_INFO, &info) || info.concurrency != (ret ? IOEVQ_UNLIMITED : 2))
		return -1;
	return after_open(called, c->fd);
}

FIXTURE_VARIANT_ADD(fault_call, first_use_by_limit)
	CALL(2, 1, before_setup, call_first_limit, after_first_limit);

static int before_first_read(void *called)
{
	struct called *c = called;

	return before_setup(c) || fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

static long call_first_read(void *called)
{
	struct called *c = called;
	long ret = or_errno(read(c->fd, c->evs, sizeof(c->evs)));

	return ret == -EAGAIN ? 0 : ret ?: -EPROTO;
}

static int after_first_read(void *called, long ret)
{
	struct called *c = called;

	/* There is nothing to copy. */
	return (ret && ret != -ENOMEM) || after_open(called, c->fd);
}

FIXTURE_VARIANT_ADD(fault_call, first_use_by_read)
	CALL(2, 0, before_first_read, call_first_read, after_first_read);

static long call_mmap(void *called)
{
	struct called *c = called;

	c->map = mmap(NULL, c->q.ring_size, PROT_READ | PROT_WRITE, MAP_SHARED, c->q.fd, 0);
	return c->map == MAP_FAILED ? -errno : 0;
}

static int after_mmap(void *called, long ret)
{
	struct called *c = called;

	if (!ret && (memcmp(c->map, c->q.ring, sizeof(struct ioevq_ring)) ||
		     munmap(c->map, c->q.ring_size)))
		return -1;
	return same(c, ret);
}

FIXTURE_VARIANT_ADD(fault_call, mmap)
	CALL(1, 0, fresh, call_mmap, after_mmap);

static long call_info(void *called)
{
	struct called *c = called;
	struct ioevq_info info = { .op = IOEVQ_OP_POLL };
	int ret = ioevq_info(&c->q, &info);

	return ret ?: info.entries == 4 ? 0 : -EPROTO;
}

FIXTURE_VARIANT_ADD(fault_call, info)
	CALL(0, 2, fresh, call_info, same);

static long call_restrict(void *called)
{
	struct called *c = called;

	return ioevq_restrict(&c->q, 1 << IOEVQ_OP_NOP | 1 << IOEVQ_OP_POST);
}

static int after_restrict(void *called, long ret)
{
	struct called *c = called;

	if (!ret)
		c->info.ops = 1 << IOEVQ_OP_NOP | 1 << IOEVQ_OP_POST;
	return same(c, ret);
}

FIXTURE_VARIANT_ADD(fault_call, restrict)
	CALL(0, 1, fresh, call_restrict, after_restrict);

static long call_limit(void *called)
{
	struct called *c = called;

	return ioevq_set_concurrency(&c->q, 2);
}

static int after_limit(void *called, long ret)
{
	struct called *c = called;

	if (!ret)
		c->info.concurrency = 2;
	return same(c, ret);
}

FIXTURE_VARIANT_ADD(fault_call, limit)
	CALL(0, 1, fresh, call_limit, after_limit);

static long call_alert(void *called)
{
	struct called *c = called;

	return ioevq_alert(&c->q, 7);
}

static int is_alerted(struct called *c)
{
	struct ioevq_event ev = {};

	return enter_wait(&c->q, &ev, 1, 1, 0) == 1 && ev.flags == IOEVQ_EVENT_ALERT;
}

static int after_alert(void *called, long ret)
{
	struct called *c = called;

	if (is_alerted(c) != !ret || ioevq_clear_alert(&c->q))
		return -1;
	return same(c, ret);
}

FIXTURE_VARIANT_ADD(fault_call, alert)
	CALL(0, 1, fresh, call_alert, after_alert);

static int before_clear(void *called)
{
	return fresh(called) || call_alert(called);
}

static long call_clear(void *called)
{
	struct called *c = called;

	return ioevq_clear_alert(&c->q);
}

static int after_clear(void *called, long ret)
{
	struct called *c = called;

	if (is_alerted(c) != !!ret || ioevq_clear_alert(&c->q))
		return -1;
	return same(c, ret);
}

FIXTURE_VARIANT_ADD(fault_call, clear_alert)
	CALL(0, 1, before_clear, call_clear, after_clear);

#define MESSAGES	4

/* The ring is full: what is written needs memory. */
static int before_write(void *called)
{
	struct called *c = called;
	int i, err = fresh(c);

	for (i = 0; i < MESSAGES; i++)
		err |= ioevq_post(&c->q, i, 0, 0);
	return err;
}

/* That of the first; where it is another's the rest is tried once more. */
static long call_write(void *called)
{
	struct ioevq_event evs[MESSAGES] = {};
	struct called *c = called;
	long ret;
	int i;

	for (i = 0; i < MESSAGES; i++) {
		evs[i].op = IOEVQ_OP_POST;
		evs[i].user_data = MESSAGES + i;
	}
	ret = or_errno(write(c->q.fd, evs, sizeof(evs)));
	c->taken = MESSAGES + (ret < 0 ? 0 : ret / sizeof(evs[0]));
	return ret < 0 ? ret : ret == sizeof(evs) ? 0 : -EPROTO;
}

/* What was written is there, in order, and nothing else. The memory stays for the next ones. */
static int after_write(void *called, long ret)
{
	struct called *c = called;
	struct ioevq_event ev;
	int i;

	(void)ret;
	if (query(&c->q).available != (unsigned int)c->taken)
		return -1;
	for (i = 0; i < c->taken; i++)
		if (ioevq_take(&c->q, &ev) != 1 || ev.user_data != (unsigned int)i)
			return -1;
	if (!quiet(&c->q) || requests(&c->q) > MESSAGES)
		return -1;
	ioevq_close(&c->q);
	return !eventually(module_users() == c->users);
}

FIXTURE_VARIANT_ADD(fault_call, write)
	CALL(1, 0, before_write, call_write, after_write);

static long call_register(void *called)
{
	struct called *c = called;
	int ret = ioevq_register_buffers(&c->q, &c->buffer, 1);

	return ret == -EBUSY ? 0 : ret ? ret : -EPROTO;
}

FIXTURE_VARIANT_ADD(fault_call, register_again)
	CALL(0, 1, before_buffers, call_register, same);

static long call_unregister(void *called)
{
	struct called *c = called;

	return ioevq_unregister_buffers(&c->q);
}

static int after_unregister(void *called, long ret)
{
	struct called *c = called;

	if (!ret)
		c->info.buffers = 0;
	if (pinned() != (ret ? 1 : 0))
		return -1;
	return same(c, ret);
}

FIXTURE_VARIANT_ADD(fault_call, unregister)
	CALL(0, 1, before_buffers, call_unregister, after_unregister);

TEST_F_TIMEOUT(fault_call, law_14_calls_that_fail, 600)
{
	SWEEP_CALL();
}

TEST_HARNESS_MAIN

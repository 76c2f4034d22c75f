// SPDX-License-Identifier: GPL-2.0-only
/*
 * Laws 2 and 14 when something fails in a wait, in poll(2) and its like, and in fork. No copy of
 * ENTER leads to EFAULT here: its argument is copied once more if that fails, and events and
 * answers word by word, which no kernel lets fail on demand. abi.c and enter.c have memory that is
 * not there.
 */
#include <sys/epoll.h>
#include <sys/select.h>

#include "fault_call.h"

/* Messages are there, more than the ring takes. */
static int before_take(void *called)
{
	struct called *c = called;
	int i, err = ioevq_open(&c->q, 2, 0);

	for (i = 0; i < EVENTS && !err; i++)
		err = ioevq_post(&c->q, i, 0, 0);
	return err;
}

static long call_take(void *called)
{
	struct called *c = called;
	struct ioevq_enter enter = {
		.events = (uintptr_t)c->evs, .min = EVENTS, .max = EVENTS, .timeout_ns = BOUND_NS,
		.flags = IOEVQ_ENTER_SIGMASK, .sigmask = ~0ULL, .batch_ns = 1000,
	};

	c->taken = ioevq_enter(&c->q, &enter);
	return c->taken;
}

/* A fault takes none; what was not taken is there, in order. Only the count may get lost. */
static int after_take(void *called, long ret)
{
	struct called *c = called;
	unsigned int left = query(&c->q).available, i;
	struct ioevq_event ev;
	sigset_t mask;

	if (sigprocmask(SIG_SETMASK, NULL, &mask) || sigismember(&mask, SIGUSR1))
		return -1;
	if (ret >= 0 && left != EVENTS - (unsigned int)ret)
		return -2;
	if (ret == -ENOMEM && left != EVENTS)
		return -3;
	for (i = EVENTS - left; i < EVENTS; i++)
		if (next_event(&c->q, &ev) != 1 || ev.user_data != i)
			return -4;
	return end(c);
}

FIXTURE_VARIANT_ADD(fault_call, take)
	CALL(0, 0, before_take, call_take, after_take);

static long call_time(void *called)
{
	struct called *c = called;
	int ret = enter_wait(&c->q, c->evs, 1, 1, 1000000);

	return ret > 0 ? -EPROTO : ret;
}

FIXTURE_VARIANT_ADD(fault_call, time_is_over)
	CALL(0, 0, fresh, call_time, same);

/* The caller becomes a consumer of a queue with a limit, which it was not before. */
static int before_join(void *called)
{
	struct called *c = called;
	struct ioevq_event ev;

	if (enter_wait(&c->plain, &ev, 0, 1, 0) || fresh(c) || ioevq_set_concurrency(&c->q, 1) ||
	    ioevq_post(&c->q, 1, 0, 0))
		return -1;
	c->info = query(&c->q);
	return 0;
}

static long call_join(void *called)
{
	struct called *c = called;

	return enter_wait(&c->q, c->evs, 1, 1, BOUND_NS);
}

static int after_join(void *called, long ret)
{
	struct called *c = called;
	struct ioevq_event ev;
	int left = query(&c->q).available;

	/* Who could not join runs uncounted, and who could is one. */
	if (left != !(ret == 1) && ret != -EFAULT)
		return -1;
	if (ret == -ENOMEM && query(&c->q).runnable)
		return -2;
	if (left && enter_wait(&c->q, &ev, 1, 1, BOUND_NS) != 1)
		return -3;
	return query(&c->q).runnable != 1 || end(c);
}

FIXTURE_VARIANT_ADD(fault_call, become_a_consumer)
	CALL(1, 0, before_join, call_join, after_join);

/* A watch that has to be looked at makes ->poll do more. */
static int before_poll(void *called)
{
	struct called *c = called;

	if (fresh(c))
		return -1;
	c->fd = eventfd(1, EFD_NONBLOCK);
	return watch(&c->q, c->fd, POLLIN, IOEVQ_POLL_EDGE | IOEVQ_POLL_CONFIRM, 1);
}

/* So many that they do not fit the stack. */
static long call_poll(void *called)
{
	struct called *c = called;
	struct pollfd p[64];
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = (struct pollfd){ .fd = c->q.fd, .events = POLLIN };
	ret = poll(p, ARRAY_SIZE(p), 1000);
	return ret < 0 ? -errno : ret == ARRAY_SIZE(p) ? 0 : -EPROTO;
}

/* Nothing was announced by that, and the watch is as it was. */
static int after_poll(void *called, long ret)
{
	struct called *c = called;

	(void)ret;
	if (announced(&c->q, 1) != POLLIN)
		return -1;
	close(c->fd);
	return !ended(&c->q, 1) || end(c);
}

FIXTURE_VARIANT_ADD(fault_call, poll)
	CALL(1, 1, before_poll, call_poll, after_poll);

static long call_select(void *called)
{
	struct called *c = called;
	struct timeval tv = { .tv_sec = 1 };
	fd_set in;
	int ret;

	FD_ZERO(&in);
	FD_SET(c->q.fd, &in);
	ret = select(c->q.fd + 1, &in, NULL, NULL, &tv);
	return ret < 0 ? -errno : ret == 1 ? 0 : -EPROTO;
}

FIXTURE_VARIANT_ADD(fault_call, select)
	CALL(0, 1, before_poll, call_select, after_poll);

static int before_epoll(void *called)
{
	struct called *c = called;

	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	return before_poll(c);
}

static long call_epoll(void *called)
{
	struct called *c = called;
	struct epoll_event ev = { .events = EPOLLIN };

	if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->q.fd, &ev))
		return -errno;
	return or_errno(epoll_wait(c->epoll, &ev, 1, 1000));
}

static int after_epoll(void *called, long ret)
{
	struct called *c = called;

	return (ret >= 0 && ret != 1) || close(c->epoll) || after_poll(c, ret);
}

FIXTURE_VARIANT_ADD(fault_call, epoll)
	CALL(1, 1, before_epoll, call_epoll, after_epoll);

/* With requests, buffers and the ring mapped. Without the library, which has locks of its own. */
static int before_fork(void *called)
{
	struct called *c = called;
	int err = before_buffers(c);

	c->fd = eventfd(0, EFD_NONBLOCK);
	err = err || watch(&c->q, c->fd, POLLIN, IOEVQ_POLL_EDGE, 1) ||
	      watch_child(&c->q, 0, 4, 2);
	c->info = query(&c->q);
	return err;
}

static long call_fork(void *called)
{
	struct called *c = called;
	int pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (!pid) {
		/* It has all of it, too. */
		_exit(!unchanged(c) || c->q.ring->tail || eventfd_write(c->fd, 1));
	}
	if (pid < 0)
		return errno == EAGAIN ? -ENOMEM : -errno;
	return pid;
}

/* The event of the child is next: its process ID, or -1. */
static int64_t told_child(const struct ioevq *q)
{
	struct ioevq_event ev = {};

	if (next_event(q, &ev) != 1 || ev.user_data != 2 || ev.flags != IOEVQ_EVENT_MORE)
		return -1;
	return ev.res;
}

static int after_fork(void *called, long ret)
{
	struct called *c = called;
	int status;

	if (ret > 0) {
		if (waitpid(ret, &status, 0) != ret || status || announced(&c->q, 1) != POLLIN ||
		    told_child(&c->q) != ret)
			return -1;
	}
	close(c->fd);
	if (!ended(&c->q, 1) || ioevq_cancel(&c->q, 2, 0) ||
	    !completed(&c->q, IOEVQ_OP_CHILD, 2, -ECANCELED) ||
	    !completed(&c->q, IOEVQ_OP_CANCEL, 0, 1))
		return -2;
	return end(c);
}

FIXTURE_VARIANT_ADD(fault_call, fork)
	CALL(5, 0, before_fork, call_fork, after_fork);

TEST_F_TIMEOUT(fault_call, law_14_waits_that_fail, 600)
{
	SWEEP_CALL();
}

TEST_HARNESS_MAIN

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * epoll twice: the kernel's own, by its system calls, and that of /dev/ioevq
 * (tools/compat/epoll). Tests are written once and run on both: what they expect is what
 * the kernel's says.
 */
#ifndef IOEVQ_EPOLL_TEST_H
#define IOEVQ_EPOLL_TEST_H

#include <sys/epoll.h>

#include "expect.h"

/* A bound for failures, as BOUND_NS. */
#define BOUND_MS	((int)(BOUND_NS / 1000000))

struct epoll_calls {
	int (*create)(int size);
	int (*create1)(int flags);
	int (*ctl)(int ep, int op, int fd, struct epoll_event *event);
	int (*wait)(int ep, struct epoll_event *events, int max, int ms);
	int (*pwait)(int ep, struct epoll_event *events, int max, int ms, const sigset_t *mask);
	int (*pwait2)(int ep, struct epoll_event *events, int max, const struct timespec *timeout,
		      const sigset_t *mask);
	bool is_facade;
};

static inline int kernel_create(int size)
{
	return syscall(SYS_epoll_create, size);
}

static inline int kernel_create1(int flags)
{
	return syscall(SYS_epoll_create1, flags);
}

static inline int kernel_ctl(int ep, int op, int fd, struct epoll_event *event)
{
	return syscall(SYS_epoll_ctl, ep, op, fd, event);
}

static inline int kernel_wait(int ep, struct epoll_event *events, int max, int ms)
{
	return syscall(SYS_epoll_wait, ep, events, max, ms);
}

static inline int kernel_pwait(int ep, struct epoll_event *events, int max, int ms,
			       const sigset_t *mask)
{
	return syscall(SYS_epoll_pwait, ep, events, max, ms, mask, sizeof(uint64_t));
}

static inline int kernel_pwait2(int ep, struct epoll_event *events, int max,
				const struct timespec *timeout, const sigset_t *mask)
{
	return syscall(SYS_epoll_pwait2, ep, events, max, timeout, mask, sizeof(uint64_t));
}

static const struct epoll_calls kernel_calls = {
	kernel_create, kernel_create1, kernel_ctl, kernel_wait, kernel_pwait, kernel_pwait2, false,
};

static const struct epoll_calls facade_calls = {
	epoll_create, epoll_create1, epoll_ctl, epoll_wait, epoll_pwait, epoll_pwait2, true,
};

/* @ep: a set; @fd: something to watch, not ready; @pair: a connection */
FIXTURE(epoll)
{
	const struct epoll_calls *e;
	int ep;
	int fd;
	int pair[2];
};

FIXTURE_VARIANT(epoll)
{
	const struct epoll_calls *e;
};

FIXTURE_VARIANT_ADD(epoll, kernel) { .e = &kernel_calls };
FIXTURE_VARIANT_ADD(epoll, ioevq) { .e = &facade_calls };

static inline bool is_queue(int fd)
{
	struct ioevq_info info = { .size = sizeof(info), .op = IOEVQ_OP_NOP };

	return !ioctl(fd, IOEVQ_IOC_INFO, &info);
}

FIXTURE_SETUP(epoll)
{
	self->e = variant->e;
	self->ep = self->e->create1(EPOLL_CLOEXEC);
	self->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ASSERT_LE(0, self->ep);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, self->pair));
	/* That it is not one of the kernel's which we test twice. */
	ASSERT_EQ(self->e->is_facade, is_queue(self->ep));
}

FIXTURE_TEARDOWN(epoll)
{
	close(self->ep);
	close(self->fd);
	close(self->pair[0]);
	close(self->pair[1]);
}

/* epoll_ctl() with data: 0 or a negative errno. */
static inline int control(const struct epoll_calls *e, int ep, int op, int fd, uint32_t events,
			  uint64_t data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	return e->ctl(ep, op, fd, &ev) ? -errno : 0;
}

#define ADD(_fd, _events, _data)	\
	control(self->e, self->ep, EPOLL_CTL_ADD, _fd, _events, _data)
#define MOD(_fd, _events, _data)	\
	control(self->e, self->ep, EPOLL_CTL_MOD, _fd, _events, _data)
#define DEL(_fd)			control(self->e, self->ep, EPOLL_CTL_DEL, _fd, 0, 0)

/* The number of events there are now, or a negative errno. */
static inline int take_of(const struct epoll_calls *e, int ep, struct epoll_event *events, int max)
{
	int n = e->wait(ep, events, max, 0);

	return n < 0 ? -errno : n;
}

/* What is ready now: that event alone, taken. */
#define EXPECT_ONE(_events, _data)					\
do {									\
	struct epoll_event __ev[4] = {};				\
									\
	EXPECT_EQ(1, take_of(self->e, self->ep, __ev, 4));		\
	EXPECT_EQ((uint32_t)(_events), __ev[0].events);			\
	EXPECT_EQ((uint64_t)(_data), __ev[0].data.u64);			\
} while (0)

/* Nothing is ready now. */
#define EXPECT_NONE()							\
do {									\
	struct epoll_event __ev[4] = {};				\
									\
	EXPECT_EQ(0, take_of(self->e, self->ep, __ev, 4));		\
} while (0)

/* Make an eventfd ready, or not. */
static inline int raise_fd(int fd)
{
	return eventfd_write(fd, 1);
}

static inline int drain_fd(int fd)
{
	eventfd_t value;

	return eventfd_read(fd, &value);
}

#endif

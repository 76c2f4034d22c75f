/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every test program includes this: the harness, the library, and what tests of
 * the queue itself do again and again. What tests of the sources need besides is
 * in expect.h.
 */
#ifndef IOEVQ_TEST_H
#define IOEVQ_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ioevq.h>

#include "kselftest_harness.h"

/* A bound for failures only: an emulated machine with a debug kernel is slow. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	400

/*
 * How long anything may take before the test has failed. Only tests of the tests, which
 * are meant to fail, have a reason to make it short.
 */
#define BOUND_NS	bound_ns()

static inline long long bound_ns(void)
{
	const char *seconds = getenv("IOEVQ_BOUND_S");

	return (seconds ? strtol(seconds, NULL, 10) : 60) * 1000000000LL;
}

/* What the queue says of itself. */
static inline struct ioevq_info query(const struct ioevq *q)
{
	struct ioevq_info info = { .op = IOEVQ_OP_NOP };

	if (ioevq_info(q, &info))
		memset(&info, 0xff, sizeof(info));
	return info;
}

/* Wait and take by the ioctl alone, mapped or not. */
static inline int enter_wait(const struct ioevq *q, struct ioevq_event *events, unsigned int min,
			     unsigned int max, int64_t timeout_ns)
{
	struct ioevq_enter enter = {
		.events = (uintptr_t)events,
		.min = min,
		.max = max,
		.timeout_ns = timeout_ns,
	};

	return ioevq_enter(q, &enter);
}

/* A parameter of the module: its value, or -1. */
static inline long get_param(const char *name)
{
	char path[96], buf[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/module/ioevq/parameters/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (read(fd, buf, sizeof(buf) - 1) <= 0)
		buf[0] = 0;
	close(fd);
	return buf[0] ? strtol(buf, NULL, 10) : -1;
}

static inline int set_param(const char *name, long value)
{
	char path[96];
	int fd, ret;

	snprintf(path, sizeof(path), "/sys/module/ioevq/parameters/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ret = dprintf(fd, "%ld", value) < 0 ? -1 : 0;
	close(fd);
	return ret;
}

/*
 * Watch fd with n one-shot watches, whose user data count up from first. Returns
 * how many were accepted, or a negative errno.
 */
static inline int park(const struct ioevq *q, int fd, unsigned int n, uint64_t first)
{
	struct ioevq_req reqs[256];
	unsigned int done = 0, i;
	int ret;

	while (done < n) {
		for (i = 0; i < ARRAY_SIZE(reqs) && done + i < n; i++)
			ioevq_prep_poll(&reqs[i], fd, POLLIN, IOEVQ_POLL_ONESHOT, first + done + i);
		ret = ioevq_submit(q, reqs, i);
		if (ret < 0)
			return done ? (int)done : ret;
		done += ret;
		if ((unsigned int)ret < i)
			break;
	}
	return done;
}

/* What comes next is this event, the last one of its request. */
#define EXPECT_NEXT(_q, _op, _user_data, _res)				\
do {									\
	struct ioevq_event __ev = {};					\
									\
	ASSERT_EQ(1, enter_wait(_q, &__ev, 1, 1, BOUND_NS));	\
	EXPECT_EQ(_op, __ev.op);					\
	EXPECT_EQ((uint64_t)(_user_data), __ev.user_data);		\
	EXPECT_EQ((int64_t)(_res), __ev.res);				\
	EXPECT_EQ(0, __ev.flags);					\
} while (0)

#endif

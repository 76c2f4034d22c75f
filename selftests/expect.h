/* SPDX-License-Identifier: GPL-2.0-only */
/* What tests of the sources do again and again with a queue. */
#ifndef IOEVQ_EXPECT_H
#define IOEVQ_EXPECT_H

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ioevq_test.h"

/* User data that no test uses for anything else. */
#define MARK		0x6d61726bULL

/* The next event. Returns 1, 0 (time is over) or a negative errno. */
static inline int next_event(const struct ioevq *q, struct ioevq_event *ev)
{
	return ioevq_wait(q, ev, 1, 1, BOUND_NS);
}

/*
 * True if there is no event. Told by cause, not by waiting: what is posted now
 * must come next.
 */
static inline int quiet(const struct ioevq *q)
{
	struct ioevq_event ev;

	if (ioevq_post(q, MARK, 0, 0) || next_event(q, &ev) != 1)
		return 0;
	return ev.op == IOEVQ_OP_POST && ev.user_data == MARK;
}

/* Submit one request: 0 or a negative errno. */
static inline int submit(const struct ioevq *q, const struct ioevq_req *req)
{
	int ret = ioevq_submit(q, req, 1);

	return ret == 1 ? 0 : ret;
}

static inline int watch(const struct ioevq *q, int fd, unsigned int mask, unsigned int mode,
			uint64_t user_data)
{
	struct ioevq_req req;

	ioevq_prep_poll(&req, fd, mask, mode, user_data);
	return submit(q, &req);
}

static inline int watch_child(const struct ioevq *q, pid_t pid, unsigned int reserve,
			      uint64_t user_data)
{
	struct ioevq_req req;

	ioevq_prep_child(&req, pid, reserve, user_data);
	return submit(q, &req);
}

/* Requests that hold memory; entering the queue frees those that are done. */
static inline unsigned int requests(const struct ioevq *q)
{
	struct ioevq_info info = { .op = IOEVQ_OP_NOP };
	struct ioevq_enter enter = {};
	int ret;

	ret = ioevq_enter(q, &enter);
	if (ret >= 0)
		ret = ioevq_info(q, &info);
	if (!ret)
		return info.requests;
	fprintf(stderr, "# no information: %s\n", strerror(-ret));
	return -1;
}

static inline long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* Evaluate a condition until it holds or the time is over; @between: what is done until then. */
#define eventually_by(cond, between)					\
({									\
	long long __end = now_ns() + BOUND_NS;				\
	int __ret;							\
									\
	while (!(__ret = !!(cond)) && now_ns() < __end)			\
		between();						\
	__ret;								\
})

/* Without sleep: a consumer would leave its slot to others. */
#define eventually(cond)	eventually_by(cond, sched_yield)

/* The first number in a file of /proc or /sys, or -1. */
static inline long proc_number(const char *path)
{
	char buf[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (read(fd, buf, sizeof(buf) - 1) <= 0)
		buf[0] = 0;
	close(fd);
	return buf[0] ? strtol(buf, NULL, 10) : -1;
}

/* References to the module: one for each queue, or I/O that outlives its own. */
static inline long module_users(void)
{
	return proc_number("/sys/module/ioevq/refcnt");
}

/* State of a thread as in /proc/PID/stat: 'S' sleeps. 0: there is none. */
static inline char thread_state(pid_t pid, pid_t tid)
{
	char path[64], buf[512], *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	buf[n] = 0;
	p = strrchr(buf, ')');
	return p ? p[2] : 0;
}

/*
 * Does a thread of ours sleep, and has it left its CPU, so that its context switch is
 * counted? Until then the file says "running".
 */
static inline int is_asleep(pid_t tid)
{
	char path[64], buf[16] = "r";
	int fd;

	if (thread_state(getpid(), tid) != 'S')
		return 0;
	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, buf, sizeof(buf) - 1) <= 0)
		buf[0] = 'r';
	close(fd);
	return buf[0] != 'r';
}

#endif

// SPDX-License-Identifier: MIT
/* epoll_wait(2): take the events of a queue that are for epoll's user. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/time_types.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "facade.h"

#define NSEC_PER_SEC	1000000000LL
#define FOREVER		(-1LL)

/* So many events at once have room on the stack. */
#define BATCH		256

#define MAX_EVENTS	((int)(INT_MAX / sizeof(struct epoll_event)))

/* What is for the kernel's own epoll. */
#define SIGSET_SIZE	(_NSIG / 8)

/*
 * The end of a watch is not for the caller, where it is not quiet; see IOEVQ_POLL_QUIET.
 * @to may be NULL if @n is 0.
 */
static int translate(const struct ioevq_event *from, int n, struct epoll_event *to)
{
	int kept = 0, i;

	for (i = 0; i < n; i++) {
		/* NOLINTNEXTLINE(clang-analyzer-core.*): the kernel has written them */
		if (!(from[i].flags & IOEVQ_EVENT_MORE))
			continue;
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): n is not 0 */
		to[kept].events = (uint32_t)from[i].res;
		to[kept].data.u64 = from[i].user_data;
		kept++;
	}
	return kept;
}

/* Who is cancelled here has its thread ended inside of the ioctl. */
static int enter(int epfd, struct ioevq_enter *args)
{
	int type, ret;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	ret = facade_ioctl(epfd, IOEVQ_IOC_ENTER, args);
	pthread_setcanceltype(type, &type);
	return ret;
}

/*
 * @taken: room for @max events
 * @deadline: of CLOCK_MONOTONIC in nanoseconds, 0 = do not wait, or FOREVER
 *
 * All that is returned comes from one look at the files: by level, another one would tell
 * the same again. Returns the number of events or a negative errno, -ENOTTY if this is no
 * set of ours.
 */
static int wait_until(int epfd, struct epoll_event *events, struct ioevq_event *taken, int max,
		      long long deadline, const sigset_t *mask)
{
	/* Nowhere to write to: let the kernel find that, if there is something to write. */
	struct ioevq_enter args = {
		.size = sizeof(args),
		/* Who waits by level is told, too, while the file is ready. */
		.flags = IOEVQ_ENTER_ABSTIME | IOEVQ_ENTER_PASS_ON,
		.events = events ? (uintptr_t)taken : 0,
		.min = 1,
		.max = max,
		.timeout_ns = deadline,
	};
	int n, kept;

	if (mask) {
		args.flags |= IOEVQ_ENTER_SIGMASK;
		memcpy(&args.sigmask, mask, sizeof(args.sigmask));
	}
	do {
		n = enter(epfd, &args);
		if (n <= 0)
			return n;
		kept = translate(taken, n, events);
	} while (!kept);
	return kept;
}

static int wait_on_stack(int epfd, struct epoll_event *events, int max, long long deadline,
			 const sigset_t *mask)
{
	struct ioevq_event taken[BATCH];

	return wait_until(epfd, events, taken, max < BATCH ? max : BATCH, deadline, mask);
}

/* Who is cancelled gives nothing back: it ends. */
static int queue_wait(int epfd, struct epoll_event *events, int max, long long deadline,
		      const sigset_t *mask)
{
	struct ioevq_event *taken = NULL;
	int ret;

	if (max > BATCH)
		taken = facade_borrow(max);
	if (!taken)
		return wait_on_stack(epfd, events, max, deadline, mask);
	ret = wait_until(epfd, events, taken, max, deadline, mask);
	facade_give_back();
	return ret;
}

static int result(int ret)
{
	if (ret >= 0)
		return ret;
	errno = -ret;
	return -1;
}

/* That many nanoseconds from now, as queue_wait() takes it. */
static long long in(long long sec, long long nsec)
{
	struct timespec now;

	if (!sec && !nsec)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	nsec += now.tv_nsec;
	if (sec >= LLONG_MAX / NSEC_PER_SEC - now.tv_sec - 2)
		return FOREVER;
	return (sec + now.tv_sec) * NSEC_PER_SEC + nsec;
}

static long long in_ms(int ms)
{
	return ms < 0 ? FOREVER : in(ms / 1000, ms % 1000 * 1000000LL);
}

static bool is_valid(int max)
{
	return max > 0 && max <= MAX_EVENTS;
}

/* The first of these may be all that is used of the kernel's own. */
static int kernel_wait(int epfd, struct epoll_event *events, int max, int ms, const sigset_t *mask)
{
	int type, ret;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	ret = (int)syscall(SYS_epoll_pwait, epfd, events, max, ms, mask, SIGSET_SIZE);
	pthread_setcanceltype(type, &type);
	return ret;
}

EXPORT int epoll_pwait(int epfd, struct epoll_event *events, int maxevents, int timeout,
		       const sigset_t *sigmask)
{
	int ret;

	if (!is_valid(maxevents))
		return result(-EINVAL);
	ret = queue_wait(epfd, events, maxevents, in_ms(timeout), sigmask);
	if (ret == -ENOTTY || ret == -EINVAL)
		return kernel_wait(epfd, events, maxevents, timeout, sigmask);
	return result(ret);
}

EXPORT int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout)
{
	return epoll_pwait(epfd, events, maxevents, timeout, NULL);
}

static int kernel_wait2(int epfd, struct epoll_event *events, int max,
			const struct timespec *timeout, const sigset_t *mask)
{
	struct __kernel_timespec ts, *to = NULL;
	int type, ret;

	if (timeout) {
		ts.tv_sec = timeout->tv_sec;
		ts.tv_nsec = timeout->tv_nsec;
		to = &ts;
	}
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	ret = (int)syscall(SYS_epoll_pwait2, epfd, events, max, to, mask, SIGSET_SIZE);
	pthread_setcanceltype(type, &type);
	return ret;
}

EXPORT int epoll_pwait2(int epfd, struct epoll_event *events, int maxevents,
			const struct timespec *timeout, const sigset_t *sigmask)
{
	long long deadline = FOREVER;
	int ret;

	if (timeout) {
		if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 ||
		    timeout->tv_nsec >= NSEC_PER_SEC)
			return result(-EINVAL);
		deadline = in(timeout->tv_sec, timeout->tv_nsec);
	}
	if (!is_valid(maxevents))
		return result(-EINVAL);
	ret = queue_wait(epfd, events, maxevents, deadline, sigmask);
	if (ret == -ENOTTY || ret == -EINVAL)
		return kernel_wait2(epfd, events, maxevents, timeout, sigmask);
	return result(ret);
}

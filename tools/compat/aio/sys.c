// SPDX-License-Identifier: MIT
/* System calls, without errno: signal handlers come here. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "facade.h"

long sys_result(long ret, int saved_errno)
{
	if (ret != -1)
		return ret;
	ret = -errno;
	errno = saved_errno;
	return ret;
}

int queue_enter(const struct world *w, struct ioevq_enter *enter)
{
	enter->size = sizeof(*enter);
	return (int)sys(SYS_ioctl, w->q.fd, IOEVQ_IOC_ENTER, enter);
}

/* 0, or the errno of request number @accepted. */
int queue_submit(const struct world *w, const struct ioevq_req *reqs, unsigned int nr,
		 unsigned int *accepted)
{
	struct ioevq_enter enter = { .reqs = (uintptr_t)reqs, .nr_reqs = nr };
	int ret = queue_enter(w, &enter);

	*accepted = enter.submitted;
	return enter.submitted == nr ? 0 : ret;
}

/* FOREVER goes on after a handler that has SA_RESTART; with a time any handler ends it. */
int futex_wait(int *futex, int value, long long timeout_ns)
{
	struct timespec ts = {
		.tv_sec = timeout_ns / NSEC_PER_SEC, .tv_nsec = timeout_ns % NSEC_PER_SEC,
	};

	return (int)sys(SYS_futex, futex, FUTEX_WAIT_PRIVATE, value,
			timeout_ns == FOREVER ? NULL : &ts, NULL, 0);
}

void futex_wake(int *futex, int nr)
{
	sys(SYS_futex, futex, FUTEX_WAKE_PRIVATE, nr, NULL, NULL, 0);
}

long long clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

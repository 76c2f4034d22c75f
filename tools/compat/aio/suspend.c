// SPDX-License-Identifier: MIT
/* aio_suspend(3): wait for the end of one of several operations. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>

#include "facade.h"

struct wanted {
	const struct aiocb *const *list;
	int nent;
};

/* What is under way no more has ended, and so has nothing at all. */
static bool has_ended(void *arg)
{
	const struct wanted *wanted = arg;
	bool any = false;
	int i;

	for (i = 0; i < wanted->nent; i++) {
		if (!wanted->list[i])
			continue;
		if (!status_in_progress(wanted->list[i]))
			return true;
		any = true;
	}
	return !any;
}

/* That much from now, or FOREVER; -EINVAL. */
static long long deadline_of(const struct timespec *timeout)
{
	long long now = clock_now();

	if (!timeout)
		return FOREVER;
	if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	if (timeout->tv_sec >= (LLONG_MAX - now) / NSEC_PER_SEC - 1)
		return FOREVER;
	return now + timeout->tv_sec * NSEC_PER_SEC + timeout->tv_nsec;
}

EXPORT int aio_suspend(const struct aiocb *const list[], int nent,
		       const struct timespec *timeout)
{
	struct wanted wanted = { list, nent };
	struct world *w = world_peek();
	long long deadline;
	int ret;

	if (use_libc)
		return libc.suspend(list, nent, timeout);
	deadline = deadline_of(timeout);
	if (nent < 0 || deadline == -EINVAL) {
		errno = EINVAL;
		return -1;
	}
	/* Without a queue nothing is under way. */
	if (!w)
		return 0;
	ret = wait_until(w, has_ended, &wanted, deadline);
	if (!ret)
		return 0;
	errno = -ret;
	return -1;
}

EXPORT int aio_suspend64(const struct aiocb64 *const list[], int nent,
			 const struct timespec *timeout)
{
	return aio_suspend((const struct aiocb *const *)list, nent, timeout);
}

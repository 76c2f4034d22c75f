/* SPDX-License-Identifier: GPL-2.0-only */
/* Signals, often, for calls that must not be interrupted by them. */
#ifndef IOEVQ_TICKS_H
#define IOEVQ_TICKS_H

#include <signal.h>
#include <sys/time.h>

static int ticks;

static void count_tick(int sig)
{
	(void)sig;
	__atomic_add_fetch(&ticks, 1, __ATOMIC_RELAXED);
}

static inline int ticked(void)
{
	return __atomic_load_n(&ticks, __ATOMIC_RELAXED);
}

/* SIGALRM comes every so many microseconds, 0: not any more. Calls are not restarted. */
static inline int tick(int us)
{
	const struct sigaction sa = { .sa_handler = count_tick };
	const struct itimerval often = {
		.it_interval.tv_usec = us, .it_value.tv_usec = us,
	};

	return sigaction(SIGALRM, &sa, NULL) || setitimer(ITIMER_REAL, &often, NULL);
}

#endif

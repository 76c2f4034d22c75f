/* SPDX-License-Identifier: GPL-2.0-only */
/* How much of it. */
#ifndef IOEVQ_SCALED_H
#define IOEVQ_SCALED_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* However slow they are: or $IOEVQ_LEAST_ROUNDS. */
#define LEAST_ROUNDS	100

/* A debug kernel, which is the one that fails on demand, is slow: a tenth for it. */
static inline unsigned int scaled(unsigned int n)
{
	return access("/proc/self/fail-nth", F_OK) ? n : n / 10;
}

/* What the environment says, for who runs it by hand. */
static inline long env_number(const char *name, long otherwise)
{
	const char *value = getenv(name);

	return value ? strtol(value, NULL, 10) : otherwise;
}

/* tools/check/all counts them. */
static inline void tell_rounds(unsigned int done)
{
	fprintf(stderr, "# %u rounds\n", done);
}

/* @end: of the time that they have, 0 at first */
static inline bool has_time(unsigned int done, time_t *end)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!*end)
		*end = now.tv_sec + env_number("IOEVQ_SECONDS", 60);
	return now.tv_sec < *end || done < env_number("IOEVQ_LEAST_ROUNDS", LEAST_ROUNDS);
}

/*
 * One more round of so many? A minute, or $IOEVQ_SECONDS, is enough where they are slow, as with
 * a debug kernel in emulation.
 */
static inline bool goes_on(unsigned int done, unsigned int rounds, time_t *end)
{
	bool more = done < rounds && has_time(done, end);

	if (!more)
		tell_rounds(done);
	return more;
}

#endif

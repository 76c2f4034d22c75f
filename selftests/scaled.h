/* SPDX-License-Identifier: GPL-2.0-only */
/* How much of it. */
#ifndef IOEVQ_SCALED_H
#define IOEVQ_SCALED_H

#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* However slow they are. */
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

/*
 * One more round of so many? A minute, or $IOEVQ_SECONDS, is enough where they are slow, as with
 * a debug kernel in emulation. @end: 0 at first.
 */
static inline bool goes_on(unsigned int done, unsigned int rounds, time_t *end)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!*end)
		*end = now.tv_sec + env_number("IOEVQ_SECONDS", 60);
	return done < rounds && (done < LEAST_ROUNDS || now.tv_sec < *end);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* How much of it. */
#ifndef IOEVQ_SCALED_H
#define IOEVQ_SCALED_H

#include <stdlib.h>
#include <unistd.h>

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

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* How much of it. */
#ifndef IOEVQ_SCALED_H
#define IOEVQ_SCALED_H

#include <unistd.h>

/* A debug kernel, which is the one that fails on demand, is slow: a tenth for it. */
static inline unsigned int scaled(unsigned int n)
{
	return access("/proc/self/fail-nth", F_OK) ? n : n / 10;
}

#endif

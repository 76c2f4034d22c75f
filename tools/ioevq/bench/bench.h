/* SPDX-License-Identifier: MIT */
/* ioevq bench: what its files share. A question is one row; each way to do it a column. */
#ifndef BENCH_H
#define BENCH_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <unistd.h>

#include <ioevq.h>

#include "../ioevq.h"

enum column { ALONE, EPOLL, ENTER, RING, COLUMNS };

/*
 * A way. @open makes all that a round needs, and @close undoes it. Ways of a question take turns,
 * so each has files of its own: what one watches must not be a burden to the others.
 */
struct way {
	void *(*open)(void);
	void (*round)(void *state);
	void (*close)(void *state);
};

struct question {
	const char *what;
	unsigned int events;		/* of a round */
	struct way ways[COLUMNS];	/* without a round: this is not how it can be done */
};

/* ready.c, sleep.c, other.c */
extern const struct question ready_questions[], sleep_questions[], other_questions[];
extern const unsigned int nr_ready_questions, nr_sleep_questions, nr_other_questions;

/* A call that fails ends the process: there is nothing to compare. */
noreturn void bench_fail(const char *call, int err);

/* For calls that set errno. Who was stopped, and goes on, finds a wait interrupted. */
#define MUST(call)							\
({									\
	__typeof__(call) __ret;						\
									\
	do {								\
		__ret = (call);						\
	} while (__ret < 0 && errno == EINTR);				\
	if (__ret < 0)							\
		bench_fail(#call, errno);				\
	__ret;								\
})

/* For calls of the library. */
#define OURS(call)							\
({									\
	int __ret;							\
									\
	do {								\
		__ret = (call);						\
	} while (__ret == -EINTR);					\
	if (__ret < 0)							\
		bench_fail(#call, -__ret);				\
	__ret;								\
})

static inline void put_message(int fd)
{
	uint64_t one = 1;

	MUST(write(fd, &one, sizeof(one)));
}

static inline void get_message(int fd)
{
	uint64_t n;

	MUST(read(fd, &n, sizeof(n)));
}

static inline void *new_state(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		bench_fail("calloc", ENOMEM);
	return p;
}

#endif

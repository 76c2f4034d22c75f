/* SPDX-License-Identifier: GPL-2.0-only */
/* What is watched: eventfds, pipes, sockets. */
#ifndef BENCH_OBJECTS_H
#define BENCH_OBJECTS_H

#include "bench.h"

struct object {
	const char *name;
	int (*make)(int fds[2]);	/* fds[0] is read and watched, fds[1] written to */
	unsigned int warm;		/* messages until one costs what the next does */
};

extern const struct object obj_eventfd, obj_pipe, obj_unix, obj_tcp;

/* n of them that are watched, of which k get a message in a round. They take turns. */
struct objects {
	const struct object *kind;
	unsigned int n, k;
	unsigned int next;
	int *rd, *wr;
};

void objects_make(struct objects *o, const struct object *kind, unsigned int n);
void objects_close(struct objects *o);

#endif

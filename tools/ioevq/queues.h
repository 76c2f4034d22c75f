/* SPDX-License-Identifier: MIT */
/* The queues of the system, as /proc shows them. */
#ifndef IOEVQ_QUEUES_H
#define IOEVQ_QUEUES_H

#include <ioevq.h>
#include <sys/types.h>

#include "ioevq.h"

/* One queue. It is named by one of the descriptors that it has: the first that was met. */
struct queue {
	pid_t pid;
	int fd;
	unsigned int descriptors;
	unsigned int processes;		/* that have one */
	pid_t last;			/* of these */
	uid_t uid;
	char command[16];
	/* As /proc/PID/fdinfo/FD says; see ioevq(4) */
	unsigned long long number;	/* 0: we may not know it */
	unsigned long long entries, requests, available, backlog, backlog_max, events, wakeups,
		waiting, runnable, buffers, concurrency;
	unsigned long long armed[IOEVQ_OP__COUNT];
};

struct queues {
	struct queue *list;
	unsigned int nr, room;
	unsigned int hidden;		/* processes that we may not look at */
	long long at;			/* CLOCK_MONOTONIC in ns */
};

/* A pidfd of the process that is asked for; or -1, and it was said why. No thread is one. */
int open_process(pid_t pid);

/* Those of process @pid, or of all if it is 0. 0, or a negative errno */
int queues_scan(struct queues *queues, pid_t pid);
void queues_free(struct queues *queues);

/* Is it one queue, by two descriptors or at two times? */
bool queue_is_same(const struct queue *a, const struct queue *b);

#endif

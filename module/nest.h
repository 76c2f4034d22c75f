/* SPDX-License-Identifier: GPL-2.0-only */
/* Queues that watch queues: who watches whom, so that nobody watches himself. */
#ifndef IOEVQ_NEST_H
#define IOEVQ_NEST_H

#include <linux/list.h>

struct ioevq_kreq;
struct ioevq_queue;
struct ioevq_nest;

/* Part of a queue. */
struct ioevq_nested {
	struct list_head watches;	/* nest_mutex; of the queue, on others */
	struct list_head watched;	/* nest_mutex; by others, the queue */
	bool used;			/* set before a watch of it can be armed */
	struct list_head todo;		/* nest_mutex; for the search alone */
	u32 far;			/* the same */
	u64 seen;			/* nest_mutex; the search that came by last */
};

void ioevq_nested_init(struct ioevq_queue *q);
void ioevq_nested_close(struct ioevq_queue *q);
struct ioevq_nest *ioevq_nest_add(struct ioevq_kreq *kreq, struct ioevq_queue *inner, u32 most);
void ioevq_nest_del(struct ioevq_nest *nest);

#endif

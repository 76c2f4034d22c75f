/* SPDX-License-Identifier: GPL-2.0-only */
/* TIMER, as TIMER_MOD knows it. */
#ifndef IOEVQ_TIMER_H
#define IOEVQ_TIMER_H

#include "clock.h"
#include "req.h"

/* One that goes on has an event that was not taken, or its alarm is on. */
struct ioevq_timer {
	struct ioevq_kreq kreq;
	/* queue->lock: */
	struct ioevq_alarm alarm;
	u64 period;			/* 0: it rings once */
	u32 slack;
	bool changing;			/* neither rings nor starts meanwhile */
	struct ioevq_rec *spare;	/* &more, when it is not in the backlog */
	struct ioevq_rec more;
};

#define IOEVQ_TIMER_FLAGS	(IOEVQ_TIMER_ABSTIME | IOEVQ_TIMER_BOOTTIME | IOEVQ_TIMER_REALTIME)

int ioevq_timer_check(const struct ioevq_req *req);

/* With queue->lock: */
void ioevq_timer_set(struct ioevq_timer *t, const struct ioevq_req *req);
void ioevq_timer_start(struct ioevq_timer *t, bool news);

static inline struct ioevq_timer *to_timer(struct ioevq_kreq *kreq)
{
	return container_of(kreq, struct ioevq_timer, kreq);
}

#endif

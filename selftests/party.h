/* SPDX-License-Identifier: GPL-2.0-only */
/* Queues that watch the same file, each with a consumer that sleeps or does not. */
#ifndef IOEVQ_PARTY_H
#define IOEVQ_PARTY_H

#include "kinds_socket.h"
#include "readiness.h"
#include "sleeper.h"

#define QUEUES	3

struct party {
	struct ioevq q[QUEUES];
	struct sleeper s[QUEUES];
	bool asleep[QUEUES];
	struct thing t;
};

static inline int party_begin(struct party *p, int (*make)(struct thing *t), unsigned int mask,
			      unsigned int flags)
{
	int i;

	memset(p, 0, sizeof(*p));
	p->t = (struct thing){ .fd = -1, .peer = -1, .aux = -1 };
	if (make(&p->t))
		return -1;
	for (i = 0; i < QUEUES; i++)
		if (ioevq_open(&p->q[i], 64, 0) ||
		    watch(&p->q[i], p->t.fd, mask, flags | IOEVQ_POLL_EXCLUSIVE, i))
			return -1;
	return 0;
}

static inline int lie_down(struct party *p, int i)
{
	p->asleep[i] = true;
	return put_to_sleep(&p->s[i], &p->q[i], 1, 1, BOUND_NS);
}

static inline void party_end(struct party *p)
{
	int i;

	for (i = 0; i < QUEUES; i++) {
		ioevq_alert(&p->q[i], 0);
		if (p->asleep[i])
			woken(&p->s[i]);
		ioevq_close(&p->q[i]);
	}
	thing_end(&p->t);
}

/* A consumer that is done with its wait; -1: none is. */
static inline int who_is_done(struct party *p)
{
	int i;

	for (i = 0; i < QUEUES; i++)
		if (p->asleep[i] && is_done(&p->s[i]))
			return i;
	return -1;
}

/* Whose consumer was woken, with an event of the watch; -1: not exactly one. */
static inline int who(struct party *p)
{
	int i, one;

	if (!eventually(who_is_done(p) >= 0))
		return -1;
	one = who_is_done(p);
	p->asleep[one] = false;
	if (woken(&p->s[one]) != 1 || p->s[one].evs[0].user_data != (uint64_t)one)
		return -1;
	for (i = 0; i < QUEUES; i++)
		if (p->asleep[i] && (!eventually(sleeps(&p->s[i])) || query(&p->q[i]).available ||
				     query(&p->q[i]).waiting != 1))
			return -1;
	return one;
}

#endif

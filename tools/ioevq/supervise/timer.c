// SPDX-License-Identifier: MIT
/*
 * Timers: a sorted list, so that to set one takes no memory and cannot fail. The queue has
 * one request, which never ends: it is set to the first of them before each wait.
 */
#include <time.h>

#include "supervise.h"

#define NEVER		INT64_MAX

/* A period that does not come keeps the request after its event. */
#define PERIOD		(INT64_MAX / 2)

/* Then it is the events' turn: a start may take long, and who asks waits for some seconds only. */
#define TURN		(SECOND / 50)

static struct timer *first;
static int64_t armed = NEVER;

int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

void timer_clear(struct timer *timer)
{
	struct timer **p;

	if (!timer->set)
		return;
	for (p = &first; *p != timer; p = &(*p)->next)
		;
	*p = timer->next;
	timer->set = false;
}

void timer_set(struct timer *timer, int64_t at)
{
	struct timer **p;

	timer_clear(timer);
	for (p = &first; *p && (*p)->at <= at; p = &(*p)->next)
		;
	timer->at = at;
	timer->next = *p;
	timer->set = true;
	*p = timer;
}

int timer_open(void)
{
	struct ioevq_req req;

	ioevq_prep_timer(&req, IOEVQ_TIMER_ABSTIME, NEVER, PERIOD, TAG(KIND_TIMER, 0));
	return submit(&req);
}

/* If there is no memory for that the wait itself is bounded, and it is tried again. */
int64_t timer_arm(void)
{
	int64_t at = first ? first->at : NEVER;
	struct ioevq_req req;

	/* Some are left of the last turn: its event may have been taken. */
	if (at <= now())
		return at;
	if (at == armed)
		return IOEVQ_FOREVER;
	ioevq_prep_timer_mod(&req, TAG(KIND_TIMER, 0), IOEVQ_TIMER_ABSTIME, at, PERIOD, 0);
	req.flags = IOEVQ_REQ_SKIP_SUCCESS;
	armed = submit(&req) ? IOEVQ_FOREVER : at;
	return armed == at ? IOEVQ_FOREVER : at;
}

void timer_run(void)
{
	int64_t until = now();
	struct timer *timer;

	while ((timer = first) && timer->at <= until) {
		timer_clear(timer);
		timer->expired(timer);
		if (now() - until >= TURN)
			break;
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/* Timers: that ring, that are set anew, and that are cancelled. */
#include "soak.h"

#define HOUR	(3600 * 1000000000ULL)

enum { IDLE, RINGS, LONG, CANCELLED };

static uint64_t soon(struct me *me)
{
	return random_of(me, 30) * 1000000;
}

static bool begin_timer(struct me *me, struct slot *s)
{
	unsigned int what = random_of(me, 8);
	struct ioevq_req req;

	ioevq_prep_timer(&req, 0, what < 4 ? HOUR : soon(me), 0, 0);
	if (!begin(me, &req, KIND_TIMER, &s->item))
		return false;
	s->phase = what < 3 ? LONG : RINGS;
	if (what == 3) {
		/* Later, after all: an answer, and no event of its own. */
		ioevq_prep_timer_mod(&req, s->item, 0, soon(me), 0, 0);
		req.flags = IOEVQ_REQ_SKIP_SUCCESS;
		if (submit_one(me, &req))
			s->phase = LONG;
	}
	return true;
}

static bool step(struct me *me, struct slot *s)
{
	struct ioevq_event ev = { .user_data = s->item };
	int res, matched;

	switch (s->phase) {
	case IDLE:
		return begin_timer(me, s);
	case RINGS:
		if (end(&s->item, &res) == STATE_OPEN)
			return false;
		if (res)
			odd("a timer that failed", &ev, res);
		s->phase = IDLE;
		return true;
	case LONG:
		if (begin_cancel(me, s->item, &s->other))
			s->phase = CANCELLED;
		return s->phase == CANCELLED;
	default:
		if (outcome(s->item, &res) == STATE_OPEN ||
		    outcome(s->other, &matched) == STATE_OPEN)
			return false;
		if (matched != 1 || res != -ECANCELED)
			odd("a timer that was not cancelled", &ev, res);
		end(&s->item, &res);
		end(&s->other, &res);
		s->phase = IDLE;
		return true;
	}
}

void actor_timer(struct me *me)
{
	static struct slot slots[128];

	run_slots(me, slots, ARRAY_SIZE(slots), step);
}

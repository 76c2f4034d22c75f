// SPDX-License-Identifier: GPL-2.0-only
/* Messages, straight and by way of another queue. */
#include "soak.h"

static struct ioevq relay;

static bool step(struct me *me, struct slot *s)
{
	struct ioevq_req req;
	int res, ret;

	if (s->phase) {
		if (end(&s->item, &res) == STATE_OPEN)
			return false;
		s->phase = 0;
		return true;
	}
	s->item = start(me->actor, KIND_POST);
	ioevq_prep_post(&req, random_of(me, 2) ? me->q->fd : -1, post_result(s->item), ~s->item,
			s->item);
	ret = ioevq_submit(req.fd < 0 ? me->q : &relay, &req, 1);
	if (ret == 1)
		s->phase = 1;
	else
		refuse_for(s->item, ret);
	return s->phase;
}

void actor_post(struct me *me)
{
	static struct slot slots[128];

	if (ioevq_open(&relay, 8, 0))
		exit(1);
	run_slots(me, slots, ARRAY_SIZE(slots), step);
	ioevq_close(&relay);
}

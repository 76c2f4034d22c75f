// SPDX-License-Identifier: GPL-2.0-only
/* TIMER_MOD: when timers ring from now on. */
#include "timer.h"

/*
 * The timers with the user data in @req, in the chain that was got for it. Those that have
 * rung for the last time stay there until the sweep, which needs our mutex.
 */
static bool matches(struct ioevq_kreq *kreq, const struct ioevq_req *req)
{
	return kreq->src == &ioevq_src_timer && kreq->rec.ev.user_data == req->addr &&
	       READ_ONCE(kreq->state) == IOEVQ_LIVE;
}

/* An event of it that is not taken stays as it is, and what has passed since is not told. */
static unsigned int mod_one(struct ioevq_timer *t, const struct ioevq_req *req)
{
	struct ioevq_queue *q = t->kreq.q;
	bool live;

	spin_lock_irq(&q->lock);
	live = t->kreq.state == IOEVQ_LIVE;
	if (live) {
		ioevq_alarm_stop(&t->alarm);
		ioevq_timer_set(t, req);
		t->changing = true;
	}
	spin_unlock_irq(&q->lock);
	return live;
}

/* The event of the request has its place: what is told from now on is behind it. */
static void start_one(struct ioevq_timer *t)
{
	struct ioevq_queue *q = t->kreq.q;

	spin_lock_irq(&q->lock);
	if (t->changing) {
		t->changing = false;
		ioevq_timer_start(t, true);
	}
	spin_unlock_irq(&q->lock);
}

static int timer_mod_submit(struct ioevq_queue *q, struct ioevq_kreq *kreq,
			    const struct ioevq_req *req)
{
	struct hlist_head *chain = ioevq_index_user_data(&q->index, req->addr);
	unsigned int changed = 0;
	struct ioevq_kreq *other;
	int err;

	err = ioevq_timer_check(req);
	if (err)
		return err;
	hlist_for_each_entry(other, chain, by_user_data) {
		if (matches(other, req))
			changed += mod_one(to_timer(other), req);
		cond_resched();
	}
	if (!changed)
		return -ENOENT;
	err = ioevq_done(kreq, changed, 0);
	hlist_for_each_entry(other, chain, by_user_data) {
		if (matches(other, req))
			start_one(to_timer(other));
		cond_resched();
	}
	return err;
}

const struct ioevq_source ioevq_src_timer_mod = {
	.size = sizeof(struct ioevq_kreq),
	.op_flags = IOEVQ_TIMER_FLAGS,
	.req_flags = IOEVQ_REQ_SKIP_SUCCESS,
	.uses = IOEVQ_USES_ADDR | IOEVQ_USES_OFF | IOEVQ_USES_LEN | IOEVQ_USES_ARG,
	.at_once = true,
	.submit = timer_mod_submit,
};

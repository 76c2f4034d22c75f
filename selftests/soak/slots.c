// SPDX-License-Identifier: GPL-2.0-only
/* What actors have in common: many things under way, each in its slot. */
#include <sched.h>
#include <time.h>

#include "soak.h"

/* Nothing moves for so long: something is lost. A bound for failures only. */
static long stall_s(void)
{
	const char *seconds = getenv("IOEVQ_BOUND_S");

	return seconds ? strtol(seconds, NULL, 10) : 120;
}

uint64_t random_of(struct me *me, uint64_t n)
{
	me->seed ^= me->seed << 13;
	me->seed ^= me->seed >> 7;
	me->seed ^= me->seed << 17;
	return me->seed % n;
}

bool stopping(void)
{
	return __atomic_load_n(&shared->stop, __ATOMIC_ACQUIRE);
}

/* Nothing to do at the moment: others may have the processor. */
void rest(void)
{
	struct timespec ts = { .tv_nsec = 500000 };

	nanosleep(&ts, NULL);
}

int submit_one(const struct me *me, const struct ioevq_req *req)
{
	int ret = ioevq_submit(me->q, req, 1);

	return ret == 1 ? 0 : ret;
}

/* For what the queue, its user and the machine have no room for, and nothing else. */
void refuse_for(uint64_t item, int err)
{
	struct ioevq_event ev = { .user_data = item, .res = err };

	refuse(item);
	if (err != -EAGAIN && err != -EDQUOT && err != -ENOMEM)
		odd("refused for another reason", &ev, 0);
}

/* Submit it as a thing of this kind: it has a name now, or was refused. */
bool begin(const struct me *me, struct ioevq_req *req, enum kind kind, uint64_t *item)
{
	int err;

	*item = start(me->actor, kind);
	req->user_data = *item;
	err = submit_one(me, req);
	if (!err)
		return true;
	refuse_for(*item, err);
	*item = 0;
	return false;
}

bool begin_cancel(const struct me *me, uint64_t which, uint64_t *item)
{
	struct ioevq_req req;

	ioevq_prep_cancel(&req, IOEVQ_CANCEL_USER_DATA, which, -1, 0, 0);
	return begin(me, &req, KIND_CANCEL, item);
}

/* STATE_OPEN, or how it has ended; then it is counted and has no name any more. */
enum state end(uint64_t *item, int *res)
{
	enum state state;

	*res = 0;
	if (!*item)
		return STATE_NEVER;
	state = outcome(*item, res);
	if (state != STATE_OPEN) {
		close_entry(*item);
		*item = 0;
	}
	return state;
}

/*
 * Rest. False: it has gone on for so long, and so often, that something is lost. A machine
 * that others keep from running has time that passes, but does little in it.
 */
bool wait_on(struct patience *p, long seconds)
{
	if (!p->rests++)
		p->begin = time(NULL);
	rest();
	return time(NULL) - p->begin < seconds || p->rests < seconds * 200;
}

/* Step by step, until it is told to stop and all have ended. */
void run_slots(struct me *me, struct slot *slots, unsigned int n,
	       bool (*step)(struct me *me, struct slot *s))
{
	struct patience p = {};
	bool progress, busy, hope = true;
	unsigned int i;

	for (i = 0; i < n; i++)
		slots[i].nr = i;
	do {
		progress = false;
		busy = false;
		for (i = 0; i < n; i++) {
			if (slots[i].phase || !stopping())
				progress |= step(me, &slots[i]);
			busy |= slots[i].phase;
		}
		if (progress)
			p.rests = 0;
		hope = progress || wait_on(&p, stall_s());
	} while (!stopping() || (busy && hope));
	for (i = 0; i < n; i++)
		if (slots[i].phase)
			printf("actor %u, slot %u: no end of %llx, %llx in phase %u\n",
			       me->actor, i, (unsigned long long)slots[i].item,
			       (unsigned long long)slots[i].other, slots[i].phase);
	fflush(stdout);
}

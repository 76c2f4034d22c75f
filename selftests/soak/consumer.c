// SPDX-License-Identifier: GPL-2.0-only
/*
 * Consumers, and their deaths. What the kernel copies to a consumer is in the ledger's memory,
 * so that it is there when that one is gone. Some of it may not be the consumer's after all:
 * events are copied before they are taken, and another may be faster, or come later. So wait
 * until all that was posted before that death is taken, and then until every other consumer
 * has come for the next event, having noted what it had. What nobody has noted by then was
 * the dead one's.
 */
#include <sys/prctl.h>

#include "soak.h"

struct consumer {
	pid_t pid;
	const struct ioevq *q;
};

struct doubt {
	struct ioevq_event ev;
	unsigned int nr;		/* who had it */
	uint64_t posted;		/* events of its queue until then */
	bool taken;			/* all those */
	uint64_t rounds[CONSUMERS];	/* of the others, when they were */
};

static struct consumer consumers[CONSUMERS];
static struct doubt doubts[4096];
static unsigned int nr_doubts;
static uint64_t more_doubts[QUEUES], nr_kills;
static struct me dice;

static void empty(struct hand *h)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(h->evs); i++)
		__atomic_store_n(&h->evs[i].user_data, NONE, __ATOMIC_RELEASE);
}

/* From the mapped ring, if it allows that: 1 or 0. */
static int take_mapped(const struct ioevq *q, struct hand *h)
{
	uint64_t head = __atomic_load_n(&q->ring->head, __ATOMIC_ACQUIRE);
	const struct ioevq_event *ev = &q->slots[head & q->mask];
	struct ioevq_event *mine = &h->evs[0];
	uint64_t name;

	if (__atomic_load_n(&q->ring->flags, __ATOMIC_RELAXED) ||
	    head == __atomic_load_n(&q->ring->tail, __ATOMIC_ACQUIRE))
		return 0;
	mine->res = ev->res;
	mine->op = ev->op;
	mine->flags = ev->flags;
	mine->data = ev->data;
	name = ev->user_data;
	/* Whose place is filled anew meanwhile was taken by another. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&q->ring->head, __ATOMIC_RELAXED) != head)
		return 0;
	/* The name last: what has none is no event. */
	__atomic_store_n(&mine->user_data, name, __ATOMIC_RELEASE);
	if (__atomic_compare_exchange_n(&q->ring->head, &head, head + 1, false, __ATOMIC_SEQ_CST,
					__ATOMIC_ACQUIRE))
		return 1;
	empty(h);
	return 0;
}

/* Ways to come for events; all come again soon, for the sake of those in doubt. */
static int take(const struct ioevq *q, struct hand *h, unsigned int nr)
{
	struct ioevq_enter enter = {
		.events = (uintptr_t)h->evs, .min = 1, .max = 1, .timeout_ns = 50000000,
	};

	switch (nr / QUEUES) {
	case 0:
		break;
	case 1:
		enter.max = 4;
		break;
	case 2:
		enter.min = 3;
		enter.max = 4;
		enter.batch_ns = 2000000;
		break;
	default:
		if (take_mapped(q, h))
			return 1;
	}
	return ioevq_enter(q, &enter);
}

static void consume(const struct ioevq *q, unsigned int nr)
{
	struct hand *h = &shared->hands[nr];
	int i, n;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	if (!join("soak"))
		_exit(2);
	for (;;) {
		n = take(q, h, nr);
		if (n < 0)
			_exit(3);
		for (i = 0; i < n; i++) {
			if (h->evs[i].flags & IOEVQ_EVENT_ALERT)
				_exit(0);
			take_note(&h->evs[i]);
		}
		empty(h);
		__atomic_fetch_add(&h->rounds, 1, __ATOMIC_SEQ_CST);
	}
}

static void spawn(unsigned int nr)
{
	struct consumer *c = &consumers[nr];

	empty(&shared->hands[nr]);
	/* What the one before it had is in doubt now, and it is no reason to doubt others. */
	__atomic_fetch_add(&shared->hands[nr].rounds, 1, __ATOMIC_SEQ_CST);
	c->pid = fork();
	if (!c->pid)
		consume(c->q, nr);
}

void consumers_start(const struct ioevq *queues, uint64_t seed)
{
	unsigned int i;

	dice.seed = seed;
	nr_kills = 0;
	memset(more_doubts, 0, sizeof(more_doubts));
	for (i = 0; i < CONSUMERS; i++) {
		consumers[i].q = &queues[i % QUEUES];
		spawn(i);
	}
}

static void doubt(unsigned int nr, const struct ioevq_event *ev, uint64_t posted)
{
	struct doubt *d = &doubts[nr_doubts];

	if (ev->flags & IOEVQ_EVENT_MORE) {
		more_doubts[nr % QUEUES]++;
		return;
	}
	if (nr_doubts == ARRAY_SIZE(doubts))
		return odd("too many deaths at a time", ev, 0);
	nr_doubts++;
	d->ev = *ev;
	d->nr = nr;
	d->posted = posted;
	d->taken = false;
}

static uint64_t rounds(unsigned int nr)
{
	return __atomic_load_n(&shared->hands[nr].rounds, __ATOMIC_SEQ_CST);
}

static bool is_settled(struct doubt *d)
{
	const struct ioevq_ring *ring = consumers[d->nr].q->ring;
	unsigned int i;

	if (!d->taken) {
		d->taken = __atomic_load_n(&ring->head, __ATOMIC_SEQ_CST) >= d->posted;
		for (i = 0; i < CONSUMERS; i++)
			d->rounds[i] = rounds(i);
		return false;
	}
	/* Its successor has begun with nothing. */
	for (i = d->nr % QUEUES; i < CONSUMERS; i += QUEUES)
		if (i != d->nr && rounds(i) == d->rounds[i])
			return false;
	return true;
}

static void settle_doubts(bool all)
{
	unsigned int i;

	for (i = 0; i < nr_doubts; i++) {
		if (!all && !is_settled(&doubts[i]))
			continue;
		if (recover(&doubts[i].ev))
			shared->recovered++;
		doubts[i--] = doubts[--nr_doubts];
	}
}

static void bury(unsigned int nr)
{
	const struct ioevq_event *evs = shared->hands[nr].evs;
	struct ioevq_info info = {};
	unsigned int i;

	if (ioevq_info(consumers[nr].q, &info))
		odd("a queue that does not answer", &evs[0], nr);
	for (i = 0; i < ARRAY_SIZE(shared->hands[nr].evs); i++)
		if (evs[i].user_data != NONE)
			doubt(nr, &evs[i], info.events);
}

/* Kill one, perhaps, and have another in its place. */
void consumers_trouble(void)
{
	unsigned int nr = random_of(&dice, CONSUMERS);
	struct ioevq_event ev = { .user_data = nr };
	int status;

	settle_doubts(false);
	if (random_of(&dice, 4))
		return;
	kill(consumers[nr].pid, SIGKILL);
	if (waitpid(consumers[nr].pid, &status, 0) != consumers[nr].pid || status != SIGKILL)
		odd("a consumer that ended by itself", &ev, status);
	nr_kills++;
	bury(nr);
	spawn(nr);
}

/* Without further deaths: those in doubt are settled soon. */
void consumers_settle(void)
{
	settle_doubts(false);
}

/* The queues are alerted. Nobody takes anything any more: all that is in doubt is settled. */
bool consumers_stop(uint64_t doubtful_more[QUEUES], uint64_t *kills)
{
	bool ok = true;
	unsigned int i;
	int status;

	for (i = 0; i < CONSUMERS; i++) {
		if (waitpid(consumers[i].pid, &status, 0) != consumers[i].pid || status) {
			printf("consumer %u ended with status %x\n", i, status);
			ok = false;
		}
	}
	settle_doubts(true);
	memcpy(doubtful_more, more_doubts, sizeof(more_doubts));
	*kills = nr_kills;
	return ok;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * One that has next to no memory left, in a cgroup of its own where nobody else can be
 * killed for it: what it submits is refused, by -ENOMEM, and what stood before that stands.
 */
#include <sys/mman.h>
#include <time.h>

#include "soak.h"

#define MOST	12000
#define ROOM	(1L << 20)	/* what it may have besides what it has: some 5000 timers */
#define HOUR	(3600 * 1000000000ULL)
#define CGROUP	"/sys/fs/cgroup/soak-starved/"

static uint64_t items[MOST];
static int limit;	/* open: there is no memory to open it when it has to be raised */

static long cgroup_number(const char *path)
{
	FILE *f = fopen(path, "re");
	long n = -1;

	if (f) {
		if (fscanf(f, "%ld", &n) != 1)
			n = -1;
		fclose(f);
	}
	return n;
}

static void drain(struct me *me)
{
	struct ioevq_event evs[64];
	int i, n;

	while ((n = ioevq_wait(me->q, evs, 0, ARRAY_SIZE(evs), IOEVQ_NO_WAIT)) > 0)
		for (i = 0; i < n; i++)
			take_note(&evs[i]);
}

/* With so much more memory than it has now; with as much as it likes after. */
static void leave_room(long room)
{
	char text[32] = "max";

	if (room)
		snprintf(text, sizeof(text), "%ld", cgroup_number(CGROUP "memory.current") + room);
	if (pwrite(limit, text, strlen(text), 0) < 0)
		exit(2);
}

/* As many timers as there is memory for; then all are cancelled, and told of. */
static void starve(struct me *me)
{
	struct ioevq_event ev = {};
	uint64_t cancel = 0;
	struct ioevq_req req;
	unsigned int n = 0, i;
	int res;

	leave_room(ROOM);
	do {
		ioevq_prep_timer(&req, 0, HOUR, 0, 0);
		if (!begin(me, &req, KIND_TIMER, &items[n]))
			break;
	} while (++n < MOST);
	if (n < MOST)
		__atomic_fetch_add(&shared->starved, 1, __ATOMIC_RELAXED);
	leave_room(0);
	ioevq_prep_cancel(&req, 0, 0, -1, 0, 0);
	while (!begin(me, &req, KIND_CANCEL, &cancel))
		rest();
	drain(me);
	/* A fence: with its event all others are there. */
	for (i = 0; i < n; i++) {
		ev.user_data = items[i];
		if (end(&items[i], &res) != STATE_CANCELLED)
			odd("a timer that outlived the cancel of all", &ev, i);
	}
	ev.user_data = cancel;
	if (end(&cancel, &res) != STATE_DELIVERED || res != (int)n)
		odd("a cancel of all that has not come", &ev, res);
}

void actor_starved(struct me *me)
{
	struct timespec ts = { .tv_sec = 1 };
	struct ioevq q;
	unsigned int i;

	limit = open(CGROUP "memory.max", O_WRONLY | O_CLOEXEC);
	if (limit < 0 || ioevq_open(&q, 1024, 0) || !join("soak-starved") ||
	    mlockall(MCL_CURRENT | MCL_FUTURE))
		exit(1);
	me->q = &q;
	while (!stopping()) {
		starve(me);
		/* The kernel writes a page of log each time. */
		for (i = 0; i < 10 && !stopping(); i++)
			nanosleep(&ts, NULL);
	}
	ioevq_close(&q);
}

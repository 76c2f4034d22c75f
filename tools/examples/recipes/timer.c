// SPDX-License-Identifier: MIT
/* A timer that repeats, and one that rings once. */
#include "recipe.h"

enum { TICK = 1, DONE, CANCELLED };

#define MS 1000000ULL

int main(void)
{
	struct ioevq_req req[2];
	struct ioevq_event ev;
	unsigned int ticks = 0;
	struct ioevq q;

	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	ioevq_prep_timer(&req[0], 0, 10 * MS, 10 * MS, TICK);
	ioevq_prep_timer(&req[1], 0, 105 * MS, 0, DONE);
	check("submit", ioevq_submit(&q, req, 2));
	for (;;) {
		check("wait", ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER));
		if (ev.user_data == TICK)
			/* Who is late is told how many times it has expired besides. */
			ticks += 1 + (unsigned int)ev.data;
		else if (ev.user_data == DONE)
			check("cancel", ioevq_cancel(&q, TICK, CANCELLED));
		if (ev.user_data == TICK && !(ev.flags & IOEVQ_EVENT_MORE))
			ticks--;		/* cancelled: that was no time of its own */
		if (ev.user_data == CANCELLED)
			break;
	}
	printf("%s\n", ticks >= 10 ? "ten ticks, or more" : "too few");
	return 0;
}

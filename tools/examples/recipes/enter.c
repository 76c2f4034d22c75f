// SPDX-License-Identifier: MIT
/* Submit, wait and take in one system call; and which request was refused, and why. */
#include "recipe.h"

#include <poll.h>

int main(void)
{
	struct ioevq_req req[3];
	struct ioevq_event ev[3] = {};
	struct ioevq_enter enter = {
		.reqs = (uintptr_t)req, .nr_reqs = 3,
		.events = (uintptr_t)ev, .min = 1, .max = 3, .timeout_ns = IOEVQ_FOREVER,
	};
	struct ioevq q;
	int n;

	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	ioevq_prep_nop(&req[0], 1);
	ioevq_prep_poll(&req[1], -1, POLLIN, IOEVQ_POLL_LEVEL, 2);
	ioevq_prep_nop(&req[2], 3);
	n = ioevq_enter(&q, &enter);
	if (n < 0 && enter.submitted < enter.nr_reqs)
		printf("request %u: %s\n", enter.submitted, strerror(-n));

	/* The one before it stands, the one after it was not looked at. */
	enter.nr_reqs = 0;
	n = check("enter", ioevq_enter(&q, &enter));
	printf("%d event, of %llu\n", n, (unsigned long long)ev[0].user_data);
	return 0;
}

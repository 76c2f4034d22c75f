// SPDX-License-Identifier: MIT
/* Many events for one wake-up, and none waits for longer than 20 ms. */
#include "recipe.h"

#define MS 1000000LL

int main(void)
{
	struct ioevq_event ev[16];
	struct ioevq q;
	int i;

	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	for (i = 0; i < 3; i++)
		check("post", ioevq_post(&q, 1, 0, 0));
	/* 16, or what there is when the first of them has waited for 20 ms. */
	printf("%d events\n",
	       check("wait", ioevq_wait_batch(&q, ev, 16, 16, IOEVQ_FOREVER, 20 * MS)));
	return 0;
}

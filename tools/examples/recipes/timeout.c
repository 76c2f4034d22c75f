// SPDX-License-Identifier: MIT
/* Waits that end: after a time, at a time, at once. */
#include "recipe.h"

#define MS 1000000LL

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 * MS + t.tv_nsec;
}

int main(void)
{
	struct ioevq_event ev;
	struct ioevq q;
	int64_t began;
	int n;

	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	began = now();
	n = check("wait", ioevq_wait(&q, &ev, 1, 1, 20 * MS));
	printf("%d events, not before the time: %s\n", n,
	       now() - began >= 20 * MS ? "true" : "false");

	n = check("wait", ioevq_wait_until(&q, &ev, 1, 1, CLOCK_MONOTONIC, began + 40 * MS));
	printf("%d events, not before the time: %s\n", n,
	       now() - began >= 40 * MS ? "true" : "false");

	printf("%d events\n", check("wait", ioevq_wait(&q, &ev, 0, 1, IOEVQ_NO_WAIT)));
	return 0;
}

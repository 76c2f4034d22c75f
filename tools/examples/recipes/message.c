// SPDX-License-Identifier: MIT
/* A message from a thread to the loop of another. */
#include "recipe.h"

#include <pthread.h>

static struct ioevq q;

static void *compute(void *arg)
{
	uint64_t n, sum = 0;

	for (n = 1; n <= 100; n++)
		sum += n;
	/* User data, a result, and 64 bits more. */
	check("post", ioevq_post(&q, 1, 0, sum));
	return arg;
}

int main(void)
{
	struct ioevq_event ev;
	pthread_t thread;

	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	check("thread", -pthread_create(&thread, NULL, compute, NULL));
	check("wait", ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER));
	printf("the sum is %llu\n", (unsigned long long)ev.data);
	pthread_join(thread, NULL);
	return 0;
}

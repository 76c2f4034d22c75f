// SPDX-License-Identifier: MIT
/* Several threads on one queue. Each event is one thread's; the alert is for all. */
#include "recipe.h"

#include <pthread.h>
#include <stdatomic.h>

#define JOBS 1000

static struct ioevq q;
static atomic_int left = JOBS;
static atomic_int done[JOBS];

static void *worker(void *arg)
{
	struct ioevq_event ev;

	for (;;) {
		check("wait", ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER));
		if (ev.flags & IOEVQ_EVENT_ALERT)
			return arg;
		done[ev.data]++;
		if (!--left)
			check("alert", ioevq_alert(&q, 0));
	}
}

int main(void)
{
	pthread_t threads[4];
	int i, once = 0;

	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	for (i = 0; i < 4; i++)
		check("thread", -pthread_create(&threads[i], NULL, worker, NULL));
	for (i = 0; i < JOBS; i++)
		check("post", ioevq_post(&q, 1, 0, (uint64_t)i));
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < JOBS; i++)
		once += done[i] == 1;
	printf("%d jobs, each done once\n", once);
	return 0;
}

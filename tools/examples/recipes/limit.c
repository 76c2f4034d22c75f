// SPDX-License-Identifier: MIT
/* A concurrency value of 1: while one thread is at work no other is let go. */
#include "recipe.h"

#include <pthread.h>
#include <stdatomic.h>

#define JOBS 64

static struct ioevq q;
static atomic_int at_work, most, left = JOBS;

static void *worker(void *arg)
{
	struct ioevq_event ev;
	unsigned int spin;
	int now;

	for (;;) {
		check("wait", ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER));
		if (ev.flags & IOEVQ_EVENT_ALERT)
			return arg;
		now = ++at_work;
		for (spin = 0; spin < 100000; spin++)
			atomic_signal_fence(memory_order_seq_cst);	/* computes */
		if (now > most)
			most = now;
		at_work--;
		if (!--left)
			check("alert", ioevq_alert(&q, 0));
	}
}

int main(void)
{
	pthread_t threads[4];
	int i;

	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	check("limit", ioevq_set_concurrency(&q, 1));
	for (i = 0; i < JOBS; i++)
		check("post", ioevq_post(&q, 1, 0, 0));
	for (i = 0; i < 4; i++)
		check("thread", -pthread_create(&threads[i], NULL, worker, NULL));
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	printf("%d at once\n", most);
	return 0;
}

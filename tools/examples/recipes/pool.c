// SPDX-License-Identifier: MIT
/* The library's pool: as many callbacks run as there are CPUs, whoever blocks. */
#include "recipe.h"

#include <ioevq_pool.h>
#include <semaphore.h>
#include <stdatomic.h>

struct job {
	struct ioevq_work work;
	int number;
};

static atomic_int sum;
static sem_t finished;

static void run(struct ioevq_work *work, const struct ioevq_event *ev)
{
	struct job *job = (struct job *)work;

	(void)ev;
	sum += job->number;
	sem_post(&finished);
}

int main(void)
{
	struct ioevq_pool *pool;
	struct job jobs[10];
	struct ioevq q;
	int i;

	sem_init(&finished, 0, 0);
	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	check("pool", ioevq_pool_start(&pool, &q, NULL));
	for (i = 0; i < 10; i++) {
		jobs[i] = (struct job){ .work.fn = run, .number = i + 1 };
		check("job", ioevq_pool_submit(pool, &jobs[i].work));
	}
	for (i = 0; i < 10; i++)
		sem_wait(&finished);
	check("stop", ioevq_pool_stop(pool));
	printf("the sum is %d\n", sum);
	return 0;
}

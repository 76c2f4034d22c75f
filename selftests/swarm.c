// SPDX-License-Identifier: GPL-2.0-only
/* Law 4 under fire: a million messages over eight mixed consumers in four processes. */
#include <sys/prctl.h>

#include "expect.h"
#include "pass_fd.h"
#include "scaled.h"

#define PROCESSES	4
#define THREADS		2
#define CONSUMERS	(PROCESSES * THREADS)
#define MILLION		1000000
#define BATCH		64

struct shared {
	unsigned char seen[MILLION];
	int ready;
	int failed;
	int taken[CONSUMERS];
};

static struct shared *shared;

static int add(int *n, int by)
{
	return __atomic_add_fetch(n, by, __ATOMIC_SEQ_CST);
}

struct consumer {
	struct ioevq q;
	unsigned int id;
	pthread_t thread;
};

/* By ENTER, from the mapped ring, or as the library mixes them. */
static int take_some(struct consumer *c, struct ioevq_event *evs)
{
	int ret;

	switch (c->id % 4) {
	case 0:
		return enter_wait(&c->q, evs, 1, 16, -1);
	case 1:
		while (!(ret = ioevq_take(&c->q, evs))) {
			ret = enter_wait(&c->q, NULL, 1, 0, -1);
			if (ret < 0)
				return ret;
		}
		return ret;
	case 2:
		return ioevq_wait(&c->q, evs, 1, 16, -1);
	default:
		return ioevq_wait_batch(&c->q, evs, 8, 16, -1, 1000000);
	}
}

static void *consume(void *arg)
{
	struct consumer *c = arg;
	struct ioevq_event evs[16];
	int i, n;

	add(&shared->ready, 1);
	for (;;) {
		n = take_some(c, evs);
		if (n <= 0) {
			add(&shared->failed, 1);
			return NULL;
		}
		for (i = 0; i < n; i++) {
			if (evs[i].flags & IOEVQ_EVENT_ALERT)
				return NULL;
			if (evs[i].user_data >= MILLION ||
			    evs[i].data != ~evs[i].user_data)
				add(&shared->failed, 1);
			else
				__atomic_add_fetch(&shared->seen[evs[i].user_data], 1,
						   __ATOMIC_RELAXED);
		}
		add(&shared->taken[c->id], n);
	}
}

/* Half of the processes inherit the queue, the others are sent it. */
static void consumer_process(const struct ioevq *inherited, int over, unsigned int id)
{
	struct consumer c[THREADS];
	struct ioevq q;
	unsigned int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (inherited)
		q = *inherited;
	else if (ioevq_attach(&q, receive_fd(over)))
		_exit(1);
	for (i = 0; i < THREADS; i++) {
		c[i] = (struct consumer){ .q = q, .id = id + i };
		if (pthread_create(&c[i].thread, NULL, consume, &c[i]))
			_exit(2);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(c[i].thread, NULL);
	_exit(0);
}

FIXTURE(swarm)
{
	struct ioevq q;
};

FIXTURE_VARIANT(swarm)
{
	unsigned int messages;
	unsigned int entries;
	unsigned int concurrency;
};

FIXTURE_VARIANT_ADD(swarm, unlimited) { MILLION, 1024, IOEVQ_UNLIMITED };
FIXTURE_VARIANT_ADD(swarm, small_ring) { MILLION / 5, 8, IOEVQ_UNLIMITED };
FIXTURE_VARIANT_ADD(swarm, limited) { MILLION / 5, 256, 2 };

FIXTURE_SETUP(swarm)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
}

FIXTURE_TEARDOWN(swarm)
{
	munmap(shared, sizeof(*shared));
}

static int post_batch(const struct ioevq *q, unsigned int first, unsigned int n)
{
	struct ioevq_req reqs[BATCH];
	unsigned int i, done = 0;
	int ret;

	for (i = 0; i < n; i++)
		ioevq_prep_post(&reqs[i], -1, 0, ~(uint64_t)(first + i), first + i);
	while (done < n) {
		ret = ioevq_submit(q, reqs + done, n - done);
		if (ret < 0 && ret != -EAGAIN)
			return ret;
		if (ret > 0)
			done += ret;
		else
			sched_yield();
	}
	return 0;
}

struct producer {
	const struct ioevq *q;
	unsigned int first;
	unsigned int end;
	pthread_t thread;
};

static void *produce(void *arg)
{
	struct producer *p = arg;
	unsigned int i, n;

	for (i = p->first; i < p->end; i += n) {
		n = p->end - i < BATCH ? p->end - i : BATCH;
		if (post_batch(p->q, i, n))
			add(&shared->failed, 1);
	}
	return NULL;
}

TEST_F_TIMEOUT(swarm, law_04_a_million_over_eight, 600)
{
	unsigned int i, n = scaled(variant->messages);
	int over[2], status, taken = 0;
	struct producer p[2];
	pid_t pids[PROCESSES];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, over));
	for (i = 0; i < PROCESSES / 2; i++) {
		pids[i] = fork();
		ASSERT_LE(0, pids[i]);
		if (!pids[i])
			consumer_process(NULL, over[1], i * THREADS);
	}
	ASSERT_EQ(0, ioevq_open(&self->q, variant->entries, 0));
	ASSERT_EQ(0, ioevq_set_concurrency(&self->q, variant->concurrency));
	for (i = 0; i < PROCESSES / 2; i++)
		ASSERT_EQ(0, pass_fd(over[0], self->q.fd));
	for (; i < PROCESSES; i++) {
		pids[i] = fork();
		ASSERT_LE(0, pids[i]);
		if (!pids[i])
			consumer_process(&self->q, -1, i * THREADS);
	}
	ASSERT_TRUE(eventually(__atomic_load_n(&shared->ready, __ATOMIC_RELAXED) == CONSUMERS));

	for (i = 0; i < 2; i++) {
		p[i] = (struct producer){
			.q = &self->q, .first = i * (n / 2), .end = (i + 1) * (n / 2),
		};
		ASSERT_EQ(0, pthread_create(&p[i].thread, NULL, produce, &p[i]));
	}
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_join(p[i].thread, NULL));
	ASSERT_TRUE(eventually(query(&self->q).available == 0));
	ASSERT_TRUE(eventually(query(&self->q).waiting == CONSUMERS));
	ASSERT_EQ(0, ioevq_alert(&self->q, 0));
	for (i = 0; i < PROCESSES; i++) {
		ASSERT_EQ(pids[i], waitpid(pids[i], &status, 0));
		EXPECT_EQ(0, status);
	}
	EXPECT_EQ(0, shared->failed);
	for (i = 0; i < CONSUMERS; i++)
		taken += shared->taken[i];
	EXPECT_EQ(n, taken);
	for (i = 0; i < n; i++)
		ASSERT_EQ(1, shared->seen[i])
			TH_LOG("message %u", i);
	ASSERT_EQ(0, ioevq_clear_alert(&self->q));
	EXPECT_EQ(0, requests(&self->q));
	ioevq_close(&self->q);
	close(over[0]);
	close(over[1]);
}

TEST_HARNESS_MAIN

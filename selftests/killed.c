// SPDX-License-Identifier: GPL-2.0-only
/*
 * Laws 2, 6 and 7: consumers are killed at random, asleep and at work, while messages
 * come in. Nothing is lost: neither a message, nor a wake-up, nor a slot.
 */
#include <sys/prctl.h>

#include "expect.h"
#include "points.h"
#include "scaled.h"

#define CONSUMERS	6
#define MAX_MESSAGES	4000000
#define NONE		(~0ULL)

/* Between what who sleeps does and what who posts does. */
#define HELD	"sleep:100,wake:50,awake:100,take:50"

/* Each consumer takes into memory that outlives it. */
struct hands {
	struct ioevq_event evs[4];
};

struct shared {
	struct hands hands[CONSUMERS];
	int failed;
	unsigned int owner[MAX_MESSAGES];	/* the consumer that had it, counted from 1 */
};

FIXTURE(killed)
{
	struct shared *shared;
	unsigned char *maybe;	/* messages that were in the hands of a dead one, perhaps */
	struct ioevq q;
	pid_t pids[CONSUMERS];
	unsigned int born;
};

FIXTURE_VARIANT(killed)
{
	unsigned int seconds;
	unsigned int concurrency;
	const char *held;
};

FIXTURE_VARIANT_ADD(killed, unlimited) { 30, IOEVQ_UNLIMITED, HELD };
FIXTURE_VARIANT_ADD(killed, limited) { 30, 1, HELD ",hold_back:50,slot:50" };

FIXTURE_SETUP(killed)
{
	self->shared = mmap(NULL, sizeof(*self->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->shared);
	self->maybe = calloc(1, MAX_MESSAGES);
	ASSERT_NE(NULL, self->maybe);
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	self->born = 0;
}

FIXTURE_TEARDOWN(killed)
{
	EXPECT_EQ(0, hold(""));
	ioevq_close(&self->q);
	munmap(self->shared, sizeof(*self->shared));
	free(self->maybe);
}

static void empty(struct hands *h)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(h->evs); i++)
		__atomic_store_n(&h->evs[i].user_data, NONE, __ATOMIC_RELAXED);
}

/* Ways to wait; the more events it asks for the longer it sleeps. */
static void consumer(struct shared *s, const struct ioevq *q, unsigned int nr, unsigned int id)
{
	struct hands *h = &s->hands[nr];
	unsigned int *owner;
	int i, n;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		empty(h);
		n = enter_wait(q, h->evs, nr % 3 + 1, 4, nr % 2 ? 2000000 : -1);
		if (n < 0)
			break;
		for (i = 0; i < n; i++) {
			if (h->evs[i].flags & IOEVQ_EVENT_ALERT)
				_exit(0);
			owner = &s->owner[h->evs[i].user_data];
			if (__atomic_exchange_n(owner, id, __ATOMIC_RELAXED))
				__atomic_store_n(&s->failed, 1, __ATOMIC_RELAXED);
		}
	}
	_exit(1);
}

static int spawn(struct _test_data_killed *self, unsigned int nr)
{
	unsigned int id = ++self->born;

	empty(&self->shared->hands[nr]);
	self->pids[nr] = fork();
	if (!self->pids[nr])
		consumer(self->shared, &self->q, nr, id);
	return self->pids[nr] > 0;
}

static int kill_one(struct _test_data_killed *self, unsigned int nr)
{
	struct hands *h = &self->shared->hands[nr];
	unsigned int i;
	int status;

	if (kill(self->pids[nr], SIGKILL) || waitpid(self->pids[nr], &status, 0) < 0 ||
	    status != SIGKILL)
		return 0;
	for (i = 0; i < ARRAY_SIZE(h->evs); i++)
		if (h->evs[i].user_data < MAX_MESSAGES)
			self->maybe[h->evs[i].user_data] = 1;
	return spawn(self, nr);
}

TEST_F_TIMEOUT(killed, law_02_consumers_are_killed, 400)
{
	long seconds = env_number("IOEVQ_SECONDS", variant->seconds);
	long long end = now_ns() + seconds * 1000000000LL;
	unsigned int i, sent = 0, kills = 0, doubtful = 0;
	struct shared *s = self->shared;
	int status;

	srand(1);
	ASSERT_EQ(0, hold(variant->held));
	ASSERT_EQ(0, ioevq_set_concurrency(&self->q, variant->concurrency));
	for (i = 0; i < CONSUMERS; i++)
		ASSERT_TRUE(spawn(self, i));
	while (now_ns() < end && sent + 16 < MAX_MESSAGES) {
		/* Bursts, and pauses in which they fall asleep, or die. */
		for (i = rand() % 16; i; i--)
			ASSERT_EQ(0, ioevq_post(&self->q, sent++, 0, 0));
		if (rand() % 8 == 0) {
			ASSERT_TRUE(kill_one(self, rand() % CONSUMERS));
			kills++;
		}
		/* Whoever lives takes all of it but what is too little to be asked for. */
		if (rand() % 16 == 0)
			ASSERT_TRUE(eventually(query(&self->q).available < 3));
	}
	/* One that asks for a single event is always there, and gets its slot. */
	ASSERT_TRUE(eventually(query(&self->q).available == 0));
	ASSERT_EQ(0, ioevq_alert(&self->q, 0));
	for (i = 0; i < CONSUMERS; i++) {
		ASSERT_EQ(self->pids[i], waitpid(self->pids[i], &status, 0));
		EXPECT_EQ(0, status);
	}
	EXPECT_EQ(0, s->failed);
	EXPECT_TRUE(eventually(query(&self->q).runnable == 0));
	for (i = 0; i < sent; i++) {
		if (s->owner[i])
			continue;
		doubtful++;
		ASSERT_TRUE(self->maybe[i])
			TH_LOG("message %u of %u", i, sent);
	}
	EXPECT_TRUE(all_passed(variant->held));
	/* No more than a dead hand can hold. */
	EXPECT_GE(4 * kills, doubtful);
	EXPECT_LT(scaled((unsigned int)(100 * seconds / variant->seconds)), kills);
	TH_LOG("%u messages, %u consumers killed, %u messages in their hands", sent, kills,
	       doubtful);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/* Law 5, level-triggered: many files, several consumers, and small appetites. */
#include <sys/timerfd.h>

#include "readiness.h"
#include "scaled.h"
#include "sleeper.h"

#define FILES	50

FIXTURE(fair)
{
	struct ioevq q;
	int fd[FILES];		/* semaphores */
};

FIXTURE_SETUP(fair)
{
	int i;

	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	for (i = 0; i < FILES; i++) {
		self->fd[i] = eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE);
		ASSERT_LE(0, self->fd[i]);
		ASSERT_EQ(0, watch(&self->q, self->fd[i], POLLIN, IOEVQ_POLL_LEVEL, i));
	}
}

FIXTURE_TEARDOWN(fair)
{
	int i;

	for (i = 0; i < FILES; i++)
		close(self->fd[i]);
	ioevq_close(&self->q);
}

static int make_ready(const int *fd, int n, eventfd_t value)
{
	int i, err = 0;

	for (i = 0; i < n; i++)
		err |= eventfd_write(fd[i], value);
	return err;
}

/* Take rounds * FILES events, @max at a time; true if each file has had about as many. */
static int in_turn(const struct ioevq *q, unsigned int max, int rounds, int slack)
{
	int seen[FILES] = {}, total = 0, i, n;
	struct ioevq_event evs[FILES];

	while (total < rounds * FILES) {
		n = enter_wait(q, evs, 1, max, BOUND_NS);
		if (n <= 0)
			return 0;
		for (i = 0; i < n; i++) {
			if (evs[i].user_data >= FILES || evs[i].res != POLLIN)
				return 0;
			seen[evs[i].user_data]++;
		}
		total += n;
	}
	for (i = 0; i < FILES; i++)
		if (seen[i] < rounds - slack || seen[i] > rounds + slack)
			return 0;
	return 1;
}

TEST_F(fair, law_05_level_one_at_a_time)
{
	ASSERT_EQ(0, make_ready(self->fd, FILES, 1));
	EXPECT_TRUE(in_turn(&self->q, 1, 4, 0));
	/* No more was announced than was asked for. */
	EXPECT_GE(2, query(&self->q).available);
}

TEST_F(fair, law_05_level_some_at_a_time)
{
	ASSERT_EQ(0, make_ready(self->fd, FILES, 1));
	EXPECT_TRUE(in_turn(&self->q, 7, 8, 1));
	EXPECT_TRUE(in_turn(&self->q, 1, 2, 1));
	EXPECT_TRUE(in_turn(&self->q, FILES, 4, 1));
	EXPECT_TRUE(in_turn(&self->q, 49, 8, 1));
}

TEST_F(fair, law_05_level_each_once_in_a_wait)
{
	struct ioevq_event evs[2 * FILES];
	uint64_t mask = 0;
	int i;

	ASSERT_EQ(0, make_ready(self->fd, FILES, 1));
	ASSERT_EQ(FILES, enter_wait(&self->q, evs, FILES, 2 * FILES, BOUND_NS));
	for (i = 0; i < FILES; i++)
		mask |= 1ULL << evs[i].user_data;
	EXPECT_EQ((1ULL << FILES) - 1, mask);
}

/* One that is ready is one event, however many are waited for. */
TEST_F(fair, law_05_level_and_a_minimum)
{
	struct ioevq_event evs[4];
	struct sleeper s;

	ASSERT_EQ(0, make_ready(self->fd, 1, 1));
	EXPECT_EQ(1, enter_wait(&self->q, evs, 2, 4, 50 * 1000 * 1000));
	EXPECT_EQ(0, evs[0].user_data);
	ASSERT_TRUE(put_to_sleep(&s, &self->q, 2, 4, BOUND_NS));
	ASSERT_EQ(0, eventfd_write(self->fd[1], 1));
	EXPECT_EQ(2, woken(&s));
	EXPECT_EQ(1, s.evs[0].user_data + s.evs[1].user_data);
}

/* Who was told has another told, too, that sleeps: if the file is ready still. */
TEST_F(fair, law_06_level_passed_on)
{
	struct itimerspec soon = { .it_value.tv_nsec = 100 * 1000 * 1000 };
	struct ioevq_event ev = {};
	struct ioevq_enter enter = {
		.flags = IOEVQ_ENTER_PASS_ON, .events = (uintptr_t)&ev, .min = 1, .max = 1,
		.timeout_ns = BOUND_NS,
	};
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct sleeper s;

	ASSERT_EQ(0, watch(&self->q, timer, POLLIN, IOEVQ_POLL_LEVEL, FILES));
	ASSERT_TRUE(put_to_sleep(&s, &self->q, 1, 1, BOUND_NS));
	ASSERT_EQ(0, timerfd_settime(timer, 0, &soon, NULL));
	/* The last to sleep is the first to be woken. */
	EXPECT_EQ(1, ioevq_enter(&self->q, &enter));
	EXPECT_EQ(FILES, ev.user_data);
	EXPECT_EQ(1, woken(&s));
	EXPECT_EQ(FILES, s.evs[0].user_data);
	EXPECT_EQ(POLLIN, s.evs[0].res);
	close(timer);
}

/* Those that are always ready do not keep others from being heard. */
TEST_F(fair, law_05_level_lets_others_through)
{
	int edge = eventfd(0, EFD_NONBLOCK), waits;
	struct ioevq_event ev = {};

	ASSERT_EQ(0, watch(&self->q, edge, POLLIN, IOEVQ_POLL_EDGE, FILES));
	ASSERT_EQ(0, make_ready(self->fd, FILES, 1));
	EXPECT_TRUE(in_turn(&self->q, 1, 1, 0));
	ASSERT_EQ(0, eventfd_write(edge, 1));
	ASSERT_EQ(0, ioevq_post(&self->q, MARK, 0, 0));
	for (waits = 0; waits < 2 * FILES && ev.user_data != MARK; waits++)
		ASSERT_EQ(1, enter_wait(&self->q, &ev, 1, 1, BOUND_NS));
	EXPECT_EQ(MARK, ev.user_data);
	EXPECT_GE(FILES + 2, waits);
	close(edge);
}

/* Nor does it keep the order: what was announced first is taken first. */
TEST_F(fair, law_03_level_in_order)
{
	struct ioevq_event evs[FILES];
	int i;

	/* The last becomes ready first. */
	for (i = FILES - 1; i >= 0; i--)
		ASSERT_EQ(0, eventfd_write(self->fd[i], 1));
	ASSERT_EQ(FILES, enter_wait(&self->q, evs, FILES, FILES, BOUND_NS));
	for (i = 0; i < FILES; i++)
		EXPECT_EQ(FILES - 1 - i, evs[i].user_data);
}

/* No room in the ring: the same, by way of the backlog. */
TEST_F(fair, law_02_level_with_a_full_ring)
{
	struct ioevq_event evs[FILES];
	uint64_t mask = 0;
	struct ioevq q;
	int i;

	ASSERT_EQ(0, ioevq_open(&q, 1, 0));
	for (i = 0; i < FILES; i++)
		ASSERT_EQ(0, watch(&q, self->fd[i], POLLIN, IOEVQ_POLL_LEVEL, i));
	ASSERT_EQ(0, make_ready(self->fd, FILES, 1));
	ASSERT_EQ(FILES, enter_wait(&q, evs, FILES, FILES, BOUND_NS));
	for (i = 0; i < FILES; i++)
		mask |= 1ULL << evs[i].user_data;
	EXPECT_EQ((1ULL << FILES) - 1, mask);
	EXPECT_TRUE(in_turn(&q, 3, 4, 1));
	ioevq_close(&q);
}

struct eater {
	const struct ioevq *q;
	const int *fd;
	unsigned int *left;		/* tokens that nobody has found yet */
	unsigned int max;
	int err;
};

static void *eat(void *arg)
{
	struct eater *e = arg;
	struct ioevq_event evs[8];
	eventfd_t value;
	int i, n;

	while (!e->err) {
		n = enter_wait(e->q, evs, 1, e->max, BOUND_NS);
		if (n < 1) {
			e->err = n ? n : -ETIME;
			break;
		}
		/* One token for each event: the rest is announced again. */
		for (i = 0; i < n; i++) {
			if (evs[i].flags & IOEVQ_EVENT_ALERT)
				return NULL;
			if (!eventfd_read(e->fd[evs[i].user_data], &value))
				__atomic_sub_fetch(e->left, 1, __ATOMIC_ACQ_REL);
			else if (errno != EAGAIN)
				e->err = -errno;
		}
	}
	return NULL;
}

/* Consumers of all appetites find all there is, and are asleep afterwards. */
TEST_F_TIMEOUT(fair, law_05_level_nothing_is_left, 600)
{
	unsigned int rounds = scaled(300), left = 0, i;
	pthread_t threads[3];
	struct eater e[3];

	for (i = 0; i < ARRAY_SIZE(e); i++) {
		e[i] = (struct eater){ &self->q, self->fd, &left, 1 + 3 * i, 0 };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, eat, &e[i]));
	}
	for (i = 0; i < rounds; i++) {
		int n = 1 + i % FILES;

		__atomic_add_fetch(&left, n * (1 + i % 3), __ATOMIC_ACQ_REL);
		ASSERT_EQ(0, make_ready(self->fd, n, 1 + i % 3));
		if (i % 5 == 0)
			ASSERT_TRUE(eventually(!__atomic_load_n(&left, __ATOMIC_ACQUIRE)));
	}
	EXPECT_TRUE(eventually(!__atomic_load_n(&left, __ATOMIC_ACQUIRE)));
	EXPECT_TRUE(eventually(query(&self->q).waiting == ARRAY_SIZE(e)));
	ASSERT_EQ(0, ioevq_alert(&self->q, 0));
	for (i = 0; i < ARRAY_SIZE(e); i++) {
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
		EXPECT_EQ(0, e[i].err);
	}
	ASSERT_EQ(0, ioevq_clear_alert(&self->q));
	EXPECT_TRUE(nothing(&self->q));
	EXPECT_EQ(0, self->q.ring->flags);
}

/* One runs at a time: what it leaves is for the next one. */
TEST_F_TIMEOUT(fair, law_07_level_and_a_concurrency_value, 600)
{
	unsigned int left = 3 * FILES, i;
	pthread_t threads[3];
	struct eater e[3];

	ASSERT_EQ(0, ioevq_set_concurrency(&self->q, 1));
	for (i = 0; i < ARRAY_SIZE(e); i++) {
		e[i] = (struct eater){ &self->q, self->fd, &left, 1, 0 };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, eat, &e[i]));
	}
	ASSERT_TRUE(eventually(query(&self->q).waiting == ARRAY_SIZE(e)));
	ASSERT_EQ(0, make_ready(self->fd, FILES, 3));
	EXPECT_TRUE(eventually(!__atomic_load_n(&left, __ATOMIC_ACQUIRE)));
	ASSERT_EQ(0, ioevq_alert(&self->q, 0));
	for (i = 0; i < ARRAY_SIZE(e); i++) {
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
		EXPECT_EQ(0, e[i].err);
	}
}

TEST_HARNESS_MAIN

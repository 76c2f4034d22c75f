// SPDX-License-Identifier: GPL-2.0-only
/* Law 6: an event wakes one waiter, the last one that went to sleep. */
#include "kinds_file.h"
#include "sleeper.h"
#include "slow_io.h"

#define MS		1000000LL
#define SLEEPERS	4

FIXTURE(wait)
{
	struct ioevq q;
	struct sleeper s[SLEEPERS];
};

FIXTURE_SETUP(wait)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 8, 0));
}

FIXTURE_TEARDOWN(wait)
{
	ioevq_close(&self->q);
}

static int post_n(const struct ioevq *q, unsigned int n, __u64 first)
{
	struct ioevq_req reqs[64];
	unsigned int i;

	for (i = 0; i < n; i++)
		ioevq_prep_post(&reqs[i], -1, 0, 0, first + i);
	return ioevq_submit(q, reqs, n) == (int)n ? 0 : -1;
}

/* The last to sleep is the first to wake, by one event each. */
TEST_F(wait, law_06_wake_one)
{
	int i, j;

	for (i = 0; i < SLEEPERS; i++)
		ASSERT_TRUE(put_to_sleep(&self->s[i], &self->q, 1, 1, BOUND_NS));
	for (i = SLEEPERS - 1; i >= 0; i--) {
		ASSERT_EQ(0, ioevq_post(&self->q, i, 0, 0));
		EXPECT_EQ(SLEEPERS - i, wakeups(&self->q));
		EXPECT_EQ(1, woken(&self->s[i]));
		EXPECT_EQ(i, self->s[i].evs[0].user_data);
		for (j = 0; j < i; j++)
			EXPECT_TRUE(sleeps(&self->s[j]));
	}
	EXPECT_EQ(SLEEPERS, wakeups(&self->q));
	EXPECT_EQ(0, query(&self->q).available);
}

/* Several at once wake as many, the others sleep on. */
TEST_F(wait, law_06_wake_one_for_each)
{
	int i;

	for (i = 0; i < SLEEPERS; i++)
		ASSERT_TRUE(put_to_sleep(&self->s[i], &self->q, 1, 1, BOUND_NS));
	ASSERT_EQ(0, post_n(&self->q, SLEEPERS - 1, 0));
	/* One who has taken his event, and is about to say so, wakes the next. */
	EXPECT_TRUE(eventually(wakeups(&self->q) == SLEEPERS - 1));
	for (i = 1; i < SLEEPERS; i++)
		EXPECT_EQ(1, woken(&self->s[i]));
	EXPECT_TRUE(sleeps(&self->s[0]));
	ASSERT_EQ(0, post_n(&self->q, 1, 0));
	EXPECT_EQ(1, woken(&self->s[0]));
	EXPECT_EQ(SLEEPERS, wakeups(&self->q));
}

/* A watch of a file wakes one, too, though its file wakes all that wait for it. */
TEST_F(wait, law_06_wake_one_by_a_watch)
{
	int i, fd = eventfd(0, 0);

	ASSERT_EQ(1, park(&self->q, fd, 1, 7));
	for (i = 0; i < SLEEPERS; i++)
		ASSERT_TRUE(put_to_sleep(&self->s[i], &self->q, 1, 1, BOUND_NS));
	ASSERT_EQ(0, eventfd_write(fd, 1));
	EXPECT_EQ(1, woken(&self->s[SLEEPERS - 1]));
	EXPECT_EQ(7, self->s[SLEEPERS - 1].evs[0].user_data);
	EXPECT_EQ(1, wakeups(&self->q));
	ASSERT_EQ(0, post_n(&self->q, SLEEPERS - 1, 0));
	for (i = 0; i < SLEEPERS - 1; i++)
		EXPECT_EQ(1, woken(&self->s[i]));
	close(fd);
}

TEST_F(wait, law_06_nobody_is_woken_for_nothing)
{
	struct ioevq_event evs[8];
	struct ioevq_req req;
	struct ioevq_enter e = {
		.reqs = (uintptr_t)&req, .nr_reqs = 1, .events = (uintptr_t)evs, .min = 1, .max = 8,
		.timeout_ns = -1,
	};

	ASSERT_EQ(0, post_n(&self->q, 3, 0));
	EXPECT_EQ(3, enter_wait(&self->q, evs, 3, 8, -1));
	/* Submitting and waiting in one call does not put to sleep either. */
	ioevq_prep_nop(&req, 9);
	EXPECT_EQ(1, ioevq_enter(&self->q, &e));
	EXPECT_EQ(9, evs[0].user_data);
	EXPECT_EQ(0, wakeups(&self->q));
}

TEST_F(wait, law_06_woken_once_when_min_are_there)
{
	unsigned int i;

	ASSERT_TRUE(put_to_sleep(&self->s[0], &self->q, 5, 8, BOUND_NS));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, ioevq_post(&self->q, i, 0, 0));
		EXPECT_EQ(0, wakeups(&self->q));
		EXPECT_TRUE(sleeps(&self->s[0]));
	}
	ASSERT_EQ(0, ioevq_post(&self->q, i, 0, 0));
	EXPECT_EQ(5, woken(&self->s[0]));
	EXPECT_EQ(1, wakeups(&self->q));
	for (i = 0; i < 5; i++)
		EXPECT_EQ(i, self->s[0].evs[i].user_data);
}

/* More than fit into the ring. */
TEST_F(wait, law_06_woken_for_what_is_in_the_backlog)
{
	struct ioevq_event evs[20];
	struct ioevq_enter e = {
		.events = (uintptr_t)evs, .min = 20, .max = 20, .timeout_ns = BOUND_NS,
	};
	int i;

	ASSERT_TRUE(put_to_sleep(&self->s[0], &self->q, 20, 0, BOUND_NS));
	ASSERT_EQ(0, post_n(&self->q, 19, 0));
	EXPECT_TRUE(sleeps(&self->s[0]));
	ASSERT_EQ(0, post_n(&self->q, 1, 19));
	EXPECT_EQ(20, woken(&self->s[0]));
	EXPECT_EQ(1, wakeups(&self->q));
	EXPECT_EQ(20, ioevq_enter(&self->q, &e));
	for (i = 0; i < 20; i++)
		EXPECT_EQ(i, evs[i].user_data);
}

/* Who asks for more than there is does not keep others from it. */
TEST_F(wait, law_06_whoever_can_take_it_is_woken)
{
	ASSERT_TRUE(put_to_sleep(&self->s[0], &self->q, 1, 1, BOUND_NS));
	ASSERT_TRUE(put_to_sleep(&self->s[1], &self->q, 2, 2, BOUND_NS));
	ASSERT_TRUE(put_to_sleep(&self->s[2], &self->q, 3, 3, BOUND_NS));
	ASSERT_EQ(0, ioevq_post(&self->q, 1, 0, 0));
	EXPECT_EQ(1, woken(&self->s[0]));
	EXPECT_EQ(1, wakeups(&self->q));
	ASSERT_EQ(0, ioevq_post(&self->q, 2, 0, 0));
	EXPECT_EQ(1, wakeups(&self->q));
	ASSERT_EQ(0, ioevq_post(&self->q, 3, 0, 0));
	EXPECT_EQ(2, woken(&self->s[1]));
	EXPECT_TRUE(sleeps(&self->s[2]));
	ASSERT_EQ(0, post_n(&self->q, 3, 4));
	EXPECT_EQ(3, woken(&self->s[2]));
	EXPECT_EQ(3, wakeups(&self->q));
}

/* With max 0 the events stay in the ring. */
TEST_F(wait, law_06_only_wait)
{
	struct ioevq_event ev;
	int i;

	ASSERT_TRUE(put_to_sleep(&self->s[0], &self->q, 2, 0, BOUND_NS));
	ASSERT_EQ(0, ioevq_post(&self->q, 0, 0, 0));
	EXPECT_TRUE(sleeps(&self->s[0]));
	EXPECT_EQ(0, wakeups(&self->q));
	ASSERT_EQ(0, ioevq_post(&self->q, 1, 0, 0));
	EXPECT_EQ(2, woken(&self->s[0]));
	EXPECT_EQ(1, wakeups(&self->q));
	EXPECT_EQ(2, query(&self->q).available);
	EXPECT_EQ(2, enter_wait(&self->q, NULL, 1, 0, -1));
	EXPECT_EQ(2, enter_wait(&self->q, NULL, 2, 0, 0));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, ioevq_take(&self->q, &ev));
		EXPECT_EQ(i, ev.user_data);
	}
	EXPECT_EQ(0, ioevq_take(&self->q, &ev));
	EXPECT_EQ(0, enter_wait(&self->q, NULL, 1, 0, 0));
}

/* Is told of an event, does not take it, and is killed. */
static int be_told(const struct ioevq *q, int say)
{
	if (enter_wait(q, NULL, 1, 0, BOUND_NS) != 1 || write(say, "x", 1) != 1)
		return 1;
	for (;;)
		;
}

TEST_F(wait, law_06_told_and_killed)
{
	int said[2];
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(said));
	ASSERT_TRUE(put_to_sleep(&self->s[0], &self->q, 1, 1, BOUND_NS));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(be_told(&self->q, said[1]));
	ASSERT_TRUE(eventually(query(&self->q).waiting == 2));
	ASSERT_EQ(0, ioevq_post(&self->q, 5, 0, 0));
	ASSERT_EQ(1, read(said[0], &c, 1));
	EXPECT_EQ(1, query(&self->q).waiting);
	EXPECT_EQ(1, query(&self->q).available);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ(1, woken(&self->s[0]));
	EXPECT_EQ(5, self->s[0].evs[0].user_data);
	close(said[0]);
	close(said[1]);
}

struct submission {
	const struct ioevq *q;
	const struct slow_io *s;
	int ret;
};

/* The second request is in memory that is not there yet. */
static void *submit_slowly(void *arg)
{
	struct submission *sub = arg;
	struct ioevq_req *req = (struct ioevq_req *)(sub->s->pages + SLOW_PAGE) - 1;

	slow_finish(sub->s, 0);
	ioevq_prep_child(req, 0, 0, 9);
	sub->ret = ioevq_submit(sub->q, req, 2);
	return NULL;
}

/*
 * Somebody submits for as long as he likes, and a file asks to be looked at, which has
 * to wait until then: nobody else has to, neither for events nor for his time.
 */
TEST_F(wait, law_06_waiting_does_not_wait_for_submissions)
{
	struct submission sub = { .q = &self->q };
	struct ioevq_event ev;
	pthread_t thread;
	struct slow_io s;
	struct thing t;

	ASSERT_EQ(0, slow_make(&s));
	ASSERT_EQ(0, make_inotify(&t));
	ASSERT_EQ(0, watch(&self->q, t.fd, POLLIN, IOEVQ_POLL_EDGE, 7));
	sub.s = &s;
	ASSERT_EQ(0, pthread_create(&thread, NULL, submit_slowly, &sub));
	ASSERT_EQ(0, slow_started(&s));
	ASSERT_TRUE(put_to_sleep(&self->s[0], &self->q, 1, 1, BOUND_NS));
	ASSERT_EQ(0, rouse_inotify(&t));
	EXPECT_EQ(0, enter_wait(&self->q, &ev, 0, 1, 0));
	EXPECT_EQ(0, enter_wait(&self->q, &ev, 1, 1, 20 * MS));
	EXPECT_TRUE(sleeps(&self->s[0]));
	/* When it is over who sleeps is told. */
	ASSERT_EQ(0, slow_finish(&s, 1));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(1, sub.ret);
	EXPECT_EQ(1, woken(&self->s[0]));
	EXPECT_EQ(7, self->s[0].evs[0].user_data);
	EXPECT_EQ(POLLIN, self->s[0].evs[0].res);
	slow_end(&s);
	close(t.fd);
	rmdir(t.path);
}

/* Who sleeps has found a file, and waits for another event; somebody takes that of the file. */
static int take_while_somebody_submits(const struct ioevq *q, struct sleeper *sleeper,
				       unsigned int flags)
{
	struct submission sub = { .q = q };
	struct ioevq_event ev = {};
	struct ioevq_enter enter = {
		.flags = flags, .events = (uintptr_t)&ev, .min = 1, .max = 1,
	};
	int fd = eventfd(1, EFD_CLOEXEC), bad;
	pthread_t thread;
	struct slow_io s;

	sub.s = &s;
	if (slow_make(&s) || watch(q, fd, POLLIN, IOEVQ_POLL_LEVEL, 7) ||
	    !put_to_sleep(sleeper, q, 2, 2, BOUND_NS) || query(q).available != 1 ||
	    pthread_create(&thread, NULL, submit_slowly, &sub) || slow_started(&s))
		return -1;
	bad = ioevq_enter(q, &enter) != 1 || ev.user_data != 7;
	/* He would look himself, but cannot. */
	if (!flags)
		bad |= ioevq_enter(q, &enter) != 0;
	bad |= ioevq_post(q, 8, 0, 0) || !sleeps(sleeper) || slow_finish(&s, 1) ||
	       pthread_join(thread, NULL);
	bad |= woken(sleeper) != 2 ||
	       sleeper->evs[0].user_data + sleeper->evs[1].user_data != 15;
	slow_end(&s);
	close(fd);
	return bad;
}

/* It is looked at again for who sleeps, when that is over. */
TEST_F(wait, law_05_due_while_somebody_submits)
{
	EXPECT_EQ(0, take_while_somebody_submits(&self->q, &self->s[0], IOEVQ_ENTER_PASS_ON));
}

TEST_F(wait, law_05_due_to_who_cannot_look)
{
	EXPECT_EQ(0, take_while_somebody_submits(&self->q, &self->s[0], 0));
}

/* Nor does who sends a message, which is there at once. */
TEST_F(wait, law_02_a_sender_waits_for_nobody)
{
	struct submission sub = { .q = &self->q };
	struct ioevq_event ev;
	struct ioevq_req req;
	pthread_t thread;
	struct ioevq other;
	struct slow_io s;

	ASSERT_EQ(0, ioevq_open(&other, 0, 0));
	ASSERT_EQ(0, slow_make(&s));
	sub.s = &s;
	ASSERT_EQ(0, pthread_create(&thread, NULL, submit_slowly, &sub));
	ASSERT_EQ(0, slow_started(&s));
	/* He is in the middle of his batch, which began with what needs the mutex. */
	ASSERT_EQ(0, ioevq_post(&self->q, 1, 0, 0));
	ioevq_prep_post(&req, self->q.fd, 0, 0, 2);
	ASSERT_EQ(0, submit(&other, &req));
	ioevq_prep_post(&req, other.fd, 0, 0, 3);
	ASSERT_EQ(0, submit(&self->q, &req));
	EXPECT_EQ(1, enter_wait(&self->q, &ev, 1, 1, 0));
	EXPECT_EQ(1, ev.user_data);
	EXPECT_EQ(1, enter_wait(&self->q, &ev, 1, 1, 0));
	EXPECT_EQ(2, ev.user_data);
	EXPECT_EQ(1, enter_wait(&other, &ev, 1, 1, 0));
	EXPECT_EQ(3, ev.user_data);
	ASSERT_EQ(0, slow_finish(&s, 1));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	slow_end(&s);
	ioevq_close(&other);
}

static int use_cpu(int nr)
{
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(nr, &cpu);
	return sched_setaffinity(0, sizeof(cpu), &cpu);
}

/* Nobody else runs on CPU 1 from when *arg is 1 until it is 2. */
static void *occupy(void *arg)
{
	struct sched_param param = { .sched_priority = 10 };

	if (use_cpu(1) || sched_setscheduler(0, SCHED_FIFO, &param))
		return arg;
	__atomic_store_n((int *)arg, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n((int *)arg, __ATOMIC_ACQUIRE) != 2)
		;
	return NULL;
}

/*
 * A waiter is woken, and others take what it was woken for. Two come to wait, two
 * events come, not as many as were claimed: both are woken when the first gives up.
 */
TEST_F(wait, law_06_a_claim_given_up_serves_all)
{
	struct ioevq_event ev;
	pthread_t thread;
	void *failed;
	int i, state = 0;

	ASSERT_EQ(0, use_cpu(1));
	ASSERT_TRUE(put_to_sleep(&self->s[0], &self->q, 3, 0, BOUND_NS));
	ASSERT_EQ(0, use_cpu(0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, occupy, &state));
	ASSERT_TRUE(eventually(__atomic_load_n(&state, __ATOMIC_ACQUIRE) == 1));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, ioevq_post(&self->q, i, 0, 0));
	EXPECT_EQ(1, wakeups(&self->q));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(1, ioevq_take(&self->q, &ev));
	ASSERT_TRUE(put_to_sleep(&self->s[1], &self->q, 1, 0, BOUND_NS));
	ASSERT_TRUE(put_to_sleep(&self->s[2], &self->q, 1, 0, BOUND_NS));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, ioevq_post(&self->q, i, 0, 0));
	__atomic_store_n(&state, 2, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, &failed));
	EXPECT_EQ(NULL, failed);
	EXPECT_LE(1, woken(&self->s[1]));
	EXPECT_LE(1, woken(&self->s[2]));
	ASSERT_EQ(0, ioevq_post(&self->q, 3, 0, 0));
	EXPECT_EQ(3, woken(&self->s[0]));
}

/* Who waits keeps nobody from submitting, restricting, asking or polling. */
TEST_F(wait, law_06_waiting_holds_no_lock)
{
	struct pollfd pfd = { .fd = self->q.fd, .events = POLLIN };
	int fd = eventfd(0, 0);

	ASSERT_TRUE(put_to_sleep(&self->s[0], &self->q, 1, 1, BOUND_NS));
	ASSERT_EQ(1, park(&self->q, fd, 1, 3));
	ASSERT_EQ(0, ioevq_restrict(&self->q, 1ULL << IOEVQ_OP_POLL));
	EXPECT_EQ(1, query(&self->q).requests);
	EXPECT_EQ(0, poll(&pfd, 1, 0));
	EXPECT_TRUE(sleeps(&self->s[0]));
	ASSERT_EQ(0, eventfd_write(fd, 1));
	EXPECT_EQ(1, woken(&self->s[0]));
	close(fd);
}

TEST_F(wait, law_06_timeout)
{
	static const __s64 timeouts[] = { 1, 1000, 100000, 5 * MS, 50 * MS };
	struct ioevq_event evs[8];
	unsigned int i;
	__s64 start;

	for (i = 0; i < ARRAY_SIZE(timeouts); i++) {
		start = now_ns();
		EXPECT_EQ(0, enter_wait(&self->q, evs, 1, 8, timeouts[i]));
		EXPECT_LE(timeouts[i], now_ns() - start);
		start = now_ns();
		EXPECT_EQ(0, enter_wait(&self->q, NULL, 1, 0, timeouts[i]));
		EXPECT_LE(timeouts[i], now_ns() - start);
	}

	/* What is there, but less than was asked for. */
	ASSERT_EQ(0, post_n(&self->q, 2, 5));
	start = now_ns();
	EXPECT_EQ(2, enter_wait(&self->q, NULL, 3, 0, 5 * MS));
	EXPECT_EQ(2, enter_wait(&self->q, evs, 3, 8, 5 * MS));
	EXPECT_LE(10 * MS, now_ns() - start);
	EXPECT_EQ(5, evs[0].user_data);
	EXPECT_EQ(6, evs[1].user_data);
	ASSERT_EQ(0, post_n(&self->q, 2, 5));
	EXPECT_EQ(2, enter_wait(&self->q, evs, 3, 8, 0));
	EXPECT_EQ(0, enter_wait(&self->q, evs, 3, 8, 0));
	EXPECT_EQ(0, wakeups(&self->q));
	EXPECT_EQ(0, query(&self->q).available);
}

/* The largest one is not over before it began. */
TEST_F(wait, law_06_longest_timeouts)
{
	static const __s64 timeouts[] = { -1, INT64_MAX, INT64_MAX - 1, INT64_MAX / 2 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(timeouts); i++) {
		ASSERT_TRUE(put_to_sleep(&self->s[0], &self->q, 1, 1, timeouts[i]));
		ASSERT_EQ(0, ioevq_post(&self->q, i, 0, 0));
		EXPECT_EQ(1, woken(&self->s[0]));
		EXPECT_EQ(i, self->s[0].evs[0].user_data);
	}
}

struct greedy {
	const struct ioevq *q;
	unsigned int min;
	unsigned int *total;
	pthread_t thread;
	int ret;
};

/* Take at least min each time, until the message comes that says stop. */
static void *take_many(void *arg)
{
	struct greedy *g = arg;
	struct ioevq_event evs[4];
	int i, ret;

	for (;;) {
		ret = enter_wait(g->q, evs, g->min, 4, g->min > 1 ? 20 * MS : BOUND_NS);
		for (i = 0; i < ret; i++) {
			if (evs[i].user_data == MARK)
				return NULL;
			__atomic_add_fetch(g->total, 1, __ATOMIC_RELAXED);
		}
		if (ret < 0 || (!ret && g->min == 1)) {
			g->ret = ret ? ret : -ETIME;
			return NULL;
		}
	}
}

/*
 * One that takes every event, others that want several and time out: no burst may
 * leave an event behind while the first one sleeps.
 */
TEST_F(wait, law_06_no_wake_up_is_lost)
{
	struct greedy g[SLEEPERS];
	unsigned int i, n, total = 0, sent = 0;

	for (i = 0; i < SLEEPERS; i++) {
		g[i] = (struct greedy){ .q = &self->q, .min = i + 1, .total = &total };
		ASSERT_EQ(0, pthread_create(&g[i].thread, NULL, take_many, &g[i]));
	}
	for (i = 0; i < 1500; i++) {
		n = 1 + i * 7 % 5;
		ASSERT_EQ(0, post_n(&self->q, n, 0));
		sent += n;
		if (i % 3 == 0)
			ASSERT_TRUE(eventually(query(&self->q).available == 0));
	}
	ASSERT_TRUE(eventually(__atomic_load_n(&total, __ATOMIC_RELAXED) == sent));
	for (i = 0; i < SLEEPERS; i++) {
		/* One by one: a second one in a batch would be passed over. */
		ASSERT_EQ(0, ioevq_post(&self->q, MARK, 0, 0));
		ASSERT_TRUE(eventually(query(&self->q).available == 0));
	}
	for (i = 0; i < SLEEPERS; i++) {
		ASSERT_EQ(0, pthread_join(g[i].thread, NULL));
		EXPECT_EQ(0, g[i].ret);
	}
	EXPECT_GE(sent + SLEEPERS, wakeups(&self->q));
}

TEST_HARNESS_MAIN

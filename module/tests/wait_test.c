// SPDX-License-Identifier: GPL-2.0-only
/* Threads that wait: in which order they return, and with how many events. */
#include <linux/iopoll.h>
#include <linux/kthread.h>

#include "../wake.h"
#include "tests.h"

#define US	20000000	/* for what must happen at once */

struct sleeper {
	struct task_struct *task;
	struct completion done;
	struct ioevq_queue *q;
	u32 min;
	int ret;
};

static int sleeper_fn(void *arg)
{
	struct sleeper *s = arg;
	const struct ioevq_enter enter = { .min = s->min, .timeout_ns = -1 };

	s->ret = ioevq_wait(s->q, &enter);
	complete(&s->done);
	return 0;
}

static bool nr_sleep(struct ioevq_queue *q, u32 n)
{
	u32 now;

	return !read_poll_timeout(READ_ONCE, now, now == n, 1000, US, false, q->waiting);
}

/* A thread that is in a wait of @min events by now. */
static void sleeps(struct kunit *test, struct sleeper *s, u32 min)
{
	struct ioevq_queue *q = test->priv;
	u32 before = q->waiting;

	s->q = q;
	s->min = min;
	init_completion(&s->done);
	s->task = kthread_create(sleeper_fn, s, "ioevq-test");
	if (IS_ERR(s->task)) {
		s->task = NULL;
		KUNIT_FAIL(test, "no thread");
		return;
	}
	get_task_struct(s->task);
	wake_up_process(s->task);
	KUNIT_EXPECT_TRUE(test, nr_sleep(q, before + 1));
}

static bool is_up(struct sleeper *s)
{
	return wait_for_completion_timeout(&s->done, usecs_to_jiffies(US));
}

/* All go, whatever became of the test. */
static void stop(struct kunit *test, struct sleeper *s, unsigned int n)
{
	ioevq_set_alert(test->priv, true, 0);
	for (; n--; s++) {
		if (!s->task)
			continue;
		kthread_stop(s->task);
		put_task_struct(s->task);
	}
}

/* One event, one thread: the last that went to sleep. */
static void wait_lifo(struct kunit *test)
{
	struct ioevq_queue *q = test->priv;
	struct ioevq_event ev;
	struct sleeper s[3] = {};
	int i;

	for (i = 0; i < 3; i++)
		sleeps(test, &s[i], 1);
	for (i = 2; i >= 0; i--) {
		test_post(test, 1);
		KUNIT_EXPECT_EQ(test, READ_ONCE(q->waiting), (u32)i);
		KUNIT_EXPECT_TRUE(test, is_up(&s[i]));
		KUNIT_EXPECT_EQ(test, s[i].ret, 1);
		KUNIT_EXPECT_TRUE(test, test_take(q, &ev));
	}
	KUNIT_EXPECT_EQ(test, q->wakeups, 3ULL);
	stop(test, s, ARRAY_SIZE(s));
	KUNIT_EXPECT_EQ(test, q->claimed, 0ULL);
}

/* Woken once, by as many events as it asked for. */
static void wait_min(struct kunit *test)
{
	struct ioevq_queue *q = test->priv;
	struct sleeper s[2] = {};

	sleeps(test, &s[0], 4);
	sleeps(test, &s[1], 3);
	test_post(test, 2);
	KUNIT_EXPECT_EQ(test, READ_ONCE(q->waiting), 2U);
	test_post(test, 1);
	KUNIT_EXPECT_TRUE(test, is_up(&s[1]));
	KUNIT_EXPECT_EQ(test, s[1].ret, 3);
	KUNIT_EXPECT_EQ(test, READ_ONCE(q->waiting), 1U);
	KUNIT_EXPECT_EQ(test, READ_ONCE(q->wakeups), 1ULL);
	stop(test, s, ARRAY_SIZE(s));
	/* By the alert, without an event. */
	KUNIT_EXPECT_EQ(test, s[0].ret, 0);
	KUNIT_EXPECT_EQ(test, q->waiting, 0U);
}

static struct kunit_case wait_cases[] = {
	KUNIT_CASE(wait_lifo),
	KUNIT_CASE(wait_min),
	{}
};

struct kunit_suite test_wait_suite = {
	.name = "ioevq_wait",
	.init = test_queue_init,
	.exit = test_queue_exit,
	.test_cases = wait_cases,
};

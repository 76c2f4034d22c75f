// SPDX-License-Identifier: GPL-2.0-only
/* The alert: every wait returns at once, until it is cleared. */
#include "sleeper.h"

#define SLEEPERS	4

FIXTURE(alert)
{
	struct ioevq q;
	struct sleeper s[SLEEPERS];
};

FIXTURE_SETUP(alert)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 4, 0));
}

FIXTURE_TEARDOWN(alert)
{
	ioevq_close(&self->q);
}

static int is_alert(const struct ioevq_event *ev, uint64_t user_data)
{
	return ev->op == IOEVQ_OP_NOP && ev->flags == IOEVQ_EVENT_ALERT && !ev->res &&
	       !ev->data && ev->user_data == user_data;
}

/* All that sleep, whatever they wait for, each woken once. */
TEST_F(alert, law_06_alert_wakes_all)
{
	unsigned int i;

	for (i = 0; i < SLEEPERS; i++)
		ASSERT_TRUE(put_to_sleep(&self->s[i], &self->q, i + 1, i < 3 ? 8 : 0, BOUND_NS));
	ASSERT_EQ(0, ioevq_alert(&self->q, 77));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(1, woken(&self->s[i]));
		EXPECT_TRUE(is_alert(self->s[i].evs, 77));
	}
	/* Who only waits is told by the ring. */
	EXPECT_EQ(0, woken(&self->s[3]));
	EXPECT_EQ(IOEVQ_RING_ALERT, self->q.ring->flags);
	EXPECT_EQ(SLEEPERS, wakeups(&self->q));
}

/* It stays, comes first, and leaves what else there is. */
TEST_F(alert, law_02_alert_is_sticky_and_takes_nothing)
{
	struct pollfd pfd = { .fd = self->q.fd, .events = POLLIN };
	struct ioevq_event evs[8];
	unsigned int i;

	for (i = 0; i < 6; i++)
		ASSERT_EQ(0, ioevq_post(&self->q, i, 0, 0));
	ASSERT_EQ(0, ioevq_alert(&self->q, 1));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(1, enter_wait(&self->q, evs, 1, 8, BOUND_NS));
		EXPECT_TRUE(is_alert(evs, 1));
		EXPECT_EQ(1, enter_wait(&self->q, evs, 0, 8, 0));
		EXPECT_TRUE(is_alert(evs, 1));
		EXPECT_EQ(1, ioevq_wait(&self->q, evs, 4, 8, BOUND_NS));
		EXPECT_TRUE(is_alert(evs, 1));
		EXPECT_EQ(1, ioevq_take(&self->q, evs));
		EXPECT_TRUE(is_alert(evs, 1));
		EXPECT_EQ(0, enter_wait(&self->q, NULL, 8, 0, BOUND_NS));
	}
	/* Given again it says what it was last given for. */
	ASSERT_EQ(0, ioevq_alert(&self->q, ~0ULL));
	EXPECT_EQ(1, ioevq_wait(&self->q, evs, 1, 8, BOUND_NS));
	EXPECT_TRUE(is_alert(evs, ~0ULL));
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(-EFAULT, enter_wait(&self->q, (void *)8, 1, 1, 0));
	/* Submission goes on meanwhile. */
	ASSERT_EQ(0, ioevq_post(&self->q, 6, 0, 0));
	EXPECT_EQ(7, query(&self->q).available);

	ASSERT_EQ(0, ioevq_clear_alert(&self->q));
	EXPECT_EQ(7, ioevq_wait(&self->q, evs, 7, 8, BOUND_NS));
	for (i = 0; i < 7; i++)
		EXPECT_EQ(i, evs[i].user_data);
	EXPECT_EQ(0, poll(&pfd, 1, 0));
	EXPECT_EQ(0, ioevq_take(&self->q, evs));
	EXPECT_EQ(0, self->q.ring->flags);
	ASSERT_EQ(0, ioevq_clear_alert(&self->q));
}

/* Neither a limit nor an empty queue keeps it from anyone. */
TEST_F(alert, law_07_alert_passes_the_limit)
{
	struct ioevq_event ev;
	unsigned int i;

	ASSERT_EQ(0, ioevq_set_concurrency(&self->q, 1));
	/* We are the one that may run. */
	ASSERT_EQ(0, ioevq_wait(&self->q, &ev, 1, 1, 0));
	for (i = 0; i < SLEEPERS; i++)
		ASSERT_TRUE(put_to_sleep(&self->s[i], &self->q, 1, 1, BOUND_NS));
	ASSERT_EQ(0, ioevq_post(&self->q, 5, 0, 0));
	EXPECT_EQ(SLEEPERS, query(&self->q).waiting);
	ASSERT_EQ(0, ioevq_alert(&self->q, 2));
	for (i = 0; i < SLEEPERS; i++) {
		EXPECT_EQ(1, woken(&self->s[i]));
		EXPECT_TRUE(is_alert(self->s[i].evs, 2));
	}
	EXPECT_EQ(1, query(&self->q).available);
}

/* Who polls the queue is woken, by poll and through epoll's own queue. */
TEST_F(alert, law_06_alert_wakes_pollers)
{
	struct pollfd pfd = { .fd = self->q.fd, .events = POLLIN };
	pid_t pid = fork();
	int status;

	ASSERT_LE(0, pid);
	if (!pid)
		_exit(poll(&pfd, 1, BOUND_NS / 1000000) == 1 ? 0 : 1);
	ASSERT_TRUE(eventually(thread_state(pid, pid) == 'S'));
	ASSERT_EQ(0, ioevq_alert(&self->q, 0));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* A queue that was never used can be alerted; only who may write to it can. */
TEST(law_13_who_can_alert)
{
	struct ioevq q = { .fd = open("/dev/ioevq", O_RDWR | O_CLOEXEC) };
	struct ioevq rd = { .fd = open("/dev/ioevq", O_RDONLY | O_CLOEXEC) };
	struct ioevq_event ev;

	EXPECT_EQ(-EBADF, ioevq_alert(&rd, 0));
	EXPECT_EQ(-EBADF, ioevq_set_concurrency(&rd, 1));
	EXPECT_EQ(0, ioevq_alert(&q, 3));
	EXPECT_EQ(1, enter_wait(&q, &ev, 1, 1, BOUND_NS));
	EXPECT_TRUE(is_alert(&ev, 3));
	close(q.fd);
	close(rd.fd);
}

TEST_HARNESS_MAIN

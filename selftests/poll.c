// SPDX-License-Identifier: GPL-2.0-only
/* Law 5, readiness is announced once: every kind of file, and what is refused. */
#include <pthread.h>

#include "kinds.h"
#include "expect.h"

#define WATCH	1

/* Shutting off what is below is not possible for all kinds: level bits differ. */
static int is_announcement(const struct ioevq_event *ev, unsigned int mask, unsigned int flags)
{
	return ev->user_data == WATCH && ev->op == IOEVQ_OP_POLL && ev->flags == flags &&
	       (ev->res & mask) == mask;
}

TEST_F_TIMEOUT(kind, law_05_readiness_is_announced_once, 300)
{
	const struct kind *ops = &variant->ops;
	struct thing *t = &self->t;
	struct ioevq_event ev;
	int i;

	ASSERT_EQ(0, watch(&self->q, t->fd, ops->mask, IOEVQ_POLL_EDGE, WATCH));
	EXPECT_TRUE(quiet(&self->q));

	/* Many changes, one event while it is not taken, none after it. */
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, ops->rouse(t));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_TRUE(is_announcement(&ev, ops->mask, IOEVQ_EVENT_MORE));
	EXPECT_TRUE(quiet(&self->q));
	if (!ops->drain)
		return;

	/* Taken: the next change is announced, whether the last one was used or not. */
	ASSERT_EQ(0, ops->drain(t));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, ops->rouse(t));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_TRUE(is_announcement(&ev, ops->mask, IOEVQ_EVENT_MORE));
	EXPECT_TRUE(quiet(&self->q));
}

TEST_F_TIMEOUT(kind, law_05_ready_at_arming, 300)
{
	const struct kind *ops = &variant->ops;
	struct thing *t = &self->t;
	struct ioevq_event ev;

	ASSERT_EQ(0, ops->rouse(t));
	ASSERT_EQ(0, watch(&self->q, t->fd, ops->mask, IOEVQ_POLL_EDGE, WATCH));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_TRUE(is_announcement(&ev, ops->mask, IOEVQ_EVENT_MORE));
	EXPECT_TRUE(quiet(&self->q));
	if (!ops->drain)
		return;

	ASSERT_EQ(0, ops->drain(t));
	ASSERT_EQ(0, ops->rouse(t));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_TRUE(is_announcement(&ev, ops->mask, IOEVQ_EVENT_MORE));
	EXPECT_TRUE(quiet(&self->q));
}

TEST_F_TIMEOUT(kind, law_05_oneshot_is_armed_by_one_request, 300)
{
	const struct kind *ops = &variant->ops;
	struct thing *t = &self->t;
	struct ioevq_event ev;
	int i;

	ASSERT_EQ(0, watch(&self->q, t->fd, ops->mask, IOEVQ_POLL_ONESHOT, WATCH));
	EXPECT_TRUE(quiet(&self->q));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, ops->rouse(t));
		ASSERT_EQ(1, next_event(&self->q, &ev));
		EXPECT_TRUE(is_announcement(&ev, ops->mask, 0));
		/* Nobody is interested any more. */
		if (ops->drain)
			ASSERT_EQ(0, ops->drain(t));
		ASSERT_EQ(0, ops->rouse(t));
		EXPECT_TRUE(quiet(&self->q));
		EXPECT_EQ(0, requests(&self->q));
		if (ops->drain)
			ASSERT_EQ(0, ops->drain(t));
		ASSERT_EQ(0, watch(&self->q, t->fd, ops->mask, IOEVQ_POLL_ONESHOT, WATCH));
		if (!ops->drain) {
			ASSERT_EQ(1, next_event(&self->q, &ev));
			EXPECT_TRUE(is_announcement(&ev, ops->mask, 0));
			break;
		}
		EXPECT_TRUE(quiet(&self->q));
	}
}

struct rouser {
	const struct kind *ops;
	struct thing *t;
	pid_t waiter;
	int ret;
};

static void *rouse_sleeper(void *arg)
{
	struct rouser *r = arg;

	r->ret = !eventually(thread_state(getpid(), r->waiter) == 'S');
	if (!r->ret)
		r->ret = r->ops->rouse(r->t);
	return NULL;
}

/* Also where the kernel only says that something has changed, as for signalfd. */
TEST_F_TIMEOUT(kind, law_05_a_sleeping_waiter_is_told, 300)
{
	struct rouser r = { .ops = &variant->ops, .t = &self->t, .waiter = gettid() };
	struct ioevq_event ev;
	pthread_t thread;

	ASSERT_EQ(0, watch(&self->q, self->t.fd, r.ops->mask, IOEVQ_POLL_EDGE, WATCH));
	ASSERT_EQ(0, pthread_create(&thread, NULL, rouse_sleeper, &r));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_TRUE(is_announcement(&ev, r.ops->mask, IOEVQ_EVENT_MORE));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, r.ret);
	EXPECT_TRUE(quiet(&self->q));
}

/* Who looks only at the ring sees an event there or is asked to enter. */
TEST_F_TIMEOUT(kind, law_05_the_mapped_ring_tells, 300)
{
	struct ioevq_ring *ring = self->q.ring;
	const struct kind *ops = &variant->ops;
	struct ioevq_event ev;
	unsigned int flags;

	ASSERT_EQ(0, watch(&self->q, self->t.fd, ops->mask, IOEVQ_POLL_EDGE, WATCH));
	ASSERT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, ring->flags);
	EXPECT_EQ(ring->head, ring->tail);

	ASSERT_EQ(0, ops->rouse(&self->t));
	flags = __atomic_load_n(&ring->flags, __ATOMIC_ACQUIRE);
	if (__atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) == ring->head)
		EXPECT_EQ(IOEVQ_RING_RECHECK, flags);
	EXPECT_EQ(1, ioevq_take(&self->q, &ev));
	EXPECT_TRUE(is_announcement(&ev, ops->mask, IOEVQ_EVENT_MORE));
	EXPECT_EQ(0, ioevq_take(&self->q, &ev));
	EXPECT_EQ(0, ring->flags);
}

/* The queue itself is pollable: its readiness covers files yet to be looked at. */
TEST_F_TIMEOUT(kind, law_05_a_poller_of_the_queue_is_told, 300)
{
	const struct kind *ops = &variant->ops;
	struct ioevq_event ev;

	ASSERT_EQ(0, watch(&self->q, self->t.fd, ops->mask, IOEVQ_POLL_EDGE, WATCH));
	ASSERT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, ops->rouse(&self->t));
	EXPECT_TRUE(kind_poll(self->q.fd, POLLIN) & POLLIN);
	EXPECT_EQ(1, ioevq_wait(&self->q, &ev, 0, 1, 0));
	EXPECT_TRUE(is_announcement(&ev, ops->mask, IOEVQ_EVENT_MORE));
}

FIXTURE(refusal)
{
	struct ioevq q;
	int fd;
};

FIXTURE_SETUP(refusal)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	self->fd = eventfd(0, EFD_NONBLOCK);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(refusal)
{
	EXPECT_EQ(0, requests(&self->q));
	EXPECT_TRUE(quiet(&self->q));
	close(self->fd);
	ioevq_close(&self->q);
}

TEST_F(refusal, law_14_mask_has_no_bits_of_epoll)
{
	static const unsigned int bad[] = {
		EPOLLET, EPOLLONESHOT, EPOLLWAKEUP, EPOLLEXCLUSIVE, 1U << 27,
		0x4000, 0x8000, 0x800, 1U << 16, ~0U,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, watch(&self->q, self->fd, bad[i], IOEVQ_POLL_EDGE, WATCH));
		EXPECT_EQ(-EINVAL,
			  watch(&self->q, self->fd, POLLIN | bad[i], IOEVQ_POLL_ONESHOT, WATCH));
	}
}

TEST_F(refusal, law_14_one_mode_is_asked_for)
{
	unsigned int modes, flag = IOEVQ_POLL_QUIET << 1;

	for (modes = 0; modes < 8; modes++) {
		/* None is level-triggered, a power of two is one. */
		if (modes & (modes - 1))
			EXPECT_EQ(-EINVAL, watch(&self->q, self->fd, POLLIN, modes, WATCH));
	}
	EXPECT_EQ(-EINVAL, watch(&self->q, self->fd, POLLIN, IOEVQ_POLL_LIFO, WATCH));
	EXPECT_EQ(-EINVAL,
		  watch(&self->q, self->fd, POLLIN, IOEVQ_POLL_LIFO | IOEVQ_POLL_EDGE, WATCH));
	EXPECT_EQ(-EINVAL, watch(&self->q, self->fd, POLLIN, IOEVQ_POLL_QUIET | IOEVQ_POLL_ONESHOT,
				 WATCH));
	for (; flag; flag <<= 1)
		EXPECT_EQ(-EOPNOTSUPP, watch(&self->q, self->fd, POLLIN, flag, WATCH));
}

TEST_F(refusal, law_14_files_that_cannot_be_watched)
{
	int file, dir, path;

	EXPECT_EQ(-EBADF, watch(&self->q, -1, POLLIN, IOEVQ_POLL_EDGE, WATCH));
	EXPECT_EQ(-EBADF, watch(&self->q, 1 << 20, POLLIN, IOEVQ_POLL_EDGE, WATCH));

	file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	dir = open("/tmp", O_RDONLY | O_DIRECTORY);
	path = open("/tmp", O_PATH);
	ASSERT_LE(0, file);
	ASSERT_LE(0, dir);
	ASSERT_LE(0, path);
	EXPECT_EQ(-EPERM, watch(&self->q, file, POLLIN, IOEVQ_POLL_EDGE, WATCH));
	EXPECT_EQ(-EPERM, watch(&self->q, dir, POLLIN, IOEVQ_POLL_EDGE, WATCH));
	EXPECT_EQ(-EBADF, watch(&self->q, path, POLLIN, IOEVQ_POLL_EDGE, WATCH));
	close(path);
	EXPECT_EQ(-EBADF, watch(&self->q, path, POLLIN, IOEVQ_POLL_EDGE, WATCH));
	EXPECT_EQ(-ELOOP, watch(&self->q, self->q.fd, POLLIN, IOEVQ_POLL_EDGE, WATCH));
	close(file);
	close(dir);
}

TEST_F(refusal, law_14_unused_fields_are_zero)
{
	struct ioevq_req req, good;

	ioevq_prep_poll(&good, self->fd, POLLIN, IOEVQ_POLL_EDGE, WATCH);
	req = good;
	req.addr = 1;
	EXPECT_EQ(-EINVAL, submit(&self->q, &req));
	req = good;
	req.off = 1;
	EXPECT_EQ(-EINVAL, submit(&self->q, &req));
	req = good;
	req.__reserved[1] = 1;
	EXPECT_EQ(-EINVAL, submit(&self->q, &req));
	req = good;
	req.flags = 1;
	EXPECT_EQ(-EOPNOTSUPP, submit(&self->q, &req));
}

TEST_HARNESS_MAIN

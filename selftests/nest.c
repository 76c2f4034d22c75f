// SPDX-License-Identifier: GPL-2.0-only
/* Queues that are watched themselves: by select, poll, epoll, io_uring and other queues. */
#include <linux/io_uring.h>
#include <sys/epoll.h>

#include "expect.h"
#include "pass_fd.h"

#define CHAIN	32

FIXTURE(nest)
{
	struct ioevq q;
	struct ioevq outer;
};

FIXTURE_SETUP(nest)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 4, 0));
	ASSERT_EQ(0, ioevq_open(&self->outer, 4, 0));
}

FIXTURE_TEARDOWN(nest)
{
	ioevq_close(&self->q);
	ioevq_close(&self->outer);
}

/* Something that waits for the readiness of a descriptor: 1 when it is ready. */
static int by_select(int fd)
{
	struct timeval tv = { .tv_sec = BOUND_NS / 1000000000 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return select(fd + 1, &set, NULL, NULL, &tv);
}

static int by_poll(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, BOUND_NS / 1000000) == 1 && pfd.revents == POLLIN;
}

static int by_epoll(int fd)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(0);

	return !epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) &&
	       epoll_wait(ep, &ev, 1, BOUND_NS / 1000000) == 1 && ev.events == EPOLLIN;
}

static int by_epoll_edge(int fd)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int ep = epoll_create1(0);

	return !epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) &&
	       epoll_wait(ep, &ev, 1, BOUND_NS / 1000000) == 1;
}

static int by_uring(int fd)
{
	struct io_uring_params p = {};
	int ring = syscall(SYS_io_uring_setup, 4, &p);
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	char *sq, *cq;

	if (ring < 0)
		return -1;
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * sizeof(__u32), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(*cqe), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_CQ_RING);
	sqe = mmap(NULL, p.sq_entries * sizeof(*sqe), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || sqe == MAP_FAILED)
		return -1;
	sqe->opcode = IORING_OP_POLL_ADD;
	sqe->fd = fd;
	sqe->poll32_events = POLLIN;
	*(__u32 *)(sq + p.sq_off.array) = 0;
	__atomic_store_n((__u32 *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return -1;
	cqe = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	return cqe->res == POLLIN;
}

static int by_queue(int fd, unsigned int mode)
{
	struct ioevq_event ev = {};
	struct ioevq q;

	if (ioevq_open(&q, 4, 0) || watch(&q, fd, POLLIN, mode, 5))
		return -1;
	return ioevq_wait(&q, &ev, 1, 1, BOUND_NS) == 1 && ev.user_data == 5 && ev.res == POLLIN;
}

static int by_queue_edge(int fd)
{
	return by_queue(fd, IOEVQ_POLL_EDGE);
}

static int by_queue_oneshot(int fd)
{
	return by_queue(fd, IOEVQ_POLL_ONESHOT);
}

FIXTURE(watcher)
{
	struct ioevq q;
};

FIXTURE_VARIANT(watcher)
{
	int (*wait)(int fd);
};

FIXTURE_VARIANT_ADD(watcher, select) { by_select };
FIXTURE_VARIANT_ADD(watcher, poll) { by_poll };
FIXTURE_VARIANT_ADD(watcher, epoll) { by_epoll };
FIXTURE_VARIANT_ADD(watcher, epoll_edge) { by_epoll_edge };
FIXTURE_VARIANT_ADD(watcher, io_uring) { by_uring };
FIXTURE_VARIANT_ADD(watcher, queue_edge) { by_queue_edge };
FIXTURE_VARIANT_ADD(watcher, queue_oneshot) { by_queue_oneshot };

FIXTURE_SETUP(watcher)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 4, 0));
}

FIXTURE_TEARDOWN(watcher)
{
	ioevq_close(&self->q);
}

/* What there is before, and what comes while it sleeps. */
TEST_F(watcher, law_05_a_queue_is_watched)
{
	struct ioevq_event ev;
	pid_t pid;
	int status;

	ASSERT_EQ(0, ioevq_post(&self->q, 1, 0, 0));
	EXPECT_EQ(1, variant->wait(self->q.fd));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(variant->wait(self->q.fd) == 1 ? 0 : 1);
	ASSERT_TRUE(eventually(thread_state(pid, pid) == 'S'));
	ASSERT_EQ(0, ioevq_post(&self->q, 2, 0, 0));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* Announced once, until that is reaped, like any file. */
TEST_F(nest, law_05_announced_once)
{
	struct ioevq_event ev;
	unsigned int i;

	ASSERT_EQ(0, watch(&self->outer, self->q.fd, POLLIN, IOEVQ_POLL_EDGE, 5));
	EXPECT_EQ(0, ioevq_take(&self->outer, &ev));
	for (i = 0; i < 9; i++)
		ASSERT_EQ(0, ioevq_post(&self->q, i, 0, 0));
	ASSERT_EQ(1, next_event(&self->outer, &ev));
	EXPECT_EQ(5, ev.user_data);
	EXPECT_EQ(POLLIN, ev.res);
	EXPECT_EQ(IOEVQ_EVENT_MORE, ev.flags);
	for (i = 0; i < 9; i++)
		ASSERT_EQ(1, next_event(&self->q, &ev));
	/* What was posted before has been seen to: let the wake-ups settle by one of ours. */
	EXPECT_TRUE(quiet(&self->outer));
	ASSERT_EQ(0, ioevq_post(&self->q, 1, 0, 0));
	ASSERT_EQ(1, next_event(&self->outer, &ev));
	EXPECT_EQ(5, ev.user_data);
	/* Its end, too. */
	ioevq_close(&self->q);
	ASSERT_EQ(1, next_event(&self->outer, &ev));
	EXPECT_EQ(5, ev.user_data);
	EXPECT_EQ(IOEVQ_EVENT_CLOSED, ev.flags);
	EXPECT_EQ(0, requests(&self->outer));
	ASSERT_EQ(0, ioevq_open(&self->q, 4, 0));
}

/* From one end of a chain to the other, by any source. */
TEST_F(nest, law_05_chain)
{
	struct ioevq q[CHAIN];
	int i, fd = eventfd(0, EFD_NONBLOCK);
	struct ioevq_event ev;

	for (i = 0; i < CHAIN; i++) {
		ASSERT_EQ(0, ioevq_open(&q[i], 4, 0));
		ASSERT_EQ(0, watch(&q[i], i ? q[i - 1].fd : fd, POLLIN, IOEVQ_POLL_EDGE, i));
	}
	ASSERT_EQ(0, eventfd_write(fd, 1));
	for (i = CHAIN - 1; i >= 0; i--) {
		ASSERT_EQ(1, next_event(&q[i], &ev));
		EXPECT_EQ(i, ev.user_data);
	}
	for (i = 0; i < CHAIN; i++)
		ioevq_close(&q[i]);
	close(fd);
}

/* Cycles of every length are refused, and what makes none any more is not. */
TEST_F(nest, law_14_cycles)
{
	struct ioevq q[4];
	struct ioevq_req req;
	int i, j;

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, ioevq_open(&q[i], 4, 0));
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(-ELOOP, watch(&q[i], q[i].fd, POLLIN, IOEVQ_POLL_EDGE, 0));
		if (i)
			ASSERT_EQ(0, watch(&q[i], q[i - 1].fd, POLLIN, IOEVQ_POLL_EDGE, 9));
		for (j = i; j >= 0; j--)
			EXPECT_EQ(-ELOOP, watch(&q[j], q[i].fd, POLLIN, IOEVQ_POLL_ONESHOT, 0));
	}
	/* Two ways to the same queue are no cycle. */
	ASSERT_EQ(0, watch(&q[3], q[0].fd, POLLIN, IOEVQ_POLL_EDGE, 8));
	ASSERT_EQ(0, watch(&q[3], q[0].fd, POLLIN, IOEVQ_POLL_EDGE, 8));

	/* A watch that ended is in nobody's way, swept or not. */
	ioevq_prep_cancel(&req, IOEVQ_CANCEL_USER_DATA, 9, -1, 0, 7);
	ASSERT_EQ(0, submit(&q[1], &req));
	EXPECT_EQ(0, watch(&q[0], q[1].fd, POLLIN, IOEVQ_POLL_EDGE, 0));
	EXPECT_EQ(-ELOOP, watch(&q[1], q[0].fd, POLLIN, IOEVQ_POLL_EDGE, 0));
	/* Nor is a queue that was closed: 3 leads to 1 by 2, and by 0. */
	ioevq_close(&q[2]);
	EXPECT_EQ(-ELOOP, watch(&q[1], q[3].fd, POLLIN, IOEVQ_POLL_EDGE, 0));
	ioevq_close(&q[0]);
	EXPECT_EQ(0, watch(&q[1], q[3].fd, POLLIN, IOEVQ_POLL_EDGE, 0));
	ioevq_close(&q[1]);
	ioevq_close(&q[3]);
}

static int watch_in_row(const struct ioevq *q, int fd, unsigned int most)
{
	struct ioevq_req req;

	ioevq_prep_poll(&req, fd, POLLIN, IOEVQ_POLL_EDGE, 7);
	req.len = most;
	return submit(q, &req);
}

/* The longest way counts, to both sides, and not the first that is found. */
TEST_F(nest, law_14_too_deep)
{
	struct ioevq_req req;
	struct ioevq q[4];
	int i, fd;

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, ioevq_open(&q[i], 16, 0));
	/* 0 <- 1 <- 2 <- 3, and a short cut from 3 to 0. */
	for (i = 1; i < 4; i++)
		ASSERT_EQ(0, watch_in_row(&q[i], q[i - 1].fd, i));
	ASSERT_EQ(0, watch_in_row(&q[3], q[0].fd, 1));

	EXPECT_EQ(-ELOOP, watch_in_row(&q[0], self->q.fd, 3));
	EXPECT_EQ(-ELOOP, watch_in_row(&self->outer, q[3].fd, 3));
	EXPECT_EQ(-ELOOP, watch_in_row(&q[1], self->q.fd, 2));
	EXPECT_EQ(0, watch_in_row(&q[1], self->q.fd, 3));
	EXPECT_EQ(0, watch_in_row(&self->outer, q[3].fd, 4));
	EXPECT_EQ(-ELOOP, watch_in_row(&q[0], self->q.fd, 4));
	EXPECT_EQ(0, watch_in_row(&q[0], self->q.fd, 5));
	EXPECT_EQ(0, watch_in_row(&self->outer, q[3].fd, 0));
	/* What has ended counts no more. */
	ioevq_prep_cancel(&req, IOEVQ_CANCEL_USER_DATA, 7, -1, 0, 8);
	ASSERT_EQ(0, submit(&q[2], &req));
	EXPECT_EQ(0, watch_in_row(&self->outer, q[3].fd, 3));
	/* What is no queue has no depth. */
	fd = eventfd(0, 0);
	EXPECT_EQ(0, watch_in_row(&self->outer, fd, 1));
	close(fd);
	for (i = 0; i < 4; i++)
		ioevq_close(&q[i]);
}

/* A way that is as long as one that was found is none the longer. */
TEST_F(nest, law_14_two_ways)
{
	struct ioevq q[4];
	int i;

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, ioevq_open(&q[i], 16, 0));
	/* From 3 to 0, by 1 and by 2. */
	for (i = 1; i < 3; i++) {
		ASSERT_EQ(0, watch_in_row(&q[i], q[0].fd, 1));
		ASSERT_EQ(0, watch_in_row(&q[3], q[i].fd, 2));
	}
	EXPECT_EQ(-ELOOP, watch_in_row(&self->outer, q[3].fd, 2));
	EXPECT_EQ(0, watch_in_row(&self->outer, q[3].fd, 3));
	EXPECT_EQ(-ELOOP, watch_in_row(&q[0], self->q.fd, 3));
	for (i = 0; i < 4; i++)
		ioevq_close(&q[i]);
}

/* So many that to look through them would take long. */
TEST_F(nest, law_14_too_many)
{
	struct ioevq top;
	int i;

	for (i = 0; i < IOEVQ_MAX_NESTED; i++)
		ASSERT_EQ(0, watch(&self->outer, self->q.fd, POLLIN, IOEVQ_POLL_EDGE, i));
	/* They are behind the outer one, not behind the inner one. */
	ASSERT_EQ(0, watch(&self->outer, self->q.fd, POLLIN, IOEVQ_POLL_EDGE, i));
	EXPECT_EQ(-ELOOP, watch(&self->q, self->outer.fd, POLLIN, IOEVQ_POLL_EDGE, 0));
	ASSERT_EQ(0, ioevq_open(&top, 0, 0));
	EXPECT_EQ(-ELOOP, watch(&top, self->outer.fd, POLLIN, IOEVQ_POLL_EDGE, 0));
	ioevq_close(&top);
}

/* A circle by way of an epoll, which nobody can see, does not spin by itself. */
TEST_F(nest, law_05_circle_through_epoll)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct ioevq_event event;
	int i, ep = epoll_create1(0);

	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->q.fd, &ev));
	ASSERT_EQ(0, watch(&self->q, ep, POLLIN, IOEVQ_POLL_EDGE, 5));
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, ioevq_post(&self->q, 100 + i, 0, 0));
		ASSERT_EQ(1, epoll_wait(ep, &ev, 1, BOUND_NS / 1000000));
		do {
			ASSERT_EQ(1, next_event(&self->q, &event));
		} while (event.user_data == 5);
		EXPECT_EQ(100 + i, event.user_data);
	}
	close(ep);
	do {
		ASSERT_EQ(1, next_event(&self->q, &event));
	} while (event.flags & IOEVQ_EVENT_MORE);
	EXPECT_EQ(IOEVQ_EVENT_CLOSED, event.flags);
}

/* Nor does the epoll set ask the queue, and that the set in turn, until both are stuck. */
TEST_F(nest, law_05_circle_is_not_walked)
{
	static const __u32 modes[] = {
		0, IOEVQ_POLL_EDGE, IOEVQ_POLL_ONESHOT, IOEVQ_POLL_DISPATCH,
		IOEVQ_POLL_EDGE | IOEVQ_POLL_CONFIRM,
	};
	struct epoll_event evs[2] = {}, ev = { .events = EPOLLIN };
	struct ioevq_event event;
	int i, ep, fd;

	for (i = 0; i < (int)ARRAY_SIZE(modes); i++) {
		ep = epoll_create1(0);
		fd = eventfd(0, 0);
		ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->q.fd, &ev));
		ASSERT_EQ(0, watch(&self->q, ep, POLLIN, modes[i], 5));
		ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
		ASSERT_EQ(0, eventfd_write(fd, 1));
		/* The eventfd comes in any case; the queue says perhaps. */
		EXPECT_LE(1, epoll_wait(ep, evs, 2, BOUND_NS / 1000000));
		ASSERT_EQ(1, next_event(&self->q, &event));
		EXPECT_EQ(5, event.user_data);
		close(fd);
		close(ep);
		while (event.flags & IOEVQ_EVENT_MORE)
			ASSERT_EQ(1, next_event(&self->q, &event));
	}
}

/*
 * A queue in flight in a socket that it watches itself: nothing holds anything in a
 * circle, so both are gone with their last descriptors.
 */
TEST(law_11_queue_in_a_socket_that_it_watches)
{
	long users = module_users();
	struct ioevq q;
	int s[2], i;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, socketpair(AF_UNIX, i & 1 ? SOCK_STREAM : SOCK_DGRAM, 0, s));
		ASSERT_EQ(0, ioevq_open(&q, 4, 0));
		ASSERT_EQ(0, watch(&q, s[0], POLLIN, IOEVQ_POLL_EDGE, 1));
		ASSERT_EQ(0, watch(&q, s[1], POLLIN, IOEVQ_POLL_EDGE, 2));
		ASSERT_EQ(0, pass_fd(s[0], q.fd));
		ASSERT_EQ(0, pass_fd(s[1], q.fd));
		close(s[0]);
		close(s[1]);
		ioevq_close(&q);
		EXPECT_TRUE(eventually(module_users() == users));
	}
}

/* A queue in flight in another one's socket, and the other way round. */
TEST(law_11_queues_in_sockets_of_one_another)
{
	long users = module_users();
	struct ioevq a, b;
	int s[2], t[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, t));
	ASSERT_EQ(0, ioevq_open(&a, 4, 0));
	ASSERT_EQ(0, ioevq_open(&b, 4, 0));
	ASSERT_EQ(0, watch(&a, s[0], POLLIN, IOEVQ_POLL_EDGE, 1));
	ASSERT_EQ(0, watch(&b, t[0], POLLIN, IOEVQ_POLL_EDGE, 1));
	ASSERT_EQ(0, watch(&a, b.fd, POLLIN, IOEVQ_POLL_EDGE, 2));
	ASSERT_EQ(0, pass_fd(s[1], b.fd));
	ASSERT_EQ(0, pass_fd(t[1], a.fd));
	ASSERT_EQ(0, pass_fd(t[1], s[0]));
	ASSERT_EQ(0, pass_fd(s[1], t[0]));
	close(s[0]);
	close(s[1]);
	close(t[0]);
	close(t[1]);
	ioevq_close(&a);
	ioevq_close(&b);
	EXPECT_TRUE(eventually(module_users() == users));
}

TEST_HARNESS_MAIN

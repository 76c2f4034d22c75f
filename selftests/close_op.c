// SPDX-License-Identifier: GPL-2.0-only
/* Laws 8 and 9: CLOSE ends all requests on a file, and then it is close(2). */
#include "kinds.h"
#include "readiness.h"
#include "scaled.h"
#include "sleeper.h"
#include "slow_io.h"

#define DONE	0xd0eULL

static int close_by(const struct ioevq *q, int fd, unsigned int flags)
{
	struct ioevq_req req;

	ioevq_prep_close(&req, fd, DONE);
	req.flags = flags;
	return submit(q, &req);
}

/* The event of a CLOSE that matched so many requests, with this result of close(2). */
static int closed(const struct ioevq *q, unsigned int n, int64_t res)
{
	struct ioevq_event ev = {};

	return next_event(q, &ev) == 1 && ev.op == IOEVQ_OP_CLOSE && ev.user_data == DONE &&
	       ev.res == res && ev.data == n && !ev.flags;
}

/* The mask of the user data of the next n events, all of which are of cancelled watches. */
static unsigned int cancelled(const struct ioevq *q, unsigned int n)
{
	struct ioevq_event ev;
	unsigned int mask = 0;

	while (n--) {
		if (next_event(q, &ev) != 1 || ev.op != IOEVQ_OP_POLL || ev.flags ||
		    ev.res != -ECANCELED || ev.user_data > 31)
			return -1;
		mask |= 1U << ev.user_data;
	}
	return mask;
}

static int is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

TEST_F(kind, law_08_the_operation_is_close)
{
	const struct kind *ops = &variant->ops;
	struct thing *t = &self->t;
	int fd = t->fd;

	ASSERT_EQ(0, watch(&self->q, fd, ops->mask, IOEVQ_POLL_EDGE, 1));
	ASSERT_EQ(0, watch(&self->q, fd, ops->mask, IOEVQ_POLL_ONESHOT, 2));
	ASSERT_EQ(0, watch(&self->q, fd, ops->mask, IOEVQ_POLL_LEVEL, 3));
	ASSERT_EQ(0, close_by(&self->q, fd, 0));
	t->fd = -1;
	EXPECT_FALSE(is_open(fd));
	if (ops->gone)
		EXPECT_EQ(0, ops->gone(t));
	EXPECT_EQ(4, query(&self->q).available);
	EXPECT_EQ(1 << 1 | 1 << 2 | 1 << 3, cancelled(&self->q, 3));
	EXPECT_TRUE(closed(&self->q, 3, 0));
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, requests(&self->q));
}

FIXTURE(op)
{
	struct ioevq q;
	int fd, peer;		/* a connection */
};

FIXTURE_SETUP(op)
{
	int s[2];

	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s));
	self->fd = s[0];
	self->peer = s[1];
}

FIXTURE_TEARDOWN(op)
{
	close(self->fd);
	close(self->peer);
	ioevq_close(&self->q);
}

struct closing {
	const struct ioevq *q;
	int fd;
	pid_t tid;
	int ret;
	struct ioevq_event evs[2];
};

/* Close and wait for more than that, in one call. */
static void *close_and_sleep(void *arg)
{
	struct closing *c = arg;
	struct ioevq_req req;
	struct ioevq_enter enter = {
		.reqs = (uintptr_t)&req, .nr_reqs = 1, .events = (uintptr_t)c->evs, .min = 2,
		.max = 2, .timeout_ns = BOUND_NS,
	};

	ioevq_prep_close(&req, c->fd, DONE);
	__atomic_store_n(&c->tid, gettid(), __ATOMIC_RELEASE);
	c->ret = ioevq_enter(c->q, &enter);
	return NULL;
}

/* The file is closed when the request is accepted, not when the call is over. */
TEST_F(op, law_08_closed_before_the_call_sleeps)
{
	struct closing c = { .q = &self->q, .fd = self->fd };
	pthread_t thread;
	char byte;

	ASSERT_EQ(0, pthread_create(&thread, NULL, close_and_sleep, &c));
	EXPECT_EQ(POLLHUP, kind_poll(self->peer, POLLIN) & POLLHUP);
	EXPECT_EQ(0, read(self->peer, &byte, 1));
	ASSERT_TRUE(eventually(query(&self->q).waiting == 1));
	EXPECT_EQ(1, query(&self->q).available);
	ASSERT_EQ(0, ioevq_post(&self->q, MARK, 0, 0));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(2, c.ret);
	EXPECT_EQ(DONE, c.evs[0].user_data);
	EXPECT_EQ(MARK, c.evs[1].user_data);
	self->fd = -1;
}

/* The number is free at once: the next file has it, and is another. */
TEST_F(op, law_08_the_number_is_free)
{
	int fd;

	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, IOEVQ_POLL_EDGE, 1));
	ASSERT_EQ(0, close_by(&self->q, self->fd, 0));
	fd = eventfd(1, 0);
	EXPECT_EQ(self->fd, fd);
	ASSERT_EQ(0, watch(&self->q, fd, POLLIN, IOEVQ_POLL_EDGE, 2));
	EXPECT_TRUE(completed(&self->q, IOEVQ_OP_POLL, 1, -ECANCELED));
	EXPECT_TRUE(closed(&self->q, 1, 0));
	EXPECT_EQ(POLLIN, announced(&self->q, 2));
	EXPECT_EQ(1, requests(&self->q));
}

/* Of this queue all on the open file; the file itself lives on by its other descriptor. */
TEST_F(op, law_08_one_of_two_duplicates)
{
	struct ioevq other;
	int fd = dup(self->fd);

	ASSERT_EQ(0, ioevq_open(&other, 8, 0));
	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, IOEVQ_POLL_EDGE, 1));
	ASSERT_EQ(0, watch(&self->q, fd, POLLIN, IOEVQ_POLL_EDGE, 2));
	ASSERT_EQ(0, watch(&other, fd, POLLIN, IOEVQ_POLL_EDGE, 3));
	ASSERT_EQ(0, close_by(&self->q, fd, 0));
	EXPECT_FALSE(is_open(fd));
	EXPECT_TRUE(is_open(self->fd));
	EXPECT_EQ(1 << 1 | 1 << 2, cancelled(&self->q, 2));
	EXPECT_TRUE(closed(&self->q, 2, 0));
	ASSERT_EQ(1, write(self->peer, "x", 1));
	EXPECT_EQ(POLLIN, announced(&other, 3));
	EXPECT_TRUE(quiet(&self->q));
	/* The last one: others are told as by any close. */
	ASSERT_EQ(0, close_by(&self->q, self->fd, 0));
	EXPECT_TRUE(closed(&self->q, 0, 0));
	EXPECT_TRUE(ended(&other, 3));
	EXPECT_EQ(POLLHUP, kind_poll(self->peer, 0) & POLLHUP);
	ioevq_close(&other);
}

/* What was announced stays so, and comes before its end. */
TEST_F(op, law_09_what_was_announced_stays)
{
	struct ioevq q;
	int i;

	/* No room for any of them. */
	ASSERT_EQ(0, ioevq_open(&q, 1, 0));
	ASSERT_EQ(0, ioevq_post(&q, MARK, 0, 0));
	ASSERT_EQ(1, write(self->peer, "x", 1));
	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, watch(&q, self->fd, POLLIN, IOEVQ_POLL_EDGE, i));
	ASSERT_EQ(0, close_by(&q, self->fd, 0));
	EXPECT_TRUE(completed(&q, IOEVQ_OP_POST, MARK, 0));
	for (i = 0; i < 20; i++)
		EXPECT_EQ(POLLIN, announced(&q, i));
	EXPECT_EQ((1 << 20) - 1, cancelled(&q, 20));
	EXPECT_TRUE(closed(&q, 20, 0));
	EXPECT_EQ(0, requests(&q));
	ioevq_close(&q);
}

/* In one batch: who comes after it finds no file. */
TEST_F(op, law_01_in_a_batch)
{
	struct ioevq_req reqs[3];

	ioevq_prep_poll(&reqs[0], self->fd, POLLIN, IOEVQ_POLL_EDGE, 1);
	ioevq_prep_close(&reqs[1], self->fd, DONE);
	ioevq_prep_poll(&reqs[2], self->fd, POLLIN, IOEVQ_POLL_EDGE, 2);
	ASSERT_EQ(2, ioevq_submit(&self->q, reqs, 3));
	EXPECT_EQ(-EBADF, ioevq_submit(&self->q, &reqs[2], 1));
	EXPECT_EQ(-EBADF, ioevq_submit(&self->q, &reqs[1], 1));
	EXPECT_TRUE(completed(&self->q, IOEVQ_OP_POLL, 1, -ECANCELED));
	EXPECT_TRUE(closed(&self->q, 1, 0));
	EXPECT_TRUE(quiet(&self->q));
}

TEST_F(op, law_01_without_an_event)
{
	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, IOEVQ_POLL_EDGE, 1));
	ASSERT_EQ(0, close_by(&self->q, self->fd, IOEVQ_REQ_SKIP_SUCCESS));
	EXPECT_FALSE(is_open(self->fd));
	EXPECT_TRUE(completed(&self->q, IOEVQ_OP_POLL, 1, -ECANCELED));
	EXPECT_TRUE(quiet(&self->q));
	/* Nothing matches: it is closed all the same. */
	ASSERT_EQ(0, close_by(&self->q, self->peer, IOEVQ_REQ_SKIP_SUCCESS));
	EXPECT_FALSE(is_open(self->peer));
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, requests(&self->q));
	EXPECT_EQ(-EBADF, close_by(&self->q, self->peer, IOEVQ_REQ_SKIP_SUCCESS));
}

TEST_F(op, law_14_what_is_not_closed)
{
	int own = dup(self->q.fd);

	EXPECT_EQ(-EINVAL, close_by(&self->q, self->q.fd, 0));
	EXPECT_EQ(-EINVAL, close_by(&self->q, own, 0));
	EXPECT_TRUE(is_open(self->q.fd));
	EXPECT_TRUE(is_open(own));
	EXPECT_EQ(-EBADF, close_by(&self->q, -1, 0));
	EXPECT_EQ(-EBADF, close_by(&self->q, 1 << 20, 0));
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, requests(&self->q));
	EXPECT_EQ(0, close(own));
	EXPECT_EQ(-EBADF, close_by(&self->q, own, 0));
}

/* Another queue is a file like any other, and dies of it. */
TEST_F(op, law_11_another_queue)
{
	long users = module_users();
	struct ioevq other;
	int i;

	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, ioevq_open(&other, 8, 0));
		ASSERT_EQ(0, watch(&other, self->fd, POLLIN, IOEVQ_POLL_EDGE, 1));
		ASSERT_EQ(0, watch(&self->q, other.fd, POLLIN, IOEVQ_POLL_EDGE, 2));
		munmap(other.ring, other.ring_size);
		ASSERT_EQ(0, close_by(&self->q, other.fd, 0));
		EXPECT_TRUE(completed(&self->q, IOEVQ_OP_POLL, 2, -ECANCELED));
		EXPECT_TRUE(closed(&self->q, 1, 0));
		EXPECT_TRUE(eventually(module_users() == users));
	}
}

/* Record locks of the process go with any descriptor of the file, as by close(2). */
TEST_F(op, law_08_locks_are_released)
{
	char path[] = "/tmp/ioevq-close-XXXXXX";
	struct flock lock = { .l_type = F_WRLCK };
	int file = mkstemp(path), status;
	pid_t pid;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, fcntl(file, F_SETLK, &lock));
	ASSERT_EQ(0, close_by(&self->q, open(path, O_RDWR), 0));
	pid = fork();
	if (!pid)
		_exit(fcntl(file, F_GETLK, &lock) || lock.l_type != F_UNLCK);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(closed(&self->q, 0, 0));
	unlink(path);
}

/* What cannot be hurried is waited for, by the event: the descriptor is gone before. */
TEST_F(op, law_09_file_io_under_way)
{
	struct slow_io s;
	int skip, file;

	for (skip = 0; skip < 2; skip++) {
		ASSERT_EQ(0, slow_make(&s));
		file = s.file;
		ASSERT_EQ(0, slow_read(&self->q, &s, 0, 1));
		ASSERT_EQ(0, slow_started(&s));
		ASSERT_EQ(0, close_by(&self->q, file, skip ? IOEVQ_REQ_SKIP_SUCCESS : 0));
		EXPECT_FALSE(is_open(file));
		EXPECT_TRUE(quiet(&self->q));
		/* Who asks for no event is not counted. */
		EXPECT_EQ(2 - skip, requests(&self->q));
		ASSERT_EQ(0, slow_finish(&s, 0));
		EXPECT_TRUE(completed(&self->q, IOEVQ_OP_READ, 1, SLOW_PAGE));
		EXPECT_TRUE(closed(&self->q, 1, 0));
		EXPECT_TRUE(quiet(&self->q));
		EXPECT_EQ(0, requests(&self->q));
		slow_end(&s);
	}
}

/* Refused for there are too many of them: it is open still. */
TEST_F(op, law_14_too_many_that_wait)
{
	struct slow_io s;
	int i, fd;

	ASSERT_EQ(0, slow_make(&s));
	ASSERT_EQ(0, slow_read(&self->q, &s, 0, 1));
	ASSERT_EQ(0, slow_started(&s));
	for (i = 0; i < 64; i++)
		ASSERT_EQ(0, close_by(&self->q, dup(s.file), 0));
	fd = dup(s.file);
	EXPECT_EQ(-EAGAIN, close_by(&self->q, fd, 0));
	EXPECT_TRUE(is_open(fd));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, slow_finish(&s, 0));
	EXPECT_TRUE(completed(&self->q, IOEVQ_OP_READ, 1, SLOW_PAGE));
	for (i = 0; i < 64; i++)
		EXPECT_TRUE(closed(&self->q, 1, 0));
	EXPECT_EQ(0, close_by(&self->q, fd, 0));
	EXPECT_FALSE(is_open(fd));
	slow_end(&s);
}

#define CLOSERS	3

struct contest {
	const struct ioevq *q;
	pthread_barrier_t barrier;
	int fd;			/* -1: end */
	int won;
	int err;
};

static void *contest(void *arg)
{
	struct contest *c = arg;
	int ret;

	for (;;) {
		pthread_barrier_wait(&c->barrier);
		if (c->fd < 0)
			return NULL;
		ret = close_by(c->q, c->fd, 0);
		if (!ret)
			__atomic_add_fetch(&c->won, 1, __ATOMIC_RELAXED);
		else if (ret != -EBADF)
			c->err = ret;
		pthread_barrier_wait(&c->barrier);
	}
}

/* Many close the same descriptor: one does, and what it watched ends once. */
TEST_F_TIMEOUT(op, law_08_one_of_many_closes, 600)
{
	struct contest c = { .q = &self->q };
	pthread_t threads[CLOSERS];
	unsigned int i, rounds = scaled(1000);
	int s[2];

	pthread_barrier_init(&c.barrier, NULL, CLOSERS + 1);
	for (i = 0; i < CLOSERS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, contest, &c));
	for (i = 0; i < rounds; i++) {
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, s));
		ASSERT_EQ(0, watch(&self->q, s[0], POLLPRI, IOEVQ_POLL_EDGE, i));
		c.fd = s[0];
		c.won = 0;
		pthread_barrier_wait(&c.barrier);
		pthread_barrier_wait(&c.barrier);
		ASSERT_EQ(1, c.won);
		ASSERT_EQ(0, c.err);
		ASSERT_TRUE(completed(&self->q, IOEVQ_OP_POLL, i, -ECANCELED));
		ASSERT_TRUE(closed(&self->q, 1, 0));
		ASSERT_EQ(POLLHUP, kind_poll(s[1], 0) & POLLHUP);
		close(s[1]);
	}
	c.fd = -1;
	pthread_barrier_wait(&c.barrier);
	for (i = 0; i < CLOSERS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	EXPECT_EQ(0, requests(&self->q));
}

TEST_HARNESS_MAIN

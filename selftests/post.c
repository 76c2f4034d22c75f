// SPDX-License-Identifier: GPL-2.0-only
/* NOP and POST: to this queue, another one, from other processes and handlers. */
#include <sys/time.h>

#include "expect.h"
#include "pass_fd.h"

FIXTURE(post)
{
	struct ioevq q;
	struct ioevq to;
};

FIXTURE_SETUP(post)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 4, 0));
	ASSERT_EQ(0, ioevq_open(&self->to, 4, 0));
}

FIXTURE_TEARDOWN(post)
{
	ioevq_close(&self->to);
	ioevq_close(&self->q);
}

static int post_to(const struct ioevq *q, int fd, uint64_t user_data)
{
	struct ioevq_req req;

	ioevq_prep_post(&req, fd, 0, 0, user_data);
	return submit(q, &req);
}

TEST_F(post, law_01_nop)
{
	struct ioevq_req reqs[10];
	struct ioevq_event ev;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(reqs); i++)
		ioevq_prep_nop(&reqs[i], ~(uint64_t)i);
	ASSERT_EQ(ARRAY_SIZE(reqs), ioevq_submit(&self->q, reqs, ARRAY_SIZE(reqs)));
	for (i = 0; i < ARRAY_SIZE(reqs); i++) {
		ASSERT_EQ(1, ioevq_take(&self->q, &ev));
		EXPECT_EQ(IOEVQ_OP_NOP, ev.op);
		EXPECT_EQ(~(uint64_t)i, ev.user_data);
		EXPECT_EQ(0, ev.res);
		EXPECT_EQ(0, ev.flags);
		EXPECT_EQ(0, ev.data);
	}
	EXPECT_TRUE(quiet(&self->q));
}

/* All values arrive as they were sent, through the ring and the backlog. */
TEST_F(post, law_01_values)
{
	static const uint64_t values[] = {
		0, 1, ~0ULL, 1ULL << 63, (1ULL << 63) - 1, 1ULL << 31, 1ULL << 32,
		-(uint64_t)EINVAL, 0x0123456789abcdefULL,
	};
	struct ioevq_event ev;
	unsigned int i, n = ARRAY_SIZE(values);

	for (i = 0; i < n; i++)
		ASSERT_EQ(0, ioevq_post(&self->q, values[(i + 1) % n], values[i],
					values[(i + 2) % n]));
	for (i = 0; i < n; i++) {
		ASSERT_EQ(1, next_event(&self->q, &ev));
		EXPECT_EQ(IOEVQ_OP_POST, ev.op);
		EXPECT_EQ(values[(i + 1) % n], ev.user_data);
		EXPECT_EQ((int64_t)values[i], ev.res);
		EXPECT_EQ(values[(i + 2) % n], ev.data);
		EXPECT_EQ(0, ev.flags);
	}
	EXPECT_TRUE(quiet(&self->q));
}

TEST_F(post, law_01_a_message_is_the_only_event)
{
	struct ioevq_req req;
	struct ioevq_event ev;
	unsigned int i;

	/* More than the ring holds. */
	for (i = 0; i < 9; i++) {
		ioevq_prep_post(&req, self->to.fd, -(int64_t)i, i + 100, i);
		ASSERT_EQ(0, submit(&self->q, &req));
	}
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, query(&self->q).requests);
	for (i = 0; i < 9; i++) {
		ASSERT_EQ(1, next_event(&self->to, &ev));
		EXPECT_EQ(i, ev.user_data);
		EXPECT_EQ(-(int64_t)i, ev.res);
		EXPECT_EQ(i + 100, ev.data);
	}
	EXPECT_TRUE(quiet(&self->to));
	EXPECT_EQ(0, requests(&self->to));

	/* By its own descriptor it is this queue, too. */
	ASSERT_EQ(0, post_to(&self->q, self->q.fd, 7));
	EXPECT_NEXT(&self->q, IOEVQ_OP_POST, 7, 0);
}

/* Two that send to one another at the same time wait for nothing. */
struct pair {
	const struct ioevq *from;
	const struct ioevq *to;
	int err;
};

#define EACH	2000

static void *send_all(void *arg)
{
	struct pair *p = arg;
	unsigned int i;

	for (i = 0; i < EACH && !p->err; i++)
		p->err = post_to(p->from, p->to->fd, i);
	return NULL;
}

TEST_F(post, law_02_two_queues_send_to_one_another)
{
	struct pair p[2] = { { &self->q, &self->to, 0 }, { &self->to, &self->q, 0 } };
	pthread_t threads[2];
	unsigned int i, j;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, send_all, &p[i]));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
		EXPECT_EQ(0, p[i].err);
		EXPECT_EQ(EACH, query(p[i].to).available);
	}
	for (i = 0; i < 2; i++) {
		for (j = 0; j < EACH; j++)
			EXPECT_NEXT(p[i].to, IOEVQ_OP_POST, j, 0);
		EXPECT_TRUE(quiet(p[i].to));
	}
}

TEST_F(post, law_14_refusals)
{
	int fd = eventfd(0, 0), sock[2];
	int rd = open("/dev/ioevq", O_RDONLY);
	int wr = open("/dev/ioevq", O_WRONLY);
	int path = open("/dev/ioevq", O_PATH);

	ASSERT_LE(0, rd);
	ASSERT_LE(0, wr);
	ASSERT_LE(0, path);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	EXPECT_EQ(-EINVAL, post_to(&self->q, fd, 1));
	EXPECT_EQ(-EINVAL, post_to(&self->q, sock[0], 1));
	EXPECT_EQ(-EBADF, post_to(&self->q, rd, 1));
	EXPECT_EQ(-EBADF, post_to(&self->q, path, 1));
	EXPECT_EQ(-EBADF, post_to(&self->q, -2, 1));
	EXPECT_EQ(-EBADF, post_to(&self->q, INT32_MAX, 1));
	EXPECT_EQ(-EBADF, post_to(&self->q, INT32_MIN, 1));
	ASSERT_EQ(0, close(fd));
	EXPECT_EQ(-EBADF, post_to(&self->q, fd, 1));
	EXPECT_TRUE(quiet(&self->q));

	/* To be written to is enough. */
	EXPECT_EQ(0, post_to(&self->q, wr, 1));
	close(rd);
	close(wr);
	close(path);
	close(sock[0]);
	close(sock[1]);
}

TEST_F(post, law_13_a_restricted_queue_does_not_send)
{
	ASSERT_EQ(0, ioevq_restrict(&self->q, 1ULL << IOEVQ_OP_NOP));
	EXPECT_EQ(-EPERM, ioevq_post(&self->q, 1, 0, 0));
	EXPECT_EQ(-EPERM, post_to(&self->q, self->to.fd, 1));
	EXPECT_EQ(0, query(&self->q).available);
	EXPECT_EQ(0, query(&self->to).available);
}

/* A child sends over what it inherited, and by a queue of its own. */
TEST_F(post, law_04_from_another_process)
{
	struct ioevq own;
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (ioevq_post(&self->to, 1, 0, 0) || ioevq_open(&own, 2, 0) ||
		    post_to(&own, self->to.fd, 2))
			_exit(1);
		_exit(0);
	}
	EXPECT_NEXT(&self->to, IOEVQ_OP_POST, 1, 0);
	EXPECT_NEXT(&self->to, IOEVQ_OP_POST, 2, 0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* To a queue that a child made and sent us: what is there outlives the child. */
TEST_F(post, law_04_to_another_process)
{
	struct ioevq_event ev;
	struct ioevq own;
	int over[2], status, fd;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, over));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (ioevq_open(&own, 2, 0) || pass_fd(over[1], own.fd))
			_exit(1);
		_exit(next_event(&own, &ev) == 1 && ev.user_data == 9 ? 0 : 2);
	}
	fd = receive_fd(over[0]);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, post_to(&self->q, fd, 9));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, post_to(&self->q, fd, 10));
	ASSERT_EQ(0, ioevq_attach(&own, fd));
	EXPECT_NEXT(&own, IOEVQ_OP_POST, 10, 0);
	ioevq_close(&own);
	close(over[0]);
	close(over[1]);
}

/* A receiver need neither be set up nor be allowed to send. */
TEST_F(post, law_01_any_queue_receives)
{
	struct ioevq fresh = { .fd = open("/dev/ioevq", O_RDWR | O_CLOEXEC) };

	ASSERT_LE(0, fresh.fd);
	ASSERT_EQ(0, post_to(&self->q, fresh.fd, 3));
	EXPECT_EQ(query(&fresh).default_entries, query(&fresh).entries);
	EXPECT_NEXT(&fresh, IOEVQ_OP_POST, 3, 0);
	ASSERT_EQ(0, ioevq_restrict(&fresh, 0));
	ASSERT_EQ(0, post_to(&self->q, fresh.fd, 4));
	EXPECT_NEXT(&fresh, IOEVQ_OP_POST, 4, 0);
	close(fresh.fd);
}

struct sender {
	const struct ioevq *q;
	int fd;
	int sent;
	int err;
};

/* Until the descriptor is closed. */
static void *send_on(void *arg)
{
	struct sender *s = arg;

	do {
		s->err = post_to(s->q, s->fd, 1);
		__atomic_add_fetch(&s->sent, 1, __ATOMIC_RELEASE);
	} while (!s->err || s->err == -EAGAIN);
	return NULL;
}

TEST_F(post, law_11_the_receiver_is_closed_meanwhile)
{
	unsigned int i, round;

	for (round = 0; round < 50; round++) {
		struct ioevq to;
		struct sender s[2];
		pthread_t threads[2];

		ASSERT_EQ(0, ioevq_open(&to, 2, 0));
		for (i = 0; i < 2; i++) {
			s[i] = (struct sender){ .q = i ? &self->to : &self->q, .fd = to.fd };
			ASSERT_EQ(0, pthread_create(&threads[i], NULL, send_on, &s[i]));
		}
		for (i = 0; i < 2; i++)
			ASSERT_TRUE(eventually(__atomic_load_n(&s[i].sent, __ATOMIC_ACQUIRE) > 3));
		ioevq_close(&to);
		for (i = 0; i < 2; i++) {
			ASSERT_EQ(0, pthread_join(threads[i], NULL));
			EXPECT_EQ(-EBADF, s[i].err);
		}
	}
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_TRUE(quiet(&self->to));
	EXPECT_EQ(0, requests(&self->q));
	EXPECT_EQ(0, requests(&self->to));
}

static const struct ioevq *handler_queue;
static int handler_posts, handler_err;

static void handler(int sig)
{
	int saved = errno, err;

	(void)sig;
	err = ioevq_post(handler_queue, __atomic_load_n(&handler_posts, __ATOMIC_RELAXED), 0, 0);
	if (err)
		handler_err = err;
	__atomic_add_fetch(&handler_posts, 1, __ATOMIC_RELAXED);
	errno = saved;
}

static int handle(const struct ioevq *q, int sig)
{
	struct sigaction sa = { .sa_handler = handler };

	handler_queue = q;
	return sigaction(sig, &sa, NULL);
}

TEST_F(post, law_02_from_a_signal_handler)
{
	int i;

	ASSERT_EQ(0, handle(&self->q, SIGUSR1));
	for (i = 0; i < 7; i++)
		ASSERT_EQ(0, raise(SIGUSR1));
	EXPECT_EQ(7, handler_posts);
	EXPECT_EQ(0, handler_err);
	for (i = 0; i < 7; i++)
		EXPECT_NEXT(&self->q, IOEVQ_OP_POST, i, 0);
}

/* In the midst of submissions, takes and waits of the same thread. */
TEST_F(post, law_02_from_a_handler_at_any_moment)
{
	const struct itimerval often = {
		.it_interval.tv_usec = 500, .it_value.tv_usec = 500,
	};
	const int64_t begin = now_ns();
	struct ioevq_event evs[4];
	struct itimerval never = {};
	int64_t nops = 0, posts = 0;
	uint64_t sent = 0;
	int i, n;

	ASSERT_EQ(0, handle(&self->q, SIGALRM));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	while (posts < 200 && now_ns() - begin < BOUND_NS) {
		struct ioevq_req req;

		ioevq_prep_nop(&req, sent);
		n = submit(&self->q, &req);
		ASSERT_TRUE(!n || n == -EINTR);
		sent += !n;
		n = enter_wait(&self->q, evs, 2, 4, 2000000);
		ASSERT_TRUE(n >= 0 || n == -EINTR);
		for (i = 0; i < n; i++) {
			int64_t *count = evs[i].op == IOEVQ_OP_NOP ? &nops : &posts;

			EXPECT_EQ((uint64_t)*count, evs[i].user_data);
			++*count;
		}
	}
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
	EXPECT_LE(200, posts);
	EXPECT_EQ(0, handler_err);
	while (nops < (int64_t)sent || posts < handler_posts) {
		int64_t *count;

		ASSERT_EQ(1, enter_wait(&self->q, evs, 1, 1, BOUND_NS));
		count = evs[0].op == IOEVQ_OP_NOP ? &nops : &posts;
		EXPECT_EQ((uint64_t)*count, evs[0].user_data);
		++*count;
	}
	EXPECT_TRUE(quiet(&self->q));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/* Law 5 where more than one file, watch, queue, process or thread is involved. */
#include "kinds_socket.h"
#include "readiness.h"
#include "scaled.h"

FIXTURE(edge)
{
	struct ioevq q;
	int fd;			/* an eventfd */
};

FIXTURE_SETUP(edge)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	self->fd = eventfd(0, EFD_NONBLOCK);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(edge)
{
	close(self->fd);
	ioevq_close(&self->q);
}

TEST_F(edge, law_05_wake_ups_without_an_event_are_counted)
{
	struct ioevq_event ev;
	int i, n;

	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, IOEVQ_POLL_EDGE, 1));
	for (n = 1; n < 100; n *= 4) {
		for (i = 0; i < n; i++)
			ASSERT_EQ(0, eventfd_write(self->fd, 1));
		EXPECT_EQ(1, query(&self->q).available);
		ASSERT_EQ(1, next_event(&self->q, &ev));
		EXPECT_EQ(n == 1 ? 0 : n / 4 - 1, ev.data);
		EXPECT_EQ(POLLIN, ev.res);
	}
}

TEST_F(edge, law_05_the_backlog_folds_too)
{
	struct ioevq_event ev;
	struct ioevq q;
	int i;

	/* No room in the ring for the announcement: it waits outside, once. */
	ASSERT_EQ(0, ioevq_open(&q, 1, 0));
	ASSERT_EQ(0, watch(&q, self->fd, POLLIN | POLLOUT, IOEVQ_POLL_EDGE, 1));
	EXPECT_EQ(1, query(&q).available);
	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, eventfd_write(self->fd, 1));
	EXPECT_EQ(2, query(&q).available);
	EXPECT_EQ(POLLOUT, announced(&q, 1));
	ASSERT_EQ(1, next_event(&q, &ev));
	EXPECT_EQ(1, ev.user_data);
	EXPECT_EQ(POLLIN, ev.res & POLLIN);
	EXPECT_TRUE(quiet(&q));
	ioevq_close(&q);
}

/* Of two announcements the one that is taken is done with, whatever the other says. */
TEST_F(edge, law_05_each_announcement_by_itself)
{
	static const unsigned int sizes[] = { 64, 1 };	/* 1: the second is in the backlog */
	struct ioevq q;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		int64_t res = 0;
		uint64_t n;

		ASSERT_EQ(0, ioevq_open(&q, sizes[i], 0));
		ASSERT_EQ(0, eventfd_write(self->fd, 1));
		ASSERT_EQ(8, read(self->fd, &n, 8));
		ASSERT_EQ(0, watch(&q, self->fd, POLLIN | POLLOUT, IOEVQ_POLL_EDGE, 1));
		EXPECT_EQ(POLLOUT, announced(&q, 1));
		/* Unreaped: first that it is readable, then that it is writable. */
		ASSERT_EQ(0, eventfd_write(self->fd, 1));
		ASSERT_EQ(8, read(self->fd, &n, 8));
		ASSERT_EQ(2, query(&q).available);
		EXPECT_EQ(POLLIN, announced(&q, 1));
		/* That was taken: a change that comes now is not covered by the other. */
		ASSERT_EQ(0, eventfd_write(self->fd, 1));
		while (query(&q).available)
			res |= announced(&q, 1);
		EXPECT_EQ(POLLIN | POLLOUT, res);
		EXPECT_TRUE(quiet(&q));
		ASSERT_EQ(8, read(self->fd, &n, 8));
		ioevq_close(&q);
	}
}

TEST_F(edge, law_05_reading_and_writing_are_separate_watches)
{
	char page[4096] = "";
	int s[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s));
	ASSERT_EQ(0, watch(&self->q, s[0], POLLIN, IOEVQ_POLL_EDGE, 1));
	ASSERT_EQ(0, watch(&self->q, s[0], POLLOUT, IOEVQ_POLL_EDGE, 2));
	EXPECT_EQ(POLLOUT, announced(&self->q, 2));
	EXPECT_TRUE(quiet(&self->q));

	ASSERT_EQ(1, write(s[1], "x", 1));
	EXPECT_EQ(POLLIN, announced(&self->q, 1));
	EXPECT_TRUE(quiet(&self->q));

	while (write(s[0], page, sizeof(page)) > 0)
		;
	ASSERT_EQ(EAGAIN, errno);
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, kind_drain_fd(s[1]));
	EXPECT_EQ(POLLOUT, announced(&self->q, 2));
	EXPECT_TRUE(quiet(&self->q));
	close(s[0]);
	close(s[1]);
}

TEST_F(edge, law_05_every_watch_of_a_file_is_told)
{
	const unsigned int nr = 300;
	unsigned char seen[300] = {};
	struct ioevq_event ev;
	unsigned int i, round;

	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, IOEVQ_POLL_EDGE, i));
	for (round = 1; round < 4; round++) {
		ASSERT_EQ(0, eventfd_write(self->fd, 1));
		ASSERT_EQ(0, eventfd_write(self->fd, 1));
		for (i = 0; i < nr; i++) {
			ASSERT_EQ(1, next_event(&self->q, &ev));
			ASSERT_GT(nr, ev.user_data);
			EXPECT_EQ(round, ++seen[ev.user_data]);
			EXPECT_EQ(IOEVQ_EVENT_MORE, ev.flags);
		}
		EXPECT_TRUE(quiet(&self->q));
	}
}

TEST_F(edge, law_05_every_queue_is_told)
{
	struct ioevq other;
	int i;

	ASSERT_EQ(0, ioevq_open(&other, 64, 0));
	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, IOEVQ_POLL_EDGE, 1));
	ASSERT_EQ(0, watch(&other, self->fd, POLLIN, IOEVQ_POLL_EDGE, 2));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, eventfd_write(self->fd, 1));
		EXPECT_EQ(POLLIN, announced(&other, 2));
	}
	/* One that is slow does not keep the other from being told. */
	EXPECT_EQ(POLLIN, announced(&self->q, 1));
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_TRUE(quiet(&other));
	ioevq_close(&other);
}

TEST_F(edge, law_05_hang_up_and_error_need_not_be_asked_for)
{
	int in[2], out[2];

	ASSERT_EQ(0, pipe(in));
	ASSERT_EQ(0, pipe(out));
	ASSERT_EQ(0, watch(&self->q, in[0], 0, IOEVQ_POLL_EDGE, 1));
	ASSERT_EQ(0, watch(&self->q, out[1], 0, IOEVQ_POLL_EDGE, 2));
	ASSERT_EQ(1, write(in[1], "x", 1));
	EXPECT_TRUE(quiet(&self->q));
	close(in[1]);
	EXPECT_EQ(POLLHUP, announced(&self->q, 1));
	close(out[0]);
	EXPECT_EQ(POLLERR, announced(&self->q, 2));
	EXPECT_TRUE(quiet(&self->q));
	close(in[0]);
	close(out[1]);
}

TEST_F(edge, law_05_urgent_data_only_if_there_is_some)
{
	struct thing t = { .aux = -1 };

	ASSERT_EQ(0, make_tcp(&t));
	ASSERT_EQ(0, watch(&self->q, t.fd, POLLPRI, IOEVQ_POLL_EDGE, 1));
	ASSERT_EQ(0, watch(&self->q, t.fd, POLLIN | POLLPRI, IOEVQ_POLL_EDGE, 2));
	ASSERT_EQ(0, kind_write_peer_arrived(&t));
	EXPECT_EQ(POLLIN, announced(&self->q, 2));
	EXPECT_TRUE(quiet(&self->q));

	ASSERT_EQ(1, send(t.peer, "u", 1, MSG_OOB));
	ASSERT_EQ(POLLPRI, kind_poll(t.fd, POLLPRI));
	EXPECT_EQ(POLLPRI, announced(&self->q, 1) & POLLPRI);
	EXPECT_EQ(POLLPRI, announced(&self->q, 2) & POLLPRI);
	EXPECT_TRUE(quiet(&self->q));
	thing_end(&t);
}

TEST_F(edge, law_05_connecting_is_announced)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct ioevq_event ev;
	unsigned int port = 0;
	int l, s, ret, i;

	l = kind_bind(SOCK_STREAM, &port);
	ASSERT_LE(0, l);
	a.sin_port = htons(port);
	/* First it succeeds, then there is nobody. */
	for (i = 0; i < 2; i++) {
		s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		ASSERT_LE(0, s);
		ASSERT_EQ(0, watch(&self->q, s, POLLIN | POLLOUT, IOEVQ_POLL_ONESHOT, 1));
		/* A socket without a connection is hung up, and writable. */
		EXPECT_NEXT(&self->q, IOEVQ_OP_POLL, 1, POLLOUT | POLLHUP);
		ret = connect(s, (struct sockaddr *)&a, sizeof(a));
		ASSERT_TRUE(!ret || errno == EINPROGRESS || errno == ECONNREFUSED);
		ASSERT_EQ(0, watch(&self->q, s, POLLIN | POLLOUT, IOEVQ_POLL_EDGE, 2));
		ret = announced(&self->q, 2);
		EXPECT_EQ(POLLOUT, ret & POLLOUT);
		EXPECT_EQ(i ? POLLHUP : 0, ret & POLLHUP);
		close(s);
		do {
			ASSERT_EQ(1, next_event(&self->q, &ev));
		} while (ev.flags & IOEVQ_EVENT_MORE);
		EXPECT_EQ(0, i ? 0 : close(l));
	}
}

TEST_F(edge, law_05_the_end_of_a_connection_is_announced)
{
	struct thing t = { .aux = -1 };

	ASSERT_EQ(0, make_tcp(&t));
	ASSERT_EQ(0, watch(&self->q, t.fd, POLLRDHUP, IOEVQ_POLL_EDGE, 1));
	ASSERT_EQ(0, kind_write_peer_arrived(&t));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, shutdown(t.peer, SHUT_WR));
	EXPECT_EQ(POLLRDHUP, announced(&self->q, 1));
	EXPECT_TRUE(quiet(&self->q));
	thing_end(&t);
}

/* Whoever takes events: a signalfd is about the process that watches it. */
TEST_F(edge, law_05_a_signalfd_and_another_process)
{
	struct thing t = { .peer = -1, .aux = -1 };
	struct ioevq_event ev;
	int status;
	pid_t pid;

	ASSERT_EQ(0, make_signalfd(&t));
	ASSERT_EQ(0, watch(&self->q, t.fd, POLLIN, IOEVQ_POLL_EDGE, 1));
	pid = fork();
	if (!pid)
		_exit(announced(&self->q, 1) != POLLIN);
	ASSERT_TRUE(eventually(thread_state(pid, pid) == 'S'));
	ASSERT_EQ(0, rouse_signalfd(&t));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, ioevq_wait(&self->q, &ev, 0, 1, 0));
	thing_end(&t);
}

/* The wait queue dies with the process that watches (POLLFREE). */
TEST_F(edge, law_05_a_signalfd_dies_with_its_process)
{
	struct thing t = { .peer = -1, .aux = -1 };
	struct ioevq_event ev;
	int status, i;
	pid_t pid;

	ASSERT_EQ(0, make_signalfd(&t));
	for (i = 0; i < 50; i++) {
		pid = fork();
		if (!pid) {
			kill(getpid(), i & 1 ? 0 : SIGRTMIN);
			_exit(watch(&self->q, t.fd, POLLIN, IOEVQ_POLL_EDGE, i) != 0);
		}
		/* What is left of it lasts until it is reaped. */
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
		do {
			ASSERT_EQ(1, next_event(&self->q, &ev));
			EXPECT_EQ(i, ev.user_data);
		} while (ev.flags & IOEVQ_EVENT_MORE);
		EXPECT_EQ(IOEVQ_EVENT_CLOSED, ev.flags);
	}
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, requests(&self->q));
	thing_end(&t);
}

#define ROUNDS	10000
#define GO_ON	1
#define STOP	2

struct ping {
	int there, back;
};

static void *pinger(void *arg)
{
	struct ping *p = arg;
	eventfd_t value = GO_ON;

	while (value == GO_ON)
		if (eventfd_write(p->there, 1) || eventfd_read(p->back, &value))
			break;
	return NULL;
}

TEST_F_TIMEOUT(edge, law_05_no_change_is_lost, 600)
{
	struct ping p = { .there = self->fd, .back = eventfd(0, 0) };
	struct ioevq_event ev;
	bool more = true;
	eventfd_t value;
	pthread_t thread;
	time_t end = 0;
	int i;

	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, IOEVQ_POLL_EDGE, 1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, pinger, &p));
	for (i = 0; more; i++) {
		/* Exactly one event for each: sleeping for it, or from the ring. */
		ASSERT_EQ(1, i % 4 ? next_event(&self->q, &ev) :
				     eventually(ioevq_take(&self->q, &ev) == 1));
		ASSERT_EQ(0, ev.data);
		ASSERT_EQ(0, eventfd_read(self->fd, &value));
		ASSERT_EQ(1, value);
		more = goes_on(i + 1, ROUNDS, &end);
		ASSERT_EQ(0, eventfd_write(p.back, more ? GO_ON : STOP));
	}
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_TRUE(quiet(&self->q));
	close(p.back);
}

FIXTURE(flood)
{
	struct ioevq q;
	struct thing t;
};

/* @put: one write; @get: what was written, 1 for each write, or -1 */
FIXTURE_VARIANT(flood)
{
	int (*make)(struct thing *t);
	int (*put)(struct thing *t);
	long (*get)(struct thing *t);
};

static long get_bytes(struct thing *t)
{
	char buf[512];

	return read(t->fd, buf, sizeof(buf));
}

static long get_eventfd(struct thing *t)
{
	eventfd_t value;

	return eventfd_read(t->fd, &value) ? -1 : (long)value;
}

static long get_mqueue(struct thing *t)
{
	char buf[8];

	return mq_receive(t->fd, buf, sizeof(buf), NULL);
}

FIXTURE_VARIANT_ADD(flood, eventfd) {
	.make = make_eventfd, .put = rouse_eventfd, .get = get_eventfd
};

FIXTURE_VARIANT_ADD(flood, pipe) {
	.make = make_pipe, .put = kind_write_peer, .get = get_bytes
};

FIXTURE_VARIANT_ADD(flood, unix_stream) {
	.make = make_unix_stream, .put = kind_write_peer, .get = get_bytes
};

FIXTURE_VARIANT_ADD(flood, tcp) {
	.make = make_tcp, .put = kind_write_peer, .get = get_bytes
};

FIXTURE_VARIANT_ADD(flood, mqueue) {
	.make = make_mqueue, .put = rouse_mqueue, .get = get_mqueue
};

FIXTURE_SETUP(flood)
{
	self->t.peer = -1;
	self->t.aux = -1;
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, variant->make(&self->t));
}

FIXTURE_TEARDOWN(flood)
{
	(void)variant;
	thing_end(&self->t);
	ioevq_close(&self->q);
}

#define WRITERS	3
#define WRITES	3000

struct writer {
	struct thing *t;
	int (*put)(struct thing *t);
};

static void *write_many(void *arg)
{
	struct writer *w = arg;
	int i;

	for (i = 0; i < WRITES; i++)
		while (w->put(w->t) && errno == EAGAIN)
			sched_yield();
	return NULL;
}

/* Reading all after each event, and only then, gets all there ever is. */
TEST_F_TIMEOUT(flood, law_05_nothing_is_lost_under_load, 600)
{
	struct writer w = { .t = &self->t, .put = variant->put };
	pthread_t threads[WRITERS];
	struct ioevq_event ev;
	long n, sum = 0;
	int i;

	ASSERT_EQ(0, watch(&self->q, self->t.fd, POLLIN, IOEVQ_POLL_EDGE, 1));
	for (i = 0; i < WRITERS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, write_many, &w));
	while (sum < WRITERS * WRITES) {
		ASSERT_EQ(1, next_event(&self->q, &ev));
		while ((n = variant->get(&self->t)) > 0)
			sum += n;
		ASSERT_EQ(EAGAIN, errno);
	}
	EXPECT_EQ(WRITERS * WRITES, sum);
	for (i = 0; i < WRITERS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
}

TEST_HARNESS_MAIN

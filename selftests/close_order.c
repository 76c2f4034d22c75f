// SPDX-License-Identifier: GPL-2.0-only
/* Law 8 in every mode and order: of connections, whose other end must see it at once. */
#include "kinds_socket.h"
#include "offspring.h"
#include "pass_fd.h"
#include "readiness.h"
#include "sleeper.h"

FIXTURE(order)
{
	struct ioevq q;
	struct thing t;		/* a connection */
};

FIXTURE_VARIANT(order)
{
	unsigned int mode;
};

FIXTURE_VARIANT_ADD(order, level) { IOEVQ_POLL_LEVEL };
FIXTURE_VARIANT_ADD(order, edge) { IOEVQ_POLL_EDGE };
FIXTURE_VARIANT_ADD(order, oneshot) { IOEVQ_POLL_ONESHOT };
FIXTURE_VARIANT_ADD(order, dispatch) { IOEVQ_POLL_DISPATCH };
FIXTURE_VARIANT_ADD(order, confirm) { IOEVQ_POLL_EDGE | IOEVQ_POLL_CONFIRM };
FIXTURE_VARIANT_ADD(order, exclusive) { IOEVQ_POLL_LEVEL | IOEVQ_POLL_EXCLUSIVE };
FIXTURE_VARIANT_ADD(order, lifo) {
	IOEVQ_POLL_EDGE | IOEVQ_POLL_EXCLUSIVE | IOEVQ_POLL_LIFO
};

FIXTURE_SETUP(order)
{
	self->t = (struct thing){ .fd = -1, .peer = -1, .aux = -1 };
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, make_tcp(&self->t));
	ASSERT_EQ(0, watch(&self->q, self->t.fd, POLLIN, variant->mode, 1));
	ASSERT_TRUE(nothing(&self->q));
}

FIXTURE_TEARDOWN(order)
{
	(void)variant;
	thing_end(&self->t);
	ioevq_close(&self->q);
}

/* The last event of the watch, and that it is the only last one. */
static int ends_once(const struct ioevq *q)
{
	struct ioevq_event ev;

	do {
		if (next_event(q, &ev) != 1 || ev.user_data != 1)
			return 0;
	} while (ev.flags & IOEVQ_EVENT_MORE);
	return ev.flags == IOEVQ_EVENT_CLOSED && nothing(q) && !requests(q);
}

static int close_it(struct thing *t)
{
	int fd = t->fd;

	t->fd = -1;
	return close(fd);
}

TEST_F(order, law_08_close)
{
	ASSERT_EQ(0, close_it(&self->t));
	EXPECT_EQ(0, kind_peer_eof(&self->t));
	EXPECT_TRUE(ends_once(&self->q));
}

/* Data that nobody has read, and SO_LINGER without patience: a reset. */
TEST_F(order, law_08_reset)
{
	struct linger now = { .l_onoff = 1 };
	char c;

	ASSERT_EQ(0, setsockopt(self->t.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	ASSERT_EQ(0, close_it(&self->t));
	EXPECT_EQ(POLLHUP | POLLERR, kind_poll(self->t.peer, 0));
	EXPECT_EQ(-1, read(self->t.peer, &c, 1));
	EXPECT_EQ(ECONNRESET, errno);
	EXPECT_TRUE(ends_once(&self->q));
}

TEST_F(order, law_08_close_of_unread_data)
{
	char c;

	ASSERT_EQ(0, kind_write_peer_arrived(&self->t));
	ASSERT_EQ(0, close_it(&self->t));
	EXPECT_EQ(POLLHUP | POLLERR, kind_poll(self->t.peer, 0));
	EXPECT_EQ(-1, read(self->t.peer, &c, 1));
	EXPECT_EQ(ECONNRESET, errno);
	/* A one-shot has fired. */
	EXPECT_TRUE(variant->mode == IOEVQ_POLL_ONESHOT ?
		    completed(&self->q, IOEVQ_OP_POLL, 1, POLLIN) : ends_once(&self->q));
	EXPECT_EQ(0, requests(&self->q));
}

TEST_F(order, law_08_shutdown_is_no_close)
{
	struct ioevq_event ev;

	ASSERT_EQ(0, shutdown(self->t.fd, SHUT_RDWR));
	EXPECT_EQ(0, kind_peer_eof(&self->t));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_EQ(POLLIN, ev.res & POLLIN);
	EXPECT_EQ(variant->mode == IOEVQ_POLL_ONESHOT ? 0 : IOEVQ_EVENT_MORE, ev.flags);
	ASSERT_EQ(0, close_it(&self->t));
	if (ev.flags)
		EXPECT_TRUE(ends_once(&self->q));
	EXPECT_EQ(0, requests(&self->q));
}

static void *close_asleep(void *arg)
{
	struct thing *t = arg;

	return (void *)(intptr_t)close_it(t);
}

/* By a thread that has nothing to do with the queue, while another sleeps in it. */
TEST_F(order, law_08_close_in_another_thread)
{
	struct sleeper s;
	pthread_t thread;
	void *ret;

	ASSERT_TRUE(put_to_sleep(&s, &self->q, 1, 1, BOUND_NS));
	ASSERT_EQ(0, pthread_create(&thread, NULL, close_asleep, &self->t));
	EXPECT_EQ(1, woken(&s));
	EXPECT_EQ(IOEVQ_EVENT_CLOSED, s.evs[0].flags);
	EXPECT_EQ(1, s.evs[0].user_data);
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_NULL(ret);
	EXPECT_EQ(0, kind_peer_eof(&self->t));
	EXPECT_TRUE(nothing(&self->q));
	EXPECT_EQ(0, requests(&self->q));
}

/* While it is looked at again and again. */
TEST_F(order, law_08_close_under_a_look)
{
	pthread_t thread;
	int i;

	for (i = 0; i < 200; i++) {
		struct thing t = { .aux = -1 };

		ASSERT_EQ(0, make_unix_stream(&t));
		ASSERT_EQ(0, watch(&self->q, t.fd, POLLIN, variant->mode, 7));
		if (variant->mode != IOEVQ_POLL_ONESHOT)
			ASSERT_EQ(0, kind_write_peer(&t));
		ASSERT_EQ(0, pthread_create(&thread, NULL, close_asleep, &t));
		for (;;) {
			struct ioevq_event ev;

			ASSERT_EQ(1, enter_wait(&self->q, &ev, 1, 1, BOUND_NS));
			ASSERT_EQ(7, ev.user_data);
			if (!(ev.flags & IOEVQ_EVENT_MORE)) {
				EXPECT_EQ(IOEVQ_EVENT_CLOSED, ev.flags);
				break;
			}
		}
		ASSERT_EQ(0, pthread_join(thread, NULL));
		close(t.peer);
		EXPECT_TRUE(nothing(&self->q));
		EXPECT_EQ(1, requests(&self->q));
	}
}

static int keep_open(struct offspring *c, long fd)
{
	int over;

	/* Received, not inherited. */
	if (fd < 0) {
		over = -fd;
		fd = receive_fd(over);
		close(over);
	}
	if (fd < 0)
		return 90;
	say(c);
	await_go(c);
	return 0;
}

static int said(const struct offspring *c)
{
	char word;

	return read(c->said, &word, 1) == 1;
}

/* The watch is of the open file, wherever it is: with a child, in flight, with who got it. */
TEST_F(order, law_08_open_elsewhere)
{
	struct thing *t = &self->t;
	struct offspring c;
	int over[2], passed;

	for (passed = 0; passed < 2; passed++) {
		struct thing n = { .aux = -1 };

		ASSERT_EQ(0, make_tcp(&n));
		ASSERT_EQ(0, watch(&self->q, n.fd, POLLIN, variant->mode, 2));
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, over));
		if (passed) {
			/* In flight, and nowhere else. */
			ASSERT_EQ(0, pass_fd(over[0], n.fd));
			ASSERT_EQ(0, close_it(&n));
			EXPECT_TRUE(nothing(&self->q));
			EXPECT_EQ(0, poll_now(n.peer, POLLIN));
		}
		/* The child has none of our peer's, nor of the file it is not sent. */
		ASSERT_EQ(0, offspring(&c, keep_open, passed ? -over[1] : n.fd));
		ASSERT_EQ(0, let_go(&c));
		ASSERT_TRUE(said(&c));
		close(over[0]);
		close(over[1]);
		if (!passed)
			ASSERT_EQ(0, close_it(&n));
		EXPECT_TRUE(nothing(&self->q));
		EXPECT_EQ(0, poll_now(n.peer, POLLIN));
		if (variant->mode != IOEVQ_POLL_ONESHOT) {
			ASSERT_EQ(1, write(n.peer, "x", 1));
			EXPECT_EQ(POLLIN, announced(&self->q, 2));
		}
		ASSERT_EQ(0, kill(c.pid, SIGKILL));
		ASSERT_EQ(c.pid, waitpid(c.pid, NULL, 0));
		EXPECT_EQ(POLLIN, kind_poll(n.peer, POLLIN) & POLLIN);
		for (;;) {
			struct ioevq_event ev;

			ASSERT_EQ(1, next_event(&self->q, &ev));
			ASSERT_EQ(2, ev.user_data);
			if (ev.flags & IOEVQ_EVENT_MORE)
				continue;
			EXPECT_EQ(IOEVQ_EVENT_CLOSED, ev.flags);
			break;
		}
		EXPECT_TRUE(nothing(&self->q));
		offspring_close(&c);
		close(n.peer);
	}
	ASSERT_EQ(0, close_it(t));
	EXPECT_TRUE(ends_once(&self->q));
}

TEST_HARNESS_MAIN

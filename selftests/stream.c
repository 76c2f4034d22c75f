// SPDX-License-Identifier: GPL-2.0-only
/* READ and WRITE on pipes, FIFOs and sockets: what they answer, and when. */
#include <sys/inotify.h>

#include "stream.h"

TEST_F(stream, what_is_there_is_read_at_once)
{
	char buf[8] = "";

	ASSERT_EQ(3, write(self->t.peer, "abc", 3));
	ASSERT_TRUE(arrived(self->t.fd));
	ASSERT_EQ(0, want(&self->q, self->t.fd, buf, sizeof(buf), 1));
	EXPECT_EQ(1, query(&self->q).available);
	EXPECT_STREQ("abc", buf);
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, 3);
}

TEST_F(stream, what_comes_later_is_read_then)
{
	char buf[8] = "";
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, want(&self->q, self->t.fd, buf, sizeof(buf), i));
		EXPECT_TRUE(quiet(&self->q));
		ASSERT_EQ(3, write(self->t.peer, "abc", 3));
		EXPECT_NEXT(&self->q, IOEVQ_OP_READ, i, 3);
		EXPECT_STREQ("abc", buf);
		memset(buf, 0, sizeof(buf));
	}
}

TEST_F(stream, what_is_written_arrives)
{
	char buf[8] = "";

	ASSERT_EQ(0, give(&self->q, self->t.peer, "abc", 3, 1));
	EXPECT_EQ(1, query(&self->q).available);
	EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, 1, 3);
	ASSERT_TRUE(arrived(self->t.fd));
	ASSERT_EQ(3, read(self->t.fd, buf, sizeof(buf)));
	EXPECT_STREQ("abc", buf);
}

TEST_F(stream, the_end_is_read)
{
	char buf[8];

	if (!variant->end)
		return;
	ASSERT_EQ(0, want(&self->q, self->t.fd, buf, sizeof(buf), 1));
	ASSERT_EQ(0, want(&self->q, self->t.fd, buf, sizeof(buf), 2));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, close(self->t.peer));
	self->t.peer = -1;
	/* No CLOSED: it is the other end that was. */
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, 0);
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 2, 0);
	ASSERT_EQ(0, want(&self->q, self->t.fd, buf, sizeof(buf), 3));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 3, 0);
}

/* Who writes to nobody is told, by a signal, too, where write(2) sends one. */
TEST_F(stream, nobody_reads)
{
	sigset_t set;
	int sig;

	if (!variant->end || variant->make == make_tcp)
		return;
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	ASSERT_EQ(0, pthread_sigmask(SIG_BLOCK, &set, NULL));
	signal(SIGPIPE, SIG_DFL);
	ASSERT_EQ(0, close(self->t.fd));
	self->t.fd = -1;
	ASSERT_EQ(0, give(&self->q, self->t.peer, "abc", 3, 1));
	EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, 1, -EPIPE);
	if (variant->packets)
		return;
	ASSERT_EQ(0, sigwait(&set, &sig));
	EXPECT_EQ(SIGPIPE, sig);
}

TEST_F(stream, vectors)
{
	char a[3] = "abc", b[4] = "defg", c[2], d[16];
	struct iovec out[2] = { { a, 3 }, { b, 4 } }, in[2] = { { c, 2 }, { d, 16 } };
	struct ioevq_req req;

	ioevq_prep_readv(&req, self->t.fd, in, 2, IOEVQ_POSITION, 1);
	ASSERT_EQ(0, submit(&self->q, &req));
	memset(in, 0xff, sizeof(in));
	EXPECT_TRUE(quiet(&self->q));
	ioevq_prep_writev(&req, self->t.peer, out, 2, IOEVQ_POSITION, 2);
	ASSERT_EQ(0, submit(&self->q, &req));
	EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, 2, 7);
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, 7);
	EXPECT_EQ(0, memcmp(c, "ab", 2));
	EXPECT_EQ(0, memcmp(d, "cdefg", 5));
}

TEST_F(stream, nothing_is_read_and_written_at_once)
{
	char buf[1];

	ASSERT_EQ(0, want(&self->q, self->t.fd, buf, 0, 1));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, 0);
	ASSERT_EQ(0, give(&self->q, self->t.peer, buf, 0, 2));
	EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, 2, 0);
	/* But in its turn. */
	if (variant->packets)
		return;
	ASSERT_EQ(0, want(&self->q, self->t.fd, buf, 1, 3));
	ASSERT_EQ(0, want(&self->q, self->t.fd, buf, 0, 4));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(1, write(self->t.peer, "x", 1));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 3, 1);
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 4, 0);
}

/* One attempt, and its answer. */
TEST_F(stream, law_14_at_once_or_not_at_all)
{
	struct ioevq_req req;
	char buf[8];

	ioevq_prep_read(&req, self->t.fd, buf, sizeof(buf), -1, 1);
	req.op_arg = RWF_NOWAIT;
	ASSERT_EQ(0, submit(&self->q, &req));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, -EAGAIN);
	/* Nor does it overtake. */
	ASSERT_EQ(0, want(&self->q, self->t.fd, buf, 1, 2));
	ASSERT_EQ(0, submit(&self->q, &req));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, -EAGAIN);
	ASSERT_EQ(1, write(self->t.peer, "x", 1));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 2, 1);
	ASSERT_EQ(1, write(self->t.peer, "x", 1));
	ASSERT_TRUE(arrived(self->t.fd));
	ASSERT_EQ(0, submit(&self->q, &req));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, 1);
}

TEST_F(stream, law_14_refusals)
{
	struct ioevq_req req;
	char buf[8];

	ioevq_prep_read(&req, self->t.fd, buf, sizeof(buf), 1, 1);
	EXPECT_EQ(-ESPIPE, submit(&self->q, &req));
	req.off = 0;
	EXPECT_EQ(-ESPIPE, submit(&self->q, &req));
	req.off = -1;
	req.op_arg = RWF_HIPRI;
	EXPECT_EQ(-EOPNOTSUPP, submit(&self->q, &req));
	req.op_arg = 0;
	req.len = -1;
	EXPECT_EQ(-EINVAL, submit(&self->q, &req));
	req.len = 8;
	req.addr = -4096;
	EXPECT_EQ(sizeof(long) == 8 ? -EFAULT : 0, submit(&self->q, &req));
	if (variant->make == make_pipe || variant->make == make_fifo) {
		EXPECT_EQ(-EBADF, want(&self->q, self->t.peer, buf, 1, 1));
		EXPECT_EQ(-EBADF, give(&self->q, self->t.fd, buf, 1, 1));
	}
	ioevq_prep_fsync(&req, self->t.fd, 0, 1);
	EXPECT_EQ(-ESPIPE, submit(&self->q, &req));
	EXPECT_EQ(0, requests(&self->q));
}

/* As read(2) and write(2) do: the request fails, and the next is not harmed. */
TEST_F(stream, memory_that_is_not_there)
{
	char buf[8] = "";

	ASSERT_EQ(0, want(&self->q, self->t.fd, NULL, 8, 1));
	ASSERT_EQ(0, want(&self->q, self->t.fd, buf, 8, 2));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(3, write(self->t.peer, "abc", 3));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, -EFAULT);
	/* A packet is gone, a stream is not. */
	if (variant->packets)
		ASSERT_EQ(3, write(self->t.peer, "abc", 3));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 2, 3);
	EXPECT_STREQ("abc", buf);
	ASSERT_EQ(0, give(&self->q, self->t.peer, NULL, 8, 3));
	EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, 3, -EFAULT);
}

/* Who waited first is served first, whatever comes at once. */
TEST_F_TIMEOUT(stream, law_03_in_turn, 300)
{
	enum { NR = 200 };
	char buf[NR] = "", all[NR];
	int i;

	for (i = 0; i < NR; i++) {
		ASSERT_EQ(0, want(&self->q, self->t.fd, buf + i, 1, i));
		all[i] = (char)i;
	}
	EXPECT_TRUE(quiet(&self->q));
	if (!variant->packets)
		ASSERT_EQ(NR / 2, write(self->t.peer, all, NR / 2));
	for (i = 0; i < NR; i++) {
		if (variant->packets || i >= NR / 2)
			ASSERT_EQ(1, write(self->t.peer, all + i, 1));
		EXPECT_NEXT(&self->q, IOEVQ_OP_READ, i, 1);
		EXPECT_EQ((char)i, buf[i]);
	}
}

/* Nor does one overtake that comes when there is data already. */
TEST_F(stream, law_03_nobody_overtakes)
{
	char buf[2] = "";

	ASSERT_EQ(0, want(&self->q, self->t.fd, buf, 1, 1));
	ASSERT_EQ(1, write(self->t.peer, "a", 1));
	ASSERT_TRUE(arrived(self->t.fd));
	ASSERT_EQ(0, want(&self->q, self->t.fd, buf + 1, 1, 2));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, 1);
	EXPECT_EQ('a', buf[0]);
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(1, write(self->t.peer, "b", 1));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 2, 1);
	EXPECT_EQ('b', buf[1]);
}

/* A write waits until all is written, so that the next one does not come in between. */
TEST_F_TIMEOUT(stream, law_03_writes_are_whole, 300)
{
	enum { NR = 6, WORDS = 64 << 10 };
	size_t len = WORDS * sizeof(unsigned int), got = 0;
	unsigned int *out, *in, next = 0, i;
	struct ioevq_event ev;
	ssize_t n;

	if (variant->packets)
		return;
	out = malloc(NR * len);
	in = malloc(NR * len);
	for (i = 0; i < NR * WORDS; i++)
		out[i] = i;
	for (i = 0; i < NR; i++)
		ASSERT_EQ(0, give(&self->q, self->t.peer, out + i * WORDS, len, i));
	ASSERT_EQ(0, set_blocking(self->t.fd, true));
	while (got < NR * len || next < NR) {
		n = read(self->t.fd, (char *)in + got, NR * len - got);
		if (n > 0)
			got += n;
		ASSERT_TRUE(n > 0 || got == NR * len || errno == EAGAIN);
		n = ioevq_wait(&self->q, &ev, 0, 1, 0);
		ASSERT_LE(0, n);
		if (!n)
			continue;
		EXPECT_EQ(next, ev.user_data);
		EXPECT_EQ((int64_t)len, ev.res);
		EXPECT_EQ(0, ev.flags);
		next++;
	}
	EXPECT_EQ(0, memcmp(in, out, NR * len));
	free(out);
	free(in);
}

/* Both directions of one socket, which do not wait for one another. */
TEST_F(stream, both_ways)
{
	char in[2] = "", back[2] = "";

	if (variant->make == make_pipe || variant->make == make_fifo || variant->make == make_udp)
		return;
	ASSERT_EQ(0, want(&self->q, self->t.fd, in, 1, 1));
	ASSERT_EQ(0, give(&self->q, self->t.fd, "b", 1, 2));
	EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, 2, 1);
	ASSERT_EQ(0, want(&self->q, self->t.peer, back, 1, 3));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 3, 1);
	EXPECT_EQ('b', back[0]);
	ASSERT_EQ(1, write(self->t.peer, "a", 1));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, 1);
	EXPECT_EQ('a', in[0]);
}

/* Nothing that was cancelled is read: it is there for others. */
TEST_F(stream, law_09_cancel_one_that_waits)
{
	char buf[3] = "";

	ASSERT_EQ(0, want(&self->q, self->t.fd, buf, 1, 1));
	ASSERT_EQ(0, want(&self->q, self->t.fd, buf + 1, 1, 2));
	ASSERT_EQ(0, want(&self->q, self->t.fd, buf + 2, 1, 3));
	ASSERT_EQ(0, ioevq_cancel(&self->q, 2, 10));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 2, -ECANCELED);
	EXPECT_NEXT(&self->q, IOEVQ_OP_CANCEL, 10, 1);
	ASSERT_EQ(0, ioevq_cancel(&self->q, 1, 11));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, -ECANCELED);
	EXPECT_NEXT(&self->q, IOEVQ_OP_CANCEL, 11, 1);
	/* The turn of the one that is left. */
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(1, write(self->t.peer, "x", 1));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 3, 1);
	EXPECT_EQ('x', buf[2]);
	EXPECT_EQ(0, buf[0] | buf[1]);

	ASSERT_EQ(0, want(&self->q, self->t.fd, buf, 1, 4));
	ASSERT_EQ(0, ioevq_cancel_fd(&self->q, self->t.fd, 12));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 4, -ECANCELED);
	EXPECT_NEXT(&self->q, IOEVQ_OP_CANCEL, 12, 1);
	ASSERT_EQ(1, write(self->t.peer, "y", 1));
	ASSERT_TRUE(arrived(self->t.fd));
	EXPECT_EQ(1, read(self->t.fd, buf, 1));
	EXPECT_EQ('y', buf[0]);
}

static void *close_it(void *arg)
{
	close(*(int *)arg);
	return NULL;
}

/* By another thread, while this one sleeps in its wait. */
TEST_F(stream, law_08_the_last_close_ends_it)
{
	int other = dup(self->t.fd), fd = self->t.fd;
	struct ioevq_event ev;
	pthread_t thread;
	char buf[8];
	int i;

	for (i = 1; i <= 3; i++)
		ASSERT_EQ(0, want(&self->q, fd, buf, sizeof(buf), i));
	ASSERT_EQ(0, close(fd));
	self->t.fd = other;
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, pthread_create(&thread, NULL, close_it, &self->t.fd));
	for (i = 1; i <= 3; i++) {
		ASSERT_EQ(1, next_event(&self->q, &ev));
		EXPECT_EQ(IOEVQ_OP_READ, ev.op);
		EXPECT_EQ(-ECANCELED, ev.res);
		EXPECT_EQ(IOEVQ_EVENT_CLOSED, ev.flags);
	}
	ASSERT_EQ(0, pthread_join(thread, NULL));
	self->t.fd = -1;
	EXPECT_EQ(0, variant->gone(&self->t));
}

/* The operation that closes, while one waits. */
TEST_F(stream, law_08_close_op)
{
	char buf[8];

	ASSERT_EQ(0, want(&self->q, self->t.fd, buf, sizeof(buf), 1));
	ASSERT_EQ(0, ioevq_close_fd(&self->q, self->t.fd, 2));
	self->t.fd = -1;
	EXPECT_EQ(0, variant->gone(&self->t));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, -ECANCELED);
	EXPECT_NEXT(&self->q, IOEVQ_OP_CLOSE, 2, 0);
}

/* Who polls the queue is told, and nothing is read for it. */
TEST_F(stream, law_05_a_queue_is_polled)
{
	struct pollfd p = { .fd = self->q.fd, .events = POLLIN };
	struct epoll_event ee = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC), i;
	char buf[8] = "", peek[8];

	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->q.fd, &ee));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, want(&self->q, self->t.fd, buf, sizeof(buf), 1));
		EXPECT_EQ(0, poll(&p, 1, 0));
		ASSERT_EQ(3, write(self->t.peer, "abc", 3));
		if (i)
			EXPECT_EQ(1, epoll_wait(ep, &ee, 1, KIND_WAIT_MS));
		EXPECT_EQ(1, poll(&p, 1, KIND_WAIT_MS));
		EXPECT_EQ(1, poll(&p, 1, 0));
		EXPECT_EQ(0, buf[0]);
		EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, 3);
		EXPECT_STREQ("abc", buf);
		EXPECT_EQ(0, poll(&p, 1, 0));
		memset(buf, 0, sizeof(buf));
	}
	/* It was told, and another read the data: there is nothing after all. */
	ASSERT_EQ(0, want(&self->q, self->t.fd, buf, sizeof(buf), 2));
	ASSERT_EQ(3, write(self->t.peer, "abc", 3));
	EXPECT_EQ(1, poll(&p, 1, KIND_WAIT_MS));
	EXPECT_EQ(3, read(self->t.fd, peek, sizeof(peek)));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(3, write(self->t.peer, "def", 3));
	EXPECT_EQ(1, poll(&p, 1, KIND_WAIT_MS));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 2, 3);
	EXPECT_STREQ("def", buf);
	close(ep);
}

/* Who reads the mapped ring alone is told to come. */
TEST_F(stream, law_05_the_ring_says_that_there_is_something)
{
	struct ioevq_event ev;
	char buf[8] = "";

	ASSERT_EQ(0, want(&self->q, self->t.fd, buf, sizeof(buf), 1));
	EXPECT_EQ(0, ioevq_take(&self->q, &ev));
	EXPECT_EQ(0, __atomic_load_n(&self->q.ring->flags, __ATOMIC_ACQUIRE));
	ASSERT_EQ(3, write(self->t.peer, "abc", 3));
	EXPECT_TRUE(eventually(__atomic_load_n(&self->q.ring->flags, __ATOMIC_ACQUIRE) &
			       IOEVQ_RING_RECHECK));
	EXPECT_EQ(0, ioevq_take_mapped(&self->q, &ev, 1));
	EXPECT_EQ(1, ioevq_take(&self->q, &ev));
	EXPECT_EQ(3, ev.res);
	EXPECT_STREQ("abc", buf);
}

/* Another has read it before us: we wait on. */
TEST_F(stream, law_02_data_that_another_takes)
{
	char buf[8] = "", other[8];
	int i;

	ASSERT_EQ(0, want(&self->q, self->t.fd, buf, sizeof(buf), 1));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(3, write(self->t.peer, "abc", 3));
		ASSERT_TRUE(arrived(self->t.fd));
		ASSERT_EQ(3, read(self->t.fd, other, sizeof(other)));
		EXPECT_TRUE(quiet(&self->q));
	}
	ASSERT_EQ(3, write(self->t.peer, "def", 3));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, 3);
	EXPECT_STREQ("def", buf);
}

/* Who watches the file is told as of read(2) and write(2). */
TEST_F(stream, law_13_inotify_is_told)
{
	int in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	struct inotify_event ev;
	char buf[8];

	if (variant->make != make_fifo)
		return;
	ASSERT_LE(0, inotify_add_watch(in, self->t.path, IN_MODIFY | IN_ACCESS));
	ASSERT_EQ(0, want(&self->q, self->t.fd, buf, sizeof(buf), 1));
	ASSERT_EQ(0, give(&self->q, self->t.peer, "x", 1, 2));
	EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, 2, 1);
	ASSERT_EQ(sizeof(ev), read(in, &ev, sizeof(ev)));
	EXPECT_EQ(IN_MODIFY, ev.mask);
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, 1);
	ASSERT_EQ(sizeof(ev), read(in, &ev, sizeof(ev)));
	EXPECT_EQ(IN_ACCESS, ev.mask);
	close(in);
}

TEST_HARNESS_MAIN

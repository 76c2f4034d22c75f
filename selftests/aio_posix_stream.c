// SPDX-License-Identifier: GPL-2.0-only
/* Asynchronous I/O on pipes, sockets, terminals and devices. */
#include "aio_posix.h"

TEST_F(aio, a_pipe_is_read_when_there_is_something)
{
	struct aiocb a = block(self->pipe[0], self->buf, 3, 7);
	struct aiocb b = block(self->pipe[0], self->buf + 10, 10, 0);

	ASSERT_EQ(0, self->a->read(&a));
	ASSERT_EQ(0, self->a->read(&b));
	EXPECT_EQ(EINPROGRESS, self->a->error(&a));
	ASSERT_EQ(5, write(self->pipe[1], "hello", 5));
	EXPECT_DONE(&a, 3);
	EXPECT_DONE(&b, 2);
	EXPECT_EQ(0, memcmp(self->buf, "hel", 3));
	EXPECT_EQ(0, memcmp(self->buf + 10, "lo", 2));
	close(self->pipe[1]);
	ASSERT_EQ(0, self->a->read(&a));
	EXPECT_DONE(&a, 0);
}

/* Other files go on meanwhile, and nothing else has a thread. */
TEST_F(aio, many_pipes_are_read_at_once)
{
	enum { N = 60 };
	struct aiocb cb[N];
	int p[N][2], i;
	char c[N];

	for (i = 0; i < N; i++) {
		ASSERT_EQ(0, pipe(p[i]));
		cb[i] = block(p[i][0], &c[i], 1, 0);
		ASSERT_EQ(0, self->a->read(&cb[i]));
	}
	if (self->a->is_facade)
		EXPECT_GE(2, threads());
	/* The C library's has 20 threads: the first ones first. */
	for (i = 0; i < N; i++) {
		ASSERT_EQ(1, write(p[i][1], "x", 1));
		EXPECT_DONE(&cb[i], 1);
	}
}

/* More than a pipe has room for: it ends when all of it is there. */
TEST_F(aio, a_pipe_is_written_to_as_it_is_read)
{
	enum { SIZE = 300000 };
	char *in = malloc(SIZE), *out = malloc(SIZE);
	struct aiocb cb = block(self->pipe[1], in, SIZE, 0);
	size_t got = 0;
	ssize_t n;
	int i;

	for (i = 0; i < SIZE; i++)
		in[i] = i * 31 >> 3;
	ASSERT_EQ(0, self->a->write(&cb));
	EXPECT_EQ(EINPROGRESS, self->a->error(&cb));
	while (got < SIZE) {
		n = read(self->pipe[0], out + got, SIZE - got);
		ASSERT_LT(0, n);
		got += n;
	}
	EXPECT_DONE(&cb, SIZE);
	EXPECT_EQ(0, memcmp(in, out, SIZE));
}

TEST_F(aio, what_goes_to_a_pipe_keeps_its_order)
{
	enum { N = 100 };
	struct aiocb cb[N];
	char in[N], out[N] = {};
	int i;

	for (i = 0; i < N; i++) {
		in[i] = i;
		cb[i] = block(self->pipe[1], &in[i], 1, 0);
		ASSERT_EQ(0, self->a->write(&cb[i]));
	}
	for (i = 0; i < N; i++)
		EXPECT_DONE(&cb[i], 1);
	EXPECT_EQ(N, read(self->pipe[0], out, N));
	EXPECT_EQ(0, memcmp(in, out, N));
}

/* An error, and no signal: that would be another thread's. */
TEST_F(aio, a_broken_pipe)
{
	struct aiocb cb = block(self->pipe[1], self->buf, 1, 0);
	int sv[2];

	close(self->pipe[0]);
	ASSERT_EQ(0, self->a->write(&cb));
	EXPECT_FAILED(&cb, EPIPE);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	close(sv[0]);
	cb.aio_fildes = sv[1];
	ASSERT_EQ(0, self->a->write(&cb));
	EXPECT_FAILED(&cb, EPIPE);
	self->pipe[0] = -1;
}

TEST_F(aio, a_socket_is_read_and_written_to)
{
	struct aiocb r, w;
	int sv[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	r = block(sv[0], self->buf, BUF_SIZE, 0);
	w = block(sv[1], "hello", 5, 0);
	ASSERT_EQ(0, self->a->read(&r));
	EXPECT_EQ(EINPROGRESS, self->a->error(&r));
	ASSERT_EQ(0, self->a->write(&w));
	EXPECT_DONE(&w, 5);
	EXPECT_DONE(&r, 5);
	EXPECT_EQ(0, memcmp(self->buf, "hello", 5));
}

TEST_F(aio, where_nothing_waits_asynchronous_io_does_not)
{
	struct aiocb cb = block(self->pipe[0], self->buf, 1, 0);

	ASSERT_EQ(0, fcntl(self->pipe[0], F_SETFL, O_NONBLOCK));
	ASSERT_EQ(0, self->a->read(&cb));
	EXPECT_FAILED(&cb, EAGAIN);
}

TEST_F(aio, what_waits_for_data_is_cancelled)
{
	struct aiocb a = block(self->pipe[0], self->buf, 1, 0);
	struct aiocb b = block(self->pipe[0], self->buf + 1, 1, 0);
	char c;

	/* The C library's thread is in read(2) by then. */
	if (!self->a->is_facade)
		return;
	ASSERT_EQ(0, self->a->read(&a));
	ASSERT_EQ(0, self->a->read(&b));
	EXPECT_EQ(AIO_CANCELED, self->a->cancel(self->pipe[0], &a));
	EXPECT_EQ(ECANCELED, self->a->error(&a));
	EXPECT_EQ(EINPROGRESS, self->a->error(&b));
	EXPECT_EQ(AIO_CANCELED, self->a->cancel(self->pipe[0], NULL));
	EXPECT_EQ(ECANCELED, self->a->error(&b));
	ASSERT_EQ(1, write(self->pipe[1], "x", 1));
	EXPECT_EQ(1, read(self->pipe[0], &c, 1));
}

/* One whose descriptor is closed meanwhile ends, if late. */
TEST_F(aio, the_descriptor_is_closed)
{
	struct aiocb cb = block(self->pipe[0], self->buf, 1, 0);

	if (!self->a->is_facade)
		return;
	ASSERT_EQ(0, self->a->read(&cb));
	EXPECT_EQ(EINPROGRESS, self->a->error(&cb));
	close(self->pipe[0]);
	EXPECT_EQ(EBADF, ended(self->a, &cb));
	self->pipe[0] = -1;
}

TEST_F(aio, files_that_nobody_waits_for)
{
	int zero = open("/dev/zero", O_RDWR), proc = open("/proc/self/comm", O_RDONLY);
	struct aiocb cb = block(zero, self->buf, 10, 0);

	ASSERT_EQ(0, self->a->read(&cb));
	EXPECT_DONE(&cb, 10);
	EXPECT_EQ(0, self->buf[9]);
	ASSERT_EQ(0, self->a->write(&cb));
	EXPECT_DONE(&cb, 10);
	cb.aio_fildes = proc;
	cb.aio_offset = 4;
	ASSERT_EQ(0, self->a->read(&cb));
	EXPECT_EQ(0, ended(self->a, &cb));
	EXPECT_EQ(0, memcmp("posix", self->buf, 5));
	close(zero);
	close(proc);
}

TEST_F(aio, a_terminal_is_read)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
	struct aiocb cb;

	ASSERT_LE(0, master);
	ASSERT_EQ(0, grantpt(master));
	ASSERT_EQ(0, unlockpt(master));
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	ASSERT_LE(0, slave);
	cb = block(slave, self->buf, BUF_SIZE, 0);
	ASSERT_EQ(0, self->a->read(&cb));
	EXPECT_EQ(EINPROGRESS, self->a->error(&cb));
	ASSERT_EQ(3, write(master, "ab\n", 3));
	EXPECT_DONE(&cb, 3);
	EXPECT_EQ(0, memcmp(self->buf, "ab\n", 3));
	close(slave);
	close(master);
}

TEST_HARNESS_MAIN

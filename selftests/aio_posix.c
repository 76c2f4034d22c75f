// SPDX-License-Identifier: GPL-2.0-only
/* The operations of <aio.h>, their results and errors, and lists of them. */
#include <sys/resource.h>

#include "aio_posix.h"

TEST_F(aio, write_and_read_at_an_offset)
{
	struct aiocb w = block(self->fd, "hello", 5, 10), r = block(self->fd, self->buf, 64, 8);

	ASSERT_EQ(0, self->a->write(&w));
	EXPECT_DONE(&w, 5);
	ASSERT_EQ(0, self->a->read(&r));
	EXPECT_DONE(&r, 7);
	EXPECT_EQ(0, memcmp(self->buf, "\0\0hello", 7));
	/* Nothing is there, and the position of the file is where it was. */
	r.aio_offset = 100;
	ASSERT_EQ(0, self->a->read(&r));
	EXPECT_DONE(&r, 0);
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_CUR));
}

TEST_F(aio, of_no_bytes)
{
	struct aiocb w = block(self->fd, NULL, 0, 0);

	ASSERT_EQ(0, self->a->write(&w));
	EXPECT_DONE(&w, 0);
	ASSERT_EQ(0, self->a->read(&w));
	EXPECT_DONE(&w, 0);
}

TEST_F(aio, the_control_block_is_not_changed)
{
	struct aiocb cb = slow_block(&self->slow, 0), was = cb;

	ASSERT_EQ(0, self->a->read(&cb));
	ASSERT_EQ(0, slow_started(&self->slow));
	EXPECT_EQ(EINPROGRESS, self->a->error(&cb));
	EXPECT_EQ(was.aio_fildes, cb.aio_fildes);
	EXPECT_EQ(was.aio_buf, cb.aio_buf);
	EXPECT_EQ(was.aio_nbytes, cb.aio_nbytes);
	EXPECT_EQ(was.aio_offset, cb.aio_offset);
	EXPECT_EQ(0, memcmp(&was.aio_sigevent, &cb.aio_sigevent, sizeof(was.aio_sigevent)));
	ASSERT_EQ(0, slow_finish(&self->slow, 0));
	EXPECT_DONE(&cb, SLOW_PAGE);
}

TEST_F(aio, a_status_is_returned_once)
{
	struct aiocb cb = block(self->fd, "x", 1, 0), copy;

	if (!self->a->is_facade)
		return;
	ASSERT_EQ(0, self->a->write(&cb));
	EXPECT_EQ(0, ended(self->a, &cb));
	EXPECT_EQ(0, self->a->error(&cb));
	copy = cb;
	EXPECT_EQ(1, self->a->ret(&cb));
	EXPECT_EQ(-1, self->a->ret(&cb));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, self->a->error(&cb));
	EXPECT_EQ(EINVAL, errno);
	/* It belongs to the address. */
	EXPECT_EQ(-1, self->a->ret(&copy));
	EXPECT_EQ(-1, self->a->error(&copy));
	memset(&cb, 0, sizeof(cb));
	EXPECT_EQ(-1, self->a->error(&cb));
}

TEST_F(aio, errors)
{
	int rd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct aiocb cb = block(-1, self->buf, 1, 0);

	EXPECT_EQ(EBADF, error_of(self->a, self->a->read, &cb));
	EXPECT_EQ(EBADF, error_of(self->a, self->a->write, &cb));
	cb.aio_fildes = 1000000;
	EXPECT_EQ(EBADF, error_of(self->a, self->a->read, &cb));
	cb.aio_fildes = rd;
	EXPECT_EQ(EBADF, error_of(self->a, self->a->write, &cb));
	EXPECT_EQ(0, error_of(self->a, self->a->read, &cb));
	cb.aio_fildes = self->fd;
	cb.aio_offset = -1;
	EXPECT_EQ(EINVAL, error_of(self->a, self->a->read, &cb));
	EXPECT_EQ(EINVAL, error_of(self->a, self->a->write, &cb));
	cb.aio_offset = 0;
	cb.aio_reqprio = -1;
	EXPECT_EQ(EINVAL, error_of(self->a, self->a->read, &cb));
	cb.aio_reqprio = sysconf(_SC_AIO_PRIO_DELTA_MAX) + 1;
	EXPECT_EQ(EINVAL, error_of(self->a, self->a->write, &cb));
	cb.aio_reqprio = sysconf(_SC_AIO_PRIO_DELTA_MAX);
	EXPECT_EQ(0, error_of(self->a, self->a->write, &cb));
	cb.aio_reqprio = 0;
	cb.aio_buf = NULL;
	EXPECT_EQ(EFAULT, error_of(self->a, self->a->write, &cb));
	if (self->a->is_facade) {
		cb.aio_nbytes = SIZE_MAX;
		EXPECT_EQ(EINVAL, error_of(self->a, self->a->read, &cb));
	}
	close(rd);
}

TEST_F(aio, fsync_and_its_errors)
{
	struct aiocb cb = block(self->fd, NULL, 0, 0);

	ASSERT_EQ(0, self->a->fsync(O_SYNC, &cb));
	EXPECT_DONE(&cb, 0);
	ASSERT_EQ(0, self->a->fsync(O_DSYNC, &cb));
	EXPECT_DONE(&cb, 0);
	EXPECT_EQ(-1, self->a->fsync(O_RDONLY, &cb));
	EXPECT_EQ(EINVAL, errno);
	cb.aio_fildes = -1;
	EXPECT_EQ(-1, self->a->fsync(O_SYNC, &cb));
	EXPECT_EQ(EBADF, errno);
	cb.aio_fildes = self->pipe[0];
	if (!self->a->fsync(O_SYNC, &cb))
		errno = ended(self->a, &cb);
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(aio, more_than_the_file_may_be)
{
	struct rlimit limit = { .rlim_cur = 100, .rlim_max = 100 };
	struct aiocb cb = block(self->fd, self->buf, 10, 95);

	signal(SIGXFSZ, SIG_IGN);
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
	EXPECT_EQ(0, error_of(self->a, self->a->write, &cb));
	EXPECT_EQ(5, self->a->ret(&cb));
	cb.aio_offset = 100;
	EXPECT_EQ(EFBIG, error_of(self->a, self->a->write, &cb));
}

TEST_F(aio, what_is_appended_comes_in_order)
{
	struct aiocb cb[200];
	char all[200 * 4 + 1] = "", text[200][8];
	int i;

	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_APPEND));
	for (i = 0; i < 200; i++) {
		snprintf(text[i], sizeof(text[i]), "%03d,", i);
		cb[i] = block(self->fd, text[i], 4, 0);
		ASSERT_EQ(0, self->a->write(&cb[i]));
	}
	for (i = 0; i < 200; i++)
		EXPECT_DONE(&cb[i], 4);
	EXPECT_EQ(800, pread(self->fd, all, sizeof(all), 0));
	for (i = 0; i < 200; i++)
		EXPECT_EQ(0, memcmp(all + 4 * i, text[i], 4));
}

TEST_F(aio, a_list_is_waited_for)
{
	struct aiocb r = slow_block(&self->slow, 0), w = block(self->fd, "abc", 3, 0);
	struct aiocb nop = block(-1, NULL, 0, 0);
	struct aiocb *list[] = { &w, NULL, &nop, &r };

	w.aio_lio_opcode = LIO_WRITE;
	r.aio_lio_opcode = LIO_READ;
	nop.aio_lio_opcode = LIO_NOP;
	ASSERT_EQ(0, slow_finish(&self->slow, 0));
	ASSERT_EQ(0, self->a->listio(LIO_WAIT, list, 4, NULL));
	EXPECT_EQ(0, self->a->error(&w));
	EXPECT_EQ(3, self->a->ret(&w));
	EXPECT_EQ(0, self->a->error(&r));
	EXPECT_EQ(SLOW_PAGE, self->a->ret(&r));
	EXPECT_EQ(0, self->a->listio(LIO_WAIT, list, 0, NULL));
}

TEST_F(aio, a_list_is_not_waited_for)
{
	struct aiocb r = slow_block(&self->slow, 0), w = block(self->fd, "abc", 3, 0);
	struct aiocb *list[] = { &r, &w };

	w.aio_lio_opcode = LIO_WRITE;
	r.aio_lio_opcode = LIO_READ;
	ASSERT_EQ(0, self->a->listio(LIO_NOWAIT, list, 2, NULL));
	ASSERT_EQ(0, slow_started(&self->slow));
	EXPECT_EQ(EINPROGRESS, self->a->error(&r));
	EXPECT_DONE(&w, 3);
	ASSERT_EQ(0, slow_finish(&self->slow, 0));
	EXPECT_DONE(&r, SLOW_PAGE);
}

TEST_F(aio, one_of_a_list_fails)
{
	struct aiocb bad = block(-1, NULL, 0, 0), w = block(self->fd, "abc", 3, 0);
	struct aiocb *list[] = { &bad, &w };

	w.aio_lio_opcode = LIO_WRITE;
	bad.aio_lio_opcode = LIO_READ;
	EXPECT_EQ(-1, self->a->listio(LIO_WAIT, list, 2, NULL));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(EBADF, self->a->error(&bad));
	EXPECT_EQ(-1, self->a->ret(&bad));
	EXPECT_DONE(&w, 3);
	bad.aio_lio_opcode = 77;
	EXPECT_EQ(-1, self->a->listio(LIO_WAIT, list, 2, NULL));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(EINVAL, self->a->error(&bad));
	EXPECT_DONE(&w, 3);
}

TEST_F(aio, lists_that_are_none)
{
	struct aiocb w = block(self->fd, "abc", 3, 0);
	struct aiocb *list[] = { &w };

	w.aio_lio_opcode = LIO_WRITE;
	EXPECT_EQ(-1, self->a->listio(77, list, 1, NULL));
	EXPECT_EQ(EINVAL, errno);
	if (!self->a->is_facade)
		return;
	EXPECT_EQ(-1, self->a->listio(LIO_WAIT, list, -1, NULL));
	EXPECT_EQ(EINVAL, errno);
}

/* More than the ring has room for, and than one submission of the library. */
TEST_F(aio, a_long_list)
{
	enum { N = 3000 };
	struct aiocb *cb = calloc(N, sizeof(*cb)), **list = calloc(N, sizeof(*list));
	char *in = malloc(N), *out = calloc(1, N);
	int i;

	for (i = 0; i < N; i++) {
		in[i] = i * 7;
		cb[i] = block(self->fd, in + i, 1, i);
		cb[i].aio_lio_opcode = LIO_WRITE;
		list[i] = &cb[i];
	}
	ASSERT_EQ(0, self->a->listio(LIO_WAIT, list, N, NULL));
	for (i = 0; i < N; i++) {
		ASSERT_EQ(1, self->a->ret(&cb[i]));
		cb[i] = block(self->fd, out + i, 1, i);
		cb[i].aio_lio_opcode = LIO_READ;
	}
	ASSERT_EQ(0, self->a->listio(LIO_NOWAIT, list, N, NULL));
	for (i = N - 1; i >= 0; i--)
		EXPECT_DONE(&cb[i], 1);
	EXPECT_EQ(0, memcmp(in, out, N));
}

/* Nobody asks for their ends, but for that of the last. */
TEST_F(aio, many_that_are_not_looked_after)
{
	enum { N = 5000 };
	struct aiocb *cb = calloc(N, sizeof(*cb));
	int i;

	for (i = 0; i < N; i++) {
		cb[i] = block(self->fd, self->buf, 1, i);
		ASSERT_EQ(0, self->a->write(&cb[i]));
	}
	for (i = N - 1; i >= 0; i--)
		EXPECT_DONE(&cb[i], 1);
}

TEST_HARNESS_MAIN

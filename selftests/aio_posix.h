/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * <aio.h> twice: the C library's, and that of /dev/ioevq (tools/compat/aio), whose functions
 * are renamed for these tests. They are written once and run on both: what they expect is
 * what POSIX says, and where the C library says something else only ours is asked.
 */
#ifndef IOEVQ_AIO_POSIX_H
#define IOEVQ_AIO_POSIX_H

#include <aio.h>
#include <dirent.h>

#include "slow_io.h"
#include "../tools/compat/aio/ioevq-aio.h"

#define BUF_SIZE	64

struct aio_calls {
	int (*read)(struct aiocb *cb);
	int (*write)(struct aiocb *cb);
	int (*fsync)(int op, struct aiocb *cb);
	int (*error)(const struct aiocb *cb);
	ssize_t (*ret)(struct aiocb *cb);
	int (*suspend)(const struct aiocb *const list[], int nent,
		       const struct timespec *timeout);
	int (*cancel)(int fd, struct aiocb *cb);
	int (*listio)(int mode, struct aiocb *const list[], int nent, struct sigevent *ev);
	bool is_facade;
};

int facade_aio_read(struct aiocb *cb);
int facade_aio_write(struct aiocb *cb);
int facade_aio_fsync(int op, struct aiocb *cb);
int facade_aio_error(const struct aiocb *cb);
ssize_t facade_aio_return(struct aiocb *cb);
int facade_aio_suspend(const struct aiocb *const list[], int nent,
		       const struct timespec *timeout);
int facade_aio_cancel(int fd, struct aiocb *cb);
int facade_lio_listio(int mode, struct aiocb *const list[], int nent, struct sigevent *ev);

static const struct aio_calls libc_calls = {
	aio_read, aio_write, aio_fsync, aio_error, aio_return, aio_suspend, aio_cancel,
	lio_listio, false,
};

static const struct aio_calls facade_calls = {
	facade_aio_read, facade_aio_write, facade_aio_fsync, facade_aio_error,
	facade_aio_return, facade_aio_suspend, facade_aio_cancel, facade_lio_listio, true,
};

/* @fd: a file; @slow: one whose I/O takes as long as we want; @pipe */
FIXTURE(aio)
{
	const struct aio_calls *a;
	int fd;
	struct slow_io slow;
	int pipe[2];
	char buf[BUF_SIZE];
};

FIXTURE_VARIANT(aio)
{
	const struct aio_calls *a;
};

FIXTURE_VARIANT_ADD(aio, libc) { .a = &libc_calls };
FIXTURE_VARIANT_ADD(aio, ioevq) { .a = &facade_calls };

FIXTURE_SETUP(aio)
{
	self->a = variant->a;
	self->fd = memfd_create("file", MFD_CLOEXEC);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, slow_make(&self->slow));
	ASSERT_EQ(0, pipe(self->pipe));
	memset(self->buf, 'x', BUF_SIZE);
}

FIXTURE_TEARDOWN(aio)
{
	unsigned int i;

	/* Whatever a test that failed has left is to end. */
	for (i = 0; i < SLOW_PAGES; i++)
		slow_finish(&self->slow, i);
	close(self->fd);
	close(self->pipe[0]);
	close(self->pipe[1]);
}

static inline struct aiocb block(int fd, void *buf, size_t len, off_t off)
{
	struct aiocb cb = {
		.aio_fildes = fd, .aio_buf = buf, .aio_nbytes = len, .aio_offset = off,
		.aio_sigevent.sigev_notify = SIGEV_NONE,
	};

	return cb;
}

/* I/O that ends when slow_finish() says so. */
static inline struct aiocb slow_block(const struct slow_io *s, unsigned int i)
{
	return block(s->file, s->pages + i * SLOW_PAGE, SLOW_PAGE, 0);
}

/* Wait for its end: its error, EINPROGRESS if that is too long in coming. */
static inline int ended(const struct aio_calls *a, const struct aiocb *cb)
{
	const struct aiocb *list[] = { cb };
	struct timespec bound = { .tv_sec = BOUND_NS / 1000000000 };

	while (a->suspend(list, 1, &bound) && errno == EINTR)
		;
	return a->error(cb);
}

/* It ended well, with @_res. */
#define EXPECT_DONE(_cb, _res)						\
do {									\
	EXPECT_EQ(0, ended(self->a, _cb));				\
	EXPECT_EQ(_res, self->a->ret(_cb));				\
} while (0)

#define EXPECT_FAILED(_cb, _err)					\
do {									\
	EXPECT_EQ(_err, ended(self->a, _cb));				\
	EXPECT_EQ(-1, self->a->ret(_cb));				\
} while (0)

/* A call that may fail now or by aio_error(). */
static inline int error_of(const struct aio_calls *a, int (*call)(struct aiocb *cb),
			   struct aiocb *cb)
{
	if (call(cb))
		return errno;
	return ended(a, cb);
}

/* Threads of this process. */
static inline int threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	int n = -2;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static inline void notify_by_signal(struct sigevent *ev, int signo, int value)
{
	ev->sigev_notify = SIGEV_SIGNAL;
	ev->sigev_signo = signo;
	ev->sigev_value.sival_int = value;
}

/* The next signal of this number: its value, or -1. */
static inline int next_signal(int signo, siginfo_t *info)
{
	struct timespec bound = { .tv_sec = BOUND_NS / 1000000000 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	return sigtimedwait(&set, info, &bound) == signo ? info->si_value.sival_int : -1;
}

static inline void block_signal(int signo)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

#endif

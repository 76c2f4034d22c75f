// SPDX-License-Identifier: MIT
/* epoll_create(2): a queue, or the kernel's own epoll where there is none to be had. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "facade.h"

#define DEVICE		"/dev/ioevq"

/* More than that wait in the kernel outside of the ring. */
#define ENTRIES		256

#define OPS		(1U << IOEVQ_OP_POLL | 1U << IOEVQ_OP_POLL_MOD | 1U << IOEVQ_OP_CANCEL)

int facade_ioctl(int fd, unsigned long cmd, void *arg)
{
	int saved = errno, ret = ioctl(fd, cmd, arg);

	if (ret < 0) {
		ret = -errno;
		errno = saved;
	}
	return ret;
}

bool facade_is_set(int fd)
{
	struct ioevq_info info = { .size = sizeof(info), .op = IOEVQ_OP_NOP };

	return !facade_ioctl(fd, IOEVQ_IOC_INFO, &info);
}

static int setup(int fd)
{
	struct ioevq_info info = { .size = sizeof(info), .op = IOEVQ_OP_NOP };
	struct ioevq_setup setup = { .size = sizeof(setup), .entries = ENTRIES, .ops = OPS };
	int err = facade_ioctl(fd, IOEVQ_IOC_INFO, &info);

	if (!err && !(info.features & IOEVQ_FEAT_CLOSE_HOOK))
		err = -EOPNOTSUPP;
	if (err)
		return err;
	err = facade_ioctl(fd, IOEVQ_IOC_SETUP, &setup);
	/* The module may have been told that so many are too many. */
	if (err == -EINVAL) {
		setup.entries = 0;
		err = facade_ioctl(fd, IOEVQ_IOC_SETUP, &setup);
	}
	return err;
}

/* Not by open(3), which is a point of cancellation, and perhaps somebody else's, too. */
static int open_set(int flags)
{
	int saved = errno, fd, err;

	fd = (int)syscall(SYS_openat, AT_FDCWD, DEVICE, O_RDWR | flags, 0);
	if (fd < 0) {
		err = -errno;
		errno = saved;
		return err;
	}
	err = setup(fd);
	if (!err)
		return fd;
	syscall(SYS_close, fd);
	return err;
}

static void add(struct iovec *iov, const char *s)
{
	iov->iov_base = (char *)s;
	iov->iov_len = strlen(s);
}

/* Once: who asked for queues shall know that these are none. */
static void say_that_we_fall_back(int err)
{
	const char *why = strerrordesc_np(-err);
	static bool said;
	struct iovec iov[4];
	int saved = errno;

	if (__atomic_exchange_n(&said, true, __ATOMIC_RELAXED))
		return;
	add(&iov[0], "ioevq: " DEVICE ": ");
	add(&iov[1], why ? why : "cannot be used");
	add(&iov[2], ": epoll sets are the kernel's own");
	add(&iov[3], "\n");
	if (writev(STDERR_FILENO, iov, 4) < 0)
		errno = saved;
}

EXPORT int epoll_create1(int flags)
{
	int fd;

	if (flags & ~EPOLL_CLOEXEC) {
		errno = EINVAL;
		return -1;
	}
	fd = open_set(flags);
	if (fd >= 0)
		return fd;
	if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM) {
		errno = -fd;
		return -1;
	}
	say_that_we_fall_back(fd);
	return (int)syscall(SYS_epoll_create1, flags);
}

EXPORT int epoll_create(int size)
{
	if (size <= 0) {
		errno = EINVAL;
		return -1;
	}
	return epoll_create1(0);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Files of all kinds that a request can be about; none of them ever blocks its user. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "fuzz.h"

/* The first ones are made most often, see value_of(); the very first three are queues. */
const char *const what_names[NR_WHAT + 1] = {
	"queue", "queue_ro", "queue_wo", "pipe", "stream", "eventfd", "file", "block", "direct",
	"tcp", "ext4", "dgram",
	"seqpacket", "fifo", "listen", "udp", "pty", "epoll", "timerfd", "signalfd", "pidfd",
	"inotify", "memfd", "null", "zero", "random", "dir", "proc", "path", "append", "uffd",
	"uring", "messages", "sync", "ext4_direct", NULL
};

enum {
	QUEUE, QUEUE_RO, QUEUE_WO, PIPE, STREAM, EVENTFD, FILE_, BLOCK, DIRECT, TCP, EXT4, DGRAM,
	SEQPACKET, FIFO, LISTEN, UDP, PTY, EPOLL, TIMERFD, SIGNALFD, PIDFD, INOTIFY, MEMFD, NULL_,
	ZERO, RANDOM, DIR_, PROC, PATH, APPEND, UFFD, URING, MESSAGES, SYNC, EXT4_DIRECT
};

static void put(unsigned int slot, int fd)
{
	if (fd >= 0)
		slots[slot % MAX_SLOTS] = fd;
}

static void put_two(unsigned int slot, const int *fds)
{
	put(slot, fds[0]);
	put(slot + 1, fds[1]);
}

static struct sockaddr_in loopback(void)
{
	return (struct sockaddr_in) {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static void make_tcp(unsigned int slot)
{
	struct sockaddr_in at = loopback();
	const struct linger linger = { .l_onoff = 1 };
	socklen_t len = sizeof(at);
	int listener, fds[2];

	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (!bind(listener, (struct sockaddr *)&at, len) && !listen(listener, 1) &&
	    !getsockname(listener, (struct sockaddr *)&at, &len)) {
		fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fds[0], (struct sockaddr *)&at, len);
		fds[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
		/* No TIME_WAIT: ports would run out. */
		setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		put_two(slot, fds);
	}
	close(listener);
}

static int make_socket(int type, bool listening)
{
	struct sockaddr_in at = loopback();
	int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);

	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || (listening && listen(fd, 1))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void make_fifo(unsigned int slot)
{
	char path[64];
	int fds[2];

	snprintf(path, sizeof(path), "/tmp/fuzz.fifo.%d", getpid());
	mkfifo(path, 0600);
	fds[0] = open(path, O_RDWR | O_NONBLOCK);
	fds[1] = open(path, O_WRONLY | O_NONBLOCK);
	unlink(path);
	put_two(slot, fds);
}

static int make_timerfd(void)
{
	const struct itimerspec it = { .it_value.tv_nsec = 300000, .it_interval.tv_nsec = 900000 };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);

	timerfd_settime(fd, 0, &it, NULL);
	return fd;
}

static int make_signalfd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	return signalfd(-1, &set, SFD_NONBLOCK);
}

/* With something in it to be read. */
static int make_file(const char *dir, int flags)
{
	static const char text[5000];
	int fd = open(dir, O_TMPFILE | O_RDWR | (flags & ~O_DIRECT), 0600);

	if (fd < 0)
		return -1;
	if (write(fd, text, sizeof(text)) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
	    ((flags & O_DIRECT) && fcntl(fd, F_SETFL, O_DIRECT)))
		fcntl(fd, F_GETFD);
	return fd;
}

static int make_uring(void)
{
	struct io_uring_params p = { .flags = 0 };

	return syscall(SYS_io_uring_setup, 4, &p);
}

void file_make(unsigned int slot, unsigned int what, uint64_t arg)
{
	int fds[2] = { -1, -1 };

	switch (what) {
	case QUEUE:
		put(slot, open("/dev/ioevq", O_RDWR | O_CLOEXEC));
		break;
	case QUEUE_RO:
		put(slot, open("/dev/ioevq", O_RDONLY | O_CLOEXEC));
		break;
	case QUEUE_WO:
		put(slot, open("/dev/ioevq", O_WRONLY));
		break;
	case PIPE:
		if (!pipe2(fds, O_NONBLOCK))
			put_two(slot, fds);
		break;
	case STREAM: case DGRAM: case SEQPACKET:
		if (!socketpair(AF_UNIX, (what == STREAM ? SOCK_STREAM : what == DGRAM ?
					  SOCK_DGRAM : SOCK_SEQPACKET) | SOCK_NONBLOCK, 0, fds))
			put_two(slot, fds);
		break;
	case EVENTFD:
		put(slot, eventfd(arg % 3, EFD_NONBLOCK | (arg & 4 ? EFD_SEMAPHORE : 0)));
			break;
	case FILE_:
		put(slot, make_file("/tmp", 0));
		break;
	case APPEND:
		put(slot, make_file("/tmp", O_APPEND));
		break;
	case SYNC:
		put(slot, make_file("/tmp", O_DSYNC));
		break;
	case EXT4:
		put(slot, make_file("/tmp/fuzz.ext4", 0));
		break;
	case EXT4_DIRECT:
		put(slot, make_file("/tmp/fuzz.ext4", O_DIRECT));
		break;
	case BLOCK:
		put(slot, open("/dev/ram0", O_RDWR));
		break;
	case DIRECT:
		put(slot, open("/dev/ram0", O_RDWR | O_DIRECT));
		break;
	case TCP:
		make_tcp(slot);
		break;
	case FIFO:
		make_fifo(slot);
		break;
	case LISTEN:
		put(slot, make_socket(SOCK_STREAM, true));
		break;
	case UDP:
		put(slot, make_socket(SOCK_DGRAM, false));
		break;
	case PTY:
		if (!openpty(&fds[0], &fds[1], NULL, NULL, NULL)) {
			fcntl(fds[0], F_SETFL, O_NONBLOCK);
			fcntl(fds[1], F_SETFL, O_NONBLOCK);
			put_two(slot, fds);
		}
		break;
	case EPOLL:
		put(slot, epoll_create1(0));
		break;
	case TIMERFD:
		put(slot, make_timerfd());
		break;
	case SIGNALFD:
		put(slot, make_signalfd());
		break;
	case PIDFD:
		put(slot, syscall(SYS_pidfd_open, arg % 2 ? getpid() : getppid(), 0));
		break;
	case INOTIFY:
		put(slot, inotify_init1(IN_NONBLOCK));
		break;
	case MEMFD:
		put(slot, memfd_create("fuzz", 0));
		break;
	case NULL_:
		put(slot, open("/dev/null", O_RDWR));
		break;
	case ZERO:
		put(slot, open("/dev/zero", O_RDWR));
		break;
	case RANDOM:
		put(slot, open("/dev/urandom", O_RDONLY));
		break;
	case DIR_:
		put(slot, open("/tmp", O_RDONLY | O_DIRECTORY));
		break;
	case PROC:
		put(slot, open(arg % 2 ? "/proc/self/mounts" : "/proc/self/stat", O_RDONLY));
			break;
	case PATH:
		put(slot, open("/tmp", O_PATH));
		break;
	case UFFD:
		put(slot, syscall(SYS_userfaultfd, O_NONBLOCK));
		break;
	case URING:
		put(slot, make_uring());
		break;
	case MESSAGES:
		put(slot, open("/dev/kmsg", O_RDONLY | O_NONBLOCK));
		break;
	}
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that can be watched and are not sockets; see kinds.h. */
#ifndef IOEVQ_KINDS_FILE_H
#define IOEVQ_KINDS_FILE_H

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "ioevq_test.h"

#define KIND_WAIT_MS	(BOUND_NS / 1000000)

struct thing {
	int fd;			/* what is watched */
	int peer;		/* the other end; -1: there is none */
	int aux;		/* a third file; -1: there is none */
	unsigned int port;	/* address of fd, or of netlink */
	pid_t pid;		/* a child; 0: there is none */
	char path[64];		/* to be removed; "": nothing */
};

/*
 * @mask: to watch; what @rouse makes ready. All functions return 0 on success.
 * @rouse: returns when the kernel has delivered the wake-up
 * @drain: NULL: once ready, always ready
 * @gone: fd was closed: 0 if this took effect; NULL: nobody else can tell
 */
struct kind {
	unsigned int mask;
	int (*make)(struct thing *t);
	int (*rouse)(struct thing *t);
	int (*drain)(struct thing *t);
	int (*gone)(struct thing *t);
};

static inline int kind_poll(int fd, short mask)
{
	struct pollfd p = { .fd = fd, .events = mask };

	return poll(&p, 1, KIND_WAIT_MS) == 1 ? p.revents : 0;
}

static inline int kind_drain_fd(int fd)
{
	char buf[4096];

	while (read(fd, buf, sizeof(buf)) > 0)
		;
	return errno == EAGAIN ? 0 : -1;
}

static inline int kind_drain(struct thing *t)
{
	return kind_drain_fd(t->fd);
}

static inline int kind_write_peer(struct thing *t)
{
	return write(t->peer, "x", 1) == 1 ? 0 : -1;
}

/* Bytes may arrive in another context; FIONREAD takes the lock of the arrival. */
static inline int kind_write_peer_arrived(struct thing *t)
{
	int before = 0, now = 0, i;

	if (ioctl(t->fd, FIONREAD, &before) || kind_write_peer(t))
		return -1;
	for (i = 0; i < 1000 * 1000 && now <= before; i++) {
		if (ioctl(t->fd, FIONREAD, &now))
			return -1;
		sched_yield();
	}
	return now > before ? 0 : -1;
}

static inline int kind_peer_hup(struct thing *t)
{
	return kind_poll(t->peer, 0) & (POLLHUP | POLLERR) ? 0 : -1;
}

/* End of file, behind whatever was sent before. */
static inline int kind_peer_eof(struct thing *t)
{
	char buf[4096];
	ssize_t n;

	do {
		if (!kind_poll(t->peer, POLLIN))
			return -1;
		n = read(t->peer, buf, sizeof(buf));
	} while (n > 0);
	return !n || errno == ECONNRESET ? 0 : -1;
}

static inline int make_eventfd(struct thing *t)
{
	t->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return t->fd < 0;
}

static inline int rouse_eventfd(struct thing *t)
{
	return eventfd_write(t->fd, 1);
}

static inline int make_timerfd(struct thing *t)
{
	t->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	return t->fd < 0;
}

static inline int rouse_timerfd(struct thing *t)
{
	struct itimerspec its = { .it_value.tv_nsec = 1 };

	if (timerfd_settime(t->fd, 0, &its, NULL))
		return -1;
	return kind_poll(t->fd, POLLIN) ? 0 : -1;
}

static inline int make_signalfd(struct thing *t)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -1;
	t->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return t->fd < 0;
}

static inline int rouse_signalfd(struct thing *t)
{
	(void)t;
	return kill(getpid(), SIGRTMIN);
}

/* A child that does nothing, and has nothing of ours. It ends with us. */
static inline pid_t sleeper(void)
{
	pid_t parent = getpid(), pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* We may have ended before it could ask. */
		if (getppid() != parent)
			raise(SIGKILL);
		execlp("sleep", "sleep", "100000", NULL);
		_exit(127);
	}
	return pid;
}

static inline int make_pidfd(struct thing *t)
{
	t->pid = sleeper();
	t->fd = syscall(SYS_pidfd_open, t->pid, 0);
	return t->fd < 0;
}

static inline int rouse_pidfd(struct thing *t)
{
	siginfo_t info;

	if (kill(t->pid, SIGKILL))
		return -1;
	return waitid(P_PID, t->pid, &info, WEXITED | WNOWAIT);
}

static inline int make_inotify(struct thing *t)
{
	strcpy(t->path, "/tmp/ioevq-XXXXXX");
	if (!mkdtemp(t->path))
		return -1;
	t->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	return inotify_add_watch(t->fd, t->path, IN_ATTRIB) < 0;
}

static inline int rouse_inotify(struct thing *t)
{
	return chmod(t->path, 0700);
}

static inline int make_pipe(struct thing *t)
{
	int p[2];

	if (pipe2(p, O_NONBLOCK | O_CLOEXEC))
		return -1;
	t->fd = p[0];
	t->peer = p[1];
	return 0;
}

static inline int drain_pipe_write(struct thing *t)
{
	char page[4096] = "";

	while (write(t->fd, page, sizeof(page)) > 0)
		;
	return errno == EAGAIN ? 0 : -1;
}

static inline int make_pipe_write(struct thing *t)
{
	int p[2];

	if (pipe2(p, O_NONBLOCK | O_CLOEXEC))
		return -1;
	t->fd = p[1];
	t->peer = p[0];
	return drain_pipe_write(t);
}

static inline int rouse_pipe_write(struct thing *t)
{
	char page[4096];

	return read(t->peer, page, sizeof(page)) == sizeof(page) ? 0 : -1;
}

static inline int make_fifo_path(struct thing *t)
{
	snprintf(t->path, sizeof(t->path), "/tmp/ioevq-fifo-%d", getpid());
	return mkfifo(t->path, 0600);
}

static inline int make_fifo(struct thing *t)
{
	if (make_fifo_path(t))
		return -1;
	t->fd = open(t->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	t->peer = open(t->path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	return t->fd < 0 || t->peer < 0;
}

/* Readable and writable: two wait queues. */
static inline int make_fifo_rdwr(struct thing *t)
{
	if (make_fifo_path(t))
		return -1;
	t->fd = open(t->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return t->fd < 0;
}

static inline int rouse_fifo_rdwr(struct thing *t)
{
	return write(t->fd, "x", 1) == 1 ? 0 : -1;
}

static inline int make_pty(int *master, int *slave)
{
	struct termios raw;
	int unlock = 0;

	*master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (*master < 0 || ioctl(*master, TIOCSPTLCK, &unlock))
		return -1;
	*slave = ioctl(*master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (*slave < 0 || tcgetattr(*slave, &raw))
		return -1;
	cfmakeraw(&raw);
	return tcsetattr(*slave, TCSANOW, &raw);
}

static inline int make_pty_slave(struct thing *t)
{
	return make_pty(&t->peer, &t->fd);
}

static inline int make_epoll(struct thing *t)
{
	struct epoll_event ev = { .events = EPOLLIN };

	t->fd = epoll_create1(EPOLL_CLOEXEC);
	t->aux = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return epoll_ctl(t->fd, EPOLL_CTL_ADD, t->aux, &ev);
}

static inline int rouse_epoll(struct thing *t)
{
	return eventfd_write(t->aux, 1);
}

static inline int drain_epoll(struct thing *t)
{
	struct epoll_event ev;

	if (kind_drain_fd(t->aux))
		return -1;
	return epoll_wait(t->fd, &ev, 1, 0);
}

static inline int make_mqueue(struct thing *t)
{
	struct mq_attr attr = { .mq_maxmsg = 8, .mq_msgsize = 8 };
	char name[32];

	snprintf(name, sizeof(name), "/ioevq-%d", getpid());
	t->fd = mq_open(name, O_RDWR | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0600, &attr);
	return t->fd < 0 || mq_unlink(name);
}

static inline int rouse_mqueue(struct thing *t)
{
	return mq_send(t->fd, "x", 1, 0);
}

static inline int drain_mqueue(struct thing *t)
{
	char buf[8];

	while (mq_receive(t->fd, buf, sizeof(buf), NULL) >= 0)
		;
	return errno == EAGAIN ? 0 : -1;
}

static inline void thing_end(struct thing *t)
{
	if (t->pid > 0) {
		kill(t->pid, SIGKILL);
		waitpid(t->pid, NULL, 0);
	}
	if (t->fd >= 0)
		close(t->fd);
	if (t->peer >= 0)
		close(t->peer);
	if (t->aux >= 0)
		close(t->aux);
	if (t->path[0])
		remove(t->path);
}

#endif

// SPDX-License-Identifier: MIT
/*
 * Files that have no offset: pipes, sockets, terminals, devices. The queue tells when one is
 * ready, and whoever takes that event does what can be done without waiting. One operation of
 * a kind is under way for a descriptor, and others wait for it: data come and go in the order
 * of the calls, and there is no thread for any of them.
 *
 * The queue's own READ and WRITE of pipes and sockets (IOEVQ_POSITION) would spare little:
 * terminals and devices need all of this, and who waits in the queue with its signals open
 * would get the SIGPIPE of somebody else's write.
 *
 * What cannot be polled does not make one wait: it is done at once.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "facade.h"

#define SIGPIPE_BIT	(1ULL << (SIGPIPE - 1))

static long socket_io(const struct request *r, char *buf, size_t len)
{
	if (r->op == IOEVQ_OP_READ)
		return sys(SYS_recvfrom, r->fd, buf, len, MSG_DONTWAIT, NULL, NULL);
	return sys(SYS_sendto, r->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
}

static long nowait_io(const struct request *r, char *buf, size_t len)
{
	struct iovec iov = { buf, len };

	return sys(r->op == IOEVQ_OP_READ ? SYS_preadv2 : SYS_pwritev2, r->fd, &iov, 1UL, -1L,
		   -1L, RWF_NOWAIT);
}

static bool is_ready(const struct request *r)
{
	struct pollfd p = { .fd = r->fd, .events = r->op == IOEVQ_OP_READ ? POLLIN : POLLOUT };

	return sys(SYS_poll, &p, 1UL, 0) == 1;
}

static bool has_sigpipe(void)
{
	uint64_t pending = 0;

	sys(SYS_rt_sigpending, &pending, sizeof(pending));
	return pending & SIGPIPE_BIT;
}

static void take_sigpipe(void)
{
	static const struct timespec now;
	uint64_t sigpipe = SIGPIPE_BIT;

	sys(SYS_rt_sigtimedwait, &sigpipe, NULL, &now, sizeof(sigpipe));
}

/*
 * Where the kernel has no other way not to wait, so much fits where there is room at all,
 * unless somebody else was faster.
 */
static long plain_io(const struct request *r, char *buf, size_t len, bool may_wait)
{
	if (!may_wait && !is_ready(r))
		return -EAGAIN;
	if (r->op == IOEVQ_OP_READ)
		return sys(SYS_read, r->fd, buf, len);
	if (!may_wait && len > PIPE_BUF)
		len = PIPE_BUF;
	return sys(SYS_write, r->fd, buf, len);
}

static long do_transfer(const struct request *r, bool may_wait)
{
	char *buf = r->buf + r->done;
	size_t len = r->len - r->done;
	long ret;

	if (r->op == IOEVQ_OP_READ)
		ret = sys(SYS_pread64, r->fd, buf, len, r->off);
	else
		ret = sys(SYS_pwrite64, r->fd, buf, len, r->off + (int64_t)r->done);
	if (ret != -ESPIPE)
		return ret;
	if (!may_wait) {
		ret = socket_io(r, buf, len);
		if (ret == -ENOTSOCK)
			ret = nowait_io(r, buf, len);
		if (ret != -EOPNOTSUPP)
			return ret;
	}
	return plain_io(r, buf, len, may_wait);
}

/* A broken pipe is an error of the operation, and no signal to whoever took the event. */
static long transfer(const struct request *r, bool may_wait)
{
	bool had = r->op == IOEVQ_OP_WRITE && has_sigpipe();
	long ret = do_transfer(r, may_wait);

	if (ret == -EPIPE && !had)
		take_sigpipe();
	return ret;
}

static int arm(struct world *w, struct request *r)
{
	struct ioevq_req req;
	unsigned int accepted;

	ioevq_prep_poll(&req, r->fd, r->op == IOEVQ_OP_READ ? POLLIN : POLLOUT,
			IOEVQ_POLL_ONESHOT, (uintptr_t)r);
	r->state = POLLING;
	w->wants_helper = true;
	return queue_submit(w, &req, 1, &accepted);
}

static bool is_nonblocking(int fd)
{
	long flags = sys(SYS_fcntl, fd, F_GETFL);

	return flags > 0 && flags & O_NONBLOCK;
}

/* 0, also if it has ended, or a negative errno. */
int stream_start(struct world *w, struct request *r)
{
	struct request **running;
	int err;

	if (r->op == IOEVQ_OP_FSYNC) {
		err = (int)sys(r->datasync ? SYS_fdatasync : SYS_fsync, r->fd);
		if (!err)
			request_finish(w, r, 0);
		return err;
	}
	r->serial = r->op == IOEVQ_OP_READ ? SERIAL_READ : SERIAL_WRITE;
	running = &r->rec->running[r->serial];
	if (*running && *running != r) {
		request_hold(w, r);
		return 0;
	}
	*running = r;
	err = is_nonblocking(r->fd) ? -EPERM : arm(w, r);
	switch (err) {
	case 0:
		return 0;
	case -EPERM:
	case -EOPNOTSUPP:
		r->state = QUEUED;
		request_finish(w, r, transfer(r, true));
		return 0;
	case -EDQUOT:
	case -ENOMEM:
		return -EAGAIN;
	default:
		return err;
	}
}

static void stream_end(struct world *w, struct request *r, int64_t res)
{
	request_finish(w, r, res < 0 && r->done ? (int64_t)r->done : res);
}

/* As write(2) that may wait: all of it. */
void stream_ready(struct world *w, struct request *r, const struct ioevq_event *ev)
{
	long ret = ev->flags & IOEVQ_EVENT_CLOSED ? -EBADF : ev->res;
	int err;

	if (ret >= 0)
		ret = transfer(r, false);
	if (ret >= 0) {
		r->done += (size_t)ret;
		if (r->op == IOEVQ_OP_READ || r->done == r->len) {
			request_finish(w, r, (int64_t)r->done);
			return;
		}
	} else if (ret != -EAGAIN) {
		stream_end(w, r, ret);
		return;
	}
	err = arm(w, r);
	if (err)
		stream_end(w, r, err);
}

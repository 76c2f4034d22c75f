// SPDX-License-Identifier: MIT
/*
 * epoll_ctl(2): a watch of a queue.
 *
 * What it answers is for the kernel to say, also where that is epoll's own to refuse:
 * epoll_ctl(2) looks at both descriptors before it finds that the first one is not its
 * own. So it is asked whenever something is wrong, and if that is all it has to say
 * (EINVAL), then the errno is ours.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "facade.h"

/* What poll(2) may tell. Other bits are epoll's own, or are ignored by it. */
#define READY_BITS	(EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDNORM | \
			 EPOLLRDBAND | EPOLLWRNORM | EPOLLWRBAND | EPOLLMSG | EPOLLRDHUP)
#define EXCLUSIVE_BITS	(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | \
			 EPOLLEXCLUSIVE)

/* EP_MAX_NESTS of fs/eventpoll.c: how many sets may be in another, in a row. */
#define MAX_NESTS	4

int facade_submit(int epfd, const struct ioevq_req *req)
{
	struct ioevq_enter enter = {
		.size = sizeof(enter), .reqs = (uintptr_t)req, .nr_reqs = 1,
	};
	int ret;

	/* A signal came while another thread submitted: it has been handled now. */
	do
		ret = facade_ioctl(epfd, IOEVQ_IOC_ENTER, &enter);
	while (ret == -EINTR && !enter.submitted);
	return enter.submitted ? 0 : ret;
}

/* Of the kernel's epoll. It writes nothing for lack of events or of where to. */
static bool is_kernel_set(int fd)
{
	static const struct epoll_event read_only;
	int saved = errno;
	bool is = !syscall(SYS_epoll_pwait, fd, &read_only, 1, 0, NULL, 0) || errno == EFAULT;

	errno = saved;
	return is;
}

/* Would epoll_ctl(2) refuse this, whatever is watched? */
static bool is_invalid(int epfd, int op, int fd, const struct epoll_event *event)
{
	if (op != EPOLL_CTL_ADD && op != EPOLL_CTL_MOD && op != EPOLL_CTL_DEL)
		return true;
	if (epfd == fd)
		return true;
	if (op == EPOLL_CTL_DEL)
		return false;
	if (!event)
		return true;
	if (!(event->events & EPOLLEXCLUSIVE))
		return false;
	return op == EPOLL_CTL_MOD || event->events & ~EXCLUSIVE_BITS || facade_is_set(fd) ||
	       is_kernel_set(fd);
}

static uint32_t mode_of(uint32_t events)
{
	/* The end of a watch is silent. */
	uint32_t mode = IOEVQ_POLL_LEVEL | IOEVQ_POLL_QUIET;

	if (events & EPOLLONESHOT)
		mode |= IOEVQ_POLL_DISPATCH | IOEVQ_POLL_CONFIRM;
	else if (events & EPOLLET)
		mode |= IOEVQ_POLL_EDGE | IOEVQ_POLL_CONFIRM;
	if (events & EPOLLEXCLUSIVE)
		mode |= IOEVQ_POLL_EXCLUSIVE;
	return mode;
}

static int change(int epfd, int op, int fd, const struct epoll_event *event)
{
	struct ioevq_req req = { .fd = fd };

	switch (op) {
	case EPOLL_CTL_ADD:
		req.op = IOEVQ_OP_POLL;
		req.user_data = event->data.u64;
		req.op_arg = event->events & READY_BITS;
		req.op_flags = mode_of(event->events) | IOEVQ_POLL_UNIQUE;
		req.len = MAX_NESTS;
		break;
	case EPOLL_CTL_MOD:
		req.op = IOEVQ_OP_POLL_MOD;
		req.flags = IOEVQ_REQ_SKIP_SUCCESS;
		req.off = event->data.u64;
		req.op_arg = event->events & READY_BITS;
		req.op_flags = mode_of(event->events) | IOEVQ_POLL_MOD_USER_DATA;
		break;
	case EPOLL_CTL_DEL:
		req.op = IOEVQ_OP_CANCEL;
		req.flags = IOEVQ_REQ_SKIP_SUCCESS;
		req.len = IOEVQ_OP_POLL;
		req.op_flags = IOEVQ_CANCEL_FD | IOEVQ_CANCEL_EXACT | IOEVQ_CANCEL_OP;
		break;
	}
	return facade_submit(epfd, &req);
}

static bool same_file(int fd1, int fd2)
{
	int saved = errno;
	pid_t pid = getpid();
	bool same = !syscall(SYS_kcmp, pid, pid, KCMP_FILE, fd1, fd2);

	errno = saved;
	return same;
}

/*
 * The queue says @err, if it is one. Returns 0 if it was none, and the kernel's epoll has
 * done it, or a negative errno.
 */
static int ask_kernel(int epfd, int op, int fd, struct epoll_event *event, int err)
{
	int saved = errno, said;

	if (!syscall(SYS_epoll_ctl, epfd, op, fd, event))
		return 0;
	said = -errno;
	errno = saved;
	if (said != -EINVAL)
		return said;
	/* Both are sockets, say; or one queue by two descriptors. */
	if (err == -ENOTTY || same_file(epfd, fd))
		return -EINVAL;
	return err;
}

static int control(int epfd, int op, int fd, struct epoll_event *event)
{
	int err;

	if (is_invalid(epfd, op, fd, event))
		return ask_kernel(epfd, op, fd, event, -EINVAL);
	err = change(epfd, op, fd, event);
	switch (err) {
	case 0:
	case -EEXIST:
	case -ENOMEM:
		return err;
	/* The limits of queues are another, but the reason is the same. */
	case -EAGAIN:
	case -EDQUOT:
		return -ENOSPC;
	case -EOPNOTSUPP:
		return -EPERM;
	default:
		return ask_kernel(epfd, op, fd, event, err);
	}
}

EXPORT int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	int err = control(epfd, op, fd, event);

	if (!err)
		return 0;
	errno = -err;
	return -1;
}

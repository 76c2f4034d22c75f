// SPDX-License-Identifier: GPL-2.0-only
/* Calls to files that a queue may know of. */
#include <fcntl.h>
#include <linux/ioevq.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "calls.h"

#define MAX_LEN		(MEM_SIZE - MEM_DATA)

static unsigned int slot_of(uint64_t v)
{
	return SYM_INDEX(v) % MAX_SLOTS;
}

static void do_pass(const uint64_t *v)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .header = {
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))
	} };
	struct iovec byte = { .iov_base = "", .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof(control) };
	int fd = resolve_fd(v[0]);

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	if (sendmsg(resolve_fd(v[1]), &msg, MSG_DONTWAIT | MSG_NOSIGNAL) > 0 && (v[2] & 1))
		close(fd);
}

static void do_fetch(const uint64_t *v)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof(control) };
	int fd;

	if (recvmsg(resolve_fd(v[1]), &msg, MSG_DONTWAIT) <= 0 || !CMSG_FIRSTHDR(&msg) ||
	    CMSG_FIRSTHDR(&msg)->cmsg_type != SCM_RIGHTS)
		return;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	slots[slot_of(v[0])] = fd;
}

static void do_dup(const uint64_t *v)
{
	int fd = resolve_fd(v[0]), to = slots[slot_of(v[1])];

	if ((v[2] & 1) && to >= 0)
		dup2(fd, to);
	else
		to = dup(fd);
	if (to >= 0)
		slots[slot_of(v[1])] = to;
}

static void do_fcntl(const uint64_t *v)
{
	static const int flags[] = { O_NONBLOCK, 0, O_NONBLOCK | O_DIRECT, O_NONBLOCK | O_APPEND };

	fcntl(resolve_fd(v[0]), F_SETFL, flags[v[1] % 4]);
}

static void do_epoll(const uint64_t *v)
{
	struct epoll_event ev = { .events = v[3] };

	if (v[1] % 4)
		epoll_ctl(resolve_fd(v[0]), v[1] % 4, resolve_fd(v[2]), &ev);
	else
		epoll_wait(resolve_fd(v[0]), &ev, 1, 0);
}

/* What a queue takes. */
static void make_messages(struct ioevq_event *evs, size_t len)
{
	for (; len >= sizeof(*evs); len -= sizeof(*evs), evs++) {
		evs->op = IOEVQ_OP_POST;
		evs->flags = 0;
	}
}

bool call_file(const struct call *c)
{
	void *data = (void *)(MEM_ADDR + MEM_DATA);
	const uint64_t *v = c->v;
	int fd = resolve_fd(v[0]);
	struct pollfd p = { .fd = fd, .events = v[1] };
	ssize_t n = 0;

	switch (c->kind) {
	case C_MAKE:
		file_make(slot_of(v[0]), v[1], v[2]);
		break;
	case C_READ:
		n = read(fd, data, v[1] < MAX_LEN ? v[1] : MAX_LEN);
		break;
	case C_WRITE:
		if (!(v[1] % sizeof(struct ioevq_event)))
			make_messages(data, v[1] < MAX_LEN ? v[1] : MAX_LEN);
		n = write(fd, data, v[1] < MAX_LEN ? v[1] : MAX_LEN);
		break;
	case C_SHUTDOWN:
		shutdown(fd, v[1] % 3);
		break;
	case C_CLOSE:
		close(fd);
		break;
	case C_DUP:
		do_dup(v);
		break;
	case C_POLL:
		poll(&p, 1, 0);
		break;
	case C_EPOLL:
		do_epoll(v);
		break;
	case C_PASS:
		do_pass(v);
		break;
	case C_FETCH:
		do_fetch(v);
		break;
	case C_SEEK:
		lseek(fd, v[1], SEEK_SET);
		break;
	case C_TRUNCATE:
		n = ftruncate(fd, v[1] % (64 << 20));
		break;
	case C_FCNTL:
		do_fcntl(v);
		break;
	default:
		return false;
	}
	(void)n;
	return true;
}

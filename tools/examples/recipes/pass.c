// SPDX-License-Identifier: MIT
/* A queue that is passed over a socket: who has it posts to it, or takes from it. */
#include "recipe.h"

#include <sys/socket.h>
#include <unistd.h>

static void send_fd(int to, int fd)
{
	union { struct cmsghdr align; char buf[CMSG_SPACE(sizeof(int))]; } u = { 0 };
	struct iovec iov = { "", 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf,
			      .msg_controllen = sizeof(u.buf) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(to, &msg, 0) != 1)
		err(1, "sendmsg");
}

static int receive_fd(int from)
{
	union { struct cmsghdr align; char buf[CMSG_SPACE(sizeof(int))]; } u;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf,
			      .msg_controllen = sizeof(u.buf) };
	int fd;

	if (recvmsg(from, &msg, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&msg))
		err(1, "recvmsg");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

int main(void)
{
	struct ioevq_event ev;
	struct ioevq q;
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s))
		err(1, "socketpair");
	if (!fork()) {
		check("attach", ioevq_attach(&q, receive_fd(s[1])));
		check("post", ioevq_post(&q, 1, 0, 4711));
		_exit(0);
	}
	/* Not before the fork: that it is not inherited is the point. */
	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	send_fd(s[0], q.fd);
	check("wait", ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER));
	printf("the child has sent %llu\n", (unsigned long long)ev.data);
	return 0;
}

// SPDX-License-Identifier: MIT
/* Step 2: a listening socket, watched. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <ioevq.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTENER = 1 };

static int check(const char *what, int ret)
{
	if (ret < 0) {
		fprintf(stderr, "%s: %s\n", what, strerror(-ret));
		exit(1);
	}
	return ret;
}

static int open_listener(const char *port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, SOMAXCONN))
		check(port, -errno);
	return fd;
}

static void greet(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "hello\n", 6) != 6)
		perror("client");
	close(fd);
}

int main(int argc, char **argv)
{
	int listener = open_listener(argc > 1 ? argv[1] : "7000");
	struct ioevq_event ev;
	struct ioevq_req req;
	struct ioevq q;

	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	ioevq_prep_poll(&req, listener, POLLIN, IOEVQ_POLL_LEVEL, LISTENER);
	check("submit", ioevq_submit(&q, &req, 1));
	for (;;) {
		check("wait", ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER));
		if (ev.user_data == LISTENER)
			greet(listener);
	}
}

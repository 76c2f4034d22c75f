// SPDX-License-Identifier: MIT
/* Step 3: an echo server, by READ and WRITE. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <ioevq.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct handler {
	void (*fn)(struct handler *h, const struct ioevq_event *ev);
};

struct client {
	struct handler handler;
	int fd;
	char buf[4096];
};

static struct ioevq q;
static int listener;

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

/* begin of clients */
static void receive(struct client *c)
{
	struct ioevq_req req;

	ioevq_prep_read(&req, c->fd, c->buf, sizeof(c->buf), IOEVQ_POSITION,
			(uintptr_t)&c->handler);
	check("receive", ioevq_submit(&q, &req, 1));
}

static void echo(struct client *c, size_t len)
{
	struct ioevq_req req;

	ioevq_prep_write(&req, c->fd, c->buf, len, IOEVQ_POSITION, (uintptr_t)&c->handler);
	check("send", ioevq_submit(&q, &req, 1));
}

static void on_client(struct handler *h, const struct ioevq_event *ev)
{
	struct client *c = (struct client *)h;

	if (ev->res <= 0) {
		/* The end, or an error. Of this client nothing is under way. */
		close(c->fd);
		free(c);
	} else if (ev->op == IOEVQ_OP_READ) {
		echo(c, (size_t)ev->res);
	} else {
		receive(c);
	}
}

static void on_listener(struct handler *h, const struct ioevq_event *ev)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *c;

	(void)h;
	(void)ev;
	if (fd < 0)
		return;
	c = calloc(1, sizeof(*c));
	if (!c) {
		perror("client");
		exit(1);
	}
	c->handler.fn = on_client;
	c->fd = fd;
	receive(c);
}

/* end of clients */

int main(int argc, char **argv)
{
	struct handler accepts = { on_listener };
	struct ioevq_event ev[64];
	struct ioevq_req req;
	struct handler *h;
	int i, n;

	signal(SIGPIPE, SIG_IGN);
	listener = open_listener(argc > 1 ? argv[1] : "7000");
	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	ioevq_prep_poll(&req, listener, POLLIN, IOEVQ_POLL_LEVEL, (uintptr_t)&accepts);
	check("submit", ioevq_submit(&q, &req, 1));
	for (;;) {
		n = check("wait", ioevq_wait(&q, ev, 1, 64, IOEVQ_FOREVER));
		for (i = 0; i < n; i++) {
			h = (struct handler *)(uintptr_t)ev[i].user_data;
			h->fn(h, &ev[i]);
		}
	}
}

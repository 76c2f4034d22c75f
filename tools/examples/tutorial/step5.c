// SPDX-License-Identifier: MIT
/* Step 5: a log, written behind the back of the loop. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ioevq.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct handler {
	void (*fn)(struct handler *h, const struct ioevq_event *ev);
};

/* begin of the client */
struct client {
	struct handler handler;
	struct handler idle;
	int requests;			/* that have not ended */
	int fd;				/* -1: closed */
	unsigned int number;
	unsigned long long bytes;
	char buf[4096];
};

/* end of the client */

static struct ioevq q;
static int listener;
static uint64_t idle_ns = 10000000000;
static int log_fd;
static uint64_t log_end;

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

/* begin of submit */
static void submit(const struct ioevq_req *req)
{
	check("submit", ioevq_submit(&q, req, 1));
}

/* end of submit */

/* begin of the log */
struct line {
	struct handler handler;
	char text[64];
};

static void on_line(struct handler *h, const struct ioevq_event *ev)
{
	if (ev->res < 0)
		fprintf(stderr, "log: %s\n", strerror((int)-ev->res));
	free(h);
}

/* The memory is the request's until its event. */
static void write_log(unsigned int number, unsigned long long bytes)
{
	struct line *line = calloc(1, sizeof(*line));
	struct ioevq_req req;
	int len;

	if (!line) {
		perror("log");
		exit(1);
	}
	line->handler.fn = on_line;
	len = snprintf(line->text, sizeof(line->text), "client %u: %llu bytes\n", number, bytes);
	ioevq_prep_write(&req, log_fd, line->text, (size_t)len, log_end,
			 (uintptr_t)&line->handler);
	log_end += (unsigned int)len;
	submit(&req);
}

/* end of the log */

static void open_log(const char *name)
{
	log_fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (log_fd < 0)
		check(name, -errno);
	log_end = (uint64_t)lseek(log_fd, 0, SEEK_END);
}

static void receive(struct client *c)
{
	struct ioevq_req req;

	ioevq_prep_read(&req, c->fd, c->buf, sizeof(c->buf), IOEVQ_POSITION,
			(uintptr_t)&c->handler);
	c->requests++;
	submit(&req);
}

static void echo(struct client *c, size_t len)
{
	struct ioevq_req req;

	ioevq_prep_write(&req, c->fd, c->buf, len, IOEVQ_POSITION, (uintptr_t)&c->handler);
	c->requests++;
	submit(&req);
}

/* begin of idle */
static void client_end(struct client *c)
{
	close(c->fd);
	c->fd = -1;
	write_log(c->number, c->bytes);
	check("cancel", ioevq_cancel(&q, (uintptr_t)&c->idle, 0));
}

/* One request of the client has ended; with the last one it is ours to free. */
static void client_put(struct client *c)
{
	if (!--c->requests)
		free(c);
}

static void on_idle(struct handler *h, const struct ioevq_event *ev)
{
	struct client *c = (struct client *)((char *)h - offsetof(struct client, idle));

	if (!ev->res && c->fd >= 0)
		shutdown(c->fd, SHUT_RDWR);	/* what is under way ends */
	client_put(c);
}

static void start_idle(struct client *c)
{
	struct ioevq_req req;

	ioevq_prep_timer(&req, 0, idle_ns, 0, (uintptr_t)&c->idle);
	c->requests++;
	submit(&req);
}

/* It begins anew. Where it has just run out there is none any more. */
static void restart_idle(struct client *c)
{
	struct ioevq_req req;
	int ret;

	ioevq_prep_timer_mod(&req, (uintptr_t)&c->idle, 0, idle_ns, 0, 0);
	req.flags = IOEVQ_REQ_SKIP_SUCCESS;
	ret = ioevq_submit(&q, &req, 1);
	if (ret != -ENOENT)
		check("timer", ret);
}

/* end of idle */

/* begin of clients */
static void on_client(struct handler *h, const struct ioevq_event *ev)
{
	struct client *c = (struct client *)h;

	if (ev->op == IOEVQ_OP_WRITE && ev->res > 0)
		c->bytes += (unsigned long long)ev->res;
	if (ev->res <= 0) {
		client_end(c);
	} else if (ev->op == IOEVQ_OP_READ) {
		restart_idle(c);
		echo(c, (size_t)ev->res);
	} else {
		receive(c);
	}
	client_put(c);
}

static void on_listener(struct handler *h, const struct ioevq_event *ev)
{
	static unsigned int clients;
	int fd;
	struct client *c;

	(void)h;
	(void)ev;
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	c = calloc(1, sizeof(*c));
	if (!c) {
		perror("client");
		exit(1);
	}
	c->handler.fn = on_client;
	c->idle.fn = on_idle;
	c->fd = fd;
	c->number = ++clients;
	start_idle(c);
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
	if (argc > 2)
		idle_ns = (uint64_t)atoi(argv[2]) * 1000000;
	open_log(argc > 3 ? argv[3] : "server.log");
	listener = open_listener(argc > 1 ? argv[1] : "7000");
	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	ioevq_prep_poll(&req, listener, POLLIN, IOEVQ_POLL_LEVEL, (uintptr_t)&accepts);
	submit(&req);
	for (;;) {
		n = check("wait", ioevq_wait(&q, ev, 1, 64, IOEVQ_FOREVER));
		for (i = 0; i < n; i++) {
			h = (struct handler *)(uintptr_t)ev[i].user_data;
			if (h)
				h->fn(h, &ev[i]);
		}
	}
}

// SPDX-License-Identifier: MIT
/* Step 7: several threads on the one queue. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ioevq.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
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
	pthread_mutex_t lock;		/* guards what follows */
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
static atomic_ullong log_end;
static int signal_fd;
static atomic_int requests;		/* that have not ended */
static atomic_bool stopping;

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
	requests++;
	check("submit", ioevq_submit(&q, req, 1));
}

static void cancel(uint64_t user_data)
{
	struct ioevq_req req;

	ioevq_prep_cancel(&req, IOEVQ_CANCEL_USER_DATA, user_data, -1, 0, 0);
	submit(&req);
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
	ioevq_prep_write(&req, log_fd, line->text, (size_t)len,
			 atomic_fetch_add(&log_end, (unsigned int)len),
			 (uintptr_t)&line->handler);
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

/* Was all cancelled, and this not yet there? Then it ends so. */
static void go_on(struct client *c)
{
	if (stopping)
		shutdown(c->fd, SHUT_RDWR);
}

static void receive(struct client *c)
{
	struct ioevq_req req;

	ioevq_prep_read(&req, c->fd, c->buf, sizeof(c->buf), IOEVQ_POSITION,
			(uintptr_t)&c->handler);
	c->requests++;
	submit(&req);
	go_on(c);
}

static void echo(struct client *c, size_t len)
{
	struct ioevq_req req;

	ioevq_prep_write(&req, c->fd, c->buf, len, IOEVQ_POSITION, (uintptr_t)&c->handler);
	c->requests++;
	submit(&req);
	go_on(c);
}

/* begin of idle */
static void client_end(struct client *c)
{
	close(c->fd);
	c->fd = -1;
	write_log(c->number, c->bytes);
	cancel((uintptr_t)&c->idle);
}

/* One request of the client has ended; with the last one it is ours to free. */
static void client_put(struct client *c)
{
	int left = --c->requests;

	pthread_mutex_unlock(&c->lock);
	if (left)
		return;
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static void on_idle(struct handler *h, const struct ioevq_event *ev)
{
	struct client *c = (struct client *)((char *)h - offsetof(struct client, idle));

	pthread_mutex_lock(&c->lock);
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

	pthread_mutex_lock(&c->lock);
	if (ev->op == IOEVQ_OP_WRITE && ev->res > 0)
		c->bytes += (unsigned long long)ev->res;
	if (ev->res <= 0 || stopping) {
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
	static atomic_uint clients;
	struct client *c;
	int fd;

	(void)h;
	if (!(ev->flags & IOEVQ_EVENT_MORE) || stopping)
		return;
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
	/* Nobody else shall free it before both are submitted. */
	pthread_mutex_init(&c->lock, NULL);
	pthread_mutex_lock(&c->lock);
	start_idle(c);
	receive(c);
	pthread_mutex_unlock(&c->lock);
}

/* end of clients */

/* begin of the end */
static void on_signal(struct handler *h, const struct ioevq_event *ev)
{
	struct ioevq_event signals[8];
	struct ioevq_req req;

	(void)h;
	if (!(ev->flags & IOEVQ_EVENT_MORE))
		return;
	if (ioevq_take_signals(signal_fd, 0, signals, NULL, 8) < 1)
		return;
	if (atomic_exchange(&stopping, true))
		return;
	ioevq_prep_cancel(&req, 0, 0, -1, 0, 0);	/* all that there is */
	submit(&req);
}

static void watch_signals(struct handler *h)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	signal_fd = check("signals", ioevq_watch_signals(&q, &set, (uintptr_t)h));
	requests++;
}

static void handle(const struct ioevq_event *ev)
{
	struct handler *h = (struct handler *)(uintptr_t)ev->user_data;

	if (h)
		h->fn(h, ev);
	if (!(ev->flags & IOEVQ_EVENT_MORE) && !--requests)
		check("alert", ioevq_alert(&q, 0));	/* that was the last of all */
}

static void *worker(void *arg)
{
	struct ioevq_event ev;

	for (;;) {
		check("wait", ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER));
		if (ev.flags & IOEVQ_EVENT_ALERT)
			return arg;
		handle(&ev);
	}
}

/* end of the end */

int main(int argc, char **argv)
{
	struct handler accepts = { on_listener }, signals = { on_signal };
	struct ioevq_event ev;
	pthread_t threads[4];
	struct ioevq_req req;
	int i;

	signal(SIGPIPE, SIG_IGN);
	if (argc > 2)
		idle_ns = (uint64_t)atoi(argv[2]) * 1000000;
	open_log(argc > 3 ? argv[3] : "server.log");
	listener = open_listener(argc > 1 ? argv[1] : "7000");
	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	watch_signals(&signals);
	ioevq_prep_poll(&req, listener, POLLIN, IOEVQ_POLL_LEVEL, (uintptr_t)&accepts);
	submit(&req);
	/* begin of the loop */
	for (i = 0; i < 4; i++)
		check("thread", -pthread_create(&threads[i], NULL, worker, NULL));
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	/* What one of them has begun when the others were done. */
	check("alert", ioevq_clear_alert(&q));
	while (requests) {
		check("wait", ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER));
		handle(&ev);
	}
	fsync(log_fd);
	ioevq_close(&q);
	printf("all has ended\n");
	return 0;
	/* end of the loop */
}

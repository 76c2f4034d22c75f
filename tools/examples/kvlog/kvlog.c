// SPDX-License-Identifier: MIT
/*
 * kvlog serve FILE PORT [unsafe]	see conn.c for what it answers
 * kvlog dump FILE			the records: number, key, bytes and sum of the value
 */
#define _GNU_SOURCE
#include "kvlog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_EVENTS	64

void die(const char *what, int err)
{
	fprintf(stderr, "kvlog: %s: %s\n", what, strerror(err));
	exit(1);
}

static void dump_record(const struct record *r)
{
	struct text key = record_key(r), value = record_value(r);

	printf("found %llu %.*s %zu %08x\n", (unsigned long long)r->seq, (int)key.len, key.at,
	       value.len, crc32c(0, value.at, value.len));
}

static int dump(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int64_t len, size;
	uint64_t seq;

	if (fd < 0)
		die(path, errno);
	len = log_read(fd, dump_record, &seq, &size);
	if (len < 0)
		die(path, (int)-len);
	printf("torn %lld\n", (long long)(size - len));
	return fflush(stdout) ? 1 : 0;
}

static void load_record(const struct record *r)
{
	store_set(record_key(r), record_value(r));
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

	if (fd < 0)
		die("socket", errno);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, SOMAXCONN))
		die("bind to the port", errno);
	return fd;
}

static void on_event(const struct ioevq *q, int listener, const struct ioevq_event *ev)
{
	if (ev->user_data < NR_BATCHES)
		commit_written((unsigned int)ev->user_data, ev->res);
	else if (ev->user_data == SYNC)
		commit_synced(ev->res);
	else if (ev->user_data == LISTENER)
		conn_accept(q, listener);
	else
		conn_event(q, (struct conn *)(uintptr_t)ev->user_data, ev);
}

/*
 * One turn: take all events, do what they make possible, and submit what that asks for
 * together with the next wait. Nothing is ever waited for but here.
 */
static void serve(const struct ioevq *q, int listener)
{
	struct ioevq_event events[MAX_EVENTS];
	struct ioevq_req reqs[2];
	struct ioevq_enter enter = {
		.reqs = (uintptr_t)reqs,
		.events = (uintptr_t)events,
		.min = 1,
		.max = MAX_EVENTS,
		.timeout_ns = IOEVQ_FOREVER,
	};
	int i, n;

	ioevq_prep_poll(&reqs[0], listener, POLLIN, IOEVQ_POLL_LEVEL, LISTENER);
	enter.nr_reqs = 1;
	for (;;) {
		n = ioevq_enter(q, &enter);
		if (n < 0 && enter.submitted < enter.nr_reqs)
			die("submit", -n);
		if (n < 0 && n != -EINTR)
			die("wait", -n);
		for (i = 0; i < n; i++)
			on_event(q, listener, &events[i]);
		conn_go_on(q);
		enter.nr_reqs = commit_next(reqs);
	}
}

int main(int argc, char **argv)
{
	struct ioevq queue;
	uint64_t seq, end;
	int fd, ret;

	if (argc == 3 && !strcmp(argv[1], "dump"))
		return dump(argv[2]);
	if (argc < 4 || argc > 5 || strcmp(argv[1], "serve") ||
	    (argc == 5 && strcmp(argv[4], "unsafe"))) {
		fprintf(stderr, "usage: kvlog serve FILE PORT [unsafe]\n       kvlog dump FILE\n");
		return 2;
	}
	ret = ioevq_open(&queue, 0, 0);
	if (ret)
		die("/dev/ioevq", -ret);
	fd = log_open(argv[2], load_record, &seq, &end);
	commit_init(fd, seq, end, argc == 5);
	ret = open_listener(argv[3]);
	printf("serving, the next record is %llu\n", (unsigned long long)seq);
	fflush(stdout);
	serve(&queue, ret);
}

// SPDX-License-Identifier: MIT
/*
 * kvload PORT SEED [RECORDS]: puts values by several connections, some at a time on each,
 * and prints what was acknowledged, as "kvlog dump" does: without end, or until so many are.
 *
 * On poll(2): it is there to judge the server, and has nothing in common with it but the sum.
 */
#define _GNU_SOURCE
#include "kvlog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNS	8
#define DEPTH	16

/* What was put and is not acknowledged. */
struct put {
	unsigned int key;
	unsigned int len;
	uint32_t crc;
};

/* The puts from @acked up to @sent are out, each in its slot modulo DEPTH. */
struct link {
	int fd;
	unsigned int acked;
	unsigned int sent;
	struct put puts[DEPTH];
	size_t in_len;
	char in[4096];
};

static struct link links[CONNS];
static unsigned long total;

static void fail(const char *what)
{
	fprintf(stderr, "kvload: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Blocking sends: a few puts fit into the socket's buffer, or the server reads them. */
static void put(struct link *l)
{
	struct put *p = &l->puts[l->sent++ % DEPTH];
	char line[VALUE_MAX + 64];
	unsigned int i;
	size_t at = 0, len;
	ssize_t n;

	p->key = (unsigned int)random() % 1000;
	/* Most are short, some are not. */
	p->len = 1 + (unsigned int)random() % (random() % 8 ? 100 : VALUE_MAX);
	len = (size_t)sprintf(line, "PUT key%u ", p->key);
	for (i = 0; i < p->len; i++)
		line[len + i] = (char)('a' + random() % 26);
	p->crc = crc32c(0, line + len, p->len);
	len += p->len;
	line[len++] = '\n';
	for (; at < len; at += (size_t)n) {
		n = send(l->fd, line + at, len - at, MSG_NOSIGNAL);
		if (n < 0)
			fail("send");
	}
}

static void acknowledged(struct link *l)
{
	ssize_t n = recv(l->fd, l->in + l->in_len, sizeof(l->in) - 1 - l->in_len, 0);
	unsigned long long seq;
	struct put *p;
	char *at, *end;

	if (n <= 0)
		fail("receive");
	l->in_len += (size_t)n;
	l->in[l->in_len] = 0;
	for (at = l->in; (end = strchr(at, '\n')); at = end + 1) {
		if (sscanf(at, "OK %llu\n", &seq) != 1 || l->acked == l->sent) {
			fprintf(stderr, "kvload: no answer to a PUT: %s\n", at);
			exit(1);
		}
		p = &l->puts[l->acked++ % DEPTH];
		printf("ack %llu key%u %u %08x\n", seq, p->key, p->len, p->crc);
		total++;
	}
	l->in_len -= (size_t)(at - l->in);
	memmove(l->in, at, l->in_len);
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct pollfd fds[CONNS];
	unsigned long records;
	int i;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: kvload PORT SEED [RECORDS]\n");
		return 2;
	}
	addr.sin_port = htons((uint16_t)atoi(argv[1]));
	srandom((unsigned int)atoi(argv[2]));
	records = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
	for (i = 0; i < CONNS; i++) {
		links[i].fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (links[i].fd < 0 ||
		    connect(links[i].fd, (struct sockaddr *)&addr, sizeof(addr)))
			fail("connect");
		fds[i] = (struct pollfd){ .fd = links[i].fd, .events = POLLIN };
	}
	while (!records || total < records) {
		for (i = 0; i < CONNS; i++)
			while (links[i].sent - links[i].acked < DEPTH)
				put(&links[i]);
		if (poll(fds, CONNS, -1) < 0)
			fail("poll");
		for (i = 0; i < CONNS; i++)
			if (fds[i].revents)
				acknowledged(&links[i]);
		/* Told is what counts: nothing may stay here. */
		if (fflush(stdout))
			fail("standard output");
	}
	return 0;
}

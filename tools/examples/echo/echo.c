// SPDX-License-Identifier: MIT
/* What the echo servers have in common. Nothing here knows how events come. */
#define _GNU_SOURCE
#include "echo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned int clients;
static unsigned long long bytes;

void die(const char *what, int err)
{
	fprintf(stderr, "echo: %s: %s\n", what, strerror(err));
	exit(1);
}

int open_listener(int argc, char **argv)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd, one = 1;

	if (argc < 3) {
		fprintf(stderr, "usage: %s PORT COMMAND [ARG...]\n", argv[0]);
		exit(2);
	}
	addr.sin_port = htons((uint16_t)atoi(argv[1]));
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket", errno);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, SOMAXCONN))
		die("bind to the port", errno);
	return fd;
}

pid_t start_child(char **argv)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork", errno);
	if (!pid) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	return pid;
}

/* Close-on-exec: a child that had the descriptor would keep the connection open. */
struct client *client_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *c;

	if (fd < 0)
		return NULL;
	c = malloc(sizeof(*c));
	if (!c)
		die("a new client", ENOMEM);
	c->fd = fd;
	c->pos = 0;
	c->end = 0;
	clients++;
	return c;
}

int client_turn(struct client *c)
{
	ssize_t n;

	if (!client_owes(c)) {
		n = recv(c->fd, c->buf, sizeof(c->buf), 0);
		if (n <= 0)
			return n < 0 && errno == EAGAIN ? 0 : -1;
		c->pos = 0;
		c->end = (size_t)n;
	}
	n = send(c->fd, c->buf + c->pos, c->end - c->pos, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	c->pos += (size_t)n;
	client_count((size_t)n);
	return 1;
}

void client_count(size_t n)
{
	bytes += n;
}

void client_close(struct client *c)
{
	close(c->fd);
	c->fd = -1;
	clients--;
}

void print_state(void)
{
	fprintf(stderr, "clients: %u, bytes: %llu\n", clients, bytes);
}

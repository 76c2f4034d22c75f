/* SPDX-License-Identifier: GPL-2.0-only */
/* Sockets that can be watched; see kinds.h. */
#ifndef IOEVQ_KINDS_SOCKET_H
#define IOEVQ_KINDS_SOCKET_H

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/un.h>

#include "kinds_file.h"

static inline int kind_peer_refused(struct thing *t)
{
	return send(t->peer, "x", 1, 0) < 0 && errno == ECONNREFUSED ? 0 : -1;
}

static inline int make_unix(struct thing *t, int type)
{
	int s[2];

	if (socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s))
		return -1;
	t->fd = s[0];
	t->peer = s[1];
	return 0;
}

static inline int make_unix_stream(struct thing *t)
{
	return make_unix(t, SOCK_STREAM);
}

static inline int make_unix_dgram(struct thing *t)
{
	return make_unix(t, SOCK_DGRAM);
}

static inline int make_unix_seqpacket(struct thing *t)
{
	return make_unix(t, SOCK_SEQPACKET);
}

/* A socket bound to a port of the loopback address; 0: any. */
static inline int kind_bind(int type, unsigned int *port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_port = htons(*port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
	socklen_t len = sizeof(a);

	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) ||
	    getsockname(fd, (struct sockaddr *)&a, &len) ||
	    (type == SOCK_STREAM && listen(fd, 64))) {
		close(fd);
		return -1;
	}
	*port = ntohs(a.sin_port);
	return fd;
}

static inline int kind_connect_by(int fd, unsigned int port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	return connect(fd, (struct sockaddr *)&a, sizeof(a));
}

static inline int kind_connect(int type, unsigned int port)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (kind_connect_by(fd, port)) {
		close(fd);
		return -1;
	}
	return fd;
}

static inline int make_tcp_listen(struct thing *t)
{
	t->fd = kind_bind(SOCK_STREAM, &t->port);
	return t->fd < 0;
}

static inline int rouse_tcp_listen(struct thing *t)
{
	int fd = kind_connect(SOCK_STREAM, t->port);

	if (fd < 0)
		return -1;
	close(fd);
	return kind_poll(t->fd, POLLIN) ? 0 : -1;
}

static inline int drain_listen(struct thing *t)
{
	int fd;

	while ((fd = accept(t->fd, NULL, NULL)) >= 0)
		close(fd);
	return errno == EAGAIN ? 0 : -1;
}

/* The address is free again at once. */
static inline int gone_port(struct thing *t, int type)
{
	int fd = kind_bind(type, &t->port);

	if (fd < 0)
		return -1;
	return close(fd);
}

static inline int gone_tcp_listen(struct thing *t)
{
	return gone_port(t, SOCK_STREAM);
}

/* An address that the kernel chooses: five characters behind a zero. */
#define UNIX_ADDRESS	6

static inline int make_unix_listen(struct thing *t)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(a);

	t->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (bind(t->fd, (struct sockaddr *)&a, sizeof(a.sun_family)) || listen(t->fd, 64) ||
	    getsockname(t->fd, (struct sockaddr *)&a, &len))
		return -1;
	memcpy(t->path, a.sun_path, UNIX_ADDRESS);
	return 0;
}

/* 0, or -1 and errno. */
static inline int kind_connect_unix(const struct thing *t)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), ret, err;
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	memcpy(a.sun_path, t->path, UNIX_ADDRESS);
	ret = connect(fd, (struct sockaddr *)&a,
		      offsetof(struct sockaddr_un, sun_path) + UNIX_ADDRESS);
	err = errno;
	close(fd);
	errno = err;
	return ret;
}

static inline int rouse_unix_listen(struct thing *t)
{
	return kind_connect_unix(t);
}

static inline int gone_unix_listen(struct thing *t)
{
	return kind_connect_unix(t) && errno == ECONNREFUSED ? 0 : -1;
}

/* The peer, a socket, connects to it. */
static inline int make_tcp_with(struct thing *t, int peer)
{
	int l = kind_bind(SOCK_STREAM, &t->port), err = kind_connect_by(peer, t->port);

	t->peer = peer;
	kind_poll(l, POLLIN);
	t->fd = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	close(l);
	return err || t->fd < 0;
}

static inline int make_tcp(struct thing *t)
{
	return make_tcp_with(t, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static inline int make_udp(struct thing *t)
{
	t->fd = kind_bind(SOCK_DGRAM, &t->port);
	t->peer = kind_connect(SOCK_DGRAM, t->port);
	return t->fd < 0 || t->peer < 0;
}

static inline int rouse_udp(struct thing *t)
{
	if (kind_write_peer(t))
		return -1;
	return kind_poll(t->fd, POLLIN) ? 0 : -1;
}

static inline int gone_udp(struct thing *t)
{
	return gone_port(t, SOCK_DGRAM);
}

static inline int make_netlink(struct thing *t)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK };
	socklen_t len = sizeof(a);

	t->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_USERSOCK);
	t->peer = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_USERSOCK);
	if (bind(t->fd, (struct sockaddr *)&a, sizeof(a)) ||
	    getsockname(t->fd, (struct sockaddr *)&a, &len))
		return -1;
	return connect(t->peer, (struct sockaddr *)&a, sizeof(a));
}

#endif

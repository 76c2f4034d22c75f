// SPDX-License-Identifier: GPL-2.0-only
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "objects.h"

static int make_eventfd(int fds[2])
{
	fds[0] = eventfd(0, EFD_NONBLOCK);
	fds[1] = fds[0];
	return fds[0];
}

static int make_pipe(int fds[2])
{
	return pipe2(fds, O_NONBLOCK);
}

static int make_unix(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds);
}

/* Loopback. All by one listener, which stays. */
static int make_tcp(int fds[2])
{
	static struct sockaddr_in addr = { .sin_family = AF_INET };
	static int listener = -1;
	socklen_t len = sizeof(addr);
	int one = 1;

	if (listener < 0) {
		listener = MUST(socket(AF_INET, SOCK_STREAM, 0));
		addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		MUST(bind(listener, (struct sockaddr *)&addr, sizeof(addr)));
		MUST(listen(listener, 128));
		MUST(getsockname(listener, (struct sockaddr *)&addr, &len));
	}
	fds[1] = MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(connect(fds[1], (struct sockaddr *)&addr, sizeof(addr)));
	fds[0] = MUST(accept4(listener, NULL, NULL, SOCK_NONBLOCK));
	MUST(setsockopt(fds[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)));
	return 0;
}

const struct object obj_eventfd = { "eventfd", make_eventfd, 0 };
const struct object obj_pipe = { "pipe", make_pipe, 17 };
const struct object obj_unix = { "unix", make_unix, 1 };
/* The first sixteen segments of a connection are acknowledged at once. */
const struct object obj_tcp = { "tcp", make_tcp, 20 };

void objects_make(struct objects *o, const struct object *kind, unsigned int n)
{
	unsigned int i, j;
	int fds[2];

	memset(o, 0, sizeof(*o));
	o->kind = kind;
	o->n = n;
	o->rd = warm_alloc(n, sizeof(int));
	o->wr = warm_alloc(n, sizeof(int));
	for (i = 0; i < n; i++) {
		MUST(kind->make(fds));
		o->rd[i] = fds[0];
		o->wr[i] = fds[1];
		for (j = 0; j < kind->warm; j++) {
			put_message(fds[1]);
			get_message(fds[0]);
		}
	}
}

void objects_close(struct objects *o)
{
	unsigned int i;

	for (i = 0; i < o->n; i++) {
		close(o->rd[i]);
		if (o->wr[i] != o->rd[i])
			close(o->wr[i]);
	}
	free(o->rd);
	free(o->wr);
}

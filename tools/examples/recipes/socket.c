// SPDX-License-Identifier: MIT
/* A socket becomes readable. */
#define _GNU_SOURCE
#include "recipe.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
	struct ioevq_event ev;
	struct ioevq_req req;
	struct ioevq q;
	char buf[64];
	int s[2], i;

	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s))
		err(1, "socketpair");
	ioevq_prep_poll(&req, s[0], POLLIN | POLLRDHUP, IOEVQ_POLL_EDGE, 1);
	check("watch", ioevq_submit(&q, &req, 1));

	for (i = 0; i < 2; i++) {
		if (write(s[1], "hello", 5) != 5)
			err(1, "write");
		check("wait", ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER));
		printf("%s: %zd bytes\n", ev.res & POLLIN ? "input" : "?",
		       read(s[0], buf, sizeof(buf)));
	}
	close(s[1]);
	check("wait", ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER));
	printf("%s\n", ev.res & POLLRDHUP ? "the peer has closed" : "?");

	/* close(2) ends the watch, with a last event. */
	close(s[0]);
	do
		check("wait", ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER));
	while (ev.flags & IOEVQ_EVENT_MORE);
	printf("%s\n", ev.flags & IOEVQ_EVENT_CLOSED ? "the watch has ended" : "?");
	return 0;
}

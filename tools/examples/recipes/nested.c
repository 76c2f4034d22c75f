// SPDX-License-Identifier: MIT
/* A queue in the loop of a program that has epoll. */
#include "recipe.h"

#include <sys/epoll.h>

int main(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), n;
	struct epoll_event ready = { .events = EPOLLIN };
	struct ioevq_event ev[8];
	struct ioevq q;

	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, q.fd, &ready))
		err(1, "epoll");
	check("post", ioevq_post(&q, 1, 0, 0));
	check("post", ioevq_post(&q, 2, 0, 0));

	n = epoll_wait(ep, &ready, 1, -1);
	printf("epoll: %d\n", n);
	n = check("wait", ioevq_wait(&q, ev, 0, 8, IOEVQ_NO_WAIT));
	printf("of the queue: %d, then %d\n", n, epoll_wait(ep, &ready, 1, 0));
	return 0;
}

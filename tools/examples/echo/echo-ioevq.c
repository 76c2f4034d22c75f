// SPDX-License-Identifier: MIT
/* The echo server on libioevq, level-triggered: line by line what it is on epoll(7). */
#define _GNU_SOURCE
#include "echo.h"

#include <errno.h>
#include <ioevq.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

static struct ioevq queue;

static void submit(const struct ioevq_req *req)
{
	int ret = ioevq_submit(&queue, req, 1);

	if (ret < 0)
		die("submit", -ret);
}

static void watch(int fd, uint32_t mask, uint64_t user_data)
{
	struct ioevq_req req;

	ioevq_prep_poll(&req, fd, mask, IOEVQ_POLL_LEVEL, user_data);
	submit(&req);
}

static void rewatch(int fd, uint32_t mask, uint64_t user_data)
{
	int ret = ioevq_poll_mod(&queue, fd, mask, IOEVQ_POLL_LEVEL, user_data);

	if (ret < 0)
		die("change a watch", -ret);
}

static void on_client(struct client *c, const struct ioevq_event *ev)
{
	bool owed = client_owes(c);

	if (!(ev->flags & IOEVQ_EVENT_MORE))
		free(c);		/* closed, and no event of it follows */
	else if (c->fd < 0)
		return;			/* was under way when we closed it */
	else if (client_turn(c) < 0)
		client_close(c);	/* the watch ends, and its last event tells */
	else if (client_owes(c) != owed)
		rewatch(c->fd, owed ? POLLIN : POLLOUT, (uintptr_t)c);
}

int main(int argc, char **argv)
{
	struct itimerspec second = { .it_value.tv_sec = 1, .it_interval.tv_sec = 1 };
	int listener = open_listener(argc, argv);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	pid_t child = start_child(argv);
	struct ioevq_event events[64];
	struct ioevq_req req;
	struct client *c;
	uint64_t ticks;
	int i, n, status;

	n = ioevq_open(&queue, 0, 0);
	if (n < 0)
		die("/dev/ioevq", -n);
	if (timerfd_settime(timer, 0, &second, NULL))
		die("set up", errno);
	watch(listener, POLLIN, LISTENER);
	watch(timer, POLLIN, TIMER);
	ioevq_prep_child(&req, child, 0, CHILD);
	submit(&req);
	for (;;) {
		n = ioevq_wait(&queue, events, 1, 64, IOEVQ_FOREVER);
		if (n < 0 && n != -EINTR)
			die("wait", -n);
		for (i = 0; i < n; i++) {
			switch (events[i].user_data) {
			case LISTENER:
				c = client_accept(listener);
				if (c)
					watch(c->fd, POLLIN, (uintptr_t)c);
				break;
			case TIMER:
				if (read(timer, &ticks, sizeof(ticks)) == sizeof(ticks))
					print_state();
				break;
			case CHILD:
				status = IOEVQ_CHILD_STATUS(events[i].data);
				return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
			default:
				on_client((struct client *)(uintptr_t)events[i].user_data,
					  &events[i]);
			}
		}
	}
}

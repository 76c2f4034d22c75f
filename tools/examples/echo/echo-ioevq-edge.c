// SPDX-License-Identifier: MIT
/*
 * The echo server on libioevq, edge-triggered: a client is watched once, for both
 * directions, and never again. As long as there are events in the ring they are taken
 * without a system call.
 */
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

/* begin of what differs */
static void watch(int fd, uint32_t mask, uint64_t user_data)
{
	struct ioevq_req req;

	ioevq_prep_poll(&req, fd, mask, IOEVQ_POLL_EDGE, user_data);
	submit(&req);
}

static void on_listener(int listener)
{
	struct client *c;

	/* All that wait: of those that we leave there is no event. */
	while ((c = client_accept(listener)))
		watch(c->fd, POLLIN | POLLOUT, (uintptr_t)c);
}

static void on_client(struct client *c, const struct ioevq_event *ev)
{
	int ret;

	if (!(ev->flags & IOEVQ_EVENT_MORE)) {
		free(c);
		return;
	}
	if (c->fd < 0)
		return;
	/* To the end, whatever the event says: what it says is a hint. */
	do
		ret = client_turn(c);
	while (ret > 0);
	if (ret < 0)
		client_close(c);
}

/* end of what differs */
int main(int argc, char **argv)
{
	struct itimerspec second = { .it_value.tv_sec = 1, .it_interval.tv_sec = 1 };
	int listener = open_listener(argc, argv);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	pid_t child = start_child(argv);
	struct ioevq_event events[64];
	struct ioevq_req req;
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
				on_listener(listener);
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

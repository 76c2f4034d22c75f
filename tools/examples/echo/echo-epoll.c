// SPDX-License-Identifier: MIT
/* The echo server on epoll(7), level-triggered. */
#define _GNU_SOURCE
#include "echo.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

static int ep;

static void control(int op, int fd, uint32_t events, uint64_t user_data)
{
	struct epoll_event ev = { .events = events, .data.u64 = user_data };

	if (epoll_ctl(ep, op, fd, &ev) < 0)
		die("epoll_ctl", errno);
}

static void on_client(struct client *c)
{
	bool owed = client_owes(c);

	if (client_turn(c) < 0) {
		client_close(c);	/* the watch ends, and nobody is told */
		free(c);
	} else if (client_owes(c) != owed) {
		control(EPOLL_CTL_MOD, c->fd, owed ? EPOLLIN : EPOLLOUT, (uintptr_t)c);
	}
}

int main(int argc, char **argv)
{
	struct itimerspec second = { .it_value.tv_sec = 1, .it_interval.tv_sec = 1 };
	int listener = open_listener(argc, argv);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	pid_t child = start_child(argv);
	int pidfd = pidfd_open(child, 0);
	struct epoll_event events[64];
	struct client *c;
	uint64_t ticks;
	int i, n, status;

	ep = epoll_create1(EPOLL_CLOEXEC);
	if (ep < 0 || pidfd < 0 || timerfd_settime(timer, 0, &second, NULL))
		die("set up", errno);
	control(EPOLL_CTL_ADD, listener, EPOLLIN, LISTENER);
	control(EPOLL_CTL_ADD, timer, EPOLLIN, TIMER);
	control(EPOLL_CTL_ADD, pidfd, EPOLLIN, CHILD);
	for (;;) {
		n = epoll_wait(ep, events, 64, -1);
		if (n < 0 && errno != EINTR)
			die("epoll_wait", errno);
		for (i = 0; i < n; i++) {
			switch (events[i].data.u64) {
			case LISTENER:
				c = client_accept(listener);
				if (c)
					control(EPOLL_CTL_ADD, c->fd, EPOLLIN, (uintptr_t)c);
				break;
			case TIMER:
				if (read(timer, &ticks, sizeof(ticks)) == sizeof(ticks))
					print_state();
				break;
			case CHILD:
				waitpid(child, &status, 0);
				return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
			default:
				on_client((struct client *)(uintptr_t)events[i].data.u64);
			}
		}
	}
}

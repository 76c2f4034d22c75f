// SPDX-License-Identifier: MIT
/* The echo server on poll(2). */
#define _GNU_SOURCE
#include "echo.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX	1024

enum { CLIENTS = CHILD + 1 };

static struct pollfd fds[MAX];
static struct client *clients[MAX];	/* of the same index */
static nfds_t nr;

static void watch(int fd, struct client *c)
{
	fds[nr].fd = fd;
	fds[nr].events = POLLIN;
	fds[nr].revents = 0;
	clients[nr++] = c;
}

/* False: it is gone, and another one is in its place. */
static bool on_client(nfds_t i)
{
	struct client *c = clients[i];

	if (client_turn(c) < 0) {
		client_close(c);
		free(c);
		fds[i] = fds[--nr];
		clients[i] = clients[nr];
		return false;
	}
	fds[i].events = client_owes(c) ? POLLOUT : POLLIN;
	return true;
}

int main(int argc, char **argv)
{
	struct itimerspec second = { .it_value.tv_sec = 1, .it_interval.tv_sec = 1 };
	int listener = open_listener(argc, argv);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	pid_t child = start_child(argv);
	int pidfd = pidfd_open(child, 0);
	struct client *c;
	uint64_t ticks;
	int status;
	nfds_t i;

	if (pidfd < 0 || timerfd_settime(timer, 0, &second, NULL))
		die("set up", errno);
	watch(listener, NULL);
	watch(timer, NULL);
	watch(pidfd, NULL);
	for (;;) {
		/* All of them, each time: the kernel looks at each, and so do we. */
		fds[LISTENER].events = nr < MAX ? POLLIN : 0;
		if (poll(fds, nr, -1) < 0) {
			if (errno != EINTR)
				die("poll", errno);
			continue;
		}
		for (i = CLIENTS; i < nr;)
			if (!fds[i].revents || on_client(i))
				i++;
		if (fds[LISTENER].revents) {
			c = client_accept(listener);
			if (c)
				watch(c->fd, c);
		}
		if (fds[TIMER].revents && read(timer, &ticks, sizeof(ticks)) == sizeof(ticks))
			print_state();
		if (fds[CHILD].revents) {
			waitpid(child, &status, 0);
			return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
		}
	}
}

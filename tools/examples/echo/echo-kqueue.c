// SPDX-License-Identifier: MIT
/* The echo server on kqueue(2), for FreeBSD. Linux has none: it is here to compare. */
#include "echo.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/event.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX	64

static struct kevent changes[2 * MAX + 3];	/* go out with the next kevent() */
static int nr_changes;

static void change(uintptr_t ident, short filter, unsigned short flags, unsigned int fflags,
		   intptr_t data, uintptr_t user_data)
{
	EV_SET(&changes[nr_changes], ident, filter, flags, fflags, data, (void *)user_data);
	nr_changes++;
}

static void on_client(struct client *c)
{
	bool owed = client_owes(c);

	if (client_turn(c) < 0) {
		client_close(c);	/* the watches end, and nobody is told */
		free(c);
	} else if (client_owes(c) != owed) {
		change(c->fd, EVFILT_READ, owed ? EV_ENABLE : EV_DISABLE, 0, 0, (uintptr_t)c);
		change(c->fd, EVFILT_WRITE, owed ? EV_DISABLE : EV_ENABLE, 0, 0, (uintptr_t)c);
	}
}

int main(int argc, char **argv)
{
	int listener = open_listener(argc, argv);
	pid_t child = start_child(argv);
	struct kevent events[MAX];
	int kq = kqueue();
	struct client *c;
	int i, n, status;

	if (kq < 0)
		die("kqueue", errno);
	change(listener, EVFILT_READ, EV_ADD, 0, 0, LISTENER);
	change(0, EVFILT_TIMER, EV_ADD, 0, 1000, TIMER);
	change(child, EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, CHILD);
	for (;;) {
		n = kevent(kq, changes, nr_changes, events, MAX, NULL);
		if (n < 0 && errno != EINTR)
			die("kevent", errno);
		nr_changes = 0;
		for (i = 0; i < n; i++) {
			if (events[i].flags & EV_ERROR)
				die("change", (int)events[i].data);
			switch ((uintptr_t)events[i].udata) {
			case LISTENER:
				c = client_accept(listener);
				if (!c)
					break;
				change(c->fd, EVFILT_READ, EV_ADD, 0, 0, (uintptr_t)c);
				change(c->fd, EVFILT_WRITE, EV_ADD | EV_DISABLE, 0, 0,
				       (uintptr_t)c);
				break;
			case TIMER:
				print_state();
				break;
			case CHILD:
				status = (int)events[i].data;
				return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
			default:
				on_client(events[i].udata);
			}
		}
	}
}

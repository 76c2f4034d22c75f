/* SPDX-License-Identifier: MIT */
/*
 * What the echo servers have in common: all but their loops.
 *
 * Each of them is one thread with a listening socket, its clients, a timer that prints
 * a line every second, and a child, which is the command that it was given. When that
 * ends so does the server, with its exit status:
 *
 *	echo-epoll 7000 tools/examples/echo/client 7000
 */
#ifndef EXAMPLE_ECHO_H
#define EXAMPLE_ECHO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* @pos, @end: what of @buf was received and is to be sent back */
struct client {
	int fd;
	size_t pos;
	size_t end;
	char buf[16384];
};

/* What user data means. Other values are the address of a client. */
enum { LISTENER, TIMER, CHILD };

void die(const char *what, int err);

/* argv is PROGRAM PORT COMMAND [ARG...] */
int open_listener(int argc, char **argv);
pid_t start_child(char **argv);

/* A new client, or NULL: there is none that waits, or none can be had now. */
struct client *client_accept(int listener);

/*
 * Receive something and send it back, or send what is left of that. 1: it may go on,
 * 0: nothing can be done now, -1: the connection is over, and client_close() is due.
 */
int client_turn(struct client *c);
void client_close(struct client *c);

/* So much was sent back, for who does that itself. */
void client_count(size_t n);
void print_state(void);

/* Is there something to send, so that it waits for that? Else it waits for input. */
static inline bool client_owes(const struct client *c)
{
	return c->pos < c->end;
}

#endif /* EXAMPLE_ECHO_H */

/* SPDX-License-Identifier: MIT */
/* What the parts of the example server share. Start with httpd.c. */
#ifndef HTTPD_H
#define HTTPD_H

#include <http_parser.h>
#include <ioevq.h>
#include <semaphore.h>
#include <stdbool.h>

#define WORKERS		4
#define MAX_CONNS	256	/* clients beyond that wait in the listening socket */
#define MAX_FDS		1024	/* a connection has at most three: socket, file or pipe's ends */
#define BATCH		16	/* requests to collect before they are submitted */
#define PER_EVENT	2	/* the most requests that handling one event adds */
#define HEAD_MAX	512	/* bytes of a response's head, our part of it */
#define BODY_MAX	(128 << 10)	/* bytes of a file in memory, of a program's output */

/*
 * A connection. It lives in the arena, at the index of its descriptor: whoever gets a
 * descriptor from accept() thereby owns the free place at that index.
 *
 * It has no lock. It waits for one request at a time, and whoever takes the event
 * owns it, until the next request is added or the descriptor is closed: after
 * that another worker may have it. Only a CGI program makes it wait for two.
 *
 * What it waits for is told by its fields: for the CGI program if pipe is open,
 * else to send if something is left to send, else to receive.
 */
struct conn {
	http_parser parser;
	char in[4096];			/* received, from in_pos on not yet parsed */
	size_t in_pos, in_end;
	char target[1024];		/* of the request, as in "GET target HTTP/1.1" */
	size_t target_len;
	bool keep_alive;

	char buf[HEAD_MAX + BODY_MAX];	/* head, right-aligned, and body */
	size_t pos, end;		/* what of buf is to be sent */
	int file;			/* or -1 */
	off_t file_pos, file_left;	/* what of it is to be read */

	int pipe;			/* the CGI program's output, or -1 */
	sem_t go;			/* it may start */
	unsigned int awaited;		/* events: its end, and the end of its output */
	int status;			/* as wait(2) tells it, or -1 */
	const char *problem;		/* with its output, or NULL */
};

/* A worker; in the arena for the sake of its counters. */
struct worker {
	pid_t pid;			/* 0 when it has ended */
	struct ioevq_req reqs[BATCH + PER_EVENT];	/* to be submitted with the next wait */
	unsigned int nr_reqs;
	unsigned long requests;		/* of HTTP */
	unsigned long failed;		/* of these: answered 503, or broken off halfway */
	unsigned long refused;		/* requests that the queue did not accept */
	unsigned long calls;		/* system calls on the queue */
	unsigned long events[IOEVQ_OP__COUNT];	/* taken; or refused requests, see enter() */
};

struct arena {
	unsigned int open;		/* connections; atomic */
	struct worker workers[WORKERS];
	struct conn conns[MAX_FDS];
};

/* Set before the workers start, the same in all of them. */
extern struct ioevq queue;
extern struct arena *arena;
extern int listener, docroot, cgi_dir;

/* httpd.c */
struct ioevq_req *add_req(struct worker *w);

/* conn.c: what to do about an event of the listening socket, of a connection */
void conn_accept(struct worker *w);
void conn_ready(struct worker *w, struct conn *c);
void conn_filled(struct worker *w, struct conn *c, int64_t res);
void conn_close(struct worker *w, struct conn *c);

/* conn.c: ways to answer */
void conn_head(struct conn *c, unsigned int status, off_t length, const char *more);
void conn_send(struct worker *w, struct conn *c);
void conn_error(struct worker *w, struct conn *c, unsigned int status, const char *text);

/* cgi.c */
void cgi_start(struct worker *w, struct conn *c, const char *path, const char *query);
void cgi_readable(struct worker *w, struct conn *c, int64_t res);
void cgi_ended(struct worker *w, struct conn *c, const struct ioevq_event *ev);

#endif /* HTTPD_H */

// SPDX-License-Identifier: MIT
/*
 * A small pre-forked HTTP/1.1 server: what a program on I/O event queues looks
 * like. It knows GET and HEAD, keep-alive, pipelining, static files and CGI
 * programs. To stay small it knows no time limits, ranges, %-escapes or dates.
 *
 *   here	start the workers; their main loop; print what they did
 *   conn.c	a connection: receive, parse, answer, send
 *   cgi.c	programs that make the answer
 *
 * Four worker processes share one queue. They wait there, and nowhere else, for
 * all that can happen: a client connects, sends, or can be sent to; a part of a
 * file was read; a program ended. Each event wakes one worker, whichever is idle.
 * So none has to choose between new connections and those that it has, none wakes
 * up for nothing, and a slow client keeps none busy.
 *
 * For this, what an event is about must be within reach of every worker:
 *
 * - memory: connections are in an arena, mapped before the workers start, thus at
 *   the same address in all of them; pointers into it serve as user data;
 * - descriptors: the workers are made by clone(2) with CLONE_FILES, which is
 *   fork(2) but for the table of descriptors, which they share;
 * - children: only its parent can wait for a CGI program. But the event tells all
 *   there is to know, so the workers ignore SIGCHLD, and the kernel reaps.
 *
 * Everything is watched by one-shot requests. Each of them ends in one event, each
 * event goes to one worker: it is also the right to handle what it is about, alone.
 * Nothing needs a lock.
 */
#define _GNU_SOURCE
#include "httpd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPS(op)		(1U << IOEVQ_OP_##op)

struct ioevq queue;		/* of the workers */
struct arena *arena;
int listener, docroot, cgi_dir;
static struct ioevq master;	/* a second queue, of the master process */

/* The request goes out with the next wait: see next_event(). */
struct ioevq_req *add_req(struct worker *w)
{
	return &w->reqs[w->nr_reqs++];
}

/*
 * Submit what was collected, wait for an event and take it, in one system call.
 * Returns 1, or 0 if a signal came. A request that was refused has no event. We
 * make one of it: the connection ends the same way, whenever the error was found.
 */
static int enter(struct worker *w, struct ioevq_event *ev)
{
	struct ioevq_enter enter = {
		.reqs = (uintptr_t)w->reqs,
		.nr_reqs = w->nr_reqs,
		.events = (uintptr_t)ev,
		.min = 1,
		.max = 1,
		.timeout_ns = IOEVQ_FOREVER,
	};
	const struct ioevq_req *req = w->reqs;
	int ret = ioevq_enter(&queue, &enter);

	w->calls++;
	req += enter.submitted;
	w->nr_reqs -= enter.submitted;
	if (ret < 0 && ret != -EINTR) {
		if (!w->nr_reqs) {
			fprintf(stderr, "httpd: cannot wait: %s\n", strerror(-ret));
			_exit(1);
		}
		ev->user_data = req->user_data;
		ev->op = req->op;
		ev->res = ret;
		w->refused++;
		req++;
		w->nr_reqs--;
	}
	/* Those after it are untouched, and have their turn in the next call. */
	memmove(w->reqs, req, w->nr_reqs * sizeof(*req));
	return ret != -EINTR;
}

/*
 * As long as there are events in the ring, and room for the requests that they lead
 * to, no system call is needed. We take them one by one: an event that we leave in the
 * ring can be handled by any worker, one that we took only by us.
 */
static int next_event(struct worker *w, struct ioevq_event *ev)
{
	if (w->nr_reqs < BATCH && ioevq_take(&queue, ev) == 1)
		return 1;
	return enter(w, ev);
}

static void handle(struct worker *w, const struct ioevq_event *ev)
{
	struct conn *c = (struct conn *)(uintptr_t)ev->user_data;

	switch (ev->op) {
	case IOEVQ_OP_POLL:
	case IOEVQ_OP_NOP:
		if (!c)
			conn_accept(w);
		else if (c->pipe >= 0)
			cgi_readable(w, c, ev->res);
		else if (ev->res < 0)
			conn_close(w, c);
		else
			conn_ready(w, c);
		break;
	case IOEVQ_OP_READ:
		conn_filled(w, c, ev->res);
		break;
	case IOEVQ_OP_CHILD:
		cgi_ended(w, c, ev);
		break;
	}
}

static int work(void *arg)
{
	struct worker *w = arg;
	struct ioevq_event ev;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_IGN);	/* the master tells us when to end, below */
	signal(SIGTERM, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		if (!next_event(w, &ev))
			continue;
		w->events[ev.op]++;
		if (ev.op == IOEVQ_OP_POST)
			return 0;	/* the master has sent one for each of us */
		handle(w, &ev);
	}
}

static void die(const char *what, int err)
{
	fprintf(stderr, "httpd: %s: %s\n", what, strerror(err));
	exit(1);
}

static void start_worker(struct worker *w)
{
	/* Memory is not shared: each worker has a copy of the stack, and of all else. */
	static max_align_t stack[16 << 10];

	w->pid = clone(work, stack + sizeof(stack) / sizeof(*stack), CLONE_FILES | SIGCHLD, w);
	if (w->pid < 0)
		die("clone", errno);
}

/* Tells the master's own loop that the server shall end. */
static void on_signal(int sig)
{
	int saved = errno;

	ioevq_post(&master, 0, sig, 0);
	errno = saved;
}

/* Only the first time; afterwards whoever takes the event does it: see conn_accept(). */
static void watch_listener(void)
{
	struct ioevq_req req;
	int ret;

	ioevq_prep_poll(&req, listener, POLLIN, IOEVQ_POLL_ONESHOT, 0);
	ret = ioevq_submit(&queue, &req, 1);
	if (ret < 0)
		die("watch the listening socket", -ret);
}

static bool worker_ended(pid_t pid)
{
	struct worker *w = arena->workers;
	int status;

	if (waitpid(pid, &status, 0) != pid)
		die("waitpid", errno);
	while (w->pid != pid)
		w++;
	w->pid = 0;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return true;
	fprintf(stderr, "httpd: worker %td died, wait status %#x\n", w - arena->workers, status);
	/*
	 * The others go on, but not with the connections that it had in its hands. If
	 * it had the listening socket: one watch too many does no harm.
	 */
	watch_listener();
	return false;
}

/* Until all workers have ended. Was it all well? */
static bool supervise(void)
{
	unsigned int alive = WORKERS, i;
	struct ioevq_event ev;
	bool ok = true;

	while (alive) {
		int ret = ioevq_wait(&master, &ev, 1, 1, IOEVQ_FOREVER);

		if (ret == -EINTR)
			continue;
		if (ret < 0)
			die("wait for workers", -ret);
		if (ev.op == IOEVQ_OP_CHILD) {
			ok &= worker_ended((pid_t)ev.res);
			alive--;
			continue;
		}
		for (i = 0; i < WORKERS; i++)
			if (arena->workers[i].pid)
				ioevq_post(&queue, 0, 0, 0);
	}
	return ok;
}

static void print_row(const char *name, const struct worker *w)
{
	unsigned long events = 0;
	unsigned int i;

	for (i = 0; i < IOEVQ_OP__COUNT; i++)
		events += w->events[i];
	printf("%-8s %8lu %6lu %7lu", name, w->requests, w->failed, w->refused);
	printf(" %8lu %6lu %6lu %6lu %6lu", w->events[IOEVQ_OP_POLL], w->events[IOEVQ_OP_READ],
	       w->events[IOEVQ_OP_CHILD], w->events[IOEVQ_OP_NOP], w->events[IOEVQ_OP_POST]);
	printf(" %8lu %11.2f\n", w->calls, w->calls ? (double)events / (double)w->calls : 0.0);
}

static void print_table(void)
{
	struct worker total = { 0 };
	char name[16];
	unsigned int i, k;

	printf("%-8s %8s %6s %7s %8s %6s %6s %6s %6s %8s %11s\n", "worker", "requests", "failed",
	       "refused", "POLL", "READ", "CHILD", "NOP", "POST", "calls", "events/call");
	for (i = 0; i < WORKERS; i++) {
		const struct worker *w = &arena->workers[i];

		total.requests += w->requests;
		total.failed += w->failed;
		total.refused += w->refused;
		total.calls += w->calls;
		for (k = 0; k < IOEVQ_OP__COUNT; k++)
			total.events[k] += w->events[k];
		snprintf(name, sizeof(name), "%u", i);
		print_row(name, w);
	}
	print_row("total", &total);
}

static int open_listener(uint16_t port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		die("socket", errno);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* Connections inherit it. We never send less than we have. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, SOMAXCONN))
		die("bind to the port", errno);
	return fd;
}

static int open_directory(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		die(path, errno);
	return fd;
}

/*
 * The rings have room for all that can be under way: no event ever waits outside
 * of them, and taking one never needs a system call.
 */
static void open_queues(void)
{
	struct ioevq_req req;
	int ret;

	ret = ioevq_open(&queue, 2 * MAX_FDS,
			 OPS(POLL) | OPS(READ) | OPS(CHILD) | OPS(NOP) | OPS(POST));
	if (ret)
		die("/dev/ioevq", -ret);
	watch_listener();
	ret = ioevq_open(&master, 0, OPS(CHILD) | OPS(POST));
	if (ret)
		die("/dev/ioevq", -ret);
	ioevq_prep_child(&req, 0, WORKERS, 0);
	ret = ioevq_submit(&master, &req, 1);
	if (ret < 0)
		die("watch the workers", -ret);
}

int main(int argc, char **argv)
{
	struct rlimit limit = { MAX_FDS, MAX_FDS };
	unsigned long port;
	unsigned int i;
	bool ok;

	port = argc == 4 ? strtoul(argv[1], NULL, 10) : 0;
	if (!port || port > UINT16_MAX) {
		fprintf(stderr, "usage: httpd PORT DOCROOT CGI-DIRECTORY\n");
		return 2;
	}
	/* No descriptor is larger than the arena. */
	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("limit of descriptors", errno);
	arena = mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena == MAP_FAILED)
		die("mmap", errno);
	docroot = open_directory(argv[2]);
	cgi_dir = open_directory(argv[3]);
	listener = open_listener((uint16_t)port);
	open_queues();
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	for (i = 0; i < WORKERS; i++)
		start_worker(&arena->workers[i]);
	ok = supervise();
	print_table();
	return !ok;
}

// SPDX-License-Identifier: MIT
/*
 * CGI programs of the example server.
 *
 * A program is waited for by two requests at once: for its end, and for the end
 * of its output. They may come in any order, and to two workers at the same time:
 * the last one answers. The output is kept until then, since only the program's
 * exit status tells whether the answer is 200.
 *
 * The program is told of its request by the environment (RFC 3875). It prints
 * header lines, an empty line and the body, the lines ending in CR LF.
 */
#define _GNU_SOURCE
#include "httpd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child process: a copy of the worker, descriptors included, until it executes. */
static void run(struct conn *c, int out, const char *path, const char *query)
{
	const char *name = path + strlen("/cgi/");
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (sem_wait(&c->go) && errno == EINTR)
		;
	clearenv();
	setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1);
	setenv("GATEWAY_INTERFACE", "CGI/1.1", 1);
	setenv("SERVER_PROTOCOL", "HTTP/1.1", 1);
	setenv("REQUEST_METHOD", http_method_str((enum http_method)c->parser.method), 1);
	setenv("SCRIPT_NAME", path, 1);
	setenv("QUERY_STRING", query, 1);
	/* Signals that are ignored here would stay ignored in the program. */
	signal(SIGCHLD, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	/* It gets these descriptors and standard error; all others are close-on-exec. */
	if (dup2(null, 0) == 0 && dup2(out, 1) == 1 && !fchdir(cgi_dir))
		execl(name, name, NULL);
	_exit(127);
}

static void wait_for_output(struct worker *w, struct conn *c)
{
	ioevq_prep_poll(add_req(w), c->pipe, POLLIN, IOEVQ_POLL_ONESHOT, (uintptr_t)c);
}

/*
 * The child starts only when the queue has accepted the request for its end. Otherwise
 * it could end first; SIGCHLD is ignored, so the kernel would have reaped it by then,
 * and there would be no child to watch (ECHILD).
 */
static bool watch_child(struct worker *w, struct conn *c, pid_t pid)
{
	struct ioevq_req req;

	ioevq_prep_child(&req, pid, 0, (uintptr_t)c);
	w->calls++;
	if (ioevq_submit(&queue, &req, 1) == 1) {
		sem_post(&c->go);
		return true;
	}
	w->refused++;
	kill(pid, SIGKILL);
	return false;
}

void cgi_start(struct worker *w, struct conn *c, const char *path, const char *query)
{
	const char *name = path + strlen("/cgi/");
	int fds[2];
	pid_t pid;

	if (*name == '.' || strchr(name, '/') || faccessat(cgi_dir, name, X_OK, 0)) {
		conn_error(w, c, 404, "no such program");
		return;
	}
	if (pipe2(fds, O_CLOEXEC)) {
		conn_error(w, c, 503, "no pipe");
		return;
	}
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	c->pipe = fds[0];
	c->pos = HEAD_MAX;
	c->end = HEAD_MAX;
	c->awaited = 2;
	c->problem = NULL;
	sem_init(&c->go, 1, 0);
	pid = fork();
	if (!pid)
		run(c, fds[1], path, query);
	close(fds[1]);
	if (pid > 0 && watch_child(w, c, pid)) {
		wait_for_output(w, c);
		return;
	}
	close(c->pipe);
	c->pipe = -1;
	conn_error(w, c, 503, "no process");
}

/* Both of the awaited events have come. */
static void cgi_answer(struct worker *w, struct conn *c)
{
	char *body = memmem(c->buf + HEAD_MAX, c->end - HEAD_MAX, "\r\n\r\n", 4);
	char text[64] = "";

	if (c->problem)
		snprintf(text, sizeof(text), "%s", c->problem);
	else if (c->status < 0)
		snprintf(text, sizeof(text), "lost");
	else if (WIFSIGNALED(c->status))
		snprintf(text, sizeof(text), "killed by signal %d", WTERMSIG(c->status));
	else if (WEXITSTATUS(c->status))
		snprintf(text, sizeof(text), "exit status %d", WEXITSTATUS(c->status));
	else if (!body)
		snprintf(text, sizeof(text), "no header");
	if (*text) {
		conn_error(w, c, 502, text);
		return;
	}
	body += 4;
	conn_head(c, 200, c->buf + c->end - body, "");
	if (c->parser.method == HTTP_HEAD)
		c->end = (size_t)(body - c->buf);
	conn_send(w, c);
}

static void one_less(struct worker *w, struct conn *c)
{
	if (!__atomic_sub_fetch(&c->awaited, 1, __ATOMIC_ACQ_REL))
		cgi_answer(w, c);
}

void cgi_readable(struct worker *w, struct conn *c, int64_t res)
{
	if (res < 0)
		c->problem = "its output cannot be watched";
	while (!c->problem) {
		ssize_t n = read(c->pipe, c->buf + c->end, sizeof(c->buf) - c->end);

		if (n < 0 && errno == EAGAIN) {
			wait_for_output(w, c);
			return;
		}
		if (n <= 0)
			break;
		c->end += (size_t)n;
		if (c->end == sizeof(c->buf))
			c->problem = "too much output";
	}
	/* If it has more to say it will be told by SIGPIPE that nobody listens. */
	close(c->pipe);
	c->pipe = -1;
	one_less(w, c);
}

void cgi_ended(struct worker *w, struct conn *c, const struct ioevq_event *ev)
{
	c->status = ev->res < 0 ? -1 : IOEVQ_CHILD_STATUS(ev->data);
	one_less(w, c);
}

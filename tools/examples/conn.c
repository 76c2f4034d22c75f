// SPDX-License-Identifier: MIT
/*
 * A connection of the example server.
 *
 * Each function that is given a worker and a connection ends in one of two ways: a
 * request was added, and whoever takes its event goes on; or it was closed. Neither
 * may be followed by a look at the connection, which may be another worker's.
 */
#define _GNU_SOURCE
#include "httpd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int conn_fd(const struct conn *c)
{
	return (int)(c - arena->conns);
}

/* Go on with it when the socket is ready for one of @mask. */
static void conn_wait(struct worker *w, struct conn *c, uint32_t mask)
{
	ioevq_prep_poll(add_req(w), conn_fd(c), mask, IOEVQ_POLL_ONESHOT, (uintptr_t)c);
}

static void watch_listener(struct worker *w)
{
	ioevq_prep_poll(add_req(w), listener, POLLIN, IOEVQ_POLL_ONESHOT, 0);
}

/*
 * Only while no request of the connection is outstanding: its event would name a
 * connection that no longer exists. There is none, since we hold the event of the last
 * one. As soon as the descriptor is closed another worker may be given it by accept(),
 * and this connection's place in the arena with it.
 */
void conn_close(struct worker *w, struct conn *c)
{
	if (c->file >= 0)
		close(c->file);
	close(conn_fd(c));
	/* If there was no room for another connection nobody watches for one. */
	if (__atomic_fetch_sub(&arena->open, 1, __ATOMIC_ACQ_REL) == MAX_CONNS)
		watch_listener(w);
}

/* Callbacks of the parser. They return other than 0 to stop it. */
static int on_message_begin(http_parser *p)
{
	struct conn *c = p->data;

	c->target_len = 0;
	return 0;
}

static int on_url(http_parser *p, const char *at, size_t len)
{
	struct conn *c = p->data;

	if (len >= sizeof(c->target) - c->target_len)
		return 1;
	memcpy(c->target + c->target_len, at, len);
	c->target_len += len;
	return 0;
}

static int on_message_complete(http_parser *p)
{
	struct conn *c = p->data;

	c->keep_alive = http_should_keep_alive(p);
	http_parser_pause(p, 1);	/* what follows is the next request's */
	return 0;
}

static const http_parser_settings settings = {
	.on_message_begin = on_message_begin,
	.on_url = on_url,
	.on_message_complete = on_message_complete,
};

void conn_accept(struct worker *w)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct conn *c;

	if (fd < 0) {
		watch_listener(w);
		return;
	}
	c = &arena->conns[fd];
	http_parser_init(&c->parser, HTTP_REQUEST);
	c->parser.data = c;
	c->in_pos = 0;
	c->in_end = 0;
	c->pos = 0;
	c->end = 0;
	c->file = -1;
	c->file_left = 0;
	c->pipe = -1;
	conn_wait(w, c, POLLIN);
	if (__atomic_add_fetch(&arena->open, 1, __ATOMIC_ACQ_REL) < MAX_CONNS)
		watch_listener(w);
}

static bool is_head(const struct conn *c)
{
	return c->parser.method == HTTP_HEAD;
}

/*
 * Write the head of a response right before the body, which is in the buffer from
 * HEAD_MAX on. @length is that of the whole body, @more the rest of the head.
 */
void conn_head(struct conn *c, unsigned int status, off_t length, const char *more)
{
	char head[HEAD_MAX];
	int len = snprintf(head, sizeof(head),
			   "HTTP/1.1 %u %s\r\nContent-Length: %jd\r\nConnection: %s\r\n%s",
			   status, http_status_str((enum http_status)status), (intmax_t)length,
			   c->keep_alive ? "keep-alive" : "close", more);

	c->pos = HEAD_MAX - (size_t)len;
	memcpy(c->buf + c->pos, head, (size_t)len);
}

/* An answer that is made of its status and a line of text. */
void conn_error(struct worker *w, struct conn *c, unsigned int status, const char *text)
{
	int len = snprintf(c->buf + HEAD_MAX, BODY_MAX, "%s\n", text);

	w->failed += status == 503;
	conn_head(c, status, len, "Content-Type: text/plain\r\n\r\n");
	c->end = HEAD_MAX + (is_head(c) ? 0 : (size_t)len);
	conn_send(w, c);
}

/* The response was sent. */
static void conn_done(struct worker *w, struct conn *c)
{
	if (c->file >= 0)
		close(c->file);
	c->file = -1;
	if (!c->keep_alive) {
		conn_close(w, c);
		return;
	}
	http_parser_pause(&c->parser, 0);
	if (c->in_pos < c->in_end)
		/* The next request is here already, but others have waited longer. */
		ioevq_prep_nop(add_req(w), (uintptr_t)c);
	else
		conn_wait(w, c, POLLIN);
}

/* Read the next part of the file: goes on in conn_filled(), maybe in another worker. */
static void conn_read(struct worker *w, struct conn *c)
{
	size_t len = c->file_left < BODY_MAX ? (size_t)c->file_left : BODY_MAX;

	ioevq_prep_read(add_req(w), c->file, c->buf + HEAD_MAX, len, (uint64_t)c->file_pos,
			(uintptr_t)c);
}

void conn_filled(struct worker *w, struct conn *c, int64_t res)
{
	/* It has become shorter than was promised: all that is left is to break off. */
	if (res <= 0) {
		w->failed++;
		conn_close(w, c);
		return;
	}
	c->file_pos += res;
	c->file_left -= res;
	c->end = HEAD_MAX + (size_t)res;
	conn_send(w, c);
}

void conn_send(struct worker *w, struct conn *c)
{
	while (c->pos < c->end) {
		ssize_t n = send(conn_fd(c), c->buf + c->pos, c->end - c->pos,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			conn_wait(w, c, POLLOUT);
			return;
		}
		if (n < 0) {
			conn_close(w, c);
			return;
		}
		c->pos += (size_t)n;
	}
	c->pos = HEAD_MAX;
	c->end = HEAD_MAX;
	if (c->file_left)
		conn_read(w, c);
	else
		conn_done(w, c);
}

static void send_file(struct worker *w, struct conn *c, const char *path)
{
	/* Whatever the path: no file outside of the root, and no waiting for a FIFO. */
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	struct stat st;

	c->file = (int)syscall(SYS_openat2, docroot, path, &how, sizeof(how));
	if (c->file < 0 || fstat(c->file, &st) || !S_ISREG(st.st_mode)) {
		conn_error(w, c, 404, "no such file");
		return;
	}
	conn_head(c, 200, st.st_size, "Content-Type: application/octet-stream\r\n\r\n");
	c->end = HEAD_MAX;
	c->file_pos = 0;
	c->file_left = is_head(c) ? 0 : st.st_size;
	if (c->file_left)
		conn_read(w, c);	/* to be sent together with the head */
	else
		conn_send(w, c);
}

/* The string in field @f of the request's target, "" if there is none. */
static const char *url_part(struct conn *c, const struct http_parser_url *url,
			    enum http_parser_url_fields f)
{
	if (!(url->field_set & 1 << f))
		return "";
	/* The byte behind it begins the next field, which we have already read. */
	c->target[url->field_data[f].off + url->field_data[f].len] = '\0';
	return c->target + url->field_data[f].off;
}

static void answer(struct worker *w, struct conn *c)
{
	enum http_errno error = HTTP_PARSER_ERRNO(&c->parser);
	struct http_parser_url url;
	const char *query, *path;

	w->requests++;
	http_parser_url_init(&url);
	if (error != HPE_PAUSED) {
		c->keep_alive = false;	/* where would the next request begin? */
		conn_error(w, c, error == HPE_CB_url ? 414 : 400, http_errno_description(error));
		return;
	}
	if (c->parser.method != HTTP_GET && c->parser.method != HTTP_HEAD) {
		conn_error(w, c, 501, "only GET and HEAD");
		return;
	}
	if (http_parser_parse_url(c->target, c->target_len, 0, &url)) {
		conn_error(w, c, 400, "invalid target");
		return;
	}
	query = url_part(c, &url, UF_QUERY);
	path = url_part(c, &url, UF_PATH);
	if (!strncmp(path, "/cgi/", 5))
		cgi_start(w, c, path, query);
	else
		send_file(w, c, path + (*path == '/'));
}

/* Take what has come up to the end of a request. False: there is more to wait for. */
static bool parse(struct conn *c)
{
	c->in_pos += http_parser_execute(&c->parser, &settings, c->in + c->in_pos,
					 c->in_end - c->in_pos);
	/* To be interrupted by the end of a request is an error in the parser's words. */
	return HTTP_PARSER_ERRNO(&c->parser) != HPE_OK;
}

static void conn_receive(struct worker *w, struct conn *c)
{
	while (c->in_pos == c->in_end || !parse(c)) {
		ssize_t n = recv(conn_fd(c), c->in, sizeof(c->in), MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			conn_wait(w, c, POLLIN);
			return;
		}
		if (n <= 0) {
			conn_close(w, c);
			return;
		}
		c->in_pos = 0;
		c->in_end = (size_t)n;
	}
	answer(w, c);
}

void conn_ready(struct worker *w, struct conn *c)
{
	if (c->pos < c->end)
		conn_send(w, c);
	else
		conn_receive(w, c);
}

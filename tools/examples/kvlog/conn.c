// SPDX-License-Identifier: MIT
/*
 * Clients. A line each way for each request:
 *
 *	PUT KEY VALUE	OK NUMBER	when it is durable
 *	GET KEY		VALUE TEXT	or NONE: what is durable, at once
 *	anything else	ERROR
 *
 * Requests may be sent before the last one is answered. PUTs are answered in their order.
 */
#define _GNU_SOURCE
#include "kvlog.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OK_MAX	32			/* bytes of an answer to PUT */
#define REQUEST_MAX (KEY_MAX + VALUE_MAX + 16)

/*
 * @fd: -1 when it is closed
 * @mask: what its watch is for
 * @waiting: PUTs that are not durable yet: while there are any, it must not be freed
 * @eof: the client will send no more, but may want to know
 * @watched: the last event of its watch is still to come
 * @full: it has a request that there is no room for
 */
struct conn {
	struct conn *next;
	int fd;
	uint32_t mask;
	unsigned int waiting;
	bool eof;
	bool watched;
	bool full;
	size_t in_len;
	size_t out_len;
	char in[4 * REQUEST_MAX];
	char out[8 * REQUEST_MAX];
};

static struct conn *conns;

static void conn_free(struct conn *c)
{
	struct conn **p = &conns;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	free(c);
}

static void conn_close(struct conn *c)
{
	close(c->fd);
	c->fd = -1;
}

void conn_accept(const struct ioevq *q, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct ioevq_req req;
	struct conn *c;
	int ret;

	if (fd < 0)
		return;
	c = calloc(1, sizeof(*c));
	if (!c)
		die("a new client", ENOMEM);
	c->fd = fd;
	c->mask = POLLIN;
	c->watched = true;
	c->next = conns;
	conns = c;
	ioevq_prep_poll(&req, fd, c->mask, IOEVQ_POLL_LEVEL, (uintptr_t)c);
	ret = ioevq_submit(q, &req, 1);
	if (ret < 0)
		die("watch a client", -ret);
}

static void answer(struct conn *c, const char *word, struct text text)
{
	c->out_len += (size_t)sprintf(c->out + c->out_len, "%s", word);
	memcpy(c->out + c->out_len, text.at, text.len);
	c->out_len += text.len;
	c->out[c->out_len++] = '\n';
}

void conn_durable(struct conn *c, uint64_t seq)
{
	c->waiting--;
	if (c->fd >= 0)
		c->out_len += (size_t)sprintf(c->out + c->out_len, "OK %llu\n",
					      (unsigned long long)seq);
}

/* The text up to the next space, or all; what is behind that is left. */
static struct text word(struct text *line)
{
	const char *space = memchr(line->at, ' ', line->len);
	struct text w = { line->at, space ? (size_t)(space - line->at) : line->len };
	size_t skip = w.len + !!space;

	line->at += skip;
	line->len -= skip;
	return w;
}

static bool is(struct text w, const char *name)
{
	return w.len == strlen(name) && !memcmp(w.at, name, w.len);
}

/* False: there is no room for it now. */
static bool do_line(struct conn *c, struct text line)
{
	struct text op = word(&line), key = word(&line), value;
	bool good = key.len && key.len <= KEY_MAX && line.len <= VALUE_MAX;

	if (good && is(op, "PUT")) {
		if (!commit_put(c, key, line))
			return false;
		c->waiting++;
	} else if (good && is(op, "GET")) {
		if (store_get(key, &value))
			answer(c, "VALUE ", value);
		else
			answer(c, "NONE", (struct text){ "", 0 });
	} else {
		answer(c, "ERROR", (struct text){ "", 0 });
	}
	return true;
}

/* Is there room for the answers to what waits, and to one more request? */
static bool room(const struct conn *c)
{
	return c->out_len + (c->waiting + 1) * OK_MAX + REQUEST_MAX <= sizeof(c->out);
}

static void do_lines(struct conn *c)
{
	size_t at = 0, len;
	char *end;

	c->full = false;
	while ((end = memchr(c->in + at, '\n', c->in_len - at))) {
		len = (size_t)(end - c->in) - at;
		c->full = !room(c) || !do_line(c, (struct text){ c->in + at, len });
		if (c->full)
			break;
		at += len + 1;
	}
	c->in_len -= at;
	memmove(c->in, c->in + at, c->in_len);
	/* A line that does not fit is none of a client that we talk to. */
	if (c->in_len == sizeof(c->in) && !c->full)
		c->eof = true;
}

static void receive(struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);

	if (n > 0)
		c->in_len += (size_t)n;
	else if (!n)
		c->eof = true;
	else if (errno != EAGAIN && errno != EINTR)
		conn_close(c);
}

static void transmit(struct conn *c)
{
	ssize_t n = send(c->fd, c->out, c->out_len, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		conn_close(c);
	} else if (n > 0) {
		c->out_len -= (size_t)n;
		memmove(c->out, c->out + n, c->out_len);
	}
}

void conn_event(const struct ioevq *q, struct conn *c, const struct ioevq_event *ev)
{
	(void)q;
	if (!(ev->flags & IOEVQ_EVENT_MORE))
		c->watched = false;
	if (c->fd < 0)
		return;			/* closed, and this was under way */
	if (ev->res & (POLLERR | POLLHUP))
		conn_close(c);
	else if (ev->res & POLLIN && !c->eof && c->in_len < sizeof(c->in))
		receive(c);
}

/* What can be done for a client, after all events of a turn. */
static void go_on(const struct ioevq *q, struct conn *c)
{
	uint32_t mask;
	int ret;

	if (c->fd >= 0 && c->in_len)
		do_lines(c);
	if (c->fd >= 0 && c->out_len)
		transmit(c);
	if (c->fd >= 0 && c->eof && !c->full && !c->waiting && !c->out_len)
		conn_close(c);
	if (c->fd < 0) {
		if (!c->watched && !c->waiting)
			conn_free(c);
		return;
	}
	/* Who does not read his answers is not read from either. */
	mask = (c->out_len ? POLLOUT : 0) | (c->eof || c->full ? 0 : POLLIN);
	if (mask == c->mask)
		return;
	ret = ioevq_poll_mod(q, c->fd, mask, IOEVQ_POLL_LEVEL, (uintptr_t)c);
	if (ret)
		die("change the watch of a client", -ret);
	c->mask = mask;
}

void conn_go_on(const struct ioevq *q)
{
	struct conn *c, *next;

	for (c = conns; c; c = next) {
		next = c->next;
		go_on(q, c);
	}
}

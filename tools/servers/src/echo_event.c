// SPDX-License-Identifier: MIT
/*
 * An echo server on libevent: each request, a size and a delay in milliseconds and
 * so many bytes, comes back after that time. Ends by SIGTERM.
 */
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST (1u << 20)

struct conn {
	struct bufferevent *bev;
	struct answer *first;
};

struct answer {
	struct conn *conn;
	struct answer *next;
	struct event *timer;
	size_t size;
	unsigned char data[];
};

static struct event_base *base;

static void conn_free(struct conn *conn)
{
	struct answer *answer;

	while ((answer = conn->first)) {
		conn->first = answer->next;
		event_free(answer->timer);
		free(answer);
	}
	bufferevent_free(conn->bev);
	free(conn);
}

static void answer_due(evutil_socket_t fd, short what, void *arg)
{
	struct answer *answer = arg, **p;

	(void)fd;
	(void)what;
	for (p = &answer->conn->first; *p != answer; p = &(*p)->next)
		;
	*p = answer->next;
	bufferevent_write(answer->conn->bev, answer->data, answer->size);
	event_free(answer->timer);
	free(answer);
}

static void conn_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct conn *conn = arg;
	struct answer *answer;
	struct timeval tv;
	uint32_t head[2], ms;
	size_t size;

	while (evbuffer_copyout(in, head, sizeof(head)) == sizeof(head)) {
		size = sizeof(head) + ntohl(head[0]);
		ms = ntohl(head[1]);
		if (size > LARGEST) {
			conn_free(conn);
			return;
		}
		if (evbuffer_get_length(in) < size)
			return;
		if (!ms) {
			evbuffer_remove_buffer(in, bufferevent_get_output(bev), size);
			continue;
		}
		answer = malloc(sizeof(*answer) + size);
		if (!answer)
			abort();
		answer->conn = conn;
		answer->size = size;
		evbuffer_remove(in, answer->data, size);
		answer->next = conn->first;
		conn->first = answer;
		answer->timer = evtimer_new(base, answer_due, answer);
		tv.tv_sec = ms / 1000;
		tv.tv_usec = ms % 1000 * 1000;
		evtimer_add(answer->timer, &tv);
	}
}

static void conn_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		conn_free(arg);
}

static void accepted(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr,
		     int len, void *arg)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	(void)listener;
	(void)addr;
	(void)len;
	(void)arg;
	if (!conn)
		abort();
	conn->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(conn->bev, conn_read, NULL, conn_event, conn);
	bufferevent_enable(conn->bev, EV_READ | EV_WRITE);
}

static void ended(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	event_base_loopbreak(base);
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(argc > 1 ? atoi(argv[1]) : 7),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct evconnlistener *listener;
	struct event *term;

	signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	if (!base || strcmp(event_base_get_method(base), "epoll") &&
	    strcmp(event_base_get_method(base), "epoll (with changelist)")) {
		fprintf(stderr, "not on epoll\n");
		return 1;
	}
	listener = evconnlistener_new_bind(base, accepted, NULL,
					   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 128,
					   (struct sockaddr *)&addr, sizeof(addr));
	if (!listener) {
		perror("listen");
		return 1;
	}
	term = evsignal_new(base, SIGTERM, ended, NULL);
	evsignal_add(term, NULL);
	event_base_dispatch(base);
	event_free(term);
	evconnlistener_free(listener);
	event_base_free(base);
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * An echo server on libuv: each request, a size and a delay in milliseconds and so
 * many bytes, comes back after that time, if there is any through a thread of the
 * library's pool. Ends by SIGTERM.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define LARGEST (1u << 20)

struct conn {
	uv_tcp_t tcp;
	/* The handle, and each answer that is to come. */
	unsigned int users;
	size_t used;
	unsigned char data[LARGEST];
};

struct answer {
	struct conn *conn;
	uv_timer_t timer;
	uv_work_t work;
	uv_write_t write;
	size_t size;
	unsigned char data[];
};

static void conn_put(struct conn *conn)
{
	if (!--conn->users)
		free(conn);
}

static void conn_closed(uv_handle_t *handle)
{
	conn_put(handle->data);
}

static void conn_close(struct conn *conn)
{
	if (!uv_is_closing((uv_handle_t *)&conn->tcp))
		uv_close((uv_handle_t *)&conn->tcp, conn_closed);
}

static void answer_free(struct answer *answer)
{
	conn_put(answer->conn);
	free(answer);
}

static void answer_closed(uv_handle_t *handle)
{
	answer_free(handle->data);
}

static void answer_end(struct answer *answer)
{
	uv_close((uv_handle_t *)&answer->timer, answer_closed);
}

static void answer_written(uv_write_t *req, int status)
{
	(void)status;
	answer_end(req->data);
}

static void answer_write(struct answer *answer)
{
	uv_buf_t buf = uv_buf_init((char *)answer->data, (unsigned int)answer->size);

	answer->write.data = answer;
	if (uv_is_closing((uv_handle_t *)&answer->conn->tcp) ||
	    uv_write(&answer->write, (uv_stream_t *)&answer->conn->tcp, &buf, 1, answer_written))
		answer_end(answer);
}

static void in_thread(uv_work_t *work)
{
	(void)work;
}

static void thread_done(uv_work_t *work, int status)
{
	(void)status;
	answer_write(work->data);
}

static void answer_due(uv_timer_t *timer)
{
	struct answer *answer = timer->data;

	answer->work.data = answer;
	if (uv_queue_work(timer->loop, &answer->work, in_thread, thread_done))
		abort();
}

static void answer_new(struct conn *conn, const unsigned char *data, size_t size, uint32_t ms)
{
	struct answer *answer = malloc(sizeof(*answer) + size);

	if (!answer)
		abort();
	answer->conn = conn;
	conn->users++;
	answer->size = size;
	memcpy(answer->data, data, size);
	uv_timer_init(conn->tcp.loop, &answer->timer);
	answer->timer.data = answer;
	if (ms)
		uv_timer_start(&answer->timer, answer_due, ms, 0);
	else
		answer_write(answer);
}

static void conn_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	struct conn *conn = handle->data;

	(void)size;
	*buf = uv_buf_init((char *)conn->data + conn->used, (unsigned int)(LARGEST - conn->used));
}

static void conn_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct conn *conn = stream->data;
	uint32_t head[2];
	size_t at = 0, size;

	(void)buf;
	if (n < 0) {
		conn_close(conn);
		return;
	}
	conn->used += (size_t)n;
	while (conn->used - at >= sizeof(head)) {
		memcpy(head, conn->data + at, sizeof(head));
		size = sizeof(head) + ntohl(head[0]);
		if (size > LARGEST) {
			conn_close(conn);
			return;
		}
		if (conn->used - at < size)
			break;
		answer_new(conn, conn->data + at, size, ntohl(head[1]));
		at += size;
	}
	memmove(conn->data, conn->data + at, conn->used - at);
	conn->used -= at;
}

static void connected(uv_stream_t *server, int status)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (!conn || status)
		abort();
	conn->users = 1;
	uv_tcp_init(server->loop, &conn->tcp);
	conn->tcp.data = conn;
	if (uv_accept(server, (uv_stream_t *)&conn->tcp) ||
	    uv_read_start((uv_stream_t *)&conn->tcp, conn_alloc, conn_read))
		conn_close(conn);
}

static void ended(uv_signal_t *signal, int number)
{
	(void)number;
	uv_stop(signal->loop);
}

int main(int argc, char **argv)
{
	uv_loop_t *loop = uv_default_loop();
	struct sockaddr_in addr;
	uv_signal_t term;
	uv_tcp_t server;

	signal(SIGPIPE, SIG_IGN);
	uv_ip4_addr("127.0.0.1", argc > 1 ? atoi(argv[1]) : 7, &addr);
	uv_tcp_init(loop, &server);
	if (uv_tcp_bind(&server, (struct sockaddr *)&addr, 0) ||
	    uv_listen((uv_stream_t *)&server, 128, connected)) {
		perror("listen");
		return 1;
	}
	uv_signal_init(loop, &term);
	uv_signal_start(&term, ended, SIGTERM);
	uv_run(loop, UV_RUN_DEFAULT);
	return 0;
}

// SPDX-License-Identifier: MIT
/* The echo server by coroutines: one for each connection, the listener, the timer, the child. */
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <poll.h>

#include <ioevq.hpp>

extern "C" {
#include "echo.h"
}

using namespace std::chrono_literals;

/* What a connection has goes with it, however that ends. */
struct connection {
	struct client *c;

	explicit connection(struct client *client) : c(client) {}
	connection(const connection &) = delete;
	connection &operator=(const connection &) = delete;
	~connection()
	{
		client_close(c);
		std::free(c);
	}
};

static evq::task<> serve(evq::queue &q, struct client *client)
{
	connection conn(client);
	std::size_t n, written;
	std::error_code ec;

	for (;;) {
		n = co_await q.read(client->fd, client->buf, sizeof(client->buf)).with(ec);
		if (ec || !n)
			break;
		written = co_await q.write(client->fd, client->buf, n).with(ec);
		client_count(written);
		if (written < n)
			break;
	}
}

static evq::task<> accept_all(evq::queue &q, int listener)
{
	for (;;) {
		co_await q.poll(listener, POLLIN);
		while (struct client *client = client_accept(listener))
			q.spawn(serve(q, client));
	}
}

static evq::task<> print_every_second(evq::queue &q)
{
	auto next = std::chrono::steady_clock::now();

	for (;;) {
		co_await q.timer(next += 1s);
		print_state();
	}
}

/* The server ends when its child does. All others are destroyed with the queue. */
static evq::task<int> watch_child(evq::queue &q, pid_t pid)
{
	evq::child_exit e = co_await q.child(pid);

	co_return e.info.si_code == CLD_EXITED ? e.info.si_status : 1;
}

int main(int argc, char **argv)
{
	int listener = open_listener(argc, argv);
	pid_t child = start_child(argv);

	std::signal(SIGPIPE, SIG_IGN);
	try {
		evq::queue q;

		q.spawn(accept_all(q, listener));
		q.spawn(print_every_second(q));
		return q.run(watch_child(q, child));
	} catch (const std::system_error &e) {
		die("queue", e.code().value());
	}
}

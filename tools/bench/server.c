// SPDX-License-Identifier: GPL-2.0-only
/*
 * A whole server: the echo server of tools/examples/echo, line by line the same on epoll and on
 * ioevq, with clients by TCP in this thread. An event is a request of 64 bytes and its answer,
 * with all that both ends and the network do for it.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "bench.h"

#define CLIENTS	64
#define SIZE	64

struct server {
	pid_t pid;
	unsigned int k;			/* clients that ask at once */
	int fds[CLIENTS];
};

static const struct {
	const char *name, *program;
	enum kind kind;
} servers[] = {
	{ "epoll LT", "build/examples/echo-epoll", PEER },
	{ "ioevq level", "build/examples/echo-ioevq", OURS },
	{ "ioevq edge", "build/examples/echo-ioevq-edge", OURS },
};

/* It lives until it is killed: its own child, which it waits for, goes with this process. */
static pid_t start(const char *program, const char *port)
{
	int null, hold[2];
	pid_t pid;

	MUST(pipe2(hold, O_CLOEXEC));
	pid = MUST(fork());
	if (pid)
		return pid;
	null = MUST(open("/dev/null", O_WRONLY));
	MUST(dup2(hold[0], STDIN_FILENO));
	/* A line each second, which nobody wants to see. */
	MUST(dup2(null, STDERR_FILENO));
	execl(program, program, port, "cat", NULL);
	_exit(127);
}

/* As soon as the server listens. */
static int dial(int port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	unsigned int tries = 1000;
	int one = 1, fd;

	for (;;) {
		fd = MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
		if (!connect(fd, (struct sockaddr *)&to, sizeof(to)))
			break;
		if (errno != ECONNREFUSED || !--tries)
			die("connect to the server");
		close(fd);
		usleep(10000);
	}
	MUST(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)));
	return fd;
}

static void round_server(void *arg)
{
	struct server *s = arg;
	char buf[SIZE] = "";
	unsigned int i;

	for (i = 0; i < s->k; i++)
		if (send(s->fds[i], buf, sizeof(buf), 0) != sizeof(buf))
			die("send");
	for (i = 0; i < s->k; i++)
		if (recv(s->fds[i], buf, sizeof(buf), MSG_WAITALL) != sizeof(buf))
			die("recv");
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Throughput, by the clock of the host: the best of some runs, for the host is not ours. */
static void time_server(const struct row *row, struct server *s)
{
	unsigned int n = (quick ? 1000 : 3000) / s->k, run, i;
	double best = 0, t;

	for (run = 0; run < 3; run++) {
		t = now();
		for (i = 0; i < n; i++)
			round_server(s);
		t = n * s->k / (now() - t);
		if (t > best)
			best = t;
	}
	put_value(row, "requests a second, noisy", best);
}

static void run_servers(bool by_clock)
{
	static const unsigned int active[] = { 1, CLIENTS };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(servers); i++) {
		struct server s;
		char port[8];

		snprintf(port, sizeof(port), "%u", 7100 + i);
		s.pid = start(servers[i].program, port);
		for (j = 0; j < CLIENTS; j++)
			s.fds[j] = dial(atoi(port));
		for (j = 0; j < ARRAY_SIZE(active); j++) {
			const struct row row = {
				.question = by_clock ? "server, two CPUs" : "server",
				.object = "tcp", .name = servers[i].name, .kind = servers[i].kind,
				.n = CLIENTS, .k = active[j], .median = true,
			};

			s.k = active[j];
			if (by_clock)
				time_server(&row, &s);
			else
				measure(&row, round_server, &s);
		}
		kill(s.pid, SIGKILL);
		MUST(waitpid(s.pid, NULL, 0));
		for (j = 0; j < CLIENTS; j++)
			close(s.fds[j]);
	}
}

void bench_server(void)
{
	run_servers(false);
}

void bench_server_by_clock(void)
{
	run_servers(true);
}

// SPDX-License-Identifier: MIT
/* Signals to the supervisor: what each is for. */
#include <signal.h>
#include <string.h>

#include "supervise.h"

static const struct {
	int sig;
	enum { STOP, RELOAD, FORWARD } what;
} signals[] = {
	{ SIGTERM, STOP },
	{ SIGINT, STOP },
	{ SIGQUIT, STOP },
	{ SIGHUP, RELOAD },
	{ SIGUSR1, FORWARD },
	{ SIGUSR2, FORWARD },
	{ SIGWINCH, FORWARD },
};

#define BATCH	8

static int fd;

int signals_watch(void)
{
	unsigned int i;
	sigset_t set;

	/* Who ignores this has the kernel reap children, and does not learn how they ended. */
	signal(SIGCHLD, SIG_DFL);
	/* These are told by errors. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	sigemptyset(&set);
	for (i = 0; i < ARRAY_SIZE(signals); i++) {
		sigaddset(&set, signals[i].sig);
		/* What is ignored is not seen, blocked or not. */
		signal(signals[i].sig, SIG_DFL);
	}
	fd = ioevq_watch_signals(&sv.q, &set, TAG(KIND_SIGNAL, 0));
	return fd < 0 ? fd : 0;
}

static void received(int sig)
{
	unsigned int i;

	for (i = 0; signals[i].sig != sig; i++)
		;
	switch (signals[i].what) {
	case STOP:
		log_line(NULL, "SIG%s: %s", sigabbrev_np(sig),
			 sv.stopping ? "stops at once" : "stops");
		services_stop();
		break;
	case RELOAD:
		if (!sv.stopping)
			reload();
		break;
	case FORWARD:
		services_signal(sig);
		break;
	}
}

void signals_event(void)
{
	struct ioevq_event events[BATCH];
	int i, n = ioevq_take_signals(fd, 0, events, NULL, BATCH);

	for (i = 0; i < n; i++)
		received((int)events[i].res);
}

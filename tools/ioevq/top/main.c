// SPDX-License-Identifier: MIT
/* ioevq top: the command line. */
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "top.h"

static const char help[] =
	"usage: ioevq top [OPTION...]\n"
	"\n"
	"Shows the queues of all processes that you may look at, and what they do; as root, of\n"
	"all. Keys: q quits, s changes the order, arrows move, space looks again.\n"
	"\n"
	"  --once             print one table, and end\n"
	"  --json             the same as a JSON document\n"
	"  --pid PID          only queues of this process\n"
	"  --interval N       look every N seconds, 0.1 to 3600 (1)\n"
	"  --sort ORDER       what has most first: events, wake-ups, backlog, armed; or number\n"
	"  --help             this\n"
	"\n"
	"  QUEUE              its number in ioevq trace; only for root\n"
	"  PID FD             one of its descriptors; COMMAND+N: N more processes have it\n"
	"  EVENTS/s WAKES/s   events posted, and consumers woken for them\n"
	"  READY              events that can be taken\n"
	"  BACKLOG MAX        of these outside of the ring; and the most there ever were\n"
	"  RUN/LIM            consumers that run, of its concurrency value\n"
	"  SLEEP              consumers that wait\n"
	"  ARMED              requests that have not ended, by operation\n"
	"\n"
	"See ioevq-top(1).\n";

struct mode {
	bool once, json, help;
	double interval;
};

static bool parse_interval(const char *text, double *value)
{
	char *end;

	*value = strtod(text, &end);
	return end != text && !*end && *value >= 0.1 && *value <= 3600;
}

static bool parse_order(const char *text, enum order *order)
{
	unsigned int i;

	for (i = 0; i < ORDERS; i++) {
		if (!strcmp(text, order_names[i])) {
			*order = i;
			return true;
		}
	}
	return false;
}

static bool parse_pid(const char *text, pid_t *pid)
{
	char *end;
	long n = strtol(text, &end, 10);

	*pid = n;
	return end != text && !*end && n > 0 && n <= INT_MAX;
}

/* 0, or the exit status, and it was said why. */
static int parse_options(int argc, char **argv, struct mode *mode, struct view *view)
{
	enum { ONCE, JSON, PID, INTERVAL, SORT };
	static const struct option options[] = {
		{ "once", no_argument, NULL, ONCE },
		{ "json", no_argument, NULL, JSON },
		{ "pid", required_argument, NULL, PID },
		{ "interval", required_argument, NULL, INTERVAL },
		{ "sort", required_argument, NULL, SORT },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case ONCE:
			mode->once = true;
			break;
		case JSON:
			mode->json = true;
			break;
		case PID:
			if (parse_pid(optarg, &view->pid))
				break;
			complain("--pid %s: no process ID", optarg);
			return EXIT_USAGE;
		case INTERVAL:
			if (parse_interval(optarg, &mode->interval))
				break;
			complain("--interval %s: no number of seconds, 0.1 to 3600", optarg);
			return EXIT_USAGE;
		case SORT:
			if (parse_order(optarg, &view->order))
				break;
			complain("--sort %s: not one of events, wake-ups, backlog, armed, number",
				 optarg);
			return EXIT_USAGE;
		case 'h':
			mode->help = true;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return 0;
	complain("top takes no arguments: see ioevq top --help");
	return EXIT_USAGE;
}

/* Two looks, for there is no rate without. */
static int look_twice(struct view *view, double interval)
{
	struct timespec ts = {
		.tv_sec = (time_t)interval,
		.tv_nsec = (long)((interval - (time_t)interval) * 1e9),
	};
	int err = view_update(view);

	if (err)
		return err;
	nanosleep(&ts, NULL);
	return view_update(view);
}

int top_main(int argc, char **argv)
{
	struct mode mode = { .interval = 1 };
	struct view view = {};
	int status, fd;

	status = parse_options(argc, argv, &mode, &view);
	if (status)
		return status;
	if (mode.help) {
		fputs(help, stdout);
		return 0;
	}
	if (view.pid) {
		fd = open_process(view.pid);
		if (fd < 0)
			return 1;
		close(fd);
	}
	if (!mode.once && !mode.json) {
		if (isatty(STDOUT_FILENO) && isatty(STDIN_FILENO)) {
			status = show_screen(&view, mode.interval);
			view_free(&view);
			return status;
		}
		complain("this is no terminal: use --once or --json");
		return EXIT_USAGE;
	}
	status = look_twice(&view, mode.interval);
	if (status) {
		complain("/proc: %s", strerror(-status));
		return 1;
	}
	if (mode.json)
		show_json(&view);
	else
		show_text(&view);
	view_free(&view);
	return 0;
}

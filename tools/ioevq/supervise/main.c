// SPDX-License-Identifier: MIT
/* ioevq supervise: the command line. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervise.h"

#define MAX_SECONDS	1000000

static const char help[] =
	"usage: ioevq supervise [OPTION...] SERVICES\n"
	"       ioevq supervise --status [--json] [--control SOCKET]\n"
	"\n"
	"Runs SERVICES and starts them again when they end: a file of lines NAME: COMMAND, or\n"
	"a directory of programs and of directories with a program \"run\".\n"
	"\n"
	"  --log FILE             append to FILE what happens (standard error)\n"
	"  --backoff MIN..MAX     delay of a restart, in seconds; doubled each time until the\n"
	"                         service runs for MAX (1..60)\n"
	"  --stop-timeout N       kill what does not stop within N seconds (10)\n"
	"  --once                 start nothing again, and exit when all have ended\n"
	"  --check                tell what is wrong with SERVICES, and run nothing\n"
	"  --control SOCKET       answer --status there; none: nowhere\n"
	"                         (/run/ioevq-supervise.sock, or the same in $XDG_RUNTIME_DIR)\n"
	"  --status               ask a supervisor what its services do\n"
	"  --json                 the same as a JSON document\n"
	"  --help                 this\n"
	"\n"
	"SIGTERM, SIGINT and SIGQUIT stop all, a second one at once; SIGHUP reads SERVICES again;\n"
	"SIGUSR1, SIGUSR2 and SIGWINCH are passed on. See ioevq-supervise(1).\n";

/* A time, of which all is digits but one point. */
static bool parse_seconds(const char *text, size_t len, int64_t *ns)
{
	char copy[32], *end;
	double s;

	if (!len || len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = 0;
	if (copy[strspn(copy, "0123456789.")])
		return false;
	s = strtod(copy, &end);
	if (end == copy || *end || s > MAX_SECONDS)
		return false;
	*ns = (int64_t)(s * SECOND);
	return true;
}

static bool parse_backoff(const char *text)
{
	const char *dots = strstr(text, "..");

	return dots && parse_seconds(text, dots - text, &sv.backoff_min) &&
	       parse_seconds(dots + 2, strlen(dots + 2), &sv.backoff_max) &&
	       sv.backoff_min >= SECOND / 100 && sv.backoff_max >= sv.backoff_min;
}

static const char *default_control(void)
{
	const char *dir = geteuid() ? getenv("XDG_RUNTIME_DIR") : "/run";
	char *path;

	if (!dir || !*dir || asprintf(&path, "%s/ioevq-supervise.sock", dir) < 0) {
		complain("no XDG_RUNTIME_DIR for the control socket: name one by --control");
		return NULL;
	}
	return path;
}

static void complain_of_services(void *arg, unsigned int line, const char *what)
{
	(void)arg;
	if (line)
		complain("%s:%u: %s", sv.path, line, what);
	else
		complain("%s: %s", sv.path, what);
}

struct mode {
	bool check, status, json, help;
};

/* 0, or the exit status, and it was said why. */
static int parse_options(int argc, char **argv, struct mode *mode)
{
	enum { LOG, BACKOFF, STOP_TIMEOUT, ONCE, CHECK, CONTROL, STATUS, JSON };
	static const struct option options[] = {
		{ "log", required_argument, NULL, LOG },
		{ "backoff", required_argument, NULL, BACKOFF },
		{ "stop-timeout", required_argument, NULL, STOP_TIMEOUT },
		{ "once", no_argument, NULL, ONCE },
		{ "check", no_argument, NULL, CHECK },
		{ "control", required_argument, NULL, CONTROL },
		{ "status", no_argument, NULL, STATUS },
		{ "json", no_argument, NULL, JSON },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case LOG:
			sv.log = optarg;
			break;
		case BACKOFF:
			if (parse_backoff(optarg))
				break;
			complain("--backoff %s: not as 1..60, seconds, from 0.01 on", optarg);
			return EXIT_USAGE;
		case STOP_TIMEOUT:
			if (parse_seconds(optarg, strlen(optarg), &sv.stop_timeout))
				break;
			complain("--stop-timeout %s: no number of seconds", optarg);
			return EXIT_USAGE;
		case ONCE:
			sv.once = true;
			break;
		case CHECK:
			mode->check = true;
			break;
		case CONTROL:
			sv.control = optarg;
			break;
		case STATUS:
			mode->status = true;
			break;
		case JSON:
			mode->json = true;
			break;
		case 'h':
			mode->help = true;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	return 0;
}

/* What is left of the arguments, and whether they go together: the same. */
static int check_arguments(int nr, const struct mode *mode)
{
	if (mode->status && nr)
		complain("--status takes no SERVICES: see ioevq supervise --help");
	else if (!mode->status && nr != 1)
		complain("%s: see ioevq supervise --help", nr ? "more than one argument" :
			 "no SERVICES");
	else if (mode->json && !mode->status)
		complain("--json is for --status");
	else
		return 0;
	return EXIT_USAGE;
}

int supervise_main(int argc, char **argv)
{
	struct mode mode = {};
	struct spec *list;
	int status;

	status = parse_options(argc, argv, &mode);
	if (status)
		return status;
	if (mode.help) {
		fputs(help, stdout);
		return 0;
	}
	status = check_arguments(argc - optind, &mode);
	if (status)
		return status;
	if (!mode.check && !sv.control) {
		sv.control = default_control();
		if (!sv.control)
			return EXIT_USAGE;
	}
	if (mode.status)
		return client_main(sv.control, mode.json);
	if (sv.control && !strcmp(sv.control, "none"))
		sv.control = NULL;
	sv.path = argv[optind];
	if (load_services(sv.path, &list, complain_of_services, NULL))
		return EXIT_USAGE;
	if (!mode.check)
		return supervise(list);
	specs_free(list);
	return 0;
}

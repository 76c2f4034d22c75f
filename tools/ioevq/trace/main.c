// SPDX-License-Identifier: MIT
/* ioevq trace: the command line, and whose queues are shown. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trace.h"

static const char help[] =
	"usage: ioevq trace [OPTION...] [--] [PROGRAM [ARG...]]\n"
	"\n"
	"Shows requests and events of queues as they happen, until interrupted, or as long as\n"
	"PROGRAM runs: what it does with its queues. For root.\n"
	"\n"
	"  --pid PID        only queues that process PID has, or uses\n"
	"  --queue N        only the queue of this number, see ioevq top\n"
	"  --op OP          only requests and events of this operation: POLL, READ ...\n"
	"  --output FILE    write to FILE (standard output)\n"
	"  --help           this\n"
	"\n"
	"A line is TIME THREAD QUEUE WHAT ...; the time in seconds since the first:\n"
	"\n"
	"  submit           a request; what follows is its business\n"
	"  refuse, done     it has failed, or succeeded, and has no event\n"
	"  cancel           it is ended by a CANCEL or CLOSE\n"
	"  post             an event #N, in the context of who made it happen\n"
	"  take             it was taken by a system call, and so long after\n"
	"  wait, awake      a consumer sleeps for so many events; does no more\n"
	"  wake             it was woken\n"
	"\n"
	"What is taken from the mapped ring is not seen. The status is that of PROGRAM; 125: it\n"
	"was not run; 126, 127: it cannot be. See ioevq-trace(1).\n";

static struct {
	struct filter filter;
	pid_t pid;			/* 0: all */
	int pidfd;			/* of that, if it is no child of ours */
	long long *queues;		/* of that */
	unsigned int nr;
	const char *output;
	FILE *to;
	int err;			/* why that is incomplete */
} opt = { .filter = { .op = -1 } };

static atomic_int signals, last_signal;

static void handle_signals(int flags);

/* The next one interrupts a write, too. */
static void end(int signal)
{
	signals++;
	last_signal = signal;
	handle_signals(0);
}

static void handle_signals(int flags)
{
	const struct sigaction action = { .sa_handler = end, .sa_flags = flags };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

static void add_queue(long long queue)
{
	long long *more = realloc(opt.queues, (opt.nr + 1) * sizeof(*more));

	if (!more)
		return;
	opt.queues = more;
	opt.queues[opt.nr++] = queue;
}

static bool is_known(long long queue)
{
	unsigned int i;

	for (i = 0; i < opt.nr; i++)
		if (opt.queues[i] == queue)
			return true;
	return false;
}

static bool is_thread(pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d", opt.pid, tid);
	return tid == opt.pid || !access(path, F_OK);
}

/* Done by who calls, and not by whoever makes something happen. */
static bool is_by_caller(const struct record *r)
{
	return r->what == SUBMIT || r->what == TAKE || r->what == WAIT_BEGIN;
}

static void show(const struct record *r, void *arg)
{
	(void)arg;
	if (opt.err)
		return;
	if (opt.pid && !is_known(r->value[QUEUE])) {
		if (!is_by_caller(r) || !is_thread(r->pid))
			return;
		add_queue(r->value[QUEUE]);
	}
	show_record(r, opt.to);
	/* A buffer that could not be written is gone, and fflush() knows nothing of it. */
	if (ferror(opt.to))
		opt.err = errno;
}

static void flush(void)
{
	if (!opt.err && fflush(opt.to))
		opt.err = errno;
}

/* Was all written that was shown? If not it is said why, and the status is 1. */
static int output_status(void)
{
	if (!opt.err)
		return 0;
	/* What is left is of no use, and nobody else needs to tell. */
	__fpurge(opt.to);
	clearerr(opt.to);
	/* It did not go on, and a signal that ends us has ended the wait. */
	if (opt.err == EINTR)
		return 0;
	/* Else nobody reads it any more. */
	if (opt.err != EPIPE)
		complain("output: %s", strerror(opt.err));
	return 1;
}

/* Those that the process has already. */
static int find_queues(void)
{
	struct queues queues;
	unsigned int i;
	int err;

	err = queues_scan(&queues, opt.pid);
	if (err) {
		complain("/proc: %s", strerror(-err));
		return -1;
	}
	for (i = 0; i < queues.nr; i++)
		add_queue(queues.list[i].number);
	queues_free(&queues);
	return 0;
}

static bool parse_number(const char *text, long long most, long long *value)
{
	char *end;

	errno = 0;
	*value = strtoll(text, &end, 10);
	return !errno && end != text && !*end && *value > 0 && *value <= most;
}

/* 0, or the exit status, and it was said why; -1: help was asked for */
static int parse_options(int argc, char **argv)
{
	enum { PID_OF, QUEUE_OF, OP_OF, OUTPUT };
	static const struct option options[] = {
		{ "pid", required_argument, NULL, PID_OF },
		{ "queue", required_argument, NULL, QUEUE_OF },
		{ "op", required_argument, NULL, OP_OF },
		{ "output", required_argument, NULL, OUTPUT },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	long long n;
	int c;

	while ((c = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		switch (c) {
		case PID_OF:
			if (parse_number(optarg, INT_MAX, &n)) {
				opt.pid = n;
				break;
			}
			complain("--pid %s: no process ID", optarg);
			return EXIT_USAGE;
		case QUEUE_OF:
			if (parse_number(optarg, UINT_MAX, &opt.filter.queue))
				break;
			complain("--queue %s: no number of a queue: see ioevq top --once", optarg);
			return EXIT_USAGE;
		case OP_OF:
			opt.filter.op = op_by_name(optarg);
			if (opt.filter.op >= 0)
				break;
			complain("--op %s: no operation: see ioevq info", optarg);
			return EXIT_USAGE;
		case OUTPUT:
			opt.output = optarg;
			break;
		case 'h':
			return -1;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind == argc || !opt.pid)
		return 0;
	complain("--pid and PROGRAM: one or the other: see ioevq trace --help");
	return EXIT_USAGE;
}

/* It waits for a byte, and is executed. */
static pid_t start_program(char **argv, int *go)
{
	char path[PATH_MAX];
	int fds[2], status;
	void (*sigchld)(int signal);
	pid_t pid;
	char byte;

	/* It need not be able to load a library of ours. */
	if (pipe2(fds, O_CLOEXEC)) {
		complain("pipe: %s", strerror(errno));
		return -1;
	}
	/* Where that is ignored there is no status to wait for. */
	sigchld = signal(SIGCHLD, SIG_DFL);
	pid = fork();
	if (pid < 0)
		complain("fork: %s", strerror(errno));
	if (pid) {
		close(fds[0]);
		*go = fds[1];
		return pid;
	}
	close(fds[1]);
	if (read(fds[0], &byte, 1) != 1)
		_exit(EXIT_FAILED);
	signal(SIGCHLD, sigchld);
	snprintf(path, sizeof(path), "%s", argv[0]);
	execvp(path, argv);
	status = errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
	complain("%s: %s", argv[0], strerror(errno));
	_exit(status);
}

/* Does who is traced live still? Its status, if it is our child; -1: it does. */
static int has_ended(bool is_child)
{
	int status;

	if (!opt.pid)
		return -1;
	if (!is_child)
		return poll(&(struct pollfd){ opt.pidfd, POLLIN, 0 }, 1, 0) == 1 ? 0 : -1;
	if (waitpid(opt.pid, &status, WNOHANG) != opt.pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A terminal interrupts a program of ours, too: we end when it has, or by another signal. */
static int follow(bool is_child)
{
	int status = -1;

	while (signals <= is_child && status < 0 && !opt.err) {
		/* What is traced until it ends is there to be read after. */
		status = has_ended(is_child);
		if (instance_read(100, show, NULL))
			return 1;
		flush();
	}
	if (!opt.err && instance_drain(show, NULL))
		return 1;
	flush();
	if (instance_lost())
		complain("at least %llu records were lost: they came too fast\n"
			 "Trace one queue by --queue, or one operation by --op", instance_lost());
	if (status < 0)
		status = is_child ? 128 + last_signal : 0;
	return output_status() ?: status;
}

static int open_output(void)
{
	opt.to = opt.output ? fopen(opt.output, "we") : stdout;
	if (opt.to)
		return 0;
	complain("%s: %s", opt.output, strerror(errno));
	return -1;
}

/* With all that is traced from here on. What was in a file is lost only if something is. */
static int trace(char **program)
{
	int go = -1, status = program ? EXIT_FAILED : 1;

	/* Before signals are ours: it gets them as we were given them. */
	if (program) {
		opt.pid = start_program(program, &go);
		if (opt.pid < 0)
			return status;
	} else if (opt.pid && find_queues()) {
		return status;
	}
	handle_signals(program ? SA_RESTART : 0);
	signal(SIGPIPE, SIG_IGN);
	if (!instance_begin(&opt.filter) && !open_output()) {
		if (program && write(go, "x", 1) != 1)
			complain("the program has ended before it began");
		status = follow(program);
	}
	instance_end();
	if (go >= 0)
		close(go);
	return status;
}

int trace_main(int argc, char **argv)
{
	int status = parse_options(argc, argv);

	if (status < 0) {
		fputs(help, stdout);
		return 0;
	}
	if (status)
		return status;
	if (opt.pid) {
		opt.pidfd = open_process(opt.pid);
		if (opt.pidfd < 0)
			return 1;
	}
	return trace(optind < argc ? argv + optind : NULL);
}

// SPDX-License-Identifier: MIT
/* ioevq: the command, by table. */
#include <errno.h>
#include <string.h>

#include "ioevq.h"

static const struct command commands[] = {
	{ "bench", "measure what events cost here, by ioevq and by epoll", bench_main },
	{ "info", "tell what /dev/ioevq is here, and who may use it", info_main },
	{ "run", "run a program whose epoll or <aio.h> is /dev/ioevq", run_main },
	{ "supervise", "run services, and start them again when they end", supervise_main },
	{ "top", "show the queues of the system, and what they do", top_main },
	{ "trace", "show requests and events as they happen", trace_main },
};

static void show_usage(FILE *to)
{
	unsigned int i;

	fputs("usage: ioevq COMMAND [ARG...]\n\n", to);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-11s%s\n", commands[i].name, commands[i].summary);
	fputs("\nioevq COMMAND --help tells more.\n", to);
}

/* What was printed may be in a buffer still, or be lost already: then the status says so. */
static int end_output(int status)
{
	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	complain("standard output: %s", errno ? strerror(errno) : "not all of it was written");
	return status ?: 1;
}

int main(int argc, char **argv)
{
	unsigned int i;

	if (argc < 2) {
		show_usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		show_usage(stdout);
		return end_output(0);
	}
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return end_output(commands[i].main(argc - 1, argv + 1));
	complain("no command '%s': see ioevq --help", argv[1]);
	return EXIT_USAGE;
}

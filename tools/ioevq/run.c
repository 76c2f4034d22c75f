// SPDX-License-Identifier: MIT
/* ioevq run: a program with a library of ours before its own. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ioevq.h"

/* By the number of the option that asks for it */
static const char *const libraries[] = {
	"libioevq-epoll.so",
	"libioevq-aio.so",
};

static const char help[] =
	"usage: ioevq run --epoll|--aio... [--] PROGRAM [ARG...]\n"
	"\n"
	"Runs PROGRAM, and what it runs, with what is asked for served by /dev/ioevq.\n"
	"\n"
	"  --epoll    epoll_create(2), epoll_ctl(2), epoll_wait(2) and their kin\n"
	"  --aio      aio_read(3), aio_write(3), lio_listio(3) and their kin\n"
	"  --help     this\n"
	"\n"
	"The status is that of PROGRAM; 125: it was not tried; 126: it is there, but cannot be\n"
	"run in this way; 127: it is not found. See ioevq-run(1), libioevq-epoll(7),\n"
	"libioevq-aio(7).\n";

/* In a build tree it is beside this program's directory. */
static bool find_library(const char *file, char *path, size_t size)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	if (n > 0) {
		exe[n] = 0;
		slash = strrchr(exe, '/');
		snprintf(path, size, "%.*s/../compat/%s", (int)(slash - exe), exe, file);
		if (!access(path, R_OK))
			return true;
	}
	snprintf(path, size, LIBDIR "/%s", file);
	return !access(path, R_OK);
}

/* Before what is there: the first one counts. */
static int add_preload(const char *file)
{
	const char *before = getenv("LD_PRELOAD");
	char library[PATH_MAX + 64], real[PATH_MAX], *value;
	int ret;

	if (!find_library(file, library, sizeof(library)) || !realpath(library, real)) {
		complain("no %s in " LIBDIR ": make install", file);
		return -1;
	}
	if (strpbrk(real, ": ")) {
		complain("%s: LD_PRELOAD takes no path with a blank or a colon", real);
		return -1;
	}
	if (asprintf(&value, "%s%s%s", real, before && *before ? ":" : "", before ?: "") < 0)
		return -1;
	ret = setenv("LD_PRELOAD", value, 1);
	free(value);
	return ret;
}

static int add_preloads(unsigned int wanted)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(libraries); i++)
		if (wanted & 1U << i && add_preload(libraries[i]))
			return -1;
	return 0;
}

int run_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "epoll", no_argument, NULL, 0 },
		{ "aio", no_argument, NULL, 1 },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	char path[PATH_MAX];
	unsigned int wanted = 0;
	int c, fd, status, err;

	/* The program's options are its own. */
	while ((c = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		switch (c) {
		case 0:
		case 1:
			wanted |= 1U << c;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			return EXIT_FAILED;
		}
	}
	if (!wanted || optind == argc) {
		complain("%s: see ioevq run --help",
			 wanted ? "no program" : "neither --epoll nor --aio");
		return EXIT_FAILED;
	}
	status = find_program(argv[optind], path, sizeof(path));
	if (status)
		return status;
	fd = open_device();
	if (fd < 0 || add_preloads(wanted))
		return EXIT_FAILED;
	close(fd);
	/* As execvp(3): what is no binary and has no interpreter is a script of the shell. */
	execvp(path, argv + optind);
	err = errno;
	complain("%s: %s", path, strerror(err));
	return err == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

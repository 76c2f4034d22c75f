// SPDX-License-Identifier: GPL-2.0-only
/*
 * The benchmark, in the machine. Prints one line of JSON for each row. See README.md.
 *
 * A family is a process of its own: what one leaves behind, or that it fails, does not
 * matter to the others.
 */
#include <sys/resource.h>
#include <sys/wait.h>

#include "bench.h"

bool quick;

static const struct {
	const char *name;
	void (*run)(void);
	bool two_cpus;
} families[] = {
	{ "floor", bench_floor, false },
	{ "ready", bench_ready, false },
	{ "batch", bench_batch, false },
	{ "waiter", bench_waiter, false },
	{ "post", bench_post, false },
	{ "watch", bench_watch, false },
	{ "child", bench_child, false },
	{ "file", bench_file, false },
	{ "memory", bench_memory, false },
	{ "herd", bench_herd, false },
	{ "server", bench_server, false },
	{ "cpus", bench_cpus, true },
};

static const char *family = "main";

void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s: %s\n", family, what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

static bool complete = true;

static void run(const char *name, void (*fn)(void))
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		family = name;
		fn();
		fflush(stdout);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status) {
		fprintf(stderr, "bench: %s: not complete\n", name);
		complete = false;
	}
}

static bool wanted(unsigned int i, char **names)
{
	if (!*names)
		return !families[i].two_cpus;
	for (; *names; names++)
		if (!strcmp(*names, families[i].name))
			return true;
	return false;
}

/* COMMAND [quick] [FAMILY...]: COMMAND loads the module, when that has to be there. */
int main(int argc, char **argv)
{
	struct rlimit files = { 1000000, 1000000 };
	unsigned int i;

	if (argc < 2)
		die("no command");
	if (setrlimit(RLIMIT_NOFILE, &files))
		die("setrlimit");
	region_init();
	calibrate();
	run("before", bench_before);
	if (system(argv[1]))
		die("the command that loads the module");
	argv += 2;
	if (*argv && !strcmp(*argv, "quick")) {
		quick = true;
		argv++;
	}
	for (i = 0; i < ARRAY_SIZE(families); i++)
		if (wanted(i, argv))
			run(families[i].name, families[i].run);
	return !complete;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looks after the workers: starts them anew, kills those that hang, reads the kernel's log,
 * writes down how far they have come, and what they did when something went wrong.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define MAX_HANGS	5	/* that are written down */
#define MAX_TOLD	10	/* dead workers */

static struct worker {
	pid_t pid;
	uint64_t beat;
	double since;		/* when it was seen to go on last, or was killed */
	bool killed;
} workers[MAX_WORKERS];

static double begin;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static FILE *out_file(const char *name, const char *mode)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", opt.out, name);
	return fopen(path, mode);
}

/* Where in the kernel each thread of @pid is, as a comment. */
static void write_stacks(pid_t pid, FILE *to)
{
	static const char *const names[] = { "syscall", "stack" };
	char path[512], line[256];
	struct dirent **threads;
	unsigned int i;
	int n, t;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	n = scandir(path, &threads, NULL, alphasort);
	for (t = 0; t < n; t++) {
		for (i = 0; i < ARRAY_SIZE(names) && *threads[t]->d_name != '.'; i++) {
			snprintf(path, sizeof(path), "/proc/%d/task/%s/%s", pid,
				 threads[t]->d_name, names[i]);
			f = fopen(path, "r");
			while (f && fgets(line, sizeof(line), f))
				fprintf(to, "# %s: %s", threads[t]->d_name, line);
			if (f)
				fclose(f);
		}
		free(threads[t]);
	}
	if (n >= 0)
		free(threads);
}

/* The last programs, in a file of their own, and what @pid is at, if it is there. */
static void write_last(const char *what, const char *why, pid_t pid)
{
	static unsigned int n;
	char name[64];
	FILE *f;

	snprintf(name, sizeof(name), "%s-%u.txt", what, ++n);
	f = out_file(name, "w");
	if (!f) {
		perror(name);
		return;
	}
	fprintf(f, "# %s\n", why);
	if (pid)
		write_stacks(pid, f);
	last_write(last, f);
	fclose(f);
	fprintf(stderr, "fuzz: %s: %s/%s\n", why, opt.out, name);
}

static void tell(bool first)
{
	double t = now() - begin;
	FILE *f = out_file("curve.csv", first ? "w" : "a");

	if (f && first)
		fputs("seconds,calls,programs,branches,edges,corpus\n", f);
	if (f) {
		fprintf(f, "%.0f,%llu,%llu,%u,%u,%u\n", t, (unsigned long long)shared->calls,
			(unsigned long long)shared->programs, shared->coverage.nr_points,
			shared->coverage.nr_edges, corpus_size(corpus));
		fclose(f);
	}
	printf("%6.0f s  %llu calls  %llu programs  %u/%u branches  %u edges  %u corpus\n", t,
	       (unsigned long long)shared->calls, (unsigned long long)shared->programs,
	       shared->coverage.nr_points, cover_total, shared->coverage.nr_edges,
	       corpus_size(corpus));
	fflush(stdout);
}

static void save(void)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/corpus.txt", opt.out);
	if (!opt.repeat && corpus_save(corpus, path))
		perror(path);
	snprintf(path, sizeof(path), "%s/covered", opt.out);
	if (cover_total)
		cover_list(&shared->coverage, path);
}

/* What the CPUs are at, to the kernel's log: the stack of a task is told only if it sleeps. */
static void tell_cpus(void)
{
	FILE *f = fopen("/proc/sysrq-trigger", "w");

	if (!f)
		return;
	fputs("l", f);
	fclose(f);
}

static int start(unsigned int w)
{
	struct worker *k = &workers[w];
	unsigned int n = atomic_fetch_add(&shared->starts, 1);

	*k = (struct worker) { .beat = shared->beat[w], .since = now() };
	k->pid = fork();
	if (k->pid < 0) {
		perror("fuzz: fork");
		return -1;
	}
	if (!k->pid)
		_exit(opt.repeat ? worker_replay(w) : worker_main(w, n));
	return 0;
}

/* 1: it has ended, 0: it has not, -1: it never will. */
static int look_at(unsigned int w)
{
	struct worker *k = &workers[w];
	int status;

	if (waitpid(k->pid, &status, WNOHANG) == k->pid) {
		k->pid = 0;
		if (!k->killed && (WIFSIGNALED(status) || WEXITSTATUS(status) == 2) &&
		    ++shared->crashes <= MAX_TOLD) {
			fprintf(stderr, "fuzz: worker %u has died, status %#x\n", w, status);
			write_last("crash", "a worker has died", 0);
		}
		if (WIFEXITED(status) && WEXITSTATUS(status) == 3) {
			fprintf(stderr, "fuzz: worker %u could not begin\n", w);
			return -1;
		}
		return 1;
	}
	if (k->beat != shared->beat[w] && !k->killed) {
		k->beat = shared->beat[w];
		k->since = now();
	} else if (!k->killed && now() - k->since > opt.hang) {
		if (++shared->hangs <= MAX_HANGS)
			write_last("hang", "a worker hangs and is killed", k->pid);
		kill(k->pid, SIGKILL);
		k->killed = true;
		k->since = now();
	} else if (k->killed && now() - k->since > opt.hang) {
		tell_cpus();
		write_last("unkillable", "a worker was killed and does not end", k->pid);
		return -1;
	}
	return 0;
}

/* All workers end by themselves soon, or else by force; -1: or not at all. */
static int end_all(void)
{
	double until = now() + 20;
	unsigned int w;
	int err = 0;

	shared->stop = true;
	for (w = 0; w < opt.workers && !err; w++)
		while (workers[w].pid && !err) {
			if (now() > until && !workers[w].killed) {
				kill(workers[w].pid, SIGKILL);
				workers[w].killed = true;
				workers[w].since = now();
			}
			err = look_at(w) < 0 ? -1 : 0;
			usleep(20000);
		}
	return err;
}

static bool is_over(void)
{
	if (opt.repeat && shared->replayed >= corpus_size(corpus) * opt.repeat)
		return true;
	return now() - begin >= opt.seconds ||
	       (opt.max_programs && shared->programs >= opt.max_programs);
}

int watch(void)
{
	double next = opt.interval;
	bool failed = false;
	char line[512];
	unsigned int w;

	begin = now();
	tell(true);
	while (!failed && !is_over()) {
		for (w = 0; w < opt.workers && !failed; w++) {
			if (workers[w].pid && look_at(w) < 0)
				failed = true;
			else if (!workers[w].pid && start(w))
				failed = true;
		}
		usleep(50000);
		if (splats_seen(line, sizeof(line))) {
			write_last("splat", line, 0);
			failed = true;
		}
		if (now() - begin >= next) {
			tell(false);
			save();
			next += opt.interval;
		}
	}
	if (end_all())
		failed = true;
	/* Each program ends: all that waits is interrupted. */
	if (shared->hangs)
		failed = true;
	if (!failed && splats_seen(line, sizeof(line))) {
		write_last("splat", line, 0);
		failed = true;
	}
	tell(false);
	save();
	printf("%s: %llu calls, %llu programs, %u/%u branches, corpus of %u; "
	       "%llu workers, %llu hung, %llu crashed\n",
	       failed ? "FAILED" : "passed", (unsigned long long)shared->calls,
	       (unsigned long long)shared->programs, shared->coverage.nr_points, cover_total,
	       corpus_size(corpus), (unsigned long long)shared->starts,
	       (unsigned long long)shared->hangs, (unsigned long long)shared->crashes);
	return failed;
}

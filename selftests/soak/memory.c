// SPDX-License-Identifier: GPL-2.0-only
/* Too little memory, and how much of it the kernel has. */
#include <sys/prctl.h>
#include <time.h>

#include "soak.h"

#define CGROUPS		"/sys/fs/cgroup/"
#define HOG_MB		150	/* more than the cgroup has: memory.max, selftests/soak/run */
#define MB		(1UL << 20)

bool set_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

bool join(const char *cgroup)
{
	char path[64];

	snprintf(path, sizeof(path), CGROUPS "%s/cgroup.procs", cgroup);
	return set_file(path, "0");
}

/* Not by the kernel for want of memory: what has started things must account for them. */
void protect(void)
{
	set_file("/proc/self/oom_score_adj", "-1000");
}

/* Takes much, and gives it back, or is killed: others have to reclaim. */
pid_t hog(uint64_t seed, bool greedy)
{
	struct me dice = { .seed = seed };
	pid_t pid = fork();
	size_t size, i;
	char *p;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	set_file("/proc/self/oom_score_adj", "1000");
	if (!join("soak"))
		_exit(1);
	for (;; greedy = false) {
		size = HOG_MB * MB;
		if (!greedy)
			size = size * 3 / 4 + random_of(&dice, size / 4);
		p = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (p == MAP_FAILED)
			_exit(2);
		/* The others with what is left, and without it. */
		for (i = 0; i < 1000; i++)
			rest();
		munmap(p, size);
		for (i = 0; i < 1000; i++)
			rest();
	}
}

/* What the kernel has for itself, in KiB, but for caches that it can give back. */
long kernel_memory(void)
{
	static const char *const fields[] = {
		"SUnreclaim:", "KernelStack:", "PageTables:", "VmallocUsed:", "Percpu:",
	};
	char line[128];
	long sum = 0;
	unsigned int i;
	FILE *f;

	set_file("/proc/sys/vm/drop_caches", "3");
	f = fopen("/proc/meminfo", "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		for (i = 0; i < ARRAY_SIZE(fields); i++)
			if (!strncmp(line, fields[i], strlen(fields[i])))
				sum += strtol(line + strlen(fields[i]), NULL, 10);
	fclose(f);
	return sum;
}

/* How often this has happened to the cgroup; -1: there was not even memory to look. */
static unsigned long count_of(const char *event)
{
	FILE *f = fopen(CGROUPS "soak/memory.events", "re");
	unsigned long n = -1, value;
	char name[32];

	while (f && fscanf(f, "%31s %lu", name, &value) == 2)
		if (!strcmp(name, event))
			n = value;
	if (f)
		fclose(f);
	return n;
}

/* How often somebody had to reclaim before it had more. */
unsigned long pressure(void)
{
	return count_of("max");
}

/* How often that was in vain. */
unsigned long exhausted(void)
{
	return count_of("oom");
}

/* Back where it was, once all that is freed later is. */
bool settles(long baseline_kb, long bound_kb, long *now_kb)
{
	struct timespec ts = { .tv_nsec = 500000000 };
	unsigned int i;

	for (i = 0; i < 120; i++) {
		*now_kb = kernel_memory();
		if (*now_kb <= baseline_kb + bound_kb)
			return true;
		nanosleep(&ts, NULL);
	}
	return false;
}

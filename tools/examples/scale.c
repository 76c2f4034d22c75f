// SPDX-License-Identifier: MIT
/*
 * What a watch costs, with many others in the set: to add, to find and change, to remove;
 * and its memory. Beside it the same by epoll.
 *
 *	VM_ACCEL=tcg,thread=single tools/vm/run -c 1 -x -icount -x shift=0,sleep=off -k 6.1 -- \
 *		build/examples/scale
 *
 * So run, the machine's clock counts instructions: nanoseconds are that, on any host.
 */
#include <errno.h>
#include <fcntl.h>
#include <ioevq.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILES	100000
#define SAMPLE		1000	/* files that are added, changed and removed for the figures */
#define BATCH		100	/* requests in a system call */
#define CGROUP		"/sys/fs/cgroup/ioevq-scale"
#define ARRAY_SIZE(_a)	(sizeof(_a) / sizeof((_a)[0]))

static int files[MAX_FILES + SAMPLE];

struct kind {
	const char *name;
	int (*open)(void);
	void (*add)(int set, const int *fds, unsigned int nr);
	void (*change)(int set, const int *fds, unsigned int nr);
	void (*remove)(int set, const int *fds, unsigned int nr);
};

static void die(const char *what)
{
	fprintf(stderr, "scale: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int queue_open(void)
{
	int fd = open("/dev/ioevq", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("/dev/ioevq");
	return fd;
}

static void submit(int set, const struct ioevq_req *reqs, unsigned int nr)
{
	const struct ioevq q = { .fd = set };

	if (ioevq_submit(&q, reqs, nr) != (int)nr)
		die("ENTER");
}

static void queue_add(int set, const int *fds, unsigned int nr)
{
	struct ioevq_req reqs[BATCH];

	for (unsigned int i = 0; i < nr; i++)
		ioevq_prep_poll(&reqs[i], fds[i], POLLIN, IOEVQ_POLL_EDGE, (uint64_t)fds[i]);
	submit(set, reqs, nr);
}

static void queue_change(int set, const int *fds, unsigned int nr)
{
	struct ioevq_req reqs[BATCH];

	for (unsigned int i = 0; i < nr; i++) {
		ioevq_prep_poll_mod(&reqs[i], fds[i], POLLIN, IOEVQ_POLL_EDGE, (uint64_t)fds[i], 0);
		reqs[i].flags = IOEVQ_REQ_SKIP_SUCCESS;
	}
	submit(set, reqs, nr);
}

/* With the final events, which are what a removal costs, too. */
static void queue_remove(int set, const int *fds, unsigned int nr)
{
	const struct ioevq q = { .fd = set };
	struct ioevq_event events[BATCH];
	struct ioevq_req reqs[BATCH];
	struct ioevq_enter enter = {
		.reqs = (uintptr_t)reqs, .nr_reqs = nr,
		.events = (uintptr_t)events, .min = nr, .max = nr, .timeout_ns = IOEVQ_FOREVER,
	};

	for (unsigned int i = 0; i < nr; i++) {
		ioevq_prep_cancel(&reqs[i], IOEVQ_CANCEL_FD, 0, fds[i], 0, 0);
		reqs[i].flags = IOEVQ_REQ_SKIP_SUCCESS;
	}
	if (ioevq_enter(&q, &enter) != (int)nr)
		die("ENTER");
}

static int epoll_open(void)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		die("epoll_create1");
	return fd;
}

static void control(int set, int op, const int *fds, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.fd = fds[i] };

		if (epoll_ctl(set, op, fds[i], &ev))
			die("epoll_ctl");
	}
}

static void epoll_add(int set, const int *fds, unsigned int nr)
{
	control(set, EPOLL_CTL_ADD, fds, nr);
}

static void epoll_change(int set, const int *fds, unsigned int nr)
{
	control(set, EPOLL_CTL_MOD, fds, nr);
}

static void epoll_remove(int set, const int *fds, unsigned int nr)
{
	control(set, EPOLL_CTL_DEL, fds, nr);
}

static const struct kind kinds[] = {
	{ "ioevq", queue_open, queue_add, queue_change, queue_remove },
	{ "epoll", epoll_open, epoll_add, epoll_change, epoll_remove },
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void in_batches(void (*fn)(int set, const int *fds, unsigned int nr), int set,
		       const int *fds, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i += BATCH)
		fn(set, fds + i, BATCH);
}

/* Nanoseconds for each file of the sample. */
static double cost(void (*fn)(int set, const int *fds, unsigned int nr), int set)
{
	double begin = now();

	in_batches(fn, set, files + MAX_FILES, SAMPLE);
	return (now() - begin) / SAMPLE;
}

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

/* Memory that is charged to this process and the kernel's for it, in bytes. */
static double charged(void)
{
	FILE *f = fopen(CGROUP "/memory.current", "r");
	double bytes = 0;

	if (!f || fscanf(f, "%lf", &bytes) != 1)
		die(CGROUP "/memory.current");
	fclose(f);
	return bytes;
}

static void join_cgroup(void)
{
	write_to("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	if (mkdir(CGROUP, 0755) && errno != EEXIST)
		die(CGROUP);
	write_to(CGROUP "/cgroup.procs", "0");
}

static void measure(const struct kind *kind, unsigned int nr)
{
	int set = kind->open();
	double before = charged(), per_watch, add, change, removal;

	in_batches(kind->add, set, files, nr);
	per_watch = (charged() - before) / nr;
	/* The first round is for the caches. */
	for (int i = 0; i < 2; i++) {
		add = cost(kind->add, set);
		change = cost(kind->change, set);
		removal = cost(kind->remove, set);
	}
	printf("%-6s %7u %8.0f %8.0f %8.0f", kind->name, nr, add, change, removal);
	/* Charges are counted by pages, and in stocks of 64 of them. */
	if (nr == MAX_FILES)
		printf(" %14.0f", per_watch);
	printf("\n");
	close(set);
}

int main(void)
{
	struct rlimit limit = { MAX_FILES + SAMPLE + 64, MAX_FILES + SAMPLE + 64 };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("setrlimit");
	for (unsigned int i = 0; i < MAX_FILES + SAMPLE; i++) {
		files[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (files[i] < 0)
			die("eventfd");
	}
	join_cgroup();
	printf("       watches      add   change   remove   bytes a watch\n");
	for (unsigned int k = 0; k < ARRAY_SIZE(kinds); k++)
		for (unsigned int nr = 100; nr <= MAX_FILES; nr *= 10)
			measure(&kinds[k], nr);
	rmdir(CGROUP);
	return 0;
}

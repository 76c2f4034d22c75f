// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory of a watch, before and after: what all slabs together have in use, and what was
 * too large for them, as the tables that io_uring and ioevq find watches by. The files are there
 * before.
 */
#include <sys/wait.h>

#include "objects.h"
#include "uring.h"

#define MANY	128
#define PAGE	4096

/* A line of /proc/meminfo, in bytes. */
static double kib_of(const char *what)
{
	FILE *f = fopen("/proc/meminfo", "r");
	unsigned long kib = 0, value;
	char line[128], name[64];

	if (!f)
		die("/proc/meminfo");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%63[^:]: %lu kB", name, &value) == 2 && !strcmp(name, what))
			kib = value;
	fclose(f);
	return (double)kib * 1024;
}

/* Objects in use, of all caches; and kmalloc() and vmalloc() that have pages of their own. */
static double bytes_in_use(void)
{
	int fd = MUST(open("/proc/sys/vm/stat_refresh", O_WRONLY));
	FILE *f = fopen("/proc/slabinfo", "r");
	unsigned long active, size, pages, slabs;
	double used = 0, slab_pages = 0;
	char line[512];

	/* What each CPU has counted by itself is added to what /proc/meminfo tells. */
	if (!f || write(fd, "1", 1) != 1)
		die("/proc/slabinfo");
	close(fd);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line,
			   "%*s %lu %*s %lu %*s %lu : tunables %*s %*s %*s : slabdata %*s %lu",
			   &active, &size, &pages, &slabs) != 4)
			continue;
		used += (double)active * (double)size;
		slab_pages += (double)slabs * (double)pages;
	}
	fclose(f);
	return used + kib_of("Slab") - slab_pages * PAGE + kib_of("VmallocUsed");
}

static int add_nothing(const struct objects *o)
{
	(void)o;
	return MUST(epoll_create1(0));
}

static int add_epoll(const struct objects *o)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int fd = MUST(epoll_create1(0));

	for (unsigned int i = 0; i < o->n; i++)
		MUST(epoll_ctl(fd, EPOLL_CTL_ADD, o->rd[i], &ev));
	return fd;
}

static int add_uring(const struct objects *o)
{
	struct uring u;

	if (uring_open(&u, MANY, 0))
		die("io_uring_setup");
	for (unsigned int i = 0; i < o->n; i++) {
		uring_poll(&u, o->rd[i], i, true);
		if (u.to_submit == MANY || i + 1 == o->n)
			MUST(uring_enter(&u, 0, 0));
	}
	return u.fd;
}

static int add_ours(const struct objects *o)
{
	struct ioevq_req reqs[MANY];
	struct ioevq q;
	unsigned int i, n = 0;

	MUST(ioevq_open(&q, 256, 0));
	for (i = 0; i < o->n; i++) {
		ioevq_prep_poll(&reqs[n++], o->rd[i], POLLIN, IOEVQ_POLL_EDGE, i);
		if (n == MANY || i + 1 == o->n) {
			if (ioevq_submit(&q, reqs, n) != (int)n)
				die("ioevq_submit");
			n = 0;
		}
	}
	return q.fd;
}

/* What a set without watches takes is not theirs. */
static double bytes_per_watch(int (*add)(const struct objects *o), unsigned int n)
{
	struct objects all, none = { .n = 0 };
	double before, empty;

	objects_make(&all, &obj_eventfd, n);
	settle();
	before = bytes_in_use();
	add(&none);
	settle();
	empty = bytes_in_use() - before;
	before = bytes_in_use();
	add(&all);
	settle();
	return (bytes_in_use() - before - empty) / n;
}

void bench_memory(void)
{
	static const struct {
		const char *name;
		enum kind kind;
		int (*add)(const struct objects *o);
	} ways[] = {
		{ "nothing", FLOOR, add_nothing },
		{ "epoll", PEER, add_epoll },
		{ "io_uring", PEER, add_uring },
		{ "ioevq", OURS, add_ours },
	};
	/* The first one is compared, the others tell whether the number matters. */
	static const unsigned int ns[] = { 20000, 10000, 100000 };
	unsigned int i, j;
	int status;

	for (j = 0; j < (quick ? 1 : ARRAY_SIZE(ns)); j++) {
		for (i = 0; i < ARRAY_SIZE(ways); i++) {
			struct row row = {
				.question = "memory", .object = "eventfd", .name = ways[i].name,
				.kind = ways[i].kind, .n = ns[j], .k = 1,
			};
			pid_t pid = MUST(fork());

			/* All that it has is gone with it. */
			if (!pid) {
				put_value(&row, "bytes", bytes_per_watch(ways[i].add, ns[j]));
				_exit(0);
			}
			if (waitpid(pid, &status, 0) != pid || status)
				die("a measurement");
		}
	}
}

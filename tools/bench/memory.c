// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory of a watch: what all slabs together have in use, before and after. The files
 * are there before. Tables of more than two pages are in no slab: io_uring and ioevq have such.
 */
#include "objects.h"
#include "uring.h"

#define N	20000
#define MANY	128

/* Bytes of objects in use, of all caches. */
static double slab_bytes(void)
{
	FILE *f = fopen("/proc/slabinfo", "r");
	unsigned long active, objects, size;
	double sum = 0;
	char line[512];

	if (!f)
		die("/proc/slabinfo");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %lu %lu %lu", &active, &objects, &size) == 3)
			sum += (double)active * (double)size;
	fclose(f);
	return sum;
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
	struct objects o;
	unsigned int i;

	objects_make(&o, &obj_eventfd, N);
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		struct row row = {
			.question = "memory", .object = "eventfd", .name = ways[i].name,
			.kind = ways[i].kind, .n = N, .k = 1,
		};
		double slab;

		settle();
		slab = slab_bytes();
		ways[i].add(&o);
		settle();
		put_value(&row, "slab bytes", (slab_bytes() - slab) / N);
	}
}

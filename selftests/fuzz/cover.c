// SPDX-License-Identifier: GPL-2.0-only
/*
 * What of the module is executed, by KCOV: each lane has a buffer, where the kernel notes
 * every point that it comes by on the lane's behalf (not in interrupts, nor in workers).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kcov.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "calls.h"

#define KCOV		"/sys/kernel/debug/kcov"
#define BUFFER_WORDS	(32 << 10)
#define MAX_SPAN	(8 << 20)	/* bytes of the module's code */

unsigned int cover_total;
uint32_t cover_new[MAX_NEW];

static struct point {
	char section[32];
	uint64_t offset;
	uint64_t pc;
} *points;
static uint64_t first_pc;
static uint16_t *numbers;		/* by place: number of the point, from 1 */
static uint64_t span;

/* The lanes', and one of what a program forks. */
static uint64_t *buffers[NR_LANES + 1];
static int fds[NR_LANES + 1];

static uint64_t section_base(const char *name)
{
	static char last_name[32];
	static uint64_t base;
	unsigned long long value;
	char path[96];
	FILE *f;

	if (!strcmp(last_name, name))
		return base;
	snprintf(path, sizeof(path), "/sys/module/ioevq/sections/%s", name);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (fscanf(f, "%llx", &value) != 1)
		value = 0;
	fclose(f);
	snprintf(last_name, sizeof(last_name), "%s", name);
	base = value;
	return base;
}

int cover_points(const char *path)
{
	uint64_t last_pc = 0, base;
	unsigned long long offset;
	char section[32];
	unsigned int i;
	FILE *f;

	if (access(KCOV, R_OK))
		return 0;
	f = fopen(path, "r");
	points = calloc(MAX_POINTS, sizeof(*points));
	if (!f || !points) {
		fprintf(stderr, "fuzz: %s: %s\n", path, strerror(errno));
		return -1;
	}
	first_pc = ~0ULL;
	while (cover_total < MAX_POINTS && fscanf(f, "%31s %llx\n", section, &offset) == 2) {
		base = section_base(section);
		if (!base)
			continue;
		strcpy(points[cover_total].section, section);
		points[cover_total].offset = offset;
		points[cover_total++].pc = base + offset;
		if (base + offset < first_pc)
			first_pc = base + offset;
		if (base + offset > last_pc)
			last_pc = base + offset;
	}
	fclose(f);
	span = last_pc - first_pc + 1;
	if (!cover_total || span > MAX_SPAN) {
		fprintf(stderr, "fuzz: %s: these are not the points of the module\n", path);
		return -1;
	}
	numbers = calloc(span, sizeof(*numbers));
	if (!numbers)
		return -1;
	for (i = 0; i < cover_total; i++)
		numbers[points[i].pc - first_pc] = i + 1;
	return 0;
}

/* Those that were met, in the format of the file that tells of all. */
void cover_list(const struct coverage *cov, const char *path)
{
	FILE *f = fopen(path, "w");
	unsigned int i;

	if (!f)
		return;
	for (i = 0; i < cover_total; i++)
		if (cov->points[i])
			fprintf(f, "%s %llx\n", points[i].section,
				(unsigned long long)points[i].offset);
	fclose(f);
}

int cover_open(unsigned int lane)
{
	if (!cover_total)
		return 0;
	fds[lane] = keep_fd(open(KCOV, O_RDWR | O_CLOEXEC));
	if (fds[lane] < 0 || ioctl(fds[lane], KCOV_INIT_TRACE, BUFFER_WORDS)) {
		perror("fuzz: " KCOV);
		return -1;
	}
	buffers[lane] = mmap(NULL, BUFFER_WORDS * sizeof(uint64_t), PROT_READ | PROT_WRITE,
			     MAP_SHARED, fds[lane], 0);
	return buffers[lane] == MAP_FAILED ? -1 : 0;
}

void cover_enable(unsigned int lane)
{
	/* May fail for what is forked: one at a time is told of. */
	if (cover_total)
		ioctl(fds[lane], KCOV_ENABLE, KCOV_TRACE_PC);
}

void cover_reset(unsigned int lane)
{
	if (buffers[lane])
		__atomic_store_n(&buffers[lane][0], 0, __ATOMIC_RELAXED);
}

/* Calls @see with every step from one point of the module to the next. */
static void walk(void (*see)(void *arg, unsigned int point, unsigned int edge), void *arg)
{
	uint64_t n, i, at;
	unsigned int lane, prev, point;

	for (lane = 0; lane <= NR_LANES; lane++) {
		if (!buffers[lane])
			continue;
		n = __atomic_load_n(&buffers[lane][0], __ATOMIC_RELAXED);
		if (n > BUFFER_WORDS - 1)
			n = BUFFER_WORDS - 1;
		for (i = 1, prev = 0; i <= n; i++, prev = point) {
			at = buffers[lane][i] - first_pc;
			point = at < span ? numbers[at] : 0;
			if (point)
				see(arg, point - 1, (prev * 31U ^ point) % NR_EDGES);
		}
	}
}

struct harvest {
	struct coverage *cov;
	unsigned int nr;
};

static void see_new(void *arg, unsigned int point, unsigned int edge)
{
	struct harvest *h = arg;

	if (!h->cov->points[point] && !atomic_exchange(&h->cov->points[point], 1))
		atomic_fetch_add(&h->cov->nr_points, 1);
	if (!h->cov->edges[edge] && !atomic_exchange(&h->cov->edges[edge], 1)) {
		atomic_fetch_add(&h->cov->nr_edges, 1);
		if (h->nr < MAX_NEW)
			cover_new[h->nr] = edge;
		h->nr++;
	}
}

unsigned int cover_harvest(struct coverage *cov)
{
	struct harvest h = { .cov = cov };

	walk(see_new, &h);
	return h.nr < MAX_NEW ? h.nr : MAX_NEW;
}

static uint32_t stamps[NR_EDGES], stamp;

static void see_again(void *arg, unsigned int point, unsigned int edge)
{
	(void)arg;
	(void)point;
	stamps[edge] = stamp;
}

/* True if the last program has shown all of @edges. */
bool cover_same(const uint32_t *edges, unsigned int nr)
{
	stamp++;
	walk(see_again, NULL);
	while (nr--)
		if (stamps[edges[nr]] != stamp)
			return false;
	return true;
}

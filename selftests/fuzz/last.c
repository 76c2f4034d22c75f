// SPDX-License-Identifier: GPL-2.0-only
/*
 * The last programs of each worker, noted before they are executed, in memory that outlives
 * the kernel if it is that of a device which the host has mapped, too (see run).
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

static_assert(sizeof(struct last) <= 1 << 20, "it has to fit in the device");

/* NULL: memory of our own. */
struct last *last_map(const char *path)
{
	struct last *l;
	struct stat st;
	int fd = -1;

	if (path) {
		fd = open(path, O_RDWR | O_CREAT, 0600);
		if (fd < 0 || fstat(fd, &st) ||
		    ((size_t)st.st_size < sizeof(*l) && ftruncate(fd, sizeof(*l)))) {
			fprintf(stderr, "fuzz: %s: %s\n", path, strerror(errno));
			return NULL;
		}
	}
	l = mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE,
		 path ? MAP_SHARED : MAP_SHARED | MAP_ANONYMOUS, fd, 0);
	if (path)
		close(fd);
	if (l == MAP_FAILED) {
		fprintf(stderr, "fuzz: %s: %s\n", path ?: "memory", strerror(errno));
		return NULL;
	}
	return l;
}

void last_begin(struct last *l, unsigned int worker, const struct program *p)
{
	uint32_t n = l->workers[worker].next;

	memcpy(&l->workers[worker].programs[n % KEEP_LAST], p, PROGRAM_SIZE(p));
	atomic_store(&l->workers[worker].next, n + 1);
}

unsigned int last_write(const struct last *l, FILE *to)
{
	const struct program *p;
	unsigned int w, nr = 0;
	uint32_t n, next;

	fprintf(to, "# seed %llu; of each worker its last programs, the very last at the end\n",
		(unsigned long long)l->seed);
	for (w = 0; w < MAX_WORKERS; w++) {
		next = l->workers[w].next;
		if (next)
			fprintf(to, "\n# worker %u, %u programs\n\n", w, next);
		for (n = next > KEEP_LAST ? next - KEEP_LAST : 0; n < next; n++) {
			p = &l->workers[w].programs[n % KEEP_LAST];
			if (!p->nr || p->nr > MAX_CALLS)
				continue;
			program_write(p, to);
			nr++;
		}
	}
	return nr;
}

// SPDX-License-Identifier: MIT
/*
 * How long it takes to submit reads that a slow disk will be busy with for long, and how
 * many kernel threads that costs. Cold, 4 KiB each, far from one another; through the page
 * cache, and direct. Of a disk that QEMU slows down:
 *
 *	truncate -s 64M build/disk
 *	tools/vm/run -k 6.1 -x -drive -x \
 *		file=build/disk,format=raw,if=virtio,throttling.iops-total=500 -- \
 *		sh -c 'modprobe virtio_blk; build/examples/depth /dev/vda 4096'
 */
#define _GNU_SOURCE	/* O_DIRECT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ioevq.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE	4096UL
#define BATCH	64		/* requests in a system call */

static void die(const char *what)
{
	fprintf(stderr, "depth: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* Kernel threads that work for queues at this moment: they are named after the module. */
static int workers(void)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	char path[300], comm[64];
	int n = 0;
	FILE *f;

	while (proc && (entry = readdir(proc))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		f = fopen(path, "re");
		if (f && fgets(comm, sizeof(comm), f) && strstr(comm, "+ioevq-"))
			n++;
		if (f)
			fclose(f);
	}
	if (proc)
		closedir(proc);
	return n;
}

/* All of them in batches. Returns the longest that one took. */
static long long submit_all(const struct ioevq *q, struct ioevq_req *reqs, int nr)
{
	long long start, took, longest = 0;
	int i, n;

	for (i = 0; i < nr; i += n) {
		n = nr - i < BATCH ? nr - i : BATCH;
		start = now_ns();
		n = ioevq_submit(q, reqs + i, n);
		took = now_ns() - start;
		if (n <= 0) {
			errno = -n;
			die("submit");
		}
		if (took > longest)
			longest = took;
	}
	return longest;
}

static void measure(const char *disk, int flags, int nr, unsigned long size)
{
	struct ioevq_req *reqs = calloc((size_t)nr, sizeof(*reqs));
	long long start, submitted, longest;
	int i, fd, now, most = 0, failed = 0;
	struct ioevq_event ev;
	struct ioevq q;
	char *buf;

	fd = open(disk, O_RDONLY | O_CLOEXEC | flags);
	buf = mmap(NULL, nr * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fd < 0 || !reqs || buf == MAP_FAILED || ioevq_open(&q, nr, 0))
		die(disk);
	memset(buf, 0, nr * PAGE);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	for (i = 0; i < nr; i++)
		ioevq_prep_read(&reqs[i], fd, buf + i * PAGE, PAGE,
				(uint64_t)i * 1021 % (size / PAGE) * PAGE, i);
	start = now_ns();
	longest = submit_all(&q, reqs, nr);
	submitted = now_ns() - start;
	for (i = 0; i < nr; i++) {
		if (ioevq_wait(&q, &ev, 1, 1, -1) != 1)
			die("wait");
		failed += ev.res != (int64_t)PAGE;
		if (i % 64)
			continue;
		now = workers();
		most = now > most ? now : most;
	}
	printf("%-8s %6d reads: submitted in %7lld us, the longest call of %d in %6lld us; ",
	       flags ? "direct" : "buffered", nr, submitted / 1000, BATCH, longest / 1000);
	printf("done in %9lld us, %d failed, at most %d workers\n", (now_ns() - start) / 1000,
	       failed, most);
	munmap(buf, nr * PAGE);
	free(reqs);
	close(fd);
	ioevq_close(&q);
}

int main(int argc, char **argv)
{
	long nr = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
	off_t size;
	int fd;

	if (nr < 1 || nr > 65536) {
		fprintf(stderr, "usage: depth DISK READS\nREADS: 1 to 65536\n");
		return 2;
	}
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	if (size < (off_t)PAGE)
		die(argv[1]);
	close(fd);
	measure(argv[1], 0, (int)nr, (unsigned long)size);
	measure(argv[1], O_DIRECT, (int)nr, (unsigned long)size);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* The benchmark in the machine: what the families share. How it measures: README.md. */
#ifndef BENCH_H
#define BENCH_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ioevq.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Where a row belongs in the comparison. */
enum kind {
	BASE,		/* the same work without notification: others are net of it */
	PEER,
	OURS,
	FLOOR		/* cheaper, for it does less: shown, and no peer */
};

struct row {
	const char *question, *object, *name;
	enum kind kind;
	unsigned int n, k;	/* watches (or depth, waiters), and how many are active */
	bool median;		/* of the batches: where tasks are switched, else the minimum */
	unsigned int per_round;	/* events in a call of the round, k if 0 */
	unsigned int rounds;	/* in a batch, 0: as many as fit in BATCH_INSNS */
};

typedef void round_fn(void *arg);

extern bool quick;

/* measure.c */
#define MAX_BATCHES	12

static __always_inline uint64_t clock_insns(void)
{
	return __builtin_ia32_rdtsc();
}

void region_init(void);
void region_begin(void);
unsigned int region_end(void);	/* its number: rows that are put from now on are of this region */
void region_set(unsigned int nr);
/* What is between these does not count. */
void region_pause(void);
void region_resume(void);
void settle(void);
void calibrate(void);
unsigned int nr_batches(void);
void measure(const struct row *row, round_fn *round, void *arg);
void put_row(const struct row *row, double *batches, unsigned int n, uint64_t events);
/* Of the row that was put last: a figure of another unit, as a line of its own. */
void put_value(const struct row *row, const char *unit, double value);

/* Ends the family, with the reason: what it had to say was said, or is missing. */
noreturn void die(const char *what);

#define MUST(call)							\
({									\
	__typeof__(call) __ret = (call);				\
									\
	if (__ret < 0)							\
		die(#call);						\
	__ret;								\
})

/* Memory that is there and warm. */
void *warm_alloc(size_t n, size_t size);

static __always_inline void put_message(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		die("write");
}

static __always_inline void get_message(int fd)
{
	uint64_t n;

	if (read(fd, &n, sizeof(n)) != sizeof(n))
		die("read");
}

/* The families. */
void bench_before(void);
void bench_floor(void);
void bench_ready(void);
void bench_batch(void);
void bench_waiter(void);
void bench_watch(void);
void bench_memory(void);
void bench_post(void);
void bench_file(void);
void bench_child(void);
void bench_herd(void);
void bench_cpus(void);
void bench_server(void);
void bench_server_by_clock(void);

#endif

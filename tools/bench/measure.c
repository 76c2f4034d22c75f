// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measuring. The machine's clock counts instructions (see README.md), so that a batch of
 * rounds between two readings of the TSC is exact. A region, from before the first batch to
 * after the last, is marked for QEMU's plugin, which counts what the clock cannot.
 */
#include "bench.h"

/*
 * Short of a tick of the kernel's clock, which comes every four million instructions: most
 * batches have none.
 */
#define BATCH_INSNS	500000
/* As many to warm up: each object has had its turn, unless there are thousands. */
#define WARM_INSNS	4000000

struct shared {
	unsigned int regions;		/* ended so far, as in the plugin */
	double empty;			/* instructions of a round of nothing */
};

static struct shared *shared;
static unsigned int region;

/* Before the families, which are processes: they go on counting where others stopped. */
void region_init(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
}

void region_begin(void)
{
	asm volatile("nopl 0x5eed0001(%%rax)" ::: "memory");
}

unsigned int region_end(void)
{
	asm volatile("nopl 0x5eed0002(%%rax)" ::: "memory");
	region = shared->regions++;
	return region;
}

void region_set(unsigned int nr)
{
	region = nr;
}

void region_pause(void)
{
	asm volatile("nopl 0x5eed0003(%%rax)" ::: "memory");
}

void region_resume(void)
{
	asm volatile("nopl 0x5eed0004(%%rax)" ::: "memory");
}

/* Lets what was deferred (RCU, work) run; idle time costs nothing here. */
void settle(void)
{
	fflush(stdout);
	usleep(100000);
}

unsigned int nr_batches(void)
{
	return quick ? 4 : 6;
}

void *warm_alloc(size_t n, size_t size)
{
	void *p = malloc(n * size);

	if (!p)
		die("malloc");
	memset(p, 0, n * size);
	return p;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static const char *kind_name(enum kind kind)
{
	static const char * const names[] = { "base", "peer", "ioevq", "floor" };

	return names[kind];
}

static void put_head(const struct row *row)
{
	printf("{\"question\":\"%s\",\"object\":\"%s\",\"kind\":\"%s\",\"name\":\"%s\",",
	       row->question, row->object, kind_name(row->kind), row->name);
	printf("\"n\":%u,\"k\":%u,", row->n, row->k);
}

/* @batches: instructions per event; @events: in all of them. Sorts. */
void put_row(const struct row *row, double *batches, unsigned int n, uint64_t events)
{
	double figure;

	qsort(batches, n, sizeof(*batches), compare);
	figure = row->median ? batches[n / 2] : batches[0];
	put_head(row);
	printf("\"insn\":%.2f,\"min\":%.2f,\"median\":%.2f,\"max\":%.2f,\"events\":%llu,",
	       figure, batches[0], batches[n / 2], batches[n - 1], (unsigned long long)events);
	printf("\"region\":%u}\n", region);
	fflush(stdout);
}

void put_value(const struct row *row, const char *unit, double value)
{
	put_head(row);
	printf("\"unit\":\"%s\",\"value\":%.3f}\n", unit, value);
	fflush(stdout);
}

static uint64_t time_rounds(round_fn *round, void *arg, unsigned int rounds)
{
	uint64_t t = clock_insns();

	while (rounds--)
		round(arg);
	return clock_insns() - t;
}

/* Rounds for so many instructions. */
static unsigned int pick_rounds(double cost, unsigned int insns, unsigned int most)
{
	double rounds = insns / (cost + 1);

	return rounds > most ? most : rounds < 4 ? 4 : (unsigned int)rounds;
}

/*
 * Has something else run meanwhile, as the kernel's writeback? A tick is one percent of a batch.
 * The cheapest batch is without it, but what the plugin counts is of all of them.
 */
static bool disturbed(const double *batches, unsigned int n)
{
	double least = batches[0], most = batches[0];
	unsigned int i;

	for (i = 1; i < n; i++) {
		if (batches[i] < least)
			least = batches[i];
		if (batches[i] > most)
			most = batches[i];
	}
	return most > 1.02 * least;
}

void measure(const struct row *row, round_fn *round, void *arg)
{
	unsigned int n = nr_batches(), per_round = row->per_round ? row->per_round : row->k;
	unsigned int rounds = row->rounds, tries = row->median ? 1 : 4, i;
	double batches[MAX_BATCHES] = {}, cost;

	/* The first ones fault in and fill caches of objects. */
	time_rounds(round, arg, 8);
	cost = (double)time_rounds(round, arg, 8) / 8;
	if (!rounds)
		rounds = pick_rounds(cost, BATCH_INSNS, 1000);
	time_rounds(round, arg, pick_rounds(cost, WARM_INSNS, row->n / row->k + 1));
	do {
		settle();
		time_rounds(round, arg, rounds < 64 ? rounds : 64);
		region_begin();
		for (i = 0; i < n; i++) {
			double t = (double)time_rounds(round, arg, rounds);

			batches[i] = (t / rounds - shared->empty) / per_round;
		}
		region_end();
	} while (--tries && disturbed(batches, n));
	put_row(row, batches, n, (uint64_t)n * rounds * per_round);
}

static void round_of_nothing(void *arg)
{
	(void)arg;
	asm volatile("");
}

static void round_of_known_length(void *arg)
{
	unsigned long i = 1000;

	(void)arg;
	asm volatile("1: dec %0; jnz 1b" : "+r" (i));
}

static void round_of_locked(void *arg)
{
	for (int i = 0; i < 10; i++)
		asm volatile("lock incl %0" : "+m" (*(int *)arg));
}

/* The instrument itself: what these must be can be counted by hand. */
void calibrate(void)
{
	static const struct row rows[] = {
		{ "instrument", "loop", "an empty round, not taken off", FLOOR, 1, 1 },
		{ "instrument", "loop", "dec and jnz, 1000 times", FLOOR, 1, 1 },
		{ "instrument", "loop", "lock inc, 10 times", FLOOR, 1, 1 },
	};
	double batches[4] = {};
	unsigned int i;
	int n = 0;

	region_begin();
	for (i = 0; i < ARRAY_SIZE(batches); i++)
		batches[i] = (double)time_rounds(round_of_nothing, NULL, 10000) / 10000;
	region_end();
	put_row(&rows[0], batches, ARRAY_SIZE(batches), 10000 * ARRAY_SIZE(batches));
	shared->empty = batches[0];
	measure(&rows[1], round_of_known_length, NULL);
	measure(&rows[2], round_of_locked, &n);
}

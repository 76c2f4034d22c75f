// SPDX-License-Identifier: MIT
/*
 * Pools of threads, compared: the same jobs in the same order, one pool after another.
 *
 *	tools/vm/run -k 6.1 -- build/examples/pool
 *
 * On a machine that has other things to do as well, the times tell little. A single CPU
 * whose clock counts the instructions that it emulates gives the same numbers each time:
 *
 *	VM_ACCEL=tcg,thread=single tools/vm/run -c 1 -x -icount -x shift=2 -k 6.1 -- \
 *		build/examples/pool
 *
 * The pools, of up to as many threads each:
 *
 *	ioevq	ioevq_pool, with a concurrency value of the number of CPUs
 *	plain	a list, a mutex and a condition variable
 *	epoll	a list and a mutex; a semaphore eventfd(2) that counts the jobs in it.
 *		Each thread reads that, and if there is none waits in an epoll instance
 *		of its own, with EPOLLEXCLUSIVE, so that one is woken for each job
 *	few	like plain, with as many threads as there are CPUs
 *
 * A job either computes, or waits for a timer, as it would for a disk; "mixed" are both by
 * turns. Jobs come in bursts, the next one when the one before is done. Each pool has the
 * same number of runs, after some bursts to warm up, and what is shown is the median:
 *
 *	jobs/s		jobs, by the time from the first burst to the last end
 *	volunt.		context switches for each job, because a thread waited,
 *	involunt.	and because another was given its CPU
 *	threads		that had a job
 *	mean, p99	time from the begin of the burst to the end of the job
 *
 * What to look for: more threads than CPUs that compute take turns, so that all are late
 * (plain, epoll); without more threads than CPUs those that wait keep others from computing
 * (few). With the concurrency value there are as many threads as that takes, and jobs begin
 * in order: one that waits begins late if there is much to compute before it. And if no
 * more run than there are CPUs, each of them must have one: where CPUs share no cache, as
 * in tools/vm/run without "-x -smp -x 2,sockets=1,cores=2", the scheduler may wake a worker
 * on a busy CPU beside an idle one, until it balances.
 */
#define _GNU_SOURCE
#include "pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define CPU_US		10000	/* of a job that computes */
#define TIMER_US	20000	/* of a job that waits */
#define RUNS		5
#define WARM_UP		3	/* bursts before each run: threads are started then */
#define MAX_JOBS	1000000
#define MAX_BURST	10000

/* What is left of a run; the columns of the table. */
enum { RATE, VOLUNTARY, INVOLUNTARY, THREADS, MEAN, P99, COLUMNS };

static struct job *jobs;
static unsigned int nr_jobs = 256, burst = 64;
static unsigned long loops_per_ms;

static unsigned int run_nr;		/* to tell apart in which run a thread had a job */
static unsigned int threads_used;	/* atomic */
static unsigned int jobs_left;		/* of a burst; atomic */
static int burst_done;			/* an eventfd */

void die(const char *what, int err)
{
	fprintf(stderr, "pool: %s: %s\n", what, strerror(err));
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void compute(unsigned long loops)
{
	while (loops--)
		__asm__ volatile("");
}

static void calibrate(void)
{
	int64_t start, took;

	loops_per_ms = 1000;
	do {
		loops_per_ms *= 2;
		start = now_ns();
		compute(loops_per_ms);
		took = now_ns() - start;
	} while (took < 100000000);
	loops_per_ms = (unsigned long)((double)loops_per_ms * 1e6 / (double)took);
}

static void wait_for_timer(void)
{
	struct itimerspec it = { .it_value.tv_nsec = TIMER_US * 1000L };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	uint64_t n;

	if (fd < 0 || timerfd_settime(fd, 0, &it, NULL) || read(fd, &n, sizeof(n)) < 0)
		die("timer", errno);
	close(fd);
}

/* In whatever pool. */
void do_job(struct job *job)
{
	static __thread unsigned int my_run;

	if (my_run != run_nr) {
		my_run = run_nr;
		__atomic_add_fetch(&threads_used, 1, __ATOMIC_RELAXED);
	}
	if (job->waits)
		wait_for_timer();
	else
		compute(loops_per_ms * CPU_US / 1000);
	job->took = now_ns() - job->submitted;
	if (!__atomic_sub_fetch(&jobs_left, 1, __ATOMIC_ACQ_REL))
		eventfd_write(burst_done, 1);
}

static int compare_times(const void *a, const void *b)
{
	const struct job *ja = a, *jb = b;

	return ja->took < jb->took ? -1 : ja->took > jb->took;
}

static int compare(const void *a, const void *b)
{
	double da = *(const double *)a, db = *(const double *)b;

	return da < db ? -1 : da > db;
}

static void do_burst(const struct pool *pool, unsigned int from, unsigned int to)
{
	int64_t now = now_ns();
	eventfd_t one;
	unsigned int i;

	__atomic_store_n(&jobs_left, to - from, __ATOMIC_RELEASE);
	for (i = from; i < to; i++) {
		/* Not when its turn has come: that the pool is in our way counts, too. */
		jobs[i].submitted = now;
		pool->submit(&jobs[i]);
	}
	eventfd_read(burst_done, &one);
}

/* All jobs once, in bursts. */
static void run(const struct pool *pool, const char *mix, unsigned int max_threads, double *result)
{
	struct rusage before, after;
	unsigned int i;
	int64_t start;
	double sum = 0;

	for (i = 0; i < nr_jobs; i++)
		jobs[i].waits = *mix == 'w' || (*mix == 'm' && i % 2);
	pool->start(pool->threads ? pool->threads : max_threads);
	for (i = 0; i < WARM_UP; i++)
		do_burst(pool, 0, burst);
	run_nr++;
	threads_used = 0;
	getrusage(RUSAGE_SELF, &before);
	start = now_ns();
	for (i = 0; i < nr_jobs; i += burst)
		do_burst(pool, i, nr_jobs - i < burst ? nr_jobs : i + burst);
	result[RATE] = nr_jobs * 1e9 / (double)(now_ns() - start);
	getrusage(RUSAGE_SELF, &after);
	pool->stop();
	result[VOLUNTARY] = (double)(after.ru_nvcsw - before.ru_nvcsw) / nr_jobs;
	result[INVOLUNTARY] = (double)(after.ru_nivcsw - before.ru_nivcsw) / nr_jobs;
	result[THREADS] = threads_used;
	for (i = 0; i < nr_jobs; i++)
		sum += (double)jobs[i].took;
	result[MEAN] = sum / nr_jobs / 1e6;
	qsort(jobs, nr_jobs, sizeof(*jobs), compare_times);
	result[P99] = (double)jobs[nr_jobs - 1 - nr_jobs / 100].took / 1e6;
}

static void print_median(const char *mix, const char *pool, double results[RUNS][COLUMNS])
{
	double column[RUNS], median[COLUMNS];
	unsigned int i, k;

	for (i = 0; i < COLUMNS; i++) {
		for (k = 0; k < RUNS; k++)
			column[k] = results[k][i];
		qsort(column, RUNS, sizeof(*column), compare);
		median[i] = column[RUNS / 2];
	}
	printf("%-8s %-6s %8.0f %10.2f %10.2f %8.0f %9.2f %9.2f\n", mix, pool, median[RATE],
	       median[VOLUNTARY], median[INVOLUNTARY], median[THREADS], median[MEAN], median[P99]);
}

/* What else the machine has to do should meet all pools the same. */
static void measure(const char *mix, unsigned int max_threads)
{
	static double results[NR_POOLS][RUNS][COLUMNS];
	unsigned int i, k;

	for (k = 0; k < RUNS; k++)
		for (i = 0; i < NR_POOLS; i++)
			run(&pools[i], mix, max_threads, results[i][k]);
	for (i = 0; i < NR_POOLS; i++)
		print_median(mix, pools[i].name, results[i]);
	fflush(stdout);
}

static unsigned int parse(const char *what, const char *arg, unsigned long max)
{
	char *end;
	unsigned long n = strtoul(arg, &end, 10);

	if (*arg < '0' || *arg > '9' || *end || !n || n > max) {
		fprintf(stderr, "pool: %s: a number from 1 to %lu, not '%s'\n", what, max, arg);
		exit(2);
	}
	return (unsigned int)n;
}

int main(int argc, char **argv)
{
	static const char * const mixes[] = { "compute", "wait", "mixed" };
	unsigned int max_threads = 64, i;
	int opt;

	while ((opt = getopt(argc, argv, "t:j:b:h")) != -1) {
		switch (opt) {
		case 't':
			max_threads = parse("threads", optarg, MAX_THREADS);
			break;
		case 'j':
			nr_jobs = parse("jobs", optarg, MAX_JOBS);
			break;
		case 'b':
			burst = parse("burst", optarg, MAX_BURST);
			break;
		case 'h':
			printf("usage: pool [-t THREADS] [-j JOBS] [-b BURST]    (64, 256, 64)\n");
			return 0;
		default:
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "pool: what is '%s'? See pool -h\n", argv[optind]);
		return 2;
	}
	if (burst > nr_jobs)
		burst = nr_jobs;
	pools[FEW].threads = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	jobs = calloc(nr_jobs, sizeof(*jobs));
	burst_done = eventfd(0, EFD_CLOEXEC);
	if (!jobs || burst_done < 0)
		die("prepare", errno);
	calibrate();
	printf("%-8s %-6s %8s %10s %10s %8s %9s %9s\n", "jobs", "pool", "jobs/s", "volunt.",
	       "involunt.", "threads", "mean ms", "p99 ms");
	for (i = 0; i < sizeof(mixes) / sizeof(*mixes); i++)
		measure(mixes[i], max_threads);
	return 0;
}

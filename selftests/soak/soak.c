// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything at once, for as long as one likes; and everything that was started is accounted
 * for as delivered, cancelled or refused. To be run by selftests/soak/run.
 */
#include <getopt.h>
#include <sys/prctl.h>
#include <time.h>

#include "soak.h"

#define WARM_S		20	/* what the kernel allocates once is there then */
#define BOUND_S		60	/* for failures only */
#define MEMORY_KB	4096	/* how much more the kernel may have in the end */

static const struct actor {
	void (*run)(struct me *me);
	unsigned int arg;
} actors[ACTORS] = {
	{ actor_post, 0 }, { actor_socket, 0 }, { actor_timer, 0 }, { actor_file, 1 },
	{ actor_socket, 0 }, { actor_child, 0 }, { actor_file, 2 }, { actor_file, 0 },
	{ actor_queue, 0 }, { actor_starved, 0 },
};

static struct ioevq queues[QUEUES];
static pid_t pids[ACTORS];
static uint64_t seed = 1;
static FILE *csv;
static uint64_t all_kills;

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static long module_users(void)
{
	FILE *f = fopen("/sys/module/ioevq/refcnt", "re");
	long n = -1;

	if (f && fscanf(f, "%ld", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

static void act(unsigned int i)
{
	struct me me = {
		.actor = i,
		.q = &queues[i % QUEUES],
		.seed = seed * 1000003 + i,
		.arg = actors[i].arg,
	};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	protect();
	if (!join("soak"))
		exit(9);
	actors[i].run(&me);
	exit(0);
}

/* Until the time is over, and memory was short; while nothing goes wrong. */
static bool run_for(unsigned int seconds)
{
	time_t begin = now(), told = begin;
	/* The first takes too much for certain. */
	pid_t pig = hog(seed + 77, true);
	bool ok = true;
	unsigned int i;
	int status;

	while (ok && (now() - begin < seconds || !pressure())) {
		rest();
		consumers_trouble();
		if (waitpid(pig, NULL, WNOHANG) == pig) {
			shared->hogs++;
			pig = hog(seed + now(), false);
		}
		for (i = 0; i < ACTORS; i++) {
			if (waitpid(pids[i], &status, WNOHANG) == pids[i]) {
				printf("actor %u ended with status %x\n", i, status);
				pids[i] = 0;
				ok = false;
			}
		}
		if (__atomic_load_n(&shared->odd, __ATOMIC_ACQUIRE))
			ok = false;
		if (now() - told >= 60) {
			told = now();
			report(stdout, csv, told - begin);
		}
	}
	kill(pig, SIGKILL);
	waitpid(pig, NULL, 0);
	return ok;
}

/* They cancel what is open; consumers are there until it has ended. */
static bool stop_actors(void)
{
	unsigned int i, left = ACTORS;
	bool ok = true;
	int status;

	__atomic_store_n(&shared->stop, 1, __ATOMIC_RELEASE);
	while (left) {
		left = 0;
		for (i = 0; i < ACTORS; i++) {
			if (!pids[i])
				continue;
			if (waitpid(pids[i], &status, WNOHANG) != pids[i]) {
				left++;
				continue;
			}
			pids[i] = 0;
			if (status) {
				printf("actor %u ended with status %x\n", i, status);
				ok = false;
			}
		}
		consumers_settle();
		rest();
	}
	return ok;
}

/* Nothing is left in a queue, and what it has posted is what was taken. */
static bool queue_is_done(unsigned int nr, uint64_t before, uint64_t more_before, uint64_t doubtful)
{
	uint64_t more, ends = finals(nr, &more) - before;
	struct ioevq_info info = {};
	struct ioevq_enter enter = {};
	struct patience p = {};
	bool ok;

	do {
		if (ioevq_enter(&queues[nr], &enter) < 0 || ioevq_info(&queues[nr], &info))
			return false;
	} while ((info.requests || info.available) && wait_on(&p, BOUND_S));
	more -= more_before;
	ok = !info.requests && !info.available && info.events >= ends + more &&
	     info.events <= ends + more + doubtful;
	printf("queue %u: posted %llu, ", nr, (unsigned long long)info.events);
	printf("taken %llu final, %llu others, ", (unsigned long long)ends,
	       (unsigned long long)more);
	printf("%llu perhaps; left %u, %llu%s\n", (unsigned long long)doubtful, info.requests,
	       (unsigned long long)info.available, ok ? "" : ": WRONG");
	return ok;
}

static bool is_empty(void)
{
	struct ioevq_info info = {};
	unsigned int i;

	for (i = 0; i < QUEUES; i++)
		if (ioevq_info(&queues[i], &info) || info.available)
			return false;
	return true;
}

static bool phase(unsigned int seconds)
{
	uint64_t before[QUEUES], more_before[QUEUES], doubtful[QUEUES], kills;
	struct patience p = {}, p2 = {};
	unsigned int i;
	bool ok;

	shared->stop = 0;
	for (i = 0; i < QUEUES; i++) {
		/* A small one, so that events wait in the backlog; one with a concurrency value. */
		if (ioevq_open(&queues[i], i ? 1024 : 64, 0) ||
		    ioevq_set_concurrency(&queues[i], i ? 2 : IOEVQ_UNLIMITED))
			return false;
		before[i] = finals(i, &more_before[i]);
	}
	fflush(stdout);
	consumers_start(queues, seed + 5);
	for (i = 0; i < ACTORS; i++) {
		pids[i] = fork();
		if (!pids[i])
			act(i);
	}
	ok = run_for(seconds);
	ok &= stop_actors();
	while (!is_empty() && wait_on(&p, BOUND_S))
		consumers_settle();
	for (i = 0; i < QUEUES; i++)
		ioevq_alert(&queues[i], 0);
	ok &= consumers_stop(doubtful, &kills);
	all_kills += kills;
	for (i = 0; i < QUEUES; i++) {
		ok &= queue_is_done(i, before[i], more_before[i], doubtful[i]);
		ioevq_close(&queues[i]);
	}
	while (module_users() && wait_on(&p2, BOUND_S))
		;
	if (module_users()) {
		printf("%ld references to the module are left\n", module_users());
		ok = false;
	}
	return ok && !shared->odd;
}

/* Something of each kind did come: a soak of nothing says nothing. */
static bool is_soaked(void)
{
	uint64_t sum;
	unsigned int k, a;
	bool ok = true;

	for (k = 0; k < KINDS; k++) {
		for (sum = 0, a = 0; a < ACTORS; a++)
			sum += shared->books[a][k].delivered + (k == KIND_EDGE ?
			       shared->books[a][k].more : 0);
		if (!sum) {
			printf("nothing was delivered: %s\n", kind_names[k]);
			ok = false;
		}
	}
	if (!all_kills || !shared->starved) {
		printf("no consumer was killed, or none starved\n");
		ok = false;
	}
	return ok;
}

static void tell_oddities(void)
{
	unsigned int i;

	for (i = 0; i < shared->odd && i < ARRAY_SIZE(shared->oddities); i++) {
		const struct oddity *o = &shared->oddities[i];

		printf("WRONG: %s: user_data %llx op %u flags %x res %lld data %llx, entry %llx\n",
		       o->what, (unsigned long long)o->ev.user_data, o->ev.op, o->ev.flags,
		       (long long)o->ev.res, (unsigned long long)o->ev.data,
		       (unsigned long long)o->entry);
	}
}

static bool options(int argc, char **argv, unsigned int *minutes)
{
	static const struct option known[] = {
		{ "minutes", required_argument, NULL, 'm' },
		{ "seed", required_argument, NULL, 's' },
		{}
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		switch (c) {
		case 'm':
			*minutes = strtoul(optarg, NULL, 10);
			break;
		case 's':
			seed = strtoul(optarg, NULL, 10);
			break;
		default:
			return false;
		}
	}
	return optind == argc && seed;
}

int main(int argc, char **argv)
{
	unsigned int minutes = 30;
	const char *out = getenv("VM_OUT");
	long baseline, after = 0;
	char path[256];
	uint64_t open;
	bool ok;

	if (!options(argc, argv, &minutes)) {
		fprintf(stderr, "usage: soak [--minutes N] [--seed N]\n");
		return 2;
	}
	if (ledger_open()) {
		perror("soak");
		return 1;
	}
	protect();
	snprintf(path, sizeof(path), "%s/soak.csv", out ? out : "");
	csv = out ? fopen(path, "we") : NULL;
	if (csv)
		fprintf(csv, "seconds,kind,started,delivered,cancelled,refused\n");
	/* Nothing in a buffer that a child would write once more. */
	fflush(NULL);
	ok = phase(WARM_S);
	baseline = kernel_memory();
	printf("after %u s to warm up: the kernel has %ld KiB\n", WARM_S, baseline);
	if (ok)
		ok = phase(minutes * 60) && is_soaked();
	open = report(stdout, csv, minutes * 60);
	tell_oddities();
	if (ok && !settles(baseline, MEMORY_KB, &after)) {
		printf("the kernel has %ld KiB, more than %u KiB more\n", after, MEMORY_KB);
		ok = false;
	}
	printf("%llu consumers killed, %llu events found in their hands\n",
	       (unsigned long long)all_kills, (unsigned long long)shared->recovered);
	printf("%lu times reclaimed, %llu hogs killed, starved %llu times; ", pressure(),
	       (unsigned long long)shared->hogs, (unsigned long long)shared->starved);
	printf("the kernel has %ld KiB\n", after);
	printf("%s: %llu not accounted for, %llu wrong\n", ok && !open ? "ok" : "FAILED",
	       (unsigned long long)open, (unsigned long long)shared->odd);
	return ok && !open ? 0 : 1;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two CPUs: one writes to an eventfd, the other waits to be told and answers in memory. What
 * each does in the kernel is counted by the plugin (both run at once, and the clock is that
 * of the host); how long it takes is only told for want of better.
 */
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <time.h>

#include "bench.h"
#include "uring.h"

#define MOST_RUNS	100

struct pair {
	const struct pair_way *way;
	int fd, epfd;
	struct uring u;
	struct ioevq q;
	/* The producer's and the consumer's, each in a line of its own. */
	char pad0[128];
	unsigned long sent;
	char pad1[128];
	unsigned long seen;
	char pad2[128];
};

struct pair_way {
	const char *name;
	enum kind kind;
	void (*open)(struct pair *p);
	void (*wait)(struct pair *p);
	bool sleeps;			/* the producer leaves it the time to */
};

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	MUST(sched_setaffinity(0, sizeof(set), &set));
}

static void open_nothing(struct pair *p)
{
	(void)p;
}

/* What the producer does anyway. */
static void wait_memory(struct pair *p)
{
	while (__atomic_load_n(&p->sent, __ATOMIC_ACQUIRE) == p->seen)
		__builtin_ia32_pause();
}

static void open_epoll(struct pair *p)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };

	p->epfd = MUST(epoll_create1(0));
	MUST(epoll_ctl(p->epfd, EPOLL_CTL_ADD, p->fd, &ev));
}

static void spin_epoll(struct pair *p)
{
	struct epoll_event ev;

	while (!MUST(epoll_wait(p->epfd, &ev, 1, 0)))
		;
}

static void sleep_epoll(struct pair *p)
{
	struct epoll_event ev;

	MUST(epoll_wait(p->epfd, &ev, 1, -1));
}

static void open_uring(struct pair *p, unsigned int flags)
{
	if (uring_open(&p->u, 64, flags))
		die("io_uring_setup");
	uring_poll(&p->u, p->fd, 1, true);
	MUST(uring_enter(&p->u, 0, 0));
}

static void open_uring_default(struct pair *p)
{
	open_uring(p, 0);
}

static void open_uring_coop(struct pair *p)
{
	open_uring(p, IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG);
}

static void open_uring_defer_flag(struct pair *p)
{
	open_uring(p, URING_DEFER | IORING_SETUP_TASKRUN_FLAG);
}

static void open_uring_defer(struct pair *p)
{
	open_uring(p, URING_DEFER);
}

static void spin_uring(struct pair *p)
{
	while (!uring_peek(&p->u))
		__builtin_ia32_pause();
	uring_seen(&p->u, 1);
}

/* A call only where the ring says that there is something to be put into it. */
static void spin_uring_flag(struct pair *p)
{
	while (!uring_peek(&p->u)) {
		if (__atomic_load_n(p->u.sq_flags, __ATOMIC_RELAXED) & IORING_SQ_TASKRUN)
			MUST(uring_enter(&p->u, 0, IORING_ENTER_GETEVENTS));
		else
			__builtin_ia32_pause();
	}
	uring_seen(&p->u, 1);
}

static void sleep_uring(struct pair *p)
{
	while (!uring_peek(&p->u))
		MUST(uring_enter(&p->u, 1, IORING_ENTER_GETEVENTS));
	uring_seen(&p->u, 1);
}

static void open_ours(struct pair *p)
{
	struct ioevq_req req;

	MUST(ioevq_open(&p->q, 64, 0));
	ioevq_prep_poll(&req, p->fd, POLLIN, IOEVQ_POLL_EDGE, 1);
	MUST(ioevq_submit(&p->q, &req, 1));
}

static void spin_ours(struct pair *p)
{
	struct ioevq_event ev;

	while (MUST(ioevq_take(&p->q, &ev)) != 1)
		__builtin_ia32_pause();
}

static void sleep_ours(struct pair *p)
{
	struct ioevq_event ev;
	struct ioevq_enter enter = {
		.events = (uintptr_t)&ev, .min = 1, .max = 1, .timeout_ns = -1,
	};

	MUST(ioevq_enter(&p->q, &enter));
}

static const struct pair_way ways[] = {
	{ "nobody is told", BASE, open_nothing, wait_memory, false },
	{ "epoll ET, spinning", PEER, open_epoll, spin_epoll, false },
	{ "io_uring, spinning on the ring", PEER, open_uring_default, spin_uring, false },
	{ "io_uring COOP_TASKRUN, spinning", PEER, open_uring_coop, spin_uring_flag, false },
	{ "io_uring DEFER, spinning", PEER, open_uring_defer_flag, spin_uring_flag, false },
	{ "ioevq, spinning on the ring", OURS, open_ours, spin_ours, false },
	{ "epoll ET, sleeping", PEER, open_epoll, sleep_epoll, true },
	{ "io_uring DEFER, sleeping", PEER, open_uring_defer, sleep_uring, true },
	{ "ioevq, sleeping", OURS, open_ours, sleep_ours, true },
};

static void *consume(void *arg)
{
	struct pair *p = arg;

	pin(1);
	p->way->open(p);
	__atomic_store_n(&p->seen, 0, __ATOMIC_RELEASE);
	for (;;) {
		p->way->wait(p);
		__atomic_store_n(&p->seen, p->seen + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* Long enough for the other CPU to fall asleep, and nothing that the kernel would see. */
static void leave_time(void)
{
	double until = now_us() + 300;

	while (now_us() < until)
		__builtin_ia32_pause();
}

static void produce(struct pair *p, unsigned int n)
{
	while (n--) {
		if (p->way->sleeps)
			leave_time();
		put_message(p->fd);
		__atomic_store_n(&p->sent, p->sent + 1, __ATOMIC_RELEASE);
		while (__atomic_load_n(&p->seen, __ATOMIC_ACQUIRE) != p->sent)
			__builtin_ia32_pause();
	}
}

/*
 * Many short runs, each a row: in some of them neither CPU has a tick of the kernel's clock. What
 * they have to say is said at last, for who reads it runs on one of the CPUs.
 */
static void run_pair(const struct pair_way *w)
{
	struct pair *p = warm_alloc(1, sizeof(*p));
	unsigned int n = 50, runs = quick ? MOST_RUNS / 2 : MOST_RUNS, regions[MOST_RUNS], i;
	struct row row = { .question = "two CPUs", .object = "eventfd", .name = w->name,
			   .kind = w->kind, .n = 1, .k = 1 };
	pthread_t thread;
	double us[MOST_RUNS], begin, best = INFINITY;

	p->way = w;
	p->fd = MUST(eventfd(0, EFD_NONBLOCK));
	p->seen = 1;
	pin(0);
	if (pthread_create(&thread, NULL, consume, p))
		die("pthread_create");
	while (__atomic_load_n(&p->seen, __ATOMIC_ACQUIRE))
		sched_yield();
	produce(p, 500);
	for (i = 0; i < runs; i++) {
		region_begin();
		begin = now_us();
		produce(p, n);
		us[i] = (now_us() - begin) / n;
		regions[i] = region_end();
	}
	for (i = 0; i < runs; i++) {
		region_set(regions[i]);
		put_row(&row, &us[i], 1, n);
		if (us[i] < best)
			best = us[i];
	}
	put_value(&row, "microseconds, noisy", best);
	fflush(stdout);
}

void bench_cpus(void)
{
	unsigned int i;
	int status;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		pid_t pid = MUST(fork());

		if (!pid) {
			run_pair(&ways[i]);
			_exit(0);
		}
		if (waitpid(pid, &status, 0) != pid || status)
			die(ways[i].name);
	}
	bench_server_by_clock();
}

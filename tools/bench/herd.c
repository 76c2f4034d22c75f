// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many waiters, one event at a time: how many of them are woken for it, as the scheduler counts,
 * how many return to user space, and how often they are switched to. Blocked threads, which all
 * serve one eventfd.
 */
#include <dirent.h>
#include <sys/wait.h>
#include <pthread.h>

#include "bench.h"
#include "uring.h"

#define EVENTS		100
#define MAX_WAITERS	64

struct herd;

struct waiter {
	struct herd *h;
	int epfd;
	struct uring u;
	struct ioevq q;
	unsigned long returns, taken;
};

struct herd_way {
	const char *name;
	enum kind kind;
	bool nonblock;
	void (*open)(struct herd *h);		/* what all share */
	void (*join)(struct waiter *w);		/* what each has */
	void (*wait)(struct waiter *w);
};

struct herd {
	const struct herd_way *way;
	int fd, epfd;
	struct ioevq q;
	struct waiter waiters[MAX_WAITERS];
};

static void share_nothing(struct herd *h)
{
	(void)h;
}

static void join_nothing(struct waiter *w)
{
	(void)w;
}

static void wait_nothing(struct waiter *w)
{
	(void)w;
}

static void wait_poll(struct waiter *w)
{
	struct pollfd p = { .fd = w->h->fd, .events = POLLIN };

	MUST(poll(&p, 1, -1));
}

static int make_epoll(int fd, uint32_t flags)
{
	struct epoll_event ev = { .events = EPOLLIN | flags };
	int epfd = MUST(epoll_create1(0));

	MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev));
	return epfd;
}

static void share_level(struct herd *h)
{
	h->epfd = make_epoll(h->fd, 0);
}

static void share_edge(struct herd *h)
{
	h->epfd = make_epoll(h->fd, EPOLLET);
}

static void join_shared(struct waiter *w)
{
	w->epfd = w->h->epfd;
}

static void join_own(struct waiter *w)
{
	w->epfd = make_epoll(w->h->fd, 0);
}

static void join_exclusive(struct waiter *w)
{
	w->epfd = make_epoll(w->h->fd, EPOLLEXCLUSIVE);
}

static void wait_epoll(struct waiter *w)
{
	struct epoll_event ev;

	MUST(epoll_wait(w->epfd, &ev, 1, -1));
}

static void join_uring(struct waiter *w)
{
	if (uring_open(&w->u, 8, URING_DEFER))
		die("io_uring_setup");
}

static void wait_uring(struct waiter *w)
{
	struct io_uring_sqe *sqe = uring_sqe(&w->u, IORING_OP_POLL_ADD, w->h->fd, 1);

	sqe->poll32_events = POLLIN | EPOLLEXCLUSIVE;
	MUST(uring_enter(&w->u, 1, IORING_ENTER_GETEVENTS));
	if (uring_peek(&w->u))
		uring_seen(&w->u, 1);
}

static void watch(struct ioevq *q, int fd, uint32_t mode)
{
	struct ioevq_req req;

	MUST(ioevq_open(q, 256, 0));
	ioevq_prep_poll(&req, fd, POLLIN, mode, 1);
	MUST(ioevq_submit(q, &req, 1));
}

static void share_ours(struct herd *h)
{
	watch(&h->q, h->fd, IOEVQ_POLL_EDGE);
}

static void share_ours_level(struct herd *h)
{
	watch(&h->q, h->fd, IOEVQ_POLL_LEVEL);
}

static void join_ours_shared(struct waiter *w)
{
	w->q = w->h->q;
}

static void join_ours_exclusive(struct waiter *w)
{
	watch(&w->q, w->h->fd, IOEVQ_POLL_EDGE | IOEVQ_POLL_EXCLUSIVE);
}

static void wait_ours(struct waiter *w)
{
	struct ioevq_event ev;

	MUST(ioevq_wait(&w->q, &ev, 1, 1, IOEVQ_FOREVER));
}

static const struct herd_way ways[] = {
	/* Waits for nothing else. */
	{ "blocking read", FLOOR, false, share_nothing, join_nothing, wait_nothing },
	{ "poll", PEER, true, share_nothing, join_nothing, wait_poll },
	{ "epoll, each its own, LT", PEER, true, share_nothing, join_own, wait_epoll },
	{ "epoll EXCLUSIVE", PEER, true, share_nothing, join_exclusive, wait_epoll },
	{ "epoll, one for all, LT", PEER, true, share_level, join_shared, wait_epoll },
	{ "epoll, one for all, ET", PEER, true, share_edge, join_shared, wait_epoll },
	{ "io_uring exclusive poll", PEER, true, share_nothing, join_uring, wait_uring },
	{ "ioevq, one for all, edge", OURS, true, share_ours, join_ours_shared, wait_ours },
	{ "ioevq, one for all, level", OURS, true, share_ours_level, join_ours_shared,
	  wait_ours },
	{ "ioevq EXCLUSIVE", OURS, true, share_nothing, join_ours_exclusive, wait_ours },
};

static void *serve(void *arg)
{
	struct waiter *w = arg;
	uint64_t n;

	w->h->way->join(w);
	for (;;) {
		w->h->way->wait(w);
		__atomic_fetch_add(&w->returns, 1, __ATOMIC_RELAXED);
		if (read(w->h->fd, &n, sizeof(n)) == sizeof(n))
			__atomic_fetch_add(&w->taken, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* Adds up the lines "@name ... number" of a file of each thread but the first. */
static unsigned long of_threads(const char *file, const char *name)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned long sum = 0;
	char path[320], line[128];
	bool found = false;

	if (!dir)
		die("/proc/self/task");
	while ((entry = readdir(dir))) {
		FILE *f;

		if (entry->d_name[0] == '.' || strtol(entry->d_name, NULL, 10) == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/%s", entry->d_name, file);
		f = fopen(path, "r");
		if (!f)
			die(path);
		while (fgets(line, sizeof(line), f))
			if (!strncmp(line, name, strlen(name)) && strchr(line, ':')) {
				sum += strtoul(strchr(line, ':') + 1, NULL, 10);
				found = true;
			}
		fclose(f);
	}
	if (!found)
		die(name);
	closedir(dir);
	return sum;
}

static unsigned long switches(void)
{
	return of_threads("status", "voluntary_ctxt_switches:") +
	       of_threads("status", "nonvoluntary_ctxt_switches:");
}

/* Counted while kernel.sched_schedstats is set. */
static unsigned long wakeups(void)
{
	return of_threads("sched", "nr_wakeups ");
}

static void count_wakeups(const char *on)
{
	int fd = MUST(open("/proc/sys/kernel/sched_schedstats", O_WRONLY));

	if (write(fd, on, 1) != 1)
		die("sched_schedstats");
	close(fd);
}

static unsigned long count(struct herd *h, unsigned int n, size_t member)
{
	unsigned long sum = 0;

	while (n--)
		sum += __atomic_load_n((unsigned long *)((char *)&h->waiters[n] + member),
				       __ATOMIC_ACQUIRE);
	return sum;
}

/* Writes, and sleeps until somebody has read it and all others have gone back to sleep. */
static void one_event(struct herd *h, unsigned int n)
{
	unsigned long taken = count(h, n, offsetof(struct waiter, taken));

	put_message(h->fd);
	while (count(h, n, offsetof(struct waiter, taken)) == taken)
		usleep(1000);
	usleep(10000);
}

static void gather(const struct herd_way *way, unsigned int n)
{
	struct herd *h = warm_alloc(1, sizeof(*h));
	unsigned long before, woken, returns;
	unsigned int events = quick ? EVENTS / 2 : EVENTS, i;
	struct row row = {
		.question = "herd", .object = "eventfd", .name = way->name, .kind = way->kind,
		.n = n, .k = 1,
	};

	h->way = way;
	h->fd = MUST(eventfd(0, way->nonblock ? EFD_NONBLOCK : 0));
	way->open(h);
	for (i = 0; i < n; i++) {
		pthread_t thread;

		h->waiters[i].h = h;
		if (pthread_create(&thread, NULL, serve, &h->waiters[i]))
			die("pthread_create");
	}
	usleep(100000);
	for (i = 0; i < 4; i++)
		one_event(h, n);
	before = switches();
	woken = wakeups();
	returns = count(h, n, offsetof(struct waiter, returns));
	for (i = 0; i < events; i++)
		one_event(h, n);
	/* A blocking read that found nothing has not returned. */
	returns = count(h, n, offsetof(struct waiter, returns)) - returns;
	put_value(&row, "wake-ups", (double)(wakeups() - woken) / events);
	put_value(&row, "returns", (double)returns / events);
	put_value(&row, "switches", (double)(switches() - before) / events);
	fflush(stdout);
}

/* Each way in a process of its own: its threads wait for good. */
void bench_herd(void)
{
	static const unsigned int waiters[] = { 8, 64, 1 };
	unsigned int i, j;
	int status;

	count_wakeups("1");
	for (j = 0; j < (quick ? 2 : ARRAY_SIZE(waiters)); j++) {
		for (i = 0; i < ARRAY_SIZE(ways); i++) {
			pid_t pid = MUST(fork());

			if (!pid) {
				gather(&ways[i], waiters[j]);
				_exit(0);
			}
			if (waitpid(pid, &status, 0) != pid || status)
				die(ways[i].name);
		}
	}
	count_wakeups("0");
}

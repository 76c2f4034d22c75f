// SPDX-License-Identifier: GPL-2.0-only
/*
 * Law 10: many children, in any order, each told of once. IOEVQ_CHILDREN is how many,
 * IOEVQ_STORM_S how long the storm lasts, in seconds.
 */
#include "children.h"
#include "scaled.h"

#define BATCH	64

struct batch {
	unsigned int seed;
	struct {
		pid_t pid;
		int go;
		int status;		/* that it is to have */
		int told;
	} child[BATCH];
};

FIXTURE(many)
{
	struct ioevq q;
	struct batch b;
};

FIXTURE_VARIANT(many)
{
	void (*handler)(int sig);
};

static unsigned int signals;

static void count_signals(int sig)
{
	(void)sig;
	__atomic_add_fetch(&signals, 1, __ATOMIC_RELAXED);
}

FIXTURE_VARIANT_ADD(many, default_action) {
	.handler = SIG_DFL
};

FIXTURE_VARIANT_ADD(many, ignored) {
	.handler = SIG_IGN
};

FIXTURE_VARIANT_ADD(many, handled) {
	.handler = count_signals
};

FIXTURE_SETUP(many)
{
	struct sigaction act = { .sa_handler = variant->handler, .sa_flags = SA_RESTART };

	self->b.seed = 20260101;
	ASSERT_EQ(0, sigaction(SIGCHLD, &act, NULL));
	ASSERT_EQ(0, ioevq_open(&self->q, 16, 0));
	ASSERT_EQ(0, watch_child(&self->q, 0, BATCH, 1));
}

FIXTURE_TEARDOWN(many)
{
	(void)variant;
	ioevq_close(&self->q);
}

/* Starts one that ends when it is told to. */
static int start(struct batch *b, unsigned int i)
{
	static const int deadly[] = { SIGKILL, SIGTERM, SIGHUP, SIGUSR2 };
	unsigned int dice = rand_r(&b->seed);
	int fds[2], status;
	char word;

	if (dice % 4)
		status = (dice >> 8 & 0xff) << 8;
	else
		status = deadly[(dice >> 8) % ARRAY_SIZE(deadly)];
	if (pipe(fds))
		return -1;
	b->child[i].pid = fork();
	if (!b->child[i].pid) {
		close(fds[1]);
		if (read(fds[0], &word, 1))
			_exit(99);
		if (status & 0x7f)
			kill(getpid(), status);
		_exit(status >> 8);
	}
	close(fds[0]);
	b->child[i].go = fds[1];
	b->child[i].status = status;
	b->child[i].told = 0;
	return b->child[i].pid < 0 ? -1 : 0;
}

/* Those that were started later have the other ends of the pipes of earlier ones. */
static void end_in_any_order(struct batch *b)
{
	unsigned int order[BATCH], i, j, swap;

	for (i = 0; i < BATCH; i++)
		order[i] = i;
	for (i = BATCH - 1; i; i--) {
		j = rand_r(&b->seed) % (i + 1);
		swap = order[i];
		order[i] = order[j];
		order[j] = swap;
	}
	for (i = 0; i < BATCH; i++)
		close(b->child[order[i]].go);
}

static unsigned int find(struct batch *b, pid_t pid)
{
	unsigned int i;

	for (i = 0; i < BATCH && b->child[i].pid != pid; i++)
		;
	return i;
}

/* The handler interrupts a wait. */
static int next_child(const struct ioevq *q, struct ioevq_event *ev)
{
	int ret;

	while ((ret = next_event(q, ev)) == -EINTR)
		;
	return ret;
}

TEST_F(many, law_10_each_is_told_once)
{
	unsigned int left = env_number("IOEVQ_CHILDREN", scaled(2000)), i;
	bool ignored = variant->handler == SIG_IGN;
	struct ioevq_event ev;
	int status;

	while (left) {
		for (i = 0; i < BATCH; i++)
			ASSERT_EQ(0, start(&self->b, i));
		end_in_any_order(&self->b);
		for (i = 0; i < BATCH; i++) {
			unsigned int n;

			ASSERT_EQ(1, next_child(&self->q, &ev));
			ASSERT_EQ(IOEVQ_EVENT_MORE | (ignored ? IOEVQ_EVENT_AUTOREAP : 0),
				  ev.flags);
			n = find(&self->b, ev.res);
			ASSERT_GT(BATCH, n);
			ASSERT_EQ(1, ++self->b.child[n].told);
			ASSERT_EQ(self->b.child[n].status, IOEVQ_CHILD_STATUS(ev.data));
			if (ignored)
				continue;
			ASSERT_EQ(ev.res, waitpid(ev.res, &status, WNOHANG));
			ASSERT_EQ(self->b.child[n].status, status);
		}
		left -= left < BATCH ? left : BATCH;
	}
	/* With no zombies left by the kernel, who reaps them itself. */
	EXPECT_TRUE(is_childless());
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(variant->handler == count_signals, !!__atomic_load_n(&signals, __ATOMIC_RELAXED));
}

struct storm {
	struct ioevq q;
	pid_t last;			/* child, of many */
	int over;
	unsigned int told;
};

/* Queues that come and go while children end, with watches of all kinds. */
static void *open_and_close(void *arg)
{
	struct storm *s = arg;
	unsigned int i;

	for (i = 0; !__atomic_load_n(&s->over, __ATOMIC_ACQUIRE); i++) {
		pid_t pid = __atomic_load_n(&s->last, __ATOMIC_RELAXED);
		struct ioevq_event events[16];
		struct ioevq q;
		int err;

		if (ioevq_open(&q, 4, 0))
			return s;
		if (watch_as(&q, ANY, 0, i & 7 & ~IOEVQ_CHILD_PIDFD, 1))
			return s;
		err = pid ? watch_as(&q, BY_PID, pid, i & 7, 2) : 0;
		if (err && err != -ECHILD)
			return s;
		err = pid ? watch_as(&q, BY_PIDFD, pid, i & IOEVQ_CHILD_USAGE, 3) : 0;
		if (err && err != -ESRCH)
			return s;
		if (i & 1 && ioevq_cancel_all(&q, 4))
			return s;
		if (ioevq_wait(&q, events, i & 1 ? 1 : 0, ARRAY_SIZE(events), BOUND_NS) < 0)
			return s;
		ioevq_close(&q);
	}
	return NULL;
}

static void note(const siginfo_t *info, const struct rusage *usage, void *arg)
{
	struct storm *s = arg;

	(void)info;
	(void)usage;
	s->told++;
}

/* Take what is there; with a minimum of 1 wait for it. */
static int take(struct storm *s, unsigned int min)
{
	struct ioevq_event events[8];
	struct rusage usage;
	siginfo_t info;
	int i, n, ret;

	n = ioevq_wait(&s->q, events, min, ARRAY_SIZE(events), BOUND_NS);
	for (i = 0; i < n; i++) {
		ret = ioevq_reap(&events[i], &info, &usage);
		if (ret == -EAGAIN)
			ret = ioevq_rescan(NULL, 0, WEXITED, note, s);
		else if (ret == 1)
			note(&info, &usage, s);
		if (ret < 0)
			return -1;
	}
	return n < (int)min ? -1 : 0;
}

/* One of the processes that have children without end. */
static int breed(struct offspring *c, long seconds)
{
	unsigned int started = 0, seed = getpid();
	struct storm s = {};
	pthread_t thread;
	long long end;
	void *ret;

	(void)c;
	if (ioevq_open(&s.q, 8, 0) || watch_child(&s.q, 0, 8, 1) ||
	    pthread_create(&thread, NULL, open_and_close, &s))
		return 1;
	end = now_ns() + seconds * 1000000000LL;
	while (now_ns() < end) {
		unsigned int burst = rand_r(&seed) % 40;

		while (burst--) {
			pid_t pid = fork();

			if (!pid)
				_exit(0);
			if (pid < 0)
				return 2;
			started++;
			__atomic_store_n(&s.last, pid, __ATOMIC_RELAXED);
		}
		if (take(&s, 0))
			return 3;
	}
	while (!is_childless())
		if (take(&s, 1))
			return 4;
	__atomic_store_n(&s.over, 1, __ATOMIC_RELEASE);
	if (pthread_join(thread, &ret) || ret)
		return 5;
	return s.told == started && started ? 0 : 6;
}

#define BREEDERS	4

TEST(law_10_a_storm_of_forks)
{
	long seconds = env_number("IOEVQ_STORM_S", 3);
	struct offspring c[BREEDERS];
	long users = module_users();
	int i, status;

	for (i = 0; i < BREEDERS; i++)
		ASSERT_EQ(0, offspring(&c[i], breed, seconds));
	for (i = 0; i < BREEDERS; i++)
		ASSERT_EQ(0, let_go(&c[i]));
	for (i = 0; i < BREEDERS; i++) {
		ASSERT_EQ(c[i].pid, waitpid(c[i].pid, &status, 0));
		EXPECT_EQ(0, status);
	}
	EXPECT_TRUE(eventually(module_users() == users));
}

TEST_HARNESS_MAIN

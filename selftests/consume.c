// SPDX-License-Identifier: GPL-2.0-only
/*
 * Law 4: consumers of all sorts at once: threads, processes that inherited the
 * queue and one that was sent it, by ENTER and from the mapped ring.
 */
#include "expect.h"
#include "pass_fd.h"

#define MESSAGES	24000
#define PRODUCERS	2
#define STOP		(1ULL << 40)
#define RECEIVED	2	/* the process that is sent the queue */
#define PROCESSES	3
#define THREADS		2	/* of each process, and of the test */
#define CONSUMERS	((PROCESSES + 1) * THREADS)

/* In memory that all processes share. */
struct shared {
	unsigned char seen[MESSAGES];
	int ready;
	int garbled;		/* events that nobody sent */
	int failed;		/* calls that must not */
	int stops[CONSUMERS];
	int taken[CONSUMERS];
};

struct consumer {
	struct shared *shared;
	struct ioevq q;
	unsigned int id;
	pthread_t thread;
};

struct producer {
	const struct ioevq *q;
	uint64_t first;
	pthread_t thread;
	int err;
};

FIXTURE(consume)
{
	struct shared *shared;
	struct ioevq q;
	int over[2];
};

FIXTURE_VARIANT(consume)
{
	unsigned int entries;
};

FIXTURE_VARIANT_ADD(consume, ring_of_one) { 1 };
FIXTURE_VARIANT_ADD(consume, ring_of_four) { 4 };
FIXTURE_VARIANT_ADD(consume, ring_of_many) { 256 };

FIXTURE_SETUP(consume)
{
	self->shared = mmap(NULL, sizeof(*self->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->shared);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self->over));
}

FIXTURE_TEARDOWN(consume)
{
	munmap(self->shared, sizeof(*self->shared));
}

static void count(int *n)
{
	__atomic_add_fetch(n, 1, __ATOMIC_RELAXED);
}

static uint64_t data_of(uint64_t id)
{
	return id * 0x9e3779b97f4a7c15ULL;
}

/* Every message is of one piece. */
static void account(struct consumer *c, const struct ioevq_event *ev)
{
	struct shared *s = c->shared;

	if (ev->user_data >= MESSAGES || ev->op != IOEVQ_OP_POST || ev->flags ||
	    ev->res != -(int64_t)ev->user_data || ev->data != data_of(ev->user_data)) {
		count(&s->garbled);
		return;
	}
	__atomic_add_fetch(&s->seen[ev->user_data], 1, __ATOMIC_RELAXED);
	count(&s->taken[c->id]);
}

/* From the mapped ring, and to sleep if that is empty. */
static int take_mapped(struct consumer *c, struct ioevq_event *evs, unsigned int max)
{
	int ret;

	while (!(ret = ioevq_take_many(&c->q, evs, max))) {
		ret = enter_wait(&c->q, NULL, 1, 0, BOUND_NS);
		if (ret <= 0)
			return ret < 0 ? ret : -ETIME;
	}
	return ret;
}

/* Ways to take: one of them for each consumer. */
static int take_some(struct consumer *c, struct ioevq_event *evs)
{
	ssize_t n;

	switch (c->id % 6) {
	case 0:
		return enter_wait(&c->q, evs, 1, 1, BOUND_NS);
	case 1:
		return take_mapped(c, evs, 1);
	case 2:
		return ioevq_wait(&c->q, evs, 1, 3, BOUND_NS);
	case 3:
		n = read(c->q.fd, evs, 4 * sizeof(*evs));
		return (int)(n / (ssize_t)sizeof(*evs));
	case 4:
		return take_mapped(c, evs, 6);
	default:
		return enter_wait(&c->q, evs, 1, 5, BOUND_NS);
	}
}

static void *consume(void *arg)
{
	struct consumer *c = arg;
	struct ioevq_event evs[8];
	int i, n, stops = 0;

	count(&c->shared->ready);
	while (!stops) {
		n = take_some(c, evs);
		if (n <= 0) {
			count(&c->shared->failed);
			break;
		}
		for (i = 0; i < n; i++) {
			if (evs[i].user_data == STOP)
				stops++;
			else
				account(c, &evs[i]);
		}
	}
	c->shared->stops[c->id] = stops;
	/* Stops come last: what was too many for us is for others. */
	while (stops-- > 1) {
		if (ioevq_post(&c->q, STOP, 0, 0))
			count(&c->shared->failed);
		c->shared->stops[c->id]--;
	}
	return NULL;
}

static bool start_consumers(struct consumer *c, const struct ioevq *q, struct shared *shared,
			    unsigned int id)
{
	unsigned int i;

	for (i = 0; i < THREADS; i++) {
		c[i] = (struct consumer){ .shared = shared, .q = *q, .id = id + i };
		if (pthread_create(&c[i].thread, NULL, consume, &c[i]))
			return false;
	}
	return true;
}

/* A process of its own; the queue may have to be received first. */
static void consumer_process(struct shared *shared, const struct ioevq *inherited, int over,
			     unsigned int id)
{
	struct consumer c[THREADS];
	struct ioevq q = {};
	unsigned int i;

	if (inherited)
		q = *inherited;
	else if (ioevq_attach(&q, receive_fd(over)))
		_exit(1);
	if (!start_consumers(c, &q, shared, id))
		_exit(2);
	for (i = 0; i < THREADS; i++)
		pthread_join(c[i].thread, NULL);
	_exit(0);
}

static void *produce(void *arg)
{
	struct producer *p = arg;
	uint64_t id;

	for (id = p->first; id < MESSAGES && !p->err; id += PRODUCERS) {
		do {
			p->err = ioevq_post(p->q, id, -(int64_t)id, data_of(id));
		} while (p->err == -EAGAIN);
	}
	return NULL;
}

TEST_F_TIMEOUT(consume, law_04_one_consumer_per_event, 600)
{
	struct shared *s = self->shared;
	struct producer p[PRODUCERS];
	struct consumer c[THREADS];
	pid_t pids[PROCESSES];
	unsigned int i, taken = 0;
	int status;

	/* This one is there before the queue is, so it has to be sent it. */
	pids[RECEIVED] = fork();
	ASSERT_LE(0, pids[RECEIVED]);
	if (!pids[RECEIVED])
		consumer_process(s, NULL, self->over[1], RECEIVED * THREADS);
	ASSERT_EQ(0, ioevq_open(&self->q, variant->entries, 0));
	ASSERT_EQ(0, pass_fd(self->over[0], self->q.fd));
	for (i = 0; i < RECEIVED; i++) {
		pids[i] = fork();
		ASSERT_LE(0, pids[i]);
		if (!pids[i])
			consumer_process(s, &self->q, -1, i * THREADS);
	}
	ASSERT_TRUE(start_consumers(c, &self->q, s, PROCESSES * THREADS));
	ASSERT_TRUE(eventually(__atomic_load_n(&s->ready, __ATOMIC_RELAXED) == CONSUMERS));

	for (i = 0; i < PRODUCERS; i++) {
		p[i] = (struct producer){ .q = &self->q, .first = i };
		ASSERT_EQ(0, pthread_create(&p[i].thread, NULL, produce, &p[i]));
	}
	for (i = 0; i < PRODUCERS; i++) {
		ASSERT_EQ(0, pthread_join(p[i].thread, NULL));
		ASSERT_EQ(0, p[i].err);
	}
	for (i = 0; i < CONSUMERS; i++)
		ASSERT_EQ(0, ioevq_post(&self->q, STOP, 0, 0));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(c[i].thread, NULL));
	for (i = 0; i < PROCESSES; i++) {
		ASSERT_EQ(pids[i], waitpid(pids[i], &status, 0));
		EXPECT_EQ(0, status);
	}

	EXPECT_EQ(0, s->failed);
	EXPECT_EQ(0, s->garbled);
	for (i = 0; i < CONSUMERS; i++) {
		EXPECT_EQ(1, s->stops[i]);
		taken += s->taken[i];
	}
	EXPECT_EQ(MESSAGES, taken);
	for (i = 0; i < MESSAGES; i++)
		ASSERT_EQ(1, s->seen[i])
			TH_LOG("message %u", i);
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, requests(&self->q));
	ioevq_close(&self->q);
}

TEST(law_04_what_can_be_attached)
{
	int plain = open("/dev/ioevq", O_RDWR | O_CLOEXEC);
	int fd = eventfd(0, EFD_CLOEXEC);
	struct ioevq q, same;
	struct ioevq_event ev;

	EXPECT_EQ(-ENOTTY, ioevq_attach(&same, fd));
	EXPECT_EQ(-EBADF, ioevq_attach(&same, -1));
	EXPECT_EQ(-EACCES, ioevq_attach(&same, plain));
	ASSERT_EQ(0, ioevq_open(&q, 4, 0));
	ASSERT_EQ(0, ioevq_attach(&same, dup(q.fd)));
	ASSERT_EQ(0, ioevq_post(&q, 1, 0, 0));
	ASSERT_EQ(0, ioevq_post(&same, 2, 0, 0));
	ASSERT_EQ(1, ioevq_take(&same, &ev));
	EXPECT_EQ(1, ev.user_data);
	ioevq_close(&same);
	ASSERT_EQ(1, ioevq_take(&q, &ev));
	EXPECT_EQ(2, ev.user_data);

	/* Who sent the queue may have written anything there: the kernel tells the size. */
	q.ring->entries = 1U << 20;
	ASSERT_EQ(0, ioevq_attach(&same, dup(q.fd)));
	EXPECT_EQ(3, same.mask);
	EXPECT_EQ(q.ring_size, same.ring_size);
	ioevq_close(&same);
	ioevq_close(&q);
	close(plain);
	close(fd);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/*
 * READ on streams while it is cancelled, closed and served at the same time: each has one
 * final event, and a byte is either in the hands of the request, or still there.
 */
#include "points.h"
#include "scaled.h"
#include "stream.h"

#define ROUNDS		2000
#define HELD		"event:50,look:100,transfer:100,work:50,worked:50,cancel:50,closing:100"

enum { HIT_WRITE, HIT_CLOSE };

/* A thread that does one thing in each round, at the same moment as the test. */
struct hand {
	pthread_t thread;
	int what;
	int fd;
	int round;
	int done;
};

static void *hand(void *arg)
{
	struct hand *h = arg;
	int round;

	while ((round = __atomic_load_n(&h->round, __ATOMIC_ACQUIRE)) >= 0) {
		if (round == h->done) {
			sched_yield();
			continue;
		}
		if (h->what == HIT_WRITE) {
			if (write(h->fd, "x", 1) != 1)
				return h;
		} else {
			close(h->fd);
		}
		__atomic_store_n(&h->done, round, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void hit(struct hand *h, int fd, int round)
{
	h->fd = fd;
	__atomic_store_n(&h->round, round, __ATOMIC_RELEASE);
}

static int is_hit(struct hand *h)
{
	return __atomic_load_n(&h->done, __ATOMIC_ACQUIRE) == h->round;
}

/* What consumers of another process tell. */
struct told {
	int reads;		/* final events of READ */
	int cancels;
	int64_t res;		/* of the last READ */
};

static void consume(const struct ioevq *q, struct told *told)
{
	struct ioevq_event ev;

	while (ioevq_wait(q, &ev, 1, 1, -1) == 1 && ev.op != IOEVQ_OP_POST) {
		if (ev.op == IOEVQ_OP_READ) {
			told->res = ev.res;
			__atomic_add_fetch(&told->reads, 1, __ATOMIC_RELEASE);
		} else {
			__atomic_add_fetch(&told->cancels, 1, __ATOMIC_RELEASE);
		}
	}
	_exit(0);
}

static int counted(const int *n, int to)
{
	return __atomic_load_n(n, __ATOMIC_ACQUIRE) == to;
}

/* @other: the consumer is another process, and a worker reads. */
static int cancel_against_data(const struct ioevq *q, const struct thing *t, bool other)
{
	struct told *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct hand h = { .what = HIT_WRITE };
	int i, reads = 0, bad = 0;
	time_t end = 0;
	struct ioevq_event ev;
	pid_t pid = 0;
	char buf, c;

	if (other) {
		pid = fork();
		if (!pid)
			consume(q, told);
	}
	pthread_create(&h.thread, NULL, hand, &h);
	for (i = 1; goes_on(i, ROUNDS, &end) && !bad; i++) {
		buf = 0;
		bad = want(q, t->fd, &buf, 1, i);
		if (bad)
			break;
		hit(&h, t->peer, i);
		if (i & 1)
			sched_yield();
		/* It may have ended already, so that nothing matches: 0. */
		bad = ioevq_cancel(q, i, 0);
		if (other) {
			bad |= !eventually(counted(&told->reads, i) && counted(&told->cancels, i));
		} else {
			/* The final event comes first. */
			bad |= next_event(q, &ev) != 1 || ev.op != IOEVQ_OP_READ ||
			       ev.user_data != (uint64_t)i || ev.flags;
			told->res = ev.res;
			bad |= next_event(q, &ev) != 1 || ev.op != IOEVQ_OP_CANCEL;
		}
		bad |= !eventually(is_hit(&h));
		if (told->res == 1) {
			reads++;
			bad |= buf != 'x' || recv(t->fd, &c, 1, MSG_DONTWAIT) != -1;
		} else {
			bad |= told->res != -ECANCELED || buf || read(t->fd, &c, 1) != 1;
		}
	}
	__atomic_store_n(&h.round, -1, __ATOMIC_RELEASE);
	pthread_join(h.thread, NULL);
	if (other) {
		ioevq_post(q, 0, 0, 0);
		waitpid(pid, NULL, 0);
	}
	munmap(told, sizeof(*told));
	return bad ? -i : reads;
}

FIXTURE(race)
{
	struct ioevq q;
	struct thing t;
};

FIXTURE_VARIANT(race)
{
	int (*make)(struct thing *t);
};

FIXTURE_VARIANT_ADD(race, unix_stream) { make_unix_stream };
FIXTURE_VARIANT_ADD(race, tcp) { make_tcp };

FIXTURE_SETUP(race)
{
	self->t = (struct thing){ .fd = -1, .peer = -1, .aux = -1 };
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, variant->make(&self->t));
	set_blocking(self->t.fd, false);
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, hold(HELD));
}

FIXTURE_TEARDOWN(race)
{
	(void)variant;
	EXPECT_EQ(0, hold(""));
	EXPECT_EQ(0, requests(&self->q));
	thing_end(&self->t);
	ioevq_close(&self->q);
}

TEST_F_TIMEOUT(race, law_01_cancel_against_data, 600)
{
	EXPECT_LE(0, cancel_against_data(&self->q, &self->t, false));
}

TEST_F_TIMEOUT(race, law_01_cancel_against_data_for_another, 600)
{
	EXPECT_LE(0, cancel_against_data(&self->q, &self->t, true));
}

/* The last close against data: one final event, and nothing is kept. */
TEST_F_TIMEOUT(race, law_08_close_against_data, 600)
{
	struct hand h = { .what = HIT_CLOSE };
	struct ioevq_event ev;
	time_t end = 0;
	char buf[3];
	int i, k;

	ASSERT_EQ(0, pthread_create(&h.thread, NULL, hand, &h));
	for (i = 1; goes_on(i, ROUNDS, &end); i++) {
		struct thing t = { .fd = -1, .peer = -1, .aux = -1 };

		ASSERT_EQ(0, variant->make(&t));
		for (k = 0; k < 3; k++)
			ASSERT_EQ(0, want(&self->q, t.fd, buf + k, 1, k));
		hit(&h, t.fd, i);
		if (i & 1)
			sched_yield();
		(void)!send(t.peer, "xyz", 3, MSG_DONTWAIT);
		for (k = 0; k < 3; k++) {
			ASSERT_EQ(1, next_event(&self->q, &ev));
			EXPECT_EQ(IOEVQ_OP_READ, ev.op);
			EXPECT_TRUE((ev.res == 1 && !ev.flags) ||
				    (ev.res == -ECANCELED && ev.flags == IOEVQ_EVENT_CLOSED))
				TH_LOG("round %d: result %lld flags %u", i, (long long)ev.res,
				       ev.flags);
		}
		ASSERT_TRUE(eventually(is_hit(&h)));
		t.fd = -1;
		thing_end(&t);
	}
	__atomic_store_n(&h.round, -1, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(h.thread, NULL));
}

#define READERS		4
#define WORDS		4000
#define AT_ONCE		16

struct stream_of_words {
	struct ioevq *q;
	int fd;
	pthread_mutex_t lock;		/* who submits: so that the order is known */
	uint64_t next;			/* lock; to be asked for */
	uint64_t taken;
	uint64_t word[WORDS];
	int bad;
};

static int ask(struct stream_of_words *s)
{
	int ret = 0;

	pthread_mutex_lock(&s->lock);
	if (s->next < WORDS) {
		ret = want(s->q, s->fd, &s->word[s->next], 8, s->next);
		s->next++;
	}
	pthread_mutex_unlock(&s->lock);
	return ret;
}

static void *read_words(void *arg)
{
	struct stream_of_words *s = arg;
	struct ioevq_event ev;

	while (ioevq_wait(s->q, &ev, 1, 1, -1) == 1 && ev.op == IOEVQ_OP_READ) {
		if (ev.res != 8 || ev.flags || s->word[ev.user_data] != ev.user_data + 1 || ask(s))
			s->bad = 1;
		if (__atomic_add_fetch(&s->taken, 1, __ATOMIC_RELAXED) == WORDS)
			ioevq_alert(s->q, 0);
	}
	return NULL;
}

/* Whoever reads: the first that was submitted has the first word. */
TEST_F_TIMEOUT(race, law_03_in_turn_by_many, 600)
{
	struct stream_of_words s = {
		.q = &self->q, .fd = self->t.fd, .lock = PTHREAD_MUTEX_INITIALIZER,
	};
	pthread_t threads[READERS];
	uint64_t word;
	int i;

	ASSERT_EQ(0, set_blocking(self->t.peer, false));
	for (i = 0; i < AT_ONCE; i++)
		ASSERT_EQ(0, ask(&s));
	for (i = 0; i < READERS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, read_words, &s));
	for (word = 1; word <= WORDS; word++)
		ASSERT_EQ(8, write(self->t.peer, &word, 8));
	for (i = 0; i < READERS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	EXPECT_EQ(0, s.bad);
	EXPECT_EQ(WORDS, s.taken);
	ASSERT_EQ(0, ioevq_clear_alert(&self->q));
}

TEST_HARNESS_MAIN

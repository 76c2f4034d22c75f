// SPDX-License-Identifier: GPL-2.0-only
/* Laws 1, 2 and 5 where watches are changed and cancelled while they are at work. */
#include <sys/resource.h>

#include "kinds_file.h"
#include "points.h"
#include "readiness.h"
#include "scaled.h"
#include "served.h"

#define WATCH	1
#define DONE	0xd0eULL

static const unsigned int modes[] = {
	IOEVQ_POLL_EDGE, IOEVQ_POLL_LEVEL, IOEVQ_POLL_DISPATCH,
	IOEVQ_POLL_EDGE | IOEVQ_POLL_CONFIRM, IOEVQ_POLL_DISPATCH | IOEVQ_POLL_CONFIRM,
};

FIXTURE(busy)
{
	struct ioevq q;
	struct thing t;
};

/* Where the kernel says in its wake-up what is ready, and where it has to be asked. */
FIXTURE_VARIANT(busy)
{
	int (*make)(struct thing *t);
	int (*put)(struct thing *t);
};

FIXTURE_VARIANT_ADD(busy, pipe) { make_pipe, kind_write_peer };
FIXTURE_VARIANT_ADD(busy, mqueue) { make_mqueue, rouse_mqueue };

FIXTURE_SETUP(busy)
{
	self->t = (struct thing){ .fd = -1, .peer = -1, .aux = -1 };
	ASSERT_EQ(0, ioevq_open(&self->q, 16, 0));
	ASSERT_EQ(0, variant->make(&self->t));
	ASSERT_EQ(0, hold("event:50,look:50,unlock:50,claim:20,store:20,cancel:50,closing:50"));
}

FIXTURE_TEARDOWN(busy)
{
	(void)variant;
	EXPECT_EQ(0, hold(""));
	thing_end(&self->t);
	ioevq_close(&self->q);
}

struct writer {
	struct thing *t;
	int (*put)(struct thing *t);
	unsigned int n;
	int err;
	int done;
};

static void *write_all(void *arg)
{
	struct writer *w = arg;
	unsigned int i;

	for (i = 0; i < w->n && !w->err; i++) {
		while (w->put(w->t)) {
			if (errno != EAGAIN) {
				w->err = errno;
				break;
			}
			sched_yield();
		}
	}
	__atomic_store_n(&w->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Everything that is there: how many there were. */
static unsigned int read_all(const struct thing *t)
{
	unsigned int n = 0;
	char c[8];

	while (t->peer < 0 ? mq_receive(t->fd, c, sizeof(c), NULL) > 0 : read(t->fd, c, 1) > 0)
		n++;
	return n;
}

/* Changed by who takes its events, into each mode in turn, before it is read. */
TEST_F_TIMEOUT(busy, law_05_nothing_is_lost_by_a_change, 600)
{
	struct writer w = { .t = &self->t, .put = variant->put, .n = scaled(20000) };
	unsigned int sum = 0, i = 0;
	struct ioevq_event ev;
	pthread_t thread;

	ASSERT_EQ(0, watch(&self->q, self->t.fd, POLLIN, IOEVQ_POLL_EDGE, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, write_all, &w));
	while (sum < w.n) {
		ASSERT_EQ(1, next_event(&self->q, &ev));
		/* Of the watch as it is, or of what was posted before the last change. */
		ASSERT_GE(i, ev.user_data);
		i++;
		ASSERT_EQ(0, change(&self->q, self->t.fd, POLLIN, modes[i % ARRAY_SIZE(modes)],
				    i));
		sum += read_all(&self->t);
	}
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, w.err);
	EXPECT_EQ(w.n, sum);
	EXPECT_EQ(1, requests(&self->q));
}

struct changer {
	const struct ioevq *q;
	int fd;
	int stop;
	int ret;
	unsigned int n;
};

static void *keep_changing(void *arg)
{
	struct changer *c = arg;

	while (!__atomic_load_n(&c->stop, __ATOMIC_ACQUIRE) && !c->ret)
		c->ret = change(c->q, c->fd, POLLIN, modes[c->n++ % ARRAY_SIZE(modes)], -1);
	return NULL;
}

/* Changed by another thread all the time. */
TEST_F_TIMEOUT(busy, law_05_nothing_is_lost_by_changes, 600)
{
	struct writer w = { .t = &self->t, .put = variant->put, .n = scaled(20000) };
	struct changer c = { .q = &self->q, .fd = self->t.fd };
	struct ioevq_event ev;
	pthread_t threads[2];
	unsigned int sum = 0;

	ASSERT_EQ(0, watch(&self->q, self->t.fd, POLLIN, IOEVQ_POLL_EDGE, WATCH));
	ASSERT_EQ(0, pthread_create(&threads[0], NULL, write_all, &w));
	ASSERT_EQ(0, pthread_create(&threads[1], NULL, keep_changing, &c));
	while (sum < w.n) {
		/* The last changes are over: it is edge-triggered for the rest. */
		if (__atomic_load_n(&w.done, __ATOMIC_ACQUIRE) && !c.stop) {
			__atomic_store_n(&c.stop, 1, __ATOMIC_RELEASE);
			ASSERT_EQ(0, pthread_join(threads[1], NULL));
			ASSERT_EQ(0, change(&self->q, self->t.fd, POLLIN, IOEVQ_POLL_EDGE, -1));
		}
		ASSERT_EQ(1, next_event(&self->q, &ev));
		ASSERT_EQ(WATCH, ev.user_data);
		ASSERT_EQ(IOEVQ_EVENT_MORE, ev.flags);
		sum += read_all(&self->t);
	}
	if (!c.stop) {
		__atomic_store_n(&c.stop, 1, __ATOMIC_RELEASE);
		ASSERT_EQ(0, pthread_join(threads[1], NULL));
	}
	ASSERT_EQ(0, pthread_join(threads[0], NULL));
	EXPECT_EQ(0, w.err);
	EXPECT_EQ(0, c.ret);
	EXPECT_EQ(w.n, sum);
	EXPECT_EQ(1, requests(&self->q));
}

/* Changed while it is closed: it is changed, or it is gone, and it ends once. */
TEST_F_TIMEOUT(busy, law_01_changes_against_close, 600)
{
	unsigned int i, rounds = scaled(2000), changed = 0;
	struct ioevq_event ev;
	pthread_t thread;
	time_t end = 0;

	for (i = 0; goes_on(i, rounds, &end); i++) {
		struct thing t = { .fd = -1, .peer = -1, .aux = -1 };
		struct changer c = { .q = &self->q };

		ASSERT_EQ(0, variant->make(&t));
		c.fd = t.fd;
		ASSERT_EQ(0, watch(&self->q, t.fd, POLLIN, modes[i % ARRAY_SIZE(modes)], i));
		ASSERT_EQ(0, variant->put(&t));
		ASSERT_EQ(0, pthread_create(&thread, NULL, keep_changing, &c));
		ASSERT_TRUE(eventually(__atomic_load_n(&c.n, __ATOMIC_RELAXED) > i % 5));
		close(t.fd);
		ASSERT_EQ(0, pthread_join(thread, NULL));
		EXPECT_TRUE(c.ret == -EBADF || c.ret == -ENOENT)
			TH_LOG("result %d", c.ret);
		changed += c.n;
		do {
			ASSERT_EQ(1, next_event(&self->q, &ev));
			ASSERT_EQ(i, ev.user_data);
		} while (ev.flags & IOEVQ_EVENT_MORE);
		ASSERT_EQ(IOEVQ_EVENT_CLOSED, ev.flags);
		ASSERT_TRUE(nothing(&self->q));
		if (t.peer >= 0)
			close(t.peer);
	}
	EXPECT_LT(i, changed);
	EXPECT_EQ(0, requests(&self->q));
}

/* Who has an event of a watch in hand cancels it: the end comes behind, and once. */
TEST_F_TIMEOUT(busy, law_09_cancelled_by_its_consumer, 600)
{
	struct writer w = { .t = &self->t, .put = variant->put };
	unsigned int i, rounds = scaled(2000);
	struct ioevq_event ev;
	time_t end = 0;

	for (i = 0; goes_on(i, rounds, &end); i++) {
		pthread_t thread;

		w.n = 1 + i % 4;
		ASSERT_EQ(0, pthread_create(&thread, NULL, write_all, &w));
		ASSERT_EQ(0, watch(&self->q, self->t.fd, POLLIN, modes[i % ARRAY_SIZE(modes)], i));
		ASSERT_EQ(1, next_event(&self->q, &ev));
		ASSERT_EQ(i, ev.user_data);
		ASSERT_EQ(IOEVQ_EVENT_MORE, ev.flags);
		ASSERT_EQ(0, ioevq_cancel(&self->q, i, DONE));
		do {
			ASSERT_EQ(1, next_event(&self->q, &ev));
			ASSERT_EQ(i, ev.user_data);
		} while (ev.flags & IOEVQ_EVENT_MORE);
		ASSERT_EQ(-ECANCELED, ev.res);
		ASSERT_TRUE(completed(&self->q, IOEVQ_OP_CANCEL, DONE, 1));
		ASSERT_EQ(0, pthread_join(thread, NULL));
		ASSERT_TRUE(nothing(&self->q));
		ASSERT_EQ(0, self->q.ring->flags);
		read_all(&self->t);
	}
	EXPECT_EQ(0, requests(&self->q));
}

/* No descriptor is left: a queue needs none for what it does. */
TEST_F(busy, law_14_a_full_table_of_descriptors)
{
	struct rlimit limit = { .rlim_cur = 64, .rlim_max = 64 };
	struct ioevq q;
	int last = -1, fd;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	while ((fd = eventfd(0, EFD_NONBLOCK)) >= 0)
		last = fd;
	ASSERT_EQ(EMFILE, errno);
	ASSERT_LE(0, last);
	EXPECT_EQ(-EMFILE, ioevq_open(&q, 4, 0));
	ASSERT_EQ(0, watch(&self->q, self->t.fd, POLLIN, IOEVQ_POLL_LEVEL, WATCH));
	ASSERT_EQ(0, variant->put(&self->t));
	EXPECT_EQ(POLLIN, announced(&self->q, WATCH) & POLLIN);
	ASSERT_EQ(0, change(&self->q, self->t.fd, POLLIN, IOEVQ_POLL_DISPATCH, 2));
	EXPECT_EQ(POLLIN, announced(&self->q, 2) & POLLIN);
	ASSERT_EQ(0, watch(&self->q, last, POLLIN, IOEVQ_POLL_EDGE, 3));
	ASSERT_EQ(0, ioevq_close_fd(&self->q, last, DONE));
	EXPECT_TRUE(completed(&self->q, IOEVQ_OP_POLL, 3, -ECANCELED));
	EXPECT_TRUE(completed(&self->q, IOEVQ_OP_CLOSE, DONE, 0));
	/* And gives it back at once. */
	fd = eventfd(0, 0);
	EXPECT_EQ(last, fd);
	/* The end of the test needs one. */
	close(fd);
}

/* It becomes ready while it is looked at, and is not found ready. */
FIXTURE(late)
{
	struct ioevq q;
	struct served file;
};

FIXTURE_VARIANT(late)
{
	unsigned int mode;
};

FIXTURE_VARIANT_ADD(late, edge) { IOEVQ_POLL_EDGE };
FIXTURE_VARIANT_ADD(late, level) { IOEVQ_POLL_LEVEL };
FIXTURE_VARIANT_ADD(late, dispatch) { IOEVQ_POLL_DISPATCH };

FIXTURE_SETUP(late)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 16, 0));
	ASSERT_EQ(0, served_make(&self->file));
}

FIXTURE_TEARDOWN(late)
{
	(void)variant;
	ioevq_close(&self->q);
	EXPECT_EQ(0, served_end(&self->file));
}

/* The order of these tests is that of a watch's life: it is added, ... */
TEST_F(late, law_05_ready_while_it_is_added)
{
	self->file.late = 1;
	ASSERT_EQ(0, watch(&self->q, self->file.fd, POLLIN, variant->mode, WATCH));
	EXPECT_EQ(0, self->file.late);
	EXPECT_EQ(POLLIN, announced(&self->q, WATCH));
}

/* ... a consumer looks at its file, since who wakes it does not say what it is ready for, ... */
TEST_F(late, law_05_ready_during_a_look)
{
	ASSERT_EQ(0, watch(&self->q, self->file.fd, POLLIN, variant->mode, WATCH));
	ASSERT_TRUE(quiet(&self->q));
	self->file.late = 1;
	ASSERT_EQ(0, served_notify(&self->file));
	EXPECT_EQ(POLLIN, announced(&self->q, WATCH));
	EXPECT_EQ(0, self->file.late);
}

/* ... and it is changed. */
TEST_F(late, law_05_ready_during_a_change)
{
	ASSERT_EQ(0, watch(&self->q, self->file.fd, POLLIN, variant->mode, WATCH));
	ASSERT_TRUE(quiet(&self->q));
	self->file.late = 1;
	ASSERT_EQ(0, change(&self->q, self->file.fd, POLLIN, variant->mode, -1));
	EXPECT_EQ(0, self->file.late);
	EXPECT_EQ(POLLIN, announced(&self->q, WATCH));
}

/* The same for one that was announced, and sleeps until then if it is of DISPATCH. */
TEST_F(late, law_05_ready_while_it_is_armed_again)
{
	ASSERT_EQ(0, watch(&self->q, self->file.fd, POLLIN, variant->mode, WATCH));
	self->file.ready = POLLIN;
	ASSERT_EQ(0, served_notify(&self->file));
	ASSERT_EQ(POLLIN, announced(&self->q, WATCH));
	self->file.ready = 0;
	ASSERT_TRUE(nothing(&self->q));
	self->file.late = 1;
	ASSERT_EQ(0, change(&self->q, self->file.fd, POLLIN, variant->mode, WATCH + 1));
	EXPECT_EQ(0, self->file.late);
	EXPECT_EQ(POLLIN, announced(&self->q, WATCH + 1));
	/* It is told of once, but for who asks for more. */
	EXPECT_EQ(variant->mode == IOEVQ_POLL_LEVEL ? 1 : 0,
		  ioevq_wait(&self->q, &(struct ioevq_event){}, 1, 1, 0));
}

TEST_HARNESS_MAIN

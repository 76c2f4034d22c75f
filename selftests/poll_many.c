// SPDX-License-Identifier: GPL-2.0-only
/* Law 5 with a thousand watches of one file, and a hundred thousand of as many. */
#include "readiness.h"
#include "scaled.h"

#define MANY	1000

FIXTURE(many)
{
	int fd;			/* an eventfd */
};

FIXTURE_VARIANT(many)
{
	unsigned int mode;
};

FIXTURE_VARIANT_ADD(many, edge) { IOEVQ_POLL_EDGE };
FIXTURE_VARIANT_ADD(many, level) { IOEVQ_POLL_LEVEL };
FIXTURE_VARIANT_ADD(many, dispatch) { IOEVQ_POLL_DISPATCH };

FIXTURE_SETUP(many)
{
	(void)variant;
	self->fd = eventfd(0, EFD_NONBLOCK);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(many)
{
	(void)variant;
	close(self->fd);
}

/* Take MANY events, one of each watch: 1, or 0 if that is not what came. */
static int each_once(const struct ioevq *q, unsigned int flags)
{
	unsigned char seen[MANY] = {};
	struct ioevq_event evs[64];
	int n, i, total = 0;

	while (total < MANY) {
		n = enter_wait(q, evs, 1, MANY - total < 64 ? MANY - total : 64, BOUND_NS);
		if (n < 1)
			return 0;
		for (i = 0; i < n; i++)
			if (evs[i].user_data >= MANY || seen[evs[i].user_data]++ ||
			    evs[i].flags != flags)
				return 0;
		total += n;
	}
	return 1;
}

TEST_F(many, law_05_watches_of_one_queue)
{
	eventfd_t value;
	struct ioevq q;
	int i, round;

	ASSERT_EQ(0, ioevq_open(&q, 128, 0));
	for (i = 0; i < MANY; i++)
		ASSERT_EQ(0, watch(&q, self->fd, POLLIN, variant->mode, i));
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, eventfd_write(self->fd, 1));
		ASSERT_EQ(0, eventfd_write(self->fd, 1));
		EXPECT_TRUE(each_once(&q, IOEVQ_EVENT_MORE));
		if (variant->mode == IOEVQ_POLL_LEVEL)
			EXPECT_TRUE(each_once(&q, IOEVQ_EVENT_MORE));
		ASSERT_EQ(0, eventfd_read(self->fd, &value));
		EXPECT_TRUE(nothing(&q));
		/* All of them by one request. */
		if (variant->mode == IOEVQ_POLL_DISPATCH)
			ASSERT_EQ(0, change(&q, self->fd, POLLIN, variant->mode, -1));
	}
	EXPECT_EQ(MANY, requests(&q));
	close(self->fd);
	EXPECT_TRUE(each_once(&q, IOEVQ_EVENT_CLOSED));
	EXPECT_TRUE(nothing(&q));
	EXPECT_EQ(0, requests(&q));
	ioevq_close(&q);
}

TEST_F(many, law_05_watches_of_many_queues)
{
	static struct ioevq q[MANY];
	struct ioevq_event ev;
	eventfd_t value;
	int i;

	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(0, ioevq_open(&q[i], 2, 0));
		ASSERT_EQ(0, watch(&q[i], self->fd, POLLIN, variant->mode, i));
	}
	ASSERT_EQ(0, eventfd_write(self->fd, 1));
	for (i = 0; i < MANY; i++)
		EXPECT_EQ(POLLIN, announced(&q[i], i));
	ASSERT_EQ(0, eventfd_read(self->fd, &value));
	for (i = 0; i < MANY; i++)
		EXPECT_TRUE(nothing(&q[i]));
	/* Half of them are gone before the file is. */
	for (i = 0; i < MANY; i += 2)
		ioevq_close(&q[i]);
	close(self->fd);
	for (i = 1; i < MANY; i += 2) {
		EXPECT_TRUE(ended(&q[i], i));
		EXPECT_EQ(0, ioevq_take(&q[i], &ev));
		ioevq_close(&q[i]);
	}
}

TEST_F(many, law_06_exclusive_watches_of_many_queues)
{
	static struct ioevq q[MANY];
	struct ioevq_event ev;
	eventfd_t value;
	int i, who;

	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(0, ioevq_open(&q[i], 2, 0));
		ASSERT_EQ(0, watch(&q[i], self->fd, POLLIN, variant->mode | IOEVQ_POLL_EXCLUSIVE,
				   i));
	}
	for (who = 0; who < MANY; who += 97) {
		ASSERT_EQ(0, eventfd_write(self->fd, 1));
		ASSERT_EQ(1, enter_wait(&q[who], &ev, 1, 1, BOUND_NS));
		EXPECT_EQ(who, ev.user_data);
		ASSERT_EQ(0, eventfd_read(self->fd, &value));
		for (i = 0; i < MANY; i++)
			EXPECT_TRUE(nothing(&q[i]));
	}
	close(self->fd);
	for (i = 0; i < MANY; i++) {
		EXPECT_TRUE(ended(&q[i], i));
		ioevq_close(&q[i]);
	}
}

#define BATCH	250

/* What is done to each of n files, and how long it takes. */
struct scale {
	struct ioevq q;
	struct ioevq_req reqs[BATCH];
	int *fds;
	unsigned int n;
};

/* Submit prep() for each file; the nanoseconds of one, or a negative errno. */
static long long for_each(struct scale *s,
			  void (*prep)(struct ioevq_req *req, int fd, unsigned int i))
{
	long long start = now_ns();
	unsigned int i, j;
	int ret;

	for (i = 0; i < s->n; i += BATCH) {
		for (j = 0; j < BATCH; j++)
			prep(&s->reqs[j], s->fds[i + j], i + j);
		ret = ioevq_submit(&s->q, s->reqs, BATCH);
		if (ret != BATCH)
			return ret < 0 ? ret : -EIO;
	}
	return (now_ns() - start) / s->n;
}

static void prep_add(struct ioevq_req *req, int fd, unsigned int i)
{
	ioevq_prep_poll(req, fd, POLLIN, IOEVQ_POLL_EDGE | IOEVQ_POLL_UNIQUE, i);
}

static void prep_mod(struct ioevq_req *req, int fd, unsigned int i)
{
	ioevq_prep_poll_mod(req, fd, POLLIN, IOEVQ_POLL_EDGE, i + 1, 0);
	req->flags = IOEVQ_REQ_SKIP_SUCCESS;
}

/* Half of them by user data, the others by descriptor. */
static void prep_remove(struct ioevq_req *req, int fd, unsigned int i)
{
	unsigned int how = i & 1 ? IOEVQ_CANCEL_USER_DATA : IOEVQ_CANCEL_FD | IOEVQ_CANCEL_EXACT;

	ioevq_prep_cancel(req, how, i + 1, fd, 0, 0);
	req->flags = IOEVQ_REQ_SKIP_SUCCESS;
}

/* All of them, each once and with this result, in some order. */
static long long take_each(struct scale *s, int64_t res, unsigned int flags)
{
	unsigned char *seen = calloc(1, s->n + 1);
	struct ioevq_event evs[BATCH];
	long long start = now_ns();
	unsigned int total = 0;
	int n = 1, i;

	while (total < s->n && n > 0) {
		n = ioevq_wait(&s->q, evs, 1, BATCH, BOUND_NS);
		for (i = 0; i < n; i++)
			if (evs[i].res != res || evs[i].flags != flags ||
			    evs[i].user_data > s->n || seen[evs[i].user_data]++)
				n = -EIO;
		total += n > 0 ? n : 0;
	}
	free(seen);
	return total == s->n ? (now_ns() - start) / s->n : -EIO;
}

TEST(law_05_a_hundred_thousand_watches)
{
	unsigned int sizes[] = { BATCH, scaled(100000) }, i, j;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		long long add, mod, wake, take, remove;
		struct scale s = { .n = sizes[i] };

		s.fds = calloc(s.n, sizeof(int));
		ASSERT_EQ(0, ioevq_open(&s.q, 1024, 0));
		for (j = 0; j < s.n; j++) {
			s.fds[j] = eventfd(0, EFD_NONBLOCK);
			ASSERT_LE(0, s.fds[j]);
		}
		add = for_each(&s, prep_add);
		ASSERT_LE(0, add);
		EXPECT_EQ(s.n, requests(&s.q));
		EXPECT_EQ(-EEXIST, watch(&s.q, s.fds[s.n / 3], POLLIN, IOEVQ_POLL_UNIQUE, 0));
		mod = for_each(&s, prep_mod);
		ASSERT_LE(0, mod);
		EXPECT_TRUE(quiet(&s.q));
		wake = now_ns();
		for (j = 0; j < s.n; j++)
			ASSERT_EQ(0, eventfd_write(s.fds[j], 1));
		wake = (now_ns() - wake) / s.n;
		take = take_each(&s, POLLIN, IOEVQ_EVENT_MORE);
		EXPECT_LE(0, take);
		remove = for_each(&s, prep_remove);
		ASSERT_LE(0, remove);
		EXPECT_LE(0, take_each(&s, -ECANCELED, 0));
		EXPECT_TRUE(quiet(&s.q));
		EXPECT_EQ(0, requests(&s.q));
		TH_LOG("%u watches, ns: add %lld, modify %lld, wake %lld, take %lld, cancel %lld",
		       s.n, add, mod, wake, take, remove);
		for (j = 0; j < s.n; j++)
			close(s.fds[j]);
		ioevq_close(&s.q);
		free(s.fds);
	}
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Law 11 where a queue is closed at the very moment at which something happens to what it is
 * busy with: nothing of it is left, and others are told what they would have been told
 * without it.
 */
#include "fixed.h"
#include "offspring.h"
#include "race.h"
#include "readiness.h"

#define ROUNDS		2000

/* What happens to a queue that is being closed. */
struct end {
	struct ioevq q;
	struct ioevq witness;	/* watches the same file */
	struct hand h;
	struct store s;
	int efd;
	int dup;		/* another descriptor of the queue */
	struct offspring c;
	char buf[64];
	int err;
};

FIXTURE(race_end)
{
	struct end e;
	long users;
};

/* @begin: a request, or none; @hit: what happens; @end: the round is over */
FIXTURE_VARIANT(race_end)
{
	int (*begin)(struct end *e);
	void (*hit)(void *end);
	int (*end)(struct end *e);
	const char *points;
};

static int begin_poll(struct end *e)
{
	return watch(&e->q, e->efd, POLLIN, IOEVQ_POLL_EDGE, 1) ||
	       watch(&e->q, e->efd, POLLIN, IOEVQ_POLL_EDGE | IOEVQ_POLL_EXCLUSIVE, 2);
}

static void hit_poll(void *end)
{
	struct end *e = end;

	e->err |= eventfd_write(e->efd, 1);
}

static int nothing_more(struct end *e)
{
	(void)e;
	return 0;
}

FIXTURE_VARIANT_ADD(race_end, wake_up) {
	begin_poll, hit_poll, nothing_more, "event:100,release:100,unwatch:100,detach:100"
};

static int begin_post(struct end *e)
{
	e->dup = dup(e->q.fd);
	return e->dup < 0;
}

/* Whichever descriptor is closed last ends it. */
static void hit_post(void *end)
{
	struct ioevq_req req;
	struct end *e = end;

	ioevq_prep_post(&req, e->dup, 1, 2, 3);
	e->err |= submit(&e->witness, &req) | submit(&e->witness, &req);
	e->err |= close(e->dup);
}

static int take_poll(struct end *e)
{
	return eventfd_write(e->efd, 1);
}

FIXTURE_VARIANT_ADD(race_end, message) {
	begin_post, hit_post, take_poll, "store:100,release:100"
};

static int begin_timer(struct end *e)
{
	struct ioevq_req req;
	unsigned int i;
	int err = 0;

	/* One after the other while it is being closed. */
	for (i = 0; i < 32 && !err; i++) {
		ioevq_prep_timer(&req, 0, i * 5000, i & 1 ? 1000 : 0, i);
		err = submit(&e->q, &req);
	}
	return err;
}

static void hit_nothing(void *end)
{
	(void)end;
}

FIXTURE_VARIANT_ADD(race_end, timer) {
	begin_timer, hit_nothing, take_poll, "expire:200,release:100,claim:20"
};

static int begin_work(struct end *e)
{
	struct ioevq_req req;
	int i, err = 0;

	for (i = 0; i < 6 && !err; i++) {
		ioevq_prep_fsync(&req, e->s.fd, 0, i);
		if (i & 1)
			ioevq_prep_write(&req, e->s.fd, e->buf, sizeof(e->buf), IOEVQ_POSITION, i);
		err = submit(&e->q, &req);
	}
	return err;
}

FIXTURE_VARIANT_ADD(race_end, work) {
	begin_work, hit_nothing, take_poll, "work:100,worked:200,put:100,release:100"
};

static int begin_child(struct end *e)
{
	if (offspring(&e->c, exit_with, 0))
		return -1;
	return watch_child(&e->q, 0, 4, 1) || watch_child(&e->q, e->c.pid, 0, 2);
}

static void hit_child(void *end)
{
	struct end *e = end;

	e->err |= kill(e->c.pid, SIGKILL);
}

static int reap_child(struct end *e)
{
	offspring_close(&e->c);
	return waitpid(e->c.pid, NULL, 0) != e->c.pid || take_poll(e);
}

FIXTURE_VARIANT_ADD(race_end, child) {
	begin_child, hit_child, reap_child, "child:200,release:100,sweep:100"
};

FIXTURE_SETUP(race_end)
{
	struct end *e = &self->e;

	(void)variant;
	memset(e, 0, sizeof(*e));
	self->users = module_users();
	e->efd = eventfd(0, EFD_NONBLOCK);
	ASSERT_LE(0, e->efd);
	ASSERT_EQ(0, store_make(&e->s, STORE_TMPFS, 0));
	ASSERT_EQ(0, ioevq_open(&e->witness, 4, 0));
	ASSERT_EQ(0, watch(&e->witness, e->efd, POLLIN, IOEVQ_POLL_EDGE, 1));
	ASSERT_EQ(0, hold(variant->points));
}

FIXTURE_TEARDOWN(race_end)
{
	(void)variant;
	EXPECT_EQ(0, hold(""));
	EXPECT_EQ(1, requests(&self->e.witness));
	EXPECT_TRUE(quiet(&self->e.witness));
	ioevq_close(&self->e.witness);
	store_end(&self->e.s);
	EXPECT_TRUE(eventually(module_users() == self->users));
}

TEST_F_TIMEOUT(race_end, law_11_close_of_a_queue, 600)
{
	struct end *e = &self->e;
	time_t end = 0;
	eventfd_t value;
	unsigned int i;

	ASSERT_EQ(0, hand_start(&e->h, variant->hit, e));
	for (i = 0; goes_on(i, ROUNDS, &end); i++) {
		/*
		 * Any order, as nobody can tell from here who was the first; and much further apart
		 * in some rounds: a child that is killed has to run before it is dead.
		 */
		e->h.delay = (long)(i * 7919 % 4001) - 2000;
		if (i % 8 == 0)
			e->h.delay *= 1L << (i / 8 % 12);
		ASSERT_EQ(0, ioevq_open(&e->q, 2, 0));
		ASSERT_EQ(0, variant->begin(e));
		strike(&e->h);
		ioevq_close(&e->q);
		ASSERT_TRUE(landed(&e->h));
		ASSERT_EQ(0, e->err);
		ASSERT_EQ(0, variant->end(e));
		ASSERT_EQ(POLLIN, announced(&e->witness, 1));
		ASSERT_EQ(0, eventfd_read(e->efd, &value));
		ASSERT_EQ(1, value);
		/* Nobody waits for what workers have in hand, but it ends. */
		if (i % 64 == 0)
			ASSERT_TRUE(eventually(module_users() == self->users + 1));
	}
	ASSERT_EQ(0, hand_stop(&e->h));
	EXPECT_TRUE(eventually(module_users() == self->users + 1));
	EXPECT_TRUE(all_passed(variant->points));
}

TEST_HARNESS_MAIN

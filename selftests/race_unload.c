// SPDX-License-Identifier: GPL-2.0-only
/*
 * Law 11, module unload against the last close: another thread unloads it as soon as it can,
 * from before the close, which is that of a queue with everything under way.
 */
#include "fixed.h"
#include "kinds_socket.h"
#include "loaded.h"
#include "race.h"

#define ROUNDS		2000	/* of each variant */
#define LEAST		10	/* however slow loading is */
#define DELAYS		"release:500,put:200,worked:500,expire:100,slot:50,unwatch:100,closing:100"

FIXTURE(race_unload)
{
	struct hand h;
	char params[256];
	int points;
	int ko;			/* a copy in memory, which is loaded */
	int tries;		/* to unload it, in this round */
	int err;
	int efd;
	int file;
	char *buf;
};

/* @begin: keep the queue busy; the file of it is closed right after */
FIXTURE_VARIANT(race_unload)
{
	int (*begin)(struct _test_data_race_unload *self, struct ioevq *q);
};

static int load(struct _test_data_race_unload *self)
{
	return module_load(self->ko, self->params);
}

static void unload(void *data)
{
	struct _test_data_race_unload *self = data;

	self->tries = 0;
	for (;;) {
		self->err = module_unload();
		if (self->err != -EWOULDBLOCK && self->err != -EBUSY)
			return;
		self->tries++;
		sched_yield();
	}
}

static int begin_watches(struct _test_data_race_unload *self, struct ioevq *q)
{
	int err = watch(q, self->efd, POLLIN, IOEVQ_POLL_EDGE, 1) ||
		  watch(q, self->efd, POLLIN, IOEVQ_POLL_LEVEL, 2);

	return err || eventfd_write(self->efd, 1);
}

static int begin_work(struct _test_data_race_unload *self, struct ioevq *q)
{
	struct ioevq_req req;
	int i, err = 0;

	for (i = 0; i < 8 && !err; i++) {
		ioevq_prep_write(&req, self->file, self->buf, PAGE, IOEVQ_POSITION, i);
		err = submit(q, &req);
	}
	return err;
}

static int begin_buffers(struct _test_data_race_unload *self, struct ioevq *q)
{
	int i, err = register_one(q, self->buf, PAGE);

	for (i = 0; i < 8 && !err; i++)
		err = submit_fixed(q, IOEVQ_OP_WRITE, self->file, self->buf, PAGE, i * PAGE, 0, i);
	return err;
}

static int begin_timers(struct _test_data_race_unload *self, struct ioevq *q)
{
	struct ioevq_req req;
	int i, err = 0;

	(void)self;
	for (i = 0; i < 16 && !err; i++) {
		ioevq_prep_timer(&req, 0, i * 10000, 10000, i);
		err = submit(q, &req);
	}
	return err;
}

static int begin_child(struct _test_data_race_unload *self, struct ioevq *q)
{
	(void)self;
	return watch_child(q, 0, 8, 1);
}

/* The caller itself is a consumer, and stays that in the scheduler's eyes for a moment. */
static int begin_consumer(struct _test_data_race_unload *self, struct ioevq *q)
{
	struct ioevq_event ev;

	(void)self;
	return ioevq_set_concurrency(q, 1) || ioevq_post(q, 1, 0, 0) ||
	       enter_wait(q, &ev, 1, 1, BOUND_NS) != 1;
}

FIXTURE_VARIANT_ADD(race_unload, watches) { begin_watches };
FIXTURE_VARIANT_ADD(race_unload, work) { begin_work };
FIXTURE_VARIANT_ADD(race_unload, buffers) { begin_buffers };
FIXTURE_VARIANT_ADD(race_unload, timers) { begin_timers };
FIXTURE_VARIANT_ADD(race_unload, child) { begin_child };
FIXTURE_VARIANT_ADD(race_unload, consumer) { begin_consumer };

FIXTURE_SETUP(race_unload)
{
	(void)variant;
	memset(self, 0, sizeof(*self));
	self->ko = module_open();
	ASSERT_LE(0, self->ko);
	self->points = has_points();
	snprintf(self->params, sizeof(self->params), "%s%s", module_params(),
		 self->points ? " points=" DELAYS : "");
	self->efd = eventfd(0, EFD_NONBLOCK);
	self->file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	self->buf = pages(PAGE);
	ASSERT_NE(NULL, self->buf);
	ASSERT_EQ(0, module_unload());
}

/* Other tests want it as it was. */
FIXTURE_TEARDOWN(race_unload)
{
	(void)variant;
	EXPECT_EQ(0, load(self));
	EXPECT_EQ(0, hold(""));
	close(self->ko);
}

TEST_F_TIMEOUT(race_unload, law_11_unload_against_the_last_close, 600)
{
	long long end = now_ns() + env_number("IOEVQ_SECONDS", 60) * 1000000000LL;
	unsigned int i, waited = 0;
	struct ioevq q;

	ASSERT_EQ(0, hand_start(&self->h, unload, self));
	for (i = 0; i < LEAST || (i < ROUNDS && now_ns() < end); i++) {
		ASSERT_EQ(0, load(self));
		ASSERT_EQ(0, ioevq_open(&q, 4, 0));
		ASSERT_EQ(0, variant->begin(self, &q));
		self->h.delay = -(long)(i * 7919 % 20011);
		strike(&self->h);
		ioevq_close(&q);
		ASSERT_TRUE(landed(&self->h));
		ASSERT_EQ(0, self->err);
		waited += !!self->tries;
		ASSERT_NE(0, access("/dev/ioevq", F_OK));
		kind_drain_fd(self->efd);
		ASSERT_EQ(0, lseek(self->file, 0, SEEK_SET));
	}
	ASSERT_EQ(0, hand_stop(&self->h));
	tell_rounds(i);
	TH_LOG("it was tried too early in %u", waited);
	EXPECT_LT(0, waited);
	/* Whatever was begun has reached its file, or nothing has. */
	EXPECT_EQ(0, system("! grep -q '^ioevq ' /proc/modules"));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Laws 1 and 9 where requests complete and are cancelled at the same moment: each has one
 * final event, it comes before that of the cancel, and nothing comes after.
 */
#include "fixed.h"
#include "kinds_socket.h"
#include "offspring.h"
#include "race.h"
#include "readiness.h"
#include "slow_disk.h"

#define ROUNDS		2000
#define DONE		0xd0eULL
#define DONE_TOO	0xd0e2ULL
#define DISK_NS		30000

struct arena {
	struct ioevq q;
	struct thing t;
	struct hand h;
	struct store s;
	struct offspring c;
	char *buf;
	uint64_t i;		/* of the round, and user data of the request */
	int err;		/* of the hand */
};

/*
 * @make: what is there all the time; @begin: submit the request, and @hit completes it (NULL:
 * that needs nobody); @end: the round is over, @res was the result. 0, or it has failed.
 */
struct rival {
	int (*make)(struct arena *a);
	int (*begin)(struct arena *a);
	void (*hit)(void *arena);
	int (*end)(struct arena *a, int64_t res);
	const char *points;
};

FIXTURE(race_cancel)
{
	struct arena a;
};

FIXTURE_VARIANT(race_cancel)
{
	struct rival r;
};

#define RIVAL(...)	{ .r = { __VA_ARGS__ } }

static int eventfd_make(struct arena *a)
{
	return make_eventfd(&a->t);
}

static int poll_begin(struct arena *a)
{
	return watch(&a->q, a->t.fd, POLLIN, IOEVQ_POLL_ONESHOT, a->i);
}

/* Every other time one that looks at the file for itself. */
static int poll_more_begin(struct arena *a)
{
	return watch(&a->q, a->t.fd, POLLIN,
		     a->i & 1 ? IOEVQ_POLL_EDGE : IOEVQ_POLL_EDGE | IOEVQ_POLL_CONFIRM, a->i);
}

static void eventfd_hit(void *arena)
{
	struct arena *a = arena;

	a->err |= eventfd_write(a->t.fd, 1);
}

/* And somebody comes, who looks at it. */
static void eventfd_look_hit(void *arena)
{
	struct arena *a = arena;

	eventfd_hit(a);
	a->err |= requests(&a->q) > 2;
}

static int eventfd_end(struct arena *a, int64_t res)
{
	eventfd_t value;

	if (res != -ECANCELED && res != POLLIN)
		return -1;
	return eventfd_read(a->t.fd, &value) || value != 1;
}

#define POLL_POINTS	"event:100,cancel:100,claim:50,store:50,sweep:50,look:100,unlock:50"

FIXTURE_VARIANT_ADD(race_cancel, poll)
	RIVAL(eventfd_make, poll_begin, eventfd_hit, eventfd_end,
	      "event:100,cancel:100,claim:50,store:50,sweep:50,detach:50");

FIXTURE_VARIANT_ADD(race_cancel, poll_more)
	RIVAL(eventfd_make, poll_more_begin, eventfd_look_hit, eventfd_end, POLL_POINTS);

/* Nobody else completes it: two cancels do. */
static void cancel_hit(void *arena)
{
	struct arena *a = arena;

	a->err |= ioevq_cancel(&a->q, a->i, DONE_TOO);
}

static int cancel_end(struct arena *a, int64_t res)
{
	(void)a;
	return res != -ECANCELED;
}

FIXTURE_VARIANT_ADD(race_cancel, another_cancel)
	RIVAL(eventfd_make, poll_begin, cancel_hit, cancel_end, "cancel:100,claim:50,unlock:50");

static int timer_make(struct arena *a)
{
	(void)a;
	return 0;
}

/* Rings sooner or later, as the others hit. */
static int timer_begin(struct arena *a)
{
	struct ioevq_req req;
	long ns = 50000 + a->h.delay * 100;

	ioevq_prep_timer(&req, 0, ns < 0 ? 0 : ns, 0, a->i);
	return submit(&a->q, &req);
}

static int plain_end(struct arena *a, int64_t res)
{
	(void)a;
	return res && res != -ECANCELED;
}

FIXTURE_VARIANT_ADD(race_cancel, timer)
	RIVAL(timer_make, timer_begin, NULL, plain_end, "expire:100,cancel:100,claim:50");

static int child_begin(struct arena *a)
{
	if (offspring(&a->c, exit_with, 0))
		return -1;
	return watch_child(&a->q, a->c.pid, 0, a->i);
}

static void child_hit(void *arena)
{
	struct arena *a = arena;

	a->err |= kill(a->c.pid, SIGKILL);
}

static int child_end(struct arena *a, int64_t res)
{
	int status;

	offspring_close(&a->c);
	if (waitpid(a->c.pid, &status, 0) != a->c.pid || status != SIGKILL)
		return -1;
	return res != a->c.pid && res != -ECANCELED;
}

FIXTURE_VARIANT_ADD(race_cancel, child)
	RIVAL(timer_make, child_begin, child_hit, child_end, "child:200,cancel:200,child_check:50");

static int file_make(struct arena *a)
{
	return store_make(&a->s, STORE_TMPFS, 0);
}

/* It goes to a worker, which has begun or has not when it is cancelled. */
static int work_begin(struct arena *a)
{
	struct ioevq_req req;

	ioevq_prep_fsync(&req, a->s.fd, 0, a->i);
	return submit(&a->q, &req);
}

FIXTURE_VARIANT_ADD(race_cancel, worker)
	RIVAL(file_make, work_begin, NULL, plain_end,
	      "work:100,worked:100,cancel:100,fence:100,put:50");

static int disk_make(struct arena *a)
{
	a->t.fd = slow_disk_make(O_DIRECT, DISK_NS);
	a->buf = pages(PAGE);
	return a->t.fd < 0 || !a->buf;
}

/* What a device has begun is waited for, come what may. */
static int disk_begin(struct arena *a)
{
	struct ioevq_req req;

	memset(a->buf, 0x55, PAGE);
	ioevq_prep_read(&req, a->t.fd, a->buf, PAGE, PAGE * (a->i % 64), a->i);
	return submit(&a->q, &req);
}

/* It was never written: zeros. And the device is done with our memory. */
static int disk_end(struct arena *a, int64_t res)
{
	int i;

	for (i = 0; i < PAGE; i++)
		if (a->buf[i])
			return -1;
	return res != PAGE;
}

FIXTURE_VARIANT_ADD(race_cancel, device)
	RIVAL(disk_make, disk_begin, NULL, disk_end,
	      "issued:100,io_done:100,cancel:100,fence:100,put:50");

static int pipe_make(struct arena *a)
{
	a->buf = pages(PAGE);
	return make_pipe(&a->t) || !a->buf;
}

static int pipe_begin(struct arena *a)
{
	struct ioevq_req req;

	a->buf[0] = 0;
	ioevq_prep_read(&req, a->t.fd, a->buf, 1, IOEVQ_POSITION, a->i);
	return submit(&a->q, &req);
}

static void pipe_hit(void *arena)
{
	struct arena *a = arena;

	/* Come for nothing: who comes transfers. */
	a->err |= write(a->t.peer, "x", 1) != 1 || requests(&a->q) > 2;
}

/* The byte is in our hands, or in the pipe still. */
static int pipe_end(struct arena *a, int64_t res)
{
	char c = 0;

	if (res == 1)
		return a->buf[0] != 'x' || read(a->t.fd, &c, 1) != -1;
	return res != -ECANCELED || a->buf[0] || read(a->t.fd, &c, 1) != 1 || c != 'x';
}

FIXTURE_VARIANT_ADD(race_cancel, stream)
	RIVAL(pipe_make, pipe_begin, pipe_hit, pipe_end,
	      "event:100,cancel:100,look:100,transfer:100");

FIXTURE_SETUP(race_cancel)
{
	struct arena *a = &self->a;

	memset(a, 0, sizeof(*a));
	a->t = (struct thing){ .fd = -1, .peer = -1, .aux = -1 };
	a->s.fd = -1;
	ASSERT_EQ(0, ioevq_open(&a->q, 4, 0));
	ASSERT_EQ(0, variant->r.make(a));
	ASSERT_EQ(0, hold(variant->r.points));
}

FIXTURE_TEARDOWN(race_cancel)
{
	struct arena *a = &self->a;

	EXPECT_EQ(0, hold(""));
	if (variant->r.make == file_make)
		store_end(&a->s);
	thing_end(&a->t);
	if (variant->r.make == disk_make)
		slow_disk_end(-1);
	ioevq_close(&a->q);
}

/* What was told in a round. */
struct told {
	int64_t res;		/* of the request */
	int64_t matched;	/* of the cancel */
	bool before;		/* the request had an event that was not the cancel's doing */
};

/* Events until those of @cancels have come: 0 if all are there, in order, and once. */
static int take(struct arena *a, int cancels, struct told *told)
{
	struct ioevq_event ev;
	int ended = 0;

	*told = (struct told){};
	while (cancels) {
		if (next_event(&a->q, &ev) != 1)
			return -1;
		if (ev.op == IOEVQ_OP_CANCEL) {
			if (!ended || ev.res < 0 || ev.res > 1)
				return -2;
			if (ev.user_data == DONE)
				told->matched = ev.res;
			cancels--;
			continue;
		}
		if (ended || ev.user_data != a->i)
			return -3;
		ended = !(ev.flags & IOEVQ_EVENT_MORE);
		told->res = ev.res;
		told->before |= ev.res != -ECANCELED;
	}
	/* Whoever was stopped was stopped by somebody. */
	return nothing(&a->q) ? 0 : -4;
}

TEST_F_TIMEOUT(race_cancel, law_09_complete_against_cancel, 600)
{
	const struct rival *r = &variant->r;
	bool two = r->hit == cancel_hit;
	struct arena *a = &self->a;
	unsigned int late = 0, i;
	time_t end = 0;
	struct told told;
	bool first;

	if (r->hit)
		ASSERT_EQ(0, hand_start(&a->h, r->hit, a));
	for (i = 1; race_goes_on(&a->h, i, ROUNDS, &end); i++) {
		a->i = i;
		ASSERT_EQ(0, r->begin(a));
		if (r->hit)
			strike(&a->h);
		else
			spin(-a->h.delay);
		ASSERT_EQ(0, ioevq_cancel(&a->q, i, DONE));
		ASSERT_EQ(0, take(a, 1 + two, &told))
			TH_LOG("round %u", i);
		if (r->hit)
			ASSERT_TRUE(landed(&a->h));
		ASSERT_EQ(0, a->err);
		ASSERT_EQ(0, r->end(a, told.res))
			TH_LOG("round %u: result %lld", i, (long long)told.res);
		if (told.res == -ECANCELED && !two)
			ASSERT_EQ(1, told.matched);
		ASSERT_EQ(0, requests(&a->q));
		/* What a device has cannot be stopped, but may be found. */
		first = told.before && (r->make != disk_make || !told.matched);
		if (two)
			first = !told.matched;
		late += first;
		steer(&a->h, first);
	}
	if (r->hit)
		ASSERT_EQ(0, hand_stop(&a->h));
	TH_LOG("the cancel came too late in %u of them", late);
	/* Both have happened; how often is for the machine to say, and for the points. */
	EXPECT_LT(0, late);
	EXPECT_GT(i, late);
	EXPECT_TRUE(all_passed(r->points));
	EXPECT_EQ(0, query(&a->q).available);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Laws 1 and 8 where files are closed by CLOSE at the very moment at which something happens
 * to them. See close_race.c for close(2) against wake-ups and submissions.
 */
#include "kinds_socket.h"
#include "race.h"
#include "readiness.h"

#define ROUNDS		2000
#define DONE		0xd0eULL
#define WATCHES		3

struct arena {
	struct ioevq q;
	struct thing t;
	struct hand h;
	char buf;
	int err;
	int closed;		/* what the other close(2) has returned */
};

FIXTURE(race_close)
{
	struct arena a;
	long users;
};

FIXTURE_VARIANT(race_close)
{
	int (*make)(struct thing *t);
};

FIXTURE_VARIANT_ADD(race_close, pipe) { make_pipe };
FIXTURE_VARIANT_ADD(race_close, unix_stream) { make_unix_stream };

FIXTURE_SETUP(race_close)
{
	(void)variant;
	memset(&self->a, 0, sizeof(self->a));
	self->users = module_users();
	ASSERT_EQ(0, ioevq_open(&self->a.q, 4, 0));
	signal(SIGPIPE, SIG_IGN);
}

FIXTURE_TEARDOWN(race_close)
{
	(void)variant;
	EXPECT_EQ(0, hold(""));
	EXPECT_EQ(0, requests(&self->a.q));
	EXPECT_TRUE(quiet(&self->a.q));
	ioevq_close(&self->a.q);
	EXPECT_TRUE(eventually(module_users() == self->users));
}

/* Edge, level, one-shot, and a READ: user data from 0. */
static int submit_all(struct arena *a)
{
	static const unsigned int modes[WATCHES] = {
		IOEVQ_POLL_EDGE, IOEVQ_POLL_LEVEL, IOEVQ_POLL_ONESHOT
	};
	struct ioevq_req req;
	int i, err = 0;

	for (i = 0; i < WATCHES && !err; i++)
		err = watch(&a->q, a->t.fd, POLLIN, modes[i], i);
	ioevq_prep_read(&req, a->t.fd, &a->buf, 1, IOEVQ_POSITION, WATCHES);
	return err ? err : submit(&a->q, &req);
}

/* Their events, until all have ended: what READ has read, or its error. -1: one too many. */
static int take_all(struct arena *a, int64_t *read)
{
	unsigned int ended = 0, left = WATCHES + 1;
	struct ioevq_event ev;

	while (left) {
		if (next_event(&a->q, &ev) != 1 || ev.user_data > WATCHES ||
		    ended & 1 << ev.user_data)
			return -1;
		if (ev.flags & IOEVQ_EVENT_MORE)
			continue;
		ended |= 1 << ev.user_data;
		left--;
		if (ev.op == IOEVQ_OP_READ)
			*read = ev.res;
	}
	return 0;
}

static void write_to_peer(void *arena)
{
	struct arena *a = arena;

	/* Too late: EPIPE. */
	a->err = write(a->t.peer, "x", 1) == 1 ? 0 : errno;
}

/* All have ended before the CLOSE, and the peer sees it: at once, whatever was on its way. */
TEST_F_TIMEOUT(race_close, law_08_close_against_data, 600)
{
	unsigned int i, seen = 0;
	struct arena *a = &self->a;
	time_t end = 0;
	int64_t res = 0;

	ASSERT_EQ(0, hold("event:100,close:100,closing:100,detach:100,unwatch:50,transfer:50"));
	ASSERT_EQ(0, hand_start(&a->h, write_to_peer, a));
	for (i = 0; race_goes_on(&a->h, i, ROUNDS, &end); i++) {
		a->t = (struct thing){ .fd = -1, .peer = -1, .aux = -1 };
		a->buf = 0;
		ASSERT_EQ(0, variant->make(&a->t));
		ASSERT_EQ(0, submit_all(a));
		strike(&a->h);
		/* Come for nothing, and serve what waits. */
		if (i & 1)
			requests(&a->q);
		ASSERT_EQ(0, ioevq_close_fd(&a->q, a->t.fd, DONE));
		ASSERT_TRUE(landed(&a->h));
		ASSERT_TRUE(a->err == 0 || a->err == EPIPE || a->err == ECONNRESET);
		ASSERT_EQ(EPIPE, write(a->t.peer, "x", 1) < 0 ? errno : 0);
		ASSERT_EQ(0, take_all(a, &res));
		ASSERT_TRUE(completed(&a->q, IOEVQ_OP_CLOSE, DONE, 0));
		ASSERT_TRUE(res == 1 ? a->buf == 'x' : res == -ECANCELED && !a->buf);
		seen += !a->err;
		steer(&a->h, !a->err);
		close(a->t.peer);
	}
	ASSERT_EQ(0, hand_stop(&a->h));
	TH_LOG("written before the close in %u of them", seen);
	EXPECT_LT(0, seen);
	EXPECT_GT(i, seen);
	EXPECT_TRUE(all_passed("event,close,closing,detach"));
}

static void close_it(void *arena)
{
	struct arena *a = arena;

	a->closed = close(a->t.fd) ? errno : 0;
}

/* One of the two closes it; whichever, all have ended, and once. */
TEST_F_TIMEOUT(race_close, law_08_close_against_close, 600)
{
	struct arena *a = &self->a;
	unsigned int i, refused = 0, first = 0;
	struct ioevq_event ev;
	time_t end = 0;
	int64_t res = 0;
	int ret;

	ASSERT_EQ(0, hold("close:100,closing:100,cancel:50,detach:50,unwatch:100"));
	ASSERT_EQ(0, hand_start(&a->h, close_it, a));
	for (i = 0; race_goes_on(&a->h, i, ROUNDS, &end); i++) {
		a->t = (struct thing){ .fd = -1, .peer = -1, .aux = -1 };
		ASSERT_EQ(0, variant->make(&a->t));
		ASSERT_EQ(0, submit_all(a));
		strike(&a->h);
		ret = ioevq_close_fd(&a->q, a->t.fd, DONE);
		ASSERT_TRUE(landed(&a->h));
		ASSERT_EQ(EPIPE, write(a->t.peer, "x", 1) < 0 ? errno : 0);
		ASSERT_EQ(0, take_all(a, &res));
		ASSERT_EQ(-ECANCELED, res);
		if (ret) {
			ASSERT_EQ(-EBADF, ret);
			ASSERT_EQ(0, a->closed);
			refused++;
		} else {
			ASSERT_EQ(1, next_event(&a->q, &ev));
			ASSERT_EQ(DONE, ev.user_data);
			/* It has found it: one of the two has closed it. */
			ASSERT_EQ(ev.res ? 0 : EBADF, a->closed);
			ASSERT_TRUE(!ev.res || ev.res == -EBADF);
			first += !ev.res;
		}
		/* Between those that are refused and the rest, and to where either closes it. */
		steer(&a->h, i & 64 ? ret : !a->closed);
		close(a->t.peer);
	}
	ASSERT_EQ(0, hand_stop(&a->h));
	TH_LOG("of them %u too late, %u in time", refused, first);
	EXPECT_LT(0, refused);
	EXPECT_LT(0, first);
	EXPECT_TRUE(all_passed("close,closing,unwatch"));
}

TEST_HARNESS_MAIN

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Laws 1, 2 and 11 when something fails in the submission of a request of any kind, which is
 * the second of three: what was accepted is a first part of the batch, each of it has one
 * final event, and nothing else is left. A row for each kind: fault_ops.c, fault_io.c.
 */
#ifndef IOEVQ_FAULT_BATCH_H
#define IOEVQ_FAULT_BATCH_H

#include <dirent.h>

#include "fault.h"
#include "fixed.h"
#include "kinds_socket.h"
#include "readiness.h"

#define OURS	2	/* user data of the request */
#define FIRST	10	/* the same of what it needs to be there: FIRST, FIRST + 1 ... */
#define OTHERS	4	/* how many of those at most */
#define FENCE	100

/* What a row is about. The queue is a new one for each chance, with a ring of one. */
struct world {
	struct ioevq q;
	struct ioevq other;
	struct ioevq_req req;
	struct thing t;
	struct store s;
	unsigned int others;		/* submitted by @before, and accepted */
	int64_t res;			/* of the request's last event */
	bool accepted;
	int fd;
	pid_t pid;
	char *buf;
	struct iovec iov[4];
	long users;			/* of the module, before all */
	unsigned int files;		/* the same of descriptors */
};

/*
 * @make: once; @before: before each submission, sets w->req; @after: after it, with the queue
 * still there; @end: at last. NULL where nothing is to be done.
 */
struct row {
	int (*make)(struct world *w);
	int (*before)(struct world *w);
	int (*after)(struct world *w);
	void (*end)(struct world *w);
	int64_t res;		/* if nothing fails; what is waiting is cancelled: -ECANCELED */
	bool skip;		/* IOEVQ_REQ_SKIP_SUCCESS, with results */
	bool ends;		/* by itself, and so does what was there before it */
	bool elsewhere;		/* its event is another queue's */
	unsigned int enomem;	/* so many refusals at least */
	int64_t no_memory;	/* what the file calls that, too */
	long arg;		/* its own */
};

FIXTURE(batch)
{
	struct world w;
};

FIXTURE_VARIANT(batch)
{
	struct row r;
};

/* A row of these. */
#define ROW(...)	{ .r = { __VA_ARGS__ } }

/* Of the row that is being tried. */
static long row_arg;

static inline unsigned int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (dir && readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* How many final events there were of the three, and of others. */
struct finals {
	unsigned int of[4];
	unsigned int others[OTHERS];
};

/* Take the next event and count it: 1, or 0 if it is the fence, or -1. */
static inline int take_final(struct world *w, struct finals *f)
{
	struct ioevq_event ev;
	unsigned int final;

	if (next_event(&w->q, &ev) != 1)
		return -1;
	if (ev.user_data == FENCE)
		return 0;
	final = !(ev.flags & IOEVQ_EVENT_MORE);
	if (ev.user_data >= FIRST && ev.user_data < FIRST + w->others)
		f->others[ev.user_data - FIRST] += final;
	else if (ev.user_data >= 1 && ev.user_data <= 3)
		f->of[ev.user_data] += final;
	else
		return -1;
	if (ev.user_data == OURS)
		w->res = ev.res;
	return 1;
}

/* All until a fence. -1: what cannot be. */
static inline int take_finals(struct world *w, const struct row *r, struct finals *f)
{
	unsigned int i;
	int ret = 1;

	while (r->ends && requests(&w->q))
		if (take_final(w, f) != 1)
			return -1;
	if (ioevq_cancel_all(&w->q, FENCE))
		return -2;
	while (ret == 1)
		ret = take_final(w, f);
	if (ret)
		return -3;
	for (i = 0; i < w->others; i++)
		if (f->others[i] != 1)
			return -4;
	return quiet(&w->q) && !requests(&w->q) ? 0 : -5;
}

/* Is what the call returned true of what was accepted? */
static inline int is_answer(int ret, const struct ioevq_enter *enter, unsigned int accepted)
{
	if (ret >= 0)
		return accepted == 3;
	if (ret == -ENOMEM)
		return accepted < 3 && enter->submitted == accepted;
	/* It may be the answer that could not be copied. */
	return ret == -EFAULT;
}

/* One submission, with its n-th chance to fail: 0, or what was wrong. */
static inline int try_batch(struct world *w, const struct row *r, int n, struct sweep *s,
			    bool *failed)
{
	int64_t results[3] = { IOEVQ_NO_RESULT, IOEVQ_NO_RESULT, IOEVQ_NO_RESULT };
	unsigned int *finals, accepted;
	struct finals f = {};
	struct ioevq_req reqs[3];
	struct ioevq_enter enter = { .reqs = (uintptr_t)reqs, .nr_reqs = 3 };
	int ret, err;

	ioevq_prep_nop(&reqs[0], 1);
	ioevq_prep_nop(&reqs[2], 3);
	reqs[1] = w->req;
	if (r->skip) {
		reqs[1].flags |= IOEVQ_REQ_SKIP_SUCCESS;
		enter.results = (uintptr_t)results;
	}
	finals = f.of;
	w->res = INT64_MIN;
	fail_nth(n);
	ret = ioevq_enter(&w->q, &enter);
	*failed = has_failed();
	s->failed += *failed;
	s->enomem += ret == -ENOMEM;
	s->efault += ret == -EFAULT;
	err = take_finals(w, r, &f);
	if (err)
		return err;
	/* A result that was told takes the place of an event. */
	if (results[1] != IOEVQ_NO_RESULT) {
		finals[OURS]++;
		w->res = results[1];
	}
	/* Who has neither was accepted if what came after it was, or the answer says so. */
	if ((r->skip || r->elsewhere) && !finals[OURS] && (finals[3] || enter.submitted > 1))
		finals[OURS]++;
	for (accepted = 0; accepted < 3 && finals[accepted + 1] == 1; accepted++)
		;
	w->accepted = accepted > 1;
	if (finals[1] + finals[2] + finals[3] != accepted)
		return -10;
	if (!is_answer(ret, &enter, accepted))
		return -11;
	if (!*failed && (ret < 0 || (r->res && w->res != r->res)))
		return -12;
	/* What has failed inside of it has one of the errors for that. */
	if (w->accepted && !r->elsewhere && w->res < 0 && !is_fault(w->res) &&
	    w->res != r->res && w->res != r->no_memory && w->res != -ECANCELED)
		return -13;
	return 0;
}

static inline int one_chance(struct world *w, const struct row *r, int n, struct sweep *s,
			     bool *failed)
{
	int err;

	w->others = 0;
	if (ioevq_open(&w->q, 1, 0) || (r->before && r->before(w)))
		return -20;
	err = try_batch(w, r, n, s, failed);
	if (r->after && r->after(w) && !err)
		err = -21;
	ioevq_close(&w->q);
	if (!err && open_files() != w->files)
		err = -22;
	if (!err && !eventually(module_users() == w->users))
		err = -23;
	return err || pinned() ? err ?: -24 : 0;
}

/* For every n until nothing fails: 0, or what was wrong. */
static inline int sweep_batch(struct world *w, const struct row *r, struct sweep *s)
{
	unsigned int in_a_row = 0;
	bool failed;
	int n, err = 0;

	*s = (struct sweep){};
	make_faults();
	/* The file of it is open from now on. */
	fail_nth(0);
	w->files = open_files();
	for (n = 1; in_a_row < IN_A_ROW && !err && n < MOST_CHANCES; n++) {
		err = one_chance(w, r, n, s, &failed);
		in_a_row = failed ? 0 : in_a_row + 1;
	}
	if (err)
		fprintf(stderr, "# chance %d: %d, result %lld\n", n - 1, err, (long long)w->res);
	return in_a_row < IN_A_ROW && !err ? -30 : err;
}

FIXTURE_SETUP(batch)
{
	struct world *w = &self->w;

	memset(w, 0, sizeof(*w));
	w->t = (struct thing){ .fd = -1, .peer = -1, .aux = -1 };
	w->s.fd = -1;
	w->buf = pages(2 * PAGE);
	ASSERT_NE(NULL, w->buf);
	row_arg = variant->r.arg;
	ASSERT_EQ(0, ioevq_open(&w->other, 1, 0));
	if (variant->r.make)
		ASSERT_EQ(0, variant->r.make(w));
	w->users = module_users();
}

FIXTURE_TEARDOWN(batch)
{
	struct world *w = &self->w;

	if (variant->r.end)
		variant->r.end(w);
	thing_end(&w->t);
	EXPECT_EQ(0, requests(&w->other));
	ioevq_close(&w->other);
}

/* What a test of it does. */
#define SWEEP_BATCH()							\
do {									\
	struct sweep __s;						\
									\
	ASSERT_EQ(0, sweep_batch(&self->w, &variant->r, &__s));		\
	TH_LOG("%u failed: %u ENOMEM, %u EFAULT", __s.failed, __s.enomem, __s.efault);	\
	EXPECT_LT(0, __s.failed);					\
	EXPECT_LE(variant->r.enomem, __s.enomem);			\
} while (0)

#endif

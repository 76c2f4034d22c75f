/* SPDX-License-Identifier: GPL-2.0-only */
/* Readiness: some of many files become ready, are told of, and are read. */
#ifndef BENCH_READY_H
#define BENCH_READY_H

#include "objects.h"

#define MAX_ACTIVE	128

/* Watches of @o by one API, and what was told last. */
struct ready {
	struct objects *o;
	unsigned int ready[MAX_ACTIVE];
	void *state;			/* of the API */
};

/* One way to be told. A round writes to the next ones and reads all that is told of. */
struct way {
	const char *name;
	enum kind kind;
	void (*open)(struct ready *r);	/* watches all */
	round_fn *round;
	void (*close)(struct ready *r);
	unsigned int max_n;		/* as many watches as make sense, 0: any */
	round_fn *round_unread;		/* the same without reading, if it can be done */
};

extern const struct way ways_classic[], ways_uring[], ways_ours[];
extern const unsigned int nr_ways_classic, nr_ways_uring, nr_ways_ours;

/*
 * The round of a way: @take fills r->ready and returns how many; @drained is called for each
 * that was read. Both are compiled into it.
 */
static __always_inline void ready_round(struct ready *r, unsigned int (*take)(struct ready *r),
					void (*drained)(struct ready *r, unsigned int i))
{
	struct objects *o = r->o;
	unsigned int got = 0, i, n;

	for (i = 0; i < o->k; i++) {
		put_message(o->wr[o->next]);
		if (++o->next == o->n)
			o->next = 0;
	}
	while (got < o->k) {
		n = take(r);
		for (i = 0; i < n; i++) {
			get_message(o->rd[r->ready[i]]);
			drained(r, r->ready[i]);
		}
		got += n;
	}
}

/* One of one, which is not read: an eventfd is written to once more. */
static __always_inline void unread_round(struct ready *r, unsigned int (*take)(struct ready *r))
{
	put_message(r->o->wr[0]);
	while (!take(r))
		;
}

static __always_inline void not_rearmed(struct ready *r, unsigned int i)
{
	(void)r;
	(void)i;
}

#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * A worker makes programs up or changes those of the corpus, executes them, and keeps what
 * has shown something new, with all removed that is not needed for that. It ends after some
 * programs, for another to begin with a process that nothing has been done to.
 */
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

#define PROGRAMS	3000
#define MAX_TRIALS	24	/* to make one smaller */

static unsigned int me;

static void run_one(const struct program *p)
{
	last_begin(last, me, p);
	execute(p);
	atomic_fetch_add(&shared->programs, 1);
	atomic_fetch_add(&shared->beat[me], 1);
}

/* Takes calls out, at first many at a time, while @edges are still seen. */
static void minimise(struct program *p, const uint32_t *edges, unsigned int nr)
{
	unsigned int size = p->nr / 2, at, trials = 0;
	struct program less;

	while (size && trials < MAX_TRIALS) {
		for (at = 0; at + size <= p->nr && p->nr > size && trials < MAX_TRIALS; trials++) {
			less = *p;
			memmove(&less.calls[at], &less.calls[at + size],
				(less.nr - at - size) * sizeof(less.calls[0]));
			less.nr -= size;
			run_one(&less);
			/* What these show by chance is known from now on, too. */
			if (cover_same(edges, nr))
				*p = less;
			else
				at += size;
		}
		size /= 2;
	}
}

static void keep_if_new(struct program *p)
{
	unsigned int nr = cover_harvest(&shared->coverage);
	uint32_t edges[MAX_NEW];

	if (!nr)
		return;
	memcpy(edges, cover_new, nr * sizeof(edges[0]));
	/* What happened by chance may not happen again: then the program stays as it is. */
	run_one(p);
	if (cover_same(edges, nr))
		minimise(p, edges, nr);
	corpus_add(corpus, p);
}

static bool is_over(void)
{
	return shared->stop || (opt.max_programs && shared->programs >= opt.max_programs);
}

int worker_main(unsigned int worker, unsigned int start)
{
	struct rng r = { .state = opt.seed * 1000003 + worker * 10007 + start };
	static struct program p, other;
	unsigned int n;

	me = worker;
	if (execute_init(opt.lanes, opt.nobody && worker % 2))
		return 3;
	rng_next(&r);
	/* What is known comes first. */
	while ((n = atomic_fetch_add(&shared->replayed, 1)) < shared->loaded && !is_over()) {
		corpus_get(corpus, n, &p);
		run_one(&p);
		cover_harvest(&shared->coverage);
	}
	for (n = 0; n < PROGRAMS && !is_over(); n++) {
		if (rng_one_in(&r, 8) || !corpus_pick(corpus, &r, &p)) {
			program_generate(&r, &p, opt.lanes);
		} else {
			if (!corpus_pick(corpus, &r, &other))
				other.nr = 0;
			program_mutate(&r, &p, &other, opt.lanes);
		}
		run_one(&p);
		keep_if_new(&p);
	}
	return 0;
}

/* All of the corpus, in order; as often as was asked for. */
int worker_replay(unsigned int worker)
{
	struct program p;
	unsigned int i, nr = corpus_size(corpus);

	me = worker;
	if (execute_init(opt.lanes, opt.nobody && worker % 2))
		return 3;
	for (i = shared->replayed; i < nr * opt.repeat && !is_over(); i++) {
		corpus_get(corpus, i % nr, &p);
		/* If it is the last one, another worker goes on behind it. */
		shared->replayed = i + 1;
		run_one(&p);
		cover_harvest(&shared->coverage);
	}
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/* The families `ready' (one of many) and `batch' (some of many). */
#include "ready.h"

static void measure_way(const char *question, const struct way *w, struct objects *o)
{
	struct ready r = { .o = o };
	struct row row = {
		.question = question, .object = o->kind->name, .name = w->name, .kind = w->kind,
		.n = o->n, .k = o->k,
	};

	if (w->max_n && o->n > w->max_n)
		return;
	/* poll(2) looks at those before it in vain: half of all. */
	o->next = o->n / 2;
	w->open(&r);
	measure(&row, w->round, &r);
	w->close(&r);
}

static void measure_unread(const struct way *ways, unsigned int nr, struct objects *o)
{
	for (unsigned int i = 0; i < nr; i++) {
		struct ready r = { .o = o };
		struct row row = {
			.question = "unread", .object = o->kind->name, .name = ways[i].name,
			.kind = ways[i].kind, .n = 1, .k = 1,
		};

		if (!ways[i].round_unread)
			continue;
		ways[i].open(&r);
		measure(&row, ways[i].round_unread, &r);
		ways[i].close(&r);
	}
}

static void measure_ways(const char *question, const struct way *ways, unsigned int nr,
			 struct objects *o)
{
	for (unsigned int i = 0; i < nr; i++)
		measure_way(question, &ways[i], o);
}

static void measure_all(const char *question, struct objects *o)
{
	measure_ways(question, ways_classic, nr_ways_classic, o);
	measure_ways(question, ways_uring, nr_ways_uring, o);
	measure_ways(question, ways_ours, nr_ways_ours, o);
}

static void one_of(const struct object *kind, unsigned int n)
{
	struct objects o;

	objects_make(&o, kind, n);
	o.k = 1;
	measure_all("ready", &o);
	objects_close(&o);
}

/* The same work where the module is not there: what its presence costs those who do not use it. */
void bench_before(void)
{
	static const struct object * const kinds[] = {
		&obj_eventfd, &obj_unix, &obj_pipe, &obj_tcp
	};
	struct objects o;

	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		objects_make(&o, kinds[i], 1);
		o.k = 1;
		measure_way("before", &ways_classic[0], &o);
		objects_close(&o);
	}
}

/* What the producer does where the consumer is on another CPU and spins. */
static void unread(void)
{
	struct objects o;

	objects_make(&o, &obj_eventfd, 1);
	measure_unread(ways_classic, nr_ways_classic, &o);
	measure_unread(ways_uring, nr_ways_uring, &o);
	measure_unread(ways_ours, nr_ways_ours, &o);
	objects_close(&o);
}

void bench_ready(void)
{
	static const struct object * const kinds[] = {
		&obj_eventfd, &obj_unix, &obj_pipe, &obj_tcp
	};
	static const unsigned int ns[] = { 1, 100, 1000, 10000 };
	unsigned int i, j;

	unread();
	one_of(&obj_eventfd, 1000);
	if (quick)
		return;
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		for (j = 0; j < ARRAY_SIZE(ns); j++)
			if (i || ns[j] != 1000)
				one_of(kinds[i], ns[j]);
	one_of(&obj_eventfd, 100000);
}

void bench_batch(void)
{
	static const struct object * const kinds[] = { &obj_eventfd, &obj_unix };
	static const unsigned int ks[] = { 128, 16 };
	struct objects o;
	unsigned int i, j;

	for (i = 0; i < (quick ? 1 : ARRAY_SIZE(kinds)); i++) {
		objects_make(&o, kinds[i], 1000);
		for (j = 0; j < (quick ? 1 : ARRAY_SIZE(ks)); j++) {
			o.k = ks[j];
			measure_all("batch", &o);
		}
		objects_close(&o);
	}
	if (quick)
		return;
	/* Does it matter to ours how many others there are? */
	objects_make(&o, &obj_eventfd, 100000);
	o.k = 128;
	measure_ways("batch", ways_classic, 1, &o);
	measure_ways("batch", ways_ours, nr_ways_ours, &o);
	objects_close(&o);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Programs, made up or changed. What happens depends on the generator of numbers alone. */
#include <string.h>

#include "fuzz.h"

static unsigned int any_kind(struct rng *r)
{
	static unsigned int sum;
	unsigned int kind, n;

	if (!sum)
		for (kind = 0; kind < NR_CALLS; kind++)
			sum += call_types[kind].weight;
	n = rng_below(r, sum);
	for (kind = 0; n >= call_types[kind].weight; kind++)
		n -= call_types[kind].weight;
	return kind;
}

/* Indexes of fields, see call_types. */
enum { MAKE_FD, MAKE_WHAT };
enum { SETUP_FD, SETUP_FLAGS };
enum { ENTER_FD, ENTER_FLAGS, ENTER_NR, ENTER_MIN, ENTER_MAX, ENTER_TIMEOUT, ENTER_SIGMASK,
	ENTER_BATCH, ENTER_RESULTS };
enum { CONTROL_FD, CONTROL_CMD, CONTROL_ARG, CONTROL_NR, CONTROL_RESERVED };

/* What is likely to be accepted. */
static void be_plausible(struct rng *r, struct call *c)
{
	switch (c->kind) {
	case C_MAKE:
		if (c->v[MAKE_WHAT] < 3)
			c->v[MAKE_FD] = SLOT(rng_below(r, 4));
		break;
	case C_REQ:
		fill_req(r, c);
		break;
	case C_ENTER:
		c->v[ENTER_NR] = 0;
		c->v[ENTER_FLAGS] &= rng_one_in(r, 3) ? 31 : 16;
		if (c->v[ENTER_MAX] < c->v[ENTER_MIN] || rng_one_in(r, 3))
			c->v[ENTER_MAX] = c->v[ENTER_MIN] < 32 ?
					  c->v[ENTER_MIN] + rng_below(r, 9) : 64;
		if (rng_one_in(r, 4))
			c->v[ENTER_RESULTS] = SYM_MEM | MEM_SPARE;
		break;
	case C_CONTROL:
		c->v[CONTROL_RESERVED] = 0;
		c->v[CONTROL_NR] = 0;
		switch (c->v[CONTROL_CMD]) {
		case 1:
			c->v[CONTROL_ARG] = 0xfff & ~(rng_next(r) & rng_next(r) & rng_next(r));
			break;
		case 2:
			c->v[CONTROL_ARG] = rng_one_in(r, 4) ? 0xffffffff : rng_below(r, 4);
			break;
		case 5:
			c->v[CONTROL_ARG] = SYM_MEM | (MEM_BUFFERS + 16 * rng_below(r, 4));
			c->v[CONTROL_NR] = 1 + rng_below(r, 5);
			break;
		case 4:
		case 6:
			c->v[CONTROL_ARG] = 0;
			break;
		}
		break;
	}
}

static void change_field(struct rng *r, struct call *c)
{
	unsigned int f = rng_below(r, nr_fields(c->kind));
	uint64_t *v = &c->v[f];

	switch (rng_below(r, 6)) {
	case 0:
		*v ^= 1ULL << rng_below(r, rng_one_in(r, 3) ? 48 : 10);
		break;
	case 1:
		*v += rng_below(r, 17) - 8;
		break;
	case 2:
		*v = c->v[rng_below(r, nr_fields(c->kind))];
		break;
	default:
		*v = value_of(r, &call_types[c->kind].fields[f]);
	}
}

static void make_call(struct rng *r, struct call *c, unsigned int kind, unsigned int lanes)
{
	unsigned int f;

	memset(c, 0, sizeof(*c));
	c->kind = kind;
	for (f = 0; f < nr_fields(kind); f++)
		c->v[f] = value_of(r, &call_types[kind].fields[f]);
	if (!rng_one_in(r, 5))
		be_plausible(r, c);
	if (rng_one_in(r, 8))
		change_field(r, c);
	c->lane = rng_one_in(r, 4) ? rng_below(r, lanes) : 0;
}

static struct call *append(struct program *p, unsigned int kind)
{
	struct call *c = &p->calls[p->nr++];

	memset(c, 0, sizeof(*c));
	c->kind = kind;
	return c;
}

void program_generate(struct rng *r, struct program *p, unsigned int lanes)
{
	unsigned int nr = 4 + rng_below(r, 24), spread;
	struct call *c;

	p->nr = 0;
	c = append(p, C_MAKE);
	c->v[MAKE_FD] = SLOT(0);
	if (rng_one_in(r, 2)) {
		c = append(p, C_SETUP);
		make_call(r, c, C_SETUP, 1);
		if (!rng_one_in(r, 8)) {
			c->v[SETUP_FD] = SLOT(0);
			c->v[SETUP_FLAGS] |= 1;
		}
		c = append(p, C_MAP);
		c->v[0] = SLOT(0);
	}
	for (spread = rng_below(r, 4); spread; spread--) {
		c = append(p, C_MAKE);
		make_call(r, c, C_MAKE, 1);
		c->v[MAKE_FD] = SLOT(4 + 2 * rng_below(r, 3));
	}
	/* One program in two stays in one lane. */
	if (rng_one_in(r, 2))
		lanes = 1;
	while (p->nr < nr)
		make_call(r, append(p, 0), any_kind(r), lanes);
	/* What was asked for last should be submitted. */
	c = append(p, C_ENTER);
	make_call(r, c, C_ENTER, 1);
}

static void insert(struct rng *r, struct program *p, unsigned int at, unsigned int lanes)
{
	struct call c;
	unsigned int lane;

	if (p->nr == MAX_CALLS)
		return;
	make_call(r, &c, any_kind(r), lanes);
	/* Requests belong before the submission of the same lane. */
	lane = at < p->nr ? p->calls[at].lane : 0;
	if (c.kind == C_REQ && !rng_one_in(r, 4))
		c.lane = lane;
	memmove(&p->calls[at + 1], &p->calls[at], (p->nr - at) * sizeof(c));
	p->calls[at] = c;
	p->nr++;
}

static void removed(struct program *p, unsigned int at, unsigned int nr)
{
	memmove(&p->calls[at], &p->calls[at + nr], (p->nr - at - nr) * sizeof(p->calls[0]));
	p->nr -= nr;
}

/* A part of another program, or of itself. */
static void splice(struct rng *r, struct program *p, const struct program *other)
{
	unsigned int from = rng_below(r, other->nr), at = rng_below(r, p->nr + 1), nr;
	struct call part[MAX_CALLS];

	nr = 1 + rng_below(r, other->nr - from);
	if (nr > MAX_CALLS - p->nr)
		nr = MAX_CALLS - p->nr;
	memcpy(part, &other->calls[from], nr * sizeof(part[0]));
	memmove(&p->calls[at + nr], &p->calls[at], (p->nr - at) * sizeof(part[0]));
	memcpy(&p->calls[at], part, nr * sizeof(part[0]));
	p->nr += nr;
}

/* Others make some of the calls, or one all that come after it. */
static void change_lanes(struct rng *r, struct program *p, unsigned int lanes)
{
	unsigned int i = rng_below(r, p->nr), lane = rng_below(r, lanes);

	if (rng_one_in(r, 2)) {
		p->calls[i].lane = lane;
		return;
	}
	for (; i < p->nr; i++)
		if (rng_one_in(r, 2))
			p->calls[i].lane = lane;
}

void program_mutate(struct rng *r, struct program *p, const struct program *other,
		    unsigned int lanes)
{
	unsigned int n = 1 + rng_below(r, rng_one_in(r, 3) ? 8 : 3), i, j;
	struct call c;

	while (n--) {
		if (!p->nr) {
			program_generate(r, p, lanes);
			return;
		}
		i = rng_below(r, p->nr);
		switch (rng_below(r, 16)) {
		case 0: case 1: case 2: case 3:
			change_field(r, &p->calls[i]);
			break;
		case 4: case 5: case 6: case 7: case 8:
			insert(r, p, rng_one_in(r, 2) ? p->nr : i, lanes);
			break;
		case 9: case 10:
			removed(p, i, 1);
			break;
		case 11:
			removed(p, i, 1 + rng_below(r, p->nr - i));
			break;
		case 12:
			j = rng_below(r, p->nr);
			c = p->calls[i];
			p->calls[i] = p->calls[j];
			p->calls[j] = c;
			break;
		case 13:
			if (lanes > 1)
				change_lanes(r, p, lanes);
			break;
		case 14:
			c = p->calls[i];
			make_call(r, &p->calls[i], c.kind, 1);
			p->calls[i].lane = c.lane;
			break;
		default:
			splice(r, p, other && other->nr ? other : p);
		}
	}
	if (!p->nr)
		program_generate(r, p, lanes);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs as text: a call is a line "LANE NAME FIELD=VALUE...", fields that are 0 left out.
 * A value is a number, a descriptor (s3), a place in memory (m+0x100, u+0, r+0x80), or, of
 * some fields, a name. Programs have an empty line between them; # begins a comment.
 */
#include <errno.h>
#include <linux/ioevq.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define QUEUE_FD	{ "fd", F_QUEUE, 0 }
#define SIZE(type)	{ "size", F_SIZE, sizeof(type) }
#define AT		{ "at", F_AT, 0 }

/*
 * A size of 0 stands for the right one, an address of 0 for memory that is good for it; real
 * zeroes there are not worth a way of their own. The indexes of fields are known in other files.
 */
const struct call_type call_types[NR_CALLS] = {
	[C_MAKE] = { "make", 14, {
		{ "fd", F_FD, 0 }, { "what", F_WHAT, 0 }, { "arg", F_U32, 0 } } },
	[C_SETUP] = { "setup", 3, {
		QUEUE_FD, { "flags", F_FLAGS, 3 }, { "entries", F_ENTRIES, 0 },
		{ "concurrency", F_SMALL, 0 }, { "ops", F_MASK, 0 }, SIZE(struct ioevq_setup),
		AT } },
	[C_MAP] = { "map", 3, {
		QUEUE_FD, { "to", F_SMALL, 0 }, { "len", F_LEN, 0 }, { "off", F_SMALL, 0 },
		{ "prot", F_SMALL, 0 }, { "private", F_SMALL, 0 } } },
	[C_UNMAP] = { "unmap", 1, { { "to", F_SMALL, 0 } } },
	[C_REQ] = { "req", 30, {
		{ "op", F_OP, 0 }, { "fd", F_FD, 0 }, { "flags", F_FLAGS, 3 },
		{ "user_data", F_NAME, 0 }, { "addr", F_ADDR, 0 }, { "off", F_OFF, 0 },
		{ "len", F_LEN, 0 }, { "op_flags", F_FLAGS, 0x3ff }, { "op_arg", F_U32, 0 },
		{ "buf_index", F_SMALL, 0 }, { "reserved", F_U32, 0 } } },
	[C_ENTER] = { "enter", 24, {
		QUEUE_FD, { "flags", F_FLAGS, 31 }, { "nr", F_COUNT, 0 }, { "min", F_COUNT, 0 },
		{ "max", F_COUNT, 0 }, { "timeout", F_TIME, 0 }, { "sigmask", F_MASK, 0 },
		{ "batch", F_TIME, 0 }, { "results", F_AT, 0 }, { "reqs", F_AT, 0 },
		{ "events", F_AT, 0 }, SIZE(struct ioevq_enter), AT } },
	[C_INFO] = { "info", 2, { QUEUE_FD, { "op", F_OP, 0 }, SIZE(struct ioevq_info), AT } },
	[C_CONTROL] = { "control", 5, {
		QUEUE_FD, { "cmd", F_CMD, 0 }, { "arg", F_ADDR, 0 }, { "nr", F_COUNT, 0 },
		{ "reserved", F_U32, 0 }, SIZE(struct ioevq_control), AT } },
	[C_IOCTL] = { "ioctl", 1, {
		QUEUE_FD, { "type", F_U32, 0 }, { "nr", F_SMALL, 0 }, { "arg", F_ADDR, 0 } } },
	[C_TAKE] = { "take", 4, { { "to", F_SMALL, 0 }, { "nr", F_COUNT, 0 } } },
	[C_RING] = { "ring", 3, {
		{ "to", F_SMALL, 0 }, { "field", F_SMALL, 0 }, { "how", F_SMALL, 0 },
		{ "value", F_U64, 0 } } },
	[C_POKE] = { "poke", 2, {
		{ "addr", F_ADDR, 0 }, { "value", F_U64, 0 }, { "width", F_SMALL, 0 } } },
	[C_READ] = { "read", 4, { { "fd", F_FD, 0 }, { "len", F_LEN, 0 } } },
	[C_WRITE] = { "write", 8, { { "fd", F_FD, 0 }, { "len", F_LEN, 0 } } },
	[C_SHUTDOWN] = { "shutdown", 1, { { "fd", F_FD, 0 }, { "how", F_SMALL, 0 } } },
	[C_CLOSE] = { "close", 4, { { "fd", F_FD, 0 } } },
	[C_DUP] = { "dup", 2, { { "fd", F_FD, 0 }, { "to", F_FD, 0 }, { "over", F_SMALL, 0 } } },
	[C_POLL] = { "poll", 1, { { "fd", F_FD, 0 }, { "events", F_U32, 0 } } },
	[C_EPOLL] = { "epoll", 2, {
		{ "fd", F_FD, 0 }, { "cmd", F_SMALL, 0 }, { "of", F_FD, 0 },
		{ "events", F_U32, 0 } } },
	[C_SPAWN] = { "spawn", 3, { { "child", F_SMALL, 0 }, { "how", F_SMALL, 0 } } },
	[C_KILL] = { "kill", 3, { { "child", F_SMALL, 0 }, { "signal", F_SIGNAL, 0 } } },
	[C_WAIT] = { "wait", 2, { { "child", F_SMALL, 0 }, { "flags", F_FLAGS, 7 } } },
	[C_SIGCHLD] = { "sigchld", 1, { { "how", F_SMALL, 0 } } },
	[C_FORK] = { "fork", 1, {
		{ "child", F_SMALL, 0 }, { "nr", F_COUNT, 0 }, { "end", F_SMALL, 0 } } },
	[C_PASS] = { "pass", 1, { { "fd", F_FD, 0 }, { "by", F_FD, 0 }, { "close", F_SMALL, 0 } } },
	[C_FETCH] = { "fetch", 1, { { "fd", F_FD, 0 }, { "by", F_FD, 0 } } },
	[C_LIMIT] = { "limit", 1, { { "what", F_SMALL, 0 }, { "value", F_LEN, 0 } } },
	[C_REMAP] = { "remap", 2, {
		{ "addr", F_LEN, 0 }, { "len", F_LEN, 0 }, { "how", F_SMALL, 0 } } },
	[C_FAIL] = { "fail", 4, { { "nth", F_COUNT, 0 } } },
	[C_YIELD] = { "yield", 3, { { "us", F_LEN, 0 } } },
	[C_SIGNAL] = { "signal", 1, { { "lane", F_SMALL, 0 } } },
	[C_SEEK] = { "seek", 1, { { "fd", F_FD, 0 }, { "off", F_OFF, 0 } } },
	[C_TRUNCATE] = { "truncate", 1, { { "fd", F_FD, 0 }, { "len", F_LEN, 0 } } },
	[C_FCNTL] = { "fcntl", 1, { { "fd", F_FD, 0 }, { "flags", F_SMALL, 0 } } },
};

static const char *const op_names[] = {
	"nop", "post", "poll", "read", "write", "fsync", "child", "cancel", "poll_mod", "close",
	"timer", "timer_mod", NULL
};

static const char *const cmd_names[] = {
	"?", "restrict", "concurrency", "alert", "clear_alert", "register", "unregister", NULL
};

static const char *const *names_of(enum field_type type)
{
	switch (type) {
	case F_WHAT:
		return what_names;
	case F_OP:
		return op_names;
	case F_CMD:
		return cmd_names;
	default:
		return NULL;
	}
}

static unsigned int count(const char *const *names)
{
	unsigned int n = 0;

	while (names[n])
		n++;
	return n;
}

unsigned int nr_fields(unsigned int kind)
{
	unsigned int n = 0;

	while (n < MAX_FIELDS && call_types[kind].fields[n].name)
		n++;
	return n;
}

unsigned int program_lanes(const struct program *p)
{
	unsigned int i, lanes = 1;

	for (i = 0; i < p->nr; i++)
		lanes |= 1 << p->calls[i].lane;
	return lanes;
}

static void write_value(uint64_t v, enum field_type type, FILE *to)
{
	const char *const *names = names_of(type);
	unsigned long long index = SYM_INDEX(v);

	if (names && v < count(names))
		fputs(names[v], to);
	else if (SYM_OF(v) == SYM_SLOT)
		fprintf(to, "s%llu", index);
	else if (SYM_OF(v) == SYM_MEM)
		fprintf(to, "m+%#llx", index);
	else if (SYM_OF(v) == SYM_UNSURE)
		fprintf(to, "u+%#llx", index);
	else if (SYM_OF(v) == SYM_RING)
		fprintf(to, "r+%#llx", index);
	else
		fprintf(to, v < 10 ? "%llu" : "%#llx", (unsigned long long)v);
}

void program_write(const struct program *p, FILE *to)
{
	const struct call *c;
	unsigned int i, f;

	for (i = 0; i < p->nr; i++) {
		c = &p->calls[i];
		fprintf(to, "%u %s", c->lane, call_types[c->kind].name);
		for (f = 0; f < nr_fields(c->kind); f++) {
			if (!c->v[f])
				continue;
			fprintf(to, " %s=", call_types[c->kind].fields[f].name);
			write_value(c->v[f], call_types[c->kind].fields[f].type, to);
		}
		putc('\n', to);
	}
	putc('\n', to);
}

static bool read_value(const char *s, enum field_type type, uint64_t *v)
{
	const char *const *names = names_of(type);
	uint64_t sym = 0;
	char *end;
	unsigned int i;

	for (i = 0; names && names[i]; i++)
		if (!strcmp(names[i], s)) {
			*v = i;
			return true;
		}
	if (*s == 's')
		sym = SYM_SLOT;
	else if (s[0] && s[1] == '+')
		sym = *s == 'm' ? SYM_MEM : *s == 'u' ? SYM_UNSURE : *s == 'r' ? SYM_RING : 0;
	if (sym)
		s += sym == SYM_SLOT ? 1 : 2;
	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	*v = strtoull(s, &end, 0);
	if (*end || errno || (sym && SYM_OF(*v)))
		return false;
	*v |= sym;
	return true;
}

/* NULL, or what is wrong with it. */
static const char *read_call(struct call *c, char *line)
{
	char *save, *word = strtok_r(line, " \t", &save), *eq, *end;
	const struct field *f;
	unsigned long lane;

	memset(c, 0, sizeof(*c));
	lane = strtoul(word, &end, 10);
	if (*end || lane >= NR_LANES)
		return "no such lane";
	c->lane = lane;
	word = strtok_r(NULL, " \t", &save);
	while (c->kind < NR_CALLS && (!word || strcmp(call_types[c->kind].name, word)))
		c->kind++;
	if (c->kind == NR_CALLS)
		return "no such call";
	while ((word = strtok_r(NULL, " \t", &save))) {
		eq = strchr(word, '=');
		if (!eq)
			return "no '='";
		*eq = 0;
		for (f = call_types[c->kind].fields; f->name && strcmp(f->name, word); f++)
			;
		if (!f->name)
			return "no such field";
		if (!read_value(eq + 1, f->type, &c->v[f - call_types[c->kind].fields]))
			return "no such value";
	}
	return NULL;
}

int program_read(struct program *p, FILE *from, const char *name)
{
	const char *problem = NULL;
	char *line = NULL, *comment;
	size_t size = 0;
	ssize_t len;

	p->nr = 0;
	while ((len = getline(&line, &size, from)) >= 0) {
		while (len && strchr(" \t\r\n", line[len - 1]))
			line[--len] = 0;
		comment = strchr(line, '#');
		if (comment)
			*comment = 0;
		if (!line[strspn(line, " \t")]) {
			if (p->nr && !comment)
				break;
			continue;
		}
		if (p->nr == MAX_CALLS)
			problem = "too many calls";
		else
			problem = read_call(&p->calls[p->nr], line);
		if (problem) {
			fprintf(stderr, "fuzz: %s: call %u: %s\n", name, p->nr, problem);
			free(line);
			return -1;
		}
		p->nr++;
	}
	free(line);
	return p->nr ? 1 : 0;
}

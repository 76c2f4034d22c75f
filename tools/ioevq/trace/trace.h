/* SPDX-License-Identifier: MIT */
/*
 * ioevq trace: what its files share.
 *
 * main -> instance, show -> record -> format
 */
#ifndef IOEVQ_TRACE_TOOL_H
#define IOEVQ_TRACE_TOOL_H

#include <ioevq.h>
#include <stddef.h>
#include <sys/types.h>

#include "../queues.h"

enum what {
	SUBMIT, REFUSE, DONE, CANCEL, POST, TAKE, WAIT_BEGIN, WAIT_END, WAKE, WHATS
};

/* Fields of any of the tracepoints; see Documentation/tracing.rst */
enum field {
	QUEUE, OP, USER_DATA, FD, FLAGS, OP_FLAGS, OP_ARG, ADDR, OFF, LEN, ERROR, BY, SEQ, RES,
	BACKLOG, DATA, NEED, WOKEN, PID, RECHECK, SLOT, FIELDS
};

struct record {
	uint64_t ns;			/* CLOCK_MONOTONIC */
	enum what what;
	pid_t pid;			/* whose context it was */
	long long value[FIELDS];
};

/* format.c: how a tracepoint lies in memory, as the kernel says. */
struct format {
	unsigned int id;
	struct {
		unsigned int offset, size;
		bool is_signed;
	} fields[FIELDS];
};

extern const char *const what_names[WHATS];	/* of tracepoints, without ioevq_ */
extern struct format formats[WHATS];
/* Those of all, from the text of their files. 0, or -1: it is none that we know */
int format_parse(enum what what, char *text);
/* A record, without its time: false if it is another's. */
bool format_decode(const unsigned char *data, size_t size, struct record *r);
/* Has the tracepoint such a field? */
bool format_has(enum what what, enum field field);

/* record.c: a page of the kernel's ring buffer. Calls back for each, in order. */
typedef void (*record_fn)(const struct record *r, void *arg);
/* Returns how many were lost before it: 0 as a rule, -1 an unknown number. */
long page_decode(const unsigned char *page, size_t size, record_fn fn, void *arg);

/* instance.c: tracefs. All say what is wrong themselves, and return -1. */
struct filter {
	long long queue;		/* 0: all */
	int op;				/* -1: all */
};

int instance_begin(const struct filter *filter);
void instance_end(void);
/* Wait for up to @ms, and read what there is: in the order of time. */
int instance_read(int ms, record_fn fn, void *arg);
/* The same when nothing more is traced: all that is left. */
int instance_drain(record_fn fn, void *arg);
unsigned long long instance_lost(void);

/* show.c */
void show_record(const struct record *r, FILE *to);

#endif

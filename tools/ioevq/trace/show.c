// SPDX-License-Identifier: MIT
/* A record as a line. Numbers have their names where the interface has some. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>

#include "trace.h"

struct word {
	unsigned int bit;
	const char *name;
};

static const struct word event_flags[] = {
	{ IOEVQ_EVENT_MORE, "MORE" },
	{ IOEVQ_EVENT_CLOSED, "CLOSED" },
	{ IOEVQ_EVENT_AUTOREAP, "AUTOREAP" },
	{ IOEVQ_EVENT_RESCAN, "RESCAN" },
	{ IOEVQ_EVENT_ALERT, "ALERT" },
	{ IOEVQ_EVENT_FOREIGN, "FOREIGN" },
	{ IOEVQ_EVENT_USAGE, "USAGE" },
	{},
};

static const struct word poll_mask[] = {
	{ POLLIN, "IN" }, { POLLPRI, "PRI" }, { POLLOUT, "OUT" }, { POLLERR, "ERR" },
	{ POLLHUP, "HUP" }, { POLLRDNORM, "RDNORM" }, { POLLRDBAND, "RDBAND" },
	{ POLLWRNORM, "WRNORM" }, { POLLWRBAND, "WRBAND" }, { POLLRDHUP, "RDHUP" },
	{},
};

static const struct word poll_flags[] = {
	{ IOEVQ_POLL_EDGE, "EDGE" },
	{ IOEVQ_POLL_ONESHOT, "ONESHOT" },
	{ IOEVQ_POLL_DISPATCH, "DISPATCH" },
	{ IOEVQ_POLL_CONFIRM, "CONFIRM" },
	{ IOEVQ_POLL_EXCLUSIVE, "EXCLUSIVE" },
	{ IOEVQ_POLL_LIFO, "LIFO" },
	{ IOEVQ_POLL_UNIQUE, "UNIQUE" },
	{ IOEVQ_POLL_QUIET, "QUIET" },
	{ IOEVQ_POLL_MOD_MATCH, "MATCH" },
	{ IOEVQ_POLL_MOD_USER_DATA, "USER_DATA" },
	{},
};

static const struct word req_flags[] = {
	{ IOEVQ_REQ_SKIP_SUCCESS, "SKIP_SUCCESS" },
	{ IOEVQ_REQ_AFTER, "AFTER" },
	{},
};

static const struct word rw_flags[] = {
	{ IOEVQ_RW_VECTOR, "VECTOR" },
	{ IOEVQ_RW_FIXED, "FIXED" },
	{},
};

static const struct word child_flags[] = {
	{ IOEVQ_CHILD_STOPPED, "STOPPED" },
	{ IOEVQ_CHILD_CONTINUED, "CONTINUED" },
	{ IOEVQ_CHILD_USAGE, "USAGE" },
	{ IOEVQ_CHILD_PIDFD, "PIDFD" },
	{},
};

static const struct word timer_flags[] = {
	{ IOEVQ_TIMER_ABSTIME, "ABSTIME" },
	{ IOEVQ_TIMER_BOOTTIME, "BOOTTIME" },
	{ IOEVQ_TIMER_REALTIME, "REALTIME" },
	{},
};

/* Names of the bits that are set, and what is left as a number; @none: there is none */
static void show_bits(FILE *to, const struct word *words, unsigned int bits, const char *none)
{
	const char *between = "";

	if (!bits)
		fputs(none, to);
	for (; words->name; words++) {
		if (!(bits & words->bit))
			continue;
		fprintf(to, "%s%s", between, words->name);
		bits &= ~words->bit;
		between = "|";
	}
	if (bits)
		fprintf(to, "%s%#x", between, bits);
}

static void show_flags(FILE *to, const struct word *words, unsigned int bits)
{
	if (!bits)
		return;
	fputs(" flags=", to);
	show_bits(to, words, bits, "");
}

static void show_error(FILE *to, long long error)
{
	const char *name = strerrorname_np(-error);

	if (name)
		fprintf(to, "%s (%s)", name, strerror(-error));
	else
		fprintf(to, "error %lld", error);
}

static void show_rw(FILE *to, const long long *v)
{
	fprintf(to, " fd=%lld %s=%lld", v[FD], v[OP_FLAGS] & IOEVQ_RW_VECTOR ? "parts" : "len",
		v[LEN]);
	if ((uint64_t)v[OFF] == IOEVQ_POSITION)
		fputs(" off=POSITION", to);
	else
		fprintf(to, " off=%lld", v[OFF]);
	show_flags(to, rw_flags, v[OP_FLAGS]);
}

static void show_cancel(FILE *to, const long long *v)
{
	if (v[OP_FLAGS] & IOEVQ_CANCEL_USER_DATA)
		fprintf(to, " of user=%#llx", v[ADDR]);
	if (v[OP_FLAGS] & IOEVQ_CANCEL_FD)
		fprintf(to, " of fd=%lld", v[FD]);
	if (v[OP_FLAGS] & IOEVQ_CANCEL_OP)
		fprintf(to, " of %s", op_name(v[LEN]) ?: "?");
	if (!v[OP_FLAGS])
		fputs(" of all", to);
}

static void show_timer(FILE *to, const long long *v)
{
	fprintf(to, " at=%lld.%09lld", v[OFF] / 1000000000, v[OFF] % 1000000000);
	if (v[LEN])
		fprintf(to, " every=%lld.%09lld", v[LEN] / 1000000000, v[LEN] % 1000000000);
	show_flags(to, timer_flags, v[OP_FLAGS]);
}

/* What it is about. */
static void show_arguments(FILE *to, const long long *v)
{
	switch (v[OP]) {
	case IOEVQ_OP_POLL:
	case IOEVQ_OP_POLL_MOD:
		fprintf(to, " fd=%lld mask=", v[FD]);
		show_bits(to, poll_mask, v[OP_ARG], "0");
		show_flags(to, poll_flags, v[OP_FLAGS]);
		break;
	case IOEVQ_OP_READ:
	case IOEVQ_OP_WRITE:
		show_rw(to, v);
		break;
	case IOEVQ_OP_CHILD:
		if (v[OP_FLAGS] & IOEVQ_CHILD_PIDFD)
			fprintf(to, " pidfd=%lld", v[FD]);
		else if (v[LEN])
			fprintf(to, " pid=%lld", v[LEN]);
		else
			fputs(" any", to);
		show_flags(to, child_flags, v[OP_FLAGS]);
		break;
	case IOEVQ_OP_CANCEL:
		show_cancel(to, v);
		break;
	case IOEVQ_OP_TIMER:
	case IOEVQ_OP_TIMER_MOD:
		show_timer(to, v);
		break;
	case IOEVQ_OP_POST:
		if (v[FD] >= 0)
			fprintf(to, " to fd=%lld", v[FD]);
		fprintf(to, " res=%lld data=%#llx", v[OFF], v[ADDR]);
		break;
	default:
		if (v[FD] >= 0)
			fprintf(to, " fd=%lld", v[FD]);
	}
	show_flags(to, req_flags, v[FLAGS]);
}

static void show_status(FILE *to, unsigned int status)
{
	if (WIFEXITED(status))
		fprintf(to, " exited %d", WEXITSTATUS(status));
	else if (WIFSTOPPED(status))
		fprintf(to, " stopped by SIG%s", sigabbrev_np(WSTOPSIG(status)) ?: "?");
	else if (WIFCONTINUED(status))
		fputs(" continued", to);
	else
		fprintf(to, " killed by SIG%s", sigabbrev_np(WTERMSIG(status)) ?: "?");
}

/* Of an event: @data is known when it is posted. */
static void show_result(FILE *to, const long long *v, bool has_data)
{
	fputc(' ', to);
	if (v[OP] != IOEVQ_OP_POST && v[RES] < 0) {
		show_error(to, v[RES]);
		return;
	}
	switch (v[OP]) {
	case IOEVQ_OP_POLL:
		show_bits(to, poll_mask, v[RES], "-");
		break;
	case IOEVQ_OP_CHILD:
		fprintf(to, "pid=%lld", v[RES]);
		if (has_data && v[RES] && !(v[FLAGS] & (IOEVQ_EVENT_USAGE | IOEVQ_EVENT_FOREIGN)))
			show_status(to, IOEVQ_CHILD_STATUS(v[DATA]));
		break;
	default:
		fprintf(to, "%lld", v[RES]);
		if (has_data && v[DATA])
			fprintf(to, " data=%#llx", v[DATA]);
	}
}

/* When events were posted, of those that were not taken: by queue and number. */
static struct posted {
	long long queue, seq;
	uint64_t ns;
} posted[1 << 16];

static struct posted *slot_of(const struct record *r)
{
	uint64_t hash = (r->value[QUEUE] * 0x9e3779b97f4a7c15ULL) >> 48;

	/* Events of one queue do not meet one another before there are so many. */
	return &posted[(hash + r->value[SEQ]) % ARRAY_SIZE(posted)];
}

static void show_latency(FILE *to, const struct record *r)
{
	struct posted *p = slot_of(r);

	if (p->ns && p->queue == r->value[QUEUE] && p->seq == r->value[SEQ])
		fprintf(to, ", after %.1f us", (r->ns - p->ns) / 1e3);
}

static void show_event(FILE *to, const struct record *r)
{
	const long long *v = r->value;

	if (r->what == POST)
		*slot_of(r) = (struct posted){ v[QUEUE], v[SEQ], r->ns };
	show_result(to, v, r->what == POST);
	fprintf(to, " user=%#llx #%lld", v[USER_DATA], v[SEQ]);
	if (r->what == TAKE)
		show_latency(to, r);
	if (v[FLAGS]) {
		fputc(' ', to);
		show_bits(to, event_flags, v[FLAGS], "");
	}
	if (v[BACKLOG])
		fprintf(to, ", %lld in the backlog", v[BACKLOG]);
}

static void show_rest(FILE *to, const struct record *r)
{
	const long long *v = r->value;

	switch (r->what) {
	case SUBMIT:
		show_arguments(to, v);
		fprintf(to, " user=%#llx", v[USER_DATA]);
		break;
	case REFUSE:
		if (v[FD] >= 0)
			fprintf(to, " fd=%lld", v[FD]);
		fprintf(to, " user=%#llx: ", v[USER_DATA]);
		show_error(to, v[ERROR]);
		break;
	case DONE:
		fprintf(to, " user=%#llx, without an event", v[USER_DATA]);
		break;
	case CANCEL:
		fprintf(to, " user=%#llx, by user=%#llx", v[USER_DATA], v[BY]);
		break;
	case POST:
	case TAKE:
		show_event(to, r);
		break;
	case WAIT_BEGIN:
		fprintf(to, " for %lld", v[NEED]);
		break;
	case WAIT_END:
		fputs(v[WOKEN] ? " woken" : " by time or signal", to);
		break;
	case WAKE:
		fprintf(to, " %lld", v[PID]);
		if (v[NEED])
			fprintf(to, " for %lld", v[NEED]);
		else
			fputs(v[RECHECK] ? " to look at files" : " to look", to);
		if (v[SLOT])
			fputs(", with a slot", to);
		break;
	default:
		break;
	}
}

void show_record(const struct record *r, FILE *to)
{
	static const char *const names[WHATS] = {
		[WAIT_BEGIN] = "wait",
		[WAIT_END] = "awake",
	};
	static uint64_t begin;
	const char *op = op_name(r->value[OP]);
	uint64_t us;

	if (!begin)
		begin = r->ns;
	us = (r->ns - begin) / 1000;
	fprintf(to, "%4llu.%06llu %7d q%lld %-6s", (unsigned long long)us / 1000000,
		(unsigned long long)us % 1000000, r->pid, r->value[QUEUE],
		names[r->what] ?: what_names[r->what]);
	if (format_has(r->what, OP))
		fprintf(to, " %s", op ?: "?");
	show_rest(to, r);
	fputc('\n', to);
}

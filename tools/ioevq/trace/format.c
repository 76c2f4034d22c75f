// SPDX-License-Identifier: MIT
/* Where the fields of a tracepoint are: from its format, so that new ones do not matter. */
#include <stdlib.h>
#include <string.h>

#include "trace.h"

const char *const what_names[WHATS] = {
	[SUBMIT] = "submit",
	[REFUSE] = "refuse",
	[DONE] = "done",
	[CANCEL] = "cancel",
	[POST] = "post",
	[TAKE] = "take",
	[WAIT_BEGIN] = "wait_begin",
	[WAIT_END] = "wait_end",
	[WAKE] = "wake",
};

static const char *const field_names[FIELDS] = {
	[QUEUE] = "queue",
	[OP] = "op",
	[USER_DATA] = "user_data",
	[FD] = "fd",
	[FLAGS] = "flags",
	[OP_FLAGS] = "op_flags",
	[OP_ARG] = "op_arg",
	[ADDR] = "addr",
	[OFF] = "off",
	[LEN] = "len",
	[ERROR] = "error",
	[BY] = "by",
	[SEQ] = "seq",
	[RES] = "res",
	[BACKLOG] = "backlog",
	[DATA] = "data",
	[NEED] = "need",
	[WOKEN] = "woken",
	[PID] = "pid",
	[RECHECK] = "recheck",
	[SLOT] = "slot",
};

struct format formats[WHATS];

bool format_has(enum what what, enum field field)
{
	return formats[what].fields[field].size;
}

/* "\tfield:u32 queue;\toffset:8;\tsize:4;\tsigned:0;" */
static void parse_field(struct format *f, const char *line)
{
	unsigned int offset, size, is_signed, i;
	char name[32];

	if (sscanf(line, " field:%*s %31[a-z_]; offset:%u; size:%u; signed:%u;", name, &offset,
		   &size, &is_signed) != 4)
		return;
	if (size != 4 && size != 8)
		return;
	for (i = 0; i < FIELDS; i++) {
		if (strcmp(name, field_names[i]))
			continue;
		f->fields[i].offset = offset;
		f->fields[i].size = size;
		f->fields[i].is_signed = is_signed;
	}
}

int format_parse(enum what what, char *text)
{
	struct format *f = &formats[what];
	char *line, *save;

	*f = (struct format){};
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!strncmp(line, "ID: ", 4))
			f->id = atoi(line + 4);
		else
			parse_field(f, line);
	}
	return f->id && format_has(what, QUEUE) ? 0 : -1;
}

static long long get(const unsigned char *p, unsigned int size, bool is_signed)
{
	uint32_t small;
	long long large;

	if (size == 8) {
		memcpy(&large, p, sizeof(large));
		return large;
	}
	memcpy(&small, p, sizeof(small));
	return is_signed ? (int32_t)small : (long long)small;
}

bool format_decode(const unsigned char *data, size_t size, struct record *r)
{
	const struct format *f;
	unsigned int i;
	uint16_t id;
	int32_t pid;

	/* The head of all tracepoints: type, flags, preempt count, pid. */
	if (size < 8)
		return false;
	memcpy(&id, data, sizeof(id));
	memcpy(&pid, data + 4, sizeof(pid));
	for (f = formats; f < formats + WHATS && f->id != id; f++)
		;
	if (f == formats + WHATS)
		return false;
	memset(r->value, 0, sizeof(r->value));
	r->what = f - formats;
	r->pid = pid;
	for (i = 0; i < FIELDS; i++) {
		if (!f->fields[i].size)
			continue;
		if (f->fields[i].size > size || f->fields[i].offset > size - f->fields[i].size)
			return false;
		r->value[i] = get(data + f->fields[i].offset, f->fields[i].size,
				  f->fields[i].is_signed);
	}
	return true;
}

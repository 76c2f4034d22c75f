// SPDX-License-Identifier: MIT
/* Numbers of the interface, as words; and words that may be shown. */
#include <ioevq.h>
#include <strings.h>

#include "ioevq.h"

static const char *const ops[IOEVQ_OP__COUNT] = {
	[IOEVQ_OP_NOP] = "NOP",
	[IOEVQ_OP_POST] = "POST",
	[IOEVQ_OP_POLL] = "POLL",
	[IOEVQ_OP_READ] = "READ",
	[IOEVQ_OP_WRITE] = "WRITE",
	[IOEVQ_OP_FSYNC] = "FSYNC",
	[IOEVQ_OP_CHILD] = "CHILD",
	[IOEVQ_OP_CANCEL] = "CANCEL",
	[IOEVQ_OP_POLL_MOD] = "POLL_MOD",
	[IOEVQ_OP_CLOSE] = "CLOSE",
	[IOEVQ_OP_TIMER] = "TIMER",
	[IOEVQ_OP_TIMER_MOD] = "TIMER_MOD",
};

const char *op_name(unsigned int op)
{
	return op < IOEVQ_OP__COUNT ? ops[op] : NULL;
}

int op_by_name(const char *name)
{
	int i;

	for (i = 0; i < IOEVQ_OP__COUNT; i++)
		if (!strcasecmp(name, ops[i]))
			return i;
	return -1;
}

void make_plain(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

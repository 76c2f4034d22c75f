// SPDX-License-Identifier: GPL-2.0-only
/* The table of operations: the only place that names them all. */
#include <linux/nospec.h>

#include "req.h"

static const struct ioevq_source *const sources[IOEVQ_OP__COUNT] = {
	[IOEVQ_OP_NOP] = &ioevq_src_nop,
	[IOEVQ_OP_POST] = &ioevq_src_post,
	[IOEVQ_OP_POLL] = &ioevq_src_poll,
	[IOEVQ_OP_READ] = &ioevq_src_read,
	[IOEVQ_OP_WRITE] = &ioevq_src_write,
	[IOEVQ_OP_FSYNC] = &ioevq_src_fsync,
	[IOEVQ_OP_CHILD] = &ioevq_src_child,
	[IOEVQ_OP_CANCEL] = &ioevq_src_cancel,
};

const struct ioevq_source *ioevq_source(u32 op)
{
	if (op >= IOEVQ_OP__COUNT)
		return NULL;
	return sources[array_index_nospec(op, IOEVQ_OP__COUNT)];
}

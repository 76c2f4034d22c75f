/* SPDX-License-Identifier: GPL-2.0-only */
/* Workers rest while the system sleeps: they begin nothing. May sleep. */
#ifndef IOEVQ_REST_H
#define IOEVQ_REST_H

#include <linux/compiler.h>
#include <linux/types.h>

extern bool ioevq_resting;

int ioevq_rest_init(void);
void ioevq_rest_exit(void);
void ioevq_work_begin(void);
void ioevq_work_end(void);

/* Between two pieces of work. */
static inline void ioevq_work_pause(void)
{
	if (likely(!READ_ONCE(ioevq_resting)))
		return;
	ioevq_work_end();
	ioevq_work_begin();
}

#endif

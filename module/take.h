/* SPDX-License-Identifier: GPL-2.0-only */
/* Taking events. */
#ifndef IOEVQ_TAKE_H
#define IOEVQ_TAKE_H

#include "queue.h"

int ioevq_take_at_once(struct ioevq_queue *q, const struct ioevq_enter *enter);
int ioevq_take_events(struct ioevq_queue *q, struct ioevq_event __user *to, u32 max);

#endif

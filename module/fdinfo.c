// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/PID/fdinfo/FD: the numbers of IOEVQ_IOC_INFO and more, for whoever looks from outside.
 * It takes queue->lock and nothing else: the mutex may be held for as long as the memory of the
 * one who has it is not there.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/seq_file.h>

#include "req.h"

/* Requests that were accepted and have not had their final event, by operation, if any. */
static void show_armed(struct seq_file *m, struct ioevq_queue *q)
{
	u32 armed[IOEVQ_OP__COUNT];
	unsigned int op;

	spin_lock_irq(&q->lock);
	for (op = 0; op < IOEVQ_OP__COUNT; op++)
		armed[op] = READ_ONCE(q->accepted[op]) - q->ended[op];
	spin_unlock_irq(&q->lock);
	/* One may end before its submission counts, and a message is never in the first. */
	for (op = 0; op < IOEVQ_OP__COUNT; op++)
		if ((s32)armed[op] > 0)
			seq_printf(m, "armed_%s:\t%u\n", ioevq_source_name(op), armed[op]);
}

static u64 backlog_max(struct ioevq_queue *q)
{
	u64 ret;

	spin_lock_irq(&q->lock);
	ret = q->ring.backlog_max;
	spin_unlock_irq(&q->lock);
	return ret;
}

void ioevq_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct ioevq_queue *q = file->private_data;
	struct ioevq_info info;

	ioevq_queue_state(q, &info);
	/* How many queues others have opened is nobody's business but of those who may trace. */
	if (file_ns_capable(m->file, &init_user_ns, CAP_PERFMON))
		seq_printf(m, "queue:\t%u\n", q->ring.number);
	seq_printf(m, "entries:\t%u\nrequests:\t%u\navailable:\t%llu\nbacklog:\t%llu\n",
		   info.entries, info.requests, info.available, info.backlog);
	seq_printf(m, "backlog_max:\t%llu\n", backlog_max(q));
	seq_printf(m, "events:\t%llu\nwakeups:\t%llu\nwaiting:\t%u\nrunnable:\t%u\n",
		   info.events, info.wakeups, info.waiting, info.runnable);
	seq_printf(m, "buffers:\t%u\nspares:\t%u\n", info.buffers, READ_ONCE(q->nr_spares));
	if (info.concurrency == IOEVQ_UNLIMITED)
		seq_puts(m, "concurrency:\tunlimited\n");
	else
		seq_printf(m, "concurrency:\t%u\n", info.concurrency);
	show_armed(m, q);
}

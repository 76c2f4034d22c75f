// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rest. Before the system is suspended or hibernated workers end what they have begun, and
 * begin nothing: what they wrote after the image of the memory was made it would not know of.
 *
 * A workqueue that can be frozen is not the way. It is frozen together with the threads of file
 * systems, which a worker in the middle of an fsync needs, and after user space, which may have
 * to serve the file system. Here all of it still runs while we wait.
 */
#include <linux/atomic.h>
#include <linux/suspend.h>
#include <linux/wait.h>

#include "rest.h"

/* A worker may hang, and is then no reason not to sleep: as long as the kernel waits for tasks. */
#define PATIENCE	(20 * HZ)

bool ioevq_resting;
static atomic_t working;
static DECLARE_WAIT_QUEUE_HEAD(rest_over);
static DECLARE_WAIT_QUEUE_HEAD(all_rest);

void ioevq_work_begin(void)
{
	for (;;) {
		atomic_inc(&working);
		/* Pairs with the one in rest(): we are counted, or we see that we must wait. */
		smp_mb__after_atomic();
		if (likely(!READ_ONCE(ioevq_resting)))
			return;
		ioevq_work_end();
		wait_event_idle(rest_over, !READ_ONCE(ioevq_resting));
	}
}

void ioevq_work_end(void)
{
	/* Full ordering: who waits in rest() has queued himself, or sees the count. */
	if (atomic_dec_and_test(&working) && unlikely(READ_ONCE(ioevq_resting)))
		wake_up(&all_rest);
}

static void rest(void)
{
	WRITE_ONCE(ioevq_resting, true);
	/* Pairs with those after the count has changed. */
	smp_mb();
	if (!wait_event_timeout(all_rest, !atomic_read(&working), PATIENCE))
		pr_warn("%d workers have not ended in %u s\n", atomic_read(&working),
			PATIENCE / HZ);
}

static int power_changes(struct notifier_block *nb, unsigned long what, void *unused)
{
	switch (what) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		rest();
		break;
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		WRITE_ONCE(ioevq_resting, false);
		wake_up_all(&rest_over);
		break;
	}
	return NOTIFY_OK;
}

static struct notifier_block power = { .notifier_call = power_changes };

int ioevq_rest_init(void)
{
	return register_pm_notifier(&power);
}

/* No worker is left. */
void ioevq_rest_exit(void)
{
	unregister_pm_notifier(&power);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Leaks memory, or has a data race, as its parameter says. */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/slab.h>

static char *fault = "";
module_param(fault, charp, 0444);
MODULE_PARM_DESC(fault, "leak or race");

static unsigned long shared;

/* Does anybody else do so, too? */
static void count(void)
{
	unsigned long end = jiffies + 3 * HZ;

	while (time_before(jiffies, end)) {
		shared++;
		cond_resched();
	}
}

static int race(void *arg)
{
	count();
	while (!kthread_should_stop())
		msleep(20);
	return 0;
}

/* Not a part of the beginning, whose names are gone with it. */
static noinline int leak(void)
{
	return kmalloc(100, GFP_KERNEL) ? 0 : -ENOMEM;
}

static int __init faults_init(void)
{
	struct task_struct *other;

	if (!strcmp(fault, "leak"))
		return leak();
	if (strcmp(fault, "race"))
		return -EINVAL;
	other = kthread_run(race, NULL, "race");
	if (IS_ERR(other))
		return PTR_ERR(other);
	count();
	kthread_stop(other);
	return 0;
}

static void __exit faults_exit(void)
{
}

module_init(faults_init);
module_exit(faults_exit);
MODULE_DESCRIPTION("what the checks of a run have to find");
MODULE_LICENSE("GPL");

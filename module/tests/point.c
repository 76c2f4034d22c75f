// SPDX-License-Identifier: GPL-2.0-only
/*
 * Delays at the points of point.h, by a parameter of the module:
 *
 *   echo cancel:200,complete:50 >/sys/module/ioevq/parameters/points
 *   echo all:20 >...    echo >...                none
 *
 * Every second one who comes by is held, for any time up to so many microseconds. When who
 * is how long follows from points_seed and how many have come by before.
 */
#include <linux/delay.h>
#include <linux/jhash.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "../point.h"

/* Interrupts may be off, and locks of the scheduler held. */
#define MAX_ATOMIC_US	200
#define MAX_US		100000

static struct point {
	const char *name;
	unsigned int us;		/* at most; 0: nobody is held */
	atomic_t passed;		/* since the parameter was written */
} points[IOEVQ_POINT__COUNT] = {
	[IOEVQ_POINT_COMPLETE] = { "complete" },
	[IOEVQ_POINT_CLAIM] = { "claim" },
	[IOEVQ_POINT_STORE] = { "store" },
	[IOEVQ_POINT_WAKE] = { "wake" },
	[IOEVQ_POINT_SLEEP] = { "sleep" },
	[IOEVQ_POINT_EVENT] = { "event" },
	[IOEVQ_POINT_DETACH] = { "detach" },
	[IOEVQ_POINT_PUT] = { "put" },
	[IOEVQ_POINT_CHILD] = { "child" },
	[IOEVQ_POINT_EXPIRE] = { "expire" },
	[IOEVQ_POINT_SLOT] = { "slot" },
	[IOEVQ_POINT_HOLD_BACK] = { "hold_back" },
	[IOEVQ_POINT_IO_DONE] = { "io_done" },
	[IOEVQ_POINT_AWAKE] = { "awake" },
	[IOEVQ_POINT_TAKE] = { "take" },
	[IOEVQ_POINT_SWEEP] = { "sweep" },
	[IOEVQ_POINT_CANCEL] = { "cancel" },
	[IOEVQ_POINT_FENCE] = { "fence" },
	[IOEVQ_POINT_CLOSE] = { "close" },
	[IOEVQ_POINT_CLOSING] = { "closing" },
	[IOEVQ_POINT_UNWATCH] = { "unwatch" },
	[IOEVQ_POINT_ARM] = { "arm" },
	[IOEVQ_POINT_LOOK] = { "look" },
	[IOEVQ_POINT_UNLOCK] = { "unlock" },
	[IOEVQ_POINT_RELEASE] = { "release" },
	[IOEVQ_POINT_MMAP] = { "mmap" },
	[IOEVQ_POINT_CHILD_CHECK] = { "child_check" },
	[IOEVQ_POINT_PIN] = { "pin" },
	[IOEVQ_POINT_BUF_PUT] = { "buf_put" },
	[IOEVQ_POINT_WORK] = { "work" },
	[IOEVQ_POINT_WORKED] = { "worked" },
	[IOEVQ_POINT_ISSUED] = { "issued" },
	[IOEVQ_POINT_TRANSFER] = { "transfer" },
};

static unsigned int points_seed = 1;
module_param(points_seed, uint, 0644);
MODULE_PARM_DESC(points_seed, "of the delays at points");

void ioevq_point(enum ioevq_point nr)
{
	bool sleeps = nr >= IOEVQ_POINT__SLEEPS;
	struct point *p = &points[nr];
	unsigned int us = READ_ONCE(p->us);
	u32 chance;

	/* What point.h says is checked, whether anybody is held or not. */
	if (sleeps)
		might_sleep();
	chance = jhash_1word(atomic_inc_return(&p->passed), READ_ONCE(points_seed) + nr);
	if (!us || chance & 1)
		return;
	us = (chance >> 1) % us + 1;
	if (sleeps)
		usleep_range(us, us + us / 4 + 1);
	else
		udelay(min_t(unsigned int, us, MAX_ATOMIC_US));
}

static struct point *find(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(points); i++)
		if (!strcmp(points[i].name, name))
			return &points[i];
	return NULL;
}

static void set_all(unsigned int us)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(points); i++) {
		WRITE_ONCE(points[i].us, us);
		atomic_set(&points[i].passed, 0);
	}
}

/* NAME:US or all:US */
static int set_one(char *item)
{
	char *name = strsep(&item, ":");
	unsigned int us;
	struct point *p;
	int err;

	if (!item)
		return -EINVAL;
	err = kstrtouint(item, 10, &us);
	if (err)
		return err;
	if (us > MAX_US)
		return -ERANGE;
	if (!strcmp(name, "all")) {
		set_all(us);
		return 0;
	}
	p = find(name);
	if (!p)
		return -ENOENT;
	WRITE_ONCE(p->us, us);
	return 0;
}

static int points_set(const char *val, const struct kernel_param *kp)
{
	char *copy = kstrdup(val, GFP_KERNEL), *rest, *item;
	int err = 0;

	if (!copy)
		return -ENOMEM;
	rest = strim(copy);
	set_all(0);
	while (!err && (item = strsep(&rest, ",")))
		if (*item)
			err = set_one(item);
	kfree(copy);
	return err;
}

/* Each with its delay, and how many have come by. */
static int points_get(char *buf, const struct kernel_param *kp)
{
	unsigned int i;
	int len = 0;

	for (i = 0; i < ARRAY_SIZE(points); i++)
		len += scnprintf(buf + len, PAGE_SIZE - len, "%s:%u %u\n", points[i].name,
				 points[i].us, (unsigned int)atomic_read(&points[i].passed));
	return len;
}

static const struct kernel_param_ops points_ops = {
	.set = points_set,
	.get = points_get,
};

module_param_cb(points, &points_ops, NULL, 0644);
MODULE_PARM_DESC(points, "longest delay at points, NAME:US,... in microseconds");

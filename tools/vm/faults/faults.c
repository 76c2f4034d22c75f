// SPDX-License-Identifier: GPL-2.0-only
/* Has the faults that its parameter names: each is what one of the kernel's checks looks for. */
#include <linux/cred.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

static char fault[128];
module_param_string(fault, fault, sizeof(fault), 0444);
MODULE_PARM_DESC(fault, "NAME,...");

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

static int race_thread(void *arg)
{
	count();
	while (!kthread_should_stop())
		msleep(20);
	return 0;
}

static int race(void)
{
	struct task_struct *other = kthread_run(race_thread, NULL, "race");

	if (IS_ERR(other))
		return PTR_ERR(other);
	count();
	return kthread_stop(other);
}

static int leak(void)
{
	return kmalloc(100, GFP_KERNEL) ? 0 : -ENOMEM;
}

/* Those of insmod, which were made when it began. */
static int leak_cred(void)
{
	get_cred(current_cred());
	return 0;
}

static int use_freed(void)
{
	char *object = kmalloc(100, GFP_KERNEL);

	kfree(object);
	OPTIMIZER_HIDE_VAR(object);
	return READ_ONCE(*object) & 0;
}

static int use_beyond(void)
{
	char *object = kmalloc(100, GFP_KERNEL), *beyond = object + 100;

	OPTIMIZER_HIDE_VAR(beyond);
	WRITE_ONCE(*beyond, 1);
	kfree(object);
	return 0;
}

static int shift_far(void)
{
	unsigned int by = 40;

	OPTIMIZER_HIDE_VAR(by);
	shared = 1U << by;
	return 0;
}

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);

static int cross_locks(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);
	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
	return 0;
}

static DEFINE_SPINLOCK(spin);

static int sleep_locked(void)
{
	spin_lock(&spin);
	might_sleep();
	spin_unlock(&spin);
	return 0;
}

static void expire(struct timer_list *timer)
{
}

/* One that would run out, and do nothing. */
static int free_timer(void)
{
	struct timer_list *timer = kmalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return -ENOMEM;
	timer_setup(timer, expire, 0);
	mod_timer(timer, jiffies + 3600 * HZ);
	kfree(timer);
	return 0;
}

static int count_below(void)
{
	static refcount_t refs = REFCOUNT_INIT(1);

	refcount_dec(&refs);
	return 0;
}

static int remove_twice(void)
{
	static LIST_HEAD(head);
	static struct list_head node;

	list_add(&node, &head);
	list_del(&node);
	list_del(&node);
	return 0;
}

static int read_unprotected(void)
{
	static int __rcu *pointer;

	return rcu_dereference(pointer) ? 1 : 0;
}

static const struct {
	const char *name;
	int (*make)(void);
} faults[] = {
	{ "race", race },
	{ "leak", leak },
	{ "cred", leak_cred },
	{ "freed", use_freed },
	{ "bounds", use_beyond },
	{ "shift", shift_far },
	{ "locks", cross_locks },
	{ "sleep", sleep_locked },
	{ "object", free_timer },
	{ "refcount", count_below },
	{ "list", remove_twice },
	{ "rcu", read_unprotected },
};

static int make(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(faults); i++)
		if (!strcmp(name, faults[i].name))
			return faults[i].make();
	return -EINVAL;
}

static int __init faults_init(void)
{
	char *rest = fault, *name;
	int err = 0;

	while (!err && (name = strsep(&rest, ",")))
		err = make(name);
	return err;
}

static void __exit faults_exit(void)
{
}

module_init(faults_init);
module_exit(faults_exit);
MODULE_DESCRIPTION("what the checks of a run have to find");
MODULE_LICENSE("GPL");

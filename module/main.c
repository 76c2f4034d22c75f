// SPDX-License-Identifier: GPL-2.0-only
/* The module: parameters, device, load and unload. */
#include <linux/log2.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/rcupdate.h>

#include "conc.h"
#include "fclose.h"
#include "req.h"
#include "rest.h"
#include "tests/run.h"

unsigned int ioevq_default_entries = 1024;
module_param_named(default_entries, ioevq_default_entries, uint, 0444);
MODULE_PARM_DESC(default_entries, "ring size of a queue that asks for none, in events");

unsigned int ioevq_max_entries = 65536;
module_param_named(max_entries, ioevq_max_entries, uint, 0444);
MODULE_PARM_DESC(max_entries, "largest ring, in events of 32 bytes; a power of two");

unsigned int ioevq_max_requests = 131072;
module_param_named(max_requests, ioevq_max_requests, uint, 0644);
MODULE_PARM_DESC(max_requests, "largest number of requests of a queue, in requests");

unsigned int ioevq_max_user_requests = 1048576;
module_param_named(max_user_requests, ioevq_max_user_requests, uint, 0644);
MODULE_PARM_DESC(max_user_requests,
		 "largest number of requests of all queues of a user, in requests; 8 events of a ring are one");

unsigned int ioevq_max_workers = 4;
module_param_named(max_workers, ioevq_max_workers, uint, 0444);
MODULE_PARM_DESC(max_workers,
		 "kernel workers of a queue for file I/O that blocks, in threads (1 to 16)");

unsigned int ioevq_max_user_workers = 64;
module_param_named(max_user_workers, ioevq_max_user_workers, uint, 0444);
MODULE_PARM_DESC(max_user_workers,
		 "kernel workers of all queues of a user, in threads (1 to 512; before Linux 6.9 on each NUMA node)");

static ushort mode = 0660;
module_param(mode, ushort, 0444);
MODULE_PARM_DESC(mode, "access mode of /dev/ioevq, as in chmod(1), in octal with a leading 0");

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ioevq",
	.fops = &ioevq_fops,
};

/* A ring is at most this large whatever the parameter says: 2 GiB / 32. */
#define ENTRIES_LIMIT	((u32)BIT(26))

static int __init ioevq_init(void)
{
	int err;

	ioevq_max_entries = rounddown_pow_of_two(clamp(ioevq_max_entries, 1U, ENTRIES_LIMIT));
	ioevq_default_entries = clamp(ioevq_default_entries, 1U, ioevq_max_entries);
	err = ioevq_sources_init();
	if (err)
		return err;
	err = ioevq_queues_init();
	if (err)
		goto err_sources;
	err = ioevq_fclose_init();
	if (err)
		goto err_queues;
	err = ioevq_rest_init();
	if (err)
		goto err_fclose;
	device.mode = mode & 0666;
	err = misc_register(&device);
	if (err)
		goto err_rest;
	ioevq_tests_run();
	return 0;

err_rest:
	ioevq_rest_exit();
err_fclose:
	ioevq_fclose_exit();
err_queues:
	ioevq_queues_exit();
err_sources:
	ioevq_sources_exit();
	return err;
}

/* No file is open, so there is no queue but those whose last work is ending. */
static void __exit ioevq_exit(void)
{
	ioevq_tests_exit();
	misc_deregister(&device);
	ioevq_queues_exit();
	ioevq_rest_exit();
	ioevq_fclose_exit();
	ioevq_conc_exit();
	/*
	 * Who completed the last I/O dropped its reference from inside of our text and
	 * may have been preempted there, in a thread that is not ours.
	 */
	synchronize_rcu_tasks();
	ioevq_sources_exit();
}

module_init(ioevq_init);
module_exit(ioevq_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("I/O event queues: sockets, file I/O and children through one queue");

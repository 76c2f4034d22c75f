/* SPDX-License-Identifier: GPL-2.0-only */
/* What an ioctl says, before anything is done about it; see ioctl.c. */
#ifndef IOEVQ_IOCTL_H
#define IOEVQ_IOCTL_H

#include <linux/fs.h>
#include <linux/types.h>
#include <linux/ioevq.h>

union ioevq_args {
	struct ioevq_info info;
	struct ioevq_setup setup;
	struct ioevq_enter enter;
	struct ioevq_control control;
};

/*
 * @min_size: of the first version of the structure
 * @answers: the structure is written back, after an error, too
 */
struct ioevq_ioctl {
	size_t size;
	size_t min_size;
	bool answers;
	long (*fn)(struct file *file, union ioevq_args *args);
};

const struct ioevq_ioctl *ioevq_ioctl_find(unsigned int cmd);
int ioevq_ioctl_check_size(const struct ioevq_ioctl *ioc, u32 size);

/* @mode: of the open file. They return 0 or the errno that refuses it. */
int ioevq_check_setup(const struct ioevq_setup *setup);
int ioevq_check_enter(const struct ioevq_enter *enter, fmode_t mode);
int ioevq_check_control(const struct ioevq_control *control, fmode_t mode);

#endif

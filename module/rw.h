/* SPDX-License-Identifier: GPL-2.0-only */
/* read(2) and write(2) of a queue. */
#ifndef IOEVQ_RW_H
#define IOEVQ_RW_H

#include <linux/types.h>

struct file;
struct iov_iter;
struct kiocb;

ssize_t ioevq_read(struct file *file, char __user *buf, size_t len, loff_t *pos);
ssize_t ioevq_read_iter(struct kiocb *kiocb, struct iov_iter *to);
ssize_t ioevq_write(struct file *file, const char __user *buf, size_t len, loff_t *pos);

#endif

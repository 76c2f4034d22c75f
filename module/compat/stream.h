/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading and writing pipes without waiting.
 *
 * Since Linux 6.4 pipes look at IOCB_NOWAIT. Before that they look at O_NONBLOCK of the
 * open file, and at nothing else: setting that would be seen by all who use the file. So
 * they get a file of the same pipe that has it, for as long as the call lasts. They only
 * read from it, and keep no pointer to it.
 */
#ifndef IOEVQ_COMPAT_STREAM_H
#define IOEVQ_COMPAT_STREAM_H

#include <linux/fs.h>
#include <linux/uio.h>
#include <linux/version.h>

static inline ssize_t compat_pipe_nowait(struct kiocb *kiocb, struct iov_iter *iter, int rw)
{
	struct file *file = kiocb->ki_filp;
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
	struct file like = {
		.f_path = file->f_path,
		.f_inode = file->f_inode,
		.f_mapping = file->f_mapping,
		.f_op = file->f_op,
		.f_cred = file->f_cred,
		.f_mode = file->f_mode,
		.f_flags = READ_ONCE(file->f_flags) | O_NONBLOCK,
		.private_data = file->private_data,
	};

	kiocb->ki_filp = &like;
#endif
	return rw == WRITE ? file->f_op->write_iter(kiocb, iter) :
			     file->f_op->read_iter(kiocb, iter);
}

#endif

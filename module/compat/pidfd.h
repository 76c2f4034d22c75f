/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whom a pidfd refers to. pidfd_pid() is not exported, nor are the file operations that it
 * compares with. But the file systems that the files are of are the kernel's own: nobody
 * mounts pidfs, and before Linux 6.9 only kernel code gives names to anonymous inodes.
 */
#ifndef IOEVQ_COMPAT_PIDFD_H
#define IOEVQ_COMPAT_PIDFD_H

#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/pid.h>
#include <linux/pidfd.h>
#include <linux/string.h>

/* Not a reference: valid for as long as the file is held. NULL: not a pidfd. */
static inline struct pid *compat_pidfd_pid(struct file *file)
{
	struct super_block *sb = file_inode(file)->i_sb;

#ifdef PID_FS_MAGIC
	return sb->s_magic == PID_FS_MAGIC ? file_inode(file)->i_private : NULL;
#else
	if (sb->s_magic != ANON_INODE_FS_MAGIC)
		return NULL;
	return strcmp(file->f_path.dentry->d_name.name, "[pidfd]") ? NULL : file->private_data;
#endif
}

/* Of a thread and not of a process? Some kernels forget it: ask the pid, too. */
static inline bool compat_pidfd_is_thread(struct file *file)
{
#ifdef PIDFD_THREAD
	return file->f_flags & PIDFD_THREAD;
#else
	return false;
#endif
}

#endif

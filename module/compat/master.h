/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Masters of pseudo-terminals before Linux 6.12 raise no fsnotify events, nor there without
 * CONFIG_FANOTIFY_ACCESS_PERMISSIONS: FMODE_NONOTIFY, which ptmx_open() sets, means none of
 * them where do_dentry_open() has not set FMODE_NONOTIFY_PERM (include/linux/fs.h). But their
 * release wakes both wait queues of the terminal (pty_close()), with the file in its last
 * fput(), and then waits until they are empty (tty_release()): an entry that is in one of
 * them keeps the file and the terminal from being freed.
 */
#ifndef IOEVQ_COMPAT_MASTER_H
#define IOEVQ_COMPAT_MASTER_H

#include <linux/fs.h>
#include <linux/major.h>
#include <linux/tty.h>
#include <linux/version.h>

#include "compat.h"

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0) || \
	!defined(CONFIG_FANOTIFY_ACCESS_PERMISSIONS)

/* /dev/ptmx and /dev/pts/ptmx; nobody else opens a terminal so that it is silent. */
static inline bool compat_is_silent_master(struct file *file)
{
	struct inode *inode = file_inode(file);

	return compat_file_is_silent(file) && S_ISCHR(inode->i_mode) &&
	       inode->i_rdev == MKDEV(TTYAUX_MAJOR, 2);
}

/* Is it one of the two? A line discipline may have others. */
static inline bool compat_is_masters_queue(struct file *file, wait_queue_head_t *head)
{
	struct tty_file_private *priv = file->private_data;

	return head == &priv->tty->read_wait || head == &priv->tty->write_wait;
}

/* An entry is in a wait queue of it still. */
static inline bool compat_master_is_closing(const struct file *file)
{
	return !atomic_long_read(&file->f_count);
}

static inline bool compat_get_master(struct file *file)
{
	return atomic_long_inc_not_zero(&file->f_count);
}

static inline struct tty_struct *compat_get_masters_tty(struct file *file)
{
	return tty_kref_get(((struct tty_file_private *)file->private_data)->tty);
}

static inline void compat_put_masters_tty(struct tty_struct *tty)
{
	tty_kref_put(tty);
}

#else

static inline bool compat_is_silent_master(struct file *file)
{
	return false;
}

static inline bool compat_is_masters_queue(struct file *file, wait_queue_head_t *head)
{
	return false;
}

static inline bool compat_master_is_closing(const struct file *file)
{
	return false;
}

static inline bool compat_get_master(struct file *file)
{
	return false;
}

static inline struct tty_struct *compat_get_masters_tty(struct file *file)
{
	return NULL;
}

static inline void compat_put_masters_tty(struct tty_struct *tty)
{
}

#endif

#endif

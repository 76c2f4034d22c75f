/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the supported kernels, 6.1 and 6.12, and nothing else.
 * No other file looks at the kernel's version.
 */
#ifndef IOEVQ_COMPAT_H
#define IOEVQ_COMPAT_H

#include <linux/backing-dev.h>
#include <linux/fs.h>
#include <linux/fsnotify_backend.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/time_namespace.h>
#include <linux/version.h>

#ifndef CONFIG_FSNOTIFY
#error "ioevq needs CONFIG_FSNOTIFY (FANOTIFY or INOTIFY_USER): the close hook is built on it"
#endif

#ifndef CONFIG_PREEMPT_NOTIFIERS
#error "ioevq needs CONFIG_PREEMPT_NOTIFIERS (KVM): the concurrency value is built on it"
#endif

/* Will this file never raise a close event? */
static inline bool compat_file_is_silent(struct file *file)
{
#ifdef FMODE_FSNOTIFY_NONE
	return FMODE_FSNOTIFY_NONE(file->f_mode);
#else
	return file->f_mode & (FMODE_NONOTIFY | FMODE_PATH);
#endif
}

static inline int compat_add_sb_mark(struct fsnotify_mark *mark, struct super_block *sb)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
	return fsnotify_add_mark(mark, &sb->s_fsnotify_marks, FSNOTIFY_OBJ_TYPE_SB, 0, NULL);
#else
	return fsnotify_add_mark(mark, sb, FSNOTIFY_OBJ_TYPE_SB, 0);
#endif
}

/* The flags are applied by hand as far as they need the file: see src_aio.c. */
static inline int compat_kiocb_set_rw_flags(struct kiocb *kiocb, rwf_t flags, int rw)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
	return kiocb_set_rw_flags(kiocb, flags);
#else
	return kiocb_set_rw_flags(kiocb, flags, rw);
#endif
}

/* Can a read of this file wait for a page by IOCB_WAITQ? */
static inline bool compat_waits_for_pages(struct file *file)
{
#ifdef FOP_BUFFER_RASYNC
	return file->f_op->fop_flags & FOP_BUFFER_RASYNC;
#else
	return file->f_mode & FMODE_BUF_RASYNC;
#endif
}

static inline void compat_vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
	vma->vm_flags |= flags;
#else
	vm_flags_set(vma, flags);
#endif
}

/*
 * Is it a page of a file that the file system writes to disk? Then it must know of every
 * write to it, and cannot know of ours: such pages are not to be pinned for long. Newer
 * kernels refuse that themselves.
 */
static inline bool compat_is_written_back(struct page *page)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
	struct folio *folio = page_folio(page);
	struct address_space *mapping;
	bool ret;

	/* Anonymous memory and that of tmpfs; the lock is for the others. */
	if (folio_test_anon(folio) || folio_test_swapbacked(folio))
		return false;
	folio_lock(folio);
	mapping = folio_mapping(folio);
	ret = mapping && mapping_can_writeback(mapping);
	folio_unlock(folio);
	return ret;
#else
	return false;
#endif
}

/*
 * In a preempt notifier's sched_out: does the thread leave the CPU because it waits for
 * something? If not it is preempted. The same test as that of KVM. With PREEMPT_RT a
 * spinlock is nothing to wait for, either: elsewhere it would spin. Who is being woken while
 * it leaves may have waited for one (ttwu_state_match(), kernel/sched/core.c), and is back soon.
 */
static inline bool compat_current_blocks(void)
{
	unsigned int spins = TASK_RTLOCK_WAIT;

	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		spins |= TASK_WAKING;
	if (READ_ONCE(current->__state) & spins)
		return false;
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
	return !current->on_rq;
#else
	return !task_is_runnable(current);
#endif
}

/*
 * A time of the caller's time namespace, not negative, as the kernel knows it. What
 * timens_ktime_to_host() is for, which needs symbols that are not exported.
 */
static inline ktime_t compat_timens_to_host(clockid_t clock, ktime_t time)
{
#ifdef CONFIG_TIME_NS
	struct timens_offsets *offsets = &current->nsproxy->time_ns->offsets;
	ktime_t offset = 0;

	if (clock == CLOCK_MONOTONIC)
		offset = timespec64_to_ktime(offsets->monotonic);
	else if (clock == CLOCK_BOOTTIME)
		offset = timespec64_to_ktime(offsets->boottime);
	/* A time before the clock began has passed, one beyond its end does not come. */
	if (time < offset)
		return 0;
	if (offset < 0 && time > KTIME_MAX + offset)
		return KTIME_MAX;
	time -= offset;
#endif
	return time;
}

#endif

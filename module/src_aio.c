// SPDX-License-Identifier: GPL-2.0-only
/*
 * READ, WRITE and FSYNC on regular files and block devices.
 *
 * First the operation is tried in the caller's context without blocking: a hit in
 * the page cache completes at once, direct I/O is given to the device and ends in
 * ki_complete(), from an interrupt. What would block goes to a lane (lane.c),
 * which works with the submitter's memory, credentials and block cgroup.
 *
 * A kiocb is in the hands of whoever issues it and of whoever completes it: the
 * event is posted by the second of them to be done with it.
 */
#include <linux/backing-dev.h>
#include <linux/blk-cgroup.h>
#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fsnotify.h>
#include <linux/ioprio.h>
#include <linux/kthread.h>
#include <linux/magic.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "compat/compat.h"
#include "lane.h"
#include "req.h"

#define RWF_KNOWN	(RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND)

struct aio {
	struct ioevq_kreq kreq;
	struct ioevq_lane_item item;
	struct kiocb kiocb;		/* ki_filp is our reference until completion */
	struct iov_iter iter;		/* as submitted; copied for each attempt */
	struct iovec *iov;		/* what it points to, or NULL */
	loff_t pos;			/* as submitted */
	size_t len;
	size_t done;			/* by earlier attempts */
	long ret;			/* of the attempt in progress */
	atomic_t hands;			/* issuing or completing it */
	int rw;				/* READ, WRITE; FSYNC: see datasync */
	unsigned long limit;		/* RLIMIT_FSIZE of the submitter */
	bool fsync;
	bool datasync;
	bool may_retry;			/* -EAGAIN is ours, not the caller's */
	bool write_started;		/* holds freeze protection */
	/* What a lane needs of the submitter: */
	struct mm_struct *mm;
	const struct cred *cred;
	struct cgroup_subsys_state *css;
};

static struct aio *to_aio(struct ioevq_kreq *kreq)
{
	return container_of(kreq, struct aio, kreq);
}

/* In the submitter's context. Only counts, no memory is kept in use. */
static void aio_capture(struct aio *aio)
{
	mmgrab(current->mm);
	aio->mm = current->mm;
	aio->cred = get_current_cred();
#ifdef CONFIG_BLK_CGROUP
	aio->css = task_get_css(current, io_cgrp_id);
#endif
}

static void aio_release(struct ioevq_kreq *kreq)
{
	struct aio *aio = to_aio(kreq);

	if (aio->mm)
		mmdrop(aio->mm);
	if (aio->cred)
		put_cred(aio->cred);
	if (aio->css)
		css_put(aio->css);
	kfree(aio->iov);
	aio->mm = NULL;
	aio->cred = NULL;
	aio->css = NULL;
	aio->iov = NULL;
}

/*
 * The operation has ended: any context, interrupts included. What cannot be dropped
 * there waits for the sweep. The submitter holds another reference to the file while
 * it is in here: see ioevq_queue_fput().
 */
static void aio_finish(struct aio *aio, long ret)
{
	struct ioevq_queue *q = aio->kreq.q;

	if (ret == -ERESTARTSYS || ret == -ERESTARTNOINTR || ret == -ERESTARTNOHAND ||
	    ret == -ERESTART_RESTARTBLOCK)
		ret = -EINTR;
	if (aio->done)
		ret = aio->done + max(ret, 0L);
	fput(aio->kiocb.ki_filp);
	if (in_task())
		aio_release(&aio->kreq);
	/* Afterwards the sweep may free it, but not the queue that we count for. */
	ioevq_complete(&aio->kreq, ret, 0, 0);
	ioevq_queue_put_inflight(q);
}

/* Is there more to transfer than an attempt that got @ret has done? */
static bool aio_has_more(struct aio *aio, long ret)
{
	if (ret <= 0 || aio->kiocb.ki_flags & IOCB_DIRECT || aio->done + ret >= aio->len)
		return false;
	if (aio->rw == WRITE)
		return true;
	return aio->kiocb.ki_pos < i_size_read(aio->kiocb.ki_filp->f_mapping->host);
}

/* An attempt is over, whoever noticed last. */
static void aio_attempt_over(struct aio *aio, long ret)
{
	if (aio->write_started) {
		aio->write_started = false;
		kiocb_end_write(&aio->kiocb);
	}
	if (aio->may_retry) {
		if (aio_has_more(aio, ret)) {
			aio->done += ret;
			ret = -EAGAIN;
		}
		/* What cannot be done without blocking, or not here: to a lane. */
		if (ret == -EAGAIN || ret == -EOPNOTSUPP) {
			ioevq_lane_add(aio->kreq.q, &aio->item);
			return;
		}
	}
	aio_finish(aio, ret);
}

static void aio_drop_hand(struct aio *aio)
{
	if (atomic_dec_and_test(&aio->hands))
		aio_attempt_over(aio, aio->ret);
}

static void aio_ki_complete(struct kiocb *kiocb, long ret)
{
	struct aio *aio = container_of(kiocb, struct aio, kiocb);

	aio->ret = ret;
	/* Orders the store above before the other hand reads it. */
	aio_drop_hand(aio);
}

static int aio_start_write(struct aio *aio)
{
	struct inode *inode = file_inode(aio->kiocb.ki_filp);
	bool nowait = aio->kiocb.ki_flags & IOCB_NOWAIT;

	if (aio->rw != WRITE || !S_ISREG(inode->i_mode))
		return 0;
	if (!nowait) {
		kiocb_start_write(&aio->kiocb);
	} else {
		if (!sb_start_write_trylock(inode->i_sb))
			return -EAGAIN;
		/* Completion may run anywhere: lockdep must not see us hold it. */
		__sb_writers_release(inode->i_sb, SB_FREEZE_WRITE);
	}
	aio->write_started = true;
	return 0;
}

/* One attempt, in the context of the submitter or of a lane. */
static void aio_issue(struct aio *aio, bool may_retry)
{
	struct file *file = aio->kiocb.ki_filp;
	struct iov_iter iter = aio->iter;
	long ret;

	aio->may_retry = may_retry;
	iov_iter_advance(&iter, aio->done);
	/* An attempt that failed may have moved it. */
	aio->kiocb.ki_pos = aio->pos + aio->done;
	ret = aio_start_write(aio);
	if (ret) {
		aio_attempt_over(aio, ret);
		return;
	}
	atomic_set(&aio->hands, 2);
	if (aio->rw == WRITE)
		ret = file->f_op->write_iter(&aio->kiocb, &iter);
	else
		ret = file->f_op->read_iter(&aio->kiocb, &iter);
	if (ret == -EIOCBQUEUED) {
		aio_drop_hand(aio);
		return;
	}
	/* As read(2) and write(2) do; where it ends in an interrupt nobody can. */
	if (ret > 0 && aio->rw == WRITE)
		fsnotify_modify(file);
	else if (ret > 0)
		fsnotify_access(file);
	aio_attempt_over(aio, ret);
}

/* A worker has no resource limits: the submitter's is applied by us. */
static int aio_limit_size(struct aio *aio)
{
	struct inode *inode = file_inode(aio->kiocb.ki_filp);
	loff_t pos = aio->pos;

	if (aio->rw != WRITE || aio->limit == RLIM_INFINITY || !aio->len ||
	    !S_ISREG(inode->i_mode))
		return 0;
	if (aio->kiocb.ki_flags & IOCB_APPEND)
		pos = i_size_read(inode);
	if (pos >= aio->limit)
		return -EFBIG;
	aio->len = min_t(u64, aio->len, aio->limit - pos);
	iov_iter_truncate(&aio->iter, aio->len);
	return 0;
}

static void aio_run(struct ioevq_lane_item *item)
{
	struct aio *aio = container_of(item, struct aio, item);
	struct mm_struct *mm = aio->mm;
	const struct cred *old;

	/* Nobody is left to see the result in memory that is going away. */
	if (!mmget_not_zero(mm)) {
		aio_finish(aio, -ECANCELED);
		return;
	}
	aio->kiocb.ki_flags &= ~IOCB_NOWAIT;
	if (aio_limit_size(aio)) {
		aio_finish(aio, -EFBIG);
		mmput(mm);
		return;
	}
	/* All three take references: the request may be gone before they are undone. */
	old = override_creds(aio->cred);
	kthread_use_mm(mm);
#ifdef CONFIG_BLK_CGROUP
	kthread_associate_blkcg(aio->css);
#endif
	if (aio->fsync)
		aio_finish(aio, vfs_fsync(aio->kiocb.ki_filp, aio->datasync));
	else
		aio_issue(aio, false);
#ifdef CONFIG_BLK_CGROUP
	kthread_associate_blkcg(NULL);
#endif
	kthread_unuse_mm(mm);
	revert_creds(old);
	mmput(mm);
}

static bool aio_cancel(struct ioevq_kreq *kreq)
{
	struct aio *aio = to_aio(kreq);

	struct file *file;

	if (!ioevq_lane_remove(kreq->q, &aio->item))
		return false;
	file = get_file(aio->kiocb.ki_filp);
	aio_finish(aio, -ECANCELED);
	ioevq_queue_fput(kreq->q, file);
	return true;
}

/*
 * Does the file system, below an overlay if there is one, keep files, in memory or
 * elsewhere? Of others (/proc, /sys, cgroups) what a file says depends on who asks, in
 * more than what a worker can take over: on namespaces, for example.
 */
static bool is_kept(struct file *file)
{
	struct super_block *sb = d_real_inode(file->f_path.dentry)->i_sb;

	return sb->s_bdi != &noop_backing_dev_info || sb->s_magic == TMPFS_MAGIC ||
	       sb->s_magic == RAMFS_MAGIC || sb->s_magic == HUGETLBFS_MAGIC;
}

/* File and direction. On success the request holds the file. */
static int aio_open(struct aio *aio, const struct ioevq_req *req, fmode_t need)
{
	struct file *file = fget(req->fd);
	umode_t type;

	if (!file)
		return -EBADF;
	type = file_inode(file)->i_mode;
	aio->kiocb.ki_filp = file;
	if (S_ISDIR(type))
		return -EISDIR;
	if (!S_ISREG(type) && !S_ISBLK(type))
		return -ESPIPE;
	if (S_ISREG(type) && !is_kept(file))
		return -EOPNOTSUPP;
	if (need && !(file->f_mode & need))
		return -EBADF;
	if (need && !(file->f_mode & (need == FMODE_READ ? FMODE_PREAD : FMODE_PWRITE)))
		return -ESPIPE;
	return ioevq_user_need_workers(aio->kreq.q->user);
}

/* The vector is ours, and charged: import_iovec() takes it as it would its own. */
static int aio_import_vector(struct aio *aio, const struct ioevq_req *req)
{
	struct iovec *iov;
	ssize_t len;

	if (req->len > UIO_MAXIOV)
		return -EINVAL;
	aio->iov = kcalloc(max_t(u64, req->len, 1), sizeof(*iov), GFP_KERNEL_ACCOUNT);
	if (!aio->iov)
		return -ENOMEM;
	iov = aio->iov;
	len = import_iovec(aio->rw, u64_to_user_ptr(req->addr), req->len, max_t(u64, req->len, 1),
			   &iov, &aio->iter);
	if (len < 0)
		return len;
	aio->len = len;
	return 0;
}

static int aio_import(struct aio *aio, const struct ioevq_req *req)
{
	void __user *addr = u64_to_user_ptr(req->addr);

	if (req->op_flags & IOEVQ_RW_VECTOR)
		return aio_import_vector(aio, req);
	if ((s64)req->len < 0)
		return -EINVAL;
	aio->len = min_t(u64, req->len, MAX_RW_COUNT);
	if (req->addr != (unsigned long)req->addr || !access_ok(addr, aio->len))
		return -EFAULT;
	iov_iter_ubuf(&aio->iter, aio->rw, addr, aio->len);
	return 0;
}

static int aio_prepare(struct aio *aio, const struct ioevq_req *req)
{
	struct kiocb *kiocb = &aio->kiocb;
	struct file *file;
	int err;

	err = aio_open(aio, req, aio->rw == WRITE ? FMODE_WRITE : FMODE_READ);
	if (err)
		return err;
	file = kiocb->ki_filp;
	if (aio->rw == WRITE ? !file->f_op->write_iter : !file->f_op->read_iter)
		return -EINVAL;
	if ((s64)req->off < 0)
		return -EINVAL;
	if (req->op_arg & ~(__force u32)RWF_KNOWN)
		return -EOPNOTSUPP;
	aio->pos = req->off;
	aio->limit = rlimit(RLIMIT_FSIZE);
	kiocb->ki_complete = aio_ki_complete;
	kiocb->ki_flags = file->f_iocb_flags | (aio->rw == WRITE ? IOCB_WRITE : 0);
	kiocb->ki_ioprio = get_current_ioprio();
	err = compat_kiocb_set_rw_flags(kiocb, (__force rwf_t)req->op_arg, aio->rw);
	if (err)
		return err;
	kiocb->ki_flags &= ~IOCB_HIPRI;
	err = aio_import(aio, req);
	if (err)
		return err;
	err = rw_verify_area(aio->rw, file, &aio->pos, aio->len);
	if (err < 0)
		return err;
	err = aio_limit_size(aio);
	if (err)
		send_sig(SIGXFSZ, current, 0);
	return err;
}

/* Accepted: from here on there will be an event. */
static void aio_accept(struct aio *aio)
{
	struct ioevq_queue *q = aio->kreq.q;

	INIT_LIST_HEAD(&aio->item.node);
	aio->item.run = aio_run;
	spin_lock_irq(&q->lock);
	q->inflight++;
	aio->kreq.state = IOEVQ_LIVE;
	spin_unlock_irq(&q->lock);
}

static void aio_refuse(struct aio *aio)
{
	if (aio->kiocb.ki_filp)
		fput(aio->kiocb.ki_filp);
	aio_release(&aio->kreq);
}

/*
 * Must it go to a lane at once? Where nobody looks at IOCB_NOWAIT, where the sync
 * after the write would block, and where a second attempt would write elsewhere.
 */
static bool aio_needs_lane(struct aio *aio)
{
	if (!(aio->kiocb.ki_filp->f_mode & FMODE_NOWAIT))
		return true;
	return aio->rw == WRITE &&
	       (iocb_is_dsync(&aio->kiocb) || aio->kiocb.ki_flags & IOCB_APPEND);
}

static int aio_submit(struct ioevq_kreq *kreq, const struct ioevq_req *req, int rw)
{
	struct aio *aio = to_aio(kreq);
	struct file *file;
	int err;

	aio->rw = rw;
	err = aio_prepare(aio, req);
	if (err) {
		aio_refuse(aio);
		return err;
	}
	file = get_file(aio->kiocb.ki_filp);
	aio_accept(aio);
	if (aio->kiocb.ki_flags & IOCB_NOWAIT) {
		/* The caller's own RWF_NOWAIT: one attempt, and its answer as it is. */
		aio_issue(aio, false);
	} else {
		aio_capture(aio);
		if (aio_needs_lane(aio)) {
			ioevq_lane_add(kreq->q, &aio->item);
		} else {
			aio->kiocb.ki_flags |= IOCB_NOWAIT;
			aio_issue(aio, true);
		}
	}
	ioevq_queue_fput(kreq->q, file);
	return 0;
}

static int read_submit(struct ioevq_queue *q, struct ioevq_kreq *kreq, const struct ioevq_req *req)
{
	return aio_submit(kreq, req, READ);
}

static int write_submit(struct ioevq_queue *q, struct ioevq_kreq *kreq,
			const struct ioevq_req *req)
{
	return aio_submit(kreq, req, WRITE);
}

static int fsync_submit(struct ioevq_queue *q, struct ioevq_kreq *kreq,
			const struct ioevq_req *req)
{
	struct aio *aio = to_aio(kreq);
	int err = aio_open(aio, req, 0);

	if (!err && !aio->kiocb.ki_filp->f_op->fsync)
		err = -EINVAL;
	if (err) {
		aio_refuse(aio);
		return err;
	}
	aio->fsync = true;
	aio->datasync = req->op_flags & IOEVQ_FSYNC_DATASYNC;
	aio_capture(aio);
	aio_accept(aio);
	ioevq_lane_add(q, &aio->item);
	return 0;
}

static bool aio_is_about(struct ioevq_kreq *kreq, struct file *file)
{
	return to_aio(kreq)->kiocb.ki_filp == file;
}

#define AIO_SOURCE(_submit, _op_flags, _uses)					\
	{									\
		.size = sizeof(struct aio),					\
		.op_flags = _op_flags,						\
		.uses = IOEVQ_USES_FD | (_uses),				\
		.submit = _submit,						\
		.cancel = aio_cancel,						\
		.is_about = aio_is_about,					\
		.release = aio_release,						\
	}
#define RW_USES	(IOEVQ_USES_ADDR | IOEVQ_USES_LEN | IOEVQ_USES_OFF | IOEVQ_USES_ARG)

const struct ioevq_source ioevq_src_read = AIO_SOURCE(read_submit, IOEVQ_RW_VECTOR, RW_USES);
const struct ioevq_source ioevq_src_write = AIO_SOURCE(write_submit, IOEVQ_RW_VECTOR, RW_USES);
const struct ioevq_source ioevq_src_fsync = AIO_SOURCE(fsync_submit, IOEVQ_FSYNC_DATASYNC, 0);

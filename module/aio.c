// SPDX-License-Identifier: GPL-2.0-only
/*
 * File I/O under way. First it is tried in the caller's context without blocking: a
 * hit in the page cache completes at once, direct I/O is given to the device and ends
 * in ki_complete(), from an interrupt. What would block goes to a lane (lane.c),
 * which works with the submitter's memory, credentials and block cgroup.
 *
 * A lane does not wait for the device to read a page, either, where the file system can
 * do without: it starts the read and leaves. The page's unlock brings the request back.
 *
 * A kiocb is in the hands of whoever issues it and of whoever completes it: the
 * event is posted by the second of them to be done with it.
 */
#include <linux/file.h>
#include <linux/fsnotify.h>
#include <linux/slab.h>

#include "aio.h"
#include "compat/compat.h"
#include "point.h"
#include "resident.h"

/* What a request has besides its file; not from an interrupt. */
void ioevq_aio_release(struct ioevq_kreq *kreq)
{
	struct ioevq_aio *aio = to_aio(kreq);

	ioevq_env_drop(&aio->env);
	kfree(aio->iov);
	aio->iov = NULL;
	/* It was not held: what was is not here before it has left its gate. */
	kfree(aio->gate);
	aio->gate = NULL;
}

/*
 * The operation has ended: any context, interrupts included. What cannot be dropped
 * there waits for the sweep. The submitter holds another reference to the file while
 * it is in here: see ioevq_queue_fput().
 */
static void aio_finish(struct ioevq_aio *aio, long ret)
{
	struct ioevq_queue *q = aio->kreq.q;
	unsigned long flags;

	if (ret == -ERESTARTSYS || ret == -ERESTARTNOINTR || ret == -ERESTARTNOHAND ||
	    ret == -ERESTART_RESTARTBLOCK)
		ret = -EINTR;
	if (aio->done)
		ret = aio->done + max(ret, 0L);
	fput(aio->kiocb.ki_filp);
	if (in_task())
		ioevq_aio_release(&aio->kreq);
	spin_lock_irqsave(&q->lock, flags);
	ioevq_complete_locked(&aio->kreq, ret, 0, 0, true);
	ioevq_order_ended(aio);
	/* From here on the sweep may free it, but not the queue that we count for. */
	spin_unlock_irqrestore(&q->lock, flags);
	ioevq_queue_put_inflight(q);
}

/* Is there more to transfer than an attempt that got @ret has done? */
static bool aio_has_more(struct ioevq_aio *aio, long ret)
{
	loff_t size;

	if (ret <= 0 || aio->kiocb.ki_flags & IOCB_DIRECT || aio->done + ret >= aio->len)
		return false;
	if (aio->rw == WRITE)
		return true;
	/* It may grow or shrink at any time: that was the end, or the next attempt finds it. */
	size = data_race(i_size_read(aio->kiocb.ki_filp->f_mapping->host));
	return aio->kiocb.ki_pos < size;
}

static void aio_end_write(struct ioevq_aio *aio)
{
	if (aio->write_started)
		kiocb_end_write(&aio->kiocb);
	aio->write_started = false;
}

/*
 * What a lane takes over of the submitter, in whose context this is, unless that was done.
 * It is not needed, nor done, where the first attempt is the last.
 */
static void aio_need_env(struct ioevq_aio *aio)
{
	if (!aio->env.cred)
		ioevq_env_capture(&aio->env, !aio->buf);
}

/* To a lane; the first time in the submitter's context. */
static void aio_punt(struct ioevq_aio *aio)
{
	aio_need_env(aio);
	ioevq_lane_add(aio->kreq.q, &aio->item);
}

/* An attempt is over, whoever noticed last. */
static void aio_attempt_over(struct ioevq_aio *aio, long ret)
{
	aio_end_write(aio);
	if (aio->may_retry) {
		if (aio_has_more(aio, ret)) {
			aio->done += ret;
			ret = -EAGAIN;
		}
		/* What cannot be done without blocking, or not here: to a lane. */
		if (ret == -EAGAIN || ret == -EOPNOTSUPP) {
			aio_punt(aio);
			return;
		}
	}
	aio_finish(aio, ret);
}

void ioevq_aio_complete(struct kiocb *kiocb, long ret)
{
	struct ioevq_aio *aio = container_of(kiocb, struct ioevq_aio, kiocb);

	aio->ret = ret;
	ioevq_point(IOEVQ_POINT_IO_DONE);
	/* Orders the store above before the other hand reads it: see aio_issue(). */
	if (atomic_dec_and_test(&aio->hands))
		aio_attempt_over(aio, ret);
}

/* The page is there, or cannot be read. Any context, with interrupts off. */
static int aio_page_wake(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct ioevq_aio *aio = container_of(wait, struct ioevq_aio, page.wait);

	if (!wake_page_match(&aio->page, key))
		return 0;
	list_del_init(&wait->entry);
	ioevq_aio_complete(&aio->kiocb, -EAGAIN);
	return 1;
}

/* The next attempt may end with -EIOCBQUEUED for a page that is being read. */
static void aio_wait_page(struct ioevq_aio *aio)
{
	struct wait_queue_entry *wait = &aio->page.wait;

	init_waitqueue_func_entry(wait, aio_page_wake);
	INIT_LIST_HEAD(&wait->entry);
	aio->kiocb.ki_waitq = &aio->page;
	aio->kiocb.ki_flags |= IOCB_WAITQ;
}

static int aio_start_write(struct ioevq_aio *aio)
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

/*
 * One attempt, in the context of the submitter or of a lane, which @how is for. Its result,
 * or -EIOCBQUEUED: then somebody else goes on with it, or has.
 */
static long aio_issue(struct ioevq_aio *aio, int how, bool may_retry)
{
	struct file *file = aio->kiocb.ki_filp;
	struct iov_iter iter = aio->iter;
	long ret;

	aio->may_retry = may_retry;
	aio->kiocb.ki_flags &= ~(IOCB_NOWAIT | IOCB_NOIO | IOCB_WAITQ);
	aio->kiocb.ki_flags |= how;
	if (how & IOCB_WAITQ)
		aio_wait_page(aio);
	if (aio->done)
		iov_iter_advance(&iter, aio->done);
	/* An attempt that failed may have moved it. */
	aio->kiocb.ki_pos = aio->pos + aio->done;
	ret = aio_start_write(aio);
	if (ret)
		return ret;
	atomic_set(&aio->hands, 2);
	if (aio->rw == WRITE)
		ret = file->f_op->write_iter(&aio->kiocb, &iter);
	else
		ret = file->f_op->read_iter(&aio->kiocb, &iter);
	if (ret == -EIOCBQUEUED) {
		ioevq_point(IOEVQ_POINT_ISSUED);
		/* Who completes it cannot do that; but until our hand is off, it waits for us. */
		if (may_retry)
			aio_need_env(aio);
		return atomic_dec_and_test(&aio->hands) ? aio->ret : -EIOCBQUEUED;
	}
	/*
	 * There is no page to wait for, or it could not be read, or not in this way: that is to be
	 * found out.
	 */
	if ((ret == -EAGAIN || ret == -EOPNOTSUPP) && how & IOCB_WAITQ)
		aio->waits_for_pages = false;
	/* As read(2) and write(2) do; where it ends in an interrupt nobody can. */
	if (ret > 0 && aio->rw == WRITE)
		fsnotify_modify(file);
	else if (ret > 0)
		fsnotify_access(file);
	return ret;
}

/* An attempt in a lane, or one whose result is an event in any case. */
static void aio_attempt(struct ioevq_aio *aio, int how, bool may_retry)
{
	long ret = aio_issue(aio, how, may_retry);

	if (ret != -EIOCBQUEUED)
		aio_attempt_over(aio, ret);
}

/* As read(2) and write(2) at the position of the open file: in a lane, which waits. */
static long aio_at_position(struct ioevq_aio *aio)
{
	struct file *file = aio->kiocb.ki_filp;
	long ret;

	mutex_lock(&file->f_pos_lock);
	aio->pos = file->f_pos;
	aio->kiocb.ki_complete = NULL;
	/* As rw_verify_area(), which was asked before the position was known. */
	if (aio->pos < 0 || aio->len > (u64)(LLONG_MAX - aio->pos))
		ret = -EINVAL;
	else
		ret = aio_issue(aio, 0, false);
	aio_end_write(aio);
	if (ret > 0)
		file->f_pos = aio->kiocb.ki_pos;
	mutex_unlock(&file->f_pos_lock);
	return ret;
}

static void aio_run(struct ioevq_lane_item *item)
{
	struct ioevq_aio *aio = container_of(item, struct ioevq_aio, item);
	struct ioevq_guise guise;

	if (!ioevq_env_enter(&aio->env, &guise)) {
		aio_finish(aio, -ECANCELED);
		return;
	}
	/* From here on the request may be gone at any time. */
	if (aio->run)
		aio_finish(aio, aio->run(aio));
	else if (aio->at_position)
		aio_finish(aio, aio_at_position(aio));
	else if (aio->waits_for_pages)
		aio_attempt(aio, IOCB_WAITQ, true);
	else
		aio_attempt(aio, 0, false);
	ioevq_env_leave(&guise);
}

/* What no worker has begun can be stopped. Under queue->mutex. */
bool ioevq_aio_cancel(struct ioevq_kreq *kreq)
{
	struct ioevq_aio *aio = to_aio(kreq);
	struct file *file;

	if (!ioevq_lane_remove(kreq->q, &aio->item) && !ioevq_order_leave(aio))
		return false;
	file = get_file(aio->kiocb.ki_filp);
	aio_finish(aio, -ECANCELED);
	ioevq_queue_fput(kreq->q, file);
	return true;
}

/*
 * Must it go to a lane at once? Where nobody looks at IOCB_NOWAIT, where a sync would
 * block, and where a second attempt would write elsewhere.
 */
static bool aio_needs_lane(struct ioevq_aio *aio)
{
	if (aio->run || aio->at_position || !(aio->kiocb.ki_filp->f_mode & FMODE_NOWAIT))
		return true;
	return aio->rw == WRITE &&
	       (iocb_is_dsync(&aio->kiocb) || aio->kiocb.ki_flags & IOCB_APPEND);
}

static bool can_wait_for_pages(struct ioevq_aio *aio)
{
	return !aio->run && aio->rw == READ && !(aio->kiocb.ki_flags & IOCB_DIRECT) &&
	       compat_waits_for_pages(aio->kiocb.ki_filp);
}

/* The first attempt, by the submitter, whose context is as good as a lane's. */
static int aio_try(struct ioevq_aio *aio, int how, bool may_retry)
{
	long ret = aio_issue(aio, how, may_retry);

	if (ret == -EIOCBQUEUED)
		return 0;
	if (aio->kreq.skip && ret >= 0 && !(may_retry && aio_has_more(aio, ret))) {
		aio_end_write(aio);
		aio->kreq.rec.ev.res = ret;
		return IOEVQ_DONE;
	}
	aio_attempt_over(aio, ret);
	return 0;
}

/* What nobody has to be asked about: all is in memory. Returns 0, IOEVQ_DONE or -EAGAIN. */
static int aio_from_memory(struct ioevq_aio *aio)
{
	struct ioevq_resident resident;
	int ret;

	if (aio->run || aio->at_position || aio->rw != READ ||
	    !ioevq_resident_get(&resident, aio->kiocb.ki_filp, aio->pos, aio->len))
		return -EAGAIN;
	ret = aio_try(aio, 0, false);
	ioevq_resident_put(&resident);
	return ret;
}

static int aio_begin(struct ioevq_aio *aio, bool after)
{
	int flags = aio->kiocb.ki_flags & (IOCB_NOWAIT | IOCB_NOIO);
	int ret;

	/* The caller's own RWF_NOWAIT: one attempt, and its answer as it is. */
	if (flags & IOCB_NOWAIT)
		return aio_try(aio, flags, false);
	aio->waits_for_pages = can_wait_for_pages(aio);
	if (after)
		aio_need_env(aio);
	if (after && ioevq_order_hold(aio))
		return 0;
	if (aio_needs_lane(aio)) {
		ret = aio_from_memory(aio);
		if (ret != -EAGAIN)
			return ret;
		aio_punt(aio);
		return 0;
	}
	/* To start reading may block for metadata, or in the device's queue. */
	return aio_try(aio, aio->waits_for_pages ? IOCB_NOWAIT | IOCB_NOIO : IOCB_NOWAIT, true);
}

/*
 * Accept and start it, @after all earlier ones on the file. Returns 0: there will be an
 * event, or IOEVQ_DONE. In the submitter's context, under queue->mutex.
 */
int ioevq_aio_start(struct ioevq_aio *aio, bool after)
{
	struct ioevq_queue *q = aio->kreq.q;
	struct file *file = get_file(aio->kiocb.ki_filp);
	int ret;

	INIT_LIST_HEAD(&aio->item.node);
	aio->item.run = aio_run;
	spin_lock_irq(&q->lock);
	q->inflight++;
	WRITE_ONCE(aio->kreq.state, IOEVQ_LIVE);
	spin_unlock_irq(&q->lock);

	ret = aio_begin(aio, after);
	if (ret == IOEVQ_DONE) {
		fput(file);
		ioevq_aio_release(&aio->kreq);
		ioevq_queue_put_inflight(q);
	}
	ioevq_queue_fput(q, file);
	return ret;
}

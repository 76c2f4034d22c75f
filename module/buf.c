// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registered buffers: memory whose pages are found and pinned once, and then read into and
 * written from until it is dropped, whatever becomes of the mapping and of the process.
 *
 * The table is the queue's. Besides it each request under way holds its buffer, until
 * it is swept: giving pages back may sleep, and I/O completes in interrupts.
 */
#include <linux/bvec.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "buf.h"
#include "compat/compat.h"
#include "point.h"
#include "req.h"

/* So many pages at once: where all are present they are pinned with interrupts off. */
#define PIN_BATCH	512UL

/* What is contiguous in physical memory is one run: a huge page is, for example. */
struct ioevq_buf {
	refcount_t refs;		/* of the table and of requests */
	u64 addr;			/* as registered; compared, never used */
	u32 len;
	unsigned long nr_pages;
	unsigned long charged;		/* pages */
	struct ioevq_buf *payer;	/* who is charged for a huge page that this has a part of */
	struct user_struct *user;	/* who is charged, NULL: who may lock what it likes */
	struct mm_struct *mm;		/* whose statistics; only its structure is held */
	u32 nr_runs;
	struct bio_vec *runs;
	u32 *starts;			/* of runs, in bytes; behind them in the same object */
};

/*
 * As for io_uring, which has the same counter, the limit is that of the user: were it
 * that of a process each child could pin as much again, and what the process has locked
 * by mlock(2) is another matter. It is given back without the process, too.
 */
static void charge_begin(struct ioevq_buf *buf)
{
	if (!capable(CAP_IPC_LOCK))
		buf->user = get_uid(current_user());
	mmgrab(current->mm);
	buf->mm = current->mm;
}

static int charge(struct ioevq_buf *buf, unsigned long nr_pages)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	long old;

	if (buf->user) {
		old = atomic_long_read(&buf->user->locked_vm);
		do {
			if ((unsigned long)old + nr_pages > limit)
				return -ENOMEM;
		} while (!atomic_long_try_cmpxchg(&buf->user->locked_vm, &old, old + nr_pages));
	}
	/* For VmPin in /proc/PID/status. */
	atomic64_add(nr_pages, &buf->mm->pinned_vm);
	buf->charged += nr_pages;
	return 0;
}

static void uncharge(struct ioevq_buf *buf, unsigned long nr_pages)
{
	if (buf->user)
		atomic_long_sub(nr_pages, &buf->user->locked_vm);
	atomic64_sub(nr_pages, &buf->mm->pinned_vm);
	buf->charged -= nr_pages;
}

static void charge_end(struct ioevq_buf *buf)
{
	if (!buf->mm)
		return;
	uncharge(buf, buf->charged);
	if (buf->user)
		free_uid(buf->user);
	mmdrop(buf->mm);
}

/* The last huge page of a registration, and who is charged for it. */
struct huge {
	struct page *head;		/* only compared */
	struct ioevq_buf *payer;
};

/*
 * What is part of a huge page pins it whole. That counts once where it is met again at once, as
 * in buffers side by side, and then its payer stays. Pages were charged one by one.
 */
static int charge_huge(struct ioevq_buf *buf, struct page **pages, struct huge *huge)
{
	unsigned long want = 0, i;
	struct page *head;

	for (i = 0; i < buf->nr_pages; i++) {
		head = compound_head(pages[i]);
		if (!PageCompound(head)) {
			want++;
		} else if (head != huge->head) {
			want += compound_nr(head);
			huge->head = head;
			huge->payer = buf;
		} else if (huge->payer != buf && !buf->payer) {
			refcount_inc(&huge->payer->refs);
			buf->payer = huge->payer;
		}
	}
	if (want > buf->charged)
		return charge(buf, want - buf->charged);
	uncharge(buf, buf->charged - want);
	return 0;
}

static unsigned long pages_of(const struct bio_vec *run)
{
	return DIV_ROUND_UP((unsigned long)run->bv_offset + run->bv_len, PAGE_SIZE);
}

/* Takes what is made in part, too. May sleep. */
static void buf_free(struct ioevq_buf *buf)
{
	u32 i;

	for (i = 0; i < buf->nr_runs; i++) {
		unpin_user_page_range_dirty_lock(buf->runs[i].bv_page, pages_of(&buf->runs[i]),
						 true);
		cond_resched();
	}
	kvfree(buf->runs);
	charge_end(buf);
	kfree(buf);
}

/* In process context, where one may sleep. */
void ioevq_buf_put(struct ioevq_buf *buf)
{
	might_sleep();
	ioevq_point(IOEVQ_POINT_BUF_PUT);
	while (buf && refcount_dec_and_test(&buf->refs)) {
		struct ioevq_buf *payer = buf->payer;

		buf_free(buf);
		buf = payer;
	}
}

/* All of them or none. The memory must be writable: files are read into it. */
static int pin(unsigned long addr, unsigned long nr_pages, struct page **pages)
{
	unsigned long done = 0, i;
	int ret;

	while (done < nr_pages) {
		/* To fault in as much as is allowed takes a while. */
		ret = fatal_signal_pending(current) ? -EINTR :
		      pin_user_pages_fast(addr + done * PAGE_SIZE, min(nr_pages - done, PIN_BATCH),
					  FOLL_WRITE | FOLL_LONGTERM, pages + done);
		if (ret <= 0) {
			/* Whatever may be wrong with the page. */
			if (ret != -ENOMEM && ret != -EINTR)
				ret = -EFAULT;
			goto undo;
		}
		done += ret;
		ioevq_point(IOEVQ_POINT_PIN);
		cond_resched();
	}
	for (i = 0; i < nr_pages; i++) {
		if (compat_is_written_back(pages[i])) {
			ret = -EFAULT;
			goto undo;
		}
	}
	return 0;
undo:
	unpin_user_pages(pages, done);
	return ret;
}

/*
 * Is @next the page behind @page, to the device? Memory of devices may look so and belong
 * to different ones.
 */
static bool is_behind(struct page *next, struct page *page)
{
	return page_to_pfn(next) == page_to_pfn(page) + 1 &&
	       !is_zone_device_page(next) && !is_zone_device_page(page);
}

static int make_runs(struct ioevq_buf *buf, struct page **pages)
{
	u32 left = buf->len, nr_runs = 1, len;
	struct bio_vec *run;
	unsigned long i;

	for (i = 1; i < buf->nr_pages; i++)
		nr_runs += !is_behind(pages[i], pages[i - 1]);
	buf->runs = kvcalloc(nr_runs, sizeof(*buf->runs) + sizeof(*buf->starts),
			     GFP_KERNEL_ACCOUNT);
	if (!buf->runs)
		return -ENOMEM;
	buf->nr_runs = nr_runs;
	buf->starts = (u32 *)(buf->runs + nr_runs);

	run = buf->runs;
	run->bv_page = pages[0];
	run->bv_offset = offset_in_page(buf->addr);
	for (i = 0; i < buf->nr_pages; i++) {
		if (i && !is_behind(pages[i], pages[i - 1])) {
			run++;
			run->bv_page = pages[i];
			buf->starts[run - buf->runs] = buf->len - left;
		}
		len = min_t(u32, left, PAGE_SIZE - (i ? 0 : run->bv_offset));
		run->bv_len += len;
		left -= len;
	}
	return 0;
}

static int buf_fill(struct ioevq_buf *buf, const struct ioevq_buffer *want, struct huge *huge)
{
	unsigned long addr = want->addr;
	struct page **pages;
	int err;

	if (!want->len || want->len > IOEVQ_MAX_BUFFER_SIZE)
		return -EINVAL;
	if (want->addr != addr || !access_ok((void __user *)addr, want->len))
		return -EFAULT;
	buf->addr = addr;
	buf->len = want->len;
	buf->nr_pages = DIV_ROUND_UP(offset_in_page(addr) + want->len, PAGE_SIZE);
	charge_begin(buf);
	err = charge(buf, buf->nr_pages);
	if (err)
		return err;
	pages = kvmalloc_array(buf->nr_pages, sizeof(*pages), GFP_KERNEL_ACCOUNT);
	if (!pages)
		return -ENOMEM;
	err = pin(addr & PAGE_MASK, buf->nr_pages, pages);
	if (!err) {
		err = charge_huge(buf, pages, huge) ?: make_runs(buf, pages);
		if (err)
			unpin_user_pages(pages, buf->nr_pages);
	}
	kvfree(pages);
	return err;
}

static struct ioevq_buf *buf_make(const struct ioevq_buffer __user *user, struct huge *huge)
{
	struct ioevq_buffer want;
	struct ioevq_buf *buf;
	int err;

	if (copy_from_user(&want, user, sizeof(want)))
		return ERR_PTR(-EFAULT);
	buf = kzalloc(sizeof(*buf), GFP_KERNEL_ACCOUNT);
	if (!buf)
		return ERR_PTR(-ENOMEM);
	refcount_set(&buf->refs, 1);
	err = buf_fill(buf, &want, huge);
	if (err) {
		ioevq_buf_put(buf);
		return ERR_PTR(err);
	}
	return buf;
}

static void put_all(struct ioevq_buf **bufs, u32 nr)
{
	while (nr--)
		ioevq_buf_put(bufs[nr]);
	kvfree(bufs);
}

static int install(struct ioevq_queue *q, struct ioevq_buf **bufs, u32 nr)
{
	int err = 0;

	if (mutex_lock_interruptible(&q->mutex))
		return -EINTR;
	if (q->bufs) {
		err = -EBUSY;
	} else {
		q->bufs = bufs;
		WRITE_ONCE(q->nr_bufs, nr);
	}
	ioevq_unlock(q);
	return err;
}

/*
 * Without the mutex: memory may come from where it takes as long as somebody else wants,
 * and others submit meanwhile.
 */
int ioevq_bufs_register(struct ioevq_queue *q, u64 addr, u32 nr)
{
	const struct ioevq_buffer __user *user = u64_to_user_ptr(addr);
	struct huge huge = { };
	struct ioevq_buf **bufs;
	u32 done;
	int err = 0;

	if (!nr || nr > IOEVQ_MAX_BUFFERS)
		return -EINVAL;
	/* Told again below, and in time here. */
	if (READ_ONCE(q->nr_bufs))
		return -EBUSY;
	bufs = kvcalloc(nr, sizeof(*bufs), GFP_KERNEL_ACCOUNT);
	if (!bufs)
		return -ENOMEM;
	for (done = 0; done < nr; done++) {
		bufs[done] = buf_make(user + done, &huge);
		if (IS_ERR(bufs[done])) {
			err = PTR_ERR(bufs[done]);
			break;
		}
	}
	if (!err)
		err = install(q, bufs, nr);
	if (err)
		put_all(bufs, done);
	return err;
}

/* Nobody else has the mutex, or it is held. */
static struct ioevq_buf **take_table(struct ioevq_queue *q, u32 *nr)
{
	struct ioevq_buf **bufs = q->bufs;

	*nr = q->nr_bufs;
	q->bufs = NULL;
	WRITE_ONCE(q->nr_bufs, 0);
	return bufs;
}

/* Requests under way keep theirs; those that are done give them back first. */
int ioevq_bufs_unregister(struct ioevq_queue *q)
{
	struct ioevq_buf **bufs;
	u32 nr;

	if (mutex_lock_interruptible(&q->mutex))
		return -EINTR;
	ioevq_sweep(q);
	bufs = take_table(q, &nr);
	ioevq_unlock(q);
	if (!bufs)
		return -ENOENT;
	put_all(bufs, nr);
	return 0;
}

/* At the last close. */
void ioevq_bufs_drop(struct ioevq_queue *q)
{
	struct ioevq_buf **bufs;
	u32 nr;

	bufs = take_table(q, &nr);
	put_all(bufs, nr);
}

/* The last run that does not start behind @at. */
static u32 find_run(const struct ioevq_buf *buf, u32 at)
{
	u32 low = 0, high = buf->nr_runs - 1, middle;

	while (low < high) {
		middle = high - (high - low) / 2;
		if (buf->starts[middle] <= at)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

/*
 * The buffer of a request, with a reference, and @iter over the part that it asks for.
 * Under queue->mutex. Returns an error pointer: -EINVAL, no such buffer, -EFAULT, not
 * inside of it.
 */
struct ioevq_buf *ioevq_buf_get(struct ioevq_queue *q, const struct ioevq_req *req, int rw,
				struct iov_iter *iter)
{
	struct ioevq_buf *buf;
	u32 run, skip;
	u64 at;

	lockdep_assert_held(&q->mutex);

	if (req->buf_index >= q->nr_bufs)
		return ERR_PTR(-EINVAL);
	buf = q->bufs[array_index_nospec(req->buf_index, q->nr_bufs)];
	at = req->addr - buf->addr;
	if (req->addr < buf->addr || at > buf->len || req->len > buf->len - at)
		return ERR_PTR(-EFAULT);
	run = find_run(buf, at);
	skip = at - buf->starts[run];
	iov_iter_bvec(iter, rw, buf->runs + run, buf->nr_runs - run, skip + req->len);
	iov_iter_advance(iter, skip);
	refcount_inc(&buf->refs);
	return buf;
}

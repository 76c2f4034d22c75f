// SPDX-License-Identifier: GPL-2.0-only
/* READ, WRITE and FSYNC: what is refused. On streams, READ and WRITE are done in stream.c. */
#include <linux/backing-dev.h>
#include <linux/file.h>
#include <linux/ioprio.h>
#include <linux/magic.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/writeback.h>

#include "aio.h"
#include "buf.h"
#include "compat/compat.h"
#include "stream.h"

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

/* The file is the request's from now on. */
static void aio_take_file(struct ioevq_aio *aio, struct file *file, int fd)
{
	aio->kiocb.ki_filp = file;
	aio->kreq.file = file;
	aio->kreq.fd = fd;
}

/* File and direction. */
static int aio_check(struct ioevq_aio *aio, fmode_t need)
{
	struct file *file = aio->kiocb.ki_filp;
	umode_t type = file_inode(file)->i_mode;

	if (S_ISDIR(type))
		return -EISDIR;
	if (!S_ISREG(type) && !S_ISBLK(type))
		return -ESPIPE;
	if (S_ISREG(type) && !is_kept(file))
		return -EOPNOTSUPP;
	if (need && !(file->f_mode & need))
		return -EBADF;
	if (need && !aio->at_position &&
	    !(file->f_mode & (need == FMODE_READ ? FMODE_PREAD : FMODE_PWRITE)))
		return -ESPIPE;
	return ioevq_user_need_workers(aio->kreq.q->user);
}

/* The vector is ours, and charged: import_iovec() takes it as it would its own. */
static ssize_t import_vector(const struct ioevq_req *req, int rw, struct iov_iter *iter,
			     struct iovec **vector)
{
	struct iovec *iov;

	if (req->len > UIO_MAXIOV)
		return -EINVAL;
	*vector = kcalloc(max_t(u64, req->len, 1), sizeof(*iov), GFP_KERNEL_ACCOUNT);
	if (!*vector)
		return -ENOMEM;
	iov = *vector;
	return import_iovec(rw, u64_to_user_ptr(req->addr), req->len, max_t(u64, req->len, 1),
			    &iov, iter);
}

/* The mm has no part in it, and the memory is the buffer's until the request is swept. */
static ssize_t aio_import_fixed(struct ioevq_aio *aio, const struct ioevq_req *req)
{
	struct ioevq_buf *buf;

	if (req->op_flags & IOEVQ_RW_VECTOR)
		return -EINVAL;
	buf = ioevq_buf_get(aio->kreq.q, req, aio->rw, &aio->iter);
	if (IS_ERR(buf))
		return PTR_ERR(buf);
	aio->buf = buf;
	return req->len;
}

/*
 * The memory that a request names, and how much of it. What *@vector is, if not NULL, is the
 * caller's to free, after an error, too.
 */
ssize_t ioevq_import(const struct ioevq_req *req, int rw, struct iov_iter *iter,
		     struct iovec **vector)
{
	void __user *addr = u64_to_user_ptr(req->addr);
	size_t len = min_t(u64, req->len, MAX_RW_COUNT);

	if (req->buf_index)
		return -EINVAL;
	if (req->op_flags & IOEVQ_RW_VECTOR)
		return import_vector(req, rw, iter, vector);
	if ((s64)req->len < 0)
		return -EINVAL;
	if (req->addr != (unsigned long)req->addr || !access_ok(addr, len))
		return -EFAULT;
	iov_iter_ubuf(iter, rw, addr, len);
	return len;
}

/*
 * Is there room at @pos? The size may change until the write is done, by others, too: then it
 * is for the file system to say that, of whoever does it. See ioevq_env_enter().
 */
static int check_size_limit(struct ioevq_aio *aio, loff_t pos)
{
	struct inode *inode = file_inode(aio->kiocb.ki_filp);
	unsigned long limit = rlimit(RLIMIT_FSIZE);

	if (aio->rw != WRITE || limit == RLIM_INFINITY || !aio->len || !S_ISREG(inode->i_mode))
		return 0;
	if (aio->kiocb.ki_flags & IOCB_APPEND)
		/* Without the lock, as above. */
		pos = data_race(i_size_read(inode));
	if (pos >= limit) {
		send_sig(SIGXFSZ, current, 0);
		return -EFBIG;
	}
	aio->len = min_t(u64, aio->len, limit - pos);
	iov_iter_truncate(&aio->iter, aio->len);
	return 0;
}

static int aio_prepare(struct ioevq_aio *aio, const struct ioevq_req *req)
{
	struct kiocb *kiocb = &aio->kiocb;
	struct file *file = kiocb->ki_filp;
	ssize_t len;
	int err;

	aio->at_position = req->off == IOEVQ_POSITION;
	err = aio_check(aio, aio->rw == WRITE ? FMODE_WRITE : FMODE_READ);
	if (err)
		return err;
	if (aio->rw == WRITE ? !file->f_op->write_iter : !file->f_op->read_iter)
		return -EINVAL;
	if ((s64)req->off < 0 && !aio->at_position)
		return -EINVAL;
	/* That waits, for others or in a lane. */
	if (req->op_arg & (__force u32)RWF_NOWAIT &&
	    (aio->at_position || req->flags & IOEVQ_REQ_AFTER))
		return -EINVAL;
	if (req->op_arg & ~(__force u32)IOEVQ_RWF_KNOWN)
		return -EOPNOTSUPP;
	aio->pos = aio->at_position ? 0 : req->off;
	kiocb->ki_complete = ioevq_aio_complete;
	kiocb->ki_flags = file->f_iocb_flags | (aio->rw == WRITE ? IOCB_WRITE : 0);
	kiocb->ki_ioprio = get_current_ioprio();
	err = compat_kiocb_set_rw_flags(kiocb, (__force rwf_t)req->op_arg, aio->rw);
	if (err)
		return err;
	kiocb->ki_flags &= ~IOCB_HIPRI;
	len = req->op_flags & IOEVQ_RW_FIXED ?
	      aio_import_fixed(aio, req) : ioevq_import(req, aio->rw, &aio->iter, &aio->iov);
	if (len < 0)
		return len;
	aio->len = len;
	err = rw_verify_area(aio->rw, file, &aio->pos, aio->len);
	if (err < 0)
		return err;
	/* Earlier requests may move the position on: then it has no room later. */
	return check_size_limit(aio, aio->at_position ? READ_ONCE(file->f_pos) : aio->pos);
}

/* Of what has ended or was refused: here one may sleep. */
static void aio_release(struct ioevq_kreq *kreq)
{
	ioevq_buf_put(to_aio(kreq)->buf);
	ioevq_aio_release(kreq);
}

static void aio_refuse(struct ioevq_aio *aio)
{
	fput(aio->kiocb.ki_filp);
	aio_release(&aio->kreq);
}

static int aio_submit(struct ioevq_kreq *kreq, const struct ioevq_req *req, int rw)
{
	struct ioevq_aio *aio = to_aio(kreq);
	struct file *file = fget(req->fd);
	bool after;
	int err;

	if (!file)
		return -EBADF;
	if (ioevq_is_stream(file)) {
		err = ioevq_stream_submit(kreq, file, req, rw);
		ioevq_queue_fput(kreq->q, file);
		return err;
	}
	aio_take_file(aio, file, req->fd);
	aio->rw = rw;
	err = aio_prepare(aio, req);
	/* What moves the position does so in the order of submission. */
	after = aio->at_position || req->flags & IOEVQ_REQ_AFTER;
	if (!err && after)
		err = ioevq_order_prepare(aio);
	if (err) {
		aio_refuse(aio);
		return err;
	}
	err = ioevq_aio_start(aio, after);
	if (err == IOEVQ_DONE)
		ioevq_buf_put(aio->buf);
	return err;
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

static loff_t last_byte(const struct ioevq_aio *aio)
{
	return aio->len ? aio->pos + (loff_t)aio->len - 1 : LLONG_MAX;
}

static long run_fsync(struct ioevq_aio *aio)
{
	return vfs_fsync_range(aio->kiocb.ki_filp, aio->pos, last_byte(aio),
			       aio->op_flags & IOEVQ_FSYNC_DATASYNC);
}

#define FSYNC_RANGE	(IOEVQ_FSYNC_WAIT_BEFORE | IOEVQ_FSYNC_WRITE | IOEVQ_FSYNC_WAIT_AFTER)

/* As sync_file_range(2), which is not exported. All three: what is dirty now is written. */
static long run_sync_range(struct ioevq_aio *aio)
{
	bool all = (aio->op_flags & FSYNC_RANGE) == FSYNC_RANGE;
	struct writeback_control wbc = {
		.sync_mode = all ? WB_SYNC_ALL : WB_SYNC_NONE,
		.nr_to_write = LONG_MAX,
		.range_start = aio->pos,
		.range_end = last_byte(aio),
	};
	struct file *file = aio->kiocb.ki_filp;
	long ret = 0;

	if (aio->op_flags & IOEVQ_FSYNC_WAIT_BEFORE)
		ret = file_fdatawait_range(file, aio->pos, last_byte(aio));
	if (!ret && aio->op_flags & IOEVQ_FSYNC_WRITE)
		ret = filemap_fdatawrite_wbc(file->f_mapping, &wbc);
	if (!ret && aio->op_flags & IOEVQ_FSYNC_WAIT_AFTER)
		ret = file_fdatawait_range(file, aio->pos, last_byte(aio));
	return ret;
}

static int fsync_prepare(struct ioevq_aio *aio, const struct ioevq_req *req)
{
	s64 end;
	int err;

	if ((s64)req->off < 0 || (s64)req->len < 0 ||
	    check_add_overflow((s64)req->off, (s64)req->len, &end) ||
	    (req->op_flags & IOEVQ_FSYNC_DATASYNC && req->op_flags & FSYNC_RANGE))
		return -EINVAL;
	err = aio_check(aio, 0);
	if (err)
		return err;
	aio->run = req->op_flags & FSYNC_RANGE ? run_sync_range : run_fsync;
	if (aio->run == run_fsync && !aio->kiocb.ki_filp->f_op->fsync)
		return -EINVAL;
	aio->op_flags = req->op_flags;
	aio->pos = req->off;
	aio->len = req->len;
	return 0;
}

static int fsync_submit(struct ioevq_queue *q, struct ioevq_kreq *kreq,
			const struct ioevq_req *req)
{
	struct ioevq_aio *aio = to_aio(kreq);
	struct file *file = fget(req->fd);
	bool after = req->flags & IOEVQ_REQ_AFTER;
	int err;

	if (!file)
		return -EBADF;
	aio_take_file(aio, file, req->fd);
	err = fsync_prepare(aio, req);
	if (!err && after)
		err = ioevq_order_prepare(aio);
	if (err) {
		aio_refuse(aio);
		return err;
	}
	return ioevq_aio_start(aio, after);
}

/* It is not known which before the file is. */
union rw_request {
	struct ioevq_aio aio;
	struct ioevq_stream stream;
};

#define AIO_SOURCE(_object, _submit, _op_flags, _uses)				\
	{									\
		.size = sizeof(_object),					\
		.op_flags = _op_flags,						\
		.req_flags = IOEVQ_REQ_SKIP_SUCCESS | IOEVQ_REQ_AFTER,		\
		.has_result = true,						\
		.uses = IOEVQ_USES_FD | (_uses),				\
		.submit = _submit,						\
		.cancel = ioevq_aio_cancel,						\
		.release = aio_release,						\
	}
#define RW_USES		(IOEVQ_USES_ADDR | IOEVQ_USES_LEN | IOEVQ_USES_OFF | IOEVQ_USES_ARG | \
			 IOEVQ_USES_BUF)
#define RW_FLAGS	(IOEVQ_RW_VECTOR | IOEVQ_RW_FIXED)

const struct ioevq_source ioevq_src_read =
	AIO_SOURCE(union rw_request, read_submit, RW_FLAGS, RW_USES);
const struct ioevq_source ioevq_src_write =
	AIO_SOURCE(union rw_request, write_submit, RW_FLAGS, RW_USES);
const struct ioevq_source ioevq_src_fsync =
	AIO_SOURCE(struct ioevq_aio, fsync_submit, IOEVQ_FSYNC_DATASYNC | FSYNC_RANGE,
		   IOEVQ_USES_OFF | IOEVQ_USES_LEN);

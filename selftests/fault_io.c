// SPDX-License-Identifier: GPL-2.0-only
/* Law 1 when something fails: READ, WRITE and FSYNC, on files, block devices and streams. */
#include "fault_batch.h"
#include "slow_disk.h"

#define IN_VECTOR	4

/* How it is asked for: arg of a row. */
enum {
	OP = 0xff,		/* the operation */
	VECTOR = 0x100,
	FIXED = 0x200,
	POSITION = 0x400,
	AFTER = 0x800,
	DSYNC = 0x1000,
	NOWAIT = 0x2000,
	RANGE = 0x4000,
};

static int make_tmpfs(struct world *w)
{
	if (store_make(&w->s, STORE_TMPFS, 0))
		return -1;
	w->fd = w->s.fd;
	return ftruncate(w->fd, 16 * PAGE);
}

static int make_ext4(struct world *w)
{
	if (store_make(&w->s, STORE_EXT4, 0))
		return -1;
	w->fd = w->s.fd;
	return ftruncate(w->fd, 16 * PAGE) || fsync(w->fd);
}

static void end_store(struct world *w)
{
	store_end(&w->s);
}

static int make_disk(struct world *w)
{
	w->fd = slow_disk_make(0, 10000);
	return w->fd < 0;
}

static int make_direct(struct world *w)
{
	w->fd = slow_disk_make(O_DIRECT, 10000);
	return w->fd < 0;
}

static void end_disk(struct world *w)
{
	slow_disk_end(w->fd);
}

static int cool(struct world *w)
{
	return fsync(w->fd) || posix_fadvise(w->fd, 0, 0, POSIX_FADV_DONTNEED);
}

/* One page, in the second one of the file. */
static int ask(struct world *w)
{
	unsigned int op = row_arg & OP, i;
	struct ioevq_req *req = &w->req, first;

	if (op == IOEVQ_OP_FSYNC) {
		ioevq_prep_fsync(req, w->fd, 0, OURS);
		if (row_arg & RANGE)
			req->op_flags = IOEVQ_FSYNC_WRITE | IOEVQ_FSYNC_WAIT_AFTER;
	} else {
		ioevq_prep_rw(req, op, w->fd, w->buf, PAGE, PAGE, OURS);
	}
	if (row_arg & VECTOR) {
		for (i = 0; i < IN_VECTOR; i++)
			w->iov[i] = (struct iovec){ w->buf + i * PAGE / IN_VECTOR,
						    PAGE / IN_VECTOR };
		req->addr = (uintptr_t)w->iov;
		req->len = IN_VECTOR;
		req->op_flags = IOEVQ_RW_VECTOR;
	}
	if (row_arg & FIXED) {
		if (register_one(&w->q, w->buf, PAGE))
			return -1;
		req->op_flags = IOEVQ_RW_FIXED;
	}
	if (row_arg & POSITION)
		req->off = IOEVQ_POSITION;
	if (row_arg & DSYNC)
		req->op_arg = RWF_DSYNC;
	if (row_arg & NOWAIT)
		req->op_arg = RWF_NOWAIT;
	if (row_arg & AFTER) {
		ioevq_prep_fsync(&first, w->fd, 0, FIRST);
		req->flags = IOEVQ_REQ_AFTER;
		w->others = 1;
		return submit(&w->q, &first);
	}
	return 0;
}

/* The cache is cold. */
static int ask_cold(struct world *w)
{
	return cool(w) || ask(w);
}

static int rewind_it(struct world *w)
{
	/* No buffer of the queue remains: its requests were swept. */
	if (row_arg & FIXED && ioevq_unregister_buffers(&w->q))
		return -1;
	return lseek(w->fd, 0, SEEK_SET);
}

#define FILE_ROW(_make, _end, _before, _arg, ...)			\
	ROW(.make = _make, .end = _end, .before = _before, .after = rewind_it,	\
	    .arg = _arg, .enomem = 1, .ends = true, __VA_ARGS__)
#define TMPFS(_arg, ...)						\
	FILE_ROW(make_tmpfs, end_store, ask, _arg, __VA_ARGS__)
#define EXT4(_arg, ...)						\
	FILE_ROW(make_ext4, end_store, ask_cold, _arg, __VA_ARGS__)
#define DIRECT(_arg, ...)					\
	FILE_ROW(make_direct, end_disk, ask, _arg, __VA_ARGS__)

FIXTURE_VARIANT_ADD(batch, read)
	TMPFS(IOEVQ_OP_READ);
FIXTURE_VARIANT_ADD(batch, write)
	TMPFS(IOEVQ_OP_WRITE);
FIXTURE_VARIANT_ADD(batch, readv)
	TMPFS(IOEVQ_OP_READ | VECTOR);
FIXTURE_VARIANT_ADD(batch, writev)
	TMPFS(IOEVQ_OP_WRITE | VECTOR);
FIXTURE_VARIANT_ADD(batch, read_fixed)
	TMPFS(IOEVQ_OP_READ | FIXED);
FIXTURE_VARIANT_ADD(batch, write_fixed)
	TMPFS(IOEVQ_OP_WRITE | FIXED);
FIXTURE_VARIANT_ADD(batch, read_position)
	TMPFS(IOEVQ_OP_READ | POSITION);
FIXTURE_VARIANT_ADD(batch, write_position)
	TMPFS(IOEVQ_OP_WRITE | POSITION);
FIXTURE_VARIANT_ADD(batch, write_after)
	TMPFS(IOEVQ_OP_WRITE | AFTER);
FIXTURE_VARIANT_ADD(batch, fsync)
	TMPFS(IOEVQ_OP_FSYNC);
FIXTURE_VARIANT_ADD(batch, fsync_after)
	TMPFS(IOEVQ_OP_FSYNC | AFTER);
FIXTURE_VARIANT_ADD(batch, read_skip)
	TMPFS(IOEVQ_OP_READ, .skip = true);
FIXTURE_VARIANT_ADD(batch, fsync_skip)
	TMPFS(IOEVQ_OP_FSYNC, .skip = true);

FIXTURE_VARIANT_ADD(batch, ext4_read)
	EXT4(IOEVQ_OP_READ);
FIXTURE_VARIANT_ADD(batch, ext4_readv)
	EXT4(IOEVQ_OP_READ | VECTOR);
FIXTURE_VARIANT_ADD(batch, ext4_write)
	EXT4(IOEVQ_OP_WRITE);
FIXTURE_VARIANT_ADD(batch, ext4_write_dsync)
	EXT4(IOEVQ_OP_WRITE | DSYNC);
FIXTURE_VARIANT_ADD(batch, ext4_fsync)
	EXT4(IOEVQ_OP_FSYNC);
FIXTURE_VARIANT_ADD(batch, ext4_sync_range)
	EXT4(IOEVQ_OP_FSYNC | RANGE);
FIXTURE_VARIANT_ADD(batch, ext4_read_skip)
	EXT4(IOEVQ_OP_READ, .skip = true);

FIXTURE_VARIANT_ADD(batch, disk_read)
	FILE_ROW(make_disk, end_disk, ask_cold, IOEVQ_OP_READ);
FIXTURE_VARIANT_ADD(batch, disk_write)
	FILE_ROW(make_disk, end_disk, ask_cold, IOEVQ_OP_WRITE);
FIXTURE_VARIANT_ADD(batch, direct_read)
	DIRECT(IOEVQ_OP_READ);
FIXTURE_VARIANT_ADD(batch, direct_write)
	DIRECT(IOEVQ_OP_WRITE);
FIXTURE_VARIANT_ADD(batch, direct_readv)
	DIRECT(IOEVQ_OP_READ | VECTOR);
FIXTURE_VARIANT_ADD(batch, direct_write_fixed)
	DIRECT(IOEVQ_OP_WRITE | FIXED);
FIXTURE_VARIANT_ADD(batch, direct_fsync)
	DIRECT(IOEVQ_OP_FSYNC);

static int make_a_pipe(struct world *w)
{
	return make_pipe(&w->t);
}

static int make_unix_pair(struct world *w)
{
	return make_unix_stream(&w->t);
}

static int make_tcp_pair(struct world *w)
{
	return make_tcp(&w->t);
}

static int make_udp_pair(struct world *w)
{
	return make_udp(&w->t);
}

/* From a stream, where nothing is. */
static int ask_empty(struct world *w)
{
	w->fd = w->t.fd;
	if (ask(w))
		return -1;
	w->req.off = IOEVQ_POSITION;
	return 0;
}

/* Where something is. */
static int ask_full(struct world *w)
{
	memset(w->buf + PAGE, 'x', PAGE);
	return write(w->t.peer, w->buf + PAGE, PAGE) != PAGE || !kind_poll(w->t.fd, POLLIN) ||
	       ask_empty(w);
}

/* To the other end. */
static int tell(struct world *w)
{
	w->fd = w->t.peer;
	if (ask(w))
		return -1;
	w->req.off = IOEVQ_POSITION;
	return 0;
}

/* Empty it, whatever was read or written. */
static int drain_stream(struct world *w)
{
	return kind_drain_fd(w->t.fd);
}

#define STREAM(_make, _before, _arg, ...)			\
	ROW(.make = _make, .before = _before, .after = drain_stream, .arg = _arg,	\
	    .enomem = 1, __VA_ARGS__)

FIXTURE_VARIANT_ADD(batch, pipe_read)
	STREAM(make_a_pipe, ask_full, IOEVQ_OP_READ, .res = PAGE);
FIXTURE_VARIANT_ADD(batch, pipe_readv)
	STREAM(make_a_pipe, ask_full, IOEVQ_OP_READ | VECTOR, .res = PAGE);
FIXTURE_VARIANT_ADD(batch, pipe_read_waits)
	STREAM(make_a_pipe, ask_empty, IOEVQ_OP_READ, .res = -ECANCELED);
FIXTURE_VARIANT_ADD(batch, pipe_readv_waits)
	STREAM(make_a_pipe, ask_empty, IOEVQ_OP_READ | VECTOR, .res = -ECANCELED);
FIXTURE_VARIANT_ADD(batch, pipe_read_nowait)
	STREAM(make_a_pipe, ask_empty, IOEVQ_OP_READ | NOWAIT, .res = -EAGAIN);
FIXTURE_VARIANT_ADD(batch, pipe_write)
	STREAM(make_a_pipe, tell, IOEVQ_OP_WRITE, .res = PAGE);
FIXTURE_VARIANT_ADD(batch, unix_read)
	STREAM(make_unix_pair, ask_full, IOEVQ_OP_READ, .res = PAGE);
FIXTURE_VARIANT_ADD(batch, unix_read_waits)
	STREAM(make_unix_pair, ask_empty, IOEVQ_OP_READ, .res = -ECANCELED);
FIXTURE_VARIANT_ADD(batch, unix_write)
	/* alloc_skb_with_frags() */
	STREAM(make_unix_pair, tell, IOEVQ_OP_WRITE, .res = PAGE, .no_memory = -ENOBUFS);
FIXTURE_VARIANT_ADD(batch, tcp_read)
	STREAM(make_tcp_pair, ask_full, IOEVQ_OP_READ, .res = PAGE);
FIXTURE_VARIANT_ADD(batch, tcp_read_waits)
	STREAM(make_tcp_pair, ask_empty, IOEVQ_OP_READ, .res = -ECANCELED);
FIXTURE_VARIANT_ADD(batch, tcp_write)
	STREAM(make_tcp_pair, tell, IOEVQ_OP_WRITE, .res = PAGE);
FIXTURE_VARIANT_ADD(batch, udp_read_waits)
	STREAM(make_udp_pair, ask_empty, IOEVQ_OP_READ, .res = -ECANCELED);
FIXTURE_VARIANT_ADD(batch, pipe_read_skip)
	STREAM(make_a_pipe, ask_full, IOEVQ_OP_READ, .res = PAGE, .skip = true);

TEST_F_TIMEOUT(batch, law_01_io_that_fails, 600)
{
	SWEEP_BATCH();
}

TEST_HARNESS_MAIN

/* SPDX-License-Identifier: GPL-2.0-only */
/* File I/O under way; see aio.c. */
#ifndef IOEVQ_AIO_H
#define IOEVQ_AIO_H

#include <linux/fs.h>
#include <linux/pagemap.h>
#include <linux/uio.h>

#include "env.h"
#include "lane.h"
#include "req.h"

/* Flags of preadv2(2) and pwritev2(2) that READ and WRITE take. */
#define IOEVQ_RWF_KNOWN	(RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND)

struct ioevq_aio {
	struct ioevq_kreq kreq;
	struct ioevq_lane_item item;
	struct kiocb kiocb;		/* ki_filp is our reference until completion */
	struct iov_iter iter;		/* as submitted; copied for each attempt */
	struct iovec *iov;		/* what it points to, or NULL */
	struct ioevq_buf *buf;		/* the same if it is registered; until the sweep */
	loff_t pos;			/* as submitted */
	size_t len;
	size_t done;			/* by earlier attempts */
	long ret;			/* of the attempt in progress */
	atomic_t hands;			/* issuing or completing it */
	int rw;				/* READ, WRITE; if it is none of these: see run */
	long (*run)(struct ioevq_aio *aio);	/* constant; in a lane, NULL: read or write */
	u32 op_flags;			/* constant; of the operation */
	bool at_position;		/* constant; of the open file, which moves on */
	bool may_retry;			/* -EAGAIN is ours, not the caller's */
	bool waits_for_pages;		/* needs no thread meanwhile; see aio_wait_page() */
	struct wait_page_queue page;	/* for which, then */
	bool write_started;		/* holds freeze protection */
	/* Order, under queue->lock: */
	struct ioevq_gate *before;	/* waits for us to end, or NULL */
	struct ioevq_gate *gate;	/* where we are held, or may be; or NULL */
	bool held;			/* there, and in no lane */
	struct ioevq_env env;		/* for a lane */
};

static inline struct ioevq_aio *to_aio(struct ioevq_kreq *kreq)
{
	return container_of(kreq, struct ioevq_aio, kreq);
}

/* src_aio.c */
ssize_t ioevq_import(const struct ioevq_req *req, int rw, struct iov_iter *iter,
		     struct iovec **vector);

/* aio.c */
void ioevq_aio_complete(struct kiocb *kiocb, long ret);
int ioevq_aio_start(struct ioevq_aio *aio, bool after);
bool ioevq_aio_cancel(struct ioevq_kreq *kreq);
void ioevq_aio_release(struct ioevq_kreq *kreq);

/* order.c */
int ioevq_order_prepare(struct ioevq_aio *aio);
bool ioevq_order_hold(struct ioevq_aio *aio);
void ioevq_order_ended(struct ioevq_aio *aio);
bool ioevq_order_leave(struct ioevq_aio *aio);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Registered buffers; see buf.c. */
#ifndef IOEVQ_BUF_H
#define IOEVQ_BUF_H

#include <linux/uio.h>

#include "queue.h"

int ioevq_bufs_register(struct ioevq_queue *q, u64 addr, u32 nr);
int ioevq_bufs_unregister(struct ioevq_queue *q);
void ioevq_bufs_drop(struct ioevq_queue *q);
struct ioevq_buf *ioevq_buf_get(struct ioevq_queue *q, const struct ioevq_req *req, int rw,
				struct iov_iter *iter);
void ioevq_buf_put(struct ioevq_buf *buf);

#endif

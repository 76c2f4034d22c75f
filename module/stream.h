/* SPDX-License-Identifier: GPL-2.0-only */
/* READ and WRITE on pipes, FIFOs and sockets; see stream.c. */
#ifndef IOEVQ_STREAM_H
#define IOEVQ_STREAM_H

#include <linux/pipe_fs_i.h>
#include <linux/uio.h>

#include "env.h"
#include "lane.h"
#include "watch.h"

/*
 * Requests of one queue on one open file that wait, each direction in the order of their
 * submission. Only the first of a direction is woken by the file, and transfers.
 */
struct ioevq_line {
	unsigned int users;		/* queue->mutex; requests that refer to it */
	struct list_head turns[2];	/* queue->lock; by READ, WRITE */
};

struct ioevq_stream {
	struct ioevq_watch w;
	struct ioevq_lane_item item;
	struct iov_iter iter;		/* as submitted; copied for each attempt */
	struct iovec *iov;		/* what it points to, or NULL */
	size_t len;
	size_t done;			/* by earlier attempts; who transfers */
	int rw;				/* READ, WRITE */
	bool whole;			/* short is not enough */
	bool joined;			/* queue->mutex; the wait queues of the file */
	/* If it waits: */
	struct ioevq_env env;
	struct ioevq_line *line;
	struct list_head turn;		/* queue->lock; of the line, until its final event */
	bool in_lane;			/* queue->lock; a worker has it, and completes it */
	bool again;			/* queue->lock; it was woken meanwhile */
	bool stopped;			/* queue->lock; it was cancelled meanwhile */
	bool closed;			/* queue->lock; its file was closed meanwhile */
};

/* DONE: the result is there. REST: until the file wakes us. GO_ON: soon again. */
enum ioevq_outcome {
	IOEVQ_STREAM_DONE,
	IOEVQ_STREAM_REST,
	IOEVQ_STREAM_GO_ON,
};

static inline struct ioevq_stream *to_stream(struct ioevq_kreq *kreq)
{
	return container_of(kreq, struct ioevq_stream, w.kreq);
}

static inline bool ioevq_is_pipe(struct file *file)
{
	struct inode *inode = file_inode(file);

	return S_ISFIFO(inode->i_mode) && file->private_data && inode->i_pipe == file->private_data;
}

/* Is it the one to transfer? With queue->lock. */
static inline bool ioevq_stream_has_turn(struct ioevq_stream *s)
{
	return !s->in_lane && list_is_first(&s->turn, &s->line->turns[s->rw]);
}

/* stream.c */
enum ioevq_outcome ioevq_stream_transfer(struct ioevq_stream *s, struct file *file, long *res);
bool ioevq_stream_brings_files(struct ioevq_stream *s, struct file *file);
long ioevq_stream_result(struct ioevq_stream *s, long ret);
int ioevq_stream_join(struct ioevq_stream *s, struct file *file);
void ioevq_stream_run(struct ioevq_lane_item *item);
void ioevq_stream_closed(struct ioevq_fwatch *fw, bool by_close);
bool ioevq_stream_recheck(struct ioevq_kreq *kreq, bool tell);
bool ioevq_stream_cancel(struct ioevq_kreq *kreq);

/* src_stream.c */
bool ioevq_is_stream(struct file *file);
int ioevq_stream_submit(struct ioevq_kreq *kreq, struct file *file, const struct ioevq_req *req,
			int rw);

#endif

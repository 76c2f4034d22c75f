/* SPDX-License-Identifier: GPL-2.0-only */
/* How requests are found: by user data, and by the open file that they are about. */
#ifndef IOEVQ_INDEX_H
#define IOEVQ_INDEX_H

#include <linux/hash.h>
#include <linux/list.h>

struct file;
struct ioevq_kreq;

/*
 * Two hash tables that grow with the number of requests. All under queue->mutex. A
 * request stays in them from its acceptance to the sweep. Of a file the newest is first.
 */
struct ioevq_index {
	struct hlist_head *by_user_data;	/* &ioevq_kreq.by_user_data */
	struct hlist_head *by_file;		/* &ioevq_kreq.by_file */
	unsigned int bits;			/* of the size of each */
	unsigned int nr;			/* requests */
	unsigned int grow_at;			/* requests */
};

int ioevq_index_init(struct ioevq_index *index);
void ioevq_index_free(struct ioevq_index *index);
void ioevq_index_add(struct ioevq_index *index, struct ioevq_kreq *kreq);
void ioevq_index_del(struct ioevq_index *index, struct ioevq_kreq *kreq);
void ioevq_index_rename(struct ioevq_index *index, struct ioevq_kreq *kreq, u64 user_data);

/* The chains where to look; others may be in them, too. */
static inline struct hlist_head *ioevq_index_user_data(struct ioevq_index *index, u64 user_data)
{
	return &index->by_user_data[hash_64(user_data, index->bits)];
}

static inline struct hlist_head *ioevq_index_file(struct ioevq_index *index,
						  const struct file *file)
{
	return &index->by_file[hash_ptr(file, index->bits)];
}

static inline unsigned int ioevq_index_size(const struct ioevq_index *index)
{
	return 1U << index->bits;
}

#endif

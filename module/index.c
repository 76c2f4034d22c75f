// SPDX-License-Identifier: GPL-2.0-only
/* How requests are found. */
#include <linux/mm.h>
#include <linux/slab.h>

#include "req.h"

#define MIN_BITS	5
#define GROW_BITS	2

static struct hlist_head *alloc_heads(unsigned int bits)
{
	return kvcalloc(1U << bits, sizeof(struct hlist_head), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
}

/* Returns 0 or -ENOMEM. */
int ioevq_index_init(struct ioevq_index *index)
{
	index->by_user_data = alloc_heads(MIN_BITS);
	index->by_file = alloc_heads(MIN_BITS);
	index->bits = MIN_BITS;
	index->grow_at = 1U << MIN_BITS;
	if (index->by_user_data && index->by_file)
		return 0;
	ioevq_index_free(index);
	return -ENOMEM;
}

void ioevq_index_free(struct ioevq_index *index)
{
	kvfree(index->by_user_data);
	kvfree(index->by_file);
}

static void insert_user_data(struct ioevq_index *index, struct ioevq_kreq *kreq)
{
	hlist_add_head(&kreq->by_user_data,
		       ioevq_index_user_data(index, kreq->rec.ev.user_data));
}

/* It may be closed at this moment: then it is looked for no more. */
static void insert_file(struct ioevq_index *index, struct ioevq_kreq *kreq)
{
	struct file *file = READ_ONCE(kreq->file);

	if (file)
		hlist_add_head(&kreq->by_file, ioevq_index_file(index, file));
}

/* The newest one stays the first, as in order.c. */
static void move_files(struct ioevq_index *to, struct hlist_head *from)
{
	struct ioevq_kreq *kreq;
	struct hlist_node *next;
	HLIST_HEAD(reversed);

	hlist_for_each_entry_safe(kreq, next, from, by_file)
		hlist_add_head(&kreq->by_file, &reversed);
	hlist_for_each_entry_safe(kreq, next, &reversed, by_file)
		insert_file(to, kreq);
}

/* More than one request for each chain: make it a quarter. Without memory it stays so. */
static void grow(struct ioevq_index *index)
{
	struct ioevq_index new = { .bits = index->bits + GROW_BITS, .nr = index->nr };
	struct ioevq_kreq *kreq;
	struct hlist_node *next;
	unsigned int i;

	index->grow_at <<= GROW_BITS;
	new.grow_at = index->grow_at;
	new.by_user_data = alloc_heads(new.bits);
	new.by_file = alloc_heads(new.bits);
	if (!new.by_user_data || !new.by_file) {
		ioevq_index_free(&new);
		return;
	}
	for (i = 0; i < ioevq_index_size(index); i++) {
		hlist_for_each_entry_safe(kreq, next, &index->by_user_data[i], by_user_data)
			insert_user_data(&new, kreq);
		move_files(&new, &index->by_file[i]);
		cond_resched();
	}
	ioevq_index_free(index);
	*index = new;
}

void ioevq_index_add(struct ioevq_index *index, struct ioevq_kreq *kreq)
{
	if (index->nr++ == index->grow_at)
		grow(index);
	insert_user_data(index, kreq);
	insert_file(index, kreq);
}

void ioevq_index_del(struct ioevq_index *index, struct ioevq_kreq *kreq)
{
	/* A message never was. */
	if (hlist_unhashed(&kreq->by_user_data))
		return;
	index->nr--;
	hlist_del(&kreq->by_user_data);
	if (READ_ONCE(kreq->file))
		hlist_del(&kreq->by_file);
}

/*
 * Changes where it is found; who walks its old chain must have the next one in hand. With
 * queue->lock, too, for events are posted with it.
 */
void ioevq_index_rename(struct ioevq_index *index, struct ioevq_kreq *kreq, u64 user_data)
{
	lockdep_assert_held(&kreq->q->lock);

	hlist_del(&kreq->by_user_data);
	kreq->rec.ev.user_data = user_data;
	hlist_add_head(&kreq->by_user_data, ioevq_index_user_data(index, user_data));
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues that watch queues. Wake-ups between them do not recurse (see kick_pollers()),
 * and watches hold no file; but consumers of two queues that watch one another would
 * find one of them ready for ever because of the other. So a watch that closes a cycle
 * is refused. Cycles by way of an epoll or io_uring are out of sight here; what they
 * cost is their consumers' own time.
 */
#include <linux/mutex.h>
#include <linux/slab.h>

#include "req.h"

/* One watch of one queue by another. */
struct ioevq_nest {
	struct ioevq_kreq *kreq;	/* the watch */
	struct ioevq_queue *inner;	/* weak; NULL when that is closed */
	struct list_head watches;	/* of kreq->q */
	struct list_head watched;	/* of inner */
};

static DEFINE_MUTEX(nest_mutex);	/* inside of queue->mutex */
static u64 searches;			/* nest_mutex */

static struct list_head *ways(struct ioevq_queue *q, bool up)
{
	return up ? &q->nested.watched : &q->nested.watches;
}

/*
 * Where a way leads to: from a queue to one that it watches, or with @up to one that watches
 * it. NULL: nowhere. A watch that has ended counts no more, even if it is not swept yet: it
 * leaves, for there may be many, which are not to be met time and again.
 */
static struct ioevq_queue *other_end(struct list_head *way, bool up)
{
	struct ioevq_nest *nest = up ? list_entry(way, struct ioevq_nest, watched)
				     : list_entry(way, struct ioevq_nest, watches);

	if (READ_ONCE(nest->kreq->state) == IOEVQ_FINAL) {
		list_del_init(&nest->watches);
		list_del_init(&nest->watched);
		cond_resched();
		return NULL;
	}
	return up ? nest->kreq->q : nest->inner;
}

/*
 * Go from @from wherever it leads to, each queue once. -ELOOP if that is @to, or if there are
 * more than *@budget ways.
 */
static int walk(struct ioevq_queue *from, bool up, struct ioevq_queue *to, unsigned int *budget)
{
	struct ioevq_queue *q, *next;
	struct list_head *way, *behind;
	LIST_HEAD(todo);

	from->nested.seen = ++searches;
	list_add(&from->nested.todo, &todo);
	while (!list_empty(&todo)) {
		q = list_first_entry(&todo, struct ioevq_queue, nested.todo);
		list_del(&q->nested.todo);
		if (q == to)
			return -ELOOP;
		list_for_each_safe(way, behind, ways(q, up)) {
			next = other_end(way, up);
			if (!next)
				continue;
			if (!(*budget)--)
				return -ELOOP;
			if (next->nested.seen == searches)
				continue;
			next->nested.seen = searches;
			list_add(&next->nested.todo, &todo);
		}
	}
	return 0;
}

/*
 * How many watches are on the longest way from @from? Whatever is more than @most is as good.
 * A queue is come by again where the way there is a longer one, so no more than @most times.
 */
static u32 longest(struct ioevq_queue *from, bool up, u32 most)
{
	struct ioevq_queue *q, *next;
	struct list_head *way, *behind;
	LIST_HEAD(todo);
	u32 far = 0;

	from->nested.seen = ++searches;
	from->nested.far = 0;
	list_add(&from->nested.todo, &todo);
	while (!list_empty(&todo) && far <= most) {
		q = list_first_entry(&todo, struct ioevq_queue, nested.todo);
		list_del_init(&q->nested.todo);
		list_for_each_safe(way, behind, ways(q, up)) {
			next = other_end(way, up);
			if (!next)
				continue;
			if (next->nested.seen != searches)
				INIT_LIST_HEAD(&next->nested.todo);
			else if (next->nested.far > q->nested.far)
				continue;
			next->nested.seen = searches;
			next->nested.far = q->nested.far + 1;
			far = max(far, next->nested.far);
			if (list_empty(&next->nested.todo))
				list_add_tail(&next->nested.todo, &todo);
		}
	}
	return far;
}

/* May @outer watch @inner, if no more than @most watches may be in a row? */
static int check(struct ioevq_queue *outer, struct ioevq_queue *inner, u32 most)
{
	unsigned int budget = IOEVQ_MAX_NESTED;
	int err;

	err = walk(inner, false, outer, &budget) ?: walk(outer, true, NULL, &budget);
	if (err || !most)
		return err;
	return longest(inner, false, most) + 1 + longest(outer, true, most) > most ? -ELOOP : 0;
}

/*
 * @kreq is going to watch @inner, whose file the caller holds. @most: watches in a row, or 0.
 * -ELOOP, -ENOMEM.
 */
struct ioevq_nest *ioevq_nest_add(struct ioevq_kreq *kreq, struct ioevq_queue *inner, u32 most)
{
	struct ioevq_nest *nest = kzalloc(sizeof(*nest), GFP_KERNEL_ACCOUNT);
	int err;

	if (!nest)
		return ERR_PTR(-ENOMEM);
	nest->kreq = kreq;
	nest->inner = inner;
	mutex_lock(&nest_mutex);
	err = check(kreq->q, inner, most);
	if (!err) {
		WRITE_ONCE(inner->nested.used, true);
		list_add(&nest->watches, &kreq->q->nested.watches);
		list_add(&nest->watched, &inner->nested.watched);
	}
	mutex_unlock(&nest_mutex);
	if (err) {
		kfree(nest);
		return ERR_PTR(err);
	}
	return nest;
}

/* The watch is gone. NULL is allowed. */
void ioevq_nest_del(struct ioevq_nest *nest)
{
	if (!nest)
		return;
	mutex_lock(&nest_mutex);
	list_del(&nest->watches);
	list_del_init(&nest->watched);
	mutex_unlock(&nest_mutex);
	kfree(nest);
}

void ioevq_nested_init(struct ioevq_queue *q)
{
	INIT_LIST_HEAD(&q->nested.watches);
	INIT_LIST_HEAD(&q->nested.watched);
}

/* The last close: no watch of @q can be added any more, those that are have ended. */
void ioevq_nested_close(struct ioevq_queue *q)
{
	struct ioevq_nest *nest, *next;

	/* Who armed a watch held the file: that was before this close. */
	if (!READ_ONCE(q->nested.used))
		return;
	mutex_lock(&nest_mutex);
	list_for_each_entry_safe(nest, next, &q->nested.watched, watched) {
		nest->inner = NULL;
		list_del_init(&nest->watched);
	}
	mutex_unlock(&nest_mutex);
}

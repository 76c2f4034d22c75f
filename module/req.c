// SPDX-License-Identifier: GPL-2.0-only
/* The life of a request: accepted, completed by exactly one, swept. */
#include <linux/slab.h>

#include "point.h"
#include "req.h"
#include "wake.h"

/*
 * Objects that a queue keeps for its next requests: what the slab does for one costs more than
 * all that we do. None where misuse of memory is looked for.
 */
#define MAX_SPARES	(IS_ENABLED(CONFIG_KASAN) ? 0 : 128)
/* They count for no limit: so many queues of a user have them. */
#define MAX_KEEPERS	256

/* A queue begins: the user's queues that keep something are never more than all of them. */
void ioevq_spares_init(struct ioevq_queue *q)
{
	if (refcount_read(&q->user->queues) <= MAX_KEEPERS)
		q->max_spares = MAX_SPARES;
}

/* The rest is zero. */
static void init(struct ioevq_kreq *kreq, struct ioevq_queue *q, const struct ioevq_source *src,
		 u32 op, u64 user_data, bool skip)
{
	kreq->skip = skip;
	kreq->fd = -1;
	kreq->seq = IOEVQ_NO_SEQ;
	kreq->q = q;
	kreq->src = src;
	kreq->rec.home = &q->done;
	kreq->rec.ev.op = op;
	kreq->rec.ev.user_data = user_data;
	INIT_LIST_HEAD(&kreq->recheck);
}

/* Free one that is kept, of any operation but @op. False: there is none. */
static bool free_spare(struct ioevq_queue *q, u32 op)
{
	struct ioevq_rec *rec;
	u32 i;

	for (i = 0; i < IOEVQ_OP__COUNT; i++) {
		rec = q->spares[i];
		if (i == op || !rec)
			continue;
		q->spares[i] = rec->next;
		WRITE_ONCE(q->nr_spares, q->nr_spares - 1);
		kmem_cache_free(ioevq_source_cache(i), container_of(rec, struct ioevq_kreq, rec));
		return true;
	}
	return false;
}

/* All zero. What has no size is allocated without the mutex: see struct ioevq_source. */
static struct ioevq_kreq *get_object(struct ioevq_queue *q, const struct ioevq_source *src, u32 op)
{
	struct ioevq_rec **spares = &q->spares[op];
	struct ioevq_kreq *kreq;

	if (!src->size || !*spares)
		return kmem_cache_zalloc(ioevq_source_cache(op), GFP_KERNEL);
	kreq = container_of(*spares, struct ioevq_kreq, rec);
	*spares = kreq->rec.next;
	WRITE_ONCE(q->nr_spares, q->nr_spares - 1);
	memset(kreq, 0, max(src->size, sizeof(*kreq)));
	return kreq;
}

static void put_object(struct ioevq_kreq *kreq)
{
	struct ioevq_queue *q = kreq->q;
	u32 op = kreq->rec.ev.op;
	struct ioevq_rec **spares = &q->spares[op];

	/* Where there is no room, what is not in use gives way to what is. */
	if (!kreq->src->size ||
	    (q->nr_spares >= q->max_spares && (*spares || !free_spare(q, op)))) {
		kmem_cache_free(ioevq_source_cache(op), kreq);
		return;
	}
	kreq->rec.next = *spares;
	*spares = &kreq->rec;
	WRITE_ONCE(q->nr_spares, q->nr_spares + 1);
}

/* The queue ends. */
void ioevq_spares_free(struct ioevq_queue *q)
{
	while (free_spare(q, IOEVQ_OP__COUNT))
		;
}

/* Those without an event are not charged: a full queue can be emptied by them. */
struct ioevq_kreq *ioevq_kreq_alloc(struct ioevq_queue *q, const struct ioevq_source *src, u32 op,
				    u64 user_data, bool skip)
{
	struct ioevq_kreq *kreq;
	bool charged = !skip || src->has_result;
	int err = charged ? ioevq_charge(q) : 0;

	if (err)
		return ERR_PTR(err);
	kreq = get_object(q, src, op);
	if (!kreq) {
		if (charged)
			ioevq_uncharge(q);
		return ERR_PTR(-ENOMEM);
	}
	init(kreq, q, src, op, user_data, skip);
	kreq->charged = charged;
	return kreq;
}

void ioevq_kreq_free(struct ioevq_kreq *kreq)
{
	if (kreq->charged)
		ioevq_uncharge(kreq->q);
	put_object(kreq);
}

/* Fields that an operation does not use may get a meaning later: not yet. */
static bool req_is_clean(const struct ioevq_source *src, const struct ioevq_req *req)
{
	return !req->__reserved[0] && !req->__reserved[1] && !req->__reserved[2] &&
	       (src->uses & IOEVQ_USES_FD || req->fd == -1) &&
	       (src->uses & IOEVQ_USES_ADDR || !req->addr) &&
	       (src->uses & IOEVQ_USES_OFF || !req->off) &&
	       (src->uses & IOEVQ_USES_LEN || !req->len) &&
	       (src->uses & IOEVQ_USES_ARG || !req->op_arg) &&
	       (src->uses & IOEVQ_USES_BUF || !req->buf_index);
}

/* One that ends here and has no event needs no memory. */
static noinline int submit_at_once(struct ioevq_queue *q, const struct ioevq_source *src,
				   const struct ioevq_req *req, s64 *res)
{
	struct ioevq_kreq kreq = { };
	int err;

	init(&kreq, q, src, req->op, req->user_data, true);
	err = src->submit(q, &kreq, req);
	WARN_ON_ONCE(!err);
	if (err == IOEVQ_DONE && res)
		*res = kreq.rec.ev.res;
	return err;
}

/*
 * Returns 0 if there will be an event, or IOEVQ_DONE if there is none and the result is in
 * *@res, which may be NULL, or a negative errno. @src is that of the operation, or NULL.
 */
int ioevq_submit_one(struct ioevq_queue *q, const struct ioevq_source *src,
		     const struct ioevq_req *req, s64 *res)
{
	bool skip = req->flags & IOEVQ_REQ_SKIP_SUCCESS;
	struct ioevq_kreq *kreq = NULL;
	int err;

	if (!src || (req->flags & ~src->req_flags) || (req->op_flags & ~src->op_flags))
		return -EOPNOTSUPP;
	if (!(READ_ONCE(q->ops) & BIT_ULL(req->op)))
		return -EPERM;
	if (!req_is_clean(src, req) || (skip && src->has_result && !res))
		return -EINVAL;
	if (!src->size)
		return src->submit(q, NULL, req);

	lockdep_assert_held(&q->mutex);
	if (skip && src->at_once)
		return submit_at_once(q, src, req, res);
	kreq = ioevq_kreq_alloc(q, src, req->op, req->user_data, skip);
	if (IS_ERR(kreq))
		return PTR_ERR(kreq);
	/* Accepting it may complete it, but the sweep needs the mutex, too. */
	err = src->submit(q, kreq, req);
	if (err == IOEVQ_DONE && res)
		*res = kreq->rec.ev.res;
	if (err) {
		ioevq_kreq_free(kreq);
		return err;
	}
	ioevq_index_add(&q->index, kreq);
	/* Read without the mutex by who looks from outside. */
	WRITE_ONCE(q->accepted[req->op], q->accepted[req->op] + 1);
	return 0;
}

void ioevq_accept(struct ioevq_kreq *kreq)
{
	spin_lock_irq(&kreq->q->lock);
	WRITE_ONCE(kreq->state, IOEVQ_LIVE);
	spin_unlock_irq(&kreq->q->lock);
}

/* Is an event of it there still? Then its final one must come after that. */
static bool is_in_backlog(struct ioevq_kreq *kreq)
{
	return (s64)(kreq->seq - kreq->q->ring.tail) >= 0;
}

/*
 * Post the final event, unless another was faster (false). With queue->lock, in
 * any context. Neither sleeps nor allocates: the record was paid for.
 */
bool ioevq_complete_locked(struct ioevq_kreq *kreq, s64 res, u32 flags, u64 data, bool news)
{
	struct ioevq_queue *q = kreq->q;

	lockdep_assert_held(&q->lock);

	if (kreq->state != IOEVQ_LIVE)
		return false;
	ioevq_point(IOEVQ_POINT_CLAIM);
	kreq->rec.ev.res = res;
	kreq->rec.ev.flags = flags;
	kreq->rec.ev.data = data;
	/* Cancels that waited for this one, or for one another, follow at once. */
	do {
		WRITE_ONCE(kreq->state, IOEVQ_FINAL);
		q->ended[kreq->rec.ev.op]++;
		ioevq_recheck_forget(kreq);
		if (kreq->quiet && !is_in_backlog(kreq)) {
			ioevq_rec_return(&kreq->rec);
		} else {
			kreq->seq = ioevq_ring_post(&q->ring, &kreq->rec);
			ioevq_tell(q, news);
		}
		news = true;
		kreq = kreq->fence ? ioevq_fence_passed(kreq->fence) : NULL;
	} while (kreq);
	return true;
}

bool ioevq_complete(struct ioevq_kreq *kreq, s64 res, u32 flags, u64 data)
{
	struct ioevq_queue *q = kreq->q;
	unsigned long irqflags;
	bool ret;

	ioevq_point(IOEVQ_POINT_COMPLETE);
	spin_lock_irqsave(&q->lock, irqflags);
	ret = ioevq_complete_locked(kreq, res, flags, data, true);
	spin_unlock_irqrestore(&q->lock, irqflags);
	return ret;
}

/* The ring has no room: ioevq_post_more() goes on here. */
void ioevq_post_to_backlog(struct ioevq_kreq *kreq, struct ioevq_rec **pool, s64 res, u32 flags,
			   u64 data)
{
	struct ioevq_rec *rec = *pool;

	*pool = rec->next;
	rec->home = pool;
	ioevq_fill_more(&rec->ev, kreq, res, flags, data);
	kreq->seq = ioevq_ring_post(&kreq->q->ring, rec);
}

/* What a request does that has succeeded within its submission. */
int ioevq_done(struct ioevq_kreq *kreq, s64 res, u64 data)
{
	if (kreq->skip) {
		kreq->rec.ev.res = res;
		return IOEVQ_DONE;
	}
	ioevq_accept(kreq);
	ioevq_complete(kreq, res, 0, data);
	return 0;
}

/* What most sources do to cancel. */
bool ioevq_cancel_now(struct ioevq_kreq *kreq)
{
	ioevq_complete(kreq, -ECANCELED, 0, 0);
	return true;
}

static void sweep(struct ioevq_queue *q, struct ioevq_rec **done)
{
	struct ioevq_kreq *kreq;
	struct ioevq_rec *rec;

	if (!READ_ONCE(*done))
		return;
	spin_lock_irq(&q->lock);
	rec = *done;
	WRITE_ONCE(*done, NULL);
	spin_unlock_irq(&q->lock);
	while (rec) {
		kreq = container_of(rec, struct ioevq_kreq, rec);
		rec = rec->next;
		ioevq_point(IOEVQ_POINT_SWEEP);
		ioevq_index_del(&q->index, kreq);
		if (kreq->src->release)
			kreq->src->release(kreq);
		ioevq_kreq_free(kreq);
		cond_resched();
	}
}

/* Free the requests whose final event has its slot in the ring. */
void ioevq_sweep(struct ioevq_queue *q)
{
	lockdep_assert_held(&q->mutex);

	sweep(q, &q->done);
	sweep(q, &q->done_posts);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* The completion ring and its backlog. Knows nothing of queues or requests. */
#ifndef IOEVQ_RING_H
#define IOEVQ_RING_H

#include <linux/types.h>
#include <linux/ioevq.h>

#include "point.h"

/*
 * Memory for one event, paid for when its request was accepted. It belongs to
 * the request until it is posted, then to the ring until the event has its slot;
 * then it is put on the list *home, where its owner finds it again.
 */
struct ioevq_rec {
	struct ioevq_rec *next;
	struct ioevq_rec **home;
	struct ioevq_event ev;
};

/*
 * All fields are guarded by the lock of the queue, except page->head, which
 * consumers move at any time, and what is constant after ioevq_ring_alloc().
 * Nothing in the shared page but head is ever read back. Who only takes events reads
 * flags and tail without the lock, see ioevq_take_at_once().
 */
struct ioevq_ring_state {
	struct ioevq_ring *page;	/* shared with user space */
	struct ioevq_event *slots;	/* shared with user space */
	u32 entries;			/* constant, a power of two */
	u32 number;			/* constant; of the queue, for who traces */
	u32 flags;			/* private copy of page->flags */
	u64 mask;			/* constant; entries - 1 */
	u64 tail;			/* private copy of page->tail */
	u64 backlog_len;
	u64 backlog_max;		/* statistics: it was never longer */
	struct ioevq_rec *backlog;	/* oldest first */
	struct ioevq_rec **backlog_end;
};

/* Its owner has it again. With the lock. */
static inline void ioevq_rec_return(struct ioevq_rec *rec)
{
	rec->next = *rec->home;
	/* Read without the lock by ioevq_tidy(). */
	WRITE_ONCE(*rec->home, rec);
}

/* Where an event stands in the order of all events: unreaped while head <= seq. */
typedef u64 ioevq_seq_t;
/* Before all others. */
#define IOEVQ_NO_SEQ	((ioevq_seq_t)-1)

int ioevq_ring_alloc(struct ioevq_ring_state *ring, u32 entries);
void ioevq_ring_free(struct ioevq_ring_state *ring);
size_t ioevq_ring_bytes(u32 entries);

ioevq_seq_t ioevq_ring_post(struct ioevq_ring_state *ring, struct ioevq_rec *rec);
bool ioevq_ring_post_unpaid(struct ioevq_ring_state *ring, const struct ioevq_event *ev);
void ioevq_ring_flush(struct ioevq_ring_state *ring, unsigned int budget);
bool ioevq_ring_head_is_sane(struct ioevq_ring_state *ring);

static inline void ioevq_ring_set_flag(struct ioevq_ring_state *ring, u32 flag, bool on)
{
	u32 flags = on ? ring->flags | flag : ring->flags & ~flag;

	if (flags == ring->flags)
		return;
	/* Read without the lock by ioevq_take_at_once(). */
	WRITE_ONCE(ring->flags, flags);
	WRITE_ONCE(ring->page->flags, flags);
}

/* Events in the ring itself; a head that cannot be reads as a full ring. */
static inline u64 ioevq_ring_used(struct ioevq_ring_state *ring)
{
	u64 used = ring->tail - READ_ONCE(ring->page->head);

	return used > ring->entries ? ring->entries : used;
}

static inline u64 ioevq_ring_available(struct ioevq_ring_state *ring)
{
	return ioevq_ring_used(ring) + ring->backlog_len;
}

static inline bool ioevq_ring_has_room(struct ioevq_ring_state *ring)
{
	return ring->tail - READ_ONCE(ring->page->head) <= ring->mask;
}

/* Can the next event have its slot, or must it wait? With the lock. */
static inline bool ioevq_ring_is_open(struct ioevq_ring_state *ring)
{
	return !ring->backlog && ioevq_ring_has_room(ring);
}

/* Where event @seq is to be written. */
static inline struct ioevq_event *ioevq_ring_slot(struct ioevq_ring_state *ring, ioevq_seq_t seq)
{
	return ring->slots + (seq & ring->mask);
}

/* The event at the tail, @seq, is written. */
static inline void ioevq_ring_publish(struct ioevq_ring_state *ring, ioevq_seq_t seq)
{
	struct ioevq_ring *page = ring->page;

	ioevq_point(IOEVQ_POINT_STORE);
	/* Pairs with the acquire load of the tail in ioevq_take_at_once(). */
	smp_store_release(&ring->tail, seq + 1);
	/* The same in user space, ioevq_take(). */
	smp_store_release(&page->tail, seq + 1);
}

/*
 * Was the event at @seq taken? The caller holds the lock of the queue, taken
 * after what it wants to announce had happened: with smp_mb__after_spinlock()
 * that pairs with the consumer's compare-and-swap, which precedes its reading
 * of the source.
 */
static inline bool ioevq_ring_reaped(struct ioevq_ring_state *ring, ioevq_seq_t seq)
{
	return (s64)(READ_ONCE(ring->page->head) - seq) > 0;
}

#endif

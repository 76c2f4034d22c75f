// SPDX-License-Identifier: GPL-2.0-only
/*
 * The completion ring: a window on the queue's events that user space maps, and
 * the backlog, a list of events that found it full.
 *
 * The kernel's truth is private: the tail, the size and the backlog. Of the
 * shared page only the head is read, once per use, and clamped.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "ring.h"
#include "trace.h"

size_t ioevq_ring_bytes(u32 entries)
{
	return PAGE_ALIGN(IOEVQ_RING_EVENTS + (size_t)entries * sizeof(struct ioevq_event));
}

/*
 * The pages are charged to the caller's memory cgroup, which vmalloc_user() would
 * not do, and mapped once for the kernel. VM_MAP_PUT_PAGES hands the array and
 * the pages to vfree(); VM_USERMAP lets remap_vmalloc_range() take them.
 */
int ioevq_ring_alloc(struct ioevq_ring_state *ring, u32 entries)
{
	unsigned int nr = ioevq_ring_bytes(entries) >> PAGE_SHIFT;
	struct page **pages;
	unsigned int i;
	void *map;

	BUILD_BUG_ON(sizeof(struct ioevq_ring) != IOEVQ_RING_EVENTS);

	pages = kvmalloc_array(nr, sizeof(*pages), GFP_KERNEL_ACCOUNT);
	if (!pages)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		pages[i] = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!pages[i])
			goto err;
	}
	map = vmap(pages, nr, VM_MAP | VM_USERMAP | VM_MAP_PUT_PAGES, PAGE_KERNEL);
	if (!map)
		goto err;

	ring->page = map;
	ring->slots = map + IOEVQ_RING_EVENTS;
	ring->entries = entries;
	ring->mask = entries - 1;
	ring->backlog_end = &ring->backlog;
	ring->page->entries = entries;
	return 0;
err:
	while (i--)
		__free_page(pages[i]);
	kvfree(pages);
	return -ENOMEM;
}

void ioevq_ring_free(struct ioevq_ring_state *ring)
{
	vfree(ring->page);
}

bool ioevq_ring_head_is_sane(struct ioevq_ring_state *ring)
{
	return ring->tail - READ_ONCE(ring->page->head) <= ring->entries;
}

/* Move the oldest events of the backlog into the ring, at most @budget. */
void ioevq_ring_flush(struct ioevq_ring_state *ring, unsigned int budget)
{
	struct ioevq_rec *rec;

	if (!ring->backlog)
		return;
	while ((rec = ring->backlog) && budget-- && ioevq_ring_has_room(ring)) {
		WRITE_ONCE(ring->backlog, rec->next);
		ring->backlog_len--;
		*ioevq_ring_slot(ring, ring->tail) = rec->ev;
		ioevq_ring_publish(ring, ring->tail);
		ioevq_rec_return(rec);
	}
	if (!ring->backlog) {
		ring->backlog_end = &ring->backlog;
		ioevq_ring_set_flag(ring, IOEVQ_RING_BACKLOG, false);
	}
}

/* Post an event in its record. Never fails: the record is the place to wait. */
ioevq_seq_t ioevq_ring_post(struct ioevq_ring_state *ring, struct ioevq_rec *rec)
{
	ioevq_seq_t seq;

	/* Two, so that a backlog shrinks as long as consumers make room. */
	ioevq_ring_flush(ring, 2);
	seq = ring->tail + ring->backlog_len;
	if (ioevq_ring_is_open(ring)) {
		trace_ioevq_post(ring, &rec->ev, seq);
		*ioevq_ring_slot(ring, seq) = rec->ev;
		ioevq_ring_publish(ring, seq);
		ioevq_rec_return(rec);
		return seq;
	}
	rec->next = NULL;
	WRITE_ONCE(*ring->backlog_end, rec);
	ring->backlog_end = &rec->next;
	if (!ring->backlog_len++)
		ioevq_ring_set_flag(ring, IOEVQ_RING_BACKLOG, true);
	ring->backlog_max = max(ring->backlog_max, ring->backlog_len);
	trace_ioevq_post(ring, &rec->ev, seq);
	return seq;
}

/* Post an event for which nothing was reserved, if the ring has room for it. */
bool ioevq_ring_post_unpaid(struct ioevq_ring_state *ring, const struct ioevq_event *ev)
{
	ioevq_seq_t seq;

	ioevq_ring_flush(ring, 2);
	if (!ioevq_ring_is_open(ring))
		return false;
	seq = ring->tail;
	trace_ioevq_post(ring, ev, seq);
	*ioevq_ring_slot(ring, seq) = *ev;
	ioevq_ring_publish(ring, seq);
	return true;
}

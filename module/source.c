// SPDX-License-Identifier: GPL-2.0-only
/* The table of operations: the only place that names them all. */
#include <linux/nospec.h>
#include <linux/slab.h>

#include "req.h"

static const struct ioevq_source *const sources[IOEVQ_OP__COUNT] = {
	[IOEVQ_OP_NOP] = &ioevq_src_nop,
	[IOEVQ_OP_POST] = &ioevq_src_post,
	[IOEVQ_OP_POLL] = &ioevq_src_poll,
	[IOEVQ_OP_READ] = &ioevq_src_read,
	[IOEVQ_OP_WRITE] = &ioevq_src_write,
	[IOEVQ_OP_FSYNC] = &ioevq_src_fsync,
	[IOEVQ_OP_CHILD] = &ioevq_src_child,
	[IOEVQ_OP_CANCEL] = &ioevq_src_cancel,
	[IOEVQ_OP_POLL_MOD] = &ioevq_src_poll_mod,
	[IOEVQ_OP_CLOSE] = &ioevq_src_close,
	[IOEVQ_OP_TIMER] = &ioevq_src_timer,
	[IOEVQ_OP_TIMER_MOD] = &ioevq_src_timer_mod,
};

const struct ioevq_source *ioevq_source(u32 op)
{
	if (op >= IOEVQ_OP__COUNT)
		return NULL;
	return sources[array_index_nospec(op, IOEVQ_OP__COUNT)];
}

/* As /proc/PID/fdinfo/FD shows them. */
static const char *const names[IOEVQ_OP__COUNT] = {
	[IOEVQ_OP_NOP] = "nop",
	[IOEVQ_OP_POST] = "post",
	[IOEVQ_OP_POLL] = "poll",
	[IOEVQ_OP_READ] = "read",
	[IOEVQ_OP_WRITE] = "write",
	[IOEVQ_OP_FSYNC] = "fsync",
	[IOEVQ_OP_CHILD] = "child",
	[IOEVQ_OP_CANCEL] = "cancel",
	[IOEVQ_OP_POLL_MOD] = "poll_mod",
	[IOEVQ_OP_CLOSE] = "close",
	[IOEVQ_OP_TIMER] = "timer",
	[IOEVQ_OP_TIMER_MOD] = "timer_mod",
};

const char *ioevq_source_name(u32 op)
{
	return names[op];
}

/* Of requests of each size that is in use, by operation. */
static struct kmem_cache *caches[IOEVQ_OP__COUNT];

/* Where requests of the operation live. It was checked. */
struct kmem_cache *ioevq_source_cache(u32 op)
{
	return caches[array_index_nospec(op, IOEVQ_OP__COUNT)];
}

static size_t object_size(u32 op)
{
	return max(sources[op]->size, sizeof(struct ioevq_kreq));
}

/* Returns 0 or -ENOMEM. */
int ioevq_sources_init(void)
{
	char name[32];
	u32 op, i;

	for (op = 0; op < IOEVQ_OP__COUNT; op++) {
		/* As large as those of an operation before it? */
		for (i = 0; object_size(i) != object_size(op); i++)
			;
		if (i < op) {
			caches[op] = caches[i];
			continue;
		}
		snprintf(name, sizeof(name), "ioevq_%zu", object_size(op));
		caches[op] = kmem_cache_create(name, object_size(op), 0, SLAB_ACCOUNT, NULL);
		if (!caches[op]) {
			ioevq_sources_exit();
			return -ENOMEM;
		}
	}
	return 0;
}

/* All requests are freed. */
void ioevq_sources_exit(void)
{
	u32 op, i;

	for (op = 0; op < IOEVQ_OP__COUNT; op++) {
		struct kmem_cache *cache = caches[op];

		for (i = op; i < IOEVQ_OP__COUNT; i++)
			if (caches[i] == cache)
				caches[i] = NULL;
		kmem_cache_destroy(cache);
	}
}

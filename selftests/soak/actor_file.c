// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files: each slot has its part of one, writes it, perhaps syncs, reads it back and
 * compares. Some of that is cancelled.
 */
#include "soak.h"

#define PART	(64 * 1024)
#define SLOTS	16

enum { IDLE, WRITES, WRITTEN, SYNCS, SYNCED, READS };

static const struct place {
	const char *path;
	int flags;
} places[] = {
	{ "/tmp/ioevq-soak/ext4/buffered", 0 },
	{ "/tmp/ioevq-soak/ext4/direct", O_DIRECT },
	{ "/tmp/ioevq-soak/tmpfs", 0 },
};

static int file;
static bool fixed;	/* the buffers are registered */

static void fill(struct slot *s, uint64_t seed)
{
	uint64_t *word = (uint64_t *)s->buf;
	size_t i;

	for (i = 0; i < s->len / sizeof(*word); i++)
		word[i] = seed + i;
}

static bool is_filled(const struct slot *s, uint64_t seed)
{
	const uint64_t *word = (const uint64_t *)s->buf;
	size_t i;

	for (i = 0; i < s->len / sizeof(*word); i++)
		if (word[i] != seed + i)
			return false;
	return true;
}

static bool transfer(struct me *me, struct slot *s, enum kind kind)
{
	unsigned int op = kind == KIND_READ ? IOEVQ_OP_READ : IOEVQ_OP_WRITE;
	unsigned int how = random_of(me, 3);
	struct iovec iov[2] = {
		{ s->buf, 4096 }, { s->buf + 4096, s->len - 4096 },
	};
	struct ioevq_req req;

	ioevq_prep_rw(&req, op, file, s->buf, s->len, (uint64_t)s->nr * PART, 0);
	if (!how && s->len > 4096) {
		req.addr = (uintptr_t)iov;
		req.len = 2;
		req.op_flags = IOEVQ_RW_VECTOR;
	} else if (how == 1 && fixed) {
		req.op_flags = IOEVQ_RW_FIXED;
	}
	s->exhausted = exhausted();
	if (!begin(me, &req, kind, &s->item))
		return false;
	/* A word in between, to no one's harm: it ends by itself, or is cancelled. */
	if (!s->other && !random_of(me, 16))
		begin_cancel(me, s->item, &s->other);
	return true;
}

static bool sync_part(struct me *me, struct slot *s)
{
	struct ioevq_req req;

	ioevq_prep_fsync(&req, file, random_of(me, 2), 0);
	req.flags = IOEVQ_REQ_AFTER;
	return begin(me, &req, KIND_FSYNC, &s->item);
}

/*
 * Whether it has ended: 1 all is well, -1 cancelled, in part too, or no memory, 0 not yet. Who
 * gets no page in the middle has what was done before: filemap_read() in mm/filemap.c.
 */
static int ended(struct slot *s, int64_t want)
{
	struct ioevq_event ev = { .user_data = s->item };
	int res, matched;

	if (outcome(s->item, &res) == STATE_OPEN ||
	    (s->other && outcome(s->other, &matched) == STATE_OPEN))
		return 0;
	end(&s->item, &res);
	end(&s->other, &matched);
	if (res == want)
		return 1;
	if (res != -ECANCELED && res != -ENOMEM &&
	    !(res > 0 && res < want && (matched == 1 || exhausted() != s->exhausted)))
		odd("file I/O that failed or is short", &ev, res);
	return -1;
}

static bool step(struct me *me, struct slot *s)
{
	struct ioevq_event ev = { .user_data = s->done };
	int ret;

	switch (s->phase) {
	case IDLE:
		s->len = 4096 * (1 + random_of(me, PART / 4096));
		s->done = random_of(me, ~0U);
		fill(s, s->done);
		s->phase = transfer(me, s, KIND_WRITE) ? WRITES : IDLE;
		return s->phase;
	case WRITES:
		ret = ended(s, s->len);
		if (ret)
			s->phase = ret > 0 ? WRITTEN : IDLE;
		return ret;
	case WRITTEN:
		s->phase = SYNCED;
		if (!random_of(me, 8) && sync_part(me, s))
			s->phase = SYNCS;
		return true;
	case SYNCS:
		ret = ended(s, 0);
		if (ret)
			s->phase = SYNCED;
		return ret;
	case SYNCED:
		memset(s->buf, 0, s->len);
		if (!transfer(me, s, KIND_READ))
			return false;
		s->phase = READS;
		return true;
	default:
		ret = ended(s, s->len);
		if (ret > 0 && !is_filled(s, s->done))
			odd("data that is not what was written", &ev, s->nr);
		if (ret)
			s->phase = IDLE;
		return ret;
	}
}

void actor_file(struct me *me)
{
	const struct place *p = &places[me->arg];
	static struct slot slots[SLOTS];
	char *memory = mmap(NULL, SLOTS * PART, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ioevq_buffer buffer = { .addr = (uintptr_t)memory, .len = SLOTS * PART };
	unsigned int i;

	file = open(p->path, O_RDWR | O_CREAT | O_CLOEXEC | p->flags, 0600);
	if (file < 0 || memory == MAP_FAILED || ftruncate(file, SLOTS * PART)) {
		perror(p->path);
		exit(1);
	}
	for (i = 0; i < SLOTS; i++)
		slots[i].buf = memory + (size_t)i * PART;
	fixed = p->flags && !ioevq_register_buffers(me->q, &buffer, 1);
	run_slots(me, slots, SLOTS, step);
	if (fixed && ioevq_unregister_buffers(me->q))
		exit(1);
}

// SPDX-License-Identifier: MIT
/*
 * From a PUT to its acknowledgment.
 *
 * Records are collected in a batch. It is written while the next one is collected, and
 * while an fdatasync of those before it is under way: up to MAX_WRITES writes and one
 * fdatasync are out at a time. The slower the disk, the larger the batches.
 *
 * What is acknowledged is durable, and so is all that is before it in the log: recovery
 * stops at the first gap. So a batch counts as written when those before it are, and a
 * fdatasync is good for those batches whose writes were over when it was submitted: it says
 * nothing of a write that is under way.
 */
#define _GNU_SOURCE
#include "kvlog.h"

#include <errno.h>
#include <stdlib.h>

#define BATCH_SIZE	(256 * 1024)	/* bytes */
#define BATCH_RECORDS	1024
#define MAX_WRITES	2

/*
 * @len: bytes of @buf
 * @off: where in the file they go
 * @nr: records, and for each of them who is to be told
 * @written: the write is over
 */
struct batch {
	char *buf;
	size_t len;
	uint64_t off;
	unsigned int nr;
	struct conn *conns[BATCH_RECORDS];
	bool written;
};

/*
 * Batches are numbered for ever: the one with number n is batches[n % NR_BATCHES]. Those
 * before @durable are free again, those before @syncing are what the fdatasync that is out
 * is good for, those before @collected are out, and that one is being filled.
 */
static struct {
	struct batch batches[NR_BATCHES];
	unsigned int durable;
	unsigned int syncing;
	unsigned int collected;
	unsigned int writes;
	bool sync_out;
	bool unsafe;
	int fd;
	uint64_t seq;
	uint64_t end;
} out;

static struct batch *batch(unsigned int n)
{
	return &out.batches[n % NR_BATCHES];
}

/* @unsafe: acknowledge what is written, and do not sync. It shows that a test notices. */
void commit_init(int fd, uint64_t seq, uint64_t end, bool unsafe)
{
	unsigned int i;

	out.fd = fd;
	out.seq = seq;
	out.end = end;
	out.unsafe = unsafe;
	for (i = 0; i < NR_BATCHES; i++) {
		out.batches[i].buf = aligned_alloc(4096, BATCH_SIZE);
		if (!out.batches[i].buf)
			die("batches", ENOMEM);
	}
}

/* False: there is no room before something is durable. Else @c is told when this is. */
bool commit_put(struct conn *c, struct text key, struct text value)
{
	struct batch *b = batch(out.collected);

	if (out.collected - out.durable == NR_BATCHES || b->nr == BATCH_RECORDS ||
	    BATCH_SIZE - b->len < RECORD_MAX)
		return false;
	b->len += record_write(b->buf + b->len, out.seq++, key, value);
	b->conns[b->nr++] = c;
	return true;
}

/* The number of the first batch that is not written, or is behind one that is not. */
static unsigned int written(void)
{
	unsigned int n = out.durable;

	while (n != out.collected && batch(n)->written)
		n++;
	return n;
}

/* What is to be submitted now, at most two requests; returns how many. */
unsigned int commit_next(struct ioevq_req *reqs)
{
	unsigned int nr = 0, n = out.collected;
	struct batch *b = batch(n);

	if (n - out.durable < NR_BATCHES && b->nr && out.writes < MAX_WRITES) {
		b->off = out.end;
		out.end += b->len;
		out.collected++;
		out.writes++;
		ioevq_prep_write(&reqs[nr++], out.fd, b->buf, b->len, b->off, n % NR_BATCHES);
	}
	n = written();
	if (!out.sync_out && n != out.durable && !out.unsafe) {
		out.sync_out = true;
		out.syncing = n;
		ioevq_prep_fsync(&reqs[nr++], out.fd, IOEVQ_FSYNC_DATASYNC, SYNC);
	}
	return nr;
}

/* Tell whoever put what is in batches before @end; they are free then. */
static void durable(unsigned int end)
{
	const struct record *r;
	struct batch *b;
	unsigned int i;
	size_t at;

	for (; out.durable != end; out.durable++) {
		b = batch(out.durable);
		for (i = 0, at = 0; i < b->nr; i++, at += record_size(r)) {
			r = (const struct record *)(b->buf + at);
			store_set(record_key(r), record_value(r));
			conn_durable(b->conns[i], r->seq);
		}
		b->len = 0;
		b->nr = 0;
		b->written = false;
	}
}

/*
 * An error, or less than was to be written: the program ends, and the next one begins by
 * finding out what is there. In particular an fdatasync that has failed must not be tried
 * again: the pages are clean then, and it would succeed.
 */
void commit_written(unsigned int nr, int64_t res)
{
	struct batch *b = &out.batches[nr];

	if (res != (int64_t)b->len)
		die("write the log", res < 0 ? (int)-res : ENOSPC);
	b->written = true;
	out.writes--;
	if (out.unsafe)
		durable(written());
}

void commit_synced(int64_t res)
{
	if (res < 0)
		die("fdatasync of the log", (int)-res);
	out.sync_out = false;
	durable(out.syncing);
}

// SPDX-License-Identifier: MIT
/*
 * fsync waits for what was called for its file before, by whatever descriptor: the kernel
 * would do it at once, and the data of writes under way may come after it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/stat.h>

#include "facade.h"

/* Who is it that these operations are about? Asked once: only fsync wants to know. */
static void identify(struct record *rec)
{
	struct stat st;
	int saved = errno;

	if (rec->known)
		return;
	rec->known = true;
	if (!fstat(rec->fd, &st)) {
		rec->dev = st.st_dev;
		rec->ino = st.st_ino;
	}
	errno = saved;
}

static bool is_same_file(struct record *a, struct record *b)
{
	if (a == b)
		return true;
	identify(a);
	identify(b);
	return a->ino && a->ino == b->ino && a->dev == b->dev;
}

/* Is there one, of the same file, that was called for before? */
bool sync_must_wait(struct world *w, struct request *r)
{
	struct record *rec;
	int i;

	if (r->rec->first != r)
		return true;
	for (i = 0; i < RECORD_HASH; i++)
		for (rec = w->records[i]; rec; rec = rec->next)
			if (rec->first && rec->first->seq < r->seq && is_same_file(rec, r->rec))
				return true;
	return false;
}

/* Something has ended. */
void sync_recheck(struct world *w)
{
	struct request **p = &w->fsyncs, *r;

	while ((r = *p)) {
		if (sync_must_wait(w, r)) {
			p = &r->link;
			continue;
		}
		*p = r->link;
		ready_add(w, r);
	}
}

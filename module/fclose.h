/* SPDX-License-Identifier: GPL-2.0-only */
/* "This file is being closed": told to whoever watches it without holding it. */
#ifndef IOEVQ_FCLOSE_H
#define IOEVQ_FCLOSE_H

#include <linux/fs.h>
#include <linux/list.h>

struct ioevq_mark;

/*
 * A weak pointer to an open file, valid under the lock of its bucket while @file is not
 * NULL: the last close() waits for that lock before ->release. The first watch of a file
 * is in the bucket, and leads the others.
 *
 * @closed is called once, under that lock, when the file is closed or unwatched:
 * it must detach from the file. It must not sleep.
 */
struct ioevq_fwatch {
	struct file *file;		/* bucket lock */
	struct hlist_node node;		/* bucket lock; of the bucket, or of who leads */
	struct hlist_head others;	/* bucket lock; none, but if it leads */
	struct ioevq_mark *mark;	/* constant while watching; NULL: one that stays */
	unsigned int bucket;		/* constant while watching */
	void (*closed)(struct ioevq_fwatch *fw, bool by_close);
};

int ioevq_fclose_init(void);
void ioevq_fclose_exit(void);
bool ioevq_fclose_works(void);

int ioevq_fclose_watch(struct ioevq_fwatch *fw, struct file *file);
void ioevq_fclose_unwatch(struct ioevq_fwatch *fw);
struct file *ioevq_fclose_get(struct ioevq_fwatch *fw);

#endif

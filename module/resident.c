// SPDX-License-Identifier: GPL-2.0-only
/*
 * What of a file is in memory. A tmpfs cannot be asked not to block (it ignores IOCB_NOWAIT), but
 * where all that is read is in memory it has no reason to. What is held meanwhile cannot be
 * swapped out. It may block all the same, for a moment, where others change the file just then.
 */
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "resident.h"

void ioevq_resident_put(struct ioevq_resident *r)
{
	while (r->nr)
		put_page(r->pages[--r->nr]);
}

/* Where a page is locked somebody may be about to write it to the swap. */
static bool hold(struct ioevq_resident *r, struct page *page)
{
	if (!page)
		return false;
	r->pages[r->nr++] = page;
	return PageUptodate(page) && !PageLocked(page);
}

/*
 * Hold what a read of @len bytes at @pos is going to find. False, and nothing is held: it
 * might block, or is too long, or the file is none of a tmpfs.
 */
bool ioevq_resident_get(struct ioevq_resident *r, struct file *file, loff_t pos, size_t len)
{
	struct inode *inode = file_inode(file);
	/* It may change at once: so may what is in memory. */
	loff_t end = min_t(loff_t, data_race(i_size_read(inode)), pos + (loff_t)len);
	pgoff_t index;

	r->nr = 0;
	/* The node of a device may be on a tmpfs, too. */
	if (!S_ISREG(inode->i_mode) || inode->i_sb->s_magic != TMPFS_MAGIC ||
	    end - pos > (loff_t)(IOEVQ_MAX_RESIDENT - 1) * (loff_t)PAGE_SIZE)
		return false;
	for (index = pos >> PAGE_SHIFT; (loff_t)index << PAGE_SHIFT < end; index++) {
		if (!hold(r, find_get_page(file->f_mapping, index))) {
			ioevq_resident_put(r);
			return false;
		}
	}
	return true;
}

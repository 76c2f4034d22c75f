/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages of a file that are in memory, and stay there. */
#ifndef IOEVQ_RESIDENT_H
#define IOEVQ_RESIDENT_H

#include <linux/fs.h>

/* 64 KiB, wherever they begin. More is a worker's. */
#define IOEVQ_MAX_RESIDENT	17

struct ioevq_resident {
	unsigned int nr;
	struct page *pages[IOEVQ_MAX_RESIDENT];
};

bool ioevq_resident_get(struct ioevq_resident *r, struct file *file, loff_t pos, size_t len);
void ioevq_resident_put(struct ioevq_resident *r);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Registered buffers: how to use them, and what they cost. */
#ifndef IOEVQ_FIXED_H
#define IOEVQ_FIXED_H

#include "store.h"

#define PAGE	4096L

/* Register one buffer. */
static inline int register_one(const struct ioevq *q, const void *addr, size_t len)
{
	struct ioevq_buffer buffer = { (uintptr_t)addr, len };

	return ioevq_register_buffers(q, &buffer, 1);
}

static inline int submit_fixed(const struct ioevq *q, unsigned int op, int fd, const void *addr,
			       size_t len, uint64_t off, unsigned int buf_index, uint64_t user_data)
{
	struct ioevq_req req;

	ioevq_prep_write_fixed(&req, fd, addr, len, off, buf_index, user_data);
	req.op = (uint16_t)op;
	return submit(q, &req);
}

static inline int64_t read_fixed(const struct ioevq *q, int fd, void *addr, size_t len,
				 uint64_t off, unsigned int buf_index)
{
	struct ioevq_req req;

	ioevq_prep_read_fixed(&req, fd, addr, len, off, buf_index, 1);
	return outcome(q, &req);
}

static inline int64_t write_fixed(const struct ioevq *q, int fd, const void *addr, size_t len,
				  uint64_t off, unsigned int buf_index)
{
	struct ioevq_req req;

	ioevq_prep_write_fixed(&req, fd, addr, len, off, buf_index, 1);
	return outcome(q, &req);
}

/* A number of kilobytes in /proc/self/status, in pages; -1: no such line. */
static inline long status_pages(const char *key)
{
	FILE *f = fopen("/proc/self/status", "re");
	size_t len = strlen(key);
	char line[256];
	long kb = -1;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, len) && line[len] == ':')
			kb = strtol(line + len + 1, NULL, 10) / 4;
	if (f)
		fclose(f);
	return kb;
}

/* Pages of this process that are pinned. */
static inline long pinned(void)
{
	return status_pages("VmPin");
}

#endif

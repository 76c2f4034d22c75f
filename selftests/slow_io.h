/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * File I/O that takes as long as the test wants it to: its memory is missing, and
 * the test itself is who provides missing memory (userfaultfd(2)). The file is a hole
 * on tmpfs, so that a worker of the module meets the fault.
 */
#ifndef IOEVQ_SLOW_IO_H
#define IOEVQ_SLOW_IO_H

#include <linux/userfaultfd.h>

#include "expect.h"

#define SLOW_PAGES	16
#define SLOW_PAGE	4096

struct slow_io {
	int file;
	int uffd;
	char *pages;
};

static inline int slow_make_of(struct slow_io *s, unsigned int pages)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	s->file = memfd_create("slow", MFD_CLOEXEC);
	s->uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	s->pages = mmap(NULL, pages * SLOW_PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->pages == MAP_FAILED || ftruncate(s->file, pages * SLOW_PAGE))
		return -1;
	reg.range.start = (uintptr_t)s->pages;
	reg.range.len = pages * SLOW_PAGE;
	if (ioctl(s->uffd, UFFDIO_API, &api))
		return -1;
	return ioctl(s->uffd, UFFDIO_REGISTER, &reg);
}

static inline int slow_make(struct slow_io *s)
{
	return slow_make_of(s, SLOW_PAGES);
}

/* Read one page of the file into page @i. */
static inline int slow_read(const struct ioevq *q, const struct slow_io *s, unsigned int i,
			    uint64_t user_data)
{
	struct ioevq_req req;

	ioevq_prep_read(&req, s->file, s->pages + i * SLOW_PAGE, SLOW_PAGE, 0, user_data);
	return submit(q, &req);
}

/* Wait until another I/O has met the fault: it cannot be stopped any more. */
static inline int slow_started(const struct slow_io *s)
{
	struct pollfd p = { .fd = s->uffd, .events = POLLIN };
	struct uffd_msg msg;

	if (poll(&p, 1, BOUND_NS / 1000000) != 1)
		return -1;
	return read(s->uffd, &msg, sizeof(msg)) == sizeof(msg) ? 0 : -1;
}

/* Let the I/O of page @i, past or to come, go on. */
static inline int slow_finish(const struct slow_io *s, unsigned int i)
{
	struct uffdio_zeropage zero = {
		.range.start = (uintptr_t)(s->pages + i * SLOW_PAGE),
		.range.len = SLOW_PAGE,
	};

	return ioctl(s->uffd, UFFDIO_ZEROPAGE, &zero);
}

static inline void slow_end(struct slow_io *s)
{
	munmap(s->pages, SLOW_PAGES * SLOW_PAGE);
	close(s->uffd);
	close(s->file);
}

#endif

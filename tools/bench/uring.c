// SPDX-License-Identifier: GPL-2.0-only
#include "uring.h"

static void *map(int fd, size_t size, off_t offset)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);

	if (p == MAP_FAILED)
		die("mmap of io_uring");
	return p;
}

static void register_ring(struct uring *r)
{
	struct io_uring_rsrc_update update = { .offset = -1U, .data = (unsigned int)r->fd };

	r->enter_fd = r->fd;
	if (syscall(__NR_io_uring_register, r->fd, IORING_REGISTER_RING_FDS, &update, 1) == 1) {
		r->enter_fd = (int)update.offset;
		r->enter_flags = IORING_ENTER_REGISTERED_RING;
	}
}

void uring_register_files(struct uring *r, const int *fds, unsigned int n)
{
	MUST(syscall(__NR_io_uring_register, r->fd, IORING_REGISTER_FILES, fds, n));
}

int uring_open_cq(struct uring *r, unsigned int entries, unsigned int cq_entries,
		  unsigned int flags)
{
	struct io_uring_params p = { .flags = flags | IORING_SETUP_CQSIZE,
				     .cq_entries = cq_entries };
	size_t size, cq_size;
	unsigned int i;
	char *rings;

	memset(r, 0, sizeof(*r));
	r->fd = (int)syscall(__NR_io_uring_setup, entries, &p);
	if (r->fd < 0)
		return -errno;
	size = p.sq_off.array + p.sq_entries * sizeof(unsigned int);
	cq_size = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
	r->rings_size = size > cq_size ? size : cq_size;
	rings = map(r->fd, r->rings_size, IORING_OFF_SQ_RING);
	r->rings = rings;
	r->sqes = map(r->fd, p.sq_entries * sizeof(*r->sqes), IORING_OFF_SQES);
	r->sq_tail = (unsigned int *)(rings + p.sq_off.tail);
	r->sq_array = (unsigned int *)(rings + p.sq_off.array);
	r->sq_flags = (unsigned int *)(rings + p.sq_off.flags);
	r->cq_head = (unsigned int *)(rings + p.cq_off.head);
	r->cq_tail = (unsigned int *)(rings + p.cq_off.tail);
	r->cqes = (struct io_uring_cqe *)(rings + p.cq_off.cqes);
	r->sq_mask = p.sq_entries - 1;
	r->cq_mask = p.cq_entries - 1;
	for (i = 0; i < p.sq_entries; i++)
		r->sq_array[i] = i;
	register_ring(r);
	return 0;
}

/* A mapping would keep the ring, and what it watches. */
void uring_close(struct uring *r)
{
	struct io_uring_rsrc_update update = { .offset = (unsigned int)r->enter_fd };

	if (r->enter_flags)
		syscall(__NR_io_uring_register, r->fd, IORING_UNREGISTER_RING_FDS, &update, 1);
	munmap(r->rings, r->rings_size);
	munmap(r->sqes, (r->sq_mask + 1) * sizeof(*r->sqes));
	close(r->fd);
}

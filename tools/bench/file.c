// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads of 4 KiB: of tmpfs, of ext4 in the page cache, and past it of devices in memory; so
 * many at a time in one call, and all of them waited for. The files are made by the guest.
 */
#include <aio.h>
#include <linux/aio_abi.h>
#include <sys/stat.h>

#include "bench.h"
#include "uring.h"

#define BLOCK	4096
#define DEPTH	32
#define BLOCKS	2048

struct files {
	int fd;
	unsigned int depth, at;
	char *buf;			/* DEPTH blocks */
	struct uring u;
	aio_context_t ctx;
	struct ioevq q;
};

struct file_way {
	const char *name;
	enum kind kind;
	void (*open)(struct files *f);
	round_fn *round;
	bool only_one;
};

/* Where the next one is. */
static __always_inline uint64_t next_offset(struct files *f)
{
	f->at = (f->at + 17) % BLOCKS;
	return (uint64_t)f->at * BLOCK;
}

static __always_inline char *block(const struct files *f, unsigned int i)
{
	return f->buf + (size_t)i * BLOCK;
}

static __always_inline void check(int64_t res)
{
	if (res != BLOCK) {
		errno = res < 0 ? (int)-res : EIO;
		die("a read");
	}
}

static void open_nothing(struct files *f)
{
	(void)f;
}

static void round_pread(void *arg)
{
	struct files *f = arg;

	check(pread(f->fd, f->buf, BLOCK, (off_t)next_offset(f)));
}

static void open_libaio(struct files *f)
{
	f->ctx = 0;
	MUST(syscall(__NR_io_setup, 2 * DEPTH, &f->ctx));
}

static __always_inline void submit_libaio(struct files *f)
{
	struct iocb iocbs[DEPTH], *list[DEPTH];
	unsigned int i;

	for (i = 0; i < f->depth; i++) {
		iocbs[i] = (struct iocb){
			.aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (unsigned int)f->fd,
			.aio_buf = (uintptr_t)block(f, i), .aio_nbytes = BLOCK,
			.aio_offset = (int64_t)next_offset(f),
		};
		list[i] = &iocbs[i];
	}
	if (syscall(__NR_io_submit, f->ctx, (long)f->depth, list) != (int)f->depth)
		die("io_submit");
}

static __always_inline void reap_libaio(struct files *f, unsigned int n)
{
	struct io_event events[DEPTH];

	if (syscall(__NR_io_getevents, f->ctx, (long)n, (long)n, events, NULL) != (int)n)
		die("io_getevents");
	for (unsigned int i = 0; i < n; i++)
		check(events[i].res);
}

static void round_libaio(void *arg)
{
	struct files *f = arg;

	submit_libaio(f);
	reap_libaio(f, f->depth);
}

/* What io_setup(2) maps at the address that it returns; libaio reads it, too. */
struct aio_ring {
	unsigned int id, nr, head, tail, magic, compat, incompat, header_length;
	struct io_event events[];
};

/* The same, taken from the ring without a call if all is there. */
static void round_libaio_ring(void *arg)
{
	struct files *f = arg;
	struct aio_ring *ring = (struct aio_ring *)f->ctx;
	unsigned int i, head;

	submit_libaio(f);
	head = ring->head;
	for (i = 0; i < f->depth; i++) {
		if (head == __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE)) {
			__atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
			reap_libaio(f, f->depth - i);
			return;
		}
		check(ring->events[head].res);
		head = head + 1 == ring->nr ? 0 : head + 1;
	}
	__atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
}

static void round_posix(void *arg)
{
	struct files *f = arg;
	struct aiocb cbs[DEPTH];
	unsigned int i;

	for (i = 0; i < f->depth; i++) {
		cbs[i] = (struct aiocb){
			.aio_fildes = f->fd, .aio_buf = block(f, i), .aio_nbytes = BLOCK,
			.aio_offset = (off_t)next_offset(f),
			.aio_sigevent.sigev_notify = SIGEV_NONE,
		};
		MUST(aio_read(&cbs[i]));
	}
	for (i = 0; i < f->depth; i++) {
		const struct aiocb *list = &cbs[i];

		while (aio_error(&cbs[i]) == EINPROGRESS)
			MUST(aio_suspend(&list, 1, NULL));
		check(aio_return(&cbs[i]));
	}
}

static void open_uring(struct files *f)
{
	if (uring_open(&f->u, 2 * DEPTH, URING_DEFER))
		die("io_uring_setup");
}

static void open_uring_fixed(struct files *f)
{
	struct iovec iov = { f->buf, DEPTH * BLOCK };

	open_uring(f);
	MUST(syscall(__NR_io_uring_register, f->u.fd, IORING_REGISTER_BUFFERS, &iov, 1));
	MUST(syscall(__NR_io_uring_register, f->u.fd, IORING_REGISTER_FILES, &f->fd, 1));
}

static __always_inline void read_uring(struct files *f, bool fixed)
{
	struct io_uring_cqe *cqe;
	unsigned int i;

	for (i = 0; i < f->depth; i++) {
		struct io_uring_sqe *sqe = uring_sqe(&f->u, fixed ? IORING_OP_READ_FIXED :
						     IORING_OP_READ, fixed ? 0 : f->fd, i);

		sqe->addr = (uintptr_t)block(f, i);
		sqe->len = BLOCK;
		sqe->off = next_offset(f);
		if (fixed)
			sqe->flags = IOSQE_FIXED_FILE;
	}
	MUST(uring_enter(&f->u, f->depth, IORING_ENTER_GETEVENTS));
	for (i = 0; i < f->depth; i++) {
		cqe = uring_peek(&f->u);
		if (!cqe)
			die("io_uring: completions are missing");
		check(cqe->res);
		uring_seen(&f->u, 1);
	}
}

static void round_uring(void *arg)
{
	read_uring(arg, false);
}

static void round_uring_fixed(void *arg)
{
	read_uring(arg, true);
}

static void open_ours(struct files *f)
{
	MUST(ioevq_open(&f->q, 2 * DEPTH, 0));
}

static void open_ours_fixed(struct files *f)
{
	struct ioevq_buffer buffer = { (uintptr_t)f->buf, DEPTH * BLOCK };

	open_ours(f);
	MUST(ioevq_register_buffers(&f->q, &buffer, 1));
}

static __always_inline void prep(struct files *f, struct ioevq_req *reqs, bool fixed)
{
	for (unsigned int i = 0; i < f->depth; i++) {
		ioevq_prep_read(&reqs[i], f->fd, block(f, i), BLOCK, next_offset(f), i);
		if (fixed)
			reqs[i].op_flags = IOEVQ_RW_FIXED;
	}
}

/* Submitted and waited for by one call, which fills an array. */
static __always_inline void read_ours(struct files *f, bool fixed)
{
	struct ioevq_req reqs[DEPTH];
	struct ioevq_event events[DEPTH];
	struct ioevq_enter enter = {
		.reqs = (uintptr_t)reqs, .nr_reqs = f->depth, .events = (uintptr_t)events,
		.min = f->depth, .max = f->depth, .timeout_ns = -1,
	};
	unsigned int i;

	prep(f, reqs, fixed);
	if (ioevq_enter(&f->q, &enter) != (int)f->depth)
		die("ioevq_enter");
	for (i = 0; i < f->depth; i++)
		check(events[i].res);
}

static void round_ours(void *arg)
{
	read_ours(arg, false);
}

static void round_ours_fixed(void *arg)
{
	read_ours(arg, true);
}

/* What is done at once has its result in an array, and no event. */
static void round_ours_results(void *arg)
{
	struct files *f = arg;
	struct ioevq_req reqs[DEPTH];
	struct ioevq_event ev;
	int64_t results[DEPTH];
	unsigned int i;

	prep(f, reqs, false);
	for (i = 0; i < f->depth; i++)
		reqs[i].flags = IOEVQ_REQ_SKIP_SUCCESS;
	if (ioevq_submit_results(&f->q, reqs, f->depth, results) != (int)f->depth)
		die("ioevq_submit");
	for (i = 0; i < f->depth; i++) {
		if (results[i] == IOEVQ_NO_RESULT) {
			MUST(ioevq_wait(&f->q, &ev, 1, 1, IOEVQ_FOREVER));
			results[i] = ev.res;
		}
		check(results[i]);
	}
}

static const struct file_way ways[] = {
	{ "pread", FLOOR, open_nothing, round_pread, true },
	{ "libaio", PEER, open_libaio, round_libaio, false },
	{ "libaio, ring", PEER, open_libaio, round_libaio_ring, false },
	{ "io_uring, DEFER", PEER, open_uring, round_uring, false },
	{ "io_uring, DEFER, fixed", PEER, open_uring_fixed, round_uring_fixed, false },
	{ "ioevq", OURS, open_ours, round_ours, false },
	{ "ioevq, results in place", OURS, open_ours, round_ours_results, false },
	{ "ioevq, fixed", OURS, open_ours_fixed, round_ours_fixed, false },
	{ "POSIX AIO", PEER, open_nothing, round_posix, false },
};

static void read_file(const char *object, const char *path, bool direct)
{
	struct files *f = warm_alloc(1, sizeof(*f));
	unsigned int i, depth;
	int fd = open(path, O_RDONLY | (direct ? O_DIRECT : 0));

	if (fd < 0) {
		fprintf(stderr, "bench: %s: %s\n", path, strerror(errno));
		return;
	}
	f->fd = fd;
	if (posix_memalign((void **)&f->buf, BLOCK, DEPTH * BLOCK))
		die("posix_memalign");
	memset(f->buf, 0, DEPTH * BLOCK);
	for (i = 0; i < BLOCKS; i++)
		check(pread(fd, f->buf, BLOCK, (off_t)i * BLOCK));
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		/* The threads of glibc's cost most of a short run. */
		if (quick && ways[i].round == round_posix)
			continue;
		ways[i].open(f);
		for (depth = 1; depth <= (ways[i].only_one ? 1 : DEPTH); depth *= DEPTH) {
			struct row row = {
				.question = "read", .object = object, .name = ways[i].name,
				.kind = ways[i].kind, .n = depth, .k = depth,
			};

			f->depth = depth;
			measure(&row, ways[i].round, f);
		}
	}
}

void bench_file(void)
{
	read_file("tmpfs", "/tmp/bench/tmpfs", false);
	read_file("null_blk irq, direct", "/tmp/bench/null_irq", true);
	if (quick)
		return;
	read_file("ext4, cached", "/tmp/bench/ext4/file", false);
	read_file("ext4 on brd, direct", "/tmp/bench/ext4/file", true);
	read_file("brd, direct", "/tmp/bench/brd", true);
	read_file("null_blk inline, direct", "/tmp/bench/null_inline", true);
}

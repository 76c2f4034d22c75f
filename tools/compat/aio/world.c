// SPDX-License-Identifier: MIT
/* The state of a process: made at first use, wiped in a child, and its lock. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "facade.h"

#define DEVICE		"/dev/ioevq"

/* More than that wait in the kernel outside of the ring. */
#define ENTRIES		1024

#define OPS	(1U << IOEVQ_OP_POST | 1U << IOEVQ_OP_POLL | 1U << IOEVQ_OP_READ | \
		 1U << IOEVQ_OP_WRITE | 1U << IOEVQ_OP_FSYNC | 1U << IOEVQ_OP_CANCEL)

/* Objects of a pool come by so many. */
#define CHUNK		64

static struct world *world;

/* The queue's descriptor: what a child must close, which has no more of us than this. */
static int queue_fd = -1;

bool use_libc;
struct libc_calls libc;

static uint64_t signals_block(void)
{
	uint64_t all = ALL_SIGNALS, old = 0;

	/* That by which the C library cancels, too: nobody is cancelled here. */
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof(all));
	return old;
}

void signals_restore(uint64_t mask)
{
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
}

uint64_t world_lock(struct world *w)
{
	uint64_t mask = signals_block();
	int was = 0;

	if (__atomic_compare_exchange_n(&w->lock, &was, 1, false, __ATOMIC_ACQUIRE,
					__ATOMIC_RELAXED))
		return mask;
	while (__atomic_exchange_n(&w->lock, 2, __ATOMIC_ACQUIRE))
		futex_wait(&w->lock, 2, NSEC_PER_SEC);
	return mask;
}

bool world_trylock(struct world *w, uint64_t *mask)
{
	int was = 0;

	*mask = signals_block();
	if (__atomic_compare_exchange_n(&w->lock, &was, 1, false, __ATOMIC_ACQUIRE,
					__ATOMIC_RELAXED))
		return true;
	signals_restore(*mask);
	return false;
}

void world_unlock(struct world *w, uint64_t mask)
{
	if (__atomic_exchange_n(&w->lock, 0, __ATOMIC_RELEASE) == 2)
		futex_wake(&w->lock, 1);
	signals_restore(mask);
}

/* A child must not have it: neither the memory nor, in its pages, what it says. */
static void *map(size_t size, int advice)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	if (madvise(p, size, advice)) {
		munmap(p, size);
		return NULL;
	}
	return p;
}

void *pool_get(struct pool *pool, size_t size)
{
	void *p = pool->free;
	char *chunk;
	int i;

	if (!p) {
		chunk = map(size * CHUNK, MADV_DONTFORK);
		if (!chunk)
			return NULL;
		for (i = 0; i < CHUNK; i++)
			pool_put(pool, chunk + i * size);
		p = pool->free;
	}
	pool->free = *(void **)p;
	memset(p, 0, size);
	return p;
}

void pool_put(struct pool *pool, void *p)
{
	*(void **)p = pool->free;
	pool->free = p;
}

static int queue_setup(struct world *w, int fd)
{
	struct ioevq_setup setup = {
		.size = sizeof(setup), .flags = IOEVQ_SETUP_MAPPED, .entries = ENTRIES, .ops = OPS,
	};
	struct ioevq_info info = { .size = sizeof(info), .op = IOEVQ_OP_NOP };
	int err = (int)sys(SYS_ioctl, fd, IOEVQ_IOC_INFO, &info);
	void *ring;

	/* Without it no stream could be waited for. */
	if (!err && !(info.features & IOEVQ_FEAT_CLOSE_HOOK))
		err = -EOPNOTSUPP;
	if (err)
		return err;
	err = (int)sys(SYS_ioctl, fd, IOEVQ_IOC_SETUP, &setup);
	/* The module may have been told that so many are too many. */
	if (err == -EINVAL) {
		setup.entries = 0;
		err = (int)sys(SYS_ioctl, fd, IOEVQ_IOC_SETUP, &setup);
	}
	if (err)
		return err;
	ring = mmap(NULL, setup.ring_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    (off_t)setup.ring_offset);
	if (ring == MAP_FAILED)
		return -errno;
	madvise(ring, setup.ring_size, MADV_DONTFORK);
	w->q.ring = ring;
	w->q.ring_size = setup.ring_size;
	w->q.mask = setup.entries - 1;
	w->q.slots = (struct ioevq_event *)((char *)ring + IOEVQ_RING_EVENTS);
	w->q.fd = fd;
	return 0;
}

static int queue_open(struct world *w)
{
	int fd = (int)sys(SYS_openat, AT_FDCWD, DEVICE, O_RDWR | O_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return fd;
	err = queue_setup(w, fd);
	if (err) {
		sys(SYS_close, fd);
		return err;
	}
	queue_fd = fd;
	w->ready_end = &w->ready;
	w->todo_end = &w->todo;
	return 0;
}

/* The parent's queue is not the child's; unless it was closed, and is something else now. */
static void forked(void)
{
	struct ioevq_info info = { .size = sizeof(info), .op = IOEVQ_OP_NOP };

	if (queue_fd >= 0 && !sys(SYS_ioctl, queue_fd, IOEVQ_IOC_INFO, &info))
		sys(SYS_close, queue_fd);
	queue_fd = -1;
}

static void add(struct iovec *iov, const char *s)
{
	iov->iov_base = (char *)s;
	iov->iov_len = strlen(s);
}

/* Once: who asked for a queue shall know that there is none. */
static void say_that_we_fall_back(int err)
{
	const char *why = strerrordesc_np(-err);
	struct iovec iov[4];

	add(&iov[0], "ioevq: " DEVICE ": ");
	add(&iov[1], why ? why : "cannot be used");
	add(&iov[2], ": asynchronous I/O is the C library's own");
	add(&iov[3], "\n");
	sys(SYS_writev, STDERR_FILENO, iov, 4);
}

/* 0, or an error that passes; anything else means that there are no queues here. */
static int world_fill(struct world *w)
{
	static bool has_handler;
	int err = queue_open(w);

	if (!err) {
		if (!has_handler)
			pthread_atfork(NULL, NULL, forked);
		has_handler = true;
		__atomic_store_n(&w->pid, getpid(), __ATOMIC_RELEASE);
		return 0;
	}
	if (err == -EMFILE || err == -ENFILE || err == -ENOMEM)
		return -EAGAIN;
	if (!libc_find || libc_find())
		return err;
	use_libc = true;
	say_that_we_fall_back(err);
	return err;
}

static struct world *world_make(void)
{
	struct world *w = map(sizeof(*w), MADV_WIPEONFORK), *was = NULL;

	if (!w)
		return NULL;
	if (__atomic_compare_exchange_n(&world, &was, w, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return w;
	munmap(w, sizeof(*w));
	return was;
}

struct world *world_get(void)
{
	struct world *w = __atomic_load_n(&world, __ATOMIC_ACQUIRE);
	uint64_t mask;
	int err = 0;

	if (use_libc)
		return NULL;
	if (!w)
		w = world_make();
	if (!w) {
		errno = EAGAIN;
		return NULL;
	}
	if (__atomic_load_n(&w->pid, __ATOMIC_ACQUIRE))
		return w;
	mask = world_lock(w);
	if (!w->pid && !use_libc)
		err = world_fill(w);
	world_unlock(w, mask);
	if (!err && !use_libc)
		return w;
	errno = -err;
	return NULL;
}

struct world *world_peek(void)
{
	struct world *w = __atomic_load_n(&world, __ATOMIC_ACQUIRE);

	return w && __atomic_load_n(&w->pid, __ATOMIC_ACQUIRE) ? w : NULL;
}

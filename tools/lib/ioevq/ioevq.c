// SPDX-License-Identifier: MIT
/* libioevq: the calls. The inline part is in ioevq.h. */
#define _GNU_SOURCE
#include <ioevq.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static int ioevq_ioctl(int fd, unsigned long cmd, void *arg)
{
	int saved = errno, ret = ioctl(fd, cmd, arg);

	/* A signal handler may be who posts. */
	if (ret < 0) {
		ret = -errno;
		errno = saved;
	}
	return ret;
}

/*
 * @entries is the kernel's word: what the ring says of itself anybody who shares it
 * may have written.
 */
static int ioevq_map(struct ioevq *q, int fd, uint32_t entries, size_t size, off_t offset)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);

	if (map == MAP_FAILED)
		return -errno;
	q->fd = fd;
	q->ring = map;
	q->ring_size = size;
	q->mask = entries - 1;
	q->slots = (struct ioevq_event *)((char *)map + IOEVQ_RING_EVENTS);
	return 0;
}

EXPORT int ioevq_open(struct ioevq *q, uint32_t entries, uint64_t ops)
{
	struct ioevq_setup setup = {
		.size = sizeof(setup),
		.flags = IOEVQ_SETUP_MAPPED,
		.entries = entries,
		.ops = ops,
	};
	int fd = open("/dev/ioevq", O_RDWR | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = ioevq_ioctl(fd, IOEVQ_IOC_SETUP, &setup);
	if (!ret)
		ret = ioevq_map(q, fd, setup.entries, setup.ring_size, (off_t)setup.ring_offset);
	if (ret)
		close(fd);
	return ret;
}

EXPORT int ioevq_attach(struct ioevq *q, int fd)
{
	struct ioevq_info info = { .size = sizeof(info) };
	long page = sysconf(_SC_PAGESIZE);
	size_t size;
	int ret = ioevq_ioctl(fd, IOEVQ_IOC_INFO, &info);

	if (ret)
		return ret;
	size = IOEVQ_RING_EVENTS + (size_t)info.entries * info.event_size;
	return ioevq_map(q, fd, info.entries, (size + page - 1) & ~(size_t)(page - 1), 0);
}

EXPORT void ioevq_close(struct ioevq *q)
{
	munmap(q->ring, q->ring_size);
	close(q->fd);
	memset(q, 0, sizeof(*q));
	q->fd = -1;
}

EXPORT int ioevq_info(const struct ioevq *q, struct ioevq_info *info)
{
	info->size = sizeof(*info);
	return ioevq_ioctl(q->fd, IOEVQ_IOC_INFO, info);
}

static int ioevq_control(const struct ioevq *q, uint32_t cmd, uint64_t arg)
{
	struct ioevq_control control = { .size = sizeof(control), .cmd = cmd, .arg = arg };

	return ioevq_ioctl(q->fd, IOEVQ_IOC_CONTROL, &control);
}

EXPORT int ioevq_restrict(const struct ioevq *q, uint64_t ops)
{
	return ioevq_control(q, IOEVQ_CONTROL_RESTRICT, ops);
}

EXPORT int ioevq_set_concurrency(const struct ioevq *q, uint32_t concurrency)
{
	return ioevq_control(q, IOEVQ_CONTROL_CONCURRENCY, concurrency);
}

EXPORT int ioevq_alert(const struct ioevq *q, uint64_t user_data)
{
	return ioevq_control(q, IOEVQ_CONTROL_ALERT, user_data);
}

EXPORT int ioevq_clear_alert(const struct ioevq *q)
{
	return ioevq_control(q, IOEVQ_CONTROL_CLEAR_ALERT, 0);
}

EXPORT int ioevq_register_buffers(const struct ioevq *q, const struct ioevq_buffer *buffers,
				  unsigned int nr)
{
	struct ioevq_control control = {
		.size = sizeof(control),
		.cmd = IOEVQ_CONTROL_REGISTER_BUFFERS,
		.arg = (uintptr_t)buffers,
		.nr = nr,
	};

	return ioevq_ioctl(q->fd, IOEVQ_IOC_CONTROL, &control);
}

EXPORT int ioevq_unregister_buffers(const struct ioevq *q)
{
	return ioevq_control(q, IOEVQ_CONTROL_UNREGISTER_BUFFERS, 0);
}

/* Of events, by one read. */
#define MAX_READ	4096U

/*
 * One event at least, and as many as are there, for less than the ioctl costs. -EAGAIN: who
 * shares the queue has set O_NONBLOCK.
 */
static int ioevq_read(const struct ioevq *q, struct ioevq_event *events, unsigned int max)
{
	size_t size = (max < MAX_READ ? max : MAX_READ) * sizeof(*events);
	int saved = errno;
	/* No cancellation point: events that were taken must not be lost. */
	ssize_t ret = syscall(SYS_read, q->fd, events, size);

	if (ret < 0) {
		ret = -errno;
		errno = saved;
		return (int)ret;
	}
	return (int)(ret / (ssize_t)sizeof(*events));
}

EXPORT int ioevq_enter(const struct ioevq *q, struct ioevq_enter *enter)
{
	enter->size = sizeof(*enter);
	return ioevq_ioctl(q->fd, IOEVQ_IOC_ENTER, enter);
}

EXPORT int ioevq_submit(const struct ioevq *q, const struct ioevq_req *reqs, unsigned int nr)
{
	return ioevq_submit_results(q, reqs, nr, NULL);
}

EXPORT int ioevq_submit_results(const struct ioevq *q, const struct ioevq_req *reqs,
				unsigned int nr, int64_t *results)
{
	struct ioevq_enter enter = {
		.reqs = (uintptr_t)reqs, .nr_reqs = nr, .results = (uintptr_t)results,
	};
	int ret = ioevq_enter(q, &enter);

	if (ret < 0 && !enter.submitted)
		return ret;
	return (int)enter.submitted;
}

static uint32_t ioevq_ring_flags(const struct ioevq *q)
{
	return __atomic_load_n(&q->ring->flags, __ATOMIC_RELAXED);
}

/*
 * From the ring if enough are there, and else the rest by @enter. What the kernel has
 * aside comes by @enter, too, and not one by one: each look at a level-triggered watch
 * finds it ready again.
 */
static int ioevq_take_or_enter(const struct ioevq *q, struct ioevq_event *events, unsigned int min,
			       unsigned int max, struct ioevq_enter *enter)
{
	unsigned int n = 0;
	int ret;

	if (!max || min > max || enter->timeout_ns < IOEVQ_FOREVER)
		return -EINVAL;
	if (!(ioevq_ring_flags(q) & (IOEVQ_RING_LIMITED | IOEVQ_RING_ALERT)))
		n = ioevq_take_mapped(q, events, max);
	if (n && n >= min && (n == max || !ioevq_ring_flags(q)))
		return (int)n;
	if (!n && min == 1 && enter->timeout_ns == IOEVQ_FOREVER && !enter->flags) {
		ret = ioevq_read(q, events, max);
		if (ret != -EAGAIN)
			return ret;
	}
	enter->events = (uintptr_t)(events + n);
	enter->min = n < min ? min - n : 0;
	enter->max = max - n;
	ret = ioevq_enter(q, enter);
	if (ret < 0)
		return n ? (int)n : ret;
	return (int)n + ret;
}

EXPORT int ioevq_wait(const struct ioevq *q, struct ioevq_event *events, unsigned int min,
		      unsigned int max, int64_t timeout_ns)
{
	struct ioevq_enter enter = { .timeout_ns = timeout_ns };

	return ioevq_take_or_enter(q, events, min, max, &enter);
}

EXPORT int ioevq_wait_sigmask(const struct ioevq *q, struct ioevq_event *events, unsigned int min,
			      unsigned int max, int64_t timeout_ns, const sigset_t *mask)
{
	struct ioevq_enter enter = { .timeout_ns = timeout_ns };

	if (mask) {
		enter.flags = IOEVQ_ENTER_SIGMASK;
		memcpy(&enter.sigmask, mask, sizeof(enter.sigmask));
	}
	return ioevq_take_or_enter(q, events, min, max, &enter);
}

EXPORT int ioevq_wait_until(const struct ioevq *q, struct ioevq_event *events, unsigned int min,
			    unsigned int max, clockid_t clock, int64_t time_ns)
{
	struct ioevq_enter enter = { .flags = IOEVQ_ENTER_ABSTIME, .timeout_ns = time_ns };

	if (clock == CLOCK_REALTIME)
		enter.flags |= IOEVQ_ENTER_REALTIME;
	else if (clock == CLOCK_BOOTTIME)
		enter.flags |= IOEVQ_ENTER_BOOTTIME;
	else if (clock != CLOCK_MONOTONIC)
		return -EINVAL;
	return ioevq_take_or_enter(q, events, min, max, &enter);
}

EXPORT int ioevq_wait_batch(const struct ioevq *q, struct ioevq_event *events, unsigned int min,
			    unsigned int max, int64_t timeout_ns, uint64_t batch_ns)
{
	struct ioevq_enter enter = {
		.events = (uintptr_t)events,
		.min = min,
		.max = max,
		.timeout_ns = timeout_ns,
		.batch_ns = batch_ns,
	};

	/* The kernel knows since when the first one waits. */
	return max ? ioevq_enter(q, &enter) : -EINVAL;
}

EXPORT int ioevq_take_slow(const struct ioevq *q, struct ioevq_event *event)
{
	struct ioevq_enter enter = { .events = (uintptr_t)event, .max = 1 };
	__u32 flags = __atomic_load_n(&q->ring->flags, __ATOMIC_RELAXED);

	/* As a rule it has come between two looks at the tail by the caller. */
	if (!(flags & (IOEVQ_RING_LIMITED | IOEVQ_RING_ALERT)) && ioevq_take_mapped(q, event, 1))
		return 1;
	return ioevq_enter(q, &enter);
}

static int ioevq_submit_one(const struct ioevq *q, const struct ioevq_req *req)
{
	int ret = ioevq_submit(q, req, 1);

	return ret < 0 ? ret : 0;
}

EXPORT int ioevq_post(const struct ioevq *q, uint64_t user_data, int64_t res, uint64_t data)
{
	const struct ioevq_event message = {
		.user_data = user_data, .res = res, .op = IOEVQ_OP_POST, .data = data,
	};
	int saved = errno, ret = 0;

	/* For less than a request costs. A signal handler may be who posts. */
	if (syscall(SYS_write, q->fd, &message, sizeof(message)) < 0) {
		ret = -errno;
		errno = saved;
	}
	return ret;
}

static int ioevq_cancel_matching(const struct ioevq *q, uint32_t flags, uint64_t match, int fd,
				 uint64_t done)
{
	struct ioevq_req req;

	ioevq_prep_cancel(&req, flags, match, fd, 0, done);
	return ioevq_submit_one(q, &req);
}

EXPORT int ioevq_cancel(const struct ioevq *q, uint64_t user_data, uint64_t done)
{
	return ioevq_cancel_matching(q, IOEVQ_CANCEL_USER_DATA, user_data, -1, done);
}

EXPORT int ioevq_cancel_fd(const struct ioevq *q, int fd, uint64_t done)
{
	return ioevq_cancel_matching(q, IOEVQ_CANCEL_FD, 0, fd, done);
}

EXPORT int ioevq_cancel_all(const struct ioevq *q, uint64_t done)
{
	return ioevq_cancel_matching(q, 0, 0, -1, done);
}

EXPORT int ioevq_close_fd(const struct ioevq *q, int fd, uint64_t done)
{
	struct ioevq_req req;

	ioevq_prep_close(&req, fd, done);
	return ioevq_submit_one(q, &req);
}

EXPORT int ioevq_poll_mod(const struct ioevq *q, int fd, uint32_t mask, uint32_t mode,
			  uint64_t user_data)
{
	struct ioevq_req req;

	ioevq_prep_poll_mod(&req, fd, mask, mode, user_data, 0);
	req.flags = IOEVQ_REQ_SKIP_SUCCESS;
	return ioevq_submit_one(q, &req);
}

/* SPDX-License-Identifier: MIT */
/*
 * libioevq - I/O event queues. What requests and events mean is told in
 * <linux/ioevq.h>; this header adds the calls.
 *
 * Functions return a negative errno value on failure. None of them allocates
 * memory after ioevq_open(), takes a lock or starts a thread, and all but
 * ioevq_open() and ioevq_close() may be called by any thread, and by any process
 * that inherited the queue over fork(2), at the same time. The exception is the pool of
 * threads, which has a header of its own: <ioevq_pool.h>.
 *
 * An event must be taken before acting on what it says: the kernel does not
 * announce again what was announced and is not yet taken.
 */
#ifndef IOEVQ_H
#define IOEVQ_H

#include <linux/aio_abi.h>
#include <linux/ioevq.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

struct signalfd_siginfo;

#ifdef __cplusplus
extern "C" {
#endif

/* Timeouts, in nanoseconds like every other value of that argument */
#define IOEVQ_FOREVER	((int64_t)-1)
#define IOEVQ_NO_WAIT	((int64_t)0)

/*
 * A queue. Filled by ioevq_open(); the members serve the inline functions and
 * are not to be changed. May be copied; a copy is the same queue.
 */
struct ioevq {
	int fd;				/* poll it, or pass it by SCM_RIGHTS */
	uint32_t mask;			/* ring entries - 1 */
	struct ioevq_ring *ring;	/* mapped; shared with the kernel */
	struct ioevq_event *slots;
	size_t ring_size;		/* bytes mapped */
};

/*
 * ioevq_open - open /dev/ioevq and map its ring
 * @q: filled on success
 * @entries: ring size in events, rounded up to a power of two; 0 = default
 * @ops: mask of operations (1 << IOEVQ_OP_...) to restrict the queue to; 0 = all
 *
 * The descriptor is close-on-exec. Returns 0, or what open(2), mmap(2) and
 * IOEVQ_IOC_SETUP return: -ENOENT (module not loaded), -EACCES (not permitted),
 * -EINVAL (too many entries), -EDQUOT (the limit of the user's requests, for which eight
 * entries count as one), -ENOMEM, -EMFILE ...
 */
int ioevq_open(struct ioevq *q, uint32_t entries, uint64_t ops);

/*
 * ioevq_attach - use a queue that was received by SCM_RIGHTS
 * @q: filled on success; owns @fd from then on
 * @fd: queue whose ring was set up to be mapped, as ioevq_open() does
 *
 * Returns 0, or -EACCES (not set up to be mapped), -ENOTTY (not a queue) ...
 */
int ioevq_attach(struct ioevq *q, int fd);

/*
 * ioevq_close - unmap the ring and close the descriptor
 *
 * The last close, in any process, cancels all requests without events. File I/O
 * that a device works on still uses its memory until the device is done: cancel
 * and wait for the event of the cancel before freeing such memory.
 */
void ioevq_close(struct ioevq *q);

/*
 * ioevq_info - limits and state
 * @info: filled; info->op must be set to the operation whose flags are asked for,
 *	IOEVQ_OP_NOP if it does not matter (-EOPNOTSUPP: no such operation)
 */
int ioevq_info(const struct ioevq *q, struct ioevq_info *info);

/*
 * ioevq_restrict - refuse all other operations from now on, for good
 * @ops: mask of operations (1 << IOEVQ_OP_...)
 */
int ioevq_restrict(const struct ioevq *q, uint64_t ops);

/*
 * ioevq_set_concurrency - how many consumers of the queue may run at once
 * @concurrency: a number, 0 = as many as there are CPUs online, IOEVQ_UNLIMITED; see
 *	IOEVQ_CONTROL_CONCURRENCY. Every take is a system call then.
 *
 * Returns 0, or -EBADF (not open for writing), -ENOMEM, -EDQUOT, -EINTR (first use; see
 * ioevq_open()).
 */
int ioevq_set_concurrency(const struct ioevq *q, uint32_t concurrency);

/*
 * ioevq_alert - let every wait return at once, until ioevq_clear_alert()
 * @user_data: of the event with IOEVQ_EVENT_ALERT that they return. It is the last one
 *	of a batch.
 *
 * Async-signal-safe. For shutdown or reload of all consumers. Returns 0, or -EBADF
 * (not open for writing), -ENOMEM, -EDQUOT, -EINTR (first use).
 */
int ioevq_alert(const struct ioevq *q, uint64_t user_data);
int ioevq_clear_alert(const struct ioevq *q);

/*
 * ioevq_register_buffers - pin memory for ioevq_prep_read_fixed() and ioevq_prep_write_fixed()
 * @buffers: their addresses and lengths; not used after the return
 * @nr: how many; one queue has one set at a time
 *
 * See IOEVQ_CONTROL_REGISTER_BUFFERS. Returns 0, or -EBUSY (there are some), -EINVAL (too many,
 * too large, empty), -EFAULT (no memory to be written to and kept), -ENOMEM (RLIMIT_MEMLOCK of the
 * user; no memory), -EBADF (not open for writing), -EINTR. None is registered then.
 */
int ioevq_register_buffers(const struct ioevq *q, const struct ioevq_buffer *buffers,
			   unsigned int nr);

/*
 * ioevq_unregister_buffers - drop all of them
 *
 * What is under way goes on, and keeps what it uses. Returns 0, or -ENOENT (there are none),
 * -EBADF, -EINTR.
 */
int ioevq_unregister_buffers(const struct ioevq *q);

/*
 * ioevq_submit - submit requests
 * @reqs: filled by the ioevq_prep_*() functions; not used after the return
 *
 * Returns the number of accepted requests. If it is less than @nr then
 * reqs[return value] is the one that was refused; submit it again for the reason.
 * A negative errno is returned if the first request was refused.
 */
int ioevq_submit(const struct ioevq *q, const struct ioevq_req *reqs, unsigned int nr);

/*
 * ioevq_submit_results - the same, and what was done at once needs no event
 * @results: @nr of them; of a request with IOEVQ_REQ_SKIP_SUCCESS that has succeeded when
 *	it is accepted, what its event would say. IOEVQ_NO_RESULT of others: an event comes.
 */
int ioevq_submit_results(const struct ioevq *q, const struct ioevq_req *reqs, unsigned int nr,
			 int64_t *results);

/*
 * ioevq_wait - wait for events and take them
 * @events: filled
 * @min: wait until so many are there (0: do not wait)
 * @max: length of @events
 * @timeout_ns: in nanoseconds; IOEVQ_FOREVER, IOEVQ_NO_WAIT
 *
 * Takes from the mapped ring without a system call if enough are there. Returns
 * the number of events, which is less than @min when the time is over, or
 * -EINTR (a signal, and no event), -EINVAL, -EFAULT, -EBADFD.
 */
int ioevq_wait(const struct ioevq *q, struct ioevq_event *events, unsigned int min,
	       unsigned int max, int64_t timeout_ns);

/* ioevq_wait_sigmask - the same with another signal mask, as ppoll(2) */
int ioevq_wait_sigmask(const struct ioevq *q, struct ioevq_event *events, unsigned int min,
		       unsigned int max, int64_t timeout_ns, const sigset_t *mask);

/*
 * ioevq_wait_until - the same with a time when the wait is over
 * @clock: CLOCK_MONOTONIC, CLOCK_BOOTTIME or CLOCK_REALTIME, else -EINVAL
 * @time_ns: of that clock, in nanoseconds; IOEVQ_FOREVER
 */
int ioevq_wait_until(const struct ioevq *q, struct ioevq_event *events, unsigned int min,
		     unsigned int max, clockid_t clock, int64_t time_ns);

/*
 * ioevq_wait_batch - the same, content with less than @min after a delay
 * @batch_ns: how long the first event may have to wait for the others, in nanoseconds;
 *	0 = for ever
 *
 * Many events for one wake-up, and none is late by more than @batch_ns.
 */
int ioevq_wait_batch(const struct ioevq *q, struct ioevq_event *events, unsigned int min,
		     unsigned int max, int64_t timeout_ns, uint64_t batch_ns);

/*
 * ioevq_enter - submit, wait and take in one system call
 * @enter: see struct ioevq_enter; size is filled in
 *
 * Returns the number of events taken or a negative errno. enter->submitted less
 * than enter->nr_reqs tells that the errno is that of a refused request.
 */
int ioevq_enter(const struct ioevq *q, struct ioevq_enter *enter);

/*
 * ioevq_post - put a message into a queue
 *
 * Async-signal-safe. Returns 0, or -EAGAIN, -EDQUOT (the ring is full, and the limit
 * of requests of the queue or of its user is reached), -EBADF, -EPERM, -ENOMEM. Never
 * waits, not even for somebody who submits to the queue.
 */
int ioevq_post(const struct ioevq *q, uint64_t user_data, int64_t res, uint64_t data);

/*
 * ioevq_take_native_aio - completions of io_submit(2), as events
 * @ctx: of io_setup(2)
 * @events: @max of them: user_data is aio_data of the struct iocb, res the result, data the
 *	address of the struct iocb, op IOEVQ_OP_POST
 *
 * For a program that moves over piece by piece: its requests name an eventfd
 * (IOCB_FLAG_RESFD) that the queue watches, IOEVQ_POLL_EDGE, and each event of that watch
 * is followed by a call of this until it returns less than @max. Does not wait. Returns how
 * many there were, or -EINVAL (no such context).
 */
int ioevq_take_native_aio(aio_context_t ctx, struct ioevq_event *events, unsigned int max);

/*
 * ioevq_watch_signals - have queued signals announced by a queue, instead of handlers
 * @set: which ones; they are blocked in the calling thread, and in threads that it creates
 *	from now on: call it before there are others
 * @user_data: of the watch, which is level-triggered
 *
 * Each event of the watch is followed by a call of ioevq_take_signals(). Returns the
 * descriptor of a signalfd(2), close-on-exec, for that and to be closed to end it; or
 * -EINVAL (a bad set), -EMFILE, -ENFILE, -ENOMEM, or why the watch was refused: then
 * the mask is as it was. Signals that are ignored (SIG_IGN) do not come, nor SIGKILL and
 * SIGSTOP. The descriptor is of this process: one that inherits it by fork(2) would read
 * signals of its own and must make another.
 */
int ioevq_watch_signals(const struct ioevq *q, const sigset_t *set, uint64_t user_data);

/*
 * ioevq_take_signals - signals that are queued, as events
 * @fd: of ioevq_watch_signals()
 * @events: @max of them: user_data as given here, res the signal, data the sigval of who
 *	sent it (a sigval that is an int: the lower 32 bits), op IOEVQ_OP_POST
 * @infos: @max of them, all that is known of each signal, see signalfd(2); or NULL
 *
 * Takes signals of the process and of the calling thread, those with the lowest number
 * first, of one number in the order in which they were sent. Does not wait. Returns how
 * many there were, 0 to @max; or -EBADF.
 */
int ioevq_take_signals(int fd, uint64_t user_data, struct ioevq_event *events,
		       struct signalfd_siginfo *infos, unsigned int max);

/*
 * ioevq_take_messages - messages of a POSIX message queue, as events
 * @mq: a descriptor of mq_open(3); on Linux it can be watched like others
 * @events: @max of them: user_data as given here, res the length of the message in bytes,
 *	data its priority, op IOEVQ_OP_POST
 * @texts: the messages, one every @size bytes; @size is mq_msgsize or more
 *
 * To be called for each event of a level-triggered watch (POLLIN). Highest priority first,
 * of one priority in the order in which they were sent. Does not wait, even if the
 * descriptor is not O_NONBLOCK. Returns how many there were, 0 to @max; or -EBADF,
 * -EMSGSIZE (@size), -EFAULT (@texts; the message is lost).
 */
int ioevq_take_messages(int mq, uint64_t user_data, struct ioevq_event *events, void *texts,
			size_t size, unsigned int max);

/*
 * ioevq_child_siginfo - what an event of IOEVQ_OP_CHILD says, as waitid(2) says it
 * @event: of an exit, a stop or SIGCONT: no IOEVQ_EVENT_RESCAN, IOEVQ_EVENT_FOREIGN,
 *	IOEVQ_EVENT_USAGE, and a result of more than 0
 * @info: si_pid, si_code and si_status are filled; si_uid is not known
 */
void ioevq_child_siginfo(const struct ioevq_event *event, siginfo_t *info);

/*
 * ioevq_reap - take note of what an event of IOEVQ_OP_CHILD tells of, and reap that child
 * @info: filled by waitid(2); where the kernel has reaped the child already
 *	(IOEVQ_EVENT_AUTOREAP) by ioevq_child_siginfo()
 * @usage: filled, or NULL; with IOEVQ_EVENT_AUTOREAP all 0
 *
 * Touches no other child. Returns 1, or 0: this event has nothing, or another call has taken
 * it; -EAGAIN: IOEVQ_EVENT_RESCAN, call ioevq_rescan(); -EINVAL: an event of something else.
 */
int ioevq_reap(const struct ioevq_event *event, siginfo_t *info, struct rusage *usage);

typedef void ioevq_child_fn(const siginfo_t *info, const struct rusage *usage, void *arg);

/*
 * ioevq_rescan - reap what has no event of its own: after IOEVQ_EVENT_RESCAN
 * @pids: the caller's own children, or NULL: all children of the process are
 * @nr: their number
 * @options: WEXITED, and WSTOPPED and WCONTINUED for who asked for these
 * @tell: called for each that has news, once
 *
 * What is told here or by ioevq_reap() comes from waitid(2), so that each end is told once,
 * whatever events of it are on their way still. A library must not pass NULL: it would take
 * what belongs to the program around it. Does not wait. Returns how many were told of, or
 * -EINVAL (options).
 */
int ioevq_rescan(const pid_t *pids, unsigned int nr, int options, ioevq_child_fn *tell,
		 void *arg);

/*
 * ioevq_cancel_* - end requests, see IOEVQ_OP_CANCEL
 * @done: user data of the event that tells that no event of a matched request
 *	will follow
 */
int ioevq_cancel(const struct ioevq *q, uint64_t user_data, uint64_t done);
int ioevq_cancel_fd(const struct ioevq *q, int fd, uint64_t done);
int ioevq_cancel_all(const struct ioevq *q, uint64_t done);

/*
 * ioevq_close_fd - cancel all requests on an open file and close a descriptor of it
 * @fd: closed when this returns 0; see IOEVQ_OP_CLOSE
 * @done: as above; the event's result is that of close(2)
 *
 * Returns 0, or -EBADF, -EINVAL (the queue itself), -EAGAIN, -ENOMEM: nothing was done.
 */
int ioevq_close_fd(const struct ioevq *q, int fd, uint64_t done);

/*
 * ioevq_poll_mod - change the watches of a descriptor, or arm them again
 * @mask, @mode: as of ioevq_prep_poll()
 * @user_data: of their events from now on; events that are not taken yet keep theirs
 *
 * Has no event of its own. Returns 0, or -ENOENT (no such watch), -EBADF, -EINVAL, -ENOMEM.
 */
int ioevq_poll_mod(const struct ioevq *q, int fd, uint32_t mask, uint32_t mode,
		   uint64_t user_data);

/* ioevq_take_slow - private: what ioevq_take() does when the ring is empty */
int ioevq_take_slow(const struct ioevq *q, struct ioevq_event *event);

/*
 * ioevq_take_mapped - private: up to @max events from the mapped ring. There may be one all the
 * same that has to be taken by a system call.
 */
static inline unsigned int ioevq_take_mapped(const struct ioevq *q, struct ioevq_event *events,
					     unsigned int max)
{
	struct ioevq_ring *ring = q->ring;
	__u64 head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE), n;
	unsigned int i;

	do {
		/* Pairs with the kernel's smp_store_release() of the tail. */
		n = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) - head;
		/* Overtaken by others, or overwritten: the kernel can tell which. */
		if (n > (__u64)q->mask + 1)
			return 0;
		for (i = 0; i < n && i < max; i++) {
			events[i] = q->slots[(head + i) & q->mask];
			/* The kernel has to see that this one is taken, for its timer to go on. */
			if (events[i].op == IOEVQ_OP_TIMER && events[i].flags & IOEVQ_EVENT_MORE)
				break;
		}
		if (!i)
			return 0;
		/*
		 * Success: nobody took them before us, and the kernel cannot have
		 * written over them meanwhile. Failure loads the new head. A full
		 * barrier: what the caller does about the events comes after it,
		 * and the kernel reads the head after a wake-up of their source.
		 */
	} while (!__atomic_compare_exchange_n(&ring->head, &head, head + i, 0, __ATOMIC_SEQ_CST,
					      __ATOMIC_ACQUIRE));
	return i;
}

/*
 * ioevq_take_many - take up to @max events from the mapped ring, by one access to it
 *
 * No system call, unless the kernel asked for one by a flag in the ring. It always
 * does on a queue with a concurrency value, and where a level-triggered watch was ready
 * last time. Events of repeating timers are taken by one. By a call one event is taken.
 * @max is not 0. Returns how many there were, or a negative errno of IOEVQ_IOC_ENTER.
 */
static inline int ioevq_take_many(const struct ioevq *q, struct ioevq_event *events,
				  unsigned int max)
{
	__u32 flags = __atomic_load_n(&q->ring->flags, __ATOMIC_RELAXED);
	unsigned int n = 0;

	if (!(flags & (IOEVQ_RING_LIMITED | IOEVQ_RING_ALERT)))
		n = ioevq_take_mapped(q, events, max);
	if (n)
		return (int)n;
	if (__atomic_load_n(&q->ring->flags, __ATOMIC_RELAXED) ||
	    __atomic_load_n(&q->ring->head, __ATOMIC_RELAXED) !=
	    __atomic_load_n(&q->ring->tail, __ATOMIC_RELAXED))
		return ioevq_take_slow(q, events);
	return 0;
}

/* ioevq_take - the same for one event: 1, 0, or a negative errno */
static inline int ioevq_take(const struct ioevq *q, struct ioevq_event *event)
{
	return ioevq_take_many(q, event, 1);
}

/*
 * ioevq_prep_* - fill a request; @user_data comes back in its events
 *
 * Arguments are those of the system call of that name. Nothing is checked here.
 */
static inline void ioevq_prep(struct ioevq_req *req, unsigned int op, int fd, uint64_t user_data)
{
	req->op = (uint16_t)op;
	req->flags = 0;
	req->fd = fd;
	req->user_data = user_data;
	req->addr = 0;
	req->off = 0;
	req->len = 0;
	req->op_flags = 0;
	req->op_arg = 0;
	req->buf_index = 0;
	req->__reserved[0] = 0;
	req->__reserved[1] = 0;
	req->__reserved[2] = 0;
}

static inline void ioevq_prep_nop(struct ioevq_req *req, uint64_t user_data)
{
	ioevq_prep(req, IOEVQ_OP_NOP, -1, user_data);
}

/* @queue_fd: the receiving queue, -1 = the one that this is submitted to */
static inline void ioevq_prep_post(struct ioevq_req *req, int queue_fd, int64_t res, uint64_t data,
				   uint64_t user_data)
{
	ioevq_prep(req, IOEVQ_OP_POST, queue_fd, user_data);
	req->off = (uint64_t)res;
	req->addr = data;
}

/* @mask: POLLIN ...; @mode: IOEVQ_POLL_LEVEL, IOEVQ_POLL_EDGE ..., see there */
static inline void ioevq_prep_poll(struct ioevq_req *req, int fd, uint32_t mask, uint32_t mode,
				   uint64_t user_data)
{
	ioevq_prep(req, IOEVQ_OP_POLL, fd, user_data);
	req->op_arg = mask;
	req->op_flags = mode;
}

/*
 * @mask, @mode: what the watches of @fd become; @user_data: theirs from then on; @done:
 * user data of the event that tells that none follows that is as they were
 */
static inline void ioevq_prep_poll_mod(struct ioevq_req *req, int fd, uint32_t mask, uint32_t mode,
				       uint64_t user_data, uint64_t done)
{
	ioevq_prep(req, IOEVQ_OP_POLL_MOD, fd, done);
	req->op_arg = mask;
	req->op_flags = mode | IOEVQ_POLL_MOD_USER_DATA;
	req->off = user_data;
}

/*
 * Reads and writes: the memory is the request's until its final event was taken, and no
 * sooner, be it cancelled, its file closed or its process gone: a device may still write there.
 * Then it may be freed, or used for the next one. Where IOEVQ_REQ_SKIP_SUCCESS has its result
 * returned in place of an event, it is free at once. Registered buffers may be unmapped at any
 * time; what is in them is subject to the same rule.
 */
static inline void ioevq_prep_rw(struct ioevq_req *req, unsigned int op, int fd, const void *addr,
				 size_t len, uint64_t off, uint64_t user_data)
{
	ioevq_prep(req, op, fd, user_data);
	req->addr = (uintptr_t)addr;
	req->len = len;
	req->off = off;
}

/* @off: -1 for a pipe or socket, which has none; the same holds for those that follow */
static inline void ioevq_prep_read(struct ioevq_req *req, int fd, void *buf, size_t len,
				   uint64_t off, uint64_t user_data)
{
	ioevq_prep_rw(req, IOEVQ_OP_READ, fd, buf, len, off, user_data);
}

static inline void ioevq_prep_write(struct ioevq_req *req, int fd, const void *buf, size_t len,
				    uint64_t off, uint64_t user_data)
{
	ioevq_prep_rw(req, IOEVQ_OP_WRITE, fd, buf, len, off, user_data);
}

/* @iov: copied at submission; the memory that it names is used until the event */
static inline void ioevq_prep_readv(struct ioevq_req *req, int fd, const struct iovec *iov,
				    unsigned int nr, uint64_t off, uint64_t user_data)
{
	ioevq_prep_rw(req, IOEVQ_OP_READ, fd, iov, nr, off, user_data);
	req->op_flags = IOEVQ_RW_VECTOR;
}

static inline void ioevq_prep_writev(struct ioevq_req *req, int fd, const struct iovec *iov,
				     unsigned int nr, uint64_t off, uint64_t user_data)
{
	ioevq_prep_rw(req, IOEVQ_OP_WRITE, fd, iov, nr, off, user_data);
	req->op_flags = IOEVQ_RW_VECTOR;
}

/* @buf_index: the registered buffer; @buf: an address inside of it, as it was registered */
static inline void ioevq_prep_read_fixed(struct ioevq_req *req, int fd, void *buf, size_t len,
					 uint64_t off, unsigned int buf_index, uint64_t user_data)
{
	ioevq_prep_rw(req, IOEVQ_OP_READ, fd, buf, len, off, user_data);
	req->op_flags = IOEVQ_RW_FIXED;
	req->buf_index = buf_index;
}

static inline void ioevq_prep_write_fixed(struct ioevq_req *req, int fd, const void *buf,
					  size_t len, uint64_t off, unsigned int buf_index,
					  uint64_t user_data)
{
	ioevq_prep_rw(req, IOEVQ_OP_WRITE, fd, buf, len, off, user_data);
	req->op_flags = IOEVQ_RW_FIXED;
	req->buf_index = buf_index;
}

/* @flags: 0 or of enum ioevq_fsync_flags; of the whole file, or of req->len bytes from req->off */
static inline void ioevq_prep_fsync(struct ioevq_req *req, int fd, uint32_t flags,
				    uint64_t user_data)
{
	ioevq_prep(req, IOEVQ_OP_FSYNC, fd, user_data);
	req->op_flags = flags;
}

/*
 * @pid: a child, or 0 for every present and future child of this process
 * @reserve: with pid 0: exits to reserve memory for, 0 = 16
 *
 * req->op_flags takes IOEVQ_CHILD_STOPPED, IOEVQ_CHILD_CONTINUED, IOEVQ_CHILD_USAGE.
 */
static inline void ioevq_prep_child(struct ioevq_req *req, pid_t pid, uint32_t reserve,
				    uint64_t user_data)
{
	ioevq_prep(req, IOEVQ_OP_CHILD, -1, user_data);
	req->len = (uint64_t)pid;
	req->op_arg = reserve;
}

/* @pidfd: of any process, child or not; it may be closed. @flags: 0 or IOEVQ_CHILD_... */
static inline void ioevq_prep_child_pidfd(struct ioevq_req *req, int pidfd, uint32_t flags,
					  uint64_t user_data)
{
	ioevq_prep(req, IOEVQ_OP_CHILD, pidfd, user_data);
	req->op_flags = flags | IOEVQ_CHILD_PIDFD;
}

/*
 * @flags: 0 or of enum ioevq_timer_flags; @time_ns: from now on or of the clock; @period_ns:
 * after that, 0 = once. Slack may be set in req->op_arg.
 */
static inline void ioevq_prep_timer(struct ioevq_req *req, uint32_t flags, uint64_t time_ns,
				    uint64_t period_ns, uint64_t user_data)
{
	ioevq_prep(req, IOEVQ_OP_TIMER, -1, user_data);
	req->off = time_ns;
	req->len = period_ns;
	req->op_flags = flags;
}

/* @match: user data of the timers; @done: of the event that none follows that is as they were */
static inline void ioevq_prep_timer_mod(struct ioevq_req *req, uint64_t match, uint32_t flags,
					uint64_t time_ns, uint64_t period_ns, uint64_t done)
{
	ioevq_prep(req, IOEVQ_OP_TIMER_MOD, -1, done);
	req->addr = match;
	req->off = time_ns;
	req->len = period_ns;
	req->op_flags = flags;
}

/*
 * @flags: IOEVQ_CANCEL_..., which of the next three must match; the others are not
 * looked at. @match: user data; @fd: descriptor; @op: operation
 */
static inline void ioevq_prep_cancel(struct ioevq_req *req, uint32_t flags, uint64_t match, int fd,
				     unsigned int op, uint64_t user_data)
{
	ioevq_prep(req, IOEVQ_OP_CANCEL, flags & IOEVQ_CANCEL_FD ? fd : -1, user_data);
	req->op_flags = flags;
	if (flags & IOEVQ_CANCEL_USER_DATA)
		req->addr = match;
	if (flags & IOEVQ_CANCEL_OP)
		req->len = op;
}

static inline void ioevq_prep_close(struct ioevq_req *req, int fd, uint64_t user_data)
{
	ioevq_prep(req, IOEVQ_OP_CLOSE, fd, user_data);
}

#ifdef __cplusplus
}
#endif

#endif /* IOEVQ_H */

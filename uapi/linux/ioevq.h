/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * ioevq - I/O event queues: the interface of /dev/ioevq.
 *
 * Each open file of /dev/ioevq is a queue. A program submits requests (watch
 * this socket, read this file, tell me of that child) and takes events. Every
 * accepted request ends in exactly one event without %IOEVQ_EVENT_MORE; its
 * memory was reserved when the request was accepted, so that no event is ever
 * lost and nothing that produces one ever waits.
 *
 * Every structure starts with its own size as the caller knows it. The kernel
 * takes a shorter or longer one: missing fields read as zero, unknown fields
 * that are not zero are refused (E2BIG). The layout is the same for 32-bit and
 * 64-bit callers. Addresses travel as 64-bit integers.
 *
 * Errors that every ioctl can return:
 *   EFAULT  an address does not belong to the caller or is not writable
 *   EINVAL  the size is less than that of the first version of the structure,
 *           a reserved field is not zero, or values contradict one another
 *   E2BIG   the size is larger than a page, or an unknown field is not zero
 *   ENOTTY  no such ioctl
 *   EOPNOTSUPP  an unknown flag, operation or command
 *   EINTR   a signal came while the queue was busy with another submission
 */
#ifndef _UAPI_LINUX_IOEVQ_H
#define _UAPI_LINUX_IOEVQ_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* IOEVQ_ABI_VERSION - grows only if a program must be able to tell */
#define IOEVQ_ABI_VERSION	1

/* IOEVQ_TYPE - type byte of the ioctl numbers, free in ioctl-number.rst */
#define IOEVQ_TYPE		0xE7

/* IOEVQ_IOC_* - the ioctls; each takes the address of the structure of its name */
#define IOEVQ_IOC_INFO		_IO(IOEVQ_TYPE, 0)
#define IOEVQ_IOC_SETUP		_IO(IOEVQ_TYPE, 1)
#define IOEVQ_IOC_ENTER		_IO(IOEVQ_TYPE, 2)
#define IOEVQ_IOC_CONTROL	_IO(IOEVQ_TYPE, 3)

/**
 * enum ioevq_op - what a request asks for
 * @IOEVQ_OP_NOP: nothing; completes at once with result 0.
 * @IOEVQ_OP_POST: put a message into a queue. &struct ioevq_req.fd is -1 for
 *	this queue or a descriptor of another; off is the event's result, addr
 *	its data, user_data its user data. The message itself is the only event:
 *	none comes back to the sender. Errors: EBADF (not open for writing),
 *	EINVAL (fd is not a queue), EAGAIN or EDQUOT (the receiver's ring is full
 *	and the limit of requests of its queue or user is reached), ENOMEM.
 * @IOEVQ_OP_POLL: watch a file's readiness. op_arg is a mask of POLLIN,
 *	POLLOUT ... (poll(2)); POLLERR and POLLHUP are always watched. op_flags is
 *	a set of &enum ioevq_poll_flags. The event's result is the ready mask (a
 *	hint, unless the watch is level-triggered or %IOEVQ_POLL_CONFIRM), its data the
 *	number of wake-ups since the event before that needed none of their own. The
 *	watch holds no reference to the file: the last close() ends it
 *	(%IOEVQ_EVENT_CLOSED). It belongs to the open file, as with epoll(7): closing
 *	one of several descriptors of it changes nothing. If the file is a queue, len is how
 *	many watches of queues may be in a row, this one among them; 0: it does not matter.
 *	Errors: EBADF; EPERM (the file cannot be polled); EINVAL (mask, flags);
 *	EEXIST (%IOEVQ_POLL_UNIQUE); EOPNOTSUPP (this file cannot be watched safely:
 *	it tells nobody of its close, or %IOEVQ_FEAT_CLOSE_HOOK is missing); ELOOP (a
 *	queue that watches this one, be it by way of other queues, or more than
 *	%IOEVQ_MAX_NESTED watches of queues would lead to this one and on from it, or
 *	more than len in a row); ENOMEM.
 * @IOEVQ_OP_READ: read len bytes at off of a regular file or block device into
 *	addr, as pread(2), or len bytes or less of a pipe, FIFO or socket, as read(2): see
 *	`Streams` below. With %IOEVQ_RW_VECTOR addr is an array of len struct
 *	iovec, as preadv(2). op_arg takes RWF_DSYNC, RWF_SYNC, RWF_NOWAIT and
 *	RWF_APPEND (preadv2(2)). off %IOEVQ_POSITION: at the position of the open file,
 *	which moves on, as read(2); such requests wait for one another as with
 *	%IOEVQ_REQ_AFTER, and always take a worker. The event's result is the number of
 *	bytes or a negative errno. The memory must stay valid until the event was taken.
 *	Errors at submission: EBADF (mode), EISDIR, ESPIPE (neither a regular file, block
 *	device, pipe nor socket; a stream, and off is not %IOEVQ_POSITION), EINVAL (offset,
 *	length, vector; RWF_NOWAIT where it must wait for others, or for the position),
 *	EFAULT, EOPNOTSUPP (flags; a file of a file system that keeps none, as /proc and
 *	/sys; a stream that must be waited for, and cannot be watched, see
 *	%IOEVQ_OP_POLL; a stream, and %IOEVQ_RW_FIXED or %IOEVQ_REQ_AFTER; a netlink
 *	socket, whose messages are carried out and made by who writes and reads, and not for a
 *	worker), ENOMEM, and what the security modules say. That the position and length go
 *	beyond what any file can have is EINVAL as the result of an event.
 * @IOEVQ_OP_WRITE: the same for pwrite(2) and pwritev(2), and write(2). Also EFBIG, with
 *	SIGXFSZ if RLIMIT_FSIZE is the reason; without it as the result of an event, if
 *	earlier requests have moved the position or the end of the file there.
 * @IOEVQ_OP_FSYNC: fsync(2), or as &enum ioevq_fsync_flags say; of len bytes from off on,
 *	of all from there if len is 0. Errors at submission: EBADF, EISDIR, ESPIPE, EOPNOTSUPP
 *	as above; EINVAL (range, flags; the file system has no fsync).
 * @IOEVQ_OP_CHILD: tell of child processes that ended, when wait4(2) would
 *	succeed. len is a process ID in the caller's PID namespace, or 0 for every
 *	present and future child of the calling process; op_flags is a set of &enum
 *	ioevq_child_flags. With 0, op_arg is the
 *	number of exits to reserve memory for (0 = 16, at most 4096): more than
 *	that between two visits to the queue are announced by one event with
 *	%IOEVQ_EVENT_RESCAN, to be resolved by waitid(2). The event's result is the
 *	process ID, its data %IOEVQ_CHILD_STATUS and %IOEVQ_CHILD_CPU_US. Nothing
 *	is reaped and SIGCHLD is not touched. Errors: ECHILD (not a child of the caller),
 *	EINVAL (also: a pidfd of a thread, or no pidfd), EBADF, EDQUOT, EBUSY (64 requests of
 *	this user, of any queues, tell of this process, or of all children, already). See
 *	`Children` below.
 * @IOEVQ_OP_CANCEL: end all requests of this queue that match. op_flags is a
 *	set of &enum ioevq_cancel_flags: user data in addr, descriptor in fd,
 *	operation in len; all that are given must match, none given matches every
 *	request. Each cancelled request first delivers its final event (result
 *	-ECANCELED, unless it completed by itself); file I/O that has started is
 *	not interrupted but waited for, and if that was done in parts between two of
 *	which the cancel came, the result is what was done. Then comes the event of
 *	the cancel, with the number of matched requests. Errors: EBADF (no such
 *	descriptor), EAGAIN (64 cancels of this queue are waiting for file I/O already, or
 *	were to have no event, and have one that waits for room in the ring), ENOENT (nothing
 *	matches; only with %IOEVQ_REQ_SKIP_SUCCESS).
 * @IOEVQ_OP_POLL_MOD: change the watches that fd was submitted for, and arm them
 *	anew: what is ready now is announced. op_arg is the new mask, op_flags the new
 *	&enum ioevq_poll_flags, where %IOEVQ_POLL_EXCLUSIVE must be as it was (others are
 *	not changed; EINVAL if there are only such), and &enum ioevq_poll_mod_flags.
 *	Watches of another descriptor of the same open file are others. fd may be -1 with
 *	%IOEVQ_POLL_MOD_MATCH. Then comes the event of this request, its result the number
 *	of watches: events before it are as the watches were, those after it as they are.
 *	Errors: EBADF, EINVAL (mask, flags), ENOENT (no such watch, or it has ended).
 * @IOEVQ_OP_CLOSE: cancel all requests of this queue on the open file that fd names, as
 *	%IOEVQ_OP_CANCEL with %IOEVQ_CANCEL_FD, and close(2) fd. The event of this
 *	request follows the final events of all of them; its result is that of close(2),
 *	its data the number of matched requests. If another thread closes fd meanwhile, what
 *	it names then is closed, as by close(2). Errors: EBADF, EINVAL (fd is this queue),
 *	EAGAIN as above.
 * @IOEVQ_OP_TIMER: tell when a time has come. off is the time in nanoseconds, from now on or
 *	of a clock, len the period after it, or 0 for once; op_flags is a set of &enum
 *	ioevq_timer_flags. op_arg is the slack in nanoseconds: how much later than that an event
 *	may come if it saves an interrupt. Never does one come before its time. What has passed
 *	is told at once, off 0 is; the end of time (2^63 - 1) does not come. The event's result
 *	is 0, its data the overruns: how many times more it has expired since the event before.
 *	With a period it has %IOEVQ_EVENT_MORE. While one event of such a timer is not taken
 *	there is no other, and no interrupt, whatever the period: when it was taken what has
 *	passed by then is told at once, or else the next time is waited for. So the queue must be
 *	entered after it was taken from the mapped ring, see %IOEVQ_RING_RECHECK. Cancelled, its
 *	last event has as data how many times it has expired that no event told of. Errors:
 *	EINVAL (time or period beyond the end of time, flags), ENOMEM.
 * @IOEVQ_OP_TIMER_MOD: set the timers of this queue whose user data is addr anew, as if they
 *	were submitted now: off, len, op_flags and op_arg as of %IOEVQ_OP_TIMER. Then comes
 *	the event of this request, its result the number of timers: events before it are as the
 *	timers were, those after it as they are. Of the time before nothing is told any more.
 *	Errors: EINVAL, ENOENT (no such timer, or it has ended).
 * @IOEVQ_OP__COUNT: private: number of operations
 *
 * Streams: READ and WRITE on pipes, FIFOs and sockets. off is %IOEVQ_POSITION. The request is
 * tried when it is submitted, without waiting, and is complete if there is data, the end
 * of the stream (result 0), an error, or room to write. Else it waits, whether or not
 * the descriptor is O_NONBLOCK, with no thread and no reference to the file. With
 * RWF_NOWAIT it does not wait: its result is -EAGAIN.
 *
 * When the file is ready, a consumer that comes for events transfers, so that an event is
 * there only if that is done; ->poll of the queue tells what poll(2) of the file would, and
 * transfers nothing. If the consumer does not share the memory of the submitter a worker
 * does it, and if that memory is gone the result is -ECANCELED, and nothing is read.
 *
 * Requests of one queue on one open file are served in the order of their submission,
 * reads and writes each. A READ has what one read(2) would have. A WRITE is complete when
 * all is written, or of sockets other than SOCK_STREAM the message; a result that is
 * short tells what was written before an error, a cancel or the close. EPIPE comes with
 * SIGPIPE where write(2) would send it, to who transfers, but not if that is a worker. Of
 * who transfers is also the process ID that SO_PASSCRED tells; its user is the submitter's.
 * EFAULT: as in read(2) and write(2), a message is lost then, and a stream is not. Descriptors
 * that come with data of a Unix socket are closed, as by read(2).
 *
 * The last close of the file ends the request: %IOEVQ_EVENT_CLOSED, with -ECANCELED
 * or what was written. Cancelled, it ends at once; nothing was read.
 *
 * Children: process IDs are those of the PID namespace of who submitted the request, 0 for a
 * process that has none there. A child that is traced by another process has ended when its
 * tracer has taken note. A request for one process ends with that process: if it is no child
 * of the submitter, or no more because that has ended first, its event has
 * %IOEVQ_EVENT_FOREIGN. One for all children ends with the submitter, %IOEVQ_EVENT_CLOSED. The
 * ID of a child is not used again before it is reaped. If the submitter has become more
 * privileged by exec (a set-user-ID program), its children are as those of another. One that
 * is reaped by the kernel, or another thread, while it is submitted may have -ECHILD as the
 * result of its event. For the limit of a user's requests, 8 exits that memory is reserved for
 * count as one more (EDQUOT).
 */
enum ioevq_op {
	IOEVQ_OP_NOP = 0,
	IOEVQ_OP_POST = 1,
	IOEVQ_OP_POLL = 2,
	IOEVQ_OP_READ = 3,
	IOEVQ_OP_WRITE = 4,
	IOEVQ_OP_FSYNC = 5,
	IOEVQ_OP_CHILD = 6,
	IOEVQ_OP_CANCEL = 7,
	IOEVQ_OP_POLL_MOD = 8,
	IOEVQ_OP_CLOSE = 9,
	IOEVQ_OP_TIMER = 10,
	IOEVQ_OP_TIMER_MOD = 11,
	IOEVQ_OP__COUNT = 12
};

/**
 * enum ioevq_req_flags - flags of a request
 * @IOEVQ_REQ_SKIP_SUCCESS: if the request has succeeded when it is accepted, that was
 *	its answer, and it has no event. Where it must wait for others its event comes as
 *	usual. For %IOEVQ_OP_CANCEL, %IOEVQ_OP_POLL_MOD, %IOEVQ_OP_TIMER_MOD, %IOEVQ_OP_CLOSE,
 *	and, where the result has somewhere to go (results of &struct ioevq_enter; else EINVAL),
 *	%IOEVQ_OP_READ, %IOEVQ_OP_WRITE and %IOEVQ_OP_FSYNC (EOPNOTSUPP elsewhere).
 * @IOEVQ_REQ_AFTER: start when all requests on the same open file have ended that were
 *	submitted to this queue before, whatever became of them: fsync after write, write
 *	after write. For %IOEVQ_OP_READ, %IOEVQ_OP_WRITE and %IOEVQ_OP_FSYNC, and about
 *	these (EOPNOTSUPP elsewhere).
 */
enum ioevq_req_flags {
	IOEVQ_REQ_SKIP_SUCCESS = 1,
	IOEVQ_REQ_AFTER = 2
};

/**
 * enum ioevq_poll_flags - op_flags of %IOEVQ_OP_POLL: one of four modes, and how
 * @IOEVQ_POLL_LEVEL: an event when the file is ready, and again at the next wait for as
 *	long as it is. The file is looked at when a consumer comes for events, so that
 *	what it is told is true then: reading the mapped ring alone does not do that, see
 *	%IOEVQ_RING_RECHECK.
 * @IOEVQ_POLL_EDGE: one event for each change to ready. What was announced and
 *	not yet taken is not announced again; what becomes ready after the event
 *	was taken always is. Take an event first, act on it after.
 * @IOEVQ_POLL_ONESHOT: one event, and the watch has ended.
 * @IOEVQ_POLL_DISPATCH: one event, and the watch rests, for nothing but the close of its
 *	file, until %IOEVQ_OP_POLL_MOD arms it. No other consumer is told of this file
 *	meanwhile.
 * @IOEVQ_POLL_CONFIRM: look at the file again when a consumer comes for events, as a
 *	level-triggered watch does, and announce only what is true then. Costs a look for
 *	each event; else the event is a hint and comes straight from who made the file
 *	ready, if that can be (sockets, pipes, eventfds).
 * @IOEVQ_POLL_EXCLUSIVE: of all exclusive watches of the file, in whatever queues and
 *	epolls, tell one: that of a queue where a consumer waits, if there is one. Queues
 *	take turns. Others look for themselves when next their consumers come. If the
 *	watch is cancelled, or its queue closed, while an event of it is not taken, another
 *	queue is told, unless it is one-shot. For a queue that is in an epoll set somebody
 *	always waits.
 * @IOEVQ_POLL_LIFO: with %IOEVQ_POLL_EXCLUSIVE: no turns, the queue that was told last is
 *	the first to be told again.
 * @IOEVQ_POLL_QUIET: the watch ends without an event when it is cancelled or its file is
 *	closed, unless one of it is in the backlog at that moment. For who needs no last
 *	word. Not with %IOEVQ_POLL_ONESHOT (EINVAL).
 * @IOEVQ_POLL_UNIQUE: refuse (EEXIST) if this queue has a watch that was submitted for
 *	this descriptor and open file
 *
 * Every event carries %IOEVQ_EVENT_MORE until the watch ends. More than one mode, or
 * %IOEVQ_POLL_LIFO alone, is refused (EINVAL).
 */
enum ioevq_poll_flags {
	IOEVQ_POLL_LEVEL = 0,
	IOEVQ_POLL_EDGE = 1,
	IOEVQ_POLL_ONESHOT = 2,
	IOEVQ_POLL_DISPATCH = 4,
	IOEVQ_POLL_CONFIRM = 8,
	IOEVQ_POLL_EXCLUSIVE = 16,
	IOEVQ_POLL_LIFO = 32,
	IOEVQ_POLL_UNIQUE = 64,
	IOEVQ_POLL_QUIET = 128
};

/**
 * enum ioevq_poll_mod_flags - further op_flags of %IOEVQ_OP_POLL_MOD
 * @IOEVQ_POLL_MOD_MATCH: only watches whose user data is addr
 * @IOEVQ_POLL_MOD_USER_DATA: their new user data is off
 */
enum ioevq_poll_mod_flags {
	IOEVQ_POLL_MOD_MATCH = 256,
	IOEVQ_POLL_MOD_USER_DATA = 512
};

/**
 * enum ioevq_rw_flags - op_flags of %IOEVQ_OP_READ and %IOEVQ_OP_WRITE
 * @IOEVQ_RW_VECTOR: addr is an array of struct iovec, len its length (up to
 *	UIO_MAXIOV, 1024)
 * @IOEVQ_RW_FIXED: the memory is in the registered buffer buf_index (see
 *	%IOEVQ_CONTROL_REGISTER_BUFFERS): addr is an address inside of it, as it was
 *	registered, whatever is mapped there now and in whatever process. The buffer stays
 *	for as long as the request needs it. EINVAL: no such buffer, or with
 *	%IOEVQ_RW_VECTOR. EFAULT: addr and len do not lie inside of the buffer.
 */
enum ioevq_rw_flags {
	IOEVQ_RW_VECTOR = 1,
	IOEVQ_RW_FIXED = 2
};

/* IOEVQ_POSITION - off of %IOEVQ_OP_READ and %IOEVQ_OP_WRITE: where the open file stands */
#define IOEVQ_POSITION		(~0ULL)

/**
 * enum ioevq_fsync_flags - op_flags of %IOEVQ_OP_FSYNC
 * @IOEVQ_FSYNC_DATASYNC: data and the metadata needed to read it, as
 *	fdatasync(2)
 * @IOEVQ_FSYNC_WAIT_BEFORE: no fsync, but sync_file_range(2), where this is
 *	SYNC_FILE_RANGE_WAIT_BEFORE: wait for pages that are being written. Not with
 *	%IOEVQ_FSYNC_DATASYNC (EINVAL), nor have the following two.
 * @IOEVQ_FSYNC_WRITE: the same for SYNC_FILE_RANGE_WRITE: start to write what is dirty
 * @IOEVQ_FSYNC_WAIT_AFTER: the same for SYNC_FILE_RANGE_WAIT_AFTER: wait for that
 */
enum ioevq_fsync_flags {
	IOEVQ_FSYNC_DATASYNC = 1,
	IOEVQ_FSYNC_WAIT_BEFORE = 2,
	IOEVQ_FSYNC_WRITE = 4,
	IOEVQ_FSYNC_WAIT_AFTER = 8
};

/**
 * enum ioevq_child_flags - op_flags of %IOEVQ_OP_CHILD
 * @IOEVQ_CHILD_STOPPED: tell of children that were stopped by a signal, too, as waitid(2)
 *	does with WSTOPPED. Every such event carries %IOEVQ_EVENT_MORE, and a status for
 *	WIFSTOPPED() in its data without a CPU time. It tells what wait4(2) would have found
 *	when the event was posted: what was over by then is not told of, and what waitid(2)
 *	has not taken may be told twice. Where the child is traced by its parent, debugging
 *	has its stops, and none are told.
 * @IOEVQ_CHILD_CONTINUED: the same for SIGCONT, WCONTINUED and WIFCONTINUED()
 * @IOEVQ_CHILD_USAGE: the event of an exit carries %IOEVQ_EVENT_MORE, and the next of this
 *	request, right behind it, has %IOEVQ_EVENT_USAGE: the same result, and its data are
 *	the microseconds of %IOEVQ_CHILD_CPU_US that were spent in the kernel. The others were
 *	spent in user mode. Not where the event has %IOEVQ_EVENT_FOREIGN.
 * @IOEVQ_CHILD_PIDFD: the process that fd, a pidfd (pidfd_open(2)), refers to; len is 0. It
 *	may be that of any process: if it is not a child when it ends, its event has
 *	%IOEVQ_EVENT_FOREIGN. The process is watched and not the descriptor, which may be
 *	closed, and %IOEVQ_CANCEL_FD does not match. ECHILD: not a child, and its stops are
 *	asked for.
 *
 * Stops of one process are told by a wait queue of its parent, where at most 64 such
 * requests and those for all children can be (EBUSY). While an event of a stop waits in the
 * backlog and there is another, that of one process is brought up to date and gets
 * %IOEVQ_EVENT_RESCAN: it tells of the last change only. Those of all children use what is
 * reserved for exits.
 */
enum ioevq_child_flags {
	IOEVQ_CHILD_STOPPED = 1,
	IOEVQ_CHILD_CONTINUED = 2,
	IOEVQ_CHILD_USAGE = 4,
	IOEVQ_CHILD_PIDFD = 8
};

/**
 * enum ioevq_timer_flags - op_flags of %IOEVQ_OP_TIMER and %IOEVQ_OP_TIMER_MOD, by the
 *	values of &enum ioevq_enter_flags
 * @IOEVQ_TIMER_ABSTIME: off is a time of the clock, not from now on. In a time namespace
 *	(time_namespaces(7)) it is the time that the caller sees.
 * @IOEVQ_TIMER_BOOTTIME: the clock is CLOCK_BOOTTIME, which goes on during suspend, instead
 *	of CLOCK_MONOTONIC. The machine is not woken for it.
 * @IOEVQ_TIMER_REALTIME: the clock is CLOCK_REALTIME, which may be set meanwhile, and with
 *	%IOEVQ_TIMER_ABSTIME the timer follows that. Without it this changes nothing: how long
 *	something takes has nothing to do with the time of day. Not with
 *	%IOEVQ_TIMER_BOOTTIME (EINVAL).
 */
enum ioevq_timer_flags {
	IOEVQ_TIMER_ABSTIME = 2,
	IOEVQ_TIMER_BOOTTIME = 4,
	IOEVQ_TIMER_REALTIME = 8
};

/**
 * enum ioevq_cancel_flags - op_flags of %IOEVQ_OP_CANCEL; all given must match
 * @IOEVQ_CANCEL_USER_DATA: requests whose user data is addr
 * @IOEVQ_CANCEL_FD: requests on the open file that fd names (EBADF if none)
 * @IOEVQ_CANCEL_OP: requests of the operation in len
 * @IOEVQ_CANCEL_EXACT: with %IOEVQ_CANCEL_FD (else EINVAL): only requests that were
 *	submitted for this very descriptor, not for another one of the same open file
 */
enum ioevq_cancel_flags {
	IOEVQ_CANCEL_USER_DATA = 1,
	IOEVQ_CANCEL_FD = 2,
	IOEVQ_CANCEL_OP = 4,
	IOEVQ_CANCEL_EXACT = 8
};

/**
 * struct ioevq_req - one request, 64 bytes
 * @op: &enum ioevq_op
 * @flags: &enum ioevq_req_flags
 * @fd: the descriptor that the operation is about, or -1
 * @user_data: comes back in every event of this request
 * @addr: address or value, see &enum ioevq_op
 * @off: file offset in bytes, or value
 * @len: length in bytes, or count
 * @op_flags: flags of the operation
 * @op_arg: argument of the operation
 * @buf_index: with %IOEVQ_RW_FIXED number of a registered buffer, from 0
 * @__reserved: must be 0
 *
 * A field that the operation does not use must be 0 (fd: -1), else EINVAL.
 */
struct ioevq_req {
	__u16 op;
	__u16 flags;
	__s32 fd;
	__aligned_u64 user_data;
	__aligned_u64 addr;
	__aligned_u64 off;
	__aligned_u64 len;
	__u32 op_flags;
	__u32 op_arg;
	__u32 buf_index;
	__u32 __reserved[3];
};

/**
 * enum ioevq_event_flags - flags of an event
 * @IOEVQ_EVENT_MORE: the request lives on. An event without it is its last.
 * @IOEVQ_EVENT_CLOSED: what was watched is gone: the file was closed, or the
 *	process whose children were watched has ended
 * @IOEVQ_EVENT_AUTOREAP: the kernel reaped the child itself (SIGCHLD is
 *	ignored): wait4(2) will not find it
 * @IOEVQ_EVENT_RESCAN: children may have ended that have no event of their own,
 *	or had ended before the watch began: call waitid(2) with WNOHANG until it
 *	finds none. The same of stops, if they are asked for. With a process ID: it changed
 *	more often than there are events.
 * @IOEVQ_EVENT_ALERT: the queue is alerted, see %IOEVQ_CONTROL_ALERT. Such an event
 *	belongs to no request: op is %IOEVQ_OP_NOP, user_data the argument of the
 *	alert. It comes alone, to every wait, until the alert is cleared.
 * @IOEVQ_EVENT_FOREIGN: a process ended that is not a child of who watches it: how is not
 *	known, the data are 0. It may be known to its parent only, or to nobody any more.
 * @IOEVQ_EVENT_USAGE: CPU time of the child whose event came before, see
 *	%IOEVQ_CHILD_USAGE
 */
enum ioevq_event_flags {
	IOEVQ_EVENT_MORE = 1,
	IOEVQ_EVENT_CLOSED = 2,
	IOEVQ_EVENT_AUTOREAP = 4,
	IOEVQ_EVENT_RESCAN = 8,
	IOEVQ_EVENT_ALERT = 16,
	IOEVQ_EVENT_FOREIGN = 32,
	IOEVQ_EVENT_USAGE = 64
};

/**
 * struct ioevq_event - a completion record, 32 bytes
 * @user_data: of the request (%IOEVQ_OP_POST: of the message)
 * @res: result, or a negative errno
 * @op: &enum ioevq_op
 * @flags: &enum ioevq_event_flags
 * @data: belongs to the operation
 */
struct ioevq_event {
	__aligned_u64 user_data;
	__aligned_s64 res;
	__u32 op;
	__u32 flags;
	__aligned_u64 data;
};

/* IOEVQ_CHILD_STATUS - wait status in the data of a child event, see wait(2) */
#define IOEVQ_CHILD_STATUS(data)	((int)((data) & 0xffff))
/*
 * IOEVQ_CHILD_CPU_US - CPU time of the process in microseconds, user and system, of all its
 * threads; not of children that it waited for. No more than 2^48 - 1, which are nine years.
 */
#define IOEVQ_CHILD_CPU_US(data)	((data) >> 16)

/**
 * enum ioevq_ring_flags - flags in the mapped ring, written by the kernel
 * @IOEVQ_RING_BACKLOG: events wait outside of the ring; IOEVQ_IOC_ENTER brings
 *	them in
 * @IOEVQ_RING_RECHECK: the kernel must look at watched files again before it
 *	can tell; IOEVQ_IOC_ENTER does that. Always set while a level-triggered watch was
 *	ready when it was looked at last, and while an event of a repeating timer is there.
 *	Such an event is best taken by IOEVQ_IOC_ENTER: who takes it from the mapped ring
 *	has to enter after, for until somebody does the timer rests.
 * @IOEVQ_RING_LIMITED: the queue has a concurrency value: take by IOEVQ_IOC_ENTER,
 *	which counts. Who takes from the mapped ring all the same, without having
 *	been let go by a wait, is not counted.
 * @IOEVQ_RING_ALERT: the queue is alerted: IOEVQ_IOC_ENTER tells by what
 */
enum ioevq_ring_flags {
	IOEVQ_RING_BACKLOG = 1,
	IOEVQ_RING_RECHECK = 2,
	IOEVQ_RING_LIMITED = 4,
	IOEVQ_RING_ALERT = 8
};

/**
 * struct ioevq_ring - start of the mapped memory
 * @tail: events posted so far, ever; written by the kernel with release order
 * @flags: &enum ioevq_ring_flags
 * @entries: size of the ring, a power of two
 * @__pad0: the consumers' index has a cache line of its own
 * @head: events taken so far, ever; moved by consumers, with compare-and-swap
 * @__pad1: reserved
 *
 * Event number n is at slot n modulo entries of the array that starts
 * %IOEVQ_RING_EVENTS bytes after this structure. To take an event: load head,
 * load tail with acquire order, stop if they are equal; copy the event; compare
 * and swap head with head + 1 (acquire-release order); if that fails discard the
 * copy and start again. The kernel believes nothing that it reads here: a head
 * that cannot be makes ENTER fail with EBADFD and events wait in the backlog.
 */
struct ioevq_ring {
	__aligned_u64 tail;
	__u32 flags;
	__u32 entries;
	__aligned_u64 __pad0[6];
	__aligned_u64 head;
	__aligned_u64 __pad1[7];
};

/* IOEVQ_RING_EVENTS - offset of the array of events in the mapped memory, in bytes */
#define IOEVQ_RING_EVENTS	128

/**
 * enum ioevq_features - feature bits
 * @IOEVQ_FEAT_CLOSE_HOOK: the running kernel passed the self test of the close
 *	hook; without it %IOEVQ_OP_POLL is refused
 * @IOEVQ_FEAT_CONCURRENCY: queues can have a concurrency value
 * @IOEVQ_FEAT_BUFFERS: buffers can be registered
 */
enum ioevq_features {
	IOEVQ_FEAT_CLOSE_HOOK = 1,
	IOEVQ_FEAT_CONCURRENCY = 2,
	IOEVQ_FEAT_BUFFERS = 4
};

/**
 * struct ioevq_info - IOEVQ_IOC_INFO: what this module and queue can do
 * @size: in: size of this structure
 * @op: in: operation whose flags are asked for in op_flags and op_arg
 * @abi_version: out: %IOEVQ_ABI_VERSION
 * @event_size: out: size of an event in bytes
 * @features: out: &enum ioevq_features
 * @ops: out: mask of operations (1 << op) that this queue accepts
 * @req_flags: out: valid flags of a request of operation @op
 * @op_flags: out: valid op_flags of @op
 * @setup_flags: out: valid flags of &struct ioevq_setup
 * @enter_flags: out: valid flags of &struct ioevq_enter
 * @default_entries: out: ring size used when none is asked for, in events
 * @max_entries: out: largest ring, in events
 * @max_requests: out: largest number of requests of a queue
 * @max_user_requests: out: largest number of requests of a user's queues; eight events that
 *	a ring has room for beyond its first page count as one, too
 * @entries: out: ring size of this queue, 0 before the first use
 * @requests: out: requests that hold memory in this queue now
 * @available: out: events that can be taken now, those in the backlog included
 * @backlog: out: of these, events that wait outside of the ring
 * @wakeups: out: waiting consumers woken so far, not counting by time or signal
 * @concurrency: out: how many consumers may run at once, or %IOEVQ_UNLIMITED
 * @runnable: out: consumers that are counted for that: they waited on this queue
 *	last, were let go, and are not blocked in the kernel
 * @waiting: out: consumers asleep in a wait
 * @buffers: out: registered buffers
 * @events: out: events posted so far
 *
 * EOPNOTSUPP: no such operation.
 */
struct ioevq_info {
	__u32 size;
	__u32 op;
	__u32 abi_version;
	__u32 event_size;
	__aligned_u64 features;
	__aligned_u64 ops;
	__u32 req_flags;
	__u32 op_flags;
	__u32 setup_flags;
	__u32 enter_flags;
	__u32 default_entries;
	__u32 max_entries;
	__u32 max_requests;
	__u32 max_user_requests;
	__u32 entries;
	__u32 requests;
	__aligned_u64 available;
	__aligned_u64 backlog;
	__aligned_u64 wakeups;
	__u32 concurrency;
	__u32 runnable;
	__u32 waiting;
	__u32 buffers;
	__aligned_u64 events;
};

/* IOEVQ_UNLIMITED - concurrency value of a queue that lets all its consumers run */
#define IOEVQ_UNLIMITED		0xffffffffU

/**
 * enum ioevq_setup_flags - flags of &struct ioevq_setup
 * @IOEVQ_SETUP_MAPPED: the ring may be mapped. Without it the queue keeps its
 *	index where no process can write to it, and mmap(2) fails with EACCES.
 * @IOEVQ_SETUP_CONCURRENCY: the field concurrency counts. Without it the queue is
 *	%IOEVQ_UNLIMITED.
 */
enum ioevq_setup_flags {
	IOEVQ_SETUP_MAPPED = 1,
	IOEVQ_SETUP_CONCURRENCY = 2
};

/**
 * struct ioevq_setup - IOEVQ_IOC_SETUP: once per queue, before its first use
 * @size: in: size of this structure
 * @flags: in: &enum ioevq_setup_flags
 * @entries: in: ring size in events, rounded up to a power of two; 0 = default.
 *	out: the size that it got
 * @concurrency: in: with %IOEVQ_SETUP_CONCURRENCY as arg of
 *	%IOEVQ_CONTROL_CONCURRENCY, else 0
 * @ops: in: mask of operations (1 << op) to restrict the queue to; 0 = all
 * @ring_size: out: bytes to map
 * @ring_offset: out: offset to pass to mmap(2)
 *
 * mmap(2) takes exactly this size and offset and needs MAP_SHARED, else EINVAL.
 *
 * Errors: EBUSY (set up before, or in use), EINVAL (entries larger than
 * max_entries; concurrency without its flag), EOPNOTSUPP (flags; ops of unknown
 * operations), EDQUOT (with this ring the user's queues hold more than max_user_requests),
 * ENOMEM. The last two are those of the first use of a queue that was not set up, too.
 */
struct ioevq_setup {
	__u32 size;
	__u32 flags;
	__u32 entries;
	__u32 concurrency;
	__aligned_u64 ops;
	__aligned_u64 ring_size;
	__aligned_u64 ring_offset;
};

/* IOEVQ_MAX_NESTED - how many watches of queues may lead to one, and on from it */
#define IOEVQ_MAX_NESTED	1024

/* IOEVQ_MAX_BATCH - largest number of requests in one IOEVQ_IOC_ENTER */
#define IOEVQ_MAX_BATCH		65536

/**
 * enum ioevq_enter_flags - flags of &struct ioevq_enter
 * @IOEVQ_ENTER_SIGMASK: replace the signal mask by sigmask while waiting
 * @IOEVQ_ENTER_ABSTIME: timeout_ns is a time of the clock, not from now on. In a time
 *	namespace (time_namespaces(7)) it is the time that the caller sees.
 * @IOEVQ_ENTER_BOOTTIME: the clock is CLOCK_BOOTTIME, which goes on during suspend,
 *	instead of CLOCK_MONOTONIC
 * @IOEVQ_ENTER_REALTIME: the clock is CLOCK_REALTIME, which may be set meanwhile, and
 *	the timeout follows that. Only with %IOEVQ_ENTER_ABSTIME, and not with
 *	%IOEVQ_ENTER_BOOTTIME (EINVAL).
 * @IOEVQ_ENTER_PASS_ON: if a level-triggered watch was told, let one who sleeps in a wait
 *	look at it, too, as epoll_wait(2) does. Else the next who comes for events does. And
 *	as there, a call with no time to wait waits for another thread that is looking at
 *	files of this queue: what it leaves is not missed.
 */
enum ioevq_enter_flags {
	IOEVQ_ENTER_SIGMASK = 1,
	IOEVQ_ENTER_ABSTIME = 2,
	IOEVQ_ENTER_BOOTTIME = 4,
	IOEVQ_ENTER_REALTIME = 8,
	IOEVQ_ENTER_PASS_ON = 16
};

/**
 * struct ioevq_enter - IOEVQ_IOC_ENTER: submit, wait and take, in this order
 * @size: in: size of this structure
 * @flags: in: &enum ioevq_enter_flags
 * @reqs: in: address of an array of &struct ioevq_req
 * @nr_reqs: in: its length, at most %IOEVQ_MAX_BATCH
 * @submitted: out: number of requests accepted
 * @events: in: address of an array of &struct ioevq_event
 * @min: in: events to wait for; 0 = do not wait
 * @max: in: length of the array; 0 = take none: only wait until @min are there,
 *	to be taken from the mapped ring. Not less than min otherwise (EINVAL).
 * @timeout_ns: in: longest wait in nanoseconds, or with %IOEVQ_ENTER_ABSTIME the time
 *	when it is over; -1 = for ever, 0 = none
 * @sigmask: in: signal mask as a 64-bit set, bit 0 = signal 1
 * @batch_ns: in: be content with less than min events at the latest when the first of
 *	them has waited for so many nanoseconds, counted from the begin of this wait if
 *	it was there before; 0 = wait for all. The caller sleeps through: it is woken
 *	once, by the last event or by the clock. Of several such callers one takes what
 *	is there by then.
 * @results: in: address of an array of nr_reqs __s64, or 0. Each request that was accepted
 *	leaves its result there if it has no event (%IOEVQ_REQ_SKIP_SUCCESS), and
 *	%IOEVQ_NO_RESULT if it has one.
 *
 * Returns the number of events taken (with max 0: available), which is less
 * than min if the time was over or the queue is alerted. With max 0 an alert shows
 * in the flags of the mapped ring only. On a queue with a concurrency value, events
 * are not there for who must not run.
 *
 * If a request is refused the ioctl fails with its errno and submitted is its index:
 * requests before it stand, those after it are untouched, nothing was waited for or
 * taken. submitted less than nr_reqs tells this case from an error of the wait, where
 * all were accepted.
 *
 * Errors, besides those of the operations: EINVAL (counts, timeout), EINTR (a
 * signal, and no event was there), EBADF (the descriptor is not open for
 * writing, needed to submit, or reading, needed to take), EBADFD (the mapped
 * head was overwritten with an impossible value), EPERM (the queue is restricted
 * to other operations), EAGAIN (the queue holds max_requests), EDQUOT (the user's
 * queues hold max_user_requests, or would at the first use of this one), ENOMEM. A fault
 * while events are copied takes none of them. Where events were taken and the structure can
 * be written no more their number is returned.
 */
struct ioevq_enter {
	__u32 size;
	__u32 flags;
	__aligned_u64 reqs;
	__u32 nr_reqs;
	__u32 submitted;
	__aligned_u64 events;
	__u32 min;
	__u32 max;
	__aligned_s64 timeout_ns;
	__aligned_u64 sigmask;
	__aligned_u64 batch_ns;
	__aligned_u64 results;
};

/*
 * read(2) and write(2): events out of a queue and messages into it, for less than
 * IOEVQ_IOC_ENTER costs.
 *
 * A read takes events into an array of &struct ioevq_event, as many as are there and it has
 * room for. Where there is none it waits for one, or fails with EAGAIN if the descriptor has
 * O_NONBLOCK. Returns bytes. An alert is read as %IOEVQ_EVENT_ALERT. Errors: EINVAL (less than
 * one event; readv(2)), EINTR (a signal; never restarted, as with epoll_wait(2)), and those of
 * IOEVQ_IOC_ENTER.
 *
 * A write puts messages into the queue itself, as %IOEVQ_OP_POST does: an array of &struct
 * ioevq_event whose op is %IOEVQ_OP_POST and whose flags are 0. It never waits. Returns
 * bytes, of fewer messages than were given where the next one is refused, and another write
 * tells why, or after a signal. Errors: EINVAL (not a whole number of events, or none; another
 * op; flags), EPERM (the queue is restricted), and those of %IOEVQ_OP_POST. Other requests
 * cannot be written: who made a program write to a queue would have it do them with its rights.
 */

/* IOEVQ_NO_RESULT - in an array of results: the result comes by an event */
#define IOEVQ_NO_RESULT		(-0x7fffffffffffffffLL - 1)

/* IOEVQ_MAX_BUFFERS - how many buffers a queue can have registered */
#define IOEVQ_MAX_BUFFERS	1024

/* IOEVQ_MAX_BUFFER_SIZE - largest one, in bytes */
#define IOEVQ_MAX_BUFFER_SIZE	0x40000000U

/**
 * struct ioevq_buffer - memory to be registered
 * @addr: its address
 * @len: its length in bytes; neither need be a multiple of anything
 *
 * As struct iovec of a 64-bit program, and the same for a 32-bit one.
 */
struct ioevq_buffer {
	__aligned_u64 addr;
	__aligned_u64 len;
};

/**
 * enum ioevq_control_cmd - what IOEVQ_IOC_CONTROL does
 * @IOEVQ_CONTROL_RESTRICT: from now on accept only the operations in the mask
 *	arg (1 << op) that were accepted until now. There is no way back: others
 *	are refused with EPERM. It is about what is submitted to this queue: messages
 *	that are posted to it by way of another queue are received all the same, and
 *	one that another thread is posting at this moment may still pass.
 * @IOEVQ_CONTROL_CONCURRENCY: from now on keep at most arg of the consumers of this
 *	queue runnable: while so many are, events wait, even if others sleep on the
 *	queue. 0 = as many as there are CPUs online now; %IOEVQ_UNLIMITED. A thread
 *	belongs to the queue that it waited on last, and is counted from when it is
 *	let go until it waits again or blocks anywhere in the kernel (not: is
 *	preempted). Then another is let go at once. When it runs again the value
 *	may be exceeded, and nobody is let go until it is not. Threads that have
 *	not waited since a queue became limited are not counted.
 * @IOEVQ_CONTROL_ALERT: every wait that takes events, present or to come, returns at
 *	once with one event (%IOEVQ_EVENT_ALERT, user_data arg), whatever the
 *	concurrency value; the queue's own events stay where they are. Given again
 *	it replaces arg.
 * @IOEVQ_CONTROL_CLEAR_ALERT: end that; arg is 0
 * @IOEVQ_CONTROL_REGISTER_BUFFERS: register the buffers of the array at arg, of nr
 *	&struct ioevq_buffer, for %IOEVQ_RW_FIXED. Their pages are found now, and kept:
 *	munmap(2), fork(2), exec and the end of the process change nothing about them, and
 *	what is mapped at their addresses later is not them. Whoever has the queue may use
 *	them. All are registered or none. Their pages count for RLIMIT_MEMLOCK of the caller's
 *	user, with those that its io_urings have registered, unless it has CAP_IPC_LOCK, and
 *	are shown as VmPin in proc(5). A huge page counts whole, though once for buffers that
 *	follow one another in it. Errors: EBUSY (buffers are registered already),
 *	EINVAL (nr is 0 or more than %IOEVQ_MAX_BUFFERS; a buffer is empty or larger than
 *	%IOEVQ_MAX_BUFFER_SIZE), EFAULT (no memory there in part, or none that may be written
 *	to, or that of a file that is written back to disk), ENOMEM (the limit; no memory).
 * @IOEVQ_CONTROL_UNREGISTER_BUFFERS: drop them; arg is 0. Requests under way are not
 *	disturbed: the last one of a buffer gives it back, once its event was taken and the
 *	queue is entered again. ENOENT: none are registered.
 */
enum ioevq_control_cmd {
	IOEVQ_CONTROL_RESTRICT = 1,
	IOEVQ_CONTROL_CONCURRENCY = 2,
	IOEVQ_CONTROL_ALERT = 3,
	IOEVQ_CONTROL_CLEAR_ALERT = 4,
	IOEVQ_CONTROL_REGISTER_BUFFERS = 5,
	IOEVQ_CONTROL_UNREGISTER_BUFFERS = 6
};

/**
 * struct ioevq_control - IOEVQ_IOC_CONTROL: change a queue in use
 * @size: in: size of this structure
 * @cmd: in: &enum ioevq_control_cmd
 * @arg: in: argument of the command
 * @nr: in: length of the array at arg; 0 where there is none
 * @__reserved: in: must be 0
 *
 * Errors: EBADF (the descriptor is not open for writing), EOPNOTSUPP (command),
 * EINVAL (arg, nr), ENOMEM, EDQUOT (the first use of the queue).
 */
struct ioevq_control {
	__u32 size;
	__u32 cmd;
	__aligned_u64 arg;
	__u32 nr;
	__u32 __reserved;
};

#endif /* _UAPI_LINUX_IOEVQ_H */

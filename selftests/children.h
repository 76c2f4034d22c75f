/* SPDX-License-Identifier: GPL-2.0-only */
/* Watching children in all ways, for tests. */
#ifndef IOEVQ_CHILDREN_H
#define IOEVQ_CHILDREN_H

#include "expect.h"
#include "offspring.h"

/* How a process is named to the queue. */
enum naming {
	BY_PID,
	BY_PIDFD,
	ANY,
};

static inline int watch_pidfd(const struct ioevq *q, int pidfd, uint32_t flags, uint64_t user_data)
{
	struct ioevq_req req;

	ioevq_prep_child_pidfd(&req, pidfd, flags, user_data);
	return submit(q, &req);
}

static inline int pidfd_of(pid_t pid)
{
	return syscall(SYS_pidfd_open, pid, 0);
}

/* With flags; a pidfd is closed at once. */
static inline int watch_as(const struct ioevq *q, enum naming name, pid_t pid, uint32_t flags,
			   uint64_t user_data)
{
	struct ioevq_req req;
	int fd, ret;

	if (name == BY_PIDFD) {
		fd = pidfd_of(pid);
		if (fd < 0)
			return -errno;
		ret = watch_pidfd(q, fd, flags, user_data);
		close(fd);
		return ret;
	}
	ioevq_prep_child(&req, name == ANY ? 0 : pid, 0, user_data);
	req.op_flags = flags;
	return submit(q, &req);
}

/* The next event is this. */
static inline int told(const struct ioevq *q, uint64_t user_data, pid_t pid, uint32_t flags,
		       int status)
{
	struct ioevq_event ev = {};

	return next_event(q, &ev) == 1 && ev.op == IOEVQ_OP_CHILD && ev.user_data == user_data &&
	       ev.res == pid && ev.flags == flags && IOEVQ_CHILD_STATUS(ev.data) == status;
}

/* It ended, and nobody else is told how. */
static inline int told_foreign(const struct ioevq *q, uint64_t user_data, pid_t pid)
{
	struct ioevq_event ev = {};

	return next_event(q, &ev) == 1 && ev.op == IOEVQ_OP_CHILD && ev.user_data == user_data &&
	       ev.res == pid && ev.flags == IOEVQ_EVENT_FOREIGN && !ev.data;
}

static inline int wait_until_zombie(pid_t pid)
{
	siginfo_t info;

	return waitid(P_PID, pid, &info, WEXITED | WNOWAIT | __WALL);
}

/* No child is left, dead or alive. Reaps none. */
static inline int is_childless(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) && errno == ECHILD;
}

/*
 * Is it in this state ('T' stopped, 'S' waiting), off its CPU? Then it has told its parent of
 * the change, which waitid(2) may find before that.
 */
static inline int is_settled(pid_t pid, char state)
{
	char path[64], buf[16] = "r";
	int fd;

	if (thread_state(pid, pid) != state)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, buf, sizeof(buf) - 1) <= 0)
		buf[0] = 'r';
	close(fd);
	return buf[0] != 'r';
}

/*
 * Makes a child of its own, says its process ID, and passes on what it is told to do: the
 * next word ends the child, with @code, the one after that itself. Ends before it does if
 * killed; then the child listens.
 */
static inline int have_a_child(struct offspring *c, long code)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		await_go(c);
		_exit(code);
	}
	if (write(c->say, &pid, sizeof(pid)) != sizeof(pid))
		return 97;
	wait_until_zombie(pid);
	await_go(c);
	return waitpid(pid, &status, 0) == pid ? 0 : 96;
}

/* Start one of those. */
static inline pid_t grandchild(struct offspring *c, long code)
{
	pid_t pid;

	if (offspring(c, have_a_child, code) || let_go(c) ||
	    read(c->said, &pid, sizeof(pid)) != sizeof(pid))
		return -1;
	return pid;
}

#endif

// SPDX-License-Identifier: GPL-2.0-only
/* Law 1 when something fails: all operations but file I/O. */
#include <sys/prctl.h>

#include "fault_batch.h"
#include "kinds_ring.h"

static int make_epoll_set(struct world *w)
{
	return make_epoll(&w->t);
}

static int make_queue_of(struct world *w)
{
	return make_queue(&w->t);
}

static int make_event(struct world *w)
{
	return make_eventfd(&w->t);
}

static int make_connection(struct world *w)
{
	return make_tcp(&w->t);
}

static int make_two_ways(struct world *w)
{
	return make_fifo_rdwr(&w->t);
}

static int make_terminal(struct world *w)
{
	return make_pty_slave(&w->t);
}

static int make_inotify_file(struct world *w)
{
	return make_inotify(&w->t);
}

/* arg: the flags */
static int poll_it(struct world *w)
{
	ioevq_prep_poll(&w->req, w->t.fd, POLLIN, row_arg, OURS);
	return 0;
}

/* The same, and it is ready. */
static int poll_ready(struct world *w)
{
	return eventfd_write(w->t.fd, 1) || poll_it(w);
}

static int not_ready(struct world *w)
{
	return kind_drain_fd(w->t.fd);
}

#define POLL(_make, _flags)						\
	ROW(.make = _make, .before = poll_it, .arg = _flags, .res = -ECANCELED,	\
	    .enomem = 2)

FIXTURE_VARIANT_ADD(batch, poll_level)
	POLL(make_event, IOEVQ_POLL_LEVEL);
FIXTURE_VARIANT_ADD(batch, poll_edge)
	POLL(make_event, IOEVQ_POLL_EDGE);
FIXTURE_VARIANT_ADD(batch, poll_oneshot)
	POLL(make_event, IOEVQ_POLL_ONESHOT);
FIXTURE_VARIANT_ADD(batch, poll_dispatch)
	POLL(make_event, IOEVQ_POLL_DISPATCH);
FIXTURE_VARIANT_ADD(batch, poll_confirm)
	POLL(make_event, IOEVQ_POLL_EDGE | IOEVQ_POLL_CONFIRM);
FIXTURE_VARIANT_ADD(batch, poll_exclusive)
	POLL(make_event, IOEVQ_POLL_LEVEL | IOEVQ_POLL_EXCLUSIVE);
FIXTURE_VARIANT_ADD(batch, poll_lifo)
	POLL(make_event, IOEVQ_POLL_EDGE | IOEVQ_POLL_EXCLUSIVE | IOEVQ_POLL_LIFO);
FIXTURE_VARIANT_ADD(batch, poll_unique)
	POLL(make_event, IOEVQ_POLL_EDGE | IOEVQ_POLL_UNIQUE);
FIXTURE_VARIANT_ADD(batch, poll_tcp)
	POLL(make_connection, IOEVQ_POLL_EDGE);
FIXTURE_VARIANT_ADD(batch, poll_fifo)
	POLL(make_two_ways, IOEVQ_POLL_EDGE);
FIXTURE_VARIANT_ADD(batch, poll_epoll)
	POLL(make_epoll_set, IOEVQ_POLL_EDGE);
FIXTURE_VARIANT_ADD(batch, poll_queue)
	POLL(make_queue_of, IOEVQ_POLL_EDGE);
FIXTURE_VARIANT_ADD(batch, poll_terminal)
	POLL(make_terminal, IOEVQ_POLL_LEVEL);
FIXTURE_VARIANT_ADD(batch, poll_inotify)
	POLL(make_inotify_file, IOEVQ_POLL_LEVEL);

FIXTURE_VARIANT_ADD(batch, poll_ready)
	ROW(.make = make_event, .before = poll_ready, .after = not_ready,
	    .arg = IOEVQ_POLL_ONESHOT, .res = POLLIN, .enomem = 2);
FIXTURE_VARIANT_ADD(batch, poll_level_ready)
	ROW(.make = make_event, .before = poll_ready, .after = not_ready,
	    .arg = IOEVQ_POLL_LEVEL, .res = -ECANCELED, .enomem = 2);

/* A watch is there, to be changed or cancelled. */
static int watch_it(struct world *w)
{
	if (watch(&w->q, w->t.fd, POLLIN, IOEVQ_POLL_EDGE, FIRST))
		return -1;
	w->others = 1;
	return 0;
}

/* arg: further flags */
static int change_it(struct world *w)
{
	ioevq_prep_poll_mod(&w->req, w->t.fd, POLLIN | POLLOUT, IOEVQ_POLL_LEVEL, 0, OURS);
	w->req.op_flags = IOEVQ_POLL_LEVEL | row_arg;
	if (row_arg & IOEVQ_POLL_MOD_MATCH)
		w->req.addr = FIRST;
	/* The same again: the name must stay for the count. */
	if (row_arg & IOEVQ_POLL_MOD_USER_DATA)
		w->req.off = FIRST;
	return watch_it(w);
}

FIXTURE_VARIANT_ADD(batch, poll_mod)
	ROW(.make = make_event, .before = change_it, .res = 1, .enomem = 1);
FIXTURE_VARIANT_ADD(batch, poll_mod_match)
	ROW(.make = make_event, .before = change_it, .res = 1, .enomem = 1,
	    .arg = IOEVQ_POLL_MOD_MATCH | IOEVQ_POLL_MOD_USER_DATA);
FIXTURE_VARIANT_ADD(batch, poll_mod_skip)
	ROW(.make = make_event, .before = change_it, .enomem = 1, .skip = true);

/* arg: &enum ioevq_cancel_flags */
static int cancel_it(struct world *w)
{
	unsigned int flags = row_arg;

	ioevq_prep_cancel(&w->req, flags, flags & IOEVQ_CANCEL_USER_DATA ? FIRST : 0,
			  flags & IOEVQ_CANCEL_FD ? w->t.fd : -1,
			  flags & IOEVQ_CANCEL_OP ? IOEVQ_OP_POLL : 0, OURS);
	return watch_it(w);
}

#define CANCEL(_flags, ...)						\
	ROW(.make = make_event, .before = cancel_it, .arg = _flags, .enomem = 1,	\
	    __VA_ARGS__)

FIXTURE_VARIANT_ADD(batch, cancel_all)
	CANCEL(0, .res = 1);
FIXTURE_VARIANT_ADD(batch, cancel_user_data)
	CANCEL(IOEVQ_CANCEL_USER_DATA, .res = 1);
FIXTURE_VARIANT_ADD(batch, cancel_fd)
	CANCEL(IOEVQ_CANCEL_FD, .res = 1);
FIXTURE_VARIANT_ADD(batch, cancel_op)
	CANCEL(IOEVQ_CANCEL_OP, .res = 1);
FIXTURE_VARIANT_ADD(batch, cancel_exact)
	CANCEL(IOEVQ_CANCEL_FD | IOEVQ_CANCEL_EXACT, .res = 1);
FIXTURE_VARIANT_ADD(batch, cancel_skip)
	CANCEL(IOEVQ_CANCEL_USER_DATA, .skip = true);

/* Something that cannot be stopped, or not by us. */
static int make_memory_file(struct world *w)
{
	w->t.fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	return w->t.fd < 0;
}

static int cancel_work(struct world *w)
{
	struct ioevq_req req;
	int err = 0;

	for (; w->others < OTHERS && !err; w->others++) {
		ioevq_prep_fsync(&req, w->t.fd, 0, FIRST + w->others);
		err = submit(&w->q, &req);
	}
	ioevq_prep_cancel(&w->req, 0, 0, -1, 0, OURS);
	return err;
}

FIXTURE_VARIANT_ADD(batch, cancel_work)
	ROW(.make = make_memory_file, .before = cancel_work, .enomem = 1);

/* A descriptor of its own each time. */
static int close_it(struct world *w)
{
	w->fd = eventfd(0, EFD_CLOEXEC);
	if (w->fd < 0 || watch(&w->q, w->fd, POLLIN, IOEVQ_POLL_EDGE, FIRST))
		return -1;
	w->others = 1;
	ioevq_prep_close(&w->req, w->fd, OURS);
	return 0;
}

/* Accepted, it is closed; refused, it is not. */
static int is_closed(struct world *w)
{
	int open = fcntl(w->fd, F_GETFD) >= 0;

	if (open)
		close(w->fd);
	return open == w->accepted;
}

FIXTURE_VARIANT_ADD(batch, close)
	ROW(.before = close_it, .after = is_closed, .enomem = 1);
FIXTURE_VARIANT_ADD(batch, close_skip)
	ROW(.before = close_it, .after = is_closed, .enomem = 1, .skip = true);

static int post_nop(struct world *w)
{
	ioevq_prep_nop(&w->req, OURS);
	return 0;
}

static int post_here(struct world *w)
{
	ioevq_prep_post(&w->req, -1, 7, 0, OURS);
	return 0;
}

FIXTURE_VARIANT_ADD(batch, nop)
	ROW(.before = post_nop, .enomem = 1);
FIXTURE_VARIANT_ADD(batch, post)
	ROW(.before = post_here, .enomem = 1, .res = 7);

/*
 * To a queue whose ring is full. It is the receiver's event, so that here is none: what takes
 * its place is said by the receiver.
 */
static int post_there(struct world *w)
{
	ioevq_prep_post(&w->req, w->other.fd, 7, 0, OURS);
	return ioevq_post(&w->other, 1, 0, 0);
}

static int has_arrived(struct world *w)
{
	struct ioevq_event ev;

	if (next_event(&w->other, &ev) != 1 || ev.user_data != 1)
		return -1;
	if (query(&w->other).available != w->accepted)
		return -2;
	return w->accepted && (next_event(&w->other, &ev) != 1 || ev.user_data != OURS);
}

FIXTURE_VARIANT_ADD(batch, post_to_another)
	ROW(.before = post_there, .after = has_arrived, .enomem = 1, .elsewhere = true);

/* arg: flags; a time that does not come */
static int set_it(struct world *w)
{
	ioevq_prep_timer(&w->req, row_arg, INT64_MAX, 0, OURS);
	return 0;
}

static int set_for_now(struct world *w)
{
	ioevq_prep_timer(&w->req, 0, 0, 0, OURS);
	return 0;
}

static int set_again(struct world *w)
{
	struct ioevq_req req;

	ioevq_prep_timer(&req, 0, INT64_MAX, 0, FIRST);
	w->others = 1;
	ioevq_prep_timer_mod(&w->req, FIRST, IOEVQ_TIMER_REALTIME | IOEVQ_TIMER_ABSTIME, INT64_MAX,
			     1000, OURS);
	return submit(&w->q, &req);
}

FIXTURE_VARIANT_ADD(batch, timer)
	ROW(.before = set_it, .res = -ECANCELED, .enomem = 2);
FIXTURE_VARIANT_ADD(batch, timer_of_day)
	ROW(.before = set_it, .res = -ECANCELED, .enomem = 2,
	    .arg = IOEVQ_TIMER_REALTIME | IOEVQ_TIMER_ABSTIME);
FIXTURE_VARIANT_ADD(batch, timer_now)
	ROW(.before = set_for_now, .enomem = 2);
FIXTURE_VARIANT_ADD(batch, timer_mod)
	ROW(.before = set_again, .res = 1, .enomem = 1);
FIXTURE_VARIANT_ADD(batch, timer_mod_skip)
	ROW(.before = set_again, .enomem = 1, .skip = true);

static int make_child(struct world *w)
{
	w->pid = fork();
	if (!w->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	w->fd = syscall(SYS_pidfd_open, w->pid, 0);
	return w->pid < 0 || w->fd < 0;
}

/* One that is over, and not waited for. */
static int make_zombie(struct world *w)
{
	siginfo_t info;

	if (make_child(w) || kill(w->pid, SIGKILL))
		return -1;
	return waitid(P_PID, w->pid, &info, WEXITED | WNOWAIT);
}

static void end_child(struct world *w)
{
	kill(w->pid, SIGKILL);
	waitpid(w->pid, NULL, 0);
	close(w->fd);
}

/* arg: flags */
static int await_child(struct world *w)
{
	if (row_arg & IOEVQ_CHILD_PIDFD)
		ioevq_prep_child_pidfd(&w->req, w->fd, row_arg & ~IOEVQ_CHILD_PIDFD, OURS);
	else
		ioevq_prep_child(&w->req, w->pid, 0, OURS);
	w->req.op_flags = row_arg;
	return 0;
}

static int await_any(struct world *w)
{
	ioevq_prep_child(&w->req, 0, 300, OURS);
	w->req.op_flags = row_arg;
	return 0;
}

static int is_zombie(struct world *w)
{
	return w->accepted && w->res != w->pid;
}

#define STOPS	(IOEVQ_CHILD_STOPPED | IOEVQ_CHILD_CONTINUED)
#define CHILD(_before, _flags)						\
	ROW(.make = make_child, .before = _before, .end = end_child, .arg = _flags,	\
	    .res = -ECANCELED, .enomem = 1)

FIXTURE_VARIANT_ADD(batch, child)
	CHILD(await_child, 0);
FIXTURE_VARIANT_ADD(batch, child_stops)
	CHILD(await_child, STOPS);
FIXTURE_VARIANT_ADD(batch, child_pidfd)
	CHILD(await_child, IOEVQ_CHILD_PIDFD | IOEVQ_CHILD_USAGE);
FIXTURE_VARIANT_ADD(batch, child_any)
	CHILD(await_any, 0);
FIXTURE_VARIANT_ADD(batch, child_any_usage)
	CHILD(await_any, STOPS | IOEVQ_CHILD_USAGE);
FIXTURE_VARIANT_ADD(batch, child_zombie)
	ROW(.make = make_zombie, .before = await_child, .after = is_zombie,
	    .end = end_child, .enomem = 1);

TEST_F_TIMEOUT(batch, law_01_operations_that_fail, 600)
{
	SWEEP_BATCH();
}

TEST_HARNESS_MAIN

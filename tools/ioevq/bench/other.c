// SPDX-License-Identifier: MIT
/* Messages, watches that come and go, and children. */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "bench.h"

#define FILES	64

struct other {
	int epfd;
	struct ioevq q;
	int fds[FILES];
	struct ioevq_req reqs[2 * FILES];
};

static struct other *open_files(unsigned int n)
{
	struct other *o = new_state(sizeof(*o));

	o->epfd = -1;
	o->q.fd = -1;
	memset(o->fds, -1, sizeof(o->fds));
	for (unsigned int i = 0; i < n; i++)
		o->fds[i] = MUST(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	return o;
}

static void *open_nothing(void)
{
	return open_files(0);
}

static void *open_ours(void)
{
	struct other *o = open_files(0);

	OURS(ioevq_open(&o->q, 256, 0));
	return o;
}

static void close_other(void *state)
{
	struct other *o = state;

	if (o->q.fd >= 0)
		ioevq_close(&o->q);
	if (o->epfd >= 0)
		close(o->epfd);
	for (unsigned int i = 0; i < FILES; i++)
		if (o->fds[i] >= 0)
			close(o->fds[i]);
	free(o);
}

/* A message: an eventfd that is watched, and never read. */
static void *open_message(void)
{
	struct other *o = open_files(1);
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };

	o->epfd = MUST(epoll_create1(EPOLL_CLOEXEC));
	MUST(epoll_ctl(o->epfd, EPOLL_CTL_ADD, o->fds[0], &event));
	return o;
}

static void message_epoll(void *state)
{
	struct other *o = state;
	struct epoll_event event;

	put_message(o->fds[0]);
	MUST(epoll_wait(o->epfd, &event, 1, -1));
}

static void take_by_call(struct other *o, struct ioevq_event *event)
{
	struct ioevq_enter enter = {
		.events = (uintptr_t)event, .min = 1, .max = 1, .timeout_ns = IOEVQ_FOREVER,
	};

	OURS(ioevq_enter(&o->q, &enter));
}

static void message_enter(void *state)
{
	struct other *o = state;
	struct ioevq_event event;

	OURS(ioevq_post(&o->q, 1, 2, 3));
	take_by_call(o, &event);
}

static void message_ring(void *state)
{
	struct other *o = state;
	struct ioevq_event event;

	OURS(ioevq_post(&o->q, 1, 2, 3));
	while (!OURS(ioevq_take(&o->q, &event)))
		;
}

/* Watches: all are added, and all removed. */
static void *open_watches_epoll(void)
{
	struct other *o = open_files(FILES);

	o->epfd = MUST(epoll_create1(EPOLL_CLOEXEC));
	return o;
}

static void watches_epoll(void *state)
{
	struct other *o = state;
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	unsigned int i;

	for (i = 0; i < FILES; i++)
		MUST(epoll_ctl(o->epfd, EPOLL_CTL_ADD, o->fds[i], &event));
	for (i = 0; i < FILES; i++)
		MUST(epoll_ctl(o->epfd, EPOLL_CTL_DEL, o->fds[i], NULL));
}

static void *open_watches_ours(void)
{
	struct other *o = open_files(FILES);

	OURS(ioevq_open(&o->q, 256, 0));
	for (unsigned int i = 0; i < FILES; i++) {
		ioevq_prep_poll(&o->reqs[i], o->fds[i], POLLIN,
				IOEVQ_POLL_EDGE | IOEVQ_POLL_QUIET, i + 1);
		ioevq_prep_cancel(&o->reqs[FILES + i], IOEVQ_CANCEL_FD, 0, o->fds[i], 0, 0);
		o->reqs[FILES + i].flags = IOEVQ_REQ_SKIP_SUCCESS;
	}
	return o;
}

/* Two calls: the first adds, and the second removes. */
static void watches_enter(void *state)
{
	struct other *o = state;
	int n = OURS(ioevq_submit(&o->q, o->reqs, FILES));

	n += OURS(ioevq_submit(&o->q, o->reqs + FILES, FILES));
	if (n != 2 * FILES)
		bench_fail("ioevq_submit", EAGAIN);
}

static pid_t start_child(void)
{
	/* It is what is measured. */
	pid_t pid = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork) */

	if (!pid)
		_exit(0);
	return MUST(pid);
}

static void child_alone(void *state)
{
	(void)state;
	MUST(waitpid(start_child(), NULL, 0));
}

static void *open_epoll(void)
{
	struct other *o = open_files(0);

	o->epfd = MUST(epoll_create1(EPOLL_CLOEXEC));
	return o;
}

static void child_epoll(void *state)
{
	struct other *o = state;
	struct epoll_event event = { .events = EPOLLIN };
	pid_t pid = start_child();
	int pidfd = MUST(syscall(SYS_pidfd_open, pid, 0));

	MUST(epoll_ctl(o->epfd, EPOLL_CTL_ADD, pidfd, &event));
	MUST(epoll_wait(o->epfd, &event, 1, -1));
	MUST(waitpid(pid, NULL, 0));
	close(pidfd);
}

static void child_enter(void *state)
{
	struct other *o = state;
	struct ioevq_event event;
	struct ioevq_req req;
	pid_t pid = start_child();

	ioevq_prep_child(&req, pid, 0, 1);
	OURS(ioevq_submit(&o->q, &req, 1));
	take_by_call(o, &event);
	MUST(waitpid(pid, NULL, 0));
}

const struct question other_questions[] = {
	{ "a message to itself", 1, {
		[EPOLL] = { open_message, message_epoll, close_other },
		[ENTER] = { open_ours, message_enter, close_other },
		[RING] = { open_ours, message_ring, close_other },
	} },
	{ "a watch is added and removed", FILES, {
		[EPOLL] = { open_watches_epoll, watches_epoll, close_other },
		[ENTER] = { open_watches_ours, watches_enter, close_other },
	} },
	{ "a child from vfork() to its end", 1, {
		[ALONE] = { open_nothing, child_alone, close_other },
		[EPOLL] = { open_epoll, child_epoll, close_other },
		[ENTER] = { open_ours, child_enter, close_other },
	} },
};

const unsigned int nr_other_questions = ARRAY_SIZE(other_questions);

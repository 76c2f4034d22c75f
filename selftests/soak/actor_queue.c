// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues that come and go: emptied to the last event, or with all that is under way in them
 * when they are closed, by a close, an exec, a death, or in flight between processes.
 */
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "soak.h"

#define HOUR	(3600 * 1000000000ULL)
#define THINGS	40

/* Things that do not end by themselves, and are not counted: they go with their queue. */
static void clutter(const struct ioevq *q, int fds[2], char *buf)
{
	struct ioevq_req reqs[16];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(reqs); i++) {
		if (i % 4 == 0)
			ioevq_prep_timer(&reqs[i], 0, i % 8 ? HOUR : 1000, 0, i);
		else if (i % 4 == 1)
			ioevq_prep_poll(&reqs[i], fds[0], POLLIN, IOEVQ_POLL_EDGE, i);
		else if (i % 4 == 2)
			ioevq_prep_read(&reqs[i], fds[0], buf, 16, IOEVQ_POSITION, i);
		else
			ioevq_prep_nop(&reqs[i], i);
	}
	ioevq_submit(q, reqs, ARRAY_SIZE(reqs));
}

static void drain(const struct ioevq *q)
{
	struct ioevq_event evs[8];
	int i, n;

	while ((n = ioevq_wait(q, evs, 0, ARRAY_SIZE(evs), IOEVQ_NO_WAIT)) > 0)
		for (i = 0; i < n; i++)
			take_note(&evs[i]);
}

/* Everything in it is counted, and it is empty in the end. */
static bool empties(struct me *me, const struct ioevq *q)
{
	struct me mine = { .actor = me->actor, .q = q };
	struct ioevq_event ev = {};
	uint64_t items[THINGS], cancel = 0;
	struct ioevq_info info = {};
	struct ioevq_req req;
	unsigned int i;
	int res;

	for (i = 0; i < THINGS; i++) {
		if (i % 2) {
			ioevq_prep_timer(&req, 0, i % 4 == 1 ? HOUR : 0, 0, 0);
			begin(&mine, &req, KIND_TIMER, &items[i]);
			continue;
		}
		items[i] = start(me->actor, KIND_POST);
		res = ioevq_post(q, items[i], post_result(items[i]), ~items[i]);
		if (res) {
			refuse_for(items[i], res);
			items[i] = 0;
		}
	}
	ioevq_prep_cancel(&req, 0, 0, -1, 0, 0);
	while (!begin(&mine, &req, KIND_CANCEL, &cancel))
		rest();
	drain(q);
	for (i = 0; i < THINGS; i++) {
		ev.user_data = items[i];
		if (end(&items[i], &res) == STATE_OPEN)
			odd("a thing that outlived the cancel of all", &ev, i);
	}
	if (end(&cancel, &res) != STATE_DELIVERED)
		odd("a cancel of all that has not come", &ev, res);
	drain(q);
	return !ioevq_info(q, &info) && !info.available && !info.backlog;
}

/* A child has it, too, and ends in some way while it is at work. */
static void inherited(struct me *me, const struct ioevq *q, int fds[2], bool exec)
{
	struct ioevq_event ev;
	char buf[16];
	pid_t pid;

	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		clutter(q, fds, buf);
		if (exec)
			execl("/bin/true", "true", NULL);
		for (;;) {
			ioevq_post(q, 1, 0, 0);
			ioevq_wait(q, &ev, 1, 1, 1000000);
		}
	}
	if (pid < 0)
		return;
	while (!exec && random_of(me, 8))
		rest();
	if (!exec)
		kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* In flight in a socket that nobody has any more, or that it watches itself. */
static void passed(const struct ioevq *q)
{
	char control[CMSG_SPACE(sizeof(int))] = "", byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	struct ioevq_req req;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &q->fd, sizeof(int));
	ioevq_prep_poll(&req, pair[1], POLLIN, IOEVQ_POLL_EDGE, 1);
	ioevq_submit(q, &req, 1);
	sendmsg(pair[0], &msg, MSG_NOSIGNAL);
	close(pair[0]);
	close(pair[1]);
}

/* One watches the other, and goes before or after it. */
static void nested(struct me *me, struct ioevq *q)
{
	struct ioevq_req req;
	struct ioevq other;

	if (ioevq_open(&other, 8, 0))
		return;
	ioevq_prep_poll(&req, q->fd, POLLIN, IOEVQ_POLL_EDGE, 1);
	ioevq_submit(&other, &req, 1);
	ioevq_post(q, 1, 0, 0);
	if (random_of(me, 2))
		ioevq_close(q);
	ioevq_close(&other);
}

static enum state one(struct me *me, struct ioevq *q)
{
	unsigned int what = random_of(me, 6);
	struct ioevq_event ev = {};
	char buf[16];
	int fds[2];

	if (what < 2) {
		if (!empties(me, q))
			odd("a queue that is not empty after a cancel of all", &ev, 0);
		return STATE_DELIVERED;
	}
	if (pipe2(fds, O_CLOEXEC))
		return STATE_CANCELLED;
	clutter(q, fds, buf);
	if (what < 4)
		inherited(me, q, fds, what == 3);
	else if (what == 4)
		passed(q);
	else
		nested(me, q);
	/* Before or after what it watches. */
	if (random_of(me, 2) && q->fd >= 0)
		ioevq_close(q);
	close(fds[0]);
	close(fds[1]);
	return STATE_CANCELLED;
}

void actor_queue(struct me *me)
{
	enum state state;
	struct ioevq q;
	uint64_t item;
	int err;

	while (!stopping()) {
		item = start(me->actor, KIND_QUEUE);
		err = ioevq_open(&q, 1 << random_of(me, 8), 0);
		if (err) {
			refuse_for(item, err);
			rest();
			continue;
		}
		state = one(me, &q);
		if (q.fd >= 0)
			ioevq_close(&q);
		settle(item, state);
	}
}

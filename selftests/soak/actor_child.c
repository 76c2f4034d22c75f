// SPDX-License-Identifier: GPL-2.0-only
/* Children that end by themselves or are killed, told of by number and by pidfd. */
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "soak.h"

enum { IDLE, RUNS, CANCELS, DIES };

static void let_end(struct slot *s, int status)
{
	struct ioevq_event ev = { .user_data = s->item };
	struct patience p = {};
	ssize_t n = 1;

	if (status == SIGKILL) {
		kill(s->pid, SIGKILL);
	} else {
		/* The pipe needs a page, and the hog may have all of them for a while. */
		do
			n = write(s->fds[1], "x", 1);
		while (n < 0 && errno == ENOMEM && wait_on(&p, 60));
	}
	ev.res = n < 0 ? -errno : n;
	if (n != 1)
		odd("a child that does not listen", &ev, s->pid);
	close(s->fds[1]);
	close(s->fds[0]);
}

/* It waits for a word. */
static bool begin_child(struct me *me, struct slot *s)
{
	struct ioevq_req req;
	int code, pidfd, err;

	if (pipe2(s->fds, O_CLOEXEC))
		return false;
	s->other = 0;
	s->item = start(me->actor, KIND_CHILD);
	code = child_status(s->item) >> 8;
	s->pid = fork();
	if (!s->pid) {
		char word;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(read(s->fds[0], &word, 1) == 1 ? code : 99);
	}
	if (s->pid < 0) {
		close(s->fds[0]);
		close(s->fds[1]);
		refuse(s->item);
		return false;
	}
	ioevq_prep_child(&req, s->pid, 0, s->item);
	pidfd = random_of(me, 2) ? syscall(SYS_pidfd_open, s->pid, 0) : -1;
	if (pidfd >= 0)
		ioevq_prep_child_pidfd(&req, pidfd, 0, s->item);
	err = submit_one(me, &req);
	if (err) {
		let_end(s, child_status(s->item));
		refuse_for(s->item, err);
		s->item = 0;
		s->phase = DIES;
	} else {
		s->phase = RUNS;
	}
	if (pidfd >= 0)
		close(pidfd);
	return true;
}

static bool finish(struct slot *s)
{
	struct ioevq_event ev = { .user_data = s->item };
	enum state state = STATE_NEVER;
	int res = 0, status;

	if (s->item) {
		state = outcome(s->item, &res);
		if (state == STATE_OPEN)
			return false;
	}
	if (s->other && outcome(s->other, &status) == STATE_OPEN)
		return false;
	/* What was told of can be waited for, there and then. */
	if (waitpid(s->pid, &status, state == STATE_DELIVERED ? WNOHANG : 0) != s->pid)
		odd("a child that cannot be waited for", &ev, s->pid);
	else if (state == STATE_DELIVERED && (res != s->pid || status != child_status(s->item)))
		odd("another child, or another end", &ev, s->pid);
	end(&s->item, &res);
	end(&s->other, &res);
	s->phase = IDLE;
	return true;
}

static bool step(struct me *me, struct slot *s)
{
	switch (s->phase) {
	case IDLE:
		return begin_child(me, s);
	case RUNS:
		s->phase = random_of(me, 4) ? DIES : CANCELS;
		if (s->phase == DIES)
			let_end(s, child_status(s->item));
		return true;
	case CANCELS:
		if (!begin_cancel(me, s->item, &s->other))
			return false;
		/* At once, so that the two meet. */
		let_end(s, child_status(s->item));
		s->phase = DIES;
		return true;
	default:
		return finish(s);
	}
}

void actor_child(struct me *me)
{
	static struct slot slots[8];

	run_slots(me, slots, ARRAY_SIZE(slots), step);
}

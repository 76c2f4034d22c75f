// SPDX-License-Identifier: MIT
/* Tell who wants to know that an operation, or a list of them, has ended. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "facade.h"

/* Somebody other than the program must be there to take the event. */
bool needs_helper(const struct sigevent *ev)
{
	switch (ev->sigev_notify) {
	case SIGEV_SIGNAL:
	case SIGEV_THREAD_ID:
		/* Of a control block that was cleared and not filled */
		return ev->sigev_signo > 0;
	case SIGEV_THREAD:
	case SIGEV_IOEVQ:
		return true;
	default:
		return false;
	}
}

static void send_signal(const struct sigevent *ev)
{
	pid_t pid = getpid();
	siginfo_t info;
	long ret;

	memset(&info, 0, sizeof(info));
	info.si_signo = ev->sigev_signo;
	info.si_code = SI_ASYNCIO;
	info.si_pid = pid;
	info.si_uid = getuid();
	info.si_value = ev->sigev_value;
	if (ev->sigev_notify == SIGEV_THREAD_ID) {
		sys(SYS_rt_tgsigqueueinfo, pid, ev->_sigev_un._tid, ev->sigev_signo, &info);
		return;
	}
	ret = sys(SYS_rt_sigqueueinfo, pid, ev->sigev_signo, &info);
	/* No room for what it would say: but it is raised. */
	if (ret == -EAGAIN)
		sys(SYS_kill, pid, ev->sigev_signo);
}

/* 0, or a negative errno. */
int post_event(const struct request *r)
{
	int64_t res = r->cb ? r->res : r->failed ? -EIO : 0;
	struct ioevq_req req;
	struct ioevq_enter enter = {
		.size = sizeof(enter), .reqs = (uintptr_t)&req, .nr_reqs = 1,
	};

	ioevq_prep_post(&req, -1, res, (uintptr_t)r->cb,
			(uintptr_t)r->ev.sigev_value.sival_ptr);
	return (int)sys(SYS_ioctl, r->ev.sigev_notify_ioevq, IOEVQ_IOC_ENTER, &enter);
}

void todo_add(struct world *w, struct request *r)
{
	r->link = NULL;
	*w->todo_end = r;
	w->todo_end = &r->link;
}

/* What is not to be done by who comes here, or cannot be now, is left to the helper. */
void notify(struct world *w, struct request *r)
{
	switch (r->ev.sigev_notify) {
	case SIGEV_SIGNAL:
	case SIGEV_THREAD_ID:
		if (r->ev.sigev_signo > 0)
			send_signal(&r->ev);
		break;
	case SIGEV_IOEVQ:
		switch (post_event(r)) {
		case -EAGAIN:
		case -EDQUOT:
		case -ENOMEM:
			todo_add(w, r);
			return;
		}
		break;
	case SIGEV_THREAD:
		todo_add(w, r);
		return;
	}
	pool_put(&w->requests, r);
}

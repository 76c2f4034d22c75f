// SPDX-License-Identifier: MIT
/* libioevq: children are reaped by who is told of them. */
#define _GNU_SOURCE
#include <ioevq.h>

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* waitid(2) as the kernel has it, with the usage. 1: there was one; 0: none now, or none. */
static int wait_now(idtype_t type, pid_t pid, int options, siginfo_t *info, struct rusage *usage)
{
	int saved = errno;

	memset(info, 0, sizeof(*info));
	if (syscall(SYS_waitid, type, pid, info, options | WNOHANG | __WALL, usage)) {
		int err = errno;

		errno = saved;
		return err == ECHILD ? 0 : -err;
	}
	return info->si_pid != 0;
}

EXPORT void ioevq_child_siginfo(const struct ioevq_event *event, siginfo_t *info)
{
	int status = IOEVQ_CHILD_STATUS(event->data);

	memset(info, 0, sizeof(*info));
	info->si_signo = SIGCHLD;
	info->si_pid = (pid_t)event->res;
	if (WIFEXITED(status)) {
		info->si_code = CLD_EXITED;
		info->si_status = WEXITSTATUS(status);
	} else if (WIFSTOPPED(status)) {
		info->si_code = CLD_STOPPED;
		info->si_status = WSTOPSIG(status);
	} else if (WIFCONTINUED(status)) {
		info->si_code = CLD_CONTINUED;
		info->si_status = SIGCONT;
	} else {
		info->si_code = WCOREDUMP(status) ? CLD_DUMPED : CLD_KILLED;
		info->si_status = WTERMSIG(status);
	}
}

EXPORT int ioevq_reap(const struct ioevq_event *event, siginfo_t *info, struct rusage *usage)
{
	int status = IOEVQ_CHILD_STATUS(event->data), options = WEXITED;

	if (event->op != IOEVQ_OP_CHILD)
		return -EINVAL;
	if (event->flags & IOEVQ_EVENT_RESCAN)
		return -EAGAIN;
	if (event->res <= 0 || event->flags & (IOEVQ_EVENT_USAGE | IOEVQ_EVENT_FOREIGN))
		return 0;
	if (event->flags & IOEVQ_EVENT_AUTOREAP) {
		ioevq_child_siginfo(event, info);
		if (usage)
			memset(usage, 0, sizeof(*usage));
		return 1;
	}
	if (WIFSTOPPED(status))
		options = WSTOPPED;
	else if (WIFCONTINUED(status))
		options = WCONTINUED;
	return wait_now(P_PID, (pid_t)event->res, options, info, usage);
}

EXPORT int ioevq_rescan(const pid_t *pids, unsigned int nr, int options, ioevq_child_fn *tell,
			void *arg)
{
	struct rusage usage;
	unsigned int i;
	int told = 0, ret;
	siginfo_t info;

	if (options & ~(WEXITED | WSTOPPED | WCONTINUED))
		return -EINVAL;
	for (i = 0; i < (pids ? nr : 1); i++) {
		while ((ret = wait_now(pids ? P_PID : P_ALL, pids ? pids[i] : 0, options, &info,
				       &usage)) == 1) {
			tell(&info, &usage, arg);
			told++;
		}
		if (ret < 0)
			return told ? told : ret;
	}
	return told;
}

// SPDX-License-Identifier: MIT
/*
 * Children that ended. One request tells of all, be they services or orphans that came to
 * us, since and before; so nothing is to be done where one is started, and no end can be
 * missed between the two. More ends than are reserved for are announced by RESCAN.
 */
#include <errno.h>
#include <sys/wait.h>

#include "supervise.h"

#define RESERVE		64

int children_watch(void)
{
	struct ioevq_req req;

	ioevq_prep_child(&req, 0, RESERVE, TAG(KIND_CHILD, 0));
	return submit(&req);
}

static void ended(const siginfo_t *info, const struct rusage *usage, void *arg)
{
	struct service *s = service_of(info->si_pid);

	(void)arg;
	if (s)
		service_ended(s, info, usage);
	else
		sv.orphans++;
}

void children_event(const struct ioevq_event *ev)
{
	struct rusage usage;
	siginfo_t info;

	switch (ioevq_reap(ev, &info, &usage)) {
	case 1:
		ended(&info, &usage, NULL);
		break;
	case -EAGAIN:
		ioevq_rescan(NULL, 0, WEXITED, ended, NULL);
		break;
	}
	services_check_groups();
}

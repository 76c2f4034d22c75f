// SPDX-License-Identifier: MIT
/* Children: each end is told, with its status. Who reaps is another matter. */
#include "recipe.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	struct ioevq_event ev;
	struct ioevq_req req;
	struct ioevq q;
	pid_t pid;

	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	/* All children, those to come included. */
	ioevq_prep_child(&req, 0, 0, 1);
	check("watch", ioevq_submit(&q, &req, 1));

	pid = fork();
	if (!pid)
		_exit(3);
	check("wait", ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER));
	printf("it was %s, status %d\n", ev.res == pid ? "that one" : "another",
	       WEXITSTATUS(IOEVQ_CHILD_STATUS(ev.data)));
	printf("and can be reaped: %s\n", waitpid(pid, NULL, WNOHANG) == pid ? "yes" : "no");

	pid = fork();
	if (!pid)
		for (;;)
			pause();
	kill(pid, SIGTERM);
	check("wait", ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER));
	printf("it was killed by signal %d\n", WTERMSIG(IOEVQ_CHILD_STATUS(ev.data)));
	return 0;
}

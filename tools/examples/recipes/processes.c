// SPDX-License-Identifier: MIT
/* A queue that is inherited: parent and child take from it, each event once. */
#include "recipe.h"

#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	struct ioevq_event ev;
	struct ioevq q;
	int mine = 0, theirs, i;
	pid_t pid;

	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	for (i = 0; i < 100; i++)
		check("post", ioevq_post(&q, 1, 0, 0));
	pid = fork();
	while (check("take", ioevq_take(&q, &ev)))
		mine++;
	if (!pid)
		_exit(mine);
	waitpid(pid, &theirs, 0);
	printf("%d events\n", mine + WEXITSTATUS(theirs));
	return 0;
}

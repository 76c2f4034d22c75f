// SPDX-License-Identifier: MIT
/* Signals as events, with the values that were sent along. */
#include "recipe.h"

#include <unistd.h>

enum { SIGNALS = 1 };

int main(void)
{
	struct ioevq_event ev, sig[8];
	struct ioevq q;
	sigset_t set;
	int fd, i, n;

	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	/* Before there are threads: it blocks the signal. */
	fd = check("signals", ioevq_watch_signals(&q, &set, SIGNALS));
	for (i = 1; i <= 3; i++)
		sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i });

	check("wait", ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER));
	n = check("take", ioevq_take_signals(fd, SIGNALS, sig, NULL, 8));
	for (i = 0; i < n; i++)
		printf("SIGRTMIN%+d, value %d\n", (int)sig[i].res - SIGRTMIN, (int)sig[i].data);
	return 0;
}

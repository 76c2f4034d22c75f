// SPDX-License-Identifier: MIT
/* Close a descriptor that others have as well, and all requests on its file with it. */
#include "recipe.h"

#include <poll.h>
#include <unistd.h>

enum { WATCH = 1, CLOSED };

int main(void)
{
	struct ioevq_event ev;
	struct ioevq_req req;
	struct ioevq q;
	int p[2], other;

	if (pipe(p))
		err(1, "pipe");
	other = dup(p[0]);
	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	ioevq_prep_poll(&req, p[0], POLLIN, IOEVQ_POLL_LEVEL, WATCH);
	check("watch", ioevq_submit(&q, &req, 1));

	/* close(2) would leave the watch: the file is open still. */
	check("close", ioevq_close_fd(&q, p[0], CLOSED));
	do {
		check("wait", ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER));
		printf("%s\n", ev.user_data == WATCH ? "the watch has ended" : "closed");
	} while (ev.user_data != CLOSED);
	printf("the other descriptor is %s\n", close(other) ? "closed, too" : "as it was");
	return 0;
}

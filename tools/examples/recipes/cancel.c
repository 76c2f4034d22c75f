// SPDX-License-Identifier: MIT
/* Cancel is a fence: after its event no other comes, and memory may be freed. */
#include "recipe.h"

#include <unistd.h>

enum { READ = 1, CANCELLED };

int main(void)
{
	char *buf = malloc(4096);
	struct ioevq_event ev;
	struct ioevq_req req;
	struct ioevq q;
	int p[2];

	if (!buf || pipe(p))
		err(1, "pipe");
	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	ioevq_prep_read(&req, p[0], buf, 4096, IOEVQ_POSITION, READ);
	check("read", ioevq_submit(&q, &req, 1));

	check("cancel", ioevq_cancel(&q, READ, CANCELLED));
	do {
		check("wait", ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER));
		if (ev.user_data == READ)
			printf("the read: %s\n", strerror((int)-ev.res));
		else
			printf("the cancel: %lld request\n", (long long)ev.res);
	} while (ev.user_data != CANCELLED);
	free(buf);
	return 0;
}

// SPDX-License-Identifier: MIT
/* Read from a pipe when something comes, without a watch of its own. */
#include "recipe.h"

#include <unistd.h>

int main(void)
{
	struct ioevq_event ev;
	struct ioevq_req req;
	struct ioevq q;
	char buf[64];
	int p[2];

	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	if (pipe(p))
		err(1, "pipe");
	ioevq_prep_read(&req, p[0], buf, sizeof(buf), IOEVQ_POSITION, 1);
	check("read", ioevq_submit(&q, &req, 1));
	printf("events now: %d\n", check("wait", ioevq_wait(&q, &ev, 0, 1, IOEVQ_NO_WAIT)));

	if (write(p[1], "hello", 5) != 5)
		err(1, "write");
	check("wait", ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER));
	printf("read %lld bytes: %.*s\n", (long long)ev.res, (int)ev.res, buf);
	return 0;
}

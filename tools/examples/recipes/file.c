// SPDX-License-Identifier: MIT
/* Write to a file, read from it, in any order of completion. */
#define _GNU_SOURCE
#include "recipe.h"

#include <fcntl.h>

enum { FIRST = 1, SECOND };

int main(void)
{
	static const char text[] = "one two ";
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct ioevq_req req[2];
	struct ioevq_event ev;
	char a[4], b[4];
	struct ioevq q;
	int i;

	if (fd < 0)
		err(1, "/tmp");
	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	ioevq_prep_write(&req[0], fd, text, 8, 0, FIRST);
	check("write", ioevq_submit(&q, req, 1));
	check("wait", ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER));
	printf("wrote %lld\n", (long long)ev.res);

	ioevq_prep_read(&req[0], fd, a, 4, 0, FIRST);
	ioevq_prep_read(&req[1], fd, b, 4, 4, SECOND);
	check("read", ioevq_submit(&q, req, 2));
	/* The memory is the requests' until their events are taken. */
	for (i = 0; i < 2; i++) {
		check("wait", ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER));
		if (ev.res < 0)
			check("read", (int)ev.res);
	}
	printf("read %.3s and %.3s\n", a, b);
	return 0;
}

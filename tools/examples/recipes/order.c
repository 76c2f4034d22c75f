// SPDX-License-Identifier: MIT
/* Two writes and an fsync that comes after them: durable when its event is there. */
#define _GNU_SOURCE
#include "recipe.h"

#include <fcntl.h>

enum { WRITES = 1, DURABLE };

int main(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct ioevq_req req[3];
	struct ioevq_event ev;
	struct ioevq q;
	int i;

	if (fd < 0)
		err(1, "/tmp");
	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	ioevq_prep_write(&req[0], fd, "begin ", 6, 0, WRITES);
	ioevq_prep_write(&req[1], fd, "end", 3, 6, WRITES);
	ioevq_prep_fsync(&req[2], fd, IOEVQ_FSYNC_DATASYNC, DURABLE);
	req[2].flags = IOEVQ_REQ_AFTER;
	check("submit", ioevq_submit(&q, req, 3));
	for (i = 0; i < 3; i++) {
		check("wait", ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER));
		if (ev.res < 0)
			check("I/O", (int)ev.res);
		printf("%s\n", ev.user_data == DURABLE ? "durable" : "written");
	}
	return 0;
}

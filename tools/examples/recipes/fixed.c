// SPDX-License-Identifier: MIT
/* A registered buffer: its pages are found once, and not for each request. */
#define _GNU_SOURCE
#include "recipe.h"

#include <fcntl.h>
#include <unistd.h>

int main(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	static char buf[16384];
	struct ioevq_buffer all = { .addr = (uintptr_t)buf, .len = sizeof(buf) };
	struct ioevq_event ev;
	struct ioevq_req req;
	struct ioevq q;

	if (fd < 0 || pwrite(fd, "hello", 5, 0) != 5)
		err(1, "/tmp");
	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	check("register", ioevq_register_buffers(&q, &all, 1));
	ioevq_prep_read_fixed(&req, fd, buf + 4096, 4096, 0, 0, 1);
	check("read", ioevq_submit(&q, &req, 1));
	check("wait", ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER));
	printf("%lld bytes: %s\n", (long long)ev.res, buf + 4096);
	check("unregister", ioevq_unregister_buffers(&q));
	return 0;
}

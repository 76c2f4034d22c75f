// SPDX-License-Identifier: MIT
/* Events from the mapped ring, where the kernel kills whoever makes a system call. */
#include "recipe.h"

#include <linux/seccomp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	static const char text[] = "101 events, no system call to take them\n";
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), n = 0, i;
	uint64_t one = 1;
	struct ioevq_event ev;
	struct ioevq_req req;
	struct ioevq q;

	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	ioevq_prep_poll(&req, fd, POLLIN, IOEVQ_POLL_EDGE, 1);
	check("watch", ioevq_submit(&q, &req, 1));
	for (i = 0; i < 100; i++)
		check("post", ioevq_post(&q, 2, 0, 0));
	fflush(stdout);

	/* From here on read(2), write(2) and the end are all that is allowed. */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		err(1, "seccomp");
	if (write(fd, &one, sizeof(one)) != sizeof(one))
		syscall(SYS_exit, 1);
	/* The writer has put the event into the ring before it returned. */
	while (ioevq_take(&q, &ev) == 1)
		n++;
	if (n == 101 && write(1, text, sizeof(text) - 1) == sizeof(text) - 1)
		syscall(SYS_exit, 0);
	syscall(SYS_exit, 1);
}

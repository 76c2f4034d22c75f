// SPDX-License-Identifier: MIT
/* What is in the page cache is read within the submission: no event, no wait. */
#define _GNU_SOURCE
#include "recipe.h"

#include <fcntl.h>
#include <unistd.h>

int main(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct ioevq_event ev;
	struct ioevq_req req;
	int64_t result;
	struct ioevq q;
	char buf[8];

	if (fd < 0 || pwrite(fd, "hello", 5, 0) != 5)
		err(1, "/tmp");
	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	ioevq_prep_read(&req, fd, buf, sizeof(buf), 0, 1);
	req.flags = IOEVQ_REQ_SKIP_SUCCESS;
	check("read", ioevq_submit_results(&q, &req, 1, &result));
	if (result == IOEVQ_NO_RESULT) {
		/* It was not; the event tells, as ever. */
		check("wait", ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER));
		result = ev.res;
	}
	printf("%lld bytes\n", (long long)result);
	return 0;
}

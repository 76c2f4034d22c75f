// SPDX-License-Identifier: MIT
/* Step 1: a queue, a message, and the wait for it. */
#include <ioevq.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check(const char *what, int ret)
{
	if (ret < 0) {
		fprintf(stderr, "%s: %s\n", what, strerror(-ret));
		exit(1);
	}
	return ret;
}

int main(void)
{
	struct ioevq_event ev;
	struct ioevq q;
	int n;

	check("/dev/ioevq", ioevq_open(&q, 0, 0));
	check("post", ioevq_post(&q, 42, 7, 0));
	n = check("wait", ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER));
	printf("%d event, of %llu, with result %lld\n", n, (unsigned long long)ev.user_data,
	       (long long)ev.res);
	ioevq_close(&q);
	return 0;
}

// SPDX-License-Identifier: MIT
/* A queue for somebody else, who shall post to it and no more. */
#include "recipe.h"

int main(void)
{
	struct ioevq_event ev;
	struct ioevq_req req;
	struct ioevq q;

	check("/dev/ioevq", ioevq_open(&q, 0, 1 << IOEVQ_OP_POST));
	ioevq_prep_child(&req, 0, 0, 1);
	printf("watch children: %s\n", strerror(-ioevq_submit(&q, &req, 1)));
	check("post", ioevq_post(&q, 1, 0, 0));
	printf("post: %d event\n", check("wait", ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER)));
	return 0;
}

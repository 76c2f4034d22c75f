// SPDX-License-Identifier: MIT
/* The same as a JSON document. */
#include "top.h"

static void show_queue(const struct row *row)
{
	const struct queue *q = row->q;
	const char *comma = "";
	unsigned int op;

	printf("    { \"queue\": ");
	if (q->number)
		printf("%llu", q->number);
	else
		printf("null");
	printf(", \"pid\": %d, \"fd\": %d, \"uid\": %u, \"command\": ", q->pid, q->fd, q->uid);
	json_string(stdout, q->command);
	printf(", \"processes\": %u, \"descriptors\": %u", q->processes, q->descriptors);
	printf(",\n      \"events_per_second\": %.3f, \"wakeups_per_second\": %.3f", row->events,
	       row->wakeups);
	printf(", \"events\": %llu, \"wakeups\": %llu", q->events, q->wakeups);
	printf(",\n      \"entries\": %llu, \"requests\": %llu, \"available\": %llu", q->entries,
	       q->requests, q->available);
	printf(", \"backlog\": %llu, \"backlog_max\": %llu", q->backlog, q->backlog_max);
	printf(", \"waiting\": %llu, \"runnable\": %llu, \"concurrency\": ", q->waiting,
	       q->runnable);
	if (q->concurrency == IOEVQ_UNLIMITED)
		printf("null");
	else
		printf("%llu", q->concurrency);
	printf(", \"buffers\": %llu,\n      \"armed\": {", q->buffers);
	for (op = 0; op < IOEVQ_OP__COUNT; op++) {
		if (!q->armed[op])
			continue;
		printf("%s \"%s\": %llu", comma, op_name(op), q->armed[op]);
		comma = ",";
	}
	printf(" } }");
}

void show_json(const struct view *view)
{
	unsigned int i;

	printf("{\n  \"hidden_processes\": %u,\n  \"queues\": [", view->now.hidden);
	for (i = 0; i < view->now.nr; i++) {
		printf(i ? ",\n" : "\n");
		show_queue(&view->rows[i]);
	}
	printf("%s  ]\n}\n", view->now.nr ? "\n" : "");
}

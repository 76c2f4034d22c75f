// SPDX-License-Identifier: MIT
/* What queues have done between two looks. */
#include <errno.h>
#include <stdlib.h>

#include "top.h"

unsigned long long armed_of(const struct queue *q)
{
	unsigned long long sum = 0;
	unsigned int op;

	for (op = 0; op < IOEVQ_OP__COUNT; op++)
		sum += q->armed[op];
	return sum;
}

static const struct queue *find(const struct queues *queues, const struct queue *q)
{
	unsigned int i;

	for (i = 0; i < queues->nr; i++) {
		const struct queue *other = &queues->list[i];

		/* A descriptor may be another queue's now, that has done less. */
		if (queue_is_same(other, q) && other->events <= q->events)
			return other;
	}
	return NULL;
}

static int compare_numbers(unsigned long long a, unsigned long long b)
{
	return (a > b) - (a < b);
}

/* What has most first; those with as much by their numbers. */
static int compare(const void *a, const void *b, void *arg)
{
	const struct row *x = a, *y = b;
	const struct view *view = arg;
	int ret = 0;

	switch (view->order) {
	case BY_EVENTS:
		ret = (x->events < y->events) - (x->events > y->events);
		break;
	case BY_WAKEUPS:
		ret = (x->wakeups < y->wakeups) - (x->wakeups > y->wakeups);
		break;
	case BY_BACKLOG:
		ret = compare_numbers(y->q->backlog, x->q->backlog) ?:
		      compare_numbers(y->q->backlog_max, x->q->backlog_max);
		break;
	case BY_ARMED:
		ret = compare_numbers(armed_of(y->q), armed_of(x->q));
		break;
	default:
		break;
	}
	return ret ?: compare_numbers(x->q->number, y->q->number) ?:
	       compare_numbers(x->q->pid, y->q->pid) ?: compare_numbers(x->q->fd, y->q->fd);
}

void view_sort(struct view *view)
{
	if (view->now.nr)
		qsort_r(view->rows, view->now.nr, sizeof(*view->rows), compare, view);
}

int view_update(struct view *view)
{
	const struct queue *q, *was;
	struct queues now;
	struct row *rows;
	double seconds;
	unsigned int i;
	int err;

	err = queues_scan(&now, view->pid);
	if (err)
		return err;
	rows = calloc(now.nr + 1, sizeof(*rows));
	if (!rows) {
		queues_free(&now);
		return -ENOMEM;
	}
	queues_free(&view->before);
	free(view->rows);
	view->before = view->now;
	view->now = now;
	view->rows = rows;
	view->events = 0;
	view->wakeups = 0;
	seconds = (now.at - view->before.at) / 1e9;
	for (i = 0; i < now.nr; i++) {
		q = &now.list[i];
		rows[i].q = q;
		was = view->before.at ? find(&view->before, q) : NULL;
		if (!was || seconds <= 0)
			continue;
		rows[i].events = (q->events - was->events) / seconds;
		rows[i].wakeups = (q->wakeups - was->wakeups) / seconds;
		view->events += rows[i].events;
		view->wakeups += rows[i].wakeups;
	}
	view_sort(view);
	return 0;
}

void view_free(struct view *view)
{
	queues_free(&view->before);
	queues_free(&view->now);
	free(view->rows);
}

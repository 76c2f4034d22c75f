// SPDX-License-Identifier: MIT
/* Lines of the table, for the screen and without one. */
#include <ctype.h>
#include <pwd.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "top.h"

const char *const order_names[ORDERS] = {
	[BY_EVENTS] = "events",
	[BY_WAKEUPS] = "wake-ups",
	[BY_BACKLOG] = "backlog",
	[BY_ARMED] = "armed",
	[BY_NUMBER] = "number",
};

void title_line(const struct view *view, char *line)
{
	time_t now = time(NULL);
	char clock[16];
	struct tm tm;

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &tm));
	snprintf(line, LINE_SIZE, "ioevq top - %s, by %s", clock, order_names[view->order]);
}

void summary_line(const struct view *view, char *line)
{
	unsigned long long waiting = 0, backlog = 0, armed = 0;
	unsigned int i;
	int n;

	for (i = 0; i < view->now.nr; i++) {
		waiting += view->now.list[i].waiting;
		backlog += view->now.list[i].backlog;
		armed += armed_of(&view->now.list[i]);
	}
	n = snprintf(line, LINE_SIZE, "%u queue%s, %llu armed, %.0f events/s, %.0f wake-ups/s",
		     view->now.nr, view->now.nr == 1 ? "" : "s", armed, view->events,
		     view->wakeups);
	n += snprintf(line + n, LINE_SIZE - n, ", %llu in backlogs, %llu asleep", backlog,
		      waiting);
	if (view->now.hidden)
		snprintf(line + n, LINE_SIZE - n, "; %u processes of others are not shown: be root",
			 view->now.hidden);
}

void heading_line(char *line)
{
	snprintf(line, LINE_SIZE, "%6s %7s %4s %-8s %-15s %9s %8s %7s %7s %7s %7s %5s  %s", "QUEUE",
		 "PID", "FD", "USER", "COMMAND", "EVENTS/s", "WAKES/s", "READY", "BACKLOG", "MAX",
		 "RUN/LIM", "SLEEP", "ARMED");
}

/* Numbers of people, not of their names' length. */
static void user_name(uid_t uid, char *text, size_t size)
{
	const struct passwd *user = getpwuid(uid);

	if (user && strlen(user->pw_name) < size)
		strcpy(text, user->pw_name);
	else
		snprintf(text, size, "%u", uid);
}

static void armed_text(const struct queue *q, char *text, size_t size)
{
	unsigned int op, n = 0;

	*text = 0;
	for (op = 0; op < IOEVQ_OP__COUNT && n < size; op++) {
		const char *name = op_name(op);
		char small[16];
		unsigned int i;

		if (!q->armed[op])
			continue;
		for (i = 0; i < sizeof(small) - 1 && name[i]; i++)
			small[i] = tolower(name[i]);
		small[i] = 0;
		n += snprintf(text + n, size - n, "%s%s %llu", n ? ", " : "", small, q->armed[op]);
	}
}

void row_line(const struct row *row, char *line)
{
	const struct queue *q = row->q;
	char number[24] = "-", user[9], limit[32] = "-", armed[128], command[16], more[12] = "";

	if (q->number)
		snprintf(number, sizeof(number), "%llu", q->number);
	if (q->concurrency != IOEVQ_UNLIMITED)
		snprintf(limit, sizeof(limit), "%llu/%llu", q->runnable, q->concurrency);
	user_name(q->uid, user, sizeof(user));
	armed_text(q, armed, sizeof(armed));
	/* Others have it, too. */
	if (q->processes > 1)
		snprintf(more, sizeof(more), "+%u", q->processes - 1);
	snprintf(command, sizeof(command), "%s", q->command);
	strcpy(command + (strlen(command) < 15 - strlen(more) ? strlen(command) :
			  15 - strlen(more)), more);
	snprintf(line, LINE_SIZE,
		 "%6s %7d %4d %-8s %-15s %9.0f %8.0f %7llu %7llu %7llu %7s %5llu  %s", number,
		 q->pid, q->fd, user, command, row->events, row->wakeups, q->available, q->backlog,
		 q->backlog_max, limit, q->waiting, armed);
}

void show_text(const struct view *view)
{
	char line[LINE_SIZE];
	unsigned int i;

	summary_line(view, line);
	puts(line);
	heading_line(line);
	puts(line);
	for (i = 0; i < view->now.nr; i++) {
		row_line(&view->rows[i], line);
		puts(line);
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * ioevq top: what its files share.
 *
 * main -> screen, text, json -> rates -> queues
 */
#ifndef IOEVQ_TOP_H
#define IOEVQ_TOP_H

#include "../queues.h"

/* What a queue does now: since it was looked at last. */
struct row {
	const struct queue *q;
	double events, wakeups;		/* per second */
};

enum order { BY_EVENTS, BY_WAKEUPS, BY_BACKLOG, BY_ARMED, BY_NUMBER, ORDERS };

struct view {
	struct queues before, now;
	struct row *rows;		/* of now, in order */
	double events, wakeups;		/* of all, per second */
	enum order order;
	pid_t pid;			/* 0: all */
};

/* rates.c: look again. 0, or a negative errno */
int view_update(struct view *view);
void view_sort(struct view *view);
void view_free(struct view *view);
unsigned long long armed_of(const struct queue *q);

/* text.c */
#define LINE_SIZE	512

extern const char *const order_names[ORDERS];
void title_line(const struct view *view, char *line);
void summary_line(const struct view *view, char *line);
/* Of a line of the table: QUEUE to COMMAND. */
#define NAME_SIZE	45

void heading_line(char *line);
void row_line(const struct row *row, char *line);
void show_text(const struct view *view);

void show_json(const struct view *view);

/* screen.c: until the user has enough; the exit status. @delay in seconds */
int show_screen(struct view *view, double delay);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * ioevq supervise: what its files share.
 *
 * One process without threads and one queue: children, signals, delays, the control socket,
 * its clients and the log all come by it, and it never waits for anything else.
 *
 * main -> supervise, client; load -> parse; supervise -> child, signal, control -> service,
 * status -> spawn, log, timer
 */
#ifndef IOEVQ_SUPERVISE_H
#define IOEVQ_SUPERVISE_H

#include <ioevq.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>

#include "../ioevq.h"

#define MAX_SERVICES	1000
#define MAX_NAME	64
#define MAX_TEXT	(1 << 20)	/* bytes of a file of services */
#define MAX_COMPLAINTS	20		/* about one of them */

#define SECOND		1000000000LL

/* What a request is about is told by the highest byte of its user data. */
#define TAG(kind, id)	((uint64_t)(kind) << 56 | (id))
#define TAG_KIND(tag)	((unsigned int)((tag) >> 56))
#define TAG_ID(tag)	((tag) & ((1ULL << 56) - 1))

enum kind {
	KIND_CHILD = 1, KIND_SIGNAL, KIND_TIMER, KIND_LOG, KIND_LISTEN,
	KIND_READ, KIND_WRITE, KIND_CLOSE	/* of the client with that number */
};

/* What there is to run. One allocation: the strings are behind it. */
struct spec {
	struct spec *next;
	const char *name;
	const char *command;	/* as it was written */
	const char *dir;	/* where it runs, or NULL: here */
	char *argv[];
};

/* One line about what is wrong, in @line (from 1; 0: no line of it). */
typedef void complaint_fn(void *arg, unsigned int line, const char *what);

/*
 * parse.c: a text of services. Touches nothing but its arguments: any bytes will do. 0 and
 * the list, in order; or -1, none, and each line that is wrong was complained of.
 */
int parse_services(const char *text, size_t size, struct spec **list, complaint_fn *complaint,
		   void *arg);
struct spec *spec_new(const char *name, size_t name_len, const char *command, size_t command_len,
		      const char *dir);
const char *name_problem(const char *name, size_t len);
void specs_free(struct spec *list);

/* load.c: the same of a file with such a text or a directory of programs */
int load_services(const char *path, struct spec **list, complaint_fn *complaint, void *arg);

/* timer.c: points in time of CLOCK_MONOTONIC, in nanoseconds */
struct timer {
	struct timer *next;	/* sorted by time */
	int64_t at;
	bool set;
	void (*expired)(struct timer *timer);
};

int64_t now(void);
int timer_open(void);
void timer_set(struct timer *timer, int64_t at);
void timer_clear(struct timer *timer);
int64_t timer_arm(void);	/* the queue will tell; or when the wait for events is over */
void timer_run(void);		/* all whose time has come */

enum state {
	WAITING,		/* to be started again */
	RUNNING,
	STOPPING,		/* was told to */
	CLEARING,		/* it has ended, and others of its process group have not */
	DONE			/* and will not be started again */
};

/* How a run ended. @err: it could not be started, by @step, or 0. */
struct ending {
	int64_t at;		/* 0: it never did */
	int64_t wall;		/* CLOCK_REALTIME */
	int64_t ran;
	int code, status;	/* as of waitid(2) */
	int err;
	const char *step;
};

struct service {
	struct service *next;
	struct spec *spec;
	struct spec *changed;	/* what replaces that, once it has ended */
	enum state state;
	bool removed;		/* forget it, once it has ended */
	bool killed;		/* by SIGKILL, since it did not stop */
	pid_t pid;		/* also the number of its process group and session */
	int64_t started;
	int64_t restart_at;
	int64_t delay;		/* before the next start */
	struct timer timer;	/* what it waits for in its state */
	struct spawn_report *report;
	struct ending last;
	unsigned long long starts;
	unsigned long long cpu_us;	/* of all runs that ended */
};

/* What the command line asked for, and what is going on. There is one supervisor. */
struct supervisor {
	struct ioevq q;
	const char *path;	/* of the services */
	const char *log;	/* file, or NULL: standard error */
	const char *control;	/* socket, or NULL */
	int64_t backoff_min, backoff_max, stop_timeout;
	bool once;
	bool stopping;
	bool failed;		/* a run of --once did not exit with 0 */
	int64_t since;
	unsigned long long orphans;
	struct service *services;
	unsigned int nr_services;
};

extern struct supervisor sv;

/* service.c: what becomes of one */
int services_update(struct spec *list);	/* takes the list; -1: no memory, and nothing changed */
void services_stop(void);	/* once: politely; again: at once */
void services_signal(int sig);
bool services_ended(void);
struct service *service_of(pid_t pid);
void service_ended(struct service *s, const siginfo_t *info, const struct rusage *usage);
void services_check_groups(void);
void describe_ending(const struct ending *e, char *text, size_t size);

/* spawn.c: where the child tells what it could not do, in memory that is shared with it */
struct spawn_report {
	int err;
	int step;
};

struct spawn_report *spawn_report_new(void);
void spawn_report_free(struct spawn_report *report);
const char *spawn_step(int step);
pid_t spawn(const struct spec *spec, struct spawn_report *report);	/* or a negative errno */

/* child.c */
int children_watch(void);
void children_event(const struct ioevq_event *ev);

/* signal.c: none is handled; all that matter are blocked, and read from a descriptor */
int signals_watch(void);
void signals_event(void);

/* supervise.c */
int supervise(struct spec *list);	/* takes the list; the exit status */
void reload(void);

/* log.c: lines of the log, of a service or (NULL) of the supervisor; never waits */
int log_open(void);
void log_reopen(void);
void log_text(const struct service *s, const char *format, ...);
/* The compiler compares format and arguments. */
#define log_line(s, ...)	((void)sizeof(printf(__VA_ARGS__)), log_text(s, __VA_ARGS__))
void log_event(const struct ioevq_event *ev);
unsigned long long log_lost(void);
void log_flush(void);

/* control.c: the socket */
int control_open(void);
void control_accept(void);
void control_event(const struct ioevq_event *ev);
void control_close(void);

/* status.c */
void status_table(FILE *to);
void status_json(FILE *to);

/* client.c: --status. Returns the exit status. */
int client_main(const char *control, bool json);

/* Submit one request: 0 or a negative errno. */
static inline int submit(const struct ioevq_req *req)
{
	int ret = ioevq_submit(&sv.q, req, 1);

	return ret == 1 ? 0 : ret;
}

#endif

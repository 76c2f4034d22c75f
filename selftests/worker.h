/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads that take jobs from a queue until it is alerted. */
#ifndef IOEVQ_WORKER_H
#define IOEVQ_WORKER_H

#include "sleeper.h"

/* A message whose user data is its address. */
struct job {
	void (*run)(struct job *job);
	int started;
	int go;			/* set by the test: the job may end */
	int ended;
	int fd;			/* to block in read() */
	pid_t tid;		/* who runs it */
	struct worker *worker;
};

struct worker {
	const struct ioevq *q;
	pid_t tid;
	pthread_t thread;
	int jobs;		/* that it ran */
	int ret;		/* of its last wait */
};

static inline int is_set(const int *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static inline void set(int *flag)
{
	__atomic_store_n(flag, 1, __ATOMIC_RELEASE);
}

/* A job that never blocks. */
static inline void job_spin(struct job *job)
{
	while (!is_set(&job->go))
		;
}

static inline void *worker_body(void *arg)
{
	struct worker *w = arg;
	struct ioevq_event ev;
	struct job *job;

	__atomic_store_n(&w->tid, gettid(), __ATOMIC_RELEASE);
	for (;;) {
		w->ret = enter_wait(w->q, &ev, 1, 1, -1);
		if (w->ret != 1 || ev.flags & IOEVQ_EVENT_ALERT)
			return NULL;
		job = (struct job *)(uintptr_t)ev.user_data;
		job->tid = w->tid;
		job->worker = w;
		set(&job->started);
		job->run(job);
		__atomic_add_fetch(&w->jobs, 1, __ATOMIC_RELAXED);
		set(&job->ended);
	}
}

static inline int post_job(const struct ioevq *q, struct job *job)
{
	return ioevq_post(q, (uintptr_t)job, 0, 0);
}

/* Start a worker, and return when it sleeps in its wait: 1, or 0. */
static inline int start_worker(struct worker *w, const struct ioevq *q)
{
	unsigned int before = query(q).waiting;

	*w = (struct worker){ .q = q };
	return !pthread_create(&w->thread, NULL, worker_body, w) &&
	       eventually(query(q).waiting == before + 1) &&
	       eventually(is_asleep(is_set(&w->tid)));
}

/* Alert the queue, and wait for all of them: 0 if each returned by the alert. */
static inline int stop_workers(const struct ioevq *q, struct worker *w, unsigned int n)
{
	unsigned int i;
	int err = ioevq_alert(q, 0);

	for (i = 0; i < n; i++) {
		pthread_join(w[i].thread, NULL);
		if (w[i].ret != 1)
			err = -1;
	}
	return err ? err : ioevq_clear_alert(q);
}

/* A field of /proc/self/task/TID/status, or -1. */
static inline long thread_status(pid_t tid, const char *field)
{
	char path[64], line[128];
	size_t len = strlen(field);
	long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	while (value < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, field, len) && line[len] == ':')
			value = strtol(line + len + 1, NULL, 10);
	fclose(f);
	return value;
}

#endif

// SPDX-License-Identifier: MIT
/*
 * The helper: a thread that takes events where the program cannot be expected to come for
 * them, and starts the threads of SIGEV_THREAD. There is one, and for no longer than a
 * second after the last operation: a process whose other threads have ended ends, too.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "facade.h"

#define IDLE_NS		NSEC_PER_SEC

/* When what could not be done, for lack of anything, is tried again. */
#define RETRY_NS	(10 * 1000000LL)

#define STACK		(256 * 1024)

struct call {
	void (*function)(union sigval value);
	union sigval value;
};

/* As any new thread of a program that blocks nothing. */
static void *call_function(void *arg)
{
	struct call call = *(struct call *)arg;

	free(arg);
	pthread_detach(pthread_self());
	signals_restore(0);
	call.function(call.value);
	return NULL;
}

static int start_thread(const struct sigevent *ev)
{
	struct call *call = malloc(sizeof(*call));
	pthread_t thread;
	int err;

	if (!call)
		return -ENOMEM;
	call->function = ev->sigev_notify_function;
	call->value = ev->sigev_value;
	err = pthread_create(&thread, ev->sigev_notify_attributes, call_function, call);
	if (err)
		free(call);
	/* What its attributes say cannot be had: better a thread than none. */
	if (err && err != EAGAIN && ev->sigev_notify_attributes) {
		struct sigevent plain = *ev;

		plain.sigev_notify_attributes = NULL;
		return start_thread(&plain);
	}
	return -err;
}

static bool try_again(const struct request *r)
{
	int err = r->ev.sigev_notify == SIGEV_THREAD ? start_thread(&r->ev) : post_event(r);

	return err == -EAGAIN || err == -EDQUOT || err == -ENOMEM;
}

/* Without the lock in between: to start a thread takes locks of the C library. */
static void do_todo(struct world *w, uint64_t *mask)
{
	struct request *r = w->todo, *next;
	bool again;

	w->todo = NULL;
	w->todo_end = &w->todo;
	for (; r; r = next) {
		next = r->link;
		world_unlock(w, *mask);
		again = try_again(r);
		*mask = world_lock(w);
		if (again)
			todo_add(w, r);
		else
			pool_put(&w->requests, r);
	}
}

static void *helper(void *arg)
{
	struct world *w = arg;
	uint64_t mask = world_lock(w);
	long long deadline, idle_end = 0;
	pid_t self = gettid();

	w->helper = self;
	for (;;) {
		reap(w);
		if (w->todo)
			do_todo(w, &mask);
		if (w->outstanding || w->todo || has_events(w)) {
			idle_end = 0;
			deadline = w->todo || w->ready ? clock_now() + RETRY_NS : FOREVER;
		} else {
			if (!idle_end)
				idle_end = clock_now() + IDLE_NS;
			else if (clock_now() >= idle_end)
				break;
			deadline = idle_end;
		}
		if (has_events(w))
			continue;
		sleep_once(w, deadline, mask);
		mask = world_lock(w);
	}
	w->helper = 0;
	if (w->sleeper == self)
		w->sleeper = 0;
	wake_sleepers(w);
	world_unlock(w, mask);
	return NULL;
}

/* Make sure that there is one: 0 or -EAGAIN. It has all signals blocked, as we have here. */
int helper_need(struct world *w)
{
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	if (w->helper)
		return 0;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK);
	err = pthread_create(&thread, &attr, helper, w);
	pthread_attr_destroy(&attr);
	if (err)
		return -EAGAIN;
	w->helper = -1;
	w->wants_helper = false;
	return 0;
}

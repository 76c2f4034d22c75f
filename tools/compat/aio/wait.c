// SPDX-License-Identifier: MIT
/* Wait for the end of operations: in the queue, or for who does. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "facade.h"

/*
 * Who sleeps while another thread of the program sleeps in the queue looks for itself after
 * that long: the other may be in a signal handler that came upon it, or have left for good
 * by longjmp(3).
 */
#define LOOK_AGAIN_NS	(100 * 1000000LL)

/* What the system call takes, and not what the C library does. */
struct kernel_sigaction {
	void (*handler)(int signo);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

/* Until @deadline, or @longest if that is not FOREVER. */
static int sleep_on(int *futex, int seen, long long deadline, long long longest)
{
	long long left = longest;

	if (deadline != FOREVER) {
		left = deadline - clock_now();
		if (left <= 0)
			return 0;
		if (longest != FOREVER && longest < left)
			left = longest;
	}
	return futex_wait(futex, seen, left);
}

/* Asynchronously cancelled in here: nothing is taken, and nothing is held but the role. */
static int sleep_in_queue(struct world *w, long long deadline, uint64_t mask)
{
	struct ioevq_enter enter = {
		.flags = IOEVQ_ENTER_SIGMASK | IOEVQ_ENTER_ABSTIME,
		.min = 1,
		.timeout_ns = deadline,
		.sigmask = mask,
	};
	int type, ret;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	ret = queue_enter(w, &enter);
	/* The program has closed our descriptor. What is mapped still tells. */
	if (ret < 0 && ret != -EINTR)
		ret = sleep_on(&w->changes, w->changes, deadline, LOOK_AGAIN_NS);
	pthread_setcanceltype(type, &type);
	return ret;
}

static int sleep_on_changes(struct world *w, int seen, long long deadline, long long longest)
{
	int type, ret;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	ret = sleep_on(&w->changes, seen, deadline, longest);
	pthread_setcanceltype(type, &type);
	return ret;
}

/* The next one sleeps in the queue. */
static void leave_queue(void *arg)
{
	struct world *w = arg;
	uint64_t mask = world_lock(w);

	if (w->sleeper == gettid())
		w->sleeper = 0;
	wake_sleepers(w);
	world_unlock(w, mask);
}

/*
 * With the lock held; left without. @mask: of signals while it sleeps. Where there is the
 * helper it is the one in the queue, once a thread of the program that is there has left.
 */
int sleep_once(struct world *w, long long deadline, uint64_t mask)
{
	pid_t self = gettid();
	bool is_helper = self == w->helper;
	/* A handler of ours may come upon a sleep of the same thread. */
	bool leaves = !w->sleeper && !is_helper;
	long long longest;
	int ret, seen;

	if (w->sleeper ? w->sleeper == self : is_helper || !w->helper) {
		w->sleeper = self;
		world_unlock(w, ALL_SIGNALS);
		pthread_cleanup_push(leave_queue, w);
		ret = sleep_in_queue(w, deadline, mask);
		pthread_cleanup_pop(leaves);
		return ret;
	}
	longest = w->helper && (!w->sleeper || w->sleeper == w->helper) ? FOREVER : LOOK_AGAIN_NS;
	w->has_sleepers = true;
	seen = w->changes;
	world_unlock(w, mask);
	return sleep_on_changes(w, seen, deadline, longest);
}

/*
 * A signal has come. Was there a handler for one that does not want its system calls to be
 * restarted? Which one has run is not to be known, but programs have one kind of them.
 */
static bool is_interrupted(uint64_t mask)
{
	struct kernel_sigaction action;
	int signo;

	for (signo = 1; signo < _NSIG; signo++) {
		/* Those in between are the C library's. */
		if (mask >> (signo - 1) & 1 || (signo >= __SIGRTMIN && signo < SIGRTMIN))
			continue;
		if (!sys(SYS_rt_sigaction, signo, NULL, &action, sizeof(action.mask)) &&
		    action.handler != SIG_DFL && action.handler != SIG_IGN &&
		    !(action.flags & SA_RESTART))
			return true;
	}
	return false;
}

/*
 * Until @is_done, which is asked with the lock held: all that had ended by then is
 * accounted for, and who was to be told was told. 0, -EINTR or -EAGAIN (the time is over).
 */
int wait_until(struct world *w, bool (*is_done)(void *arg), void *arg, long long deadline)
{
	int ret = 0;

	for (;;) {
		uint64_t mask = world_lock(w);

		reap(w);
		if (is_done(arg)) {
			world_unlock(w, mask);
			return 0;
		}
		if (!ret && deadline != FOREVER && clock_now() >= deadline)
			ret = -EAGAIN;
		if (ret) {
			world_unlock(w, mask);
			return ret;
		}
		ret = sleep_once(w, deadline, mask);
		signals_restore(mask);
		ret = ret == -EINTR && is_interrupted(mask) ? -EINTR : 0;
	}
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Children for tests: they start, wait for a word, and end in a certain way. */
#ifndef IOEVQ_OFFSPRING_H
#define IOEVQ_OFFSPRING_H

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <time.h>

#include "ioevq_test.h"

struct offspring {
	pid_t pid;
	int go;			/* our end */
	int said;		/* what it has to say */
	int start, say;		/* its own ends */
};

/* Inside: wait for the next word of the parent. */
static inline void await_go(const struct offspring *c)
{
	char word;

	if (read(c->start, &word, 1) != 1)
		_exit(99);
}

static inline void say(const struct offspring *c)
{
	if (write(c->say, "x", 1) != 1)
		_exit(98);
}

static inline int let_go(const struct offspring *c)
{
	return write(c->go, "x", 1) == 1 ? 0 : -1;
}

static inline void offspring_close(const struct offspring *c)
{
	close(c->go);
	close(c->start);
	close(c->said);
	close(c->say);
}

/* @flags: of clone(2), the signal included. Ends when the parent does. */
static inline int offspring_of(struct offspring *c, int (*run)(struct offspring *c, long arg),
			       long arg, unsigned long flags)
{
	int go[2], said[2];

	if (pipe(go) || pipe(said))
		return -1;
	c->go = go[1];
	c->start = go[0];
	c->said = said[0];
	c->say = said[1];
	c->pid = syscall(SYS_clone, flags, 0, 0, 0, 0);
	if (!c->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* The parent may have ended before that: then there is no word to come. */
		close(c->go);
		await_go(c);
		_exit(run(c, arg));
	}
	return c->pid < 0 ? -1 : 0;
}

static inline int offspring_in(struct offspring *c, int (*run)(struct offspring *c, long arg),
			       long arg, unsigned long namespaces)
{
	return offspring_of(c, run, arg, namespaces | SIGCHLD);
}

static inline int offspring(struct offspring *c, int (*run)(struct offspring *c, long arg),
			    long arg)
{
	return offspring_of(c, run, arg, SIGCHLD);
}

static inline int exit_with(struct offspring *c, long code)
{
	(void)c;
	return code;
}

static inline int raise_signal(struct offspring *c, long sig)
{
	(void)c;
	kill(getpid(), sig);
	return 97;
}

struct thread_arg {
	struct offspring *c;
	long arg;
};

static inline void *outlive(void *arg)
{
	struct thread_arg *t = arg;

	await_go(t->c);
	_exit(t->arg);
}

/* The main thread ends at once, the other one with the next word. */
static inline int leave_a_thread(struct offspring *c, long code)
{
	static struct thread_arg t;
	pthread_t thread;

	t.c = c;
	t.arg = code;
	if (pthread_create(&thread, NULL, outlive, &t))
		return 97;
	syscall(SYS_exit, 0);
	return 96;
}

static inline void *exec_shell(void *arg)
{
	struct thread_arg *t = arg;

	dup2(t->c->start, 0);
	dup2(t->c->say, 1);
	/* Reads one byte at a time: what it is told ends without a new line. */
	execl("/bin/bash", "bash", "-c", "printf x; read -r -N 1 word; exit 6", NULL);
	_exit(95);
}

static inline int exec_in_a_thread(struct offspring *c, long arg)
{
	static struct thread_arg t;
	pthread_t thread;

	t.c = c;
	t.arg = arg;
	if (pthread_create(&thread, NULL, exec_shell, &t))
		return 97;
	for (;;)
		pause();
}

/* Trace it; say so; with the next word take the news of its end, and stay. */
static inline int debug(struct offspring *c, long pid)
{
	if (ptrace(PTRACE_SEIZE, (pid_t)pid, 0, 0))
		return 97;
	say(c);
	await_go(c);
	if (waitpid(pid, NULL, __WALL) != pid)
		return 96;
	await_go(c);
	return 0;
}

static inline long long cpu_us(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

static inline void *burn_half(void *arg)
{
	while (cpu_us(CLOCK_THREAD_CPUTIME_ID) < *(long *)arg / 2)
		;
	return NULL;
}

/* Half of it in a thread that is gone at the end, and that much in all. */
static inline int burn(struct offspring *c, long us)
{
	pthread_t thread;

	(void)c;
	if (pthread_create(&thread, NULL, burn_half, &us) || pthread_join(thread, NULL))
		return 97;
	while (cpu_us(CLOCK_PROCESS_CPUTIME_ID) < us)
		;
	return 0;
}

/* Is it the CPU time that wait4() tells? It rounds, and counts the very end, too. */
static inline int about(long long us, const struct rusage *ru)
{
	long long told = (ru->ru_utime.tv_sec + ru->ru_stime.tv_sec) * 1000000LL +
			 ru->ru_utime.tv_usec + ru->ru_stime.tv_usec;

	return llabs(told - us) < 1000000;
}

/* Let it run until it has something to say, and kill it then. 0: so it ended. */
static inline int kill_when_ready(const struct offspring *c)
{
	int status;
	char word;

	if (let_go(c) || read(c->said, &word, 1) != 1 || kill(c->pid, SIGKILL) ||
	    waitpid(c->pid, &status, 0) != c->pid)
		return -1;
	return WIFSIGNALED(status) ? 0 : -1;
}

#endif

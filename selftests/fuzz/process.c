// SPDX-License-Identifier: GPL-2.0-only
/* Calls about processes: children of a program, signals, limits, and what is to fail. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"
#include "calls.h"

#define STACK_SIZE	16384
#define MAX_FILE	(64 << 20)

/* Of this process: its own, and alive or not yet reaped while there is a number. */
static struct child {
	atomic_bool taken;	/* lanes may want the same one */
	pid_t pid;
	bool forked;
} children[MAX_CHILDREN];
static max_align_t stacks[MAX_CHILDREN][STACK_SIZE / sizeof(max_align_t)];
static bool sigchld_changed, limits_changed;

pid_t child_pid(unsigned int child)
{
	return children[child % MAX_CHILDREN].pid ?: 0x3ffffff;
}

static void gone(struct child *c)
{
	c->pid = 0;
	c->taken = false;
}

static void nap(long us)
{
	const struct timespec ts = { .tv_nsec = us * 1000 };

	nanosleep(&ts, NULL);
}

/* It shares our memory: a process costs little so. */
static int spawned(void *arg)
{
	unsigned long how = (unsigned long)arg;

	syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
	switch (how % 6) {
	case 1:
		syscall(SYS_kill, syscall(SYS_getpid), SIGSTOP);
		break;
	case 2:
		nap(300);
		break;
	case 3:
		for (;;)
			syscall(SYS_pause);
	case 4:
		syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
		break;
	}
	syscall(SYS_exit_group, how % 256);
	return 0;
}

static void do_spawn(unsigned int n, uint64_t how)
{
	struct child *c = &children[n % MAX_CHILDREN];

	if (atomic_exchange(&c->taken, true))
		return;
	c->forked = false;
	c->pid = clone(spawned, stacks[n % MAX_CHILDREN + 1], CLONE_VM | SIGCHLD,
		       (void *)how);
	if (c->pid < 0)
		gone(c);
}

/* How many calls were for the child. */
static unsigned int do_fork(struct program *p, unsigned int at, unsigned int lane)
{
	const uint64_t *v = p->calls[at].v;
	struct child *c = &children[v[0] % MAX_CHILDREN];
	unsigned int nr = v[1] % 16;
	pid_t pid;

	if (atomic_exchange(&c->taken, true))
		return 0;
	pid = fork();
	if (pid < 0) {
		gone(c);
		return 0;
	}
	if (pid) {
		c->pid = pid;
		c->forked = true;
		return nr;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	memset(children, 0, sizeof(children));
	fork_begins();
	lane_calls(p, at + 1, nr, lane);
	switch (v[2] % 4) {
	case 1:
		kill(getpid(), SIGKILL);
		break;
	case 2:
		execl("/proc/self/exe", "fuzz", "--true", NULL);
		break;
	}
	_exit(v[2] % 256);
}

static void do_wait(const uint64_t *v)
{
	struct child *c = &children[v[0] % MAX_CHILDREN];
	int tries, flags = (v[1] & 1 ? WUNTRACED : 0) | (v[1] & 2 ? WCONTINUED : 0), status;
	pid_t pid;

	for (tries = 0; c->pid && tries < 8; tries++) {
		pid = waitpid(c->pid, &status, WNOHANG | flags);
		if ((pid < 0 && errno == ECHILD) ||
		    (pid > 0 && (WIFEXITED(status) || WIFSIGNALED(status))))
			gone(c);
		if (pid)
			return;
		nap(200);
	}
}

/* They have had their chance. */
static void end_child(struct child *c)
{
	const uint64_t v[] = { c - children, 0 };

	if (c->forked)
		do_wait(v);
	if (!c->pid)
		return;
	kill(c->pid, SIGKILL);
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
	gone(c);
}

static void do_sigchld(unsigned int how)
{
	struct sigaction sa = { .sa_handler = how % 4 == 1 ? SIG_IGN : SIG_DFL };

	if (how % 4 == 2)
		sa.sa_flags = SA_NOCLDWAIT;
	else if (how % 4 == 3)
		sa.sa_flags = SA_NOCLDSTOP;
	sigaction(SIGCHLD, &sa, NULL);
	sigchld_changed = how % 4;
}

static void set_limit(int what, rlim_t soft)
{
	struct rlimit l;

	getrlimit(what, &l);
	l.rlim_cur = soft < l.rlim_max ? soft : l.rlim_max;
	setrlimit(what, &l);
}

static void do_limit(const uint64_t *v)
{
	limits_changed = true;
	if (v[0] % 2)
		set_limit(RLIMIT_FSIZE, v[1] < MAX_FILE ? v[1] : MAX_FILE);
	else
		set_limit(RLIMIT_MEMLOCK, v[1]);
}

void process_init(void)
{
	set_limit(RLIMIT_FSIZE, MAX_FILE);
	set_limit(RLIMIT_MEMLOCK, 1 << 20);
}

void lane_end(void)
{
	unsigned int i;

	for (i = 0; i < MAX_CHILDREN; i++)
		if (children[i].pid)
			end_child(&children[i]);
	if (sigchld_changed)
		do_sigchld(0);
	if (limits_changed)
		process_init();
	limits_changed = false;
}

static __thread int fail_fd = -1;

/* The @n-th chance to fail, of this thread, from now on; 0: none. */
void fail_nth(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (fail_fd == -1) {
		fail_fd = keep_fd(open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC));
		if (fail_fd < 0)
			fail_fd = -2;
	}
	/* Not that of the parent. */
	if (fail_fd >= 0 && pwrite(fail_fd, text, len, 0) < 0)
		fail_fd = -2;
}

void fail_forget(void)
{
	if (fail_fd >= 0)
		close(fail_fd);
	fail_fd = -1;
}

/* How many of the calls that follow it has made as well. */
unsigned int call_process(struct program *p, unsigned int at, unsigned int lane)
{
	const struct call *c = &p->calls[at];
	const uint64_t *v = c->v;
	pid_t tid;

	switch (c->kind) {
	case C_SPAWN:
		do_spawn(v[0], v[1]);
		break;
	case C_FORK:
		return do_fork(p, at, lane);
	case C_WAIT:
		do_wait(v);
		break;
	case C_SIGCHLD:
		do_sigchld(v[0]);
		break;
	case C_LIMIT:
		do_limit(v);
		break;
	case C_KILL:
		if (children[v[0] % MAX_CHILDREN].pid)
			kill(children[v[0] % MAX_CHILDREN].pid, v[1] % 32);
		break;
	case C_SIGNAL:
		tid = lane_tid(v[0] % NR_LANES);
		if (tid > 0)
			syscall(SYS_tkill, tid, KICK);
		break;
	case C_YIELD:
		if (v[0] % 4)
			nap(v[0] % 2000);
		else
			sched_yield();
		break;
	}
	return 0;
}

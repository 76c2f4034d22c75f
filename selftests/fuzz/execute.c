// SPDX-License-Identifier: GPL-2.0-only
/*
 * Executes programs: a worker's own thread is lane 0, which waits for the others and
 * leaves nothing behind. Nobody waits for long: a clock interrupts the first, which
 * interrupts the others.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "fuzz.h"
#include "calls.h"

#define KICK_MS		50
#define MAX_KICKS	1500
#define NOBODY		65534

static struct lane {
	atomic_uint go, done;	/* number of the program to execute, executed */
	pid_t tid;
} *lanes;				/* shared by processes, as are these: */
static struct program *current;
static unsigned int nr_lanes;
static uint32_t generation;
atomic_ullong *calls_made;

static void futex_wait(atomic_uint *at, uint32_t old, long ms)
{
	const struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	syscall(SYS_futex, at, FUTEX_WAIT, old, ms ? &ts : NULL, NULL, 0);
}

static void futex_wake(atomic_uint *at)
{
	syscall(SYS_futex, at, FUTEX_WAKE, 1, NULL, NULL, 0);
}

int keep_fd(int fd)
{
	int kept = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, KEEP_FDS);

	if (fd >= 0)
		close(fd);
	return kept;
}

pid_t lane_tid(unsigned int lane)
{
	return lane < nr_lanes ? lanes[lane].tid : 0;
}

static void on_signal(int sig)
{
	(void)sig;
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;

	/*
	 * Sent by a program to a child that it has spawned: it shares our memory, and would jump
	 * to where its parent is.
	 */
	if (info->si_code <= 0)
		return;
	if (may_fault)
		siglongjmp(bad_access, 1);
	/* Not what a program did on purpose. */
	fprintf(stderr, "fuzz: signal %d, address %p, at %llx\n", sig, info->si_addr,
		(unsigned long long)uc->uc_mcontext.gregs[REG_RIP]);
	_exit(2);
}

static void start_clock(void)
{
	const struct itimerval it = { .it_value.tv_usec = KICK_MS * 1000,
		.it_interval.tv_usec = KICK_MS * 1000 };

	setitimer(ITIMER_REAL, &it, NULL);
}

void fork_begins(void)
{
	int *mine = malloc(MAX_SLOTS * sizeof(*mine));

	/* From now on numbers mean something else here than there. */
	if (mine)
		slots = memcpy(mine, slots, MAX_SLOTS * sizeof(*mine));
	fail_forget();
	start_clock();
	cover_enable(NR_LANES);
}

/*
 * One call, of which the @fail-th chance to fail is taken. No signal may come meanwhile: its
 * frame would be what cannot be copied. But what may wait needs one to end.
 */
static unsigned int make_call(struct program *p, unsigned int at, unsigned int lane,
			      unsigned int fail)
{
	const struct call *c = &p->calls[at];
	bool block = fail && c->kind != C_ENTER && c->kind != C_READ;
	unsigned int more = 0;
	sigset_t all, old;

	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	if (block)
		sigprocmask(SIG_BLOCK, &all, &old);
	if (fail)
		fail_nth(fail);
	if (!call_device(c, lane) && !call_file(c))
		more = call_process(p, at, lane);
	if (fail)
		fail_nth(0);
	if (block)
		sigprocmask(SIG_SETMASK, &old, NULL);
	return more;
}

/* Those of @nr calls from @first on that are @lane's. */
void lane_calls(struct program *p, unsigned int first, unsigned int nr, unsigned int lane)
{
	unsigned int i, fail = 0, made = 0, who;
	struct call *c;

	for (i = first; i < p->nr && i - first < nr; i++) {
		c = &p->calls[i];
		who = c->lane < nr_lanes ? c->lane : 0;
		if (who != lane)
			continue;
		made++;
		if (c->kind == C_FAIL) {
			fail = c->v[0] % 256;
			continue;
		}
		/* What asks for a request is no call to the kernel. */
		i += make_call(p, i, lane, c->kind == C_REQ ? 0 : fail);
		if (c->kind != C_REQ)
			fail = 0;
	}
	atomic_fetch_add(calls_made, made);
}

static void lane_loop(unsigned int lane)
{
	uint32_t seen = 0, go;

	lanes[lane].tid = syscall(SYS_gettid);
	cover_enable(lane);
	for (;;) {
		go = atomic_load(&lanes[lane].go);
		if (go == seen) {
			futex_wait(&lanes[lane].go, seen, 0);
			continue;
		}
		seen = go;
		if (lane == PROCESS_LANE)
			call_memory_reset();
		lane_calls(current, 0, current->nr, lane);
		if (lane == PROCESS_LANE)
			lane_end();
		atomic_store(&lanes[lane].done, seen);
		futex_wake(&lanes[lane].done);
	}
}

static void *lane_thread(void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	lane_loop((unsigned long)arg);
	return NULL;
}

/* As fork(2), with the same table of descriptors. */
static int start_process(void)
{
	pid_t pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);

	if (pid) {
		lanes[PROCESS_LANE].tid = pid;
		return pid < 0 ? -1 : 0;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	lane_loop(PROCESS_LANE);
	_exit(0);
}

static int start_lanes(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	unsigned long i;

	/* The process first: it must not be a copy of one with threads. */
	if (nr_lanes > PROCESS_LANE && start_process())
		return -1;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	for (i = 1; i < nr_lanes && i < PROCESS_LANE; i++)
		if (pthread_create(&thread, &attr, lane_thread, (void *)i))
			return -1;
	return 0;
}

static void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(KICK, &sa, NULL);
	sigaction(SIGALRM, &sa, NULL);
	sigaction(SIGPIPE, &sa, NULL);
	sigaction(SIGXFSZ, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sa.sa_sigaction = on_fault;
	sa.sa_flags = SA_NODEFER | SA_SIGINFO;
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
}

int execute_init(unsigned int nr, bool unprivileged)
{
	unsigned int i;
	char *at;

	nr_lanes = nr;
	at = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED || memory_init())
		return -1;
	lanes = (void *)at;
	current = (void *)(at + 4096);
	for (i = 0; i < nr; i++)
		if (cover_open(i))
			return -1;
	if (cover_open(NR_LANES))
		return -1;
	process_init();
	if (unprivileged &&
	    (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY)))
		return -1;
	/* Else its files in /proc are root's. */
	prctl(PR_SET_DUMPABLE, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	catch_signals();
	for (i = 0; i < MAX_SLOTS; i++)
		slots[i] = -1;
	close_range(3, KEEP_FDS - 1, 0);
	if (start_lanes())
		return -1;
	lanes[0].tid = syscall(SYS_gettid);
	start_clock();
	cover_enable(0);
	return 0;
}

static void wait_for(unsigned int lane)
{
	unsigned int kicks = 0;
	uint32_t done;

	while ((done = atomic_load(&lanes[lane].done)) != generation) {
		futex_wait(&lanes[lane].done, done, KICK_MS / 2);
		if (atomic_load(&lanes[lane].done) == generation)
			break;
		syscall(SYS_tkill, lanes[lane].tid, KICK);
		if (lane == PROCESS_LANE && waitpid(lanes[lane].tid, NULL, WNOHANG))
			_exit(2);
		/* Something is wrong: whoever looks after us will see whether it can be killed. */
		if (++kicks == MAX_KICKS)
			_exit(2);
	}
}

void execute(const struct program *p)
{
	unsigned int used = program_lanes(p) & ((1 << nr_lanes) - 1), i;

	memcpy(current, p, PROGRAM_SIZE(p));
	generation++;
	for (i = 0; i <= NR_LANES; i++)
		cover_reset(i);
	call_memory_reset();
	for (i = 1; i < nr_lanes; i++)
		if (used & 1 << i) {
			atomic_store(&lanes[i].go, generation);
			futex_wake(&lanes[i].go);
		}
	lane_calls(current, 0, current->nr, 0);
	for (i = 1; i < nr_lanes; i++)
		if (used & 1 << i)
			wait_for(i);
	lane_end();
	close_range(3, KEEP_FDS - 1, 0);
	for (i = 0; i < MAX_SLOTS; i++)
		slots[i] = -1;
}

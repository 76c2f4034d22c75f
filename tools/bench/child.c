// SPDX-License-Identifier: GPL-2.0-only
/*
 * Children that end: what their parent has to do about it itself (register, take note, reap),
 * and all that happens from birth to end, with many siblings that live.
 */
#include <sched.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "bench.h"
#include "uring.h"

#define STACK	16384
#define ROUNDS	12

struct child_way {
	const char *name;
	enum kind kind;
	void (*open)(void);
	void (*register_one)(pid_t pid);
	void (*notice)(pid_t pid);	/* that it has ended, and reap it */
	bool siblings;			/* measured with them, too */
};

static int go[2], epfd, sigfd, self_pipe[2], pidfd;
static struct uring ring;
static struct ioevq q;
static siginfo_t info;

static void nothing(void)
{
}

static void no_register(pid_t pid)
{
	(void)pid;
}

static void reap(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
}

/* A signal may stand for several children, and not be of the one that it names. */
static void reap_all(pid_t pid)
{
	pid_t reaped;
	int status;

	while ((reaped = waitpid(-1, &status, WNOHANG)) > 0)
		if (reaped == pid)
			pid = 0;
	if (pid)
		die("waitpid");
}

static void block_sigchld(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
}

static void epoll_of(int fd, uint32_t flags)
{
	struct epoll_event ev = { .events = EPOLLIN | flags };

	epfd = MUST(epoll_create1(0));
	if (fd >= 0)
		MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev));
}

static void notice_sigwait(pid_t pid)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	MUST(sigwaitinfo(&set, &info));
	reap(pid);
}

static void open_signalfd(void)
{
	sigset_t set;

	block_sigchld();
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigfd = MUST(signalfd(-1, &set, SFD_NONBLOCK));
	epoll_of(sigfd, 0);
}

static void notice_signalfd(pid_t pid)
{
	struct signalfd_siginfo si;
	struct epoll_event ev;

	MUST(epoll_wait(epfd, &ev, 1, -1));
	MUST(read(sigfd, &si, sizeof(si)));
	reap_all(pid);
}

static void on_sigchld(int sig)
{
	(void)sig;
	if (write(self_pipe[1], "", 1) != 1)
		_exit(1);
}

static void open_self_pipe(void)
{
	struct sigaction act = { .sa_handler = on_sigchld };

	block_sigchld();
	MUST(pipe2(self_pipe, O_NONBLOCK));
	MUST(sigaction(SIGCHLD, &act, NULL));
	epoll_of(self_pipe[0], 0);
}

/* The handler runs within epoll_pwait(2), which is called again for what it wrote. */
static void notice_self_pipe(pid_t pid)
{
	struct epoll_event ev;
	sigset_t set;
	char byte;

	sigemptyset(&set);
	while (epoll_pwait(epfd, &ev, 1, -1, &set) < 0)
		if (errno != EINTR)
			die("epoll_pwait");
	MUST(read(self_pipe[0], &byte, 1));
	reap_all(pid);
}

static void open_pidfd_epoll(void)
{
	epoll_of(-1, 0);
}

static void reap_pidfd(void)
{
	MUST(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED));
	close(pidfd);
}

static void register_pidfd_epoll(pid_t pid)
{
	struct epoll_event ev = { .events = EPOLLIN };

	pidfd = (int)MUST(syscall(__NR_pidfd_open, pid, 0));
	MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, pidfd, &ev));
}

static void notice_pidfd_epoll(pid_t pid)
{
	struct epoll_event ev;

	(void)pid;
	MUST(epoll_wait(epfd, &ev, 1, -1));
	reap_pidfd();
}

static void open_uring(void)
{
	if (uring_open(&ring, 8, URING_DEFER))
		die("io_uring_setup");
}

static void register_pidfd_uring(pid_t pid)
{
	pidfd = (int)MUST(syscall(__NR_pidfd_open, pid, 0));
	uring_poll(&ring, pidfd, 1, false);
	MUST(uring_enter(&ring, 0, 0));
}

static void notice_pidfd_uring(pid_t pid)
{
	(void)pid;
	MUST(uring_result(&ring));
	reap_pidfd();
}

static void waitid_uring(pid_t pid)
{
	struct io_uring_sqe *sqe = uring_sqe(&ring, OP_WAITID, pid, 1);

	sqe->len = P_PID;
	sqe->file_index = WEXITED;
	sqe->addr2 = (uintptr_t)&info;
	MUST(uring_enter(&ring, 0, 0));
}

static void notice_waitid_uring(pid_t pid)
{
	(void)pid;
	errno = -uring_result(&ring);
	if (errno == EINVAL) {
		fprintf(stderr, "bench: this kernel has no IORING_OP_WAITID\n");
		_exit(0);
	}
	if (errno)
		die("IORING_OP_WAITID");
}

static void submit_child(pid_t pid)
{
	struct ioevq_req req;

	ioevq_prep_child(&req, pid, 0, 1);
	if (ioevq_submit(&q, &req, 1) != 1)
		die("ioevq_submit");
}

static void open_ours(void)
{
	MUST(ioevq_open(&q, 64, 0));
}

static void open_ours_any(void)
{
	open_ours();
	submit_child(0);
}

static void open_ours_ignored(void)
{
	signal(SIGCHLD, SIG_IGN);
	open_ours_any();
}

static pid_t notice_ours(void)
{
	struct ioevq_event ev;

	/* From the ring if it is there. */
	if (ioevq_wait(&q, &ev, 1, 1, IOEVQ_FOREVER) != 1)
		die("ioevq_wait");
	return (pid_t)ev.res;
}

static void notice_ours_and_reap(pid_t pid)
{
	if (notice_ours() != pid)
		die("the child");
	reap(pid);
}

static void notice_ours_only(pid_t pid)
{
	if (notice_ours() != pid)
		die("the child");
}

static const struct child_way ways[] = {
	{ "waitpid", FLOOR, nothing, no_register, reap, true },
	/* Waits for nothing else. */
	{ "sigwaitinfo", FLOOR, block_sigchld, no_register, notice_sigwait, false },
	{ "signalfd, epoll", PEER, open_signalfd, no_register, notice_signalfd, true },
	{ "self-pipe, epoll_pwait", PEER, open_self_pipe, no_register, notice_self_pipe, true },
	{ "pidfd, epoll", PEER, open_pidfd_epoll, register_pidfd_epoll, notice_pidfd_epoll,
	  true },
	{ "pidfd, io_uring", PEER, open_uring, register_pidfd_uring, notice_pidfd_uring, true },
	{ "io_uring WAITID", PEER, open_uring, waitid_uring, notice_waitid_uring, true },
	{ "ioevq, all children", OURS, open_ours_any, no_register, notice_ours_and_reap, true },
	{ "ioevq, one child", OURS, open_ours, submit_child, notice_ours_and_reap, true },
	{ "ioevq, auto-reaped", OURS, open_ours_ignored, no_register, notice_ours_only, false },
};

static int wait_for_go(void *arg)
{
	char byte;

	(void)arg;
	return read(go[0], &byte, 1) == 1 ? 0 : 1;
}

static int end_at_once(void *arg)
{
	(void)arg;
	return 0;
}

/* Shares our memory, so that little of its life is about that. */
static pid_t spawn(int (*fn)(void *arg), char *stack)
{
	return MUST(clone(fn, stack + STACK, CLONE_VM | SIGCHLD, NULL));
}

static void parent_side(const struct child_way *w, char *stack)
{
	struct row row = {
		.question = "child, parent", .object = "", .name = w->name, .kind = w->kind,
		.n = 1, .k = 1,
	};
	double figures[ROUNDS + 4];
	unsigned int i, n = quick ? 6 : ROUNDS;

	for (i = 0; i < n + 4; i++) {
		pid_t pid = spawn(wait_for_go, stack);
		uint64_t t;

		if (i == 4) {
			region_begin();
			region_pause();
		}
		usleep(20000);
		region_resume();
		t = clock_insns();
		w->register_one(pid);
		t = clock_insns() - t;
		region_pause();
		if (write(go[1], "", 1) != 1)
			die("write");
		usleep(20000);
		region_resume();
		t -= clock_insns();
		w->notice(pid);
		t += clock_insns();
		region_pause();
		figures[i] = (double)t;
	}
	region_resume();
	region_end();
	put_row(&row, figures + 4, n, n);
}

static const struct child_way *way;
static char *child_stack;

static void whole_life(void *arg)
{
	pid_t pid = spawn(end_at_once, child_stack);

	(void)arg;
	way->register_one(pid);
	way->notice(pid);
}

static void measure_life(const struct child_way *w, unsigned int siblings)
{
	struct row row = {
		.question = "child, all", .object = "", .name = w->name, .kind = w->kind,
		.n = siblings + 1, .k = 1, .median = true, .per_round = 1, .rounds = 5,
	};

	way = w;
	/* The cheapest of these rows counts: what else the kernel does meanwhile is in all. */
	for (int i = 0; i < 5; i++)
		measure(&row, whole_life, NULL);
}

/* Each way in a process of its own: its signals and children are nobody else's. */
static void run_way(const struct child_way *w, unsigned int siblings)
{
	char *stacks = warm_alloc(siblings + 1, STACK);
	unsigned int i;
	pid_t *pids = warm_alloc(siblings + 1, sizeof(*pids));

	child_stack = stacks;
	MUST(pipe(go));
	for (i = 0; i < siblings; i++)
		pids[i] = spawn(wait_for_go, stacks + (i + 1) * STACK);
	w->open();
	if (!siblings)
		parent_side(w, child_stack);
	if (w->siblings && (siblings || !quick))
		measure_life(w, siblings);
	fflush(stdout);
	for (i = 0; i < siblings; i++)
		kill(pids[i], SIGKILL);
}

void bench_child(void)
{
	static const unsigned int siblings[] = { 0, 1000 };
	unsigned int i, j;
	int status;

	for (j = 0; j < ARRAY_SIZE(siblings); j++) {
		for (i = 0; i < ARRAY_SIZE(ways); i++) {
			pid_t pid;

			if (siblings[j] && !ways[i].siblings)
				continue;
			fflush(stdout);
			pid = MUST(fork());
			if (!pid) {
				run_way(&ways[i], siblings[j]);
				_exit(0);
			}
			/* One that this kernel does not have fails. */
			MUST(waitpid(pid, &status, 0));
		}
	}
}

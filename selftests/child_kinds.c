// SPDX-License-Identifier: GPL-2.0-only
/* Law 10: children however they were made, whatever becomes of SIGCHLD, and their CPU time. */
#include <linux/sched.h>
#include <spawn.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include "children.h"

#define WATCH	7

/* What programs do that take the place of the child: end with 6 at the next word. */
static char *const shell[] = { "bash", "-pc", "read -r -N 1 word; exit 6", NULL };

FIXTURE(kinds)
{
	struct ioevq q;
	struct offspring c;
};

FIXTURE_VARIANT(kinds)
{
	enum naming name;
};

FIXTURE_VARIANT_ADD(kinds, pid) {
	.name = BY_PID
};

FIXTURE_VARIANT_ADD(kinds, pidfd) {
	.name = BY_PIDFD
};

FIXTURE_VARIANT_ADD(kinds, any) {
	.name = ANY
};

FIXTURE_SETUP(kinds)
{
	(void)variant;
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
}

FIXTURE_TEARDOWN(kinds)
{
	(void)variant;
	ioevq_close(&self->q);
}

static int pipes(struct offspring *c)
{
	int go[2], said[2];

	if (pipe2(go, O_CLOEXEC) || pipe2(said, O_CLOEXEC))
		return -1;
	c->go = go[1];
	c->start = go[0];
	c->said = said[0];
	c->say = said[1];
	return 0;
}

static int by_spawn(struct offspring *c)
{
	posix_spawn_file_actions_t actions;
	int err;

	if (pipes(c) || posix_spawn_file_actions_init(&actions) ||
	    posix_spawn_file_actions_adddup2(&actions, c->start, 0))
		return -1;
	err = posix_spawn(&c->pid, "/bin/bash", &actions, NULL, shell, environ);
	posix_spawn_file_actions_destroy(&actions);
	return err;
}

static int by_vfork(struct offspring *c)
{
	if (pipes(c))
		return -1;
	c->pid = vfork();
	if (!c->pid) {
		dup2(c->start, 0);
		execv("/bin/bash", shell);
		_exit(95);
	}
	return c->pid < 0 ? -1 : 0;
}

static int by_clone3(struct offspring *c, __u64 flags, __u64 signal)
{
	struct clone_args args = { .flags = flags, .exit_signal = signal };

	if (pipes(c))
		return -1;
	c->pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!c->pid) {
		await_go(c);
		_exit(6);
	}
	return c->pid < 0 ? -1 : 0;
}

static int by_clone3_plain(struct offspring *c)
{
	return by_clone3(c, 0, SIGCHLD);
}

static int by_clone3_without_a_signal(struct offspring *c)
{
	return by_clone3(c, 0, 0);
}

static int by_clone3_with_another(struct offspring *c)
{
	signal(SIGUSR1, SIG_IGN);
	return by_clone3(c, 0, SIGUSR1);
}

static int by_clone3_with_files(struct offspring *c)
{
	return by_clone3(c, CLONE_FILES | CLONE_FS | CLONE_IO, SIGCHLD);
}

static int into_a_pid_namespace(struct offspring *c)
{
	return by_clone3(c, CLONE_NEWPID, SIGCHLD);
}

static int into_a_user_namespace(struct offspring *c)
{
	return by_clone3(c, CLONE_NEWUSER | CLONE_NEWPID, SIGCHLD);
}

static void *spawn_in_a_thread(void *c)
{
	return (void *)(long)by_spawn(c);
}

static int by_a_thread_that_is_gone(struct offspring *c)
{
	pthread_t thread;
	void *ret;

	return pthread_create(&thread, NULL, spawn_in_a_thread, c) || pthread_join(thread, &ret) ||
	       ret ? -1 : 0;
}

/* Ended, with 6, and is there for wait4(2) at once. */
static int ends(const struct ioevq *q, const struct offspring *c, enum naming name)
{
	int status;

	return !let_go(c) &&
	       told(q, WATCH, c->pid, name == ANY ? IOEVQ_EVENT_MORE : 0, 6 << 8) &&
	       waitpid(c->pid, &status, WNOHANG | __WALL) == c->pid && status == 6 << 8 &&
	       quiet(q);
}

TEST_F(kinds, law_10_however_it_was_made)
{
	static int (*const makes[])(struct offspring *c) = {
		by_spawn, by_vfork, by_clone3_plain, by_clone3_without_a_signal,
		by_clone3_with_another, by_clone3_with_files, into_a_pid_namespace,
		into_a_user_namespace, by_a_thread_that_is_gone,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(makes); i++) {
		ASSERT_EQ(0, makes[i](&self->c))
			TH_LOG("kind %u", i);
		ASSERT_EQ(0, i && variant->name == ANY ? 0 :
			     watch_as(&self->q, variant->name, self->c.pid, 0, WATCH));
		EXPECT_TRUE(quiet(&self->q));
		EXPECT_TRUE(ends(&self->q, &self->c, variant->name))
			TH_LOG("kind %u", i);
		offspring_close(&self->c);
	}
	EXPECT_TRUE(is_childless());
}

struct task {
	const struct ioevq *q;
	enum naming name;
};

/* As uid 1000, watch a child that becomes root's by its program, on the test's queue. */
static int have_a_privileged_child(struct offspring *c, long arg)
{
	const struct task *task = (const struct task *)arg;
	struct offspring child;
	int status;

	if (pipes(&child) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
		return 1;
	child.pid = fork();
	if (!child.pid) {
		dup2(child.start, 0);
		dup2(c->say, 1);
		execl("/tmp/ioevq-suid", "bash", "-pc",
		      "printf $EUID; read -r -N 1 word; exit 6", NULL);
		_exit(95);
	}
	if (watch_as(task->q, task->name, child.pid, 0, WATCH))
		return 2;
	await_go(c);
	if (let_go(&child) || write(c->say, &child.pid, sizeof(pid_t)) != sizeof(pid_t))
		return 3;
	await_go(c);
	return waitpid(child.pid, &status, WNOHANG) == child.pid && status == 6 << 8 ? 0 : 4;
}

/* Its parent may know how it ended, as ever. */
TEST_F(kinds, law_13_a_set_uid_program)
{
	struct task task = { .q = &self->q, .name = variant->name };
	pid_t pid;
	char euid;

	ASSERT_EQ(0, system("cp /bin/bash /tmp/ioevq-suid && chmod 4755 /tmp/ioevq-suid"));
	ASSERT_EQ(0, offspring(&self->c, have_a_privileged_child, (long)&task));
	ASSERT_EQ(0, let_go(&self->c));
	ASSERT_EQ(1, read(self->c.said, &euid, 1));
	EXPECT_EQ('0', euid);
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, let_go(&self->c));
	ASSERT_EQ(sizeof(pid), read(self->c.said, &pid, sizeof(pid)));
	EXPECT_TRUE(told(&self->q, WATCH, pid, variant->name == ANY ? IOEVQ_EVENT_MORE : 0,
			 6 << 8));
	ASSERT_EQ(0, let_go(&self->c));
	ASSERT_EQ(self->c.pid, waitpid(self->c.pid, (int *)&pid, 0));
	EXPECT_EQ(0, pid);
}

/* As uid 1000, watch a child, and become root by a program: with a word it lets the child go. */
static int become_privileged(struct offspring *c, long arg)
{
	const struct task *task = (const struct task *)arg;
	struct offspring child;
	char script[96];

	if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000) ||
	    offspring(&child, exit_with, 6) || watch_as(task->q, task->name, child.pid, 0, WATCH))
		return 1;
	snprintf(script, sizeof(script),
		 "printf $EUID; read -r -N 1 word; printf x >&%d; read -r -N 1 word", child.go);
	dup2(c->start, 0);
	dup2(c->say, 1);
	execl("/tmp/ioevq-suid", "bash", "-pc", script, NULL);
	return 2;
}

/* What its children do is not for those who asked before: that one ended at most. */
TEST_F(kinds, law_13_the_parent_has_become_privileged)
{
	struct task task = { .q = &self->q, .name = variant->name };
	struct ioevq_event ev;
	int status;
	char euid;

	ASSERT_EQ(0, system("cp /bin/bash /tmp/ioevq-suid && chmod 4755 /tmp/ioevq-suid"));
	ASSERT_EQ(0, offspring(&self->c, become_privileged, (long)&task));
	ASSERT_EQ(0, let_go(&self->c));
	ASSERT_EQ(1, read(self->c.said, &euid, 1));
	EXPECT_EQ('0', euid);
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, let_go(&self->c));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_EQ(WATCH, ev.user_data);
	EXPECT_EQ(0, ev.data);
	if (variant->name == ANY) {
		EXPECT_EQ(IOEVQ_EVENT_CLOSED, ev.flags);
		EXPECT_EQ(0, ev.res);
	} else {
		EXPECT_EQ(IOEVQ_EVENT_FOREIGN, ev.flags);
		EXPECT_LT(0, ev.res);
	}
	ASSERT_EQ(0, let_go(&self->c));
	ASSERT_EQ(self->c.pid, waitpid(self->c.pid, &status, 0));
	EXPECT_TRUE(quiet(&self->q));
}

static pid_t reaped;

static void reap_all(int sig)
{
	int saved = errno;
	pid_t pid;

	(void)sig;
	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		__atomic_store_n(&reaped, pid, __ATOMIC_RELAXED);
	errno = saved;
}

/* Of who reaps everything, as many a library: the event has come before that could be. */
TEST_F(kinds, law_10_a_handler_reaps)
{
	struct sigaction act = { .sa_handler = reap_all, .sa_flags = SA_RESTART };
	struct ioevq_event ev;
	struct rusage usage;
	siginfo_t info;

	ASSERT_EQ(0, sigaction(SIGCHLD, &act, NULL));
	ASSERT_EQ(0, offspring(&self->c, exit_with, 6));
	ASSERT_EQ(0, watch_as(&self->q, variant->name, self->c.pid, 0, WATCH));
	ASSERT_EQ(0, let_go(&self->c));
	ASSERT_TRUE(eventually(__atomic_load_n(&reaped, __ATOMIC_RELAXED)));
	EXPECT_EQ(self->c.pid, reaped);
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_EQ(self->c.pid, ev.res);
	EXPECT_EQ(variant->name == ANY ? IOEVQ_EVENT_MORE : 0, ev.flags);
	EXPECT_EQ(6 << 8, IOEVQ_CHILD_STATUS(ev.data));
	EXPECT_EQ(0, ioevq_reap(&ev, &info, &usage));
	EXPECT_TRUE(quiet(&self->q));
}

static void *take_the_signal(void *info)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	return (void *)(long)sigwaitinfo(&set, info);
}

/* Blocked, and taken by another thread, or by a signalfd: both are told. */
TEST_F(kinds, law_10_blocked_and_handled_elsewhere)
{
	struct signalfd_siginfo from_fd;
	pthread_t thread;
	siginfo_t info;
	sigset_t set;
	void *ret;
	int fd, i;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	ASSERT_EQ(0, pthread_sigmask(SIG_BLOCK, &set, NULL));
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	ASSERT_LE(0, fd);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, offspring(&self->c, exit_with, 6));
		ASSERT_EQ(0, i && variant->name == ANY ? 0 :
			     watch_as(&self->q, variant->name, self->c.pid, 0, WATCH));
		if (i)
			ASSERT_EQ(0, pthread_create(&thread, NULL, take_the_signal, &info));
		EXPECT_TRUE(ends(&self->q, &self->c, variant->name));
		if (i) {
			ASSERT_EQ(0, pthread_join(thread, &ret));
			EXPECT_EQ(SIGCHLD, (long)ret);
			EXPECT_EQ(self->c.pid, info.si_pid);
		} else {
			ASSERT_EQ(sizeof(from_fd), read(fd, &from_fd, sizeof(from_fd)));
			EXPECT_EQ(self->c.pid, from_fd.ssi_pid);
		}
	}
	close(fd);
}

static long long us(struct timeval tv)
{
	return tv.tv_sec * 1000000LL + tv.tv_usec;
}

/* Half of it in the kernel, more or less. */
static int burn_both(struct offspring *c, long time)
{
	char buf[64 * 1024];
	int zero = open("/dev/zero", O_RDONLY);
	unsigned int i;

	(void)c;
	while (cpu_us(CLOCK_PROCESS_CPUTIME_ID) < time / 2)
		for (i = 0; i < sizeof(buf); i++)
			__atomic_store_n(&buf[i], i, __ATOMIC_RELAXED);
	while (cpu_us(CLOCK_PROCESS_CPUTIME_ID) < time)
		if (read(zero, buf, sizeof(buf)) != sizeof(buf))
			return 97;
	return 0;
}

/* Two events in a row, and then what wait4(2) tells. */
TEST_F(kinds, law_10_user_and_system_time)
{
	struct ioevq_event exit, usage;
	long long total, system;
	struct rusage ru;
	siginfo_t info;
	pid_t pid;

	ASSERT_EQ(0, offspring(&self->c, burn_both, 400 * 1000));
	pid = self->c.pid;
	ASSERT_EQ(0, watch_as(&self->q, variant->name, pid, IOEVQ_CHILD_USAGE, WATCH));
	ASSERT_EQ(0, let_go(&self->c));
	ASSERT_EQ(1, next_event(&self->q, &exit));
	EXPECT_EQ(IOEVQ_EVENT_MORE, exit.flags);
	EXPECT_EQ(pid, exit.res);
	ASSERT_EQ(1, next_event(&self->q, &usage));
	EXPECT_EQ(IOEVQ_EVENT_USAGE | (variant->name == ANY ? IOEVQ_EVENT_MORE : 0), usage.flags);
	EXPECT_EQ(pid, usage.res);
	EXPECT_EQ(WATCH, usage.user_data);
	EXPECT_TRUE(quiet(&self->q));

	EXPECT_EQ(0, ioevq_reap(&usage, &info, &ru));
	ASSERT_EQ(1, ioevq_reap(&exit, &info, &ru));
	EXPECT_EQ(pid, info.si_pid);
	total = IOEVQ_CHILD_CPU_US(exit.data);
	system = usage.data;
	EXPECT_LE(400 * 1000, total);
	/*
	 * It runs on after that, in the kernel: for a moment, or a quarter of a second if that
	 * looks for misuse of memory. Samples tell what of the total is the system's. Each of the
	 * two is rounded down.
	 */
	EXPECT_GE(us(ru.ru_utime) + us(ru.ru_stime) + 1, total);
	EXPECT_GE(total / 2, us(ru.ru_utime) + us(ru.ru_stime) - total);
	EXPECT_GE(total / 2, llabs(us(ru.ru_stime) - system));
	EXPECT_LT(0, system);
	EXPECT_GT(total, system);
	EXPECT_EQ(variant->name == ANY, requests(&self->q));
}

TEST_F(kinds, law_10_usage_of_who_had_ended)
{
	struct ioevq_event ev;
	pid_t pid;

	ASSERT_EQ(0, offspring(&self->c, exit_with, 6));
	pid = self->c.pid;
	ASSERT_EQ(0, let_go(&self->c));
	ASSERT_EQ(0, wait_until_zombie(pid));
	ASSERT_EQ(0, watch_as(&self->q, variant->name, pid, IOEVQ_CHILD_USAGE, WATCH));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	if (variant->name == ANY) {
		EXPECT_EQ(IOEVQ_EVENT_RESCAN | IOEVQ_EVENT_MORE, ev.flags);
	} else {
		EXPECT_EQ(IOEVQ_EVENT_MORE, ev.flags);
		ASSERT_EQ(1, next_event(&self->q, &ev));
		EXPECT_EQ(IOEVQ_EVENT_USAGE, ev.flags);
	}
	EXPECT_TRUE(quiet(&self->q));
}

TEST_HARNESS_MAIN

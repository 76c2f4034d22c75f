// SPDX-License-Identifier: GPL-2.0-only
/* ioevq trace: known requests give known lines. */
#include "observe.h"

FIXTURE(trace)
{
	struct supervised s;
	struct ioevq q;
	int fd;			/* an eventfd */
	char number[24];
	char instance[96];
};

FIXTURE_SETUP(trace)
{
	ASSERT_EQ(0, supervised_begin(&self->s));
	self->s.command = "trace";
	ASSERT_EQ(0, ioevq_open(&self->q, 2, 0));
	self->fd = eventfd(0, EFD_NONBLOCK);
	ASSERT_LE(0, self->fd);
	snprintf(self->number, sizeof(self->number), "%lld", number_of(self->q.fd, "queue"));
}

FIXTURE_TEARDOWN(trace)
{
	close(self->fd);
	ioevq_close(&self->q);
	supervised_end(&self->s);
}

/* It runs, and traces: @last is the tracepoint that it enables last. */
static int traces(struct supervised *s, const char *last, const char *const *args)
{
	char path[160];

	s->pid = spawn_ioevq(s, -1, -1, args);
	snprintf(path, sizeof(path), TRACEFS "/instances/ioevq-trace-%d/events/ioevq/%s/enable",
		 s->pid, last);
	return s->pid > 0 && eventually(begins(path, "1"));
}

#define TRACES(_s, _last, ...)						\
({									\
	const char *__args[MAX_ARGS] = { __VA_ARGS__ };			\
									\
	traces(_s, _last, __args);					\
})

/* It ends, and leaves nothing. */
static int stops_by(struct supervised *s, int signal)
{
	char path[96];
	int status;

	snprintf(path, sizeof(path), TRACEFS "/instances/ioevq-trace-%d", s->pid);
	if (!exists(path) || kill(s->pid, signal))
		return -1;
	status = ends(s);
	return exists(path) ? -2 : status;
}

/* Where a line says this of our queue, after another place. */
static const char *line(struct _test_data_trace *f, const char *after, const char *what)
{
	char text[256];

	snprintf(text, sizeof(text), " q%s %s", f->number, what);
	return after ? strstr(after, text) : NULL;
}

static void do_something(struct _test_data_trace *f)
{
	struct ioevq_event ev[4];

	watch(&f->q, 1000, POLLIN, IOEVQ_POLL_EDGE, 0x11);
	watch(&f->q, f->fd, POLLIN, IOEVQ_POLL_EDGE, 0x12);
	eventfd_write(f->fd, 1);
	enter_wait(&f->q, ev, 1, 1, BOUND_NS);
	enter_wait(&f->q, ev, 1, 1, 1000000);
	ioevq_cancel_all(&f->q, 0x13);
	ioevq_post(&f->q, 0x14, -7, 5);
	enter_wait(&f->q, ev, 3, 4, BOUND_NS);
}

TEST_F(trace, a_known_sequence)
{
	char poll[96];
	const char *p;

	snprintf(poll, sizeof(poll), "submit POLL fd=%d mask=IN flags=EDGE user=0x12\n", self->fd);
	ASSERT_TRUE(TRACES(&self->s, "ioevq_wake", "--queue", self->number));
	do_something(self);
	EXPECT_EQ(0, stops_by(&self->s, SIGINT));
	EXPECT_STREQ("", contents("err"));
	p = line(self, contents("out"), "submit POLL fd=1000 mask=IN flags=EDGE user=0x11\n");
	p = line(self, p, "refuse POLL fd=1000 user=0x11: EBADF (Bad file descriptor)\n");
	p = line(self, p, poll);
	p = line(self, p, "post   POLL IN user=0x12 #0 MORE\n");
	p = line(self, p, "take   POLL IN user=0x12 #0, after ");
	p = line(self, p, "wait   for 1\n");
	p = line(self, p, "awake  by time or signal\n");
	p = line(self, p, "submit CANCEL of all user=0x13\n");
	p = line(self, p, "cancel POLL user=0x12, by user=0x13\n");
	p = line(self, p, "post   POLL ECANCELED (Operation canceled) user=0x12 #1\n");
	p = line(self, p, "post   CANCEL 1 user=0x13 #2\n");
	p = line(self, p, "submit POST res=-7 data=0x5 user=0x14\n");
	p = line(self, p, "post   POST -7 data=0x5 user=0x14 #3, 1 in the backlog\n");
	p = line(self, p, "take   POLL ECANCELED (Operation canceled) user=0x12 #1, after ");
	p = line(self, p, "take   CANCEL 1 user=0x13 #2, after ");
	p = line(self, p, "take   POST -7 user=0x14 #3, after ");
	EXPECT_NE(NULL, p)
		TH_LOG("%s", contents("out"));
}

/* One operation, and no waits. */
TEST_F(trace, by_operation)
{
	const char *p;
	int lines = 0;

	ASSERT_TRUE(TRACES(&self->s, "ioevq_take", "--queue", self->number, "--op", "post",
			   "--output", "lines"));
	do_something(self);
	EXPECT_EQ(0, stops_by(&self->s, SIGTERM));
	for (p = contents("lines"); (p = strchr(p, '\n')); p++)
		lines++;
	EXPECT_EQ(3, lines);
	p = line(self, contents("lines"), "submit POST ");
	p = line(self, p, "post   POST ");
	EXPECT_NE(NULL, line(self, p, "take   POST "));
}

/* What the process has, and what it opens; not what another does. */
TEST_F(trace, by_process)
{
	struct ioevq other;
	char pid[16], second[64];
	pid_t child;

	snprintf(pid, sizeof(pid), "%d", getpid());
	ASSERT_TRUE(TRACES(&self->s, "ioevq_wake", "--pid", pid));
	do_something(self);
	ASSERT_EQ(0, ioevq_open(&other, 2, 0));
	ASSERT_EQ(0, ioevq_post(&other, 0x77, 0, 0));
	snprintf(second, sizeof(second), " q%lld post   POST 0 user=0x77",
		 number_of(other.fd, "queue"));
	ioevq_close(&other);
	child = fork();
	if (!child)
		_exit(ioevq_open(&other, 2, 0) || ioevq_post(&other, 0x88, 0, 0));
	EXPECT_EQ(0, wait_for(child));
	EXPECT_EQ(0, stops_by(&self->s, SIGINT));
	EXPECT_NE(NULL, line(self, contents("out"), "post   CANCEL 1 user=0x13 #2\n"));
	EXPECT_NE(NULL, strstr(contents("out"), second));
	EXPECT_EQ(NULL, strstr(contents("out"), "user=0x88"));
}

/* A program, whose status it has. */
TEST_F(trace, a_program)
{
	EXPECT_EQ(7, RUN(&self->s, "--", "sh", "-c", "exit 7"));
	EXPECT_EQ(128 + SIGKILL, RUN(&self->s, "sh", "-c", "kill -9 $$"));
	EXPECT_EQ(127, RUN(&self->s, "/no/such/program"));
	EXPECT_STREQ("ioevq: /no/such/program: No such file or directory\n", contents("err"));
}

/* One that takes its time to end is waited for, but not by who is told twice. */
TEST_F(trace, a_program_that_is_interrupted)
{
	self->s.pid = SPAWN(&self->s, "sh", "-c",
			    "trap 'exit 9' TERM; echo $$ >pid; while :; do sleep 0.01; done");
	ASSERT_TRUE(eventually(number_in("pid")));
	ASSERT_EQ(0, kill(self->s.pid, SIGINT));
	ASSERT_EQ(0, kill(number_in("pid"), SIGTERM));
	EXPECT_EQ(9, ends(&self->s));
	unlink("pid");
	self->s.pid = SPAWN(&self->s, "sh", "-c", "echo $$ >pid; exec sleep 1000");
	ASSERT_TRUE(eventually(number_in("pid")));
	ASSERT_EQ(0, kill(self->s.pid, SIGINT));
	ASSERT_EQ(0, kill(self->s.pid, SIGTERM));
	EXPECT_LT(128, ends(&self->s));
	EXPECT_EQ(0, kill(number_in("pid"), SIGKILL));
}

/* Whoever starts it does not wait for children. */
TEST_F(trace, a_program_where_sigchld_is_ignored)
{
	const char *p;
	pid_t pid;

	signal(SIGCHLD, SIG_IGN);
	self->s.pid = SPAWN(&self->s, "sh", "-c", "exit 7");
	pid = SPAWN(&self->s, "--output", "lines", "cat", "/proc/self/status");
	signal(SIGCHLD, SIG_DFL);
	EXPECT_EQ(7, ends(&self->s));
	EXPECT_EQ(0, wait_for(pid));
	/* It finds that as it was. */
	p = strstr(contents("out"), "\nSigIgn:\t");
	ASSERT_NE(NULL, p);
	EXPECT_NE(0, strtoull(p + 9, NULL, 16) & 1ULL << (SIGCHLD - 1));
}

static int has_ended(pid_t pid)
{
	siginfo_t info = {};

	return !waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid == pid;
}

/* A process that nobody has waited for has ended. */
TEST_F(trace, a_process_that_has_ended)
{
	pid_t child = fork();
	char pid[16];

	if (!child)
		_exit(0);
	ASSERT_TRUE(eventually(has_ended(child)));
	snprintf(pid, sizeof(pid), "%d", child);
	EXPECT_EQ(0, RUN(&self->s, "--pid", pid));
	EXPECT_EQ(0, wait_for(child));
}

/* Who was killed leaves an instance, and the next one removes it. */
/* Four times all events of the kernel: on one with all its debugging that is minutes. */
TEST_F_TIMEOUT(trace, nothing_is_left, 900)
{
	char path[96];

	ASSERT_TRUE(TRACES(&self->s, "ioevq_wake", "--queue", self->number));
	snprintf(path, sizeof(path), TRACEFS "/instances/ioevq-trace-%d", self->s.pid);
	ASSERT_EQ(0, kill(self->s.pid, SIGKILL));
	EXPECT_EQ(1000 + SIGKILL, ends(&self->s));
	EXPECT_TRUE(exists(path));
	EXPECT_EQ(0, RUN(&self->s, "true"));
	EXPECT_FALSE(exists(path));
	/* The first process of a container has the number of the one before. */
	ASSERT_EQ(0, mkdir(TRACEFS "/instances/ioevq-trace-1", 0700));
	self->s.namespaces = CLONE_NEWPID;
	EXPECT_EQ(0, RUN(&self->s, "true"));
	EXPECT_FALSE(exists(TRACEFS "/instances/ioevq-trace-1"));
}

/* Two lines or so */
static void post_and_take(struct _test_data_trace *f)
{
	struct ioevq_event ev;

	ioevq_post(&f->q, 1, 2, 3);
	enter_wait(&f->q, &ev, 1, 1, BOUND_NS);
}

TEST_F(trace, a_full_output)
{
	const char *const args[] = { "--queue", self->number, NULL };
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	self->s.pid = spawn_ioevq(&self->s, fd, -1, args);
	close(fd);
	EXPECT_TRUE(eventually((post_and_take(self), has_ended(self->s.pid))));
	EXPECT_EQ(1, ends(&self->s));
	EXPECT_STREQ("ioevq: output: No space left on device\n", contents("err"));
}

/* What fits, of a pipe that has room for less than a buffer, is not all there was. */
TEST_F(trace, a_hole_in_the_output)
{
	const char *const args[] = { "--queue", self->number, NULL };
	int fds[2], status, i;
	char path[160];

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC | O_NONBLOCK));
	ASSERT_EQ(4096, fcntl(fds[1], F_SETPIPE_SZ, 4096));
	ASSERT_EQ(1, write(fds[1], "", 1));
	self->s.pid = spawn_ioevq(&self->s, fds[1], -1, args);
	close(fds[1]);
	snprintf(path, sizeof(path), TRACEFS "/instances/ioevq-trace-%d/events/ioevq/%s/enable",
		 self->s.pid, "ioevq_wake");
	ASSERT_TRUE(eventually(begins(path, "1")));
	/* All at once: more than a buffer */
	ASSERT_EQ(0, kill(self->s.pid, SIGSTOP));
	ASSERT_EQ(self->s.pid, waitpid(self->s.pid, &status, WUNTRACED));
	for (i = 0; i < 100; i++)
		post_and_take(self);
	ASSERT_EQ(0, kill(self->s.pid, SIGCONT));
	EXPECT_EQ(1, ends(&self->s));
	EXPECT_STREQ("ioevq: output: Resource temporarily unavailable\n", contents("err"));
	close(fds[0]);
}

/* Whoever reads it does not: it can be told to end, and that is no error. */
TEST_F(trace, an_output_that_blocks)
{
	const char *const args[] = { "--queue", self->number, NULL };
	char path[64];
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	ASSERT_EQ(4096, fcntl(fds[1], F_SETPIPE_SZ, 4096));
	ASSERT_EQ(4096, write(fds[1], said, 4096));
	self->s.pid = spawn_ioevq(&self->s, fds[1], -1, args);
	close(fds[1]);
	/* It is in write(2). */
	snprintf(path, sizeof(path), "/proc/%d/syscall", self->s.pid);
	ASSERT_TRUE(eventually((post_and_take(self), begins(path, "1 0x1 "))));
	EXPECT_EQ(0, stops_by(&self->s, SIGTERM));
	EXPECT_STREQ("", contents("err"));
	close(fds[0]);
}

TEST_F(trace, says_what_is_wrong)
{
	EXPECT_EQ(0, RUN(&self->s, "--help"));
	EXPECT_TRUE(begins("out", "usage: ioevq trace "));
	EXPECT_EQ(2, RUN(&self->s, "--nonsense"));
	EXPECT_EQ(2, RUN(&self->s, "--queue", "0"));
	EXPECT_EQ(2, RUN(&self->s, "--pid", "-1"));
	EXPECT_EQ(2, RUN(&self->s, "--op", "what"));
	EXPECT_STREQ("ioevq: --op what: no operation: see ioevq info\n", contents("err"));
	EXPECT_EQ(2, RUN(&self->s, "--pid", "1", "true"));
	EXPECT_EQ(1, RUN(&self->s, "--pid", "4194304"));
	EXPECT_EQ(1, RUN(&self->s, "--output", "/no/such/file"));
}

/* Who may not trace loses nothing of the file. */
TEST_F(trace, not_for_others)
{
	char path[512];
	pid_t pid;

	ASSERT_EQ(0, put("kept", "mine"));
	ASSERT_EQ(0, chmod(".", 0755) || chmod("kept", 0666));
	ioevq_path(path, sizeof(path));
	pid = fork();
	if (!pid) {
		if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(98);
		execl(path, "ioevq", "trace", "--output", "kept", NULL);
		_exit(99);
	}
	EXPECT_EQ(1, wait_for(pid));
	EXPECT_STREQ("mine", contents("kept"));
}

TEST_HARNESS_MAIN

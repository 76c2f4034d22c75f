// SPDX-License-Identifier: GPL-2.0-only
/* ioevq supervise: it starts services, and again when they end, and its log tells how. */
#include <pty.h>

#include "supervised.h"

FIXTURE(supervise)
{
	struct supervised s;
};

FIXTURE_SETUP(supervise)
{
	ASSERT_EQ(0, supervised_begin(&self->s));
}

FIXTURE_TEARDOWN(supervise)
{
	supervised_end(&self->s);
}

TEST_F(supervise, restarts_after_growing_delays)
{
	static const long long delays_ms[] = { 2500, 5000, 10000 };
	long long last, next;
	unsigned int i;
	char *p;

	/* A run that lasts for the longest delay starts anew: a busy machine may take seconds. */
	ASSERT_EQ(0, put("services", "a: date +%s%N >>ran; exit 3\n"));
	ASSERT_TRUE(START(&self->s, "--backoff", "2.5..10"));
	EXPECT_TRUE(eventually(logged("a", "exited 3") >= 4));
	EXPECT_EQ(0, stops(&self->s));
	EXPECT_EQ(1, logged("a", ", restart in 2.5 s"));
	EXPECT_EQ(1, logged("a", ", restart in 5 s"));
	EXPECT_LE(2, logged("a", ", restart in 10 s"));
	contents("ran");
	last = strtoll(said, &p, 10);
	for (i = 0; i < ARRAY_SIZE(delays_ms); i++) {
		next = strtoll(p, &p, 10);
		EXPECT_LE(delays_ms[i] * 1000000, next - last);
		last = next;
	}
}

TEST_F_TIMEOUT(supervise, who_ran_for_long_is_restarted_soon, 300)
{
	/* The third run lasts for longer than the longest delay. */
	ASSERT_EQ(0, put("services",
			 "a: echo >>ran; [ $(wc -l <ran) != 3 ] || sleep 10.5; exit 1\n"));
	ASSERT_TRUE(START(&self->s, "--backoff", "0.1..10"));
	EXPECT_TRUE(eventually(logged("a", "exited 1") >= 4));
	EXPECT_EQ(0, stops(&self->s));
	EXPECT_EQ(2, logged("a", "restart in 0.1 s"));
	EXPECT_EQ(2, logged("a", "restart in 0.2 s"));
	EXPECT_EQ(0, logged("a", "restart in 0.4 s"));
}

TEST_F(supervise, tells_how_each_ended)
{
	ASSERT_EQ(0, put("services",
			 "# comment\n"
			 "three: exit 3\n"
			 "zero:  true\t\n\n"
			 "\tsegv : kill -SEGV $$\r\n"
			 "rt: kill -40 $$\n"
			 "gone: /no/such/program x\n"
			 "plain: /etc/passwd\n"
			 "said127: exit 127\n"
			 "env: FOO='a b' sh -c 'test \"$FOO\" = \"a b\"'\n"
			 "args: sh words.sh a  b\tc"));
	ASSERT_EQ(0, put("words.sh", "echo \"$#$1$2$3\" >words; pwd >>words; exit 255\n"));
	ASSERT_TRUE(START(&self->s, "--once"));
	EXPECT_EQ(1, ends(&self->s));
	EXPECT_EQ(1, logged("three", "exited 3, cpu "));
	EXPECT_EQ(1, logged("zero", "exited 0, cpu "));
	EXPECT_EQ(1, logged("segv", "killed by SIGSEGV"));
	EXPECT_EQ(1, logged("rt", "killed by signal 40, "));
	EXPECT_EQ(1, logged("gone", "cannot be executed: No such file or directory, "));
	EXPECT_EQ(1, logged("plain", "cannot be executed: Permission denied, "));
	EXPECT_EQ(1, logged("said127", "exited 127, "));
	EXPECT_EQ(1, logged("env", "exited 0, "));
	EXPECT_EQ(1, logged("args", "exited 255, "));
	EXPECT_EQ(0, logged("args", "restart"));
	EXPECT_TRUE(begins("words", "3abc\n"));
	EXPECT_NE(NULL, strstr(said, self->s.dir));
	EXPECT_STREQ("", contents("err"));
}

TEST_F(supervise, once_and_all_is_well)
{
	ASSERT_EQ(0, put("services", "a: true\nb: sleep 0.1\n"));
	EXPECT_TRUE(START(&self->s, "--once"));
	EXPECT_EQ(0, ends(&self->s));
	EXPECT_EQ(1, logged("b", "started"));
}

/* What the service knows of its own CPU time is in the log, or it was a little more. */
TEST_F(supervise, tells_the_cpu_time)
{
	double user, sys, cpu;
	const char *p;
	int n;

	ASSERT_EQ(0, put("services",
			 "a: i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done; times >times\n"));
	ASSERT_TRUE(START(&self->s, "--once"));
	EXPECT_EQ(0, ends(&self->s));
	n = sscanf(contents("times"), "0m%lfs 0m%lfs", &user, &sys);
	ASSERT_EQ(2, n);
	EXPECT_LT(0.05, user + sys);
	p = strstr(contents("log"), ", cpu ");
	ASSERT_NE(NULL, p);
	cpu = strtod(p + 6, NULL);
	EXPECT_LT(user + sys - 0.05, cpu);
	EXPECT_LT(cpu, user + sys + 1);
}

TEST_F(supervise, a_directory)
{
	ASSERT_EQ(0, mkdir("services", 0755) || mkdir("services/b", 0755));
	ASSERT_EQ(0, put("services/a", "#!/bin/sh\nexit 4\n"));
	ASSERT_EQ(0, put("services/b/run", "#!/bin/sh\npwd >where; exit 5\n"));
	ASSERT_EQ(0, put("services/.hidden", "") || put("services/a~", ""));
	ASSERT_EQ(0, chmod("services/a", 0755) || chmod("services/b/run", 0755));
	ASSERT_TRUE(START(&self->s, "--once"));
	EXPECT_EQ(1, ends(&self->s));
	EXPECT_EQ(1, logged("a", "exited 4"));
	EXPECT_EQ(1, logged("b", "exited 5"));
	EXPECT_NE(NULL, strstr(contents("services/b/where"), "/services/b\n"));
}

/* Nothing of the supervisor's is left in a service: signals, descriptors, terminal. */
TEST_F(supervise, a_service_begins_clean)
{
	int n, pid, group, session, terminal;

	/* A shell would unblock signals: the first has none. */
	ASSERT_EQ(0, put("services",
			 "a: cat /proc/self/status\n"
			 "b: ls -l /proc/self/fd >fds; cut -d' ' -f1,5,6,7 /proc/$$/stat >stat\n"));
	signal(SIGUSR1, SIG_IGN);
	ASSERT_TRUE(START(&self->s, "--once"));
	EXPECT_EQ(0, ends(&self->s));
	signal(SIGUSR1, SIG_DFL);
	contents("out");
	EXPECT_NE(NULL, strstr(said, "SigBlk:\t0000000000000000\n"));
	EXPECT_NE(NULL, strstr(said, "SigIgn:\t0000000000000000\n"));
	contents("fds");
	EXPECT_NE(NULL, strstr(said, " 0 -> /dev/null\n"));
	EXPECT_EQ(NULL, strstr(said, "ioevq\n"));
	EXPECT_EQ(NULL, strstr(said, "socket:"));
	EXPECT_EQ(NULL, strstr(said, "signalfd"));
	EXPECT_EQ(NULL, strstr(said, "/log\n"));
	/* It leads its process group and session, and there is no terminal. */
	n = sscanf(contents("stat"), "%d %d %d %d", &pid, &group, &session, &terminal);
	ASSERT_EQ(4, n);
	EXPECT_EQ(pid, group);
	EXPECT_EQ(pid, session);
	EXPECT_EQ(0, terminal);
}

/* Its terminal is stopped, as by Ctrl-S: the log waits, and nothing else does. */
TEST_F(supervise, a_terminal_that_is_stopped)
{
	static const char *const args[] = {
		"--control", "sock", "--backoff", "0.05..0.05", "services", NULL
	};
	int master, terminal;

	ASSERT_EQ(0, put("services", "a: echo >>ran; exit 1\n"));
	ASSERT_EQ(0, openpty(&master, &terminal, NULL, NULL, NULL));
	ASSERT_EQ(0, tcflow(terminal, TCOOFF));
	self->s.pid = spawn_ioevq(&self->s, -1, terminal, args);
	EXPECT_TRUE(eventually(strlen(contents("ran")) >= 3));
	EXPECT_EQ(1, told("pid") == self->s.pid);
	/* Nobody else's writes to it are other than before. */
	EXPECT_EQ(0, fcntl(terminal, F_GETFL) & O_NONBLOCK);
	ASSERT_EQ(0, tcflow(terminal, TCOON));
	read_until(master, " exited 1, ");
	EXPECT_NE(NULL, strstr(said, " runs 1 services of services\r\n"));
	EXPECT_NE(NULL, strstr(said, " exited 1, "));
	EXPECT_EQ(0, stops(&self->s));
	close(terminal);
	close(master);
}

/* Nobody reads it, or nobody does any more where it is to be opened anew. */
TEST_F(supervise, a_log_that_is_a_fifo)
{
	int fd;

	ASSERT_EQ(0, put("services", "a: exec sleep 1000\n"));
	ASSERT_EQ(0, mkfifo("fifo", 0600));
	EXPECT_EQ(1, RUN(&self->s, "--control", "none", "--log", "fifo", "services"));
	EXPECT_TRUE(begins("err", "ioevq: fifo: No such device or address: "));
	fd = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, fd);
	self->s.pid = SPAWN(&self->s, "--control", "sock", "--log", "fifo", "services");
	ASSERT_TRUE(eventually(told("running") == 1));
	EXPECT_LT(0, read(fd, said, sizeof(said)));
	close(fd);
	ASSERT_EQ(0, kill(self->s.pid, SIGHUP));
	EXPECT_TRUE(eventually(told("log_lost") > 0));
	EXPECT_EQ(0, stops(&self->s));
}

static const struct {
	const char *text, *says;
} wrong[] = {
	{ "a sleep 1\n", "ioevq: services:1: no colon" },
	{ "\n#\n: sleep 1\n", "ioevq: services:3: no name" },
	{ "a:\n", "ioevq: services:1: no command" },
	{ "a: true\na: false\n", "ioevq: services:2: another line has this name" },
	{ "a b: true\n", "ioevq: services:1: the name has other characters" },
	{ "-a: true\n", "ioevq: services:1: the name begins with" },
};

TEST_F(supervise, says_what_is_wrong_with_a_file)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		ASSERT_EQ(0, put("services", wrong[i].text));
		EXPECT_EQ(2, RUN(&self->s, "--check", "services"));
		EXPECT_TRUE(begins("err", wrong[i].says));
		EXPECT_EQ(2, RUN(&self->s, "--control", "none", "services"));
		EXPECT_TRUE(begins("err", wrong[i].says));
	}
	ASSERT_EQ(0, put("services", "a: true\nb: echo 'x y' | cat\n"));
	EXPECT_EQ(0, RUN(&self->s, "--check", "services"));
	EXPECT_STREQ("", contents("err"));
	EXPECT_EQ(2, RUN(&self->s, "--check", "nothing"));
	EXPECT_STREQ("ioevq: nothing: No such file or directory\n", contents("err"));
	EXPECT_EQ(2, RUN(&self->s, "--check", "/dev/zero"));
	EXPECT_STREQ("ioevq: /dev/zero: neither a file nor a directory\n", contents("err"));
	ASSERT_EQ(0, mkdir("dir", 0755) || put("dir/a", "") || mkdir("dir/b", 0755));
	EXPECT_EQ(2, RUN(&self->s, "--check", "dir"));
	EXPECT_STREQ("ioevq: dir: a: cannot be executed: chmod +x, or move it away\n"
		     "ioevq: dir: b: a directory without a program 'run'\n", contents("err"));
	/* A name makes no line of its own, and does nothing to a terminal. */
	ASSERT_EQ(0, mkdir("odd", 0755) || put("odd/a\nb\033[2J\x7f\xc3\xa9", ""));
	EXPECT_EQ(2, RUN(&self->s, "--check", "odd"));
	EXPECT_TRUE(begins("err", "ioevq: odd: a?b?[2J???: cannot be executed: "));
}

TEST_F(supervise, says_what_is_wrong_with_its_arguments)
{
	ASSERT_EQ(0, put("services", "a: true\n"));
	EXPECT_EQ(0, RUN(&self->s, "--help"));
	EXPECT_TRUE(begins("out", "usage: ioevq supervise "));
	EXPECT_EQ(2, RUN(&self->s, "--nonsense"));
	EXPECT_EQ(2, RUN(&self->s, "--check"));
	EXPECT_EQ(2, RUN(&self->s, "--check", "services", "services"));
	EXPECT_EQ(2, RUN(&self->s, "--json", "services"));
	EXPECT_EQ(2, RUN(&self->s, "--backoff", "1", "services"));
	EXPECT_EQ(2, RUN(&self->s, "--backoff", "2..1", "services"));
	EXPECT_EQ(2, RUN(&self->s, "--backoff", "0..1", "services"));
	EXPECT_EQ(2, RUN(&self->s, "--backoff", "1..inf", "services"));
	EXPECT_EQ(2, RUN(&self->s, "--stop-timeout", "-1", "services"));
	EXPECT_STREQ("ioevq: --stop-timeout -1: no number of seconds\n", contents("err"));
	EXPECT_EQ(1, RUN(&self->s, "--control", "none", "--log", "/no/such/log", "services"));
	EXPECT_EQ(1, RUN(&self->s, "--control", "/no/such/sock", "services"));
	EXPECT_EQ(1, RUN(&self->s, "--status", "--control", "sock"));
	EXPECT_STREQ("ioevq: sock: no supervisor is there: name its socket by --control\n",
		     contents("err"));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/* ioevq top, on queues that are known. */
#include <pthread.h>
#include <pty.h>
#include <sys/mount.h>

#include "observe.h"

FIXTURE(top)
{
	struct supervised s;
	struct ioevq q;
	int fd;			/* an eventfd */
	char head[64];		/* of its record in the document */
};

FIXTURE_SETUP(top)
{
	struct ioevq_req req;
	unsigned int i;

	ASSERT_EQ(0, supervised_begin(&self->s));
	self->s.command = "top";
	ASSERT_EQ(0, ioevq_open(&self->q, 4, 0));
	self->fd = eventfd(0, EFD_NONBLOCK);
	ASSERT_EQ(2, park(&self->q, self->fd, 2, 1));
	ioevq_prep_timer(&req, 0, 3600 * 1000000000ULL, 0, 3);
	ASSERT_EQ(0, submit(&self->q, &req));
	for (i = 0; i < 6; i++)
		ASSERT_EQ(0, ioevq_post(&self->q, i, 0, 0));
	snprintf(self->head, sizeof(self->head), "{ \"queue\": %lld, \"pid\": %d, \"fd\": %d,",
		 number_of(self->q.fd, "queue"), getpid(), self->q.fd);
}

FIXTURE_TEARDOWN(top)
{
	close(self->fd);
	ioevq_close(&self->q);
	supervised_end(&self->s);
}

/* What the document says of our queue. */
static const char *record(struct _test_data_top *f)
{
	char *p = strstr(contents("out"), f->head), *end;

	if (!p)
		return "";
	end = strstr(p, " } }");
	if (end)
		end[4] = 0;
	return p;
}

TEST_F(top, a_document)
{
	int again = fcntl(self->q.fd, F_DUPFD_CLOEXEC, 0);

	ASSERT_EQ(0, RUN(&self->s, "--json", "--interval", "0.1"));
	EXPECT_STREQ("", contents("err"));
	EXPECT_NE(NULL, strstr(record(self), "\"armed\": { \"POLL\": 2, \"TIMER\": 1 }"));
	EXPECT_NE(NULL, strstr(record(self), "\"backlog\": 2, \"backlog_max\": 2,"));
	EXPECT_NE(NULL, strstr(record(self), "\"available\": 6,"));
	EXPECT_NE(NULL, strstr(record(self), "\"events\": 6, \"wakeups\": 0,"));
	EXPECT_NE(NULL, strstr(record(self), "\"concurrency\": null,"));
	EXPECT_NE(NULL, strstr(record(self), "\"processes\": 1, \"descriptors\": 2,"));
	EXPECT_NE(NULL, strstr(record(self), "\"command\": \"top\""));
	close(again);

	/* A limit; the next are posted while it looks. */
	ASSERT_EQ(0, ioevq_set_concurrency(&self->q, 3));
	ASSERT_EQ(0, RUN(&self->s, "--json", "--interval", "0.1"));
	EXPECT_NE(NULL, strstr(record(self), "\"runnable\": 0, \"concurrency\": 3,"));
	/* Of another process: not there. */
	ASSERT_EQ(0, RUN(&self->s, "--json", "--interval", "0.1", "--pid", "1"));
	EXPECT_STREQ("", record(self));
}

/* While it looks there are so many events; where it looks is told by its reads. */
TEST_F(top, events_per_second)
{
	static const char *const args[] = { "--json", "--interval", "2", NULL };
	pid_t pid = spawn_ioevq(&self->s, -1, -1, args);
	struct ioevq_event ev[8];
	const char *p;

	ASSERT_EQ(6, enter_wait(&self->q, ev, 6, 8, BOUND_NS));
	while (!waitid(P_PID, pid, &(siginfo_t){}, WEXITED | WNOHANG | WNOWAIT) &&
	       number_of(self->q.fd, "events") < 3000) {
		ASSERT_EQ(0, ioevq_post(&self->q, 1, 0, 0));
		ASSERT_EQ(1, enter_wait(&self->q, ev, 1, 1, BOUND_NS));
		poll(NULL, 0, 1);
	}
	EXPECT_EQ(0, wait_for(pid));
	p = strstr(record(self), "\"events_per_second\": ");
	ASSERT_NE(NULL, p);
	EXPECT_LT(1, strtod(strchr(p, ':') + 1, NULL));
	EXPECT_GT(2000, strtod(strchr(p, ':') + 1, NULL));
}

TEST_F(top, a_table)
{
	char want[64];
	const char *p;

	ASSERT_EQ(0, RUN(&self->s, "--once", "--interval", "0.1", "--sort", "number"));
	p = strchr(contents("out"), '\n');
	ASSERT_NE(NULL, p);
	EXPECT_NE(NULL, strstr(said, " queue"));
	EXPECT_EQ(0, strncmp(p + 1, " QUEUE     PID   FD USER     COMMAND ", 36));
	snprintf(want, sizeof(want), "\n%6lld %7d %4d root     top ",
		 number_of(self->q.fd, "queue"), getpid(), self->q.fd);
	p = strstr(contents("out"), want);
	ASSERT_NE(NULL, p);
	EXPECT_NE(NULL, strstr(p, "      6       2       2       -     0  poll 2, timer 1\n"));
}

/* On the terminal, or where it is not one's own: without a signal when that is gone */
static pid_t on_terminal(int terminal, const char *interval)
{
	char path[512];
	pid_t pid;
	int i;

	ioevq_path(path, sizeof(path));
	pid = fork();
	if (pid)
		return pid;
	for (i = 0; i < 3; i++)
		dup2(terminal, i);
	setenv("TERM", "linux", 1);
	execl(path, "ioevq", "top", "--interval", interval, "--sort", "number", NULL);
	_exit(99);
}

TEST_F(top, a_terminal_that_goes)
{
	struct winsize size = { .ws_row = 24, .ws_col = 132 };
	int master, terminal;
	pid_t pid;

	ASSERT_EQ(0, openpty(&master, &terminal, NULL, NULL, &size));
	fcntl(master, F_SETFD, FD_CLOEXEC);
	pid = on_terminal(terminal, "3600");
	close(terminal);
	read_until(master, "poll 2, timer 1");
	close(master);
	EXPECT_LE(0, wait_for(pid));
}

/* What is shown are those that are left, at once. */
TEST_F(top, queues_that_go)
{
	struct winsize size = { .ws_row = 24, .ws_col = 132 };
	int master, terminal, i;
	struct ioevq more[40];
	pid_t pid;

	for (i = 0; i < (int)ARRAY_SIZE(more); i++)
		ASSERT_EQ(0, ioevq_open(&more[i], 2, 0));
	ASSERT_EQ(3, park(&more[i - 1], self->fd, 3, 1));
	ASSERT_EQ(0, openpty(&master, &terminal, NULL, NULL, &size));
	fcntl(master, F_SETFD, FD_CLOEXEC);
	pid = on_terminal(terminal, "3600");
	close(terminal);
	read_until(master, "poll 2, timer 1");
	/* The key End: the last one is seen, and the first is not. */
	ASSERT_EQ(4, write(master, "\033[4~", 4));
	read_until(master, "poll 3");
	for (i = 0; i < (int)ARRAY_SIZE(more); i++)
		ioevq_close(&more[i]);
	ASSERT_EQ(1, write(master, " ", 1));
	read_until(master, "poll 2, timer 1");
	EXPECT_NE(NULL, strstr(said, "poll 2, timer 1"));
	ASSERT_EQ(1, write(master, "q", 1));
	while (read(master, said, sizeof(said) - 1) > 0)
		;
	EXPECT_EQ(0, wait_for(pid));
	close(master);
}

/* On a terminal: it draws, and ends by a key. */
TEST_F(top, a_screen)
{
	struct winsize size = { .ws_row = 24, .ws_col = 132 };
	char path[512], want[16];
	int master, pid, i;

	ioevq_path(path, sizeof(path));
	snprintf(want, sizeof(want), "%lld", number_of(self->q.fd, "queue"));
	pid = forkpty(&master, NULL, NULL, &size);
	ASSERT_LE(0, pid);
	if (!pid) {
		setenv("TERM", "linux", 1);
		execl(path, "ioevq", "top", "--interval", "0.2", NULL);
		_exit(99);
	}
	read_until(master, "poll 2, timer 1");
	EXPECT_NE(NULL, strstr(said, "ioevq top - "));
	EXPECT_NE(NULL, strstr(said, "QUEUE"));
	EXPECT_NE(NULL, strstr(said, want));
	EXPECT_NE(NULL, strstr(said, "poll 2, timer 1"));
	/* Half as wide: the rest of the heading is announced, and comes by the arrow. */
	size.ws_col = 80;
	ASSERT_EQ(0, ioctl(master, TIOCSWINSZ, &size));
	read_until(master, ">");
	EXPECT_NE(NULL, strchr(said, '>'));
	for (i = 0; i < 5; i++)
		ASSERT_EQ(3, write(master, "\033[C", 3));
	read_until(master, "<");
	EXPECT_NE(NULL, strchr(said, '<'));
	ASSERT_EQ(1, write(master, "q", 1));
	while (read(master, said, sizeof(said) - 1) > 0)
		;
	EXPECT_EQ(0, wait_for(pid));
	close(master);
}

TEST_F(top, says_what_is_wrong)
{
	EXPECT_EQ(0, RUN(&self->s, "--help"));
	EXPECT_TRUE(begins("out", "usage: ioevq top "));
	EXPECT_EQ(2, RUN(&self->s, "--nonsense"));
	EXPECT_EQ(2, RUN(&self->s, "what"));
	EXPECT_EQ(2, RUN(&self->s, "--pid", "x"));
	EXPECT_EQ(2, RUN(&self->s, "--interval", "0"));
	EXPECT_EQ(2, RUN(&self->s, "--sort", "x"));
	EXPECT_EQ(2, RUN(&self->s, NULL));
	EXPECT_STREQ("ioevq: this is no terminal: use --once or --json\n", contents("err"));
	EXPECT_EQ(1, RUN(&self->s, "--once", "--pid", "4194304"));
	EXPECT_STREQ("ioevq: there is no process 4194304\n", contents("err"));
}

static void *wait_in_thread(void *arg)
{
	int *fds = arg;
	pid_t tid = gettid();
	char byte;

	if (write(fds[1], &tid, sizeof(tid)) == sizeof(tid) && read(fds[2], &byte, 1) < 0)
		perror("# read");
	return NULL;
}

/* A thread has a directory in /proc, but is not listed there. */
TEST_F(top, a_thread_is_no_process)
{
	char number[16], want[64];
	pthread_t thread;
	int fds[4];
	pid_t tid;

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC) || pipe2(fds + 2, O_CLOEXEC));
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_in_thread, fds));
	ASSERT_EQ(sizeof(tid), read(fds[0], &tid, sizeof(tid)));
	snprintf(number, sizeof(number), "%d", tid);
	snprintf(want, sizeof(want), "ioevq: there is no process %d\n", tid);
	EXPECT_EQ(1, RUN(&self->s, "--once", "--pid", number));
	EXPECT_STREQ(want, contents("err"));
	close(fds[3]);
	pthread_join(thread, NULL);
}

/* What cannot be printed, of whatever command, is no success. */
TEST_F(top, a_full_output)
{
	static const char *const commands[] = { "info", "top", "bench", "supervise", "trace" };
	static const char *const help[] = { "--help", NULL }, *const json[] = { "--json", NULL };
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		self->s.command = commands[i];
		EXPECT_EQ(1, wait_for(spawn_ioevq(&self->s, fd, -1, help)));
		EXPECT_STREQ("ioevq: standard output: No space left on device\n", contents("err"));
		if (i >= 2)
			continue;
		EXPECT_EQ(1, wait_for(spawn_ioevq(&self->s, fd, -1, json)));
		EXPECT_STREQ("ioevq: standard output: No space left on device\n", contents("err"));
	}
	close(fd);
}

TEST_F(top, info)
{
	self->s.command = "info";
	EXPECT_EQ(0, RUN(&self->s, NULL));
	EXPECT_NE(NULL, strstr(contents("out"), "\nclose_hook     yes\n"));
	EXPECT_NE(NULL, strstr(contents("out"), " TIMER_MOD\n"));
	EXPECT_EQ(0, RUN(&self->s, "--json"));
	EXPECT_NE(NULL, strstr(contents("out"), "\"interface\": 1,"));
	EXPECT_EQ(2, RUN(&self->s, "what"));
}

/* As in a container: what is not known is not told. */
TEST_F(top, info_without_sysfs)
{
	self->s.command = "info";
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ASSERT_EQ(0, mount("none", "/sys", "tmpfs", 0, NULL));
	EXPECT_EQ(0, RUN(&self->s, NULL));
	EXPECT_EQ(NULL, strstr(contents("out"), "workers"));
	EXPECT_EQ(0, RUN(&self->s, "--json"));
	EXPECT_NE(NULL, strstr(contents("out"), "\"max_workers\": null, "));
	EXPECT_NE(NULL, strstr(contents("out"), "\"max_user_workers\": null }"));
}

/* Who may not open the device is told whose group may. */
TEST_F(top, info_of_a_group)
{
	struct stat device;
	char path[512];
	pid_t pid;

	ASSERT_EQ(0, stat("/dev/ioevq", &device));
	/* A group of any name: tty. */
	ASSERT_EQ(0, chown("/dev/ioevq", 0, 5) || chmod("/dev/ioevq", 0660));
	ioevq_path(path, sizeof(path));
	pid = fork();
	if (!pid) {
		dup2(open("err", O_WRONLY | O_CREAT | O_TRUNC, 0644), STDERR_FILENO);
		if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(98);
		execl(path, "ioevq", "info", NULL);
		_exit(99);
	}
	EXPECT_EQ(1, wait_for(pid));
	EXPECT_TRUE(begins("err", "ioevq: /dev/ioevq: Permission denied\n"
			   "It is for the group tty. As root: adduser USER tty; "));
	ASSERT_EQ(0, chown("/dev/ioevq", device.st_uid, device.st_gid));
	ASSERT_EQ(0, chmod("/dev/ioevq", device.st_mode & 07777));
}

TEST_HARNESS_MAIN

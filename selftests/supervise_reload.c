// SPDX-License-Identifier: GPL-2.0-only
/* ioevq supervise: SIGHUP, and a log that is slow, full or renamed. */
#include "supervised.h"

FIXTURE(supervise_reload)
{
	struct supervised s;
};

FIXTURE_SETUP(supervise_reload)
{
	ASSERT_EQ(0, supervised_begin(&self->s));
}

FIXTURE_TEARDOWN(supervise_reload)
{
	supervised_end(&self->s);
}

TEST_F(supervise_reload, added_removed_changed)
{
	ASSERT_EQ(0, put("services",
			 "keep: exec sleep 1000\n"
			 "change: exec sleep 1001\n"
			 "remove: exec sleep 1002\n"
			 "waits: exit 1\n"));
	ASSERT_TRUE(START(&self->s, "--backoff", "900..1000"));
	ASSERT_TRUE(eventually(told("running") == 3 && logged("waits", "exited 1")));
	ASSERT_EQ(0, put("services",
			 "add: exec sleep 1003\n"
			 "keep: exec sleep 1000\n"
			 "waits: exit 2\n"
			 "change: exec sleep 1004\n"));
	ASSERT_EQ(0, kill(self->s.pid, SIGHUP));
	ASSERT_TRUE(eventually(logged("change", "started") == 2 && logged("add", "started") &&
			       logged("waits", "exited 2") && logged("remove", "killed")));
	EXPECT_EQ(1, logged("remove", "killed by SIGTERM"));
	EXPECT_EQ(1, logged("change", "killed by SIGTERM"));
	EXPECT_EQ(1, logged("keep", "started"));
	EXPECT_EQ(0, logged("keep", "killed"));
	EXPECT_EQ(NULL, strstr(ask("json\n"), "\"remove\""));
	EXPECT_NE(NULL, strstr(ask("json\n"), "\"exec sleep 1004\""));
	EXPECT_EQ(3, told("running"));
	/* And back again: who is still stopping comes back when it has stopped. */
	ASSERT_EQ(0, put("services", ""));
	ASSERT_EQ(0, kill(self->s.pid, SIGHUP));
	ASSERT_TRUE(eventually(told("running") == 0));
	EXPECT_TRUE(eventually(!strstr(ask("json\n"), "\"name\"")));
	EXPECT_EQ(0, stops(&self->s));
}

TEST_F(supervise_reload, who_is_stopping_comes_back)
{
	static const char begin[] = "trap 'read x <fifo; exit 5' TERM; echo >>up";

	ASSERT_EQ(0, mkfifo("fifo", 0644) || put_trapping(begin, ""));
	ASSERT_TRUE(START(&self->s, "--stop-timeout", "10000"));
	ASSERT_TRUE(eventually(exists("up")));
	ASSERT_EQ(0, put("services", "") || kill(self->s.pid, SIGHUP));
	ASSERT_TRUE(eventually(logged("a", "is not wanted any more")));
	ASSERT_EQ(0, put_trapping(begin, "") || kill(self->s.pid, SIGHUP));
	ASSERT_TRUE(eventually(logged("supervise", "SIGHUP: 1 services") == 2));
	EXPECT_EQ(1, logged("a", "started"));
	ASSERT_EQ(0, put("fifo", "x\n"));
	EXPECT_TRUE(eventually(!strcmp("\n\n", contents("up"))));
	EXPECT_EQ(1, logged("a", "exited 5"));
	EXPECT_EQ(2, logged("a", "started"));
	ASSERT_EQ(0, kill(self->s.pid, SIGTERM));
	ASSERT_EQ(0, put("fifo", "x\n"));
	EXPECT_EQ(0, ends(&self->s));
	EXPECT_EQ(2, logged("a", "exited 5"));
}

TEST_F(supervise_reload, a_bad_file_changes_nothing)
{
	ASSERT_EQ(0, put("services", "a: exec sleep 1000\n"));
	ASSERT_TRUE(START(&self->s, NULL));
	ASSERT_TRUE(eventually(told("running") == 1));
	ASSERT_EQ(0, put("services", "b: true\nnonsense\n"));
	ASSERT_EQ(0, kill(self->s.pid, SIGHUP));
	EXPECT_TRUE(eventually(logged("supervise", "SIGHUP: nothing is changed")));
	EXPECT_EQ(1, logged("supervise", "services:2: no colon"));
	ASSERT_EQ(0, unlink("services"));
	ASSERT_EQ(0, kill(self->s.pid, SIGHUP));
	EXPECT_TRUE(eventually(logged("supervise", "SIGHUP: nothing is changed") == 2));
	EXPECT_EQ(1, told("running"));
	EXPECT_EQ(0, stops(&self->s));
	EXPECT_EQ(1, logged("a", "started"));
}

TEST_F(supervise_reload, a_log_that_was_renamed)
{
	ASSERT_EQ(0, put("services", "a: exec sleep 1000\n"));
	ASSERT_TRUE(START(&self->s, NULL));
	ASSERT_TRUE(eventually(logged("a", "started")));
	ASSERT_EQ(0, rename("log", "log.1"));
	ASSERT_EQ(0, kill(self->s.pid, SIGHUP));
	EXPECT_TRUE(eventually(logged("supervise", "SIGHUP: 1 services")));
	EXPECT_EQ(0, stops(&self->s));
	EXPECT_EQ(1, logged("a", "killed by SIGTERM"));
	EXPECT_EQ(0, count_in(contents("log.1"), "a", "killed by SIGTERM"));
}

/* Nobody reads the pipe: it goes on all the same, and says later what could not be told. */
/* Of which each line of the log is long: some restarts fill a page. */
#define LONG	"a_service_whose_name_is_so_long_that_it_takes_most_of_a_line_now"

TEST_F(supervise_reload, a_log_that_is_not_read)
{
	int fds[2];
	FILE *file;
	size_t n;

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	ASSERT_LE(0, fcntl(fds[1], F_SETPIPE_SZ, 4096));
	ASSERT_EQ(0, put("services", LONG ": false\n"));
	self->s.pid = spawn_ioevq(&self->s, -1, fds[1], (const char *const []){
		"--control", "sock", "--backoff", "0.01..0.01", "services", NULL });
	close(fds[1]);
	ASSERT_TRUE(eventually(told("restarts") > 20));
	EXPECT_EQ(0, told("log_lost"));
	/* Now read on: everything is there, in order. */
	ASSERT_EQ(0, kill(self->s.pid, SIGTERM));
	file = fdopen(fds[0], "r");
	n = fread(said, 1, sizeof(said) - 1, file);
	said[n] = 0;
	fclose(file);
	EXPECT_EQ(0, ends(&self->s));
	EXPECT_LT(20, count_in(said, LONG, "exited 1"));
	EXPECT_LT(4096, strlen(said));
	EXPECT_EQ(1, count_in(said, "supervise", "ends"));
}

TEST_F(supervise_reload, a_log_that_is_full)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	ASSERT_LE(0, full);
	ASSERT_EQ(0, put("services", "a: echo x >>ran; exit 1\n"));
	self->s.pid = spawn_ioevq(&self->s, -1, full, (const char *const []){
		"--control", "sock", "--backoff", "0.01..0.01", "services", NULL });
	ASSERT_TRUE(eventually(told("restarts") > 3));
	EXPECT_LT(3, told("log_lost"));
	EXPECT_EQ(0, stops(&self->s));
}

/* A file system with room for a page: when there is room again the log goes on. */
TEST_F(supervise_reload, a_disk_that_is_full)
{
	ASSERT_EQ(0, mkdir("small", 0755));
	ASSERT_EQ(0, system("mount -t tmpfs -o size=4k none small"));
	ASSERT_EQ(0, put("services", LONG ": false\n"));
	ASSERT_EQ(0, symlink("small/log", "log"));
	ASSERT_TRUE(START(&self->s, "--backoff", "0.01..0.01"));
	ASSERT_TRUE(eventually(told("log_lost") > 3));
	ASSERT_EQ(0, system("mount -o remount,size=4m small"));
	EXPECT_TRUE(eventually(strstr(contents("log"), "lines lost here: ")));
	EXPECT_NE(NULL, strstr(said, "No space left on device"));
	EXPECT_EQ(0, stops(&self->s));
	EXPECT_EQ(1, logged("supervise", "ends"));
	ASSERT_EQ(0, system("umount small"));
}

TEST_HARNESS_MAIN

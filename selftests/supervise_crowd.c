// SPDX-License-Identifier: GPL-2.0-only
/* ioevq supervise: many services that crash, bursts, and no process left to start one. */
#include <sys/resource.h>

#include "supervised.h"

#define MANY	100	/* more than the queue of the supervisor has room for */

FIXTURE(supervise_crowd)
{
	struct supervised s;
};

FIXTURE_SETUP(supervise_crowd)
{
	ASSERT_EQ(0, supervised_begin(&self->s));
}

FIXTURE_TEARDOWN(supervise_crowd)
{
	supervised_end(&self->s);
}

/* How long they crash: 120 s are asked for by hand, a few do every day. */
static long long crash_ns(void)
{
	const char *seconds = getenv("IOEVQ_SUPERVISE_S");

	return (seconds ? strtol(seconds, NULL, 10) : 5) * 1000000000LL;
}

/* What the services wrote: "PID STATUS" of each run, before it ended. */
struct run {
	pid_t pid;
	int status;		/* exit status, or 1000 + signal */
	int i;
};

static int by_pid(const void *a, const void *b)
{
	const struct run *x = a, *y = b;

	/* Numbers are used again: of one service, and with one status, that does not matter. */
	return x->pid != y->pid ? x->pid - y->pid : x->i != y->i ? x->i - y->i :
	       x->status - y->status;
}

/* Runs in a file: how many, up to @max. */
static int read_runs(struct run *runs, int max)
{
	FILE *file = fopen("ran", "r");
	int n = 0;

	while (file && n < max &&
	       fscanf(file, "%d %d %d\n", &runs[n].i, &runs[n].pid, &runs[n].status) == 3)
		n++;
	if (file)
		fclose(file);
	return n;
}

/* Runs that the log says have ended by themselves: how many, up to @max. */
static int read_log(struct run *runs, int max)
{
	FILE *file = fopen("log", "r");
	char line[512], name[32], *p;
	int n = 0;

	while (file && n < max && fgets(line, sizeof(line), file)) {
		struct run *r = &runs[n];

		if (sscanf(line, "%*s s%d[%d] %31s", &r->i, &r->pid, name) != 3)
			continue;
		p = strstr(line, "] exited ");
		r->status = p ? atoi(p + 9) : -1;
		if (strstr(line, "] killed by SIGKILL"))
			r->status = 1000 + SIGKILL;
		if (strstr(line, "] killed by SIGSEGV"))
			r->status = 1000 + SIGSEGV;
		n += r->status != -1;
	}
	if (file)
		fclose(file);
	return n;
}

TEST_F_TIMEOUT(supervise_crowd, the_log_agrees_with_what_services_wrote, 500)
{
	/*
	 * One system call writes a line of theirs, and it is there before they end. When they
	 * are told to stop they do so before that, or not at all.
	 */
	static const char service[] =
		"s%d: trap '' TERM; ulimit -c 0;"
		" case $(($$ %% 4)) in 0) echo %d $$ 1009 >>ran; kill -KILL $$;;"
		" 1) echo %d $$ 1011 >>ran; kill -SEGV $$;;"
		" *) echo %d $$ $(($$ %% 200)) >>ran; exit $(($$ %% 200)); esac\n";
	const int max = 400000;
	struct run *wrote = calloc(max, sizeof(*wrote)), *told_of = calloc(max, sizeof(*told_of));
	int n, m, i, differ = 0, per_service[MANY] = {};
	char *text = malloc(MANY * 512), *p = text;
	long long end;

	for (i = 0; i < MANY; i++)
		p += sprintf(p, service, i, i, i, i);
	ASSERT_EQ(0, put("services", text));
	ASSERT_TRUE(START(&self->s, "--backoff", "0.5..0.5"));
	end = now_ns() + crash_ns();
	/* It answers all the time. */
	do {
		ASSERT_LE(0, told("running"));
		poll(NULL, 0, 100);
	} while (now_ns() < end);
	/* Slow machines: all have been restarted. */
	for (i = 0; i < MANY; i++) {
		snprintf(text, 16, "s%d", i);
		ASSERT_TRUE(eventually(logged(text, "started") >= 2));
	}
	EXPECT_EQ(0, told("log_lost"));
	EXPECT_EQ(0, stops(&self->s));
	EXPECT_EQ(0, children_of(getpid(), 'Z'));
	n = read_runs(wrote, max);
	m = read_log(told_of, max);
	EXPECT_LT(MANY, n);
	EXPECT_GT(max, n);
	TH_LOG("%d runs", n);
	qsort(wrote, n, sizeof(*wrote), by_pid);
	qsort(told_of, m, sizeof(*told_of), by_pid);
	for (i = 0; i < n && i < m; i++)
		differ += by_pid(&wrote[i], &told_of[i]) != 0;
	EXPECT_EQ(n, m);
	EXPECT_EQ(0, differ);
	for (i = 0; i < m; i++)
		per_service[told_of[i].i]++;
	for (i = 0; i < MANY; i++)
		EXPECT_LT(0, per_service[i]);
	free(text);
	free(wrote);
	free(told_of);
}

/* More end than the queue has room for while the supervisor cannot look. */
TEST_F_TIMEOUT(supervise_crowd, all_end_at_once, 500)
{
	char *text = malloc(MANY * 32), *p = text;
	int i, round;

	for (i = 0; i < MANY; i++)
		p += sprintf(p, "s%d: sleep 1000\n", i);
	ASSERT_EQ(0, put("services", text));
	ASSERT_TRUE(START(&self->s, "--backoff", "0.1..0.1"));
	for (round = 1; round <= 2; round++) {
		pid_t pids[MANY];
		int n = 0;

		/* All sleep: they are executed, and can be killed. */
		ASSERT_TRUE(eventually((int)told("running") == MANY));
		for (p = (char *)ask("json\n"); n < MANY && (p = strstr(p, "\"pid\": ")); p++)
			if (atoi(p + 7) != self->s.pid)
				pids[n++] = atoi(p + 7);
		ASSERT_EQ(MANY, n);
		ASSERT_EQ(0, kill(self->s.pid, SIGSTOP));
		ASSERT_TRUE(eventually(thread_state(self->s.pid, self->s.pid) == 'T'));
		for (i = 0; i < MANY; i++)
			ASSERT_EQ(0, kill(pids[i], SIGKILL));
		ASSERT_TRUE(eventually(children_of(self->s.pid, 'Z') == MANY));
		ASSERT_EQ(0, kill(self->s.pid, SIGCONT));
		EXPECT_TRUE(eventually((int)told("running") == MANY));
		EXPECT_EQ(0, children_of(self->s.pid, 'Z'));
	}
	EXPECT_EQ(0, stops(&self->s));
	contents("log");
	for (i = 0; i < MANY; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%d", i);
		EXPECT_EQ(2, count_in(said, name, "killed by SIGKILL"));
		EXPECT_EQ(1, count_in(said, name, "killed by SIGTERM"));
		EXPECT_EQ(3, count_in(said, name, "started"));
	}
	free(text);
}

/* Of who may have one process more: one service runs, the other is tried again and again. */
TEST_F(supervise_crowd, no_process_can_be_made)
{
	const struct rlimit limit = { 2, 2 };
	struct stat device;
	const uid_t nobody = 65534;
	char path[512];

	ASSERT_EQ(0, stat("/dev/ioevq", &device));
	ASSERT_EQ(0, chmod("/dev/ioevq", 0666) || chmod(".", 0777));
	ASSERT_EQ(0, put("services", "a: sleep 1000\nb: sleep 1000\n"));
	ioevq_path(path, sizeof(path));
	self->s.pid = fork();
	if (!self->s.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (setrlimit(RLIMIT_NPROC, &limit) || setresgid(nobody, nobody, nobody) ||
		    setresuid(nobody, nobody, nobody))
			_exit(98);
		execl(path, "ioevq", "supervise", "--control", "sock", "--log", "log", "--backoff",
		      "0.05..0.1", "services", NULL);
		_exit(99);
	}
	EXPECT_TRUE(eventually(logged("b", "cannot fork: Resource temporarily unavailable") > 2));
	EXPECT_EQ(1, told("running"));
	EXPECT_LE(1, logged("b", "restart in 0.1 s"));
	/* When there is room again it runs. */
	ASSERT_EQ(0, prlimit(self->s.pid, RLIMIT_NPROC, &(struct rlimit){ 3, 3 }, NULL));
	EXPECT_TRUE(eventually(told("running") == 2));
	EXPECT_EQ(0, stops(&self->s));
	ASSERT_EQ(0, chmod("/dev/ioevq", device.st_mode & 07777));
}

TEST_HARNESS_MAIN

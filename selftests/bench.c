// SPDX-License-Identifier: GPL-2.0-only
/* ioevq bench: that it measures all it says, and not what it finds. */
#include "supervised.h"

/* Of each line of the table: how many ways there are to do it. */
static const struct {
	const char *what;
	int figures;
} lines[] = {
	{ "1 of 200 eventfds is ready, edge-triggered", 4 },
	{ "the same, level-triggered", 3 },
	{ "64 of 200 are ready, edge-triggered", 4 },
	{ "a thread that sleeps is woken", 3 },
	{ "a message to itself", 3 },
	{ "a watch is added and removed", 2 },
	{ "a child from vfork() to its end", 3 },
};

FIXTURE(bench)
{
	struct supervised s;
};

FIXTURE_SETUP(bench)
{
	ASSERT_EQ(0, supervised_begin(&self->s));
	self->s.command = "bench";
}

FIXTURE_TEARDOWN(bench)
{
	supervised_end(&self->s);
}

/* Numbers above zero in the line at @p, behind its name. */
static int figures_in(const char *p)
{
	const char *end = strchr(p, '\n');
	char *after;
	int n = 0;

	while (end && p < end) {
		if (strtod(p, &after) > 0 && after <= end && after > p)
			n++;
		p = after > p ? after : p + 1;
	}
	return n;
}

TEST_F(bench, a_table)
{
	unsigned int i;
	const char *p;

	ASSERT_EQ(0, RUN(&self->s, "--seconds", "0.3"));
	EXPECT_STREQ("", contents("err"));
	EXPECT_TRUE(begins("out", "Nanoseconds of an event, Linux "));
	EXPECT_NE(NULL, strstr(contents("out"), "    ALONE    EPOLL    IOEVQ     RING   RATIO\n"));
	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		p = strstr(contents("out"), lines[i].what);
		ASSERT_NE(NULL, p);
		/* And their ratio. */
		EXPECT_EQ(lines[i].figures + 1, figures_in(p + strlen(lines[i].what)));
	}
}

TEST_F(bench, a_document)
{
	const char *p;
	unsigned int i;
	int ways = 0;
	double median, min, max;

	ASSERT_EQ(0, RUN(&self->s, "--seconds", "0.3", "--json"));
	EXPECT_TRUE(begins("out", "{\n  \"kernel\": \""));
	for (i = 0; i < ARRAY_SIZE(lines); i++)
		EXPECT_NE(NULL, strstr(contents("out"), lines[i].what));
	for (p = contents("out"); (p = strstr(p, "{ \"median\": ")); p++) {
		int n = sscanf(p, "{ \"median\": %lf, \"min\": %lf, \"max\": %lf }",
			       &median, &min, &max);

		ASSERT_EQ(3, n);
		EXPECT_LT(0, min);
		EXPECT_LE(min, median);
		EXPECT_LE(median, max);
		ways++;
	}
	EXPECT_EQ(22, ways);
}

/* What is given it is spent on what is measured. */
TEST_F(bench, takes_the_time)
{
	long long from = now_ns(), took;

	ASSERT_EQ(0, RUN(&self->s, "--seconds", "2"));
	took = now_ns() - from;
	EXPECT_LT(1000000000LL, took);
}

/* As by Ctrl-Z and fg, again and again: waits are interrupted by that. */
TEST_F(bench, goes_on_after_a_stop)
{
	int stops = 0, status;

	self->s.pid = SPAWN(&self->s, "--seconds", "2");
	for (;;) {
		ASSERT_EQ(0, kill(self->s.pid, SIGSTOP));
		ASSERT_EQ(self->s.pid, waitpid(self->s.pid, &status, WUNTRACED));
		if (!WIFSTOPPED(status))
			break;
		stops++;
		ASSERT_EQ(0, kill(self->s.pid, SIGCONT));
		poll(NULL, 0, 1);
	}
	self->s.pid = 0;
	EXPECT_TRUE(WIFEXITED(status) && !WEXITSTATUS(status))
		TH_LOG("%s", contents("err"));
	EXPECT_LT(100, stops);
}

TEST_F(bench, says_what_is_wrong)
{
	EXPECT_EQ(0, RUN(&self->s, "--help"));
	EXPECT_TRUE(begins("out", "usage: ioevq bench "));
	EXPECT_EQ(2, RUN(&self->s, "--nonsense"));
	EXPECT_EQ(2, RUN(&self->s, "what"));
	EXPECT_EQ(2, RUN(&self->s, "--seconds", "0"));
	EXPECT_EQ(2, RUN(&self->s, "--seconds", "5x"));
	EXPECT_STREQ("ioevq: --seconds takes a number from 0.1 to 3600, not '5x'\n",
		     contents("err"));
	/* A call that fails is told with what was measured. */
	ASSERT_EQ(0, prlimit(0, RLIMIT_NOFILE, &(struct rlimit){ 100, 100 }, NULL));
	EXPECT_EQ(1, RUN(&self->s, "--seconds", "0.3"));
	EXPECT_NE(NULL, strstr(contents("err"), "1 of 200 eventfds is ready, edge-triggered: "));
	EXPECT_NE(NULL, strstr(contents("err"), ": Too many open files\n"));
}

TEST_HARNESS_MAIN

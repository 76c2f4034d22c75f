// SPDX-License-Identifier: GPL-2.0-only
/* ioevq supervise --status: what it tells, and whom it cannot be stopped by. */
#include "supervised.h"

#define MAX_CLIENTS	16	/* that it has at a time, as in tools/ioevq/supervise/control.c */

FIXTURE(supervise_status)
{
	struct supervised s;
};

FIXTURE_SETUP(supervise_status)
{
	ASSERT_EQ(0, supervised_begin(&self->s));
}

FIXTURE_TEARDOWN(supervise_status)
{
	supervised_end(&self->s);
}

static int status(struct supervised *s, const char *option)
{
	return RUN(s, "--control", "sock", "--status", option);
}

/* The row of a service in the table, split at two blanks or more: the number of columns. */
static int row(const char *name, char columns[8][64])
{
	const char *p = contents("out"), *end;
	int n = 0;

	for (; (end = strchr(p, '\n')); p = end + 1)
		if (!strncmp(p, name, strlen(name)) && p[strlen(name)] == ' ')
			break;
	while (end && p < end && n < 8) {
		const char *stop = memmem(p, end - p, "  ", 2) ?: end;

		snprintf(columns[n++], 64, "%.*s", (int)(stop - p), p);
		for (p = stop; p < end && *p == ' '; p++)
			;
	}
	return n;
}

TEST_F(supervise_status, a_table)
{
	char columns[8][64] = {}, pid[16];

	ASSERT_EQ(0, put("services",
			 "up: echo $$ >pid; exec sleep 1000\n"
			 "crashed: kill -SEGV $$\n"
			 "some-longer-name: trap '' TERM; echo >up; while :; do sleep 1; done\n"));
	ASSERT_TRUE(START(&self->s, "--backoff", "900..1000"));
	ASSERT_TRUE(eventually(number_in("pid") && exists("up") && logged("crashed", "killed")));
	snprintf(pid, sizeof(pid), "%ld", number_in("pid"));
	EXPECT_EQ(0, status(&self->s, NULL));
	EXPECT_STREQ("", contents("err"));
	EXPECT_NE(NULL, strstr(contents("out"), ": 2 of 3 running, 0 orphans reaped\n\nNAME "));
	ASSERT_EQ(7, row("up", columns));
	EXPECT_STREQ("running", columns[1]);
	EXPECT_STREQ(pid, columns[2]);
	EXPECT_STREQ("0", columns[4]);
	EXPECT_STREQ("-", columns[6]);
	ASSERT_EQ(7, row("crashed", columns));
	EXPECT_STREQ("waiting", columns[1]);
	EXPECT_STREQ("-", columns[2]);
	EXPECT_STREQ("-", columns[3]);
	EXPECT_EQ(0, strncmp(columns[6], "killed by SIGSEGV", 17));
	EXPECT_NE(NULL, strstr(columns[6], " ago, restart in 1"));
	ASSERT_EQ(0, kill(self->s.pid, SIGTERM));
	ASSERT_TRUE(eventually(logged("up", "killed by SIGTERM")));
	EXPECT_EQ(0, status(&self->s, NULL));
	EXPECT_NE(NULL, strstr(contents("out"), ", stopping: 0 of 3 running"));
	ASSERT_EQ(7, row("some-longer-name", columns));
	EXPECT_STREQ("stopping", columns[1]);
	EXPECT_EQ(0, stops(&self->s));
}

/* Python's parser, which takes nothing else than JSON in UTF-8, and compares. */
static const char check_json[] =
	"import json\n"
	"d = json.loads(open('out', 'rb').read().decode('utf-8', 'strict'))\n"
	"s = d['services']\n"
	"assert [x['name'] for x in s] == ['odd', 'ok', 'bad', 'gone'], s\n"
	"assert d['running'] == 1 and d['pid'] > 1 and d['orphans'] == 0 and d['log_lost'] == 0\n"
	"c = ': \"\\\\ \\x01\\x7f\\t\\ufffd\\u00e9 \\ufffd\\ufffd \\U0001f600 '\n"
	"c += '\\ufffd\\ufffd\\ufffd\";kill -9 $$'\n"
	"assert s[0]['command'] == c, ascii(s[0])\n"
	"assert s[0]['last_exit']['signal'] == 9 and not s[0]['last_exit']['core']\n"
	"assert s[1]['state'] == 'running' and s[1]['pid'] > 1 and s[1]['uptime'] >= 0\n"
	"assert s[1]['last_exit'] is None and s[1]['restarts'] == 0\n"
	"assert s[2]['state'] == 'waiting' and s[2]['last_exit']['status'] == 3\n"
	"assert 800 < s[2]['restart_in'] <= 900 and 'pid' not in s[2]\n"
	"assert s[3]['last_exit']['errno'] == 2\n"
	"assert 'No such file' in s[3]['last_exit']['text']\n";

TEST_F(supervise_status, a_json_document)
{
	/* Quotes, control characters, UTF-8 and what is none: too long, cut, a surrogate. */
	ASSERT_EQ(0, put("services",
			 "odd: : \"\\ \x01\x7f\t\xff\xc3\xa9 \xc0\xaf \xf0\x9f\x98\x80 \xed\xa0\x80"
			 "\";kill -9 $$\n"
			 "ok: exec sleep 1000\n"
			 "bad: exit 3\n"
			 "gone: /no/such/program\n"));
	ASSERT_TRUE(START(&self->s, "--backoff", "900..1000"));
	ASSERT_TRUE(eventually(logged("odd", "cpu") && logged("ok", "started") &&
			       logged("bad", "exited 3") && logged("gone", "cannot")));
	EXPECT_EQ(0, status(&self->s, "--json"));
	ASSERT_EQ(0, put("check.py", check_json));
	EXPECT_EQ(0, system("python3 check.py >&2"));
	EXPECT_EQ(0, stops(&self->s));
	ASSERT_EQ(0, put("services", "# nothing\n"));
	unlink("log");
	ASSERT_TRUE(START(&self->s, NULL));
	EXPECT_EQ(0, status(&self->s, "--json"));
	EXPECT_EQ(0, system("python3 -m json.tool out >&2"));
	EXPECT_EQ(0, stops(&self->s));
}

/* They get no answer, and do not keep others from theirs for long. */
TEST_F(supervise_status, clients_that_are_a_nuisance)
{
	static const char *const nonsense[] = {
		"GET / HTTP/1.0\r\n\r\n", "json", "\n", "jsontablejsontablejsontable\n", "JSON\n",
	};
	int idle[MAX_CLIENTS + 4], before, fds, i;
	char path[64], c;

	ASSERT_EQ(0, put("services", "a: echo x >>ran; exit 1\n"));
	ASSERT_TRUE(START(&self->s, "--backoff", "0.05..0.05"));
	snprintf(path, sizeof(path), "/proc/%d/fd", self->s.pid);
	ASSERT_LE(0, told("running"));
	fds = count_files(path);
	for (i = 0; i < (int)ARRAY_SIZE(nonsense); i++) {
		EXPECT_STREQ("", ask(nonsense[i]));
		EXPECT_NE(NULL, strstr(ask("json\n"), "\"services\""));
	}
	for (i = 0; i < (int)ARRAY_SIZE(idle); i++) {
		/* It may have to accept others first. */
		ASSERT_TRUE(eventually((idle[i] = connect_sock()) >= 0));
	}
	before = logged("a", "exited 1");
	/* By the client, which has more patience than the supervisor */
	EXPECT_EQ(0, status(&self->s, NULL));
	EXPECT_LT(before, logged("a", "exited 1"));
	for (i = 0; i < (int)ARRAY_SIZE(idle); i++) {
		EXPECT_EQ(0, read(idle[i], &c, 1));
		close(idle[i]);
	}
	EXPECT_TRUE(eventually(count_files(path) == fds));
	EXPECT_EQ(0, stops(&self->s));
}

/* The answer is larger than a socket's buffer. */
TEST_F(supervise_status, a_client_that_does_not_read)
{
	char *text = malloc(600000), *p = text;
	size_t size = 0;
	ssize_t n;
	int i, fd;

	for (i = 0; i < 25; i++) {
		p += sprintf(p, "s%d: true ", i);
		memset(p, 'x', 20000);
		p += 20000;
		*p++ = '\n';
	}
	*p = 0;
	ASSERT_EQ(0, put("services", text));
	ASSERT_TRUE(START(&self->s, "--backoff", "900..1000"));
	fd = connect_sock();
	ASSERT_EQ(5, write(fd, "json\n", 5));
	for (i = 0; i < 3; i++)
		EXPECT_LT(500000, strlen(ask("json\n")));
	/* A client that a slow machine keeps from reading in time is told to try again. */
	EXPECT_TRUE(eventually(!status(&self->s, "--json")));
	EXPECT_LT(500000, strlen(contents("out")));
	/* It is given up: what comes then is the end, before all was read. */
	ASSERT_TRUE(eventually(hung_up(fd)));
	while ((n = read(fd, said, sizeof(said))) > 0)
		size += n;
	EXPECT_LT(0, size);
	EXPECT_GT(500000, size);
	EXPECT_EQ(0, stops(&self->s));
	free(text);
}

TEST_F(supervise_status, one_supervisor_for_a_socket)
{
	struct supervised other = self->s;
	struct stat st;

	ASSERT_EQ(0, put("services", "a: exec sleep 1000\n"));
	ASSERT_TRUE(START(&self->s, NULL));
	ASSERT_EQ(0, stat("sock", &st));
	EXPECT_EQ(0600, st.st_mode & 07777);
	EXPECT_EQ(1, RUN(&other, "--control", "sock", "services"));
	EXPECT_NE(NULL, strstr(contents("err"), "sock: another supervisor uses it"));
	EXPECT_EQ(1, told("running"));
	/* What one that was killed has left is in nobody's way. */
	ASSERT_EQ(0, kill(self->s.pid, SIGKILL));
	EXPECT_EQ(1000 + SIGKILL, ends(&self->s));
	EXPECT_TRUE(exists("sock"));
	EXPECT_EQ(1, status(&self->s, NULL));
	EXPECT_NE(NULL, strstr(contents("err"), "no supervisor is there"));
	unlink("log");
	ASSERT_TRUE(START(&self->s, NULL));
	EXPECT_EQ(1, told("running"));
	EXPECT_EQ(0, stops(&self->s));
	/* What is no socket is somebody's. */
	ASSERT_EQ(0, put("sock", "mine"));
	EXPECT_EQ(1, RUN(&other, "--control", "sock", "services"));
	EXPECT_STREQ("mine", contents("sock"));
}

TEST_HARNESS_MAIN

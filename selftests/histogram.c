// SPDX-License-Identifier: GPL-2.0-only
/* How long events wait until they are taken, as Documentation/tracing.rst tells to find out. */
#include "observe.h"

/* The commands of the documentation, from one line to another, by a shell. */
static int run_documented(const char *from, const char *to)
{
	FILE *doc = fopen(in_checkout("Documentation/tracing.rst"), "re");
	FILE *sh = popen("sh -e", "w");
	char line[512];
	int in = 0;

	while (fgets(line, sizeof(line), doc)) {
		in |= !strncmp(line, from, strlen(from));
		if (in && !strncmp(line, to, strlen(to)))
			break;
		if (in && line[0] == ' ')
			fputs(line, sh);
	}
	fclose(doc);
	return pclose(sh);
}

TEST(without_any_tool)
{
	char want[64], line[256];
	struct ioevq_event ev;
	unsigned int hits = 0, n, i;
	struct ioevq q;
	FILE *hist;

	ASSERT_EQ(0, ioevq_open(&q, 2, 0));
	ASSERT_EQ(0, chdir(TRACEFS));
	ASSERT_EQ(0, run_documented("    cd /sys/kernel/tracing", "    sleep"));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, ioevq_post(&q, i, 0, 0));
		ASSERT_EQ(1, enter_wait(&q, &ev, 1, 1, BOUND_NS));
	}
	snprintf(want, sizeof(want), "{ queue: %10lld, ", number_of(q.fd, "queue"));
	hist = fopen(TRACEFS "/events/synthetic/reap_latency/hist", "re");
	ASSERT_NE(NULL, hist);
	while (fgets(line, sizeof(line), hist)) {
		if (!strncmp(line, want, strlen(want)) &&
		    sscanf(strchr(line, '}'), "} hitcount: %u", &n) == 1)
			hits += n;
	}
	fclose(hist);
	EXPECT_EQ(100, hits);
	ASSERT_EQ(0, run_documented("    echo '!hist:keys=queue,us", "The map of"));
	EXPECT_NE(0, access(TRACEFS "/events/synthetic/reap_latency", F_OK));
	ASSERT_EQ(0, chdir("/"));
	ioevq_close(&q);
}

TEST_HARNESS_MAIN

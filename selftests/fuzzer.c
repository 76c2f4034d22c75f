// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fuzzer itself: what it makes up depends on the seed alone, its text says all of a
 * program, and the corpus, of programs that go everywhere in the module, does no harm.
 */
#include "ioevq_test.h"

#include <libgen.h>

/* Of 500 programs of seed 1. Whoever changes how they are made up has another one. */
#define HASH_OF_SEED_1	0xfa2bfdf163e81afdULL

static char fuzz[4096], corpus[4096];

FIXTURE(fuzzer)
{
	char dir[32];
};

FIXTURE_SETUP(fuzzer)
{
	char self_path[2048] = "", *dir;

	ASSERT_GT(readlink("/proc/self/exe", self_path, sizeof(self_path) - 1), 0);
	dir = dirname(self_path);
	snprintf(fuzz, sizeof(fuzz), "%s/../fuzz/fuzz", dir);
	snprintf(corpus, sizeof(corpus), "%s/../../selftests/fuzz/corpus", dir);
	ASSERT_EQ(0, access(fuzz, X_OK));
	strcpy(self->dir, "/tmp/fuzzer.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	ASSERT_EQ(0, chdir(self->dir));
}

FIXTURE_TEARDOWN(fuzzer)
{
	ASSERT_EQ(0, chdir("/"));
	ASSERT_EQ(0, system("rm -rf /tmp/fuzzer.*"));
}

/* Runs it, with output to a file; its exit status. */
static int run(const char *to, const char *format, const char *arg)
{
	char command[16384], args[8192];
	int status;

	snprintf(args, sizeof(args), format, arg);
	snprintf(command, sizeof(command), "%s %s >%s", fuzz, args, to);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* FNV-1a */
static uint64_t hash(const char *path)
{
	uint64_t h = 0xcbf29ce484222325ULL;
	FILE *f = fopen(path, "r");
	int c;

	if (!f)
		return 0;
	while ((c = getc(f)) != EOF)
		h = (h ^ (uint64_t)c) * 0x100000001b3ULL;
	fclose(f);
	return h;
}

TEST_F(fuzzer, a_seed_makes_the_same_programs_everywhere)
{
	ASSERT_EQ(0, run("one", "--generate 500 --seed %s", "1"));
	ASSERT_EQ(0, run("two", "--generate 500 --seed %s", "2"));
	EXPECT_EQ(HASH_OF_SEED_1, hash("one"));
	EXPECT_NE(HASH_OF_SEED_1, hash("two"));
}

TEST_F(fuzzer, text_says_all_of_a_program)
{
	ASSERT_EQ(0, run("one", "--generate 500 --seed %s", "3"));
	ASSERT_EQ(0, run("two", "--show %s", "one"));
	EXPECT_EQ(hash("one"), hash("two"));
	EXPECT_NE(0, hash("one"));
}

TEST_F(fuzzer, text_that_is_wrong_is_refused)
{
	static const char *const wrong[] = {
		"5 make fd=s0\n", "0 nothing fd=s0\n", "0 make fd\n", "0 make of=s0\n",
		"0 make fd=sx\n", "0 make what=nothing\n", "0 req addr=m+0x1000000000000\n",
		"make fd=s0\n",
	};
	unsigned int i;
	FILE *f;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		f = fopen("wrong", "w");
		ASSERT_NE(NULL, f);
		fputs(wrong[i], f);
		fclose(f);
		EXPECT_EQ(2, run("out", "--show %s 2>&1", "wrong"));
	}
}

/* The last line tells what was executed: all, and no worker hung or crashed. */
TEST_F_TIMEOUT(fuzzer, the_corpus_does_no_harm, 500)
{
	unsigned long long calls, programs, workers, hung, crashed;
	unsigned int branches, points, nr, found = 0;
	char line[512];
	FILE *f;

	ASSERT_EQ(0, run("out", "--replay %s --seconds 400", corpus));
	f = fopen("out", "r");
	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "passed: %llu calls, %llu programs, %u/%u branches, corpus of %u; "
			   "%llu workers, %llu hung, %llu crashed", &calls, &programs, &branches,
			   &points, &nr, &workers, &hung, &crashed) != 8)
			continue;
		found++;
		EXPECT_GE(nr, 10);
		EXPECT_EQ(nr, programs);
		EXPECT_GE(calls, 10 * nr);
		EXPECT_EQ(0, hung);
		EXPECT_EQ(0, crashed);
	}
	fclose(f);
	EXPECT_EQ(1, found);
}

TEST_HARNESS_MAIN

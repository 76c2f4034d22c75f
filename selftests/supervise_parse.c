// SPDX-License-Identifier: GPL-2.0-only
/* The parser of ioevq supervise: a function of a text, whatever that is. */
#include "ioevq_test.h"

#undef ARRAY_SIZE
#include "../tools/ioevq/supervise/supervise.h"

static unsigned int complaints, last_line;
static const char *last_what;

static void note(void *arg, unsigned int line, const char *what)
{
	(void)arg;
	complaints++;
	last_line = line;
	last_what = what;
}

static int parse(const char *text, size_t size, struct spec **list)
{
	complaints = 0;
	return parse_services(text, size, list, note, NULL);
}

/* The words of the only service, each in brackets; NULL: it is refused. */
static const char *words(const char *text)
{
	static char out[8192];
	struct spec *list;
	char *p = out;
	int i;

	if (parse(text, strlen(text), &list))
		return NULL;
	*p = 0;
	for (i = 0; list && list->argv[i]; i++)
		p += sprintf(p, "[%s]", list->argv[i]);
	specs_free(list);
	return out;
}

TEST(words_of_a_command)
{
	EXPECT_STREQ("[ls]", words("a: ls"));
	EXPECT_STREQ("[ls][-l][/tmp]", words("a:ls -l\t /tmp\t\r\n"));
	EXPECT_STREQ("[ls][-l]", words("\n# x\n  a  : ls -l"));
	EXPECT_STREQ("[a:b][c:d]", words("a: a:b c:d"));
	EXPECT_STREQ("[cmd][--x=1][@%,+-./:_]", words("a: cmd --x=1 @%,+-./:_"));
	EXPECT_STREQ("[/bin/sh][-c][X=1 cmd]", words("a: X=1 cmd"));
	EXPECT_STREQ("[/bin/sh][-c][exec cmd]", words("a: exec cmd"));
	EXPECT_STREQ("[/bin/sh][-c][a; b]", words("a: a; b"));
	EXPECT_STREQ("[/bin/sh][-c][a  'b']", words("a: a  'b' "));
	EXPECT_STREQ("[/bin/sh][-c][a >b]", words("a: a >b"));
	EXPECT_STREQ("[/bin/sh][-c][a $b]", words("a: a $b"));
	EXPECT_STREQ("[/bin/sh][-c][a # b]", words("a: a # b"));
	EXPECT_STREQ("", words(""));
	EXPECT_STREQ("", words("\n\n \t\n#a: b\n"));
}

TEST(what_is_refused)
{
	char long_name[80];
	struct spec *list;

	EXPECT_EQ(NULL, words("ls"));
	EXPECT_EQ(NULL, words(": ls"));
	EXPECT_EQ(NULL, words("a:"));
	EXPECT_EQ(NULL, words("a: \t\r\n"));
	EXPECT_EQ(NULL, words("a b: ls"));
	EXPECT_EQ(NULL, words("a/b: ls"));
	EXPECT_EQ(NULL, words("\xc3\xa9: ls"));
	EXPECT_EQ(NULL, words(".a: ls"));
	EXPECT_EQ(NULL, words("a: ls\nb: ls\na: ls\n"));
	EXPECT_EQ(3, last_line);
	memset(long_name, 'n', 65);
	strcpy(&long_name[65], ": x");
	EXPECT_EQ(NULL, words(long_name));
	EXPECT_NE(NULL, words(long_name + 1));
	EXPECT_EQ(-1, parse("a: b\0c\n", 7, &list));
	EXPECT_EQ(-1, parse("a\0: b\n", 6, &list));
	EXPECT_EQ(NULL, list);
}

TEST(as_many_as_there_may_be)
{
	char text[MAX_SERVICES * 16 + 64], *p = text;
	struct spec *list, *spec;
	int i;

	for (i = 0; i < MAX_SERVICES; i++)
		p += sprintf(p, "s%d: x\n", i);
	ASSERT_EQ(0, parse(text, p - text, &list));
	for (i = 0, spec = list; spec; spec = spec->next, i++)
		EXPECT_EQ(i, atoi(spec->name + 1));
	EXPECT_EQ(MAX_SERVICES, i);
	specs_free(list);
	p += sprintf(p, "more: x\n");
	EXPECT_EQ(-1, parse(text, p - text, &list));
	EXPECT_EQ(MAX_SERVICES + 1, last_line);
	memset(text, 'x', sizeof(text));
	for (i = 0; i < (int)sizeof(text); i += 2)
		text[i] = '\n';
	EXPECT_EQ(-1, parse(text, sizeof(text), &list));
	EXPECT_EQ(20, complaints);
}

/* What a list promises, whatever it was made of. */
static bool is_sound(const struct spec *list)
{
	const struct spec *spec;
	int i;

	for (spec = list; spec; spec = spec->next) {
		if (name_problem(spec->name, strlen(spec->name)) || !*spec->command)
			return false;
		for (i = 0; spec->argv[i]; i++)
			if (!*spec->argv[i] || strlen(spec->argv[i]) > strlen(spec->command) + 7)
				return false;
		if (!i)
			return false;
	}
	return true;
}

/* Texts of pieces that matter, cut and changed anywhere; at the very end of memory. */
TEST(any_bytes)
{
	static const char *const pieces[] = {
		"a", "b:", "c: x", "\n", "\r\n", " ", "\t", "#", ":", "'", "exec ", "A=1", "$x",
		"name.with-all_of@it+9: run this \\\n", "\xff", "-", ".",
	};
	const size_t page = sysconf(_SC_PAGESIZE);
	unsigned int seed = 1, good = 0, bad = 0;
	struct spec *list;
	char *end, *text;
	int round, n, i;

	end = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, end);
	end += page;
	ASSERT_EQ(0, mprotect(end, page, PROT_NONE));
	for (round = 0; round < 100000; round++) {
		char made[1024];
		size_t size = 0;

		n = rand_r(&seed) % 24;
		for (i = 0; i < n; i++)
			size += sprintf(made + size, "%s",
					pieces[rand_r(&seed) % ARRAY_SIZE(pieces)]);
		if (size && !(rand_r(&seed) % 4))
			made[rand_r(&seed) % size] = rand_r(&seed);
		text = end - size;
		memcpy(text, made, size);
		if (parse(text, size, &list)) {
			ASSERT_LT(0, complaints);
			ASSERT_EQ(NULL, list);
			bad++;
		} else {
			ASSERT_EQ(0, complaints);
			ASSERT_TRUE(is_sound(list));
			good += !!list;
			specs_free(list);
		}
	}
	EXPECT_LT(1000, good);
	EXPECT_LT(1000, bad);
}

TEST_HARNESS_MAIN

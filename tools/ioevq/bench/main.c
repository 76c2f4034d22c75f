// SPDX-License-Identifier: MIT
/* ioevq bench: the command line, the measuring, and the table. */
#include <getopt.h>
#include <sys/utsname.h>
#include <time.h>

#include "bench.h"

static const char help[] =
	"usage: ioevq bench [--seconds N] [--json]\n"
	"\n"
	"Measures on this machine what an event costs by ioevq and by epoll, in nanoseconds, with\n"
	"the work that it is about.\n"
	"\n"
	"  --seconds N   measure for so long, 0.1 to 3600 (5)\n"
	"  --json        a JSON document, with minimum and maximum\n"
	"  --help        this\n"
	"\n"
	"  ALONE         the same work by who knows without being told\n"
	"  EPOLL         told by epoll\n"
	"  IOEVQ         told by ioevq, events taken by the system call\n"
	"  RING          the same, events taken from the mapped ring\n"
	"  RATIO         of EPOLL to the lesser of IOEVQ and RING: above 1, ioevq is faster\n"
	"\n"
	"A ~ means that samples were far from each other: let nothing else run. The status is 1 if\n"
	"there is no /dev/ioevq, or a call has failed. See ioevq-bench(1).\n";

static const struct {
	const char *head, *name;
} columns[COLUMNS] = {
	[ALONE] = { "ALONE", "alone" },
	[EPOLL] = { "EPOLL", "epoll" },
	[ENTER] = { "IOEVQ", "ioevq" },
	[RING] = { "RING", "ioevq ring" },
};

/* Ways take turns so often, so that what else happens on the machine befalls all of them. */
#define SAMPLES		9

/* Of one way, in nanoseconds of an event, in rising order. */
struct figures {
	double sample[SAMPLES];
};

static const struct {
	const struct question *list;
	const unsigned int *nr;
} groups[] = {
	{ ready_questions, &nr_ready_questions },
	{ sleep_questions, &nr_sleep_questions },
	{ other_questions, &nr_other_questions },
};

static const char *measured = "";

noreturn void bench_fail(const char *call, int err)
{
	fflush(stdout);
	complain("bench: %s: %s: %s", measured, call, strerror(err));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static double time_rounds(const struct way *way, void *state, unsigned long rounds)
{
	double from = now();

	while (rounds--)
		way->round(state);
	return now() - from;
}

/* Rounds that take @ns or so; doing them warms up. */
static unsigned long count_rounds(const struct way *way, void *state, double ns)
{
	unsigned long n = 1;
	double took;

	for (;;) {
		took = time_rounds(way, state, n);
		if (took * 2 >= ns || n > 1UL << 30)
			break;
		n *= 2;
	}
	n = n * ns / took;
	return n ?: 1;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* @ns: for one sample of one way */
static void measure(const struct question *question, struct figures *figures, double ns)
{
	unsigned long rounds[COLUMNS];
	void *states[COLUMNS];
	unsigned int c, i;

	measured = question->what;
	for (c = 0; c < COLUMNS; c++) {
		if (!question->ways[c].round)
			continue;
		states[c] = question->ways[c].open();
		rounds[c] = count_rounds(&question->ways[c], states[c], ns);
	}
	for (i = 0; i < SAMPLES; i++)
		for (c = 0; c < COLUMNS; c++)
			if (question->ways[c].round)
				figures[c].sample[i] =
					time_rounds(&question->ways[c], states[c], rounds[c]) /
					rounds[c] / question->events;
	for (c = 0; c < COLUMNS; c++) {
		if (!question->ways[c].round)
			continue;
		question->ways[c].close(states[c]);
		qsort(figures[c].sample, SAMPLES, sizeof(double), compare);
	}
}

static double median(const struct figures *figures)
{
	return figures->sample[SAMPLES / 2];
}

/* The middle half of the samples differs by a fifth. */
static bool is_rough(const struct figures *figures)
{
	const double *s = figures->sample;

	return s[SAMPLES - 1 - SAMPLES / 4] > s[SAMPLES / 4] * 1.2;
}

static void show(const struct question *question, const struct figures *figures)
{
	const struct figures *ours = &figures[ENTER];
	unsigned int c;

	printf("%-44s", question->what);
	for (c = 0; c < COLUMNS; c++)
		if (question->ways[c].round)
			printf(" %c%7.0f", is_rough(&figures[c]) ? '~' : ' ', median(&figures[c]));
		else
			printf(" %8s", "-");
	if (question->ways[RING].round && median(&figures[RING]) < median(ours))
		ours = &figures[RING];
	printf(" %c%6.2f\n", is_rough(&figures[EPOLL]) || is_rough(ours) ? '~' : ' ',
	       median(&figures[EPOLL]) / median(ours));
	fflush(stdout);
}

static void show_json(const struct question *question, const struct figures *figures, bool first)
{
	const char *comma = "";
	unsigned int c;

	printf("%s\n    { \"what\": \"%s\", \"ns\": {", first ? "" : ",", question->what);
	for (c = 0; c < COLUMNS; c++) {
		if (!question->ways[c].round)
			continue;
		printf("%s \"%s\": { \"median\": %.1f, \"min\": %.1f, \"max\": %.1f }", comma,
		       columns[c].name, median(&figures[c]), figures[c].sample[0],
		       figures[c].sample[SAMPLES - 1]);
		comma = ",";
	}
	printf(" } }");
	fflush(stdout);
}

static void bench(double seconds, bool json)
{
	struct figures figures[COLUMNS];
	unsigned int g, i, c, ways = 0;
	struct utsname uts = {};
	bool first = true;

	uname(&uts);
	if (json) {
		fputs("{\n  \"kernel\": ", stdout);
		json_string(stdout, uts.release);
		fputs(",\n  \"questions\": [", stdout);
	} else {
		printf("Nanoseconds of an event, Linux %s\n%-44s", uts.release, "");
		for (c = 0; c < COLUMNS; c++)
			printf(" %8s", columns[c].head);
		printf(" %7s\n", "RATIO");
	}
	for (g = 0; g < ARRAY_SIZE(groups); g++)
		for (i = 0; i < *groups[g].nr; i++)
			for (c = 0; c < COLUMNS; c++)
				ways += !!groups[g].list[i].ways[c].round;
	for (g = 0; g < ARRAY_SIZE(groups); g++) {
		for (i = 0; i < *groups[g].nr; i++) {
			const struct question *question = &groups[g].list[i];

			/* Counting the rounds takes what two samples do. */
			measure(question, figures, seconds * 1e9 / ways / (SAMPLES + 2));
			if (json)
				show_json(question, figures, first);
			else
				show(question, figures);
			first = false;
		}
	}
	if (json)
		puts("\n  ]\n}");
}

static bool parse_seconds(const char *text, double *value)
{
	char *end;

	*value = strtod(text, &end);
	return end != text && !*end && *value >= 0.1 && *value <= 3600;
}

int bench_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	double seconds = 5;
	bool json = false;
	int c, fd;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 's':
			if (!parse_seconds(optarg, &seconds)) {
				complain("--seconds takes a number from 0.1 to 3600, not '%s'",
					 optarg);
				return EXIT_USAGE;
			}
			break;
		case 'j':
			json = true;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		complain("bench takes no arguments: see ioevq bench --help");
		return EXIT_USAGE;
	}
	fd = open_device();
	if (fd < 0)
		return 1;
	close(fd);
	bench(seconds, json);
	return 0;
}

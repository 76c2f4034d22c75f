// SPDX-License-Identifier: GPL-2.0-only
/* The command: options, and what is shared by all. See Documentation/fuzzing.rst. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

struct options opt = {
	.seed = 1, .seconds = 600, .workers = 1, .lanes = NR_LANES, .interval = 10, .hang = 300,
	.out = ".",
};

struct shared *shared;
struct corpus *corpus;
struct last *last;

static const char usage_text[] =
	"usage: fuzz [OPTION...]\n"
	"\n"
	"  --seed N        seed of all decisions (1)\n"
	"  --seconds N     how long (600)\n"
	"  --programs N    or until so many programs were executed\n"
	"  --workers N     processes that work side by side (1, at most 8)\n"
	"  --lanes N       threads of each, the last of 5 a process (5)\n"
	"  --nobody        every other worker has no privileges\n"
	"  --corpus PATH   a file or a directory of *.txt to begin with\n"
	"  --out DIR       where to write corpus.txt, curve.csv, covered, splat-N.txt (.)\n"
	"  --interval N    seconds from one line of the curve to the next (10)\n"
	"  --hang N        seconds after which a worker that does nothing is killed (300)\n"
	"  --points FILE   points of the module, see selftests/fuzz/run\n"
	"  --splats FILE   what the kernel's log must not contain: tools/vm/splats\n"
	"  --last FILE     map it, and keep the last programs there\n"
	"\n"
	"  --replay PATH   execute the programs of a file or a directory instead\n"
	"  --repeat N      so many times (1)\n"
	"  --decode FILE   show what --last has left there, as text\n"
	"  --show PATH     read the programs of a file or a directory, and show them\n"
	"  --generate N    show N programs that are made up from the seed\n"
	"\n"
	"Exit status: 0; 1 after a splat, or if a process cannot be killed; 2: no begin\n";

static void *shared_memory(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static uint64_t to_number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 0);

	if (end == text || *end) {
		fprintf(stderr, "fuzz: '%s' is no number\n", text);
		exit(2);
	}
	return n;
}

static int decode(const char *path)
{
	last = last_map(path);
	if (!last)
		return 2;
	if (last->magic != LAST_MAGIC) {
		fprintf(stderr, "fuzz: %s: no programs\n", path);
		return 2;
	}
	return last_write(last, stdout) ? 0 : 2;
}

static int generate(uint64_t n)
{
	struct rng r = { .state = opt.seed };
	struct program p;

	while (n--) {
		program_generate(&r, &p, opt.lanes);
		if (n % 2)
			program_mutate(&r, &p, NULL, opt.lanes);
		program_write(&p, stdout);
	}
	return 0;
}

static int show(const char *path)
{
	struct program p;
	unsigned int i;

	corpus = corpus_new();
	if (!corpus || corpus_load(corpus, path))
		return 2;
	for (i = 0; i < corpus_size(corpus); i++) {
		corpus_get(corpus, i, &p);
		program_write(&p, stdout);
	}
	return 0;
}

static int begin(void)
{
	corpus = corpus_new();
	shared = shared_memory(sizeof(*shared));
	last = last_map(opt.last);
	if (!corpus || !shared || !last)
		return 2;
	memset(last, 0, sizeof(*last));
	last->magic = LAST_MAGIC;
	last->seed = opt.seed;
	calls_made = &shared->calls;
	if (opt.corpus && corpus_load(corpus, opt.corpus))
		return 2;
	shared->loaded = corpus_size(corpus);
	if (opt.points && cover_points(opt.points))
		return 2;
	if (opt.splats && splats_open(opt.splats))
		return 2;
	if (access("/dev/ioevq", R_OK | W_OK)) {
		perror("fuzz: /dev/ioevq");
		return 2;
	}
	return watch();
}

int main(int argc, char **argv)
{
	enum {
		SEED = 1, SECONDS, PROGRAMS, WORKERS, LANES, NOBODY, CORPUS, OUT, INTERVAL,
		HANG, POINTS, SPLATS, LAST, REPLAY, REPEAT, DECODE, SHOW, GENERATE, TRUE_
	};
	static const struct option options[] = {
		{ "seed", 1, NULL, SEED }, { "seconds", 1, NULL, SECONDS },
		{ "programs", 1, NULL, PROGRAMS }, { "workers", 1, NULL, WORKERS },
		{ "lanes", 1, NULL, LANES }, { "nobody", 0, NULL, NOBODY },
		{ "corpus", 1, NULL, CORPUS }, { "out", 1, NULL, OUT },
		{ "interval", 1, NULL, INTERVAL }, { "hang", 1, NULL, HANG },
		{ "points", 1, NULL, POINTS },
		{ "splats", 1, NULL, SPLATS }, { "last", 1, NULL, LAST },
		{ "replay", 1, NULL, REPLAY }, { "repeat", 1, NULL, REPEAT },
		{ "decode", 1, NULL, DECODE }, { "show", 1, NULL, SHOW },
		{ "generate", 1, NULL, GENERATE },
		{ "true", 0, NULL, TRUE_ }, { "help", 0, NULL, 'h' }, { }
	};
	uint64_t to_generate = 0;
	unsigned int repeat = 1;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case SEED:
			opt.seed = to_number(optarg);
			break;
		case SECONDS:
			opt.seconds = to_number(optarg);
			break;
		case PROGRAMS:
			opt.max_programs = to_number(optarg);
			break;
		case WORKERS:
			opt.workers = to_number(optarg);
			break;
		case LANES:
			opt.lanes = to_number(optarg);
			break;
		case NOBODY:
			opt.nobody = true;
			break;
		case REPLAY:
			opt.repeat = 1;
			opt.corpus = optarg;
			break;
		case CORPUS:
			opt.corpus = optarg;
			break;
		case OUT:
			opt.out = optarg;
			break;
		case INTERVAL:
			opt.interval = to_number(optarg);
			break;
		case HANG:
			opt.hang = to_number(optarg);
			break;
		case POINTS:
			opt.points = optarg;
			break;
		case SPLATS:
			opt.splats = optarg;
			break;
		case LAST:
			opt.last = optarg;
			break;
		case REPEAT:
			repeat = to_number(optarg);
			break;
		case GENERATE:
			to_generate = to_number(optarg);
			break;
		case DECODE:
			return decode(optarg);
		case SHOW:
			return show(optarg);
		case TRUE_:
			return 0;
		case 'h':
			fputs(usage_text, stdout);
			return 0;
		default:
			fputs(usage_text, stderr);
			return 2;
		}
	}
	if (optind < argc || !opt.workers || opt.workers > MAX_WORKERS || !opt.lanes ||
	    opt.lanes > NR_LANES || !opt.interval || !repeat) {
		fputs(usage_text, stderr);
		return 2;
	}
	if (opt.repeat) {
		opt.repeat = repeat;
		opt.workers = 1;
	}
	return to_generate ? generate(to_generate) : begin();
}

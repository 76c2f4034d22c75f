/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A fuzzer of /dev/ioevq that is guided by the coverage of the module.
 *
 * fuzz -> watch -> worker -> (mutate, execute, corpus) -> (program, calls, cover) -> files
 *
 * A program is a list of calls, each with a lane: who makes it. Lane 0 is the worker itself,
 * 1 to 3 are threads of it, 4 is a process of its own that shares the worker's descriptors.
 */
#ifndef IOEVQ_FUZZ_H
#define IOEVQ_FUZZ_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define MAX_FIELDS	13
#define MAX_CALLS	48
#define MAX_SLOTS	16	/* descriptors that a program knows by number */
#define MAX_CHILDREN	8
#define NR_LANES	5
#define PROCESS_LANE	4
#define MAX_WORKERS	8

/* What a number may stand for: the upper 16 bits tell, the lower 48 are an offset or index. */
#define SYM_MEM		(0x7a01ULL << 48)	/* memory that is always there */
#define SYM_UNSURE	(0x7a02ULL << 48)	/* memory that programs map and unmap */
#define SYM_RING	(0x7a03ULL << 48)	/* where rings are mapped */
#define SYM_SLOT	(0x7a04ULL << 48)	/* a descriptor */
#define SYM_OF(v)	((v) & (0xffffULL << 48))
#define SYM_INDEX(v)	((v) & ((1ULL << 48) - 1))
#define SLOT(n)		(SYM_SLOT | (n))

/* Fixed, so that a program means the same whoever runs it, and where nothing else is. */
#define MEM_ADDR	0x1000000000UL
#define MEM_SIZE	0x40000UL
#define UNSURE_ADDR	0x1100000000UL
#define UNSURE_SIZE	0x10000UL
#define RING_ADDR	0x1200000000UL
#define RING_SIZE	0x4000000UL	/* each */
#define NR_RINGS	3

/* What is in the memory at the begin of a program. */
#define MEM_IOVECS	0x100		/* 16 of them, the last ones bad */
#define MEM_BUFFERS	0x200		/* 8 struct ioevq_buffer, the last ones bad */
#define MEM_SPARE	0x1000
#define MEM_DATA	0x8000

enum call_kind {
	C_MAKE, C_SETUP, C_MAP, C_UNMAP, C_REQ, C_ENTER, C_INFO, C_CONTROL, C_IOCTL, C_TAKE,
	C_RING, C_POKE, C_READ, C_WRITE, C_SHUTDOWN, C_CLOSE, C_DUP, C_POLL, C_EPOLL, C_SPAWN,
	C_KILL, C_WAIT, C_SIGCHLD, C_FORK, C_PASS, C_FETCH, C_LIMIT, C_REMAP, C_FAIL, C_YIELD,
	C_SIGNAL, C_SEEK, C_TRUNCATE, C_FCNTL, NR_CALLS
};

/* What values a field takes, for the generator. */
enum field_type {
	F_QUEUE, F_FD, F_WHAT, F_OP, F_CMD, F_FLAGS, F_U32, F_U64, F_LEN, F_OFF, F_ADDR, F_AT,
	F_SIZE, F_TIME, F_NAME, F_COUNT, F_SMALL, F_SIGNAL, F_MASK, F_ENTRIES
};

struct field {
	const char *name;
	enum field_type type;
	uint64_t arg;		/* flags: those that there are; size: the right one */
};

struct call_type {
	const char *name;
	unsigned int weight;	/* how often it is made up */
	struct field fields[MAX_FIELDS + 1];
};

extern const struct call_type call_types[NR_CALLS];

struct call {
	uint8_t kind;
	uint8_t lane;
	uint64_t v[MAX_FIELDS];
};

struct program {
	uint32_t nr;
	struct call calls[MAX_CALLS];
};

#define PROGRAM_SIZE(p)	(offsetof(struct program, calls) + (p)->nr * sizeof(struct call))

/* program.c: programs as text, one call a line */
unsigned int nr_fields(unsigned int kind);
void program_write(const struct program *p, FILE *to);
/* 1, or 0 at the end of the file, or -1 and a message about what is wrong */
int program_read(struct program *p, FILE *from, const char *name);
unsigned int program_lanes(const struct program *p);

/* random.c: the same from the same seed, everywhere */
struct rng {
	uint64_t state;
};

uint64_t rng_next(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n);
#define rng_one_in(r, n)	(!rng_below(r, n))

/* values.c: values of a field */
uint64_t value_of(struct rng *r, const struct field *f);
void fill_req(struct rng *r, struct call *c);

/* mutate.c */
void program_generate(struct rng *r, struct program *p, unsigned int lanes);
/* @other: what parts may come from, or NULL */
void program_mutate(struct rng *r, struct program *p, const struct program *other,
		    unsigned int lanes);

/* files.c: what a descriptor can be of */
#define NR_WHAT		35
extern const char *const what_names[NR_WHAT + 1];
/* Makes it in @slot, the other end of what has two in the next one. */
void file_make(unsigned int slot, unsigned int what, uint64_t arg);
extern int *slots;		/* MAX_SLOTS, shared by all lanes of a worker */

/* cover.c: what of the module was executed */
#define MAX_POINTS	16384
#define NR_EDGES	65536

struct coverage {
	atomic_uchar points[MAX_POINTS];
	atomic_uchar edges[NR_EDGES];	/* one point after another, hashed */
	atomic_uint nr_points;
	atomic_uint nr_edges;
};

/* Points of the module from a file with lines "section offset"; 0, or -1 and a message. */
int cover_points(const char *path);
extern unsigned int cover_total;	/* how many there are; 0: coverage is not known */
void cover_list(const struct coverage *cov, const char *path);
int cover_open(unsigned int lane);	/* before lanes part; 0 or -1 */
void cover_enable(unsigned int lane);	/* by the lane itself */
void cover_reset(unsigned int lane);
/* What the last program has shown: number of new edges; those are in cover_new. */
unsigned int cover_harvest(struct coverage *cov);
#define MAX_NEW		64
extern uint32_t cover_new[MAX_NEW];
bool cover_same(const uint32_t *edges, unsigned int nr);

/* execute.c */
int execute_init(unsigned int nr_lanes, bool unprivileged);	/* in a new worker */
void execute(const struct program *p);
extern atomic_ullong *calls_made;

/* corpus.c: programs that have shown something new */
#define MAX_CORPUS	3000
struct corpus;
struct corpus *corpus_new(void);
unsigned int corpus_size(const struct corpus *c);
bool corpus_pick(struct corpus *c, struct rng *r, struct program *p);
void corpus_get(struct corpus *c, unsigned int i, struct program *p);
void corpus_add(struct corpus *c, const struct program *p);
int corpus_load(struct corpus *c, const char *path);	/* a file or a directory */
int corpus_save(struct corpus *c, const char *path);

/* last.c: the programs that are being executed, and those before, for whoever is left */
#define KEEP_LAST	8
#define LAST_MAGIC	0x6c617374a0e70002ULL
struct last {
	uint64_t magic;
	uint64_t seed;
	struct {
		atomic_uint next;		/* programs begun so far */
		struct program programs[KEEP_LAST];
	} workers[MAX_WORKERS];
};

struct last *last_map(const char *path);
void last_begin(struct last *l, unsigned int worker, const struct program *p);
/* All of them as text, what each worker did last at the end; how many. */
unsigned int last_write(const struct last *l, FILE *to);

/* worker.c */
struct shared {
	atomic_ullong calls, programs;
	atomic_ullong starts, hangs, crashes;
	atomic_ullong beat[MAX_WORKERS];	/* changes with every program */
	atomic_bool stop;
	atomic_uint replayed;	/* next one of those that the corpus began with */
	uint32_t loaded;		/* how many these are */
	struct coverage coverage;
};

struct options {
	uint64_t seed;
	unsigned int seconds;
	uint64_t max_programs;	/* 0: no limit */
	unsigned int workers;
	unsigned int lanes;
	unsigned int interval;	/* of the curve */
	unsigned int hang;	/* s; programs take milliseconds, but hosts may be busy */
	unsigned int repeat;	/* of a replay; 0: none */
	const char *corpus, *out, *last, *points, *splats;
	bool nobody;		/* every other worker has no privileges */
};

extern struct options opt;
extern struct shared *shared;
extern struct corpus *corpus;
extern struct last *last;

int worker_main(unsigned int worker, unsigned int start);
int worker_replay(unsigned int worker);

/* watch.c: starts workers and looks after them; exit status */
int watch(void);

/* splats.c: the kernel's log */
int splats_open(const char *patterns);	/* a file of regular expressions; 0, or -1 and a message */
bool splats_seen(char *line, size_t size);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The soak: actors start things, consumers take the events of what they have started, and
 * are killed while they do. The ledger, in memory of all of them, knows of each thing whether
 * it was told of.
 */
#ifndef IOEVQ_SOAK_H
#define IOEVQ_SOAK_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ioevq.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define NONE		(~0ULL)

/* What is counted. The events of all but queues are of one operation each. */
enum kind {
	KIND_POST, KIND_TIMER, KIND_READ, KIND_WRITE, KIND_FSYNC, KIND_RECV, KIND_SEND,
	KIND_WATCH, KIND_EDGE, KIND_CHILD, KIND_CANCEL, KIND_CLOSE, KIND_QUEUE, KINDS
};

/* A thing is open from its start to its only end. */
enum state {
	STATE_NEVER, STATE_OPEN, STATE_DELIVERED, STATE_CANCELLED, STATE_REFUSED
};

#define ACTORS		10
#define QUEUES		2	/* that all share; the actors number n has queue n % QUEUES */
#define CONSUMERS	8
#define WINDOW		16384	/* things of a kind and actor that can be open at once */

/* The things of one kind that one actor has started. The counts are the actor's. */
struct book {
	uint64_t entries[WINDOW];	/* number, state and result in one word each */
	uint64_t next;
	uint64_t started, delivered, cancelled, refused;
	uint64_t more;			/* events that were not the last, by all consumers */
};

/* What a consumer has taken or is about to take: it is here that the kernel puts it. */
struct hand {
	struct ioevq_event evs[4];
	uint64_t rounds;		/* how often it was emptied */
};

/* An event that was no answer to anything, or a wrong one. */
struct oddity {
	const char *what;		/* the same program in all processes */
	struct ioevq_event ev;
	uint64_t entry;
};

struct shared {
	struct hand hands[CONSUMERS];
	int stop;			/* start nothing more */
	uint64_t odd;
	struct oddity oddities[16];
	uint64_t recovered;		/* events found in the hands of the dead */
	uint64_t hogs, starved;
	struct book books[ACTORS][KINDS];
};

extern struct shared *shared;
extern const char *const kind_names[KINDS];

/* account.c */
int ledger_open(void);
uint64_t start(unsigned int actor, enum kind kind);
void refuse(uint64_t item);
void settle(uint64_t item, enum state state);
enum state outcome(uint64_t item, int *res);
void close_entry(uint64_t item);
void take_note(const struct ioevq_event *ev);
bool recover(const struct ioevq_event *ev);
void odd(const char *what, const struct ioevq_event *ev, uint64_t entry);
int child_status(uint64_t item);
int64_t post_result(uint64_t item);
uint64_t finals(unsigned int queue, uint64_t *more);
uint64_t report(FILE *to, FILE *csv, unsigned int seconds);

/* slots.c */
struct me {
	unsigned int actor;
	const struct ioevq *q;
	uint64_t seed;
	unsigned int arg;
};

/* What one thing after another is made in. Phase 0: nothing. */
struct slot {
	unsigned int nr, phase;
	uint64_t item, other;
	int fds[2];
	pid_t pid;
	char *buf;
	size_t len, done;
	unsigned long exhausted;	/* before it was submitted */
};

uint64_t random_of(struct me *me, uint64_t n);
bool stopping(void);
int submit_one(const struct me *me, const struct ioevq_req *req);
void refuse_for(uint64_t item, int err);
bool begin(const struct me *me, struct ioevq_req *req, enum kind kind, uint64_t *item);
bool begin_cancel(const struct me *me, uint64_t which, uint64_t *item);
enum state end(uint64_t *item, int *res);
void run_slots(struct me *me, struct slot *slots, unsigned int n,
	       bool (*step)(struct me *me, struct slot *s));
void rest(void);

/* How long one has waited for something already. Zero at first. */
struct patience {
	time_t begin;
	long rests;
};

bool wait_on(struct patience *p, long seconds);

/* actor_*.c */
void actor_post(struct me *me);
void actor_timer(struct me *me);
void actor_file(struct me *me);
void actor_socket(struct me *me);
void actor_child(struct me *me);
void actor_queue(struct me *me);
void actor_starved(struct me *me);

/* consumer.c */
void consumers_start(const struct ioevq *queues, uint64_t seed);
void consumers_trouble(void);
void consumers_settle(void);
bool consumers_stop(uint64_t doubtful_more[QUEUES], uint64_t *kills);

/* memory.c */
bool join(const char *cgroup);
bool set_file(const char *path, const char *text);
void protect(void);
pid_t hog(uint64_t seed, bool greedy);
unsigned long pressure(void);
unsigned long exhausted(void);
long kernel_memory(void);
bool settles(long baseline_kb, long bound_kb, long *now_kb);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files that execute a program share. */
#ifndef IOEVQ_FUZZ_CALLS_H
#define IOEVQ_FUZZ_CALLS_H

#include <setjmp.h>
#include <signal.h>

#include "fuzz.h"

/* Descriptors of programs are below, the fuzzer's own between the two. */
#define KEEP_FDS	900
#define KEEP_FDS_END	1024

/* Those that end a wait: no program may block them. */
#define KICK		SIGUSR1
#define KEEP_SIGNALS	(1ULL << (SIGUSR1 - 1) | 1ULL << (SIGALRM - 1))

extern __thread sigjmp_buf bad_access;
extern __thread atomic_bool may_fault;

/* execute.c */
int keep_fd(int fd);		/* moved out of the way of programs */
void lane_calls(struct program *p, unsigned int first, unsigned int nr, unsigned int lane);
pid_t lane_tid(unsigned int lane);
void fork_begins(void);		/* in the child */

/* calls.c */
int memory_init(void);
void call_memory_reset(void);
uint64_t resolve(uint64_t v);
int resolve_fd(uint64_t v);
bool call_device(const struct call *c, unsigned int lane);	/* false: it is of another kind */

/* filecalls.c */
bool call_file(const struct call *c);

/* process.c */
void process_init(void);
void lane_end(void);		/* ends what this process has begun */
pid_t child_pid(unsigned int child);
void fail_nth(unsigned int n);
void fail_forget(void);
unsigned int call_process(struct program *p, unsigned int at, unsigned int lane);

#endif

/* SPDX-License-Identifier: MIT */
/* The command ioevq: what its subcommands share. Each is one file, and one row in main.c. */
#ifndef IOEVQ_COMMAND_H
#define IOEVQ_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

#define DEVICE		"/dev/ioevq"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Exit statuses of a subcommand that runs a program, as of env(1); else 1. */
#define EXIT_FAILED		125
#define EXIT_NOT_EXECUTABLE	126
#define EXIT_NOT_FOUND		127

/* Wrong usage, of any. */
#define EXIT_USAGE		2

/*
 * A subcommand. @argv[0] is its name; returns the exit status. @summary is one line.
 */
struct command {
	const char *name;
	const char *summary;
	int (*main)(int argc, char **argv);
};

int bench_main(int argc, char **argv);
int info_main(int argc, char **argv);
int run_main(int argc, char **argv);
int supervise_main(int argc, char **argv);
int top_main(int argc, char **argv);
int trace_main(int argc, char **argv);

/* Say something on standard error. */
#define complain(format, ...)	fprintf(stderr, "ioevq: " format "\n", ##__VA_ARGS__)

/* device.c: open the device, or say why not and what to do: -1 */
int open_device(void);

/*
 * program.c: the path of a program as execvp(3) finds it, in @path of @size bytes. 0, or
 * the exit status, and it was said why: also if it is one that ignores LD_PRELOAD.
 */
int find_program(const char *name, char *path, unsigned int size);

/* json.c: a quoted string */
void json_string(FILE *to, const char *text);

/*
 * words.c: operations as the interface names them, without IOEVQ_OP_. NULL: none, -1: none of
 * this name, in whatever case.
 */
const char *op_name(unsigned int op);
int op_by_name(const char *name);
/* A ? for what is not ASCII text: a terminal might obey it, or a log have one line more. */
void make_plain(char *text);

#endif

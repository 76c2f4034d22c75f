/* SPDX-License-Identifier: GPL-2.0-only */
/* What is seen of a queue from outside: fdinfo, tracefs. */
#ifndef IOEVQ_OBSERVE_H
#define IOEVQ_OBSERVE_H

#include <sys/stat.h>

#include "supervised.h"

#define TRACEFS		"/sys/kernel/tracing"

/* A number of /proc/self/fdinfo/FD; -1: there is none of this name. */
static inline long long number_of(int fd, const char *name)
{
	char path[64], line[128];
	size_t len = strlen(name);
	long long ret = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, len) && line[len] == ':')
			ret = strtoll(line + len + 1, NULL, 10);
	if (f)
		fclose(f);
	return ret;
}

/* Our checkout, where a file of it is. */
static inline const char *in_checkout(const char *file)
{
	static char path[512];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 128);

	path[n < 0 ? 0 : n] = 0;
	/* build/selftests/PROGRAM */
	strcpy(strrchr(path, '/') ?: path, "/../../");
	return strncat(path, file, 100);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* A memory cgroup of version 2, and what is charged to it. */
#ifndef IOEVQ_MEMCG_H
#define IOEVQ_MEMCG_H

#include <sys/stat.h>

#include "ioevq_test.h"

#define CGROUPS	"/sys/fs/cgroup"
#define CGROUP	CGROUPS "/ioevq-test"

static inline int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret;

	ret = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
	close(fd);
	return ret;
}

static inline int memcg_make(void)
{
	return write_text(CGROUPS "/cgroup.subtree_control", "+memory") ?: mkdir(CGROUP, 0755);
}

/* When nobody is in it any more. */
static inline int memcg_end(void)
{
	return rmdir(CGROUP);
}

/* From now on the caller is charged there. */
static inline int memcg_enter(void)
{
	return write_text(CGROUP "/cgroup.procs", "0");
}

/* Bytes by a line of memory.stat; -1: no such line. The kernel adds up from time to time. */
static inline long memcg_stat(const char *key)
{
	size_t len = strlen(key);
	char line[128];
	long bytes = -1;
	FILE *f;

	f = fopen(CGROUP "/memory.stat", "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, len) && line[len] == ' ')
			bytes = strtol(line + len, NULL, 10);
	if (f)
		fclose(f);
	return bytes;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Delays at named points of the module, where it was built with them: module/point.h. */
#ifndef IOEVQ_POINTS_TEST_H
#define IOEVQ_POINTS_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POINTS	"/sys/module/ioevq/parameters/points"

static inline int has_points(void)
{
	return !access(POINTS, F_OK);
}

/*
 * From now on hold who comes by: "name:us,...", or nobody: "". They are counted anew. 0, also
 * where the module has no points: there a race is what it is.
 */
static inline int hold(const char *points)
{
	ssize_t len = strlen(points) + 1;
	char text[256];
	int fd, ret;

	if (!has_points())
		return 0;
	snprintf(text, sizeof(text), "%s\n", points);
	fd = open(POINTS, O_WRONLY | O_CLOEXEC);
	ret = write(fd, text, len) == len ? 0 : -1;
	close(fd);
	return ret;
}

/* How many came by a point; -1: there is no such. */
static inline long came_by(const char *name)
{
	size_t len = strlen(name);
	char line[128];
	long n = -1;
	FILE *f;

	f = fopen(POINTS, "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, len) && line[len] == ':')
			n = strtol(strchr(line, ' '), NULL, 10);
	if (f)
		fclose(f);
	return n;
}

/* Did somebody come by each of "name:us,..."? Of course where there are no points. */
static inline int all_passed(const char *points)
{
	char *copy = strdup(points), *name, *rest = copy;
	int all = 1;

	while (has_points() && (name = strsep(&rest, ","))) {
		name[strcspn(name, ":")] = 0;
		if (!*name || came_by(name) > 0)
			continue;
		fprintf(stderr, "# nobody came by the point %s\n", name);
		all = 0;
	}
	free(copy);
	return all;
}

#endif

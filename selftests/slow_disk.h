/* SPDX-License-Identifier: GPL-2.0-only */
/* A disk in memory that takes its time, and has few requests under way at once: null_blk. */
#ifndef IOEVQ_SLOW_DISK_H
#define IOEVQ_SLOW_DISK_H

#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "expect.h"

#define SLOW_DISK_NAME		"slow-disk"
#define SLOW_DISK_CONFIG	"/sys/kernel/config/nullb/" SLOW_DISK_NAME
#define SLOW_DISK_DEPTH		16	/* requests under way at once */
#define SLOW_DISK_MB		64
#define SLOW_DISK_NS		1000000000	/* for each */

static inline int slow_disk_say(const char *name, const char *text)
{
	ssize_t n = strlen(text);
	char path[96];
	int fd, ret;

	snprintf(path, sizeof(path), SLOW_DISK_CONFIG "/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ret = write(fd, text, n) == n ? 0 : -1;
	close(fd);
	return ret;
}

static inline int slow_disk_set(const char *name, unsigned int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	return slow_disk_say(name, text);
}

/* One that takes @ns for each request. Its descriptor, or -1. */
static inline int slow_disk_make(int flags, unsigned int ns)
{
	if (access("/sys/kernel/config/nullb", F_OK)) {
		if (system("modprobe null_blk nr_devices=0"))
			return -1;
		mount("none", "/sys/kernel/config", "configfs", 0, NULL);
	}
	if (mkdir(SLOW_DISK_CONFIG, 0755) || slow_disk_set("size", SLOW_DISK_MB) ||
	    slow_disk_set("memory_backed", 1) || slow_disk_set("irqmode", 2) ||
	    slow_disk_set("completion_nsec", ns) ||
	    slow_disk_set("hw_queue_depth", SLOW_DISK_DEPTH) || slow_disk_set("power", 1))
		return -1;
	return open("/dev/" SLOW_DISK_NAME, O_RDWR | O_CLOEXEC | flags);
}

static inline void slow_disk_end(int fd)
{
	close(fd);
	rmdir(SLOW_DISK_CONFIG);
}

#endif

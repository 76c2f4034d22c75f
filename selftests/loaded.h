/* SPDX-License-Identifier: GPL-2.0-only */
/* The module itself, for tests that unload and load it. */
#ifndef IOEVQ_LOADED_H
#define IOEVQ_LOADED_H

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A copy that is soon loaded: without what only debuggers read. A descriptor, or -1. */
static inline int module_open(void)
{
	static const char copy[] = "/tmp/ioevq-copy.ko";
	int fd = -1;

	if (!system("strip -g -o /tmp/ioevq-copy.ko \"$IOEVQ_MODULE\""))
		fd = open(copy, O_RDONLY | O_CLOEXEC);
	unlink(copy);
	return fd;
}

/* The parameters that it was loaded with before; "": none. */
static inline const char *module_params(void)
{
	const char *params = getenv("IOEVQ_MODULE_PARAMS");

	return params ? params : "";
}

/* 0 or a negative errno, as the next one. */
static inline int module_load(int fd, const char *params)
{
	return syscall(SYS_finit_module, fd, params, 0) ? -errno : 0;
}

/* It does not wait for who uses it. */
static inline int module_unload(void)
{
	return syscall(SYS_delete_module, "ioevq", O_NONBLOCK) ? -errno : 0;
}

#endif

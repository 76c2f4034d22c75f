/* SPDX-License-Identifier: GPL-2.0-only */
/* Two users who are nothing to each other, and a door to the device for them. */
#ifndef IOEVQ_USERS_H
#define IOEVQ_USERS_H

#include <grp.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "children.h"

#define ALICE	1000
#define BOB	1001

/* A node of the device of our own, so that no test changes the mode of the one of all. */
struct door {
	char dir[32];
	char node[48];
};

static inline int door_make(struct door *d, mode_t mode, gid_t group)
{
	struct stat st;

	strcpy(d->dir, "/tmp/ioevq-XXXXXX");
	if (!mkdtemp(d->dir) || chmod(d->dir, 0755) || stat("/dev/ioevq", &st))
		return -1;
	snprintf(d->node, sizeof(d->node), "%s/node", d->dir);
	if (mknod(d->node, S_IFCHR | 0600, st.st_rdev) || chown(d->node, 0, group))
		return -1;
	return chmod(d->node, mode);
}

static inline void door_end(struct door *d)
{
	unlink(d->node);
	rmdir(d->dir);
}

/* open(2): a descriptor or a negative errno. */
static inline int try_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The same, and closed again. */
static inline int can_open(const char *path, int flags)
{
	int fd = try_open(path, flags);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* A queue by that door, with a mapped ring. */
static inline int enter_by(struct ioevq *q, const struct door *d, unsigned int entries)
{
	struct ioevq_setup setup = {
		.size = sizeof(setup), .entries = entries, .flags = IOEVQ_SETUP_MAPPED,
	};
	int fd = try_open(d->node, O_RDWR), err;

	if (fd < 0)
		return fd;
	if (ioctl(fd, IOEVQ_IOC_SETUP, &setup)) {
		err = -errno;
		close(fd);
		return err;
	}
	return ioevq_attach(q, fd);
}

/* For good, as by login(1): nothing of root is left, and one's own /proc is one's own. */
static inline int become(uid_t uid)
{
	return setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid) ||
	       prctl(PR_SET_DUMPABLE, 1) || prctl(PR_SET_PDEATHSIG, SIGKILL) ? -1 : 0;
}

/* For a while: without capabilities, but there is a way back. */
static inline int act_as(uid_t uid)
{
	return setgroups(0, NULL) || setresgid(uid, uid, 0) || setresuid(uid, uid, 0) ? -1 : 0;
}

static inline int act_as_root(void)
{
	return setresuid(0, 0, 0) || setresgid(0, 0, 0) ? -1 : 0;
}

static inline int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = write(fd, text, strlen(text));

	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

/* Root of a user namespace of one's own, and of others with it. */
static inline int root_of_a_namespace(int others)
{
	char uid_map[32], gid_map[32];

	snprintf(uid_map, sizeof(uid_map), "0 %u 1", getuid());
	snprintf(gid_map, sizeof(gid_map), "0 %u 1", getgid());
	if (unshare(CLONE_NEWUSER | others) || write_file("/proc/self/setgroups", "deny") ||
	    write_file("/proc/self/uid_map", uid_map) || write_file("/proc/self/gid_map", gid_map))
		return -1;
	return getuid() || getgid() ? -1 : 0;
}

/* Its exit status; 0 is success, -1 a signal or worse. */
static inline int status_of(const struct offspring *c)
{
	int status;

	return waitpid(c->pid, &status, 0) == c->pid && WIFEXITED(status) ? WEXITSTATUS(status)
									   : -1;
}

/* Let it run to its end. */
static inline int run_to_its_end(int (*run)(struct offspring *c, long arg), long arg)
{
	struct offspring c;

	return offspring(&c, run, arg) || let_go(&c) ? -1 : status_of(&c);
}

/* Let it run until it has something to say. */
static inline int run_until_it_says(struct offspring *c, int (*run)(struct offspring *c, long arg),
				    long arg)
{
	char word;

	if (offspring(c, run, arg) || let_go(c))
		return -1;
	/* It must be heard if it dies. */
	close(c->say);
	return read(c->said, &word, 1) == 1 ? 0 : -1;
}

#endif

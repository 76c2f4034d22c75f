/* SPDX-License-Identifier: GPL-2.0-only */
/* Places where files are: file systems and block devices made for one test. */
#ifndef IOEVQ_STORE_H
#define IOEVQ_STORE_H

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "expect.h"

#define IMAGE_SIZE	(64 << 20)

enum store_kind {
	STORE_TMPFS,
	STORE_EXT4,		/* on a loop device */
	STORE_LOOP,		/* the device itself */
	STORE_RAM
};

struct store {
	char dir[48];		/* a tmpfs */
	char mnt[64];		/* "": no other file system */
	char file[80];
	int loop;		/* -1: none */
	int fd;			/* of the file */
};

static inline int store_loop(struct store *s, const char *image)
{
	struct loop_config config = { .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	int ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC), nr;
	int fd = open(image, O_RDWR | O_CLOEXEC);

	nr = ioctl(ctl, LOOP_CTL_GET_FREE);
	close(ctl);
	if (nr < 0)
		return -1;
	config.fd = fd;
	snprintf(s->file, sizeof(s->file), "/dev/loop%d", nr);
	s->loop = open(s->file, O_RDWR | O_CLOEXEC);
	if (fd < 0 || s->loop < 0 || ioctl(s->loop, LOOP_CONFIGURE, &config))
		return -1;
	return close(fd);
}

/* A private mount namespace: nothing is left when the test dies. */
static inline int store_make(struct store *s, enum store_kind kind, int flags)
{
	char image[64], command[128];

	memset(s, 0, sizeof(*s));
	s->loop = -1;
	s->fd = -1;
	strcpy(s->dir, "/tmp/ioevq-store-XXXXXX");
	if (!mkdtemp(s->dir) || unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", s->dir, "tmpfs", 0, NULL))
		return -1;
	snprintf(s->file, sizeof(s->file), "%s/file", s->dir);
	if (kind == STORE_RAM) {
		strcpy(s->file, "/dev/ram0");
		if (access(s->file, F_OK) && system("modprobe brd rd_nr=1 rd_size=65536"))
			return -1;
	} else if (kind != STORE_TMPFS) {
		snprintf(image, sizeof(image), "%s/image", s->dir);
		snprintf(command, sizeof(command), "truncate -s %u %s", IMAGE_SIZE, image);
		if (system("modprobe loop") || system(command))
			return -1;
		if (kind == STORE_EXT4) {
			snprintf(command, sizeof(command), "mkfs.ext4 -q -F %s", image);
			if (system("modprobe ext4") || system(command))
				return -1;
		}
		if (store_loop(s, image))
			return -1;
	}
	if (kind == STORE_EXT4) {
		snprintf(s->mnt, sizeof(s->mnt), "%s/mnt", s->dir);
		if (mkdir(s->mnt, 0755) || mount(s->file, s->mnt, "ext4", 0, NULL))
			return -1;
		snprintf(s->file, sizeof(s->file), "%s/file", s->mnt);
	}
	s->fd = open(s->file, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);
	return s->fd < 0 ? -1 : 0;
}

static inline void store_end(struct store *s)
{
	if (s->fd >= 0)
		close(s->fd);
	if (s->mnt[0])
		umount2(s->mnt, MNT_DETACH);
	if (s->loop >= 0)
		close(s->loop);
	umount2(s->dir, MNT_DETACH);
	rmdir(s->dir);
}

/* What is read next comes from the device, if there is one. */
static inline int store_cool(struct store *s)
{
	return fsync(s->fd) || posix_fadvise(s->fd, 0, 0, POSIX_FADV_DONTNEED);
}

/* Its result, or the error of its submission; INT64_MIN if the event is not it. */
static inline int64_t outcome(const struct ioevq *q, const struct ioevq_req *req)
{
	struct ioevq_event ev;
	int ret = submit(q, req);

	if (ret)
		return ret;
	if (next_event(q, &ev) != 1 || ev.user_data != req->user_data || ev.op != req->op ||
	    ev.flags)
		return INT64_MIN;
	return ev.res;
}

/* Memory that direct I/O takes. */
static inline char *pages(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static inline uint64_t pattern_at(uint64_t off, uint64_t seed)
{
	return (off + seed) * 0x9e3779b97f4a7c15ULL;
}

/* Whole words at whole words. */
static inline void pattern(char *buf, size_t len, uint64_t off, uint64_t seed)
{
	uint64_t *p = (uint64_t *)buf;
	size_t i;

	for (i = 0; i < len / 8; i++)
		p[i] = pattern_at(off + 8 * i, seed);
}

static inline int is_pattern(const char *buf, size_t len, uint64_t off, uint64_t seed)
{
	const uint64_t *p = (const uint64_t *)buf;
	size_t i;

	for (i = 0; i < len / 8; i++)
		if (p[i] != pattern_at(off + 8 * i, seed))
			return 0;
	return 1;
}

#endif

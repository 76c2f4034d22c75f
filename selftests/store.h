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

enum store_kind {
	STORE_TMPFS,
	STORE_EXT4,		/* on a loop device, as the next two */
	STORE_XFS,
	STORE_BTRFS,
	STORE_OVERLAY,		/* a file of a tmpfs, below ext4 */
	STORE_LOOP,		/* the device itself */
	STORE_RAM
};

struct store {
	char dir[48];		/* a tmpfs */
	char mnt[64];		/* "": no other file system */
	char over[64];		/* the same of an overlay on top of that */
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

static inline int store_run(const char *format, const char *arg, const char *arg2)
{
	char command[384];

	snprintf(command, sizeof(command), format, arg, arg2);
	return system(command);
}

/*
 * A file system of its own, in an image that is as large as its tools want it to be. To make
 * one takes them long: the first of each kind is kept, for those after it to copy.
 */
static inline int store_mount(struct store *s, const char *type, const char *image,
			      const char *size, const char *options)
{
	char made[64], making[80];

	snprintf(made, sizeof(made), "/tmp/ioevq-image-%s-%s", type, size);
	snprintf(making, sizeof(making), "%s.new", made);
	if (access(made, F_OK) &&
	    (store_run("modprobe -a loop %s", type, "") ||
	     store_run("truncate -s %2$s %1$s", making, size) ||
	     store_run(options, type, making) || rename(making, made)))
		return -1;
	if (store_run("cp --sparse=always %s %s", made, image) || store_loop(s, image))
		return -1;
	snprintf(s->mnt, sizeof(s->mnt), "%s/mnt", s->dir);
	return mkdir(s->mnt, 0755) || mount(s->file, s->mnt, type, 0, NULL);
}

/* What is below is copied up when it is opened to be written. */
static inline int store_overlay(struct store *s)
{
	char options[256];

	if (store_run("mkdir %1$s/lower %1$s/over %2$s/upper %2$s/work", s->dir, s->mnt) ||
	    store_run("echo below >%s/lower/file; modprobe overlay", s->dir, ""))
		return -1;
	snprintf(options, sizeof(options), "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work",
		 s->dir, s->mnt, s->mnt);
	snprintf(s->over, sizeof(s->over), "%s/over", s->dir);
	return mount("overlay", s->over, "overlay", 0, options);
}

/* Where the file is, by its kind. */
static inline int store_prepare(struct store *s, enum store_kind kind)
{
	char image[64];

	snprintf(image, sizeof(image), "%s/image", s->dir);
	switch (kind) {
	case STORE_TMPFS:
		break;
	case STORE_RAM:
		strcpy(s->file, "/dev/ram0");
		return access(s->file, F_OK) && system("modprobe brd rd_nr=1 rd_size=65536");
	case STORE_LOOP:
		return store_run("modprobe loop && truncate -s 64M %s", image, "") ||
		       store_loop(s, image);
	case STORE_XFS:
		return store_mount(s, "xfs", image, "320M", "mkfs.%s -q %s");
	case STORE_BTRFS:
		return store_mount(s, "btrfs", image, "128M", "mkfs.%s -q %s >/dev/null");
	case STORE_EXT4:
		return store_mount(s, "ext4", image, "64M", "mkfs.%s -q -F %s");
	case STORE_OVERLAY:
		return store_mount(s, "ext4", image, "64M", "mkfs.%s -q -F %s") ||
		       store_overlay(s);
	}
	return 0;
}

/* A private mount namespace: nothing is left when the test dies. */
static inline int store_make(struct store *s, enum store_kind kind, int flags)
{
	const char *dir;

	memset(s, 0, sizeof(*s));
	s->loop = -1;
	s->fd = -1;
	strcpy(s->dir, "/tmp/ioevq-store-XXXXXX");
	if (!mkdtemp(s->dir) || unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", s->dir, "tmpfs", 0, NULL) || store_prepare(s, kind))
		return -1;
	if (kind < STORE_LOOP) {
		dir = s->over[0] ? s->over : s->mnt[0] ? s->mnt : s->dir;
		snprintf(s->file, sizeof(s->file), "%s/file", dir);
	}
	s->fd = open(s->file, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);
	return s->fd < 0 ? -1 : 0;
}

static inline void store_end(struct store *s)
{
	if (s->fd >= 0)
		close(s->fd);
	if (s->over[0])
		umount2(s->over, MNT_DETACH);
	if (s->mnt[0])
		umount2(s->mnt, MNT_DETACH);
	if (s->loop >= 0)
		close(s->loop);
	umount2(s->dir, MNT_DETACH);
	rmdir(s->dir);
}

/* Is nothing of it in memory? */
static inline bool store_is_cool(const struct store *s)
{
	uint64_t size = 0;
	unsigned char *in;
	struct stat st;
	bool cool;
	size_t i;
	void *p;

	if (fstat(s->fd, &st))
		return false;
	size = st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(s->fd, BLKGETSIZE64, &size))
		return false;
	if (!size)
		return true;
	p = mmap(NULL, size, PROT_READ, MAP_SHARED, s->fd, 0);
	in = calloc(size / 4096 + 1, 1);
	cool = p != MAP_FAILED && in && !mincore(p, size, in);
	for (i = 0; cool && i <= size / 4096; i++)
		cool = !(in[i] & 1);
	free(in);
	if (p != MAP_FAILED)
		munmap(p, size);
	return cool;
}

/*
 * What is read next comes from the device, if there is one. Not every page goes at once: who
 * writes it back may have it in hand a moment longer than fsync() waits (folio_end_writeback()
 * in mm/filemap.c).
 */
static inline int store_cool(struct store *s)
{
	if (fsync(s->fd))
		return -1;
	if (!s->mnt[0] && strncmp(s->file, "/dev/", 5))
		return 0;
	return !eventually(!posix_fadvise(s->fd, 0, 0, POSIX_FADV_DONTNEED) && store_is_cool(s));
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

/* @whole by @nr at once, in an order that is none; 0 if each did all of its part. */
static inline int split(const struct ioevq *q, const struct ioevq_req *whole, unsigned int nr)
{
	size_t part = whole->len / nr;
	unsigned char *seen = calloc(nr, 1);
	struct ioevq_req req = *whole;
	struct ioevq_event ev;
	unsigned int i;
	int bad = 0;

	req.len = part;
	for (i = 0; i < nr && !bad; i++) {
		req.user_data = i * 37 % nr;
		req.addr = whole->addr + req.user_data * part;
		req.off = whole->off + req.user_data * part;
		bad = submit(q, &req);
	}
	for (i = 0; i < nr && !bad; i++)
		bad = next_event(q, &ev) != 1 || ev.op != req.op || ev.flags ||
		      ev.res != (int64_t)part || ev.user_data >= nr || seen[ev.user_data]++;
	free(seen);
	return bad;
}

static inline int in_parts(const struct ioevq *q, unsigned int op, int fd, char *buf, size_t size,
			   unsigned int nr)
{
	struct ioevq_req whole;

	ioevq_prep_rw(&whole, op, fd, buf, size, 0, 0);
	return split(q, &whole, nr);
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

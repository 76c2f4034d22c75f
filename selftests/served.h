/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file that takes its time to be polled: that of a file system in user space, which becomes
 * ready when it was looked at, and before the look is over.
 */
#ifndef IOEVQ_SERVED_H
#define IOEVQ_SERVED_H

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* The file system has one file: its root. */
struct served {
	char path[32];
	int fd;			/* the file */
	int dev;		/* its server's end */
	pthread_t server;
	/* The server's, but while it has nothing to do. */
	unsigned int ready;	/* for what the file is ready */
	unsigned int late;	/* how many looks are told of what was before */
	void *gone;		/* a page that nobody can write when the next look is over */
	uint64_t handle;	/* of the file, as the kernel names it in a look */
	int err;		/* the errno that ended it */
};

/* error: an errno, or of a notice (which answers nothing) its kind. */
static inline int served_say(int dev, uint64_t unique, int error, void *body, size_t size)
{
	struct fuse_out_header head = {
		.len = sizeof(head) + size, .error = error, .unique = unique,
	};
	struct iovec parts[] = { { &head, sizeof(head) }, { body, size } };

	return writev(dev, parts, size ? 2 : 1) == (ssize_t)head.len ? 0 : -1;
}

static inline int served_notify(struct served *s)
{
	struct fuse_notify_poll_wakeup_out wakeup = { .kh = s->handle };

	return served_say(s->dev, 0, FUSE_NOTIFY_POLL, &wakeup, sizeof(wakeup));
}

/* It becomes ready behind the look, which tells of what it saw. */
static inline int served_look(struct served *s, uint64_t unique, const struct fuse_poll_in *in)
{
	struct fuse_poll_out out = { .revents = s->ready };

	s->handle = in->kh;
	if (s->gone && mprotect(s->gone, 4096, PROT_NONE))
		return -1;
	s->gone = NULL;
	if (s->late) {
		s->late--;
		s->ready = POLLIN;
		if (served_notify(s))
			return -1;
	}
	return served_say(s->dev, unique, 0, &out, sizeof(out));
}

static inline int served_answer(struct served *s, const struct fuse_in_header *in)
{
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION, .max_write = 4096,
	};
	struct fuse_attr_out attr = { .attr = { .ino = 1, .mode = S_IFREG | 0600, .nlink = 1 } };
	struct fuse_open_out opened = {};

	switch (in->opcode) {
	case FUSE_INIT:
		return served_say(s->dev, in->unique, 0, &init, sizeof(init));
	case FUSE_GETATTR:
		return served_say(s->dev, in->unique, 0, &attr, sizeof(attr));
	case FUSE_OPEN:
		return served_say(s->dev, in->unique, 0, &opened, sizeof(opened));
	case FUSE_POLL:
		return served_look(s, in->unique, (const struct fuse_poll_in *)(in + 1));
	case FUSE_FLUSH:
	case FUSE_RELEASE:
		return served_say(s->dev, in->unique, 0, NULL, 0);
	default:
		return served_say(s->dev, in->unique, -EOPNOTSUPP, NULL, 0);
	}
}

/* Until it is unmounted. */
static inline void *served_run(void *arg)
{
	union {
		struct fuse_in_header head;
		char bytes[FUSE_MIN_READ_BUFFER];
	} in;
	struct served *s = arg;

	while (read(s->dev, &in, sizeof(in)) > 0 && !served_answer(s, &in.head))
		;
	s->err = errno;
	return NULL;
}

/* 0 or -1 */
static inline int served_make(struct served *s)
{
	char options[64];

	/* Where it is built in there is nothing to load. Nothing is left when the test dies. */
	if (system("modprobe fuse") || unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -1;
	strcpy(s->path, "/tmp/ioevq.XXXXXX");
	close(mkstemp(s->path));
	s->dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	snprintf(options, sizeof(options), "fd=%d,rootmode=%o,user_id=0,group_id=0", s->dev,
		 S_IFREG | 0600);
	if (mount("none", s->path, "fuse", 0, options) ||
	    pthread_create(&s->server, NULL, served_run, s))
		return -1;
	s->fd = open(s->path, O_RDWR | O_CLOEXEC);
	return s->fd < 0 ? -1 : 0;
}

/* 0, or -1: it is in use, or its server was not well. */
static inline int served_end(struct served *s)
{
	close(s->fd);
	if (umount2(s->path, 0) || pthread_join(s->server, NULL))
		return -1;
	close(s->dev);
	unlink(s->path);
	return s->err == ENODEV ? 0 : -1;
}

#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Laws 2 and 5 of a file that takes its time to be polled: that of a file system in user space,
 * which becomes ready when it was looked at, and before the look is over.
 */
#include <linux/fuse.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "readiness.h"

#define WATCH	1

/* The file system has one file: its root. */
FIXTURE(served)
{
	struct ioevq q;
	char path[32];
	int fd;			/* the file, or -1 */
	int dev;		/* its server's end */
	pthread_t server;
	unsigned int ready;	/* for what it is ready */
	unsigned int late;	/* how many looks are told of what was before */
	uint64_t handle;	/* of the file, as the kernel names it in a look */
	int err;		/* the errno of the server */
};

FIXTURE_VARIANT(served)
{
	unsigned int mode;
};

FIXTURE_VARIANT_ADD(served, edge) { IOEVQ_POLL_EDGE };
FIXTURE_VARIANT_ADD(served, level) { IOEVQ_POLL_LEVEL };
FIXTURE_VARIANT_ADD(served, dispatch) { IOEVQ_POLL_DISPATCH };

/* error: an errno, or of a notice (which answers nothing) its kind. */
static int say(int dev, uint64_t unique, int error, void *body, size_t size)
{
	struct fuse_out_header head = {
		.len = sizeof(head) + size, .error = error, .unique = unique,
	};
	struct iovec parts[] = { { &head, sizeof(head) }, { body, size } };

	return writev(dev, parts, size ? 2 : 1) == (ssize_t)head.len ? 0 : -1;
}

static int notify(struct _test_data_served *self)
{
	struct fuse_notify_poll_wakeup_out wakeup = { .kh = self->handle };

	return say(self->dev, 0, FUSE_NOTIFY_POLL, &wakeup, sizeof(wakeup));
}

/* It becomes ready behind the look, which tells of what it saw. */
static int answer_poll(struct _test_data_served *self, uint64_t unique,
		       const struct fuse_poll_in *in)
{
	struct fuse_poll_out out = { .revents = self->ready };

	self->handle = in->kh;
	if (self->late) {
		self->late--;
		self->ready = POLLIN;
		if (notify(self))
			return -1;
	}
	return say(self->dev, unique, 0, &out, sizeof(out));
}

static int answer(struct _test_data_served *self, const struct fuse_in_header *in)
{
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION, .max_write = 4096,
	};
	struct fuse_attr_out attr = { .attr = { .ino = 1, .mode = S_IFREG | 0600, .nlink = 1 } };
	struct fuse_open_out opened = {};

	switch (in->opcode) {
	case FUSE_INIT:
		return say(self->dev, in->unique, 0, &init, sizeof(init));
	case FUSE_GETATTR:
		return say(self->dev, in->unique, 0, &attr, sizeof(attr));
	case FUSE_OPEN:
		return say(self->dev, in->unique, 0, &opened, sizeof(opened));
	case FUSE_POLL:
		return answer_poll(self, in->unique, (const struct fuse_poll_in *)(in + 1));
	case FUSE_RELEASE:
		return say(self->dev, in->unique, 0, NULL, 0);
	default:
		return say(self->dev, in->unique, -ENOSYS, NULL, 0);
	}
}

/* Until it is unmounted. */
static void *serve(void *arg)
{
	union {
		struct fuse_in_header head;
		char bytes[FUSE_MIN_READ_BUFFER];
	} in;
	struct _test_data_served *self = arg;

	while (read(self->dev, &in, sizeof(in)) > 0 && !answer(self, &in.head))
		;
	self->err = errno;
	return NULL;
}

FIXTURE_SETUP(served)
{
	char options[64];

	/* Where it is built in there is nothing to load. */
	ASSERT_EQ(0, system("modprobe fuse"));
	ASSERT_EQ(0, ioevq_open(&self->q, 16, 0));
	/* Nothing is left when the test dies. */
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	strcpy(self->path, "/tmp/ioevq.XXXXXX");
	close(mkstemp(self->path));
	self->dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->dev);
	snprintf(options, sizeof(options), "fd=%d,rootmode=%o,user_id=0,group_id=0", self->dev,
		 S_IFREG | 0600);
	ASSERT_EQ(0, mount("none", self->path, "fuse", 0, options));
	ASSERT_EQ(0, pthread_create(&self->server, NULL, serve, self));
	self->fd = open(self->path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(served)
{
	(void)variant;
	ioevq_close(&self->q);
	close(self->fd);
	EXPECT_EQ(0, umount2(self->path, 0));
	EXPECT_EQ(0, pthread_join(self->server, NULL));
	EXPECT_EQ(ENODEV, self->err);
	close(self->dev);
	unlink(self->path);
}

/* The order of these tests is that of a watch's life: it is added, ... */
TEST_F(served, law_05_ready_while_it_is_added)
{
	self->late = 1;
	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, variant->mode, WATCH));
	EXPECT_EQ(0, self->late);
	EXPECT_EQ(POLLIN, announced(&self->q, WATCH));
}

/* ... a consumer looks at its file, since who wakes it does not say what it is ready for, ... */
TEST_F(served, law_05_ready_during_a_look)
{
	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, variant->mode, WATCH));
	ASSERT_TRUE(quiet(&self->q));
	self->late = 1;
	ASSERT_EQ(0, notify(self));
	EXPECT_EQ(POLLIN, announced(&self->q, WATCH));
	EXPECT_EQ(0, self->late);
}

/* ... and it is changed. */
TEST_F(served, law_05_ready_during_a_change)
{
	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, variant->mode, WATCH));
	ASSERT_TRUE(quiet(&self->q));
	self->late = 1;
	ASSERT_EQ(0, change(&self->q, self->fd, POLLIN, variant->mode, -1));
	EXPECT_EQ(0, self->late);
	EXPECT_EQ(POLLIN, announced(&self->q, WATCH));
}

/* One that was announced sleeps until it is changed; with what it slept through it is not armed. */
TEST_F(served, law_05_ready_while_it_is_armed_again)
{
	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, variant->mode, WATCH));
	self->ready = POLLIN;
	ASSERT_EQ(0, notify(self));
	ASSERT_EQ(POLLIN, announced(&self->q, WATCH));
	self->ready = 0;
	ASSERT_TRUE(nothing(&self->q));
	self->late = 1;
	ASSERT_EQ(0, change(&self->q, self->fd, POLLIN, variant->mode, WATCH + 1));
	EXPECT_EQ(0, self->late);
	EXPECT_EQ(POLLIN, announced(&self->q, WATCH + 1));
	/* It is told of once, but for who asks for more. */
	EXPECT_EQ(variant->mode == IOEVQ_POLL_LEVEL ? 1 : 0,
		  ioevq_wait(&self->q, &(struct ioevq_event){}, 1, 1, 0));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/* Law 14: structures of any size, at any address, and what is no ioctl of ours. */
#include <stddef.h>
#include <sys/stat.h>

#include "ioevq_test.h"

#define PAGE	4096U

/* The four ioctls, and the sizes of the first and the current version of their structures. */
static const struct {
	unsigned long cmd;
	__u32 size;
	__u32 now;
	int answers;
} ioctls[] = {
	{ IOEVQ_IOC_INFO, 96, 120, 1 },
	{ IOEVQ_IOC_SETUP, 40, 40, 1 },
	{ IOEVQ_IOC_ENTER, 56, 72, 1 },
	{ IOEVQ_IOC_CONTROL, 16, 24, 0 },
};

FIXTURE(abi)
{
	int fd;
	char *buf;	/* two pages, the next one is out of bounds */
	char *end;
};

FIXTURE_SETUP(abi)
{
	self->fd = open("/dev/ioevq", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	self->buf = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	ASSERT_NE(MAP_FAILED, self->buf);
	self->end = self->buf + 2 * PAGE;
	ASSERT_EQ(0, mprotect(self->end, PAGE, PROT_NONE));
}

FIXTURE_TEARDOWN(abi)
{
	munmap(self->buf, 3 * PAGE);
	close(self->fd);
}

/* A structure that the ioctl accepts, at the address p. */
static void *good(unsigned int i, void *p)
{
	memset(p, 0, ioctls[i].size);
	*(__u32 *)p = ioctls[i].size;
	if (ioctls[i].cmd == IOEVQ_IOC_CONTROL) {
		((struct ioevq_control *)p)->cmd = IOEVQ_CONTROL_RESTRICT;
		((struct ioevq_control *)p)->arg = ~0ULL;
	}
	return p;
}

static int call(int fd, unsigned long cmd, void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

static int call_sized(int fd, unsigned int i, void *p, __u32 size)
{
	*(__u32 *)p = size;
	return call(fd, ioctls[i].cmd, p);
}

TEST(law_14_layout)
{
#define FIELD(_type, _field, _offset) EXPECT_EQ(_offset, offsetof(struct _type, _field))

	EXPECT_EQ(64, sizeof(struct ioevq_req));
	FIELD(ioevq_req, op, 0);
	FIELD(ioevq_req, flags, 2);
	FIELD(ioevq_req, fd, 4);
	FIELD(ioevq_req, user_data, 8);
	FIELD(ioevq_req, addr, 16);
	FIELD(ioevq_req, off, 24);
	FIELD(ioevq_req, len, 32);
	FIELD(ioevq_req, op_flags, 40);
	FIELD(ioevq_req, op_arg, 44);
	FIELD(ioevq_req, buf_index, 48);
	FIELD(ioevq_req, __reserved, 52);

	EXPECT_EQ(32, sizeof(struct ioevq_event));
	FIELD(ioevq_event, user_data, 0);
	FIELD(ioevq_event, res, 8);
	FIELD(ioevq_event, op, 16);
	FIELD(ioevq_event, flags, 20);
	FIELD(ioevq_event, data, 24);

	EXPECT_EQ(IOEVQ_RING_EVENTS, sizeof(struct ioevq_ring));
	EXPECT_EQ(128, IOEVQ_RING_EVENTS);
	FIELD(ioevq_ring, tail, 0);
	FIELD(ioevq_ring, flags, 8);
	FIELD(ioevq_ring, entries, 12);
	FIELD(ioevq_ring, head, 64);

	EXPECT_EQ(ioctls[0].now, sizeof(struct ioevq_info));
	FIELD(ioevq_info, features, 16);
	FIELD(ioevq_info, req_flags, 32);
	FIELD(ioevq_info, default_entries, 48);
	FIELD(ioevq_info, entries, 64);
	FIELD(ioevq_info, available, 72);
	FIELD(ioevq_info, wakeups, 88);
	FIELD(ioevq_info, concurrency, 96);
	FIELD(ioevq_info, runnable, 100);
	FIELD(ioevq_info, waiting, 104);
	FIELD(ioevq_info, buffers, 108);
	FIELD(ioevq_info, events, 112);

	EXPECT_EQ(ioctls[1].now, sizeof(struct ioevq_setup));
	FIELD(ioevq_setup, entries, 8);
	FIELD(ioevq_setup, concurrency, 12);
	FIELD(ioevq_setup, ops, 16);
	FIELD(ioevq_setup, ring_size, 24);
	FIELD(ioevq_setup, ring_offset, 32);

	EXPECT_EQ(ioctls[2].now, sizeof(struct ioevq_enter));
	FIELD(ioevq_enter, reqs, 8);
	FIELD(ioevq_enter, nr_reqs, 16);
	FIELD(ioevq_enter, submitted, 20);
	FIELD(ioevq_enter, events, 24);
	FIELD(ioevq_enter, min, 32);
	FIELD(ioevq_enter, max, 36);
	FIELD(ioevq_enter, timeout_ns, 40);
	FIELD(ioevq_enter, sigmask, 48);
	FIELD(ioevq_enter, batch_ns, 56);
	FIELD(ioevq_enter, results, 64);

	EXPECT_EQ(ioctls[3].now, sizeof(struct ioevq_control));
	FIELD(ioevq_control, cmd, 4);
	FIELD(ioevq_control, arg, 8);
	FIELD(ioevq_control, nr, 16);

	EXPECT_EQ(16, sizeof(struct ioevq_buffer));
	FIELD(ioevq_buffer, addr, 0);
	FIELD(ioevq_buffer, len, 8);
}

TEST(law_14_numbers)
{
	EXPECT_EQ(0xe700, IOEVQ_IOC_INFO);
	EXPECT_EQ(0xe701, IOEVQ_IOC_SETUP);
	EXPECT_EQ(0xe702, IOEVQ_IOC_ENTER);
	EXPECT_EQ(0xe703, IOEVQ_IOC_CONTROL);
	EXPECT_EQ(12, IOEVQ_OP__COUNT);
	EXPECT_EQ(65536, IOEVQ_MAX_BATCH);
}

TEST_F(abi, law_14_no_such_ioctl)
{
	static const unsigned long cmds[] = {
		0, 3, _IO(IOEVQ_TYPE, 4), _IO(IOEVQ_TYPE, 255), _IO(IOEVQ_TYPE - 1, 0),
		_IO(IOEVQ_TYPE + 1, 0), _IOR(IOEVQ_TYPE, 0, struct ioevq_info),
		_IOW(IOEVQ_TYPE, 2, struct ioevq_enter), _IOWR(IOEVQ_TYPE, 2, struct ioevq_enter),
		0x5401 /* TCGETS */, 0xffffffffUL,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		EXPECT_EQ(-ENOTTY, call(self->fd, cmds[i], good(0, self->buf)))
			TH_LOG("ioctl %lx", cmds[i]);
	}
}

TEST_F(abi, law_14_short_structures)
{
	unsigned int i, size;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++) {
		for (size = 0; size < ioctls[i].size; size++) {
			EXPECT_EQ(-EINVAL, call_sized(self->fd, i, good(i, self->buf), size))
				TH_LOG("ioctl %u, size %u", i, size);
		}
		EXPECT_EQ(0, call(self->fd, ioctls[i].cmd, good(i, self->buf)));
	}
}

TEST_F(abi, law_14_longer_structures)
{
	unsigned int i, size;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++) {
		int fd = open("/dev/ioevq", O_RDWR);

		memset(self->buf, 0, 2 * PAGE);
		size = ioctls[i].now;
		good(i, self->buf);
		EXPECT_EQ(-E2BIG, call_sized(fd, i, self->buf, PAGE + 1));
		EXPECT_EQ(-E2BIG, call_sized(fd, i, self->buf, 2 * PAGE));
		EXPECT_EQ(-E2BIG, call_sized(fd, i, self->buf, UINT32_MAX));
		/* Unknown fields, the first and the last byte of them. */
		self->buf[size] = 1;
		EXPECT_EQ(-E2BIG, call_sized(fd, i, self->buf, size + 1));
		EXPECT_EQ(-E2BIG, call_sized(fd, i, self->buf, PAGE));
		self->buf[size] = 0;
		self->buf[PAGE - 1] = 0x80;
		EXPECT_EQ(-E2BIG, call_sized(fd, i, self->buf, PAGE));
		EXPECT_EQ(PAGE, *(__u32 *)self->buf);
		/* Zero they are no obstacle; a queue is set up once, so try one. */
		EXPECT_EQ(0, call_sized(fd, i, self->buf, PAGE - 1));
		EXPECT_EQ((char)0x80, self->buf[PAGE - 1]);
		close(fd);

		fd = open("/dev/ioevq", O_RDWR);
		memset(self->buf, 0, 2 * PAGE);
		good(i, self->buf);
		EXPECT_EQ(0, call_sized(fd, i, self->buf, PAGE));
		close(fd);
	}
}

/* What was done is told to who knows an older structure or a newer one, too. */
TEST_F(abi, law_14_answers_in_structures_of_any_size)
{
	static const __u32 sizes[] = { 56, 64, 72, 80, PAGE };
	struct ioevq q = { .fd = self->fd };
	struct ioevq_enter *enter = (void *)self->buf;
	struct ioevq_req reqs[3] = {
		{ .op = IOEVQ_OP_NOP, .fd = -1 }, { .op = IOEVQ_OP_NOP, .fd = -1 },
		{ .op = IOEVQ_OP__COUNT, .fd = -1 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		enter->reqs = (uintptr_t)reqs;
		enter->nr_reqs = 3;
		EXPECT_EQ(-EOPNOTSUPP, call_sized(self->fd, 2, self->buf, sizes[i]));
		EXPECT_EQ(sizes[i], enter->size);
		EXPECT_EQ(2, enter->submitted);
		EXPECT_EQ(2 * (i + 1), query(&q).available);
		enter->nr_reqs = 0;
		EXPECT_EQ(2 * ((int)i + 1), call_sized(self->fd, 2, self->buf, sizes[i]));
		EXPECT_EQ(0, enter->submitted);
	}
}

TEST_F(abi, law_14_bad_addresses)
{
	char *const unmapped[] = {
		NULL, (char *)1, self->end, self->end + 100, (char *)-1, (char *)-8, (char *)-4096,
#ifdef __x86_64__
		(char *)0xffff888000000000ULL, (char *)0xffffffff81000000ULL,
		(char *)0x00007ffffffff000ULL, (char *)0x0000800000000000ULL,
		(char *)0x8000000000000000ULL,
#else
		(char *)0xc0000000, (char *)0xffffe000,
#endif
	};
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++) {
		for (j = 0; j < ARRAY_SIZE(unmapped); j++) {
			EXPECT_EQ(-EFAULT, call(self->fd, ioctls[i].cmd, unmapped[j]))
				TH_LOG("ioctl %u, address %p", i, unmapped[j]);
		}

		/* Only the size, or all but the last byte, can be read. */
		*(__u32 *)(self->end - 4) = ioctls[i].size;
		EXPECT_EQ(-EFAULT, call(self->fd, ioctls[i].cmd, self->end - 4));
		good(i, self->buf);
		memcpy(self->end - (ioctls[i].size - 1), self->buf, ioctls[i].size - 1);
		EXPECT_EQ(-EFAULT, call(self->fd, ioctls[i].cmd,
					self->end - (ioctls[i].size - 1)));

		/* It says to be longer than what is mapped of it. */
		good(i, self->end - ioctls[i].size);
		EXPECT_EQ(-EFAULT, call_sized(self->fd, i, self->end - ioctls[i].size,
					      ioctls[i].size + 8));
		EXPECT_EQ(0, call(self->fd, ioctls[i].cmd, good(i, self->end - ioctls[i].size)));
	}
}

/* Nothing happens if there is nowhere to put the answer. */
TEST_F(abi, law_14_read_only_structures)
{
	struct ioevq q = { .fd = self->fd };
	struct ioevq_setup setup = { .size = sizeof(setup) };
	struct ioevq_enter *enter;
	struct ioevq_req req;
	unsigned int i;

	ioevq_prep_nop(&req, 1);
	for (i = 0; i < ARRAY_SIZE(ioctls); i++) {
		good(i, self->buf);
		if (ioctls[i].cmd == IOEVQ_IOC_ENTER) {
			enter = (struct ioevq_enter *)self->buf;
			enter->reqs = (uintptr_t)&req;
			enter->nr_reqs = 1;
		}
		ASSERT_EQ(0, mprotect(self->buf, PAGE, PROT_READ));
		EXPECT_EQ(ioctls[i].answers ? -EFAULT : 0,
			  call(self->fd, ioctls[i].cmd, self->buf));
		ASSERT_EQ(0, mprotect(self->buf, PAGE, PROT_READ | PROT_WRITE));
	}
	/* Nor if there is room for the first part of it only. */
	enter = (struct ioevq_enter *)(self->end - PAGE - 8);
	good(IOEVQ_IOC_ENTER & 0xff, (char *)enter);
	enter->reqs = (uintptr_t)&req;
	enter->nr_reqs = 1;
	ASSERT_EQ(0, mprotect(self->end - PAGE, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, call(self->fd, IOEVQ_IOC_ENTER, enter));
	ASSERT_EQ(0, mprotect(self->end - PAGE, PAGE, PROT_READ | PROT_WRITE));

	EXPECT_EQ(0, call(self->fd, IOEVQ_IOC_SETUP, &setup));
	EXPECT_EQ(0, query(&q).available);
	EXPECT_EQ(0, query(&q).requests);
}

TEST_F(abi, law_14_it_is_no_stream)
{
	char c = 0;
	int flags;

	/* Less than an event. */
	EXPECT_EQ(-1, read(self->fd, &c, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->fd, &c, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ(ESPIPE, errno);

	flags = fcntl(self->fd, F_GETFL);
	EXPECT_EQ(O_RDWR, flags & O_ACCMODE);
	EXPECT_EQ(0, fcntl(self->fd, F_SETFL, flags | O_NONBLOCK));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd, F_GETFD));
}

TEST_F(abi, law_13_device_mode)
{
	struct stat st;

	ASSERT_EQ(0, stat("/dev/ioevq", &st));
	EXPECT_TRUE(S_ISCHR(st.st_mode));
	EXPECT_EQ(0660, st.st_mode & 07777);
	EXPECT_EQ(0, st.st_uid);
}

/* Every open file is a queue of its own, every duplicate the same one. */
TEST_F(abi, law_04_duplicates_are_one_queue)
{
	struct ioevq q = { .fd = self->fd };
	struct ioevq dup_q = { .fd = dup(self->fd) };
	struct ioevq other = { .fd = open("/dev/ioevq", O_RDWR) };

	ASSERT_LE(0, dup_q.fd);
	ASSERT_LE(0, other.fd);
	ASSERT_EQ(0, ioevq_post(&dup_q, 1, 0, 0));
	EXPECT_EQ(1, query(&q).available);
	EXPECT_EQ(0, query(&other).available);
	ASSERT_EQ(0, close(dup_q.fd));
	EXPECT_EQ(1, query(&q).available);
	close(other.fd);
}

TEST_HARNESS_MAIN

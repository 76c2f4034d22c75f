// SPDX-License-Identifier: GPL-2.0-only
/* READ and WRITE with registered buffers, on every kind of storage. */
#include <limits.h>

#include "fixed.h"

#define SIZE	(2L << 20)
#define BLOCK	512L

FIXTURE(fixed)
{
	struct ioevq q;
	struct store s;
	char *buf;		/* SIZE, registered as buffer 1 */
	char *small;		/* not registered */
};

FIXTURE_VARIANT(fixed)
{
	enum store_kind kind;
	int flags;
};

FIXTURE_VARIANT_ADD(fixed, tmpfs) {
	.kind = STORE_TMPFS,
};

FIXTURE_VARIANT_ADD(fixed, ext4) {
	.kind = STORE_EXT4,
};

FIXTURE_VARIANT_ADD(fixed, ext4_direct) {
	.kind = STORE_EXT4, .flags = O_DIRECT
};

FIXTURE_VARIANT_ADD(fixed, loop) {
	.kind = STORE_LOOP,
};

FIXTURE_VARIANT_ADD(fixed, loop_direct) {
	.kind = STORE_LOOP, .flags = O_DIRECT
};

FIXTURE_VARIANT_ADD(fixed, ram) {
	.kind = STORE_RAM,
};

FIXTURE_VARIANT_ADD(fixed, ram_direct) {
	.kind = STORE_RAM, .flags = O_DIRECT
};

FIXTURE_SETUP(fixed)
{
	struct ioevq_buffer buffers[2];

	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, store_make(&self->s, variant->kind, variant->flags));
	self->buf = pages(SIZE);
	self->small = pages(16 * PAGE);
	ASSERT_NE(NULL, self->buf);
	ASSERT_NE(NULL, self->small);
	buffers[0] = (struct ioevq_buffer){ (uintptr_t)self->small, 3 };
	buffers[1] = (struct ioevq_buffer){ (uintptr_t)self->buf, SIZE };
	ASSERT_EQ(0, ioevq_register_buffers(&self->q, buffers, 2));
}

FIXTURE_TEARDOWN(fixed)
{
	(void)variant;
	EXPECT_EQ(0, requests(&self->q));
	EXPECT_TRUE(quiet(&self->q));
	store_end(&self->s);
	ioevq_close(&self->q);
	EXPECT_EQ(0, pinned());
}

static int in_parts_fixed(const struct ioevq *q, unsigned int op, int fd, char *buf, size_t size,
			  unsigned int nr, unsigned int buf_index)
{
	struct ioevq_req whole;

	ioevq_prep_write_fixed(&whole, fd, buf, size, 0, buf_index, 0);
	whole.op = (uint16_t)op;
	return split(q, &whole, nr);
}

TEST_F_TIMEOUT(fixed, what_is_written_is_read, 600)
{
	char *buf = self->buf;
	int fd = self->s.fd, plain;

	pattern(buf, SIZE, 0, 1);
	ASSERT_EQ(0, in_parts_fixed(&self->q, IOEVQ_OP_WRITE, fd, buf, SIZE, 64, 1));
	memset(buf, 0, SIZE);
	plain = open(self->s.file, O_RDONLY);
	ASSERT_LE(0, plain);
	ASSERT_EQ(SIZE, pread(plain, buf, SIZE, 0));
	EXPECT_TRUE(is_pattern(buf, SIZE, 0, 1));
	close(plain);
	memset(buf, 0, SIZE);
	ASSERT_EQ(0, in_parts_fixed(&self->q, IOEVQ_OP_READ, fd, buf, SIZE, 64, 1));
	EXPECT_TRUE(is_pattern(buf, SIZE, 0, 1));
	memset(buf, 0, SIZE);
	ASSERT_EQ(0, store_cool(&self->s));
	ASSERT_EQ(0, in_parts_fixed(&self->q, IOEVQ_OP_READ, fd, buf, SIZE, 64, 1));
	EXPECT_TRUE(is_pattern(buf, SIZE, 0, 1));
	/* And all at once, in part from the cache. */
	memset(buf, 0, SIZE);
	ASSERT_EQ(0, store_cool(&self->s));
	ASSERT_EQ(PAGE, pread(fd, self->small, PAGE, SIZE / 2));
	ASSERT_EQ(SIZE, read_fixed(&self->q, fd, buf, SIZE, 0, 1));
	EXPECT_TRUE(is_pattern(buf, SIZE, 0, 1));
}

TEST_F(fixed, law_14_at_the_ends)
{
	static const struct {
		long at, len;
		int64_t want;
	} cases[] = {
		{ 0, SIZE, SIZE },		{ 0, SIZE + 1, -EFAULT },
		{ 0, SIZE + BLOCK, -EFAULT },	{ -BLOCK, BLOCK, -EFAULT },
		{ -1, 1, -EFAULT },		{ -1, 0, -EFAULT },
		{ -BLOCK, SIZE, -EFAULT },	{ 0, 0, 0 },
		{ SIZE, 0, 0 },			{ SIZE + 1, 0, -EFAULT },
		{ SIZE, 1, -EFAULT },		{ SIZE - BLOCK, BLOCK, BLOCK },
		{ SIZE - BLOCK, 2 * BLOCK, -EFAULT },
		{ BLOCK, SIZE - BLOCK, SIZE - BLOCK },
		{ BLOCK, SIZE, -EFAULT },	{ BLOCK, LONG_MAX, -EFAULT },
	};
	char *buf = self->buf;
	unsigned int i;

	pattern(buf, SIZE, 0, 1);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		EXPECT_EQ(cases[i].want, write_fixed(&self->q, self->s.fd, buf + cases[i].at,
						     cases[i].len, 0, 1))
			TH_LOG("case %u", i);
		EXPECT_EQ(cases[i].want, read_fixed(&self->q, self->s.fd, buf + cases[i].at,
						    cases[i].len, 0, 1))
			TH_LOG("case %u", i);
	}
}

/* Nothing is touched but what was asked for. */
TEST_F_TIMEOUT(fixed, exactly_there, 600)
{
	static const long ats[] = { 0, BLOCK, PAGE - BLOCK, PAGE, 5 * PAGE + BLOCK };
	static const long lens[] = { BLOCK, PAGE, PAGE + BLOCK, 8 * PAGE };
	char *buf = self->buf;
	unsigned int i, j;
	long k, bad;

	pattern(buf, SIZE, 0, 1);
	ASSERT_EQ(SIZE, write_fixed(&self->q, self->s.fd, buf, SIZE, 0, 1));
	for (i = 0; i < ARRAY_SIZE(ats) * ARRAY_SIZE(lens); i++) {
		long at = ats[i / ARRAY_SIZE(lens)], len = lens[i % ARRAY_SIZE(lens)];

		memset(buf, 0x5a, 16 * PAGE);
		ASSERT_EQ(len, read_fixed(&self->q, self->s.fd, buf + at, len, BLOCK, 1));
		EXPECT_TRUE(is_pattern(buf + at, len, BLOCK, 1));
		memset(buf + at, 0x5a, len);
		for (k = 0, bad = 0; k < 16 * PAGE; k++)
			bad += buf[k] != 0x5a;
		EXPECT_EQ(0, bad)
			TH_LOG("%ld bytes at %ld", len, at);
	}
	if (variant->flags & O_DIRECT)
		return;
	/* To the byte, where the page cache is in between. */
	for (j = 1; j < 10; j++) {
		memset(buf, 0x5a, 4 * PAGE);
		ASSERT_EQ(PAGE, read_fixed(&self->q, self->s.fd, buf + j, PAGE, 0, 1));
		EXPECT_EQ(0x5a, buf[j - 1]);
		EXPECT_EQ(0x5a, buf[j + PAGE]);
		memmove(buf, buf + j, PAGE);
		EXPECT_TRUE(is_pattern(buf, PAGE, 0, 1));
	}
	EXPECT_EQ(3, read_fixed(&self->q, self->s.fd, self->small, 3, 0, 0));
	EXPECT_EQ(-EFAULT, read_fixed(&self->q, self->s.fd, self->small, 4, 0, 0));
	EXPECT_EQ(-EFAULT, read_fixed(&self->q, self->s.fd, buf, 3, 0, 0));
}

/* Memory whose pages are neighbours, and such where none is. */
static char *memory(int kind)
{
	int fd = memfd_create("memory", MFD_CLOEXEC);
	char *p;
	long i;

	if (kind == 0) {
		/* A huge page, if there is one to have. */
		p = pages(2 * SIZE);
		p = (char *)(((uintptr_t)p + SIZE - 1) & -SIZE);
		madvise(p, SIZE, MADV_HUGEPAGE);
		close(fd);
		return p;
	}
	p = pages(SIZE);
	if (ftruncate(fd, 2 * SIZE))
		return NULL;
	for (i = 0; i < SIZE / PAGE; i++) {
		/* Backwards, or each pair of them. */
		long at = kind == 1 ? SIZE / PAGE - i : i ^ 1;

		if (mmap(p + i * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			 at * PAGE) == MAP_FAILED)
			return NULL;
	}
	close(fd);
	return p;
}

TEST_F_TIMEOUT(fixed, memory_in_any_order, 600)
{
	int kind, fd = self->s.fd;
	char *p;

	ASSERT_EQ(0, ioevq_unregister_buffers(&self->q));
	for (kind = 0; kind < 3; kind++) {
		p = memory(kind);
		ASSERT_NE(NULL, p);
		ASSERT_EQ(0, register_one(&self->q, p + BLOCK, SIZE - BLOCK));
		EXPECT_EQ(SIZE / PAGE, pinned());
		pattern(p, SIZE, 0, kind);
		ASSERT_EQ(SIZE - PAGE, write_fixed(&self->q, fd, p + PAGE, SIZE - PAGE, PAGE, 0));
		ASSERT_EQ(PAGE, write_fixed(&self->q, fd, p + BLOCK, PAGE, BLOCK, 0));
		memset(p, 0, SIZE);
		ASSERT_EQ(0, in_parts_fixed(&self->q, IOEVQ_OP_READ, fd, p + PAGE, SIZE / 2, 128,
					    0));
		EXPECT_TRUE(is_pattern(p + PAGE + BLOCK, SIZE / 2 - BLOCK, BLOCK, kind));
		memset(p, 0, SIZE);
		ASSERT_EQ(SIZE - BLOCK,
			  read_fixed(&self->q, fd, p + BLOCK, SIZE - BLOCK, BLOCK, 0));
		EXPECT_TRUE(is_pattern(p + BLOCK, SIZE - BLOCK, BLOCK, kind));
		ASSERT_EQ(0, ioevq_unregister_buffers(&self->q));
		EXPECT_EQ(0, pinned());
	}
}

/* As the system call says of flags, with the memory that is registered. */
TEST_F(fixed, flags_of_the_call)
{
	struct iovec iov = { self->small, PAGE };
	int64_t want;
	struct ioevq_req req;

	pattern(self->buf, SIZE, 0, 1);
	ASSERT_EQ(SIZE, write_fixed(&self->q, self->s.fd, self->buf, SIZE, 0, 1));
	ioevq_prep_read_fixed(&req, self->s.fd, self->buf, PAGE, 0, 1, 1);
	req.op_arg = RWF_NOWAIT;
	ASSERT_EQ(0, store_cool(&self->s));
	want = preadv2(self->s.fd, &iov, 1, 0, RWF_NOWAIT);
	want = want < 0 ? -errno : want;
	ASSERT_EQ(0, store_cool(&self->s));
	EXPECT_EQ(want, outcome(&self->q, &req));
	ioevq_prep_write_fixed(&req, self->s.fd, self->buf, PAGE, 0, 1, 1);
	req.op_arg = RWF_DSYNC;
	EXPECT_EQ(PAGE, outcome(&self->q, &req));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/* READ, WRITE and FSYNC on the file systems that servers use: each has ways of its own. */
#include "store.h"

#define SIZE	(1L << 20)
#define PAGE	4096L
#define FAR	(5LL << 30)

FIXTURE(fs)
{
	struct ioevq q;
	struct store s;
	char *buf;
};

FIXTURE_VARIANT(fs)
{
	enum store_kind kind;
	int flags;
};

FIXTURE_VARIANT_ADD(fs, tmpfs) {
	.kind = STORE_TMPFS,
};

FIXTURE_VARIANT_ADD(fs, ext4) {
	.kind = STORE_EXT4,
};

FIXTURE_VARIANT_ADD(fs, ext4_direct) {
	.kind = STORE_EXT4, .flags = O_DIRECT
};

FIXTURE_VARIANT_ADD(fs, xfs) {
	.kind = STORE_XFS,
};

FIXTURE_VARIANT_ADD(fs, xfs_direct) {
	.kind = STORE_XFS, .flags = O_DIRECT
};

FIXTURE_VARIANT_ADD(fs, btrfs) {
	.kind = STORE_BTRFS,
};

FIXTURE_VARIANT_ADD(fs, btrfs_direct) {
	.kind = STORE_BTRFS, .flags = O_DIRECT
};

FIXTURE_VARIANT_ADD(fs, overlay) {
	.kind = STORE_OVERLAY,
};

FIXTURE_VARIANT_ADD(fs, overlay_direct) {
	.kind = STORE_OVERLAY, .flags = O_DIRECT
};

FIXTURE_SETUP(fs)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 256, 0));
	ASSERT_EQ(0, store_make(&self->s, variant->kind, variant->flags));
	self->buf = pages(SIZE);
	ASSERT_NE(NULL, self->buf);
}

FIXTURE_TEARDOWN(fs)
{
	(void)variant;
	EXPECT_EQ(0, requests(&self->q));
	EXPECT_TRUE(quiet(&self->q));
	store_end(&self->s);
	ioevq_close(&self->q);
}

static int64_t read_at(struct _test_data_fs *self, uint64_t off, size_t len)
{
	struct ioevq_req req;

	ioevq_prep_read(&req, self->s.fd, self->buf, len, off, 1);
	return outcome(&self->q, &req);
}

static int64_t write_at(struct _test_data_fs *self, uint64_t off, size_t len)
{
	struct ioevq_req req;

	ioevq_prep_write(&req, self->s.fd, self->buf, len, off, 1);
	return outcome(&self->q, &req);
}

static bool all_zero(const char *buf, size_t len)
{
	return !buf[0] && !memcmp(buf, buf + 1, len - 1);
}

TEST_F_TIMEOUT(fs, what_is_written_is_read, 300)
{
	struct ioevq_req req;

	pattern(self->buf, SIZE, 0, 1);
	ASSERT_EQ(0, in_parts(&self->q, IOEVQ_OP_WRITE, self->s.fd, self->buf, SIZE, 64));
	ioevq_prep_fsync(&req, self->s.fd, 0, 1);
	EXPECT_EQ(0, outcome(&self->q, &req));
	ioevq_prep_fsync(&req, self->s.fd, IOEVQ_FSYNC_DATASYNC, 1);
	EXPECT_EQ(0, outcome(&self->q, &req));
	memset(self->buf, 0, SIZE);
	ASSERT_EQ(0, in_parts(&self->q, IOEVQ_OP_READ, self->s.fd, self->buf, SIZE, 64));
	EXPECT_TRUE(is_pattern(self->buf, SIZE, 0, 1));
	/* Of a cold cache, in parts and in one piece. */
	memset(self->buf, 0, SIZE);
	ASSERT_EQ(0, store_cool(&self->s));
	ASSERT_EQ(0, in_parts(&self->q, IOEVQ_OP_READ, self->s.fd, self->buf, SIZE, 64));
	EXPECT_TRUE(is_pattern(self->buf, SIZE, 0, 1));
	memset(self->buf, 0, SIZE);
	ASSERT_EQ(0, store_cool(&self->s));
	EXPECT_EQ(SIZE, read_at(self, 0, SIZE));
	EXPECT_TRUE(is_pattern(self->buf, SIZE, 0, 1));
	/* The end is where it is. */
	EXPECT_EQ(PAGE, read_at(self, SIZE - PAGE, 4 * PAGE));
	EXPECT_EQ(0, read_at(self, SIZE, PAGE));
	EXPECT_EQ(0, read_at(self, FAR, PAGE));
}

/* Beyond 4 GiB, with nothing before it. */
TEST_F_TIMEOUT(fs, far_and_sparse, 300)
{
	struct stat st;

	ASSERT_EQ(0, ftruncate(self->s.fd, 0));
	pattern(self->buf, PAGE, FAR, 1);
	ASSERT_EQ(PAGE, write_at(self, FAR, PAGE));
	ASSERT_EQ(0, store_cool(&self->s));
	memset(self->buf, 0xff, 4 * PAGE);
	ASSERT_EQ(3 * PAGE, read_at(self, FAR - 2 * PAGE, 4 * PAGE));
	EXPECT_TRUE(all_zero(self->buf, 2 * PAGE));
	EXPECT_TRUE(is_pattern(self->buf + 2 * PAGE, PAGE, FAR, 1));
	memset(self->buf, 0xff, SIZE);
	ASSERT_EQ(SIZE, read_at(self, FAR / 2, SIZE));
	EXPECT_TRUE(all_zero(self->buf, SIZE));
	ASSERT_EQ(0, fstat(self->s.fd, &st));
	EXPECT_EQ(FAR + PAGE, st.st_size);
	EXPECT_GT(SIZE, st.st_blocks * 512);
}

/* In the order of submission, at the end, wherever that is. */
TEST_F_TIMEOUT(fs, law_03_appended_and_synced, 300)
{
	struct ioevq_req req[9];
	struct ioevq_event ev;
	off_t end;
	int i;

	ASSERT_EQ(0, ftruncate(self->s.fd, PAGE));
	for (i = 0; i < 8; i++) {
		pattern(self->buf + i * PAGE, PAGE, 0, i);
		ioevq_prep_write(&req[i], self->s.fd, self->buf + i * PAGE, PAGE, 0, i);
		req[i].op_arg = RWF_APPEND;
		req[i].flags = IOEVQ_REQ_AFTER;
	}
	ioevq_prep_fsync(&req[8], self->s.fd, 0, 8);
	req[8].flags = IOEVQ_REQ_AFTER;
	ASSERT_EQ(9, ioevq_submit(&self->q, req, 9));
	for (i = 0; i < 9; i++) {
		ASSERT_EQ(1, next_event(&self->q, &ev));
		EXPECT_EQ(i, ev.user_data);
		EXPECT_EQ(i < 8 ? PAGE : 0, ev.res);
	}
	end = lseek(self->s.fd, 0, SEEK_END);
	EXPECT_EQ(9 * PAGE, end);
	memset(self->buf, 0, SIZE);
	ASSERT_EQ(8 * PAGE, read_at(self, PAGE, SIZE));
	for (i = 0; i < 8; i++)
		EXPECT_TRUE(is_pattern(self->buf + i * PAGE, PAGE, 0, i));
	/* Where the open file stands. */
	ASSERT_EQ(2 * PAGE, lseek(self->s.fd, 2 * PAGE, SEEK_SET));
	for (i = 1; i < 8; i++) {
		EXPECT_EQ(PAGE, read_at(self, IOEVQ_POSITION, PAGE));
		EXPECT_TRUE(is_pattern(self->buf, PAGE, 0, i));
	}
	EXPECT_EQ(0, read_at(self, IOEVQ_POSITION, PAGE));
}

/* What does not fit direct I/O is refused, or done, just as pread(2) and pwrite(2) say. */
TEST_F_TIMEOUT(fs, alignment, 300)
{
	static const struct {
		unsigned int addr, off, len;
	} odd[] = {
		{ 1, 0, PAGE }, { 0, 1, PAGE }, { 0, 0, 1 }, { 256, 512, 512 }, { 4, 0, PAGE },
		{ 0, 512, PAGE }, { 0, 0, 1000 }, { 0, SIZE - 100, 512 }, { 0, SIZE - 512, PAGE },
	};
	struct ioevq_req req;
	unsigned int i;
	ssize_t want;

	ASSERT_EQ(SIZE, pwrite(self->s.fd, self->buf, SIZE, 0));
	for (i = 0; i < ARRAY_SIZE(odd); i++) {
		want = pread(self->s.fd, self->buf + odd[i].addr, odd[i].len, odd[i].off);
		want = want < 0 ? -errno : want;
		ioevq_prep_read(&req, self->s.fd, self->buf + odd[i].addr, odd[i].len, odd[i].off,
				1);
		EXPECT_EQ(want, outcome(&self->q, &req))
			TH_LOG("read %u", i);
		want = pwrite(self->s.fd, self->buf + odd[i].addr, odd[i].len, odd[i].off);
		want = want < 0 ? -errno : want;
		ioevq_prep_write(&req, self->s.fd, self->buf + odd[i].addr, odd[i].len,
				 odd[i].off, 1);
		EXPECT_EQ(want, outcome(&self->q, &req))
			TH_LOG("write %u", i);
	}
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/* READ, WRITE and FSYNC, on every kind of storage, through the page cache or not. */
#include <sys/uio.h>

#include "store.h"

#define SIZE	(4L << 20)
#define PAGE	4096L

FIXTURE(aio)
{
	struct ioevq q;
	struct store s;
	char *buf;		/* SIZE and a bit more */
};

FIXTURE_VARIANT(aio)
{
	enum store_kind kind;
	int flags;
};

FIXTURE_VARIANT_ADD(aio, tmpfs) {
	.kind = STORE_TMPFS,
};

FIXTURE_VARIANT_ADD(aio, ext4) {
	.kind = STORE_EXT4,
};

FIXTURE_VARIANT_ADD(aio, ext4_direct) {
	.kind = STORE_EXT4, .flags = O_DIRECT
};

FIXTURE_VARIANT_ADD(aio, loop) {
	.kind = STORE_LOOP,
};

FIXTURE_VARIANT_ADD(aio, loop_direct) {
	.kind = STORE_LOOP, .flags = O_DIRECT
};

FIXTURE_VARIANT_ADD(aio, ram) {
	.kind = STORE_RAM,
};

FIXTURE_VARIANT_ADD(aio, ram_direct) {
	.kind = STORE_RAM, .flags = O_DIRECT
};

FIXTURE_SETUP(aio)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, store_make(&self->s, variant->kind, variant->flags));
	self->buf = pages(SIZE + 16 * PAGE);
	ASSERT_NE(NULL, self->buf);
}

FIXTURE_TEARDOWN(aio)
{
	(void)variant;
	EXPECT_EQ(0, requests(&self->q));
	EXPECT_TRUE(quiet(&self->q));
	store_end(&self->s);
	ioevq_close(&self->q);
}

static bool is_file(enum store_kind kind)
{
	return kind == STORE_TMPFS || kind == STORE_EXT4;
}

TEST_F_TIMEOUT(aio, what_is_written_is_read, 600)
{
	char *buf = self->buf;
	int fd = self->s.fd, plain;
	struct ioevq_req req;

	pattern(buf, SIZE, 0, 1);
	ASSERT_EQ(0, in_parts(&self->q, IOEVQ_OP_WRITE, fd, buf, SIZE, 256));
	ioevq_prep_fsync(&req, fd, IOEVQ_FSYNC_DATASYNC, 1);
	EXPECT_EQ(0, outcome(&self->q, &req));
	ioevq_prep_fsync(&req, fd, 0, 1);
	EXPECT_EQ(0, outcome(&self->q, &req));

	/* By system call, and by us: at once, and of a cold cache. */
	memset(buf, 0, SIZE);
	plain = open(self->s.file, O_RDONLY);
	ASSERT_LE(0, plain);
	ASSERT_EQ(SIZE, pread(plain, buf, SIZE, 0));
	EXPECT_TRUE(is_pattern(buf, SIZE, 0, 1));
	close(plain);
	memset(buf, 0, SIZE);
	ASSERT_EQ(0, in_parts(&self->q, IOEVQ_OP_READ, fd, buf, SIZE, 256));
	EXPECT_TRUE(is_pattern(buf, SIZE, 0, 1));
	memset(buf, 0, SIZE);
	ASSERT_EQ(0, store_cool(&self->s));
	ASSERT_EQ(0, in_parts(&self->q, IOEVQ_OP_READ, fd, buf, SIZE, 256));
	EXPECT_TRUE(is_pattern(buf, SIZE, 0, 1));
}

/* What the cache has not, or has in part, is no reason to be short. */
TEST_F_TIMEOUT(aio, a_long_request_is_done_in_full, 600)
{
	struct ioevq_req write, read;
	char *buf = self->buf;
	int i;

	ioevq_prep_write(&write, self->s.fd, buf, SIZE, PAGE, 1);
	ioevq_prep_read(&read, self->s.fd, buf, SIZE, PAGE, 2);
	for (i = 0; i < 3; i++) {
		pattern(buf, SIZE, 0, i);
		ASSERT_EQ(SIZE, outcome(&self->q, &write));
		memset(buf, 0, SIZE);
		ASSERT_EQ(0, store_cool(&self->s));
		if (i == 1)
			ASSERT_EQ(PAGE, pread(self->s.fd, buf, PAGE, SIZE / 2));
		ASSERT_EQ(SIZE, outcome(&self->q, &read));
		EXPECT_TRUE(is_pattern(buf, SIZE, 0, i));
	}
}

TEST_F_TIMEOUT(aio, vectors, 600)
{
	struct iovec iov[1025];
	struct ioevq_req req;
	char *buf = self->buf;
	int i;

	for (i = 0; i < 1025; i++)
		iov[i] = (struct iovec) { buf + (i ^ 1) * PAGE, PAGE };
	for (i = 0; i < 1024; i++)
		pattern(iov[i].iov_base, PAGE, i * PAGE, 1);
	ioevq_prep_writev(&req, self->s.fd, iov, 1024, 0, 1);
	ASSERT_EQ(SIZE, outcome(&self->q, &req));
	memset(buf, 0, SIZE);
	ASSERT_EQ(0, store_cool(&self->s));
	/* The vector itself is copied when it is submitted. */
	ioevq_prep_readv(&req, self->s.fd, iov, 1024, 0, 2);
	ASSERT_EQ(0, submit(&self->q, &req));
	memset(iov, 0xff, sizeof(iov));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 2, SIZE);
	for (i = 0; i < 1024; i++)
		EXPECT_TRUE(is_pattern(buf + (i ^ 1) * PAGE, PAGE, i * PAGE, 1));

	ioevq_prep_readv(&req, self->s.fd, iov, 1025, 0, 2);
	EXPECT_EQ(-EINVAL, submit(&self->q, &req));
	ioevq_prep_readv(&req, self->s.fd, iov, 1, 0, 2);
	EXPECT_EQ(-EINVAL, submit(&self->q, &req));
	ioevq_prep_readv(&req, self->s.fd, NULL, 1, 0, 2);
	EXPECT_EQ(-EFAULT, submit(&self->q, &req));
	ioevq_prep_readv(&req, self->s.fd, NULL, 5, 0, 2);
	EXPECT_EQ(-EFAULT, submit(&self->q, &req));
	/* Of the kernel's memory one is enough; nobody's is found out by the I/O. */
	iov[0] = (struct iovec) { buf, PAGE };
	iov[1] = (struct iovec) { (void *)-PAGE, PAGE };
	ioevq_prep_readv(&req, self->s.fd, iov, 2, 0, 2);
	if (sizeof(long) == 8)
		EXPECT_EQ(-EFAULT, submit(&self->q, &req));
	iov[0].iov_base = NULL;
	ioevq_prep_readv(&req, self->s.fd, iov, 1, 0, 2);
	EXPECT_EQ(-EFAULT, outcome(&self->q, &req));
	ioevq_prep_readv(&req, self->s.fd, iov, 0, 0, 2);
	EXPECT_EQ(0, outcome(&self->q, &req));
}

/* Is each word of it from one of the first @n pages? */
static bool is_mixed(const char *buf, unsigned int n)
{
	const uint64_t *word = (const uint64_t *)buf;
	unsigned int i, k;

	for (i = 0; i < PAGE / 8; i++) {
		for (k = 0; k < n && word[i] != pattern_at(k * PAGE + 8 * i, 1); k++)
			;
		if (k == n)
			return false;
	}
	return true;
}

/* One page for many: what it has is theirs. */
TEST_F(aio, buffers_that_overlap)
{
	struct iovec iov[4];
	struct ioevq_req req;
	char *buf = self->buf;
	int i;

	for (i = 0; i < 4; i++) {
		pattern(buf, PAGE, i * PAGE, 1);
		ASSERT_EQ(PAGE, pwrite(self->s.fd, buf, PAGE, i * PAGE));
		iov[i] = (struct iovec) { buf, PAGE };
	}
	ASSERT_EQ(0, store_cool(&self->s));
	memset(buf, 0, PAGE);
	ioevq_prep_readv(&req, self->s.fd, iov, 4, 0, 1);
	EXPECT_EQ(4 * PAGE, outcome(&self->q, &req));
	EXPECT_TRUE(is_mixed(buf, 4));
	memset(buf, 0, PAGE);
	for (i = 0; i < 4; i++) {
		ioevq_prep_read(&req, self->s.fd, buf, PAGE, i * PAGE, 1);
		ASSERT_EQ(0, submit(&self->q, &req));
	}
	for (i = 0; i < 4; i++)
		EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, PAGE);
	EXPECT_TRUE(is_mixed(buf, 4));
}

TEST_F(aio, short_at_the_end)
{
	off_t end = is_file(variant->kind) ? (off_t)SIZE : lseek(self->s.fd, 0, SEEK_END);
	struct ioevq_req req;

	ASSERT_LT(0, end);
	if (is_file(variant->kind))
		ASSERT_EQ(0, ftruncate(self->s.fd, SIZE));
	ioevq_prep_read(&req, self->s.fd, self->buf, 16 * PAGE, end - PAGE, 1);
	EXPECT_EQ(PAGE, outcome(&self->q, &req));
	ioevq_prep_read(&req, self->s.fd, self->buf, 16 * PAGE, end, 1);
	EXPECT_EQ(0, outcome(&self->q, &req));
	ioevq_prep_read(&req, self->s.fd, self->buf, 16 * PAGE, end + PAGE, 1);
	EXPECT_EQ(0, outcome(&self->q, &req));
	ioevq_prep_read(&req, self->s.fd, self->buf, 0, 0, 1);
	EXPECT_EQ(0, outcome(&self->q, &req));
	/* Of a device there is no more; a file grows. */
	ioevq_prep_write(&req, self->s.fd, self->buf, 2 * PAGE, end - PAGE, 1);
	EXPECT_EQ(is_file(variant->kind) ? 2 * PAGE : PAGE, outcome(&self->q, &req));
}

TEST_F(aio, holes)
{
	uint64_t range[2] = { 0, 3 * SIZE };
	struct ioevq_req req;
	char *buf = self->buf;
	size_t i;

	ASSERT_EQ(0, is_file(variant->kind) ? ftruncate(self->s.fd, 3 * SIZE) :
		     ioctl(self->s.fd, BLKZEROOUT, range));
	pattern(buf, PAGE, 0, 1);
	ioevq_prep_write(&req, self->s.fd, buf, PAGE, SIZE / 2, 1);
	ASSERT_EQ(PAGE, outcome(&self->q, &req));
	ASSERT_EQ(0, store_cool(&self->s));
	memset(buf, 0xff, SIZE);
	ioevq_prep_read(&req, self->s.fd, buf, SIZE, 0, 1);
	ASSERT_EQ(SIZE, outcome(&self->q, &req));
	EXPECT_TRUE(is_pattern(buf + SIZE / 2, PAGE, 0, 1));
	memset(buf + SIZE / 2, 0, PAGE);
	for (i = 0; i < SIZE && !buf[i]; i++)
		;
	EXPECT_EQ(SIZE, i);
}

/*
 * What READ says, or preadv2(2) if @q is NULL, of a page that is in memory (@warm) or is not, and
 * is not to be waited for.
 */
static int64_t read_nowait(const struct ioevq *q, struct store *s, void *buf, bool warm)
{
	struct iovec iov = { buf, PAGE };
	struct ioevq_req req;
	int64_t ret;

	if (store_cool(s))
		return INT64_MIN;
	if (warm && pread(s->fd, buf, PAGE, SIZE / 2) != PAGE)
		return INT64_MIN;
	if (q) {
		ioevq_prep_read(&req, s->fd, buf, PAGE, SIZE / 2, 1);
		req.op_arg = RWF_NOWAIT;
		return outcome(q, &req);
	}
	ret = preadv2(s->fd, &iov, 1, SIZE / 2, RWF_NOWAIT);
	return ret < 0 ? -errno : ret;
}

/*
 * The same as the system call says, on a cold cache and on a warm one. Without reading ahead: a
 * page by which the kernel does that is EAGAIN (filemap_readahead()), now here, now there. And
 * where RWF_NOWAIT is not IOCB_NOIO (kiocb_set_rw_flags(), 6.12) a page that is not there is asked
 * for, and may have come before it is looked at: then it is another try that tells.
 */
TEST_F(aio, flags_of_the_call)
{
	int fd = self->s.fd, tries, i;
	struct ioevq_req req;
	int64_t want, got;
	bool came;

	pattern(self->buf, SIZE, 0, 1);
	ASSERT_EQ(SIZE, pwrite(fd, self->buf, SIZE, 0));
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM));
	for (i = 0; i < 2; i++) {
		tries = 0;
		do {
			want = read_nowait(NULL, &self->s, self->buf, i);
			got = read_nowait(&self->q, &self->s, self->buf, i);
			ASSERT_NE(INT64_MIN, want);
			/* Of one it had come meanwhile; anything else that differs is wrong. */
			came = want == PAGE ? got == -EAGAIN : want == -EAGAIN && got == PAGE;
		} while (!i && came && ++tries < 10);
		EXPECT_EQ(want, got)
			TH_LOG("%s read(2) before", i ? "with" : "without");
	}

	ioevq_prep_write(&req, fd, self->buf, PAGE, 0, 1);
	req.op_arg = RWF_DSYNC;
	EXPECT_EQ(PAGE, outcome(&self->q, &req));
	req.op_arg = RWF_SYNC;
	EXPECT_EQ(PAGE, outcome(&self->q, &req));
	req.op_arg = RWF_HIPRI;
	EXPECT_EQ(-EOPNOTSUPP, submit(&self->q, &req));
	req.op_arg = 1U << 31;
	EXPECT_EQ(-EOPNOTSUPP, submit(&self->q, &req));
	if (!is_file(variant->kind))
		return;
	pattern(self->buf, PAGE, 0, 2);
	req.op_arg = RWF_APPEND;
	EXPECT_EQ(PAGE, outcome(&self->q, &req));
	EXPECT_EQ(SIZE + PAGE, lseek(fd, 0, SEEK_END));
	memset(self->buf, 0, PAGE);
	EXPECT_EQ(PAGE, pread(fd, self->buf, PAGE, SIZE));
	EXPECT_TRUE(is_pattern(self->buf, PAGE, 0, 2));
}

/* The same as pread(2) says of memory that is there in part, or not at all. */
TEST_F(aio, memory_that_is_not_there)
{
	struct ioevq_req read, write;
	char *hole = self->buf + PAGE;
	int fd = self->s.fd, want;

	pattern(self->buf, SIZE, 0, 1);
	ASSERT_EQ(SIZE, pwrite(fd, self->buf, SIZE, 0));
	ASSERT_EQ(0, munmap(hole, 15 * PAGE));
	ioevq_prep_read(&read, fd, hole, PAGE, 0, 1);
	ioevq_prep_write(&write, fd, hole, PAGE, 0, 1);
	EXPECT_EQ(-EFAULT, outcome(&self->q, &read));
	EXPECT_EQ(-EFAULT, outcome(&self->q, &write));
	read.addr = 0;
	EXPECT_EQ(-EFAULT, outcome(&self->q, &read));
	read.addr = 1ULL << 63;
	EXPECT_EQ(-EFAULT, outcome(&self->q, &read));
	write.addr = -PAGE;
	EXPECT_EQ(-EFAULT, outcome(&self->q, &write));

	/* Memory to read only can be written, and not be read into. */
	ASSERT_EQ(0, mprotect(self->buf, PAGE, PROT_READ));
	ioevq_prep_read(&read, fd, self->buf, PAGE, 0, 1);
	EXPECT_EQ(-EFAULT, outcome(&self->q, &read));
	EXPECT_TRUE(is_pattern(self->buf, PAGE, 0, 1));
	ioevq_prep_write(&write, fd, self->buf, PAGE, 0, 1);
	EXPECT_EQ(PAGE, outcome(&self->q, &write));
	ASSERT_EQ(0, mprotect(self->buf, PAGE, PROT_READ | PROT_WRITE));

	want = pread(fd, self->buf, 4 * PAGE, 0);
	want = want < 0 ? -errno : want;
	ioevq_prep_read(&read, fd, self->buf, 4 * PAGE, 0, 1);
	EXPECT_EQ(want, outcome(&self->q, &read));
}

/* Memory that goes away meanwhile is the program's own loss, and an event comes. */
TEST_F_TIMEOUT(aio, memory_that_goes_away, 300)
{
	struct ioevq_event ev;
	struct ioevq_req req;
	char *buf;
	int i, j;

	pattern(self->buf, SIZE, 0, 1);
	ASSERT_EQ(SIZE, pwrite(self->s.fd, self->buf, SIZE, 0));
	for (j = 0; j < 5; j++) {
		buf = pages(SIZE);
		ASSERT_NE(NULL, buf);
		ASSERT_EQ(0, store_cool(&self->s));
		for (i = 0; i < 16; i++) {
			ioevq_prep_rw(&req, i & 1 ? IOEVQ_OP_WRITE : IOEVQ_OP_READ, self->s.fd,
				      buf + i * SIZE / 16, SIZE / 16, i * SIZE / 16, i);
			ASSERT_EQ(0, submit(&self->q, &req));
		}
		ASSERT_EQ(0, munmap(buf, SIZE));
		for (i = 0; i < 16; i++) {
			ASSERT_EQ(1, next_event(&self->q, &ev));
			EXPECT_TRUE(ev.res == -EFAULT || (ev.res >= 0 && ev.res <= SIZE / 16));
		}
	}
}

static bool has_pkeys(void)
{
	return !system("grep -qw ospke /proc/cpuinfo");
}

/* A worker may do with it what the submitter might, and no more. */
TEST_F(aio, law_02_memory_with_a_protection_key)
{
	char *mem = pages(PAGE);
	struct ioevq_req req;
	int key;

	key = pkey_alloc(0, 0);
	ASSERT_EQ(has_pkeys(), key >= 0);
	if (key < 0)
		return;
	pattern(self->buf, PAGE, 0, 1);
	ASSERT_EQ(PAGE, pwrite(self->s.fd, self->buf, PAGE, 0));
	ASSERT_NE(NULL, mem);
	ASSERT_EQ(0, pkey_mprotect(mem, PAGE, PROT_READ | PROT_WRITE, key));
	/* By a worker in any case. */
	ioevq_prep_read(&req, self->s.fd, mem, PAGE, IOEVQ_POSITION, 1);
	EXPECT_EQ(PAGE, outcome(&self->q, &req));
	EXPECT_TRUE(is_pattern(mem, PAGE, 0, 1));
	ASSERT_EQ(0, lseek(self->s.fd, 0, SEEK_SET));
	ASSERT_EQ(0, pkey_set(key, PKEY_DISABLE_WRITE));
	EXPECT_EQ(-EFAULT, outcome(&self->q, &req));
	ASSERT_EQ(0, pkey_set(key, 0));
	EXPECT_EQ(PAGE, outcome(&self->q, &req));
	ASSERT_EQ(0, munmap(mem, PAGE));
	EXPECT_EQ(0, pkey_free(key));
}

TEST_HARNESS_MAIN

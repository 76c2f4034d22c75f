// SPDX-License-Identifier: GPL-2.0-only
/* Disks that fail, fill up or go away, and files that shrink, while they are read and written. */
#include <sys/statvfs.h>

#include "slow_disk.h"
#include "store.h"

#define PAGE	4096L
#define PAGES	64
#define BAD	17L		/* the page that cannot be read or written */
#define FAST_NS	1000000		/* of a disk that some requests are to be found on */

FIXTURE(disk)
{
	struct ioevq q;
	int fd;
	char *buf;
};

FIXTURE_VARIANT(disk)
{
	int flags;
};

FIXTURE_VARIANT_ADD(disk, buffered) {
	.flags = 0
};

FIXTURE_VARIANT_ADD(disk, direct) {
	.flags = O_DIRECT
};

FIXTURE_SETUP(disk)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 256, 0));
	self->fd = slow_disk_make(variant->flags, FAST_NS);
	ASSERT_LE(0, self->fd);
	self->buf = pages(PAGES * PAGE);
	ASSERT_NE(NULL, self->buf);
	pattern(self->buf, PAGES * PAGE, 0, 1);
	ASSERT_EQ(PAGES * PAGE, pwrite(self->fd, self->buf, PAGES * PAGE, 0));
	ASSERT_EQ(0, fsync(self->fd));
	ASSERT_EQ(0, posix_fadvise(self->fd, 0, 0, POSIX_FADV_DONTNEED));
	ASSERT_EQ(0, posix_fadvise(self->fd, 0, 0, POSIX_FADV_RANDOM));
	memset(self->buf, 0, PAGES * PAGE);
}

FIXTURE_TEARDOWN(disk)
{
	(void)variant;
	EXPECT_EQ(0, requests(&self->q));
	EXPECT_TRUE(quiet(&self->q));
	slow_disk_end(self->fd);
	ioevq_close(&self->q);
}

/* Page by page, all at once. */
static int submit_pages(struct _test_data_disk *self, unsigned int op)
{
	struct ioevq_req req[PAGES];
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		ioevq_prep_rw(&req[i], op, self->fd, self->buf + i * PAGE, PAGE, i * PAGE, i);
	return ioevq_submit(&self->q, req, PAGES) == PAGES ? 0 : -1;
}

/* Each has its event; 0: page i has what @result says. -1: it is not so. */
static int reap_disk(struct _test_data_disk *self, int64_t result[PAGES])
{
	struct ioevq_event ev;
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		result[i] = INT64_MIN;
	for (i = 0; i < PAGES; i++) {
		if (next_event(&self->q, &ev) != 1 || ev.user_data >= PAGES || ev.flags ||
		    result[ev.user_data] != INT64_MIN)
			return -1;
		result[ev.user_data] = ev.res;
	}
	return 0;
}

static int make_bad(void)
{
	char range[32];

	snprintf(range, sizeof(range), "+%ld-%ld", BAD * PAGE / 512, (BAD + 1) * PAGE / 512 - 1);
	return slow_disk_say("badblocks", range);
}

/* Of many, the one that it is about. */
TEST_F_TIMEOUT(disk, law_02_a_page_that_cannot_be_read, 300)
{
	int64_t result[PAGES];
	struct ioevq_req req;
	unsigned int i;

	ASSERT_EQ(0, make_bad());
	ASSERT_EQ(0, submit_pages(self, IOEVQ_OP_READ));
	ASSERT_EQ(0, reap_disk(self, result));
	for (i = 0; i < PAGES; i++) {
		EXPECT_EQ(i == BAD ? -EIO : PAGE, result[i])
			TH_LOG("page %u", i);
		if (i != BAD)
			EXPECT_TRUE(is_pattern(self->buf + i * PAGE, PAGE, i * PAGE, 1));
	}
	/* Through the cache as much as there is; what is direct all or nothing. */
	ioevq_prep_read(&req, self->fd, self->buf, PAGES * PAGE, 0, 1);
	EXPECT_EQ(variant->flags ? -EIO : BAD * PAGE, outcome(&self->q, &req));
}

/* Of what is written through the cache fsync(2) tells, once. */
TEST_F_TIMEOUT(disk, law_02_a_page_that_cannot_be_written, 300)
{
	int64_t result[PAGES];
	struct ioevq_req req;
	unsigned int i;

	ASSERT_EQ(0, make_bad());
	ASSERT_EQ(0, submit_pages(self, IOEVQ_OP_WRITE));
	ASSERT_EQ(0, reap_disk(self, result));
	for (i = 0; i < PAGES; i++)
		EXPECT_EQ(i == BAD && variant->flags ? -EIO : PAGE, result[i])
			TH_LOG("page %u", i);
	ioevq_prep_fsync(&req, self->fd, 0, 1);
	EXPECT_EQ(variant->flags ? 0 : -EIO, outcome(&self->q, &req));
	EXPECT_EQ(0, outcome(&self->q, &req));
	ioevq_prep_write(&req, self->fd, self->buf, PAGE, BAD * PAGE, 1);
	req.op_arg = RWF_DSYNC;
	EXPECT_EQ(-EIO, outcome(&self->q, &req));
}

/* The disk is taken out under them: each ends, and says what it has. */
TEST_F_TIMEOUT(disk, law_11_a_disk_that_is_removed, 300)
{
	int64_t result[PAGES];
	struct ioevq_req req;
	unsigned int i;

	ASSERT_EQ(0, submit_pages(self, IOEVQ_OP_READ));
	ASSERT_EQ(0, slow_disk_set("power", 0));
	ASSERT_EQ(0, reap_disk(self, result));
	for (i = 0; i < PAGES; i++) {
		EXPECT_TRUE(result[i] == PAGE || result[i] == 0 || result[i] == -EIO ||
			    result[i] == -ENXIO || result[i] == -ENODEV)
			TH_LOG("page %u: %lld", i, (long long)result[i]);
		if (result[i] == PAGE)
			EXPECT_TRUE(is_pattern(self->buf + i * PAGE, PAGE, i * PAGE, 1));
	}
	ioevq_prep_read(&req, self->fd, self->buf, PAGE, (PAGES + 8) * PAGE, 1);
	EXPECT_GE(0, outcome(&self->q, &req));
	ioevq_prep_write(&req, self->fd, self->buf, PAGE, (PAGES + 8) * PAGE, 1);
	req.op_arg = RWF_DSYNC;
	EXPECT_GT(0, outcome(&self->q, &req));
}

FIXTURE(file)
{
	struct ioevq q;
	struct store s;
	char *buf;
};

FIXTURE_VARIANT(file)
{
	enum store_kind kind;
	int flags;
};

FIXTURE_VARIANT_ADD(file, tmpfs) {
	.kind = STORE_TMPFS,
};

FIXTURE_VARIANT_ADD(file, ext4) {
	.kind = STORE_EXT4,
};

FIXTURE_VARIANT_ADD(file, ext4_direct) {
	.kind = STORE_EXT4, .flags = O_DIRECT
};

FIXTURE_VARIANT_ADD(file, xfs) {
	.kind = STORE_XFS,
};

FIXTURE_SETUP(file)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 256, 0));
	ASSERT_EQ(0, store_make(&self->s, variant->kind, variant->flags));
	self->buf = pages(PAGES * PAGE);
	ASSERT_NE(NULL, self->buf);
	pattern(self->buf, PAGES * PAGE, 0, 1);
}

FIXTURE_TEARDOWN(file)
{
	(void)variant;
	EXPECT_EQ(0, requests(&self->q));
	EXPECT_TRUE(quiet(&self->q));
	store_end(&self->s);
	ioevq_close(&self->q);
}

/* Leave less room in the file system than the test writes. */
static int fill_up(const struct store *s, bool is_tmpfs)
{
	char path[80];
	struct statvfs st;
	int fd, ret;

	if (is_tmpfs)
		return mount("none", s->dir, NULL, MS_REMOUNT, "size=128k");
	snprintf(path, sizeof(path), "%s/filler", s->mnt);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	/* The tail of it that no single extent holds stays free. */
	do {
		if (fd < 0 || fstatvfs(fd, &st))
			return -1;
		ret = fallocate(fd, 0, lseek(fd, 0, SEEK_END),
				(st.f_bavail > 64 ? st.f_bavail / 2 + 1 : 1) * st.f_bsize);
	} while (!ret);
	close(fd);
	return errno == ENOSPC ? 0 : -1;
}

/* As much as there is room for, and then the error; what was written is there. */
TEST_F_TIMEOUT(file, law_02_no_room, 300)
{
	struct ioevq_req req, sync;
	int64_t ret, done = 0;

	ASSERT_EQ(0, fill_up(&self->s, variant->kind == STORE_TMPFS));
	do {
		ioevq_prep_write(&req, self->s.fd, self->buf, PAGES * PAGE, done, 1);
		ret = outcome(&self->q, &req);
		done += ret > 0 ? ret : 0;
		ASSERT_GT(PAGES * PAGE * 64, done);
	} while (ret > 0);
	EXPECT_EQ(-ENOSPC, ret);
	ioevq_prep_fsync(&sync, self->s.fd, 0, 1);
	EXPECT_EQ(0, outcome(&self->q, &sync));
	EXPECT_EQ(done, lseek(self->s.fd, 0, SEEK_END));
	req.off = PAGES * PAGE * 1000;
	EXPECT_EQ(-ENOSPC, outcome(&self->q, &req));
	EXPECT_EQ(done, lseek(self->s.fd, 0, SEEK_END));
}

/* Cut off and written again meanwhile: short, zero or whole, and never anything else. */
TEST_F_TIMEOUT(file, law_11_truncated_under_the_read, 300)
{
	struct ioevq_req req[PAGES];
	struct ioevq_event ev;
	const uint64_t *word;
	unsigned int i, round, reaped;
	off_t off;

	for (i = 0; i < PAGES; i++)
		ioevq_prep_read(&req[i], self->s.fd, self->buf + i * PAGE, PAGE, i * PAGE, i);
	for (round = 0; round < 8; round++) {
		pattern(self->buf, PAGES * PAGE, 0, 1);
		ASSERT_EQ(PAGES * PAGE, pwrite(self->s.fd, self->buf, PAGES * PAGE, 0));
		ASSERT_EQ(0, store_cool(&self->s));
		memset(self->buf, 0, PAGES * PAGE);
		ASSERT_EQ(PAGES, ioevq_submit(&self->q, req, PAGES));
		ASSERT_EQ(0, ftruncate(self->s.fd, round * PAGE));
		ASSERT_EQ(0, ftruncate(self->s.fd, PAGES * PAGE));
		for (reaped = 0; reaped < PAGES; reaped++) {
			ASSERT_EQ(1, next_event(&self->q, &ev));
			ASSERT_GT(PAGES, ev.user_data);
			EXPECT_TRUE(ev.res >= 0 && ev.res <= PAGE);
			off = ev.user_data * PAGE;
			word = (const uint64_t *)(self->buf + off);
			for (i = 0; i < PAGE / 8; i++)
				if (word[i] && word[i] != pattern_at(off + 8 * i, 1))
					break;
			EXPECT_EQ(PAGE / 8, i);
			if (ev.user_data < round)
				EXPECT_EQ(PAGE, ev.res);
		}
	}
}

static bool is_detached(const char *path)
{
	struct loop_info64 info;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ret = fd < 0 || (ioctl(fd, LOOP_GET_STATUS64, &info) && errno == ENXIO);

	close(fd);
	return ret;
}

/* A loop device is detached, and nobody has it but the requests: it goes with the last. */
static void detach(struct __test_metadata *_metadata, int flags)
{
	struct ioevq_req req[PAGES];
	char *buf = pages(PAGES * PAGE);
	struct ioevq_event ev;
	struct store s;
	struct ioevq q;
	unsigned int i;

	ASSERT_EQ(0, ioevq_open(&q, 256, 0));
	ASSERT_EQ(0, store_make(&s, STORE_LOOP, flags));
	pattern(buf, PAGES * PAGE, 0, 1);
	ASSERT_EQ(PAGES * PAGE, pwrite(s.fd, buf, PAGES * PAGE, 0));
	ASSERT_EQ(0, store_cool(&s));
	memset(buf, 0, PAGES * PAGE);
	for (i = 0; i < PAGES; i++)
		ioevq_prep_read(&req[i], s.fd, buf + i * PAGE, PAGE, i * PAGE, i);
	ASSERT_EQ(PAGES, ioevq_submit(&q, req, PAGES));
	EXPECT_EQ(0, ioctl(s.loop, LOOP_CLR_FD, 0));
	close(s.loop);
	close(s.fd);
	s.loop = -1;
	s.fd = -1;
	for (i = 0; i < PAGES; i++) {
		ASSERT_EQ(1, next_event(&q, &ev));
		ASSERT_GT(PAGES, ev.user_data);
		EXPECT_EQ(PAGE, ev.res);
		EXPECT_TRUE(is_pattern(buf + ev.user_data * PAGE, PAGE, ev.user_data * PAGE, 1));
	}
	EXPECT_EQ(0, requests(&q));
	EXPECT_TRUE(eventually(is_detached(s.file)));
	store_end(&s);
	ioevq_close(&q);
}

TEST(law_11_a_loop_device_is_detached)
{
	detach(_metadata, 0);
}

TEST(law_11_a_loop_device_is_detached_direct)
{
	detach(_metadata, O_DIRECT);
}

TEST_HARNESS_MAIN

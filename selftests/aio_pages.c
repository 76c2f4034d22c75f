// SPDX-License-Identifier: GPL-2.0-only
/* Reads that wait for the disk to fill a page: neither who submits nor a worker waits with them. */
#include "offspring.h"
#include "slow_disk.h"
#include "store.h"

#define PAGE	4096
#define STRIDE	(4 * PAGE)
#define READS	128

FIXTURE(pages)
{
	struct ioevq q;
	int disk;
	int memory;	/* a file that takes a worker, but no time */
	char *buf;
};

FIXTURE_SETUP(pages)
{
	unsigned int i;
	char *all;

	ASSERT_EQ(0, ioevq_open(&self->q, READS + 16, 0));
	self->memory = memfd_create("memory", MFD_CLOEXEC);
	ASSERT_EQ(0, ftruncate(self->memory, PAGE));
	self->disk = slow_disk_make(0, SLOW_DISK_NS);
	ASSERT_LE(0, self->disk);
	self->buf = pages((size_t)READS * PAGE);
	all = pages(READS * STRIDE);
	for (i = 0; i < READS; i++)
		memcpy(all + i * STRIDE, &i, sizeof(i));
	/* Written in one piece, by few requests, and forgotten. */
	ASSERT_EQ(READS * STRIDE, pwrite(self->disk, all, READS * STRIDE, 0));
	munmap(all, READS * STRIDE);
	ASSERT_EQ(0, fsync(self->disk));
	ASSERT_EQ(0, posix_fadvise(self->disk, 0, 0, POSIX_FADV_DONTNEED));
	ASSERT_EQ(0, posix_fadvise(self->disk, 0, 0, POSIX_FADV_RANDOM));
}

FIXTURE_TEARDOWN(pages)
{
	EXPECT_EQ(0, requests(&self->q));
	slow_disk_end(self->disk);
	close(self->memory);
	ioevq_close(&self->q);
}

/* The first @n pages that were written, each by a request of its own. */
static int read_pages(struct _test_data_pages *self, unsigned int n)
{
	struct ioevq_req req[READS];
	unsigned int i;
	int ret;

	for (i = 0; i < n; i++)
		ioevq_prep_read(&req[i], self->disk, self->buf + i * PAGE, PAGE,
				(uint64_t)i * STRIDE, i);
	for (i = 0; i < n; i += ret) {
		ret = ioevq_submit(&self->q, req + i, n - i);
		if (ret <= 0)
			return -1;
	}
	return 0;
}

/* All of them are there: their number, or -1 if one is not as it should be. */
static int reap_pages(struct _test_data_pages *self, unsigned int n)
{
	bool seen[READS] = {};
	struct ioevq_event ev;
	unsigned int i, first;

	for (i = 0; i < n; i++) {
		/* One after the other, when the disk has had the time for it. */
		if (ioevq_wait(&self->q, &ev, 1, 1, BOUND_NS + SLOW_DISK_NS) != 1 ||
		    ev.user_data >= n || seen[ev.user_data] || ev.res != PAGE || ev.flags)
			return -1;
		seen[ev.user_data] = true;
		memcpy(&first, self->buf + ev.user_data * PAGE, sizeof(first));
		if (first != ev.user_data)
			return -1;
	}
	return n;
}

/* More reads than workers, and a worker is there for what needs one. */
TEST_F_TIMEOUT(pages, law_02_no_worker_waits_for_the_disk, 120)
{
	struct ioevq_req req;

	ASSERT_EQ(0, read_pages(self, SLOW_DISK_DEPTH));
	ioevq_prep_read(&req, self->memory, self->buf, 1, 0, 1000);
	EXPECT_EQ(1, outcome(&self->q, &req));
	EXPECT_EQ(SLOW_DISK_DEPTH, reap_pages(self, SLOW_DISK_DEPTH));
	EXPECT_TRUE(quiet(&self->q));
}

/* Many more than the disk takes: none of them has ended when all are submitted. */
TEST_F_TIMEOUT(pages, law_02_who_submits_does_not_wait_for_the_disk, 600)
{
	ASSERT_EQ(0, read_pages(self, READS));
	EXPECT_EQ(0, query(&self->q).available);
	EXPECT_EQ(READS, query(&self->q).requests);
	EXPECT_EQ(READS, reap_pages(self, READS));
	EXPECT_TRUE(quiet(&self->q));
}

/* What is in the cache meanwhile needs no disk. */
TEST_F_TIMEOUT(pages, law_02_a_page_in_the_cache_is_read_at_once, 120)
{
	ASSERT_EQ(0, read_pages(self, 1));
	EXPECT_EQ(1, reap_pages(self, 1));
	ASSERT_EQ(0, read_pages(self, SLOW_DISK_DEPTH));
	EXPECT_EQ(1, query(&self->q).available);
	EXPECT_EQ(SLOW_DISK_DEPTH, reap_pages(self, SLOW_DISK_DEPTH));
}

static int read_and_wait(struct offspring *c, long arg)
{
	struct _test_data_pages *self = (void *)arg;

	if (ioevq_open(&self->q, READS, 0) || read_pages(self, SLOW_DISK_DEPTH))
		return 1;
	say(c);
	pause();
	return 0;
}

/* Nobody is left to read for: their pages come all the same, and everything is given back. */
TEST_F_TIMEOUT(pages, law_11_killed_while_the_disk_reads, 120)
{
	long users = module_users();
	struct offspring c;

	ASSERT_EQ(0, offspring(&c, read_and_wait, (long)self));
	ASSERT_EQ(0, kill_when_ready(&c));
	EXPECT_TRUE(eventually(module_users() == users));
	offspring_close(&c);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Laws 11 and 13, fork against pin: memory is registered, used and dropped while other threads
 * fork, and parent and children write to it. What is pinned is the parent's, always.
 */
#include "fixed.h"
#include "race.h"

#define ROUNDS		2000
#define NR		8
#define SIZE		(NR * PAGE)

struct family {
	struct ioevq q;
	struct hand h;
	char *buf;
	int file;
	pid_t pid;
};

FIXTURE(race_fork)
{
	struct family f;
	long users;
};

/* @before: the memory is registered before the fork, not during it */
FIXTURE_VARIANT(race_fork)
{
	bool before;
};

FIXTURE_VARIANT_ADD(race_fork, register) { false };
FIXTURE_VARIANT_ADD(race_fork, use) { true };

FIXTURE_SETUP(race_fork)
{
	struct family *f = &self->f;

	(void)variant;
	memset(f, 0, sizeof(*f));
	self->users = module_users();
	f->buf = pages(SIZE);
	ASSERT_NE(NULL, f->buf);
	f->file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	ASSERT_EQ(0, ftruncate(f->file, 2 * SIZE));
	ASSERT_EQ(0, ioevq_open(&f->q, 16, 0));
	ASSERT_EQ(0, hold("pin:200,buf_put:100,work:50,worked:50,sweep:50,mmap:100"));
}

FIXTURE_TEARDOWN(race_fork)
{
	(void)variant;
	EXPECT_EQ(0, hold(""));
	EXPECT_EQ(0, requests(&self->f.q));
	EXPECT_TRUE(quiet(&self->f.q));
	ioevq_close(&self->f.q);
	EXPECT_EQ(0, pinned());
	EXPECT_TRUE(eventually(module_users() == self->users));
}

/* The child writes to its copy, and goes with the queue open, and the ring mapped. */
static void have_child(void *family)
{
	struct family *f = family;
	int i;

	f->pid = fork();
	if (f->pid)
		return;
	for (i = 0; i < NR; i++)
		f->buf[i * PAGE + 8] ^= 0xff;
	_exit(query(&f->q).buffers > 1);
}

TEST_F_TIMEOUT(race_fork, law_13_fork_against_pin, 600)
{
	struct family *f = &self->f;
	char *check = pages(SIZE);
	time_t end = 0;
	unsigned int i;
	int status;

	ASSERT_NE(NULL, check);
	ASSERT_EQ(0, hand_start(&f->h, have_child, f));
	for (i = 0; goes_on(i, ROUNDS, &end); i++) {
		f->h.delay = (long)(i * 7919 % 20011) - 10000;
		pattern(f->buf, SIZE, 0, i);
		if (variant->before)
			ASSERT_EQ(0, register_one(&f->q, f->buf, SIZE));
		strike(&f->h);
		if (!variant->before)
			ASSERT_EQ(0, register_one(&f->q, f->buf, SIZE));
		/* What was there, and what is written there from now on, */
		ASSERT_EQ(SIZE, write_fixed(&f->q, f->file, f->buf, SIZE, 0, 0));
		pattern(f->buf, SIZE, 0, i + 1);
		ASSERT_EQ(SIZE, write_fixed(&f->q, f->file, f->buf, SIZE, SIZE, 0));
		/* and what is read is there. */
		ASSERT_EQ(SIZE, read_fixed(&f->q, f->file, f->buf, SIZE, 0, 0));
		ASSERT_TRUE(is_pattern(f->buf, SIZE, 0, i))
			TH_LOG("round %u", i);
		ASSERT_EQ(SIZE, pread(f->file, check, SIZE, SIZE));
		ASSERT_TRUE(is_pattern(check, SIZE, 0, i + 1))
			TH_LOG("round %u", i);
		ASSERT_TRUE(landed(&f->h));
		ASSERT_LT(0, f->pid);
		/* After the fork, and while the child lives or not, it is the parent's still. */
		pattern(f->buf, SIZE, 0, i + 2);
		ASSERT_EQ(SIZE, write_fixed(&f->q, f->file, f->buf, SIZE, 0, 0));
		ASSERT_EQ(SIZE, pread(f->file, check, SIZE, 0));
		ASSERT_TRUE(is_pattern(check, SIZE, 0, i + 2))
			TH_LOG("round %u", i);
		ASSERT_EQ(0, ioevq_unregister_buffers(&f->q));
		ASSERT_EQ(0, pinned());
		ASSERT_EQ(f->pid, waitpid(f->pid, &status, 0));
		ASSERT_EQ(0, status);
	}
	ASSERT_EQ(0, hand_stop(&f->h));
	munmap(check, SIZE);
	EXPECT_TRUE(all_passed("pin,buf_put,sweep"));
}

TEST_HARNESS_MAIN

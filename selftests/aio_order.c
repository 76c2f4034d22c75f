// SPDX-License-Identifier: GPL-2.0-only
/* File I/O in order: after all earlier requests, and at the position of the open file. */
#include "offspring.h"
#include "slow_io.h"
#include "store.h"

#define N	16

FIXTURE(order)
{
	struct ioevq q;
	struct slow_io io;
};

FIXTURE_SETUP(order)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, slow_make(&self->io));
}

FIXTURE_TEARDOWN(order)
{
	EXPECT_EQ(0, requests(&self->q));
	slow_end(&self->io);
	ioevq_close(&self->q);
}

static int write_one(const struct ioevq *q, int fd, const char *c, unsigned int off,
		     unsigned int flags, uint64_t user_data)
{
	struct ioevq_req req;

	ioevq_prep_write(&req, fd, c, 1, off, user_data);
	req.flags = flags;
	return submit(q, &req);
}

static int sync_after(const struct ioevq *q, int fd, uint64_t user_data)
{
	struct ioevq_req req;

	ioevq_prep_fsync(&req, fd, 0, user_data);
	req.flags = IOEVQ_REQ_AFTER;
	return submit(q, &req);
}

TEST_F(order, law_03_after_all_earlier_ones)
{
	int other = memfd_create("other", MFD_CLOEXEC), again = dup(self->io.file);

	ASSERT_EQ(0, slow_read(&self->q, &self->io, 0, 1));
	ASSERT_EQ(0, slow_read(&self->q, &self->io, 1, 2));
	ASSERT_EQ(0, slow_started(&self->io));
	ASSERT_EQ(0, write_one(&self->q, self->io.file, "a", 0, IOEVQ_REQ_AFTER, 3));
	/* The same open file by another descriptor; and one that waits for that in turn. */
	ASSERT_EQ(0, write_one(&self->q, again, "b", 1, IOEVQ_REQ_AFTER, 4));
	ASSERT_EQ(0, sync_after(&self->q, self->io.file, 5));
	/* Who does not ask for it does not wait, nor does another file. */
	ASSERT_EQ(0, write_one(&self->q, self->io.file, "c", 2, 0, 6));
	EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, 6, 1);
	ASSERT_EQ(0, write_one(&self->q, other, "d", 0, IOEVQ_REQ_AFTER, 7));
	EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, 7, 1);
	ASSERT_EQ(0, slow_finish(&self->io, 0));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, SLOW_PAGE);
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, slow_finish(&self->io, 1));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 2, SLOW_PAGE);
	EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, 3, 1);
	EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, 4, 1);
	EXPECT_NEXT(&self->q, IOEVQ_OP_FSYNC, 5, 0);
	/* Nothing is there to wait for. */
	ASSERT_EQ(0, sync_after(&self->q, self->io.file, 8));
	EXPECT_NEXT(&self->q, IOEVQ_OP_FSYNC, 8, 0);
	close(again);
	close(other);
}

/* What it waited for is waited for by who waited for it. */
TEST_F(order, law_09_what_is_held_is_cancelled)
{
	ASSERT_EQ(0, slow_read(&self->q, &self->io, 0, 1));
	ASSERT_EQ(0, slow_started(&self->io));
	ASSERT_EQ(0, write_one(&self->q, self->io.file, "a", 0, IOEVQ_REQ_AFTER, 2));
	ASSERT_EQ(0, write_one(&self->q, self->io.file, "b", 0, IOEVQ_REQ_AFTER, 3));
	ASSERT_EQ(0, write_one(&self->q, self->io.file, "c", 0, IOEVQ_REQ_AFTER, 4));
	ASSERT_EQ(0, ioevq_cancel(&self->q, 2, 10));
	EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, 2, -ECANCELED);
	EXPECT_NEXT(&self->q, IOEVQ_OP_CANCEL, 10, 1);
	ASSERT_EQ(0, ioevq_cancel(&self->q, 4, 11));
	EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, 4, -ECANCELED);
	EXPECT_NEXT(&self->q, IOEVQ_OP_CANCEL, 11, 1);
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, slow_finish(&self->io, 0));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, SLOW_PAGE);
	EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, 3, 1);
}

/* The last one is cancelled: the next to come waits for what that waited for. */
TEST_F(order, law_09_the_last_one_is_cancelled)
{
	ASSERT_EQ(0, slow_read(&self->q, &self->io, 0, 1));
	ASSERT_EQ(0, slow_started(&self->io));
	ASSERT_EQ(0, write_one(&self->q, self->io.file, "a", 0, IOEVQ_REQ_AFTER, 2));
	ASSERT_EQ(0, ioevq_cancel(&self->q, 2, 10));
	EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, 2, -ECANCELED);
	EXPECT_NEXT(&self->q, IOEVQ_OP_CANCEL, 10, 1);
	/* And for another that came meanwhile. Twice over. */
	ASSERT_EQ(0, slow_read(&self->q, &self->io, 1, 3));
	ASSERT_EQ(0, slow_started(&self->io));
	ASSERT_EQ(0, write_one(&self->q, self->io.file, "b", 0, IOEVQ_REQ_AFTER, 4));
	ASSERT_EQ(0, ioevq_cancel(&self->q, 4, 11));
	EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, 4, -ECANCELED);
	EXPECT_NEXT(&self->q, IOEVQ_OP_CANCEL, 11, 1);
	ASSERT_EQ(0, write_one(&self->q, self->io.file, "c", 0, IOEVQ_REQ_AFTER, 5));
	ASSERT_EQ(0, slow_finish(&self->io, 1));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 3, SLOW_PAGE);
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, slow_finish(&self->io, 0));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, SLOW_PAGE);
	EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, 5, 1);
}

#define LAYERS	3

/* Reads @done of LAYERS have ended. Whichever write waits for nothing more is next; -1: none. */
static int next_write(unsigned int done, unsigned int gone)
{
	int i;

	for (i = 0; i < LAYERS; i++)
		if (!(gone & 1U << i) && !(~done & ((2U << i) - 1)))
			return i;
	return -1;
}

/*
 * Reads, and behind each a write after it and all before. Some writes are cancelled: the
 * others wait for what they waited for, in whatever order that ends.
 */
TEST_F(order, law_03_whatever_is_cancelled_between)
{
	static const int cancelled[][2] = { { -1, -1 }, { 0, -1 }, { 1, -1 }, { 0, 1 }, { 1, 0 } };
	static const int orders[][LAYERS] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};
	unsigned int n, done, gone;
	struct slow_io io;
	int i, w;

	for (n = 0; n < ARRAY_SIZE(cancelled) * ARRAY_SIZE(orders); n++) {
		const int *cancel = cancelled[n / ARRAY_SIZE(orders)];
		const int *order = orders[n % ARRAY_SIZE(orders)];

		ASSERT_EQ(0, slow_make(&io));
		for (i = 0; i < LAYERS; i++) {
			ASSERT_EQ(0, slow_read(&self->q, &io, i, i));
			ASSERT_EQ(0, slow_started(&io));
			ASSERT_EQ(0, write_one(&self->q, io.file, "a", 0, IOEVQ_REQ_AFTER, 10 + i));
		}
		done = 0;
		gone = 0;
		for (i = 0; i < 2 && cancel[i] >= 0; i++) {
			ASSERT_EQ(0, ioevq_cancel(&self->q, 10 + cancel[i], 20));
			EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, 10 + cancel[i], -ECANCELED);
			EXPECT_NEXT(&self->q, IOEVQ_OP_CANCEL, 20, 1);
			gone |= 1U << cancel[i];
		}
		for (i = 0; i < LAYERS; i++) {
			EXPECT_TRUE(quiet(&self->q));
			ASSERT_EQ(0, slow_finish(&io, order[i]));
			EXPECT_NEXT(&self->q, IOEVQ_OP_READ, order[i], SLOW_PAGE);
			done |= 1U << order[i];
			while ((w = next_write(done, gone)) >= 0) {
				EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, 10 + w, 1);
				gone |= 1U << w;
			}
		}
		EXPECT_EQ((1U << LAYERS) - 1, gone)
			TH_LOG("case %u", n);
		slow_end(&io);
	}
}

/* Those that fail are over, too. */
TEST_F(order, law_03_after_one_that_fails)
{
	struct ioevq_req req;

	ASSERT_EQ(0, slow_read(&self->q, &self->io, 0, 1));
	ASSERT_EQ(0, slow_started(&self->io));
	ioevq_prep_read(&req, self->io.file, (void *)8, 8, 0, 2);
	req.flags = IOEVQ_REQ_AFTER;
	ASSERT_EQ(0, submit(&self->q, &req));
	ASSERT_EQ(0, sync_after(&self->q, self->io.file, 3));
	ASSERT_EQ(0, slow_finish(&self->io, 0));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, SLOW_PAGE);
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 2, -EFAULT);
	EXPECT_NEXT(&self->q, IOEVQ_OP_FSYNC, 3, 0);
}

/* Many of them, all at once. */
TEST_F(order, law_03_appended_in_order)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_APPEND, 0600), i;
	char letters[N + 1] = "abcdefghijklmnop", got[N + 1] = "";

	ASSERT_LE(0, fd);
	for (i = 0; i < N; i++)
		ASSERT_EQ(0, write_one(&self->q, fd, letters + i, 0, IOEVQ_REQ_AFTER, i));
	for (i = 0; i < N; i++)
		EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, i, 1);
	ASSERT_EQ(N, pread(fd, got, N, 0));
	EXPECT_STREQ(letters, got);
	close(fd);
}

TEST_F(order, law_03_at_the_position_of_the_file)
{
	struct ioevq_req req[N];
	char got[N + 1] = "";
	int i;

	ASSERT_EQ(N, pwrite(self->io.file, "abcdefghijklmnop", N, 0));
	for (i = 0; i < N; i++)
		ioevq_prep_read(&req[i], self->io.file, got + i, 1, IOEVQ_POSITION, i);
	ASSERT_EQ(N, ioevq_submit(&self->q, req, N));
	for (i = 0; i < N; i++)
		EXPECT_NEXT(&self->q, IOEVQ_OP_READ, i, 1);
	EXPECT_STREQ("abcdefghijklmnop", got);
	EXPECT_EQ(N, lseek(self->io.file, 0, SEEK_CUR));
	/* It is shared with everybody else. */
	ASSERT_EQ(2, lseek(self->io.file, 2, SEEK_SET));
	ioevq_prep_write(&req[0], self->io.file, "CD", 2, IOEVQ_POSITION, 1);
	EXPECT_EQ(2, outcome(&self->q, &req[0]));
	EXPECT_EQ(4, lseek(self->io.file, 0, SEEK_CUR));
	ASSERT_EQ(N, pread(self->io.file, got, N, 0));
	EXPECT_STREQ("abCDefghijklmnop", got);
	/* To the end, and no further. */
	ASSERT_EQ(SLOW_PAGES * SLOW_PAGE - 1, lseek(self->io.file, -1, SEEK_END));
	ioevq_prep_read(&req[0], self->io.file, got, 2, IOEVQ_POSITION, 1);
	ioevq_prep_read(&req[1], self->io.file, got, 2, IOEVQ_POSITION, 2);
	EXPECT_EQ(1, outcome(&self->q, &req[0]));
	EXPECT_EQ(0, outcome(&self->q, &req[1]));
}

/* No file reaches beyond the largest offset, which is known only when it is done. */
TEST_F(order, law_12_a_position_at_the_end_of_the_world)
{
	const off_t end = INT64_MAX - 4095;
	char buf[8192] = "";
	struct ioevq_req req;
	int fd;

	fd = memfd_create("ioevq", MFD_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(end, lseek(fd, end, SEEK_SET));
	EXPECT_EQ(-1, read(fd, buf, sizeof(buf)));
	EXPECT_EQ(EINVAL, errno);
	ioevq_prep_read(&req, fd, buf, sizeof(buf), IOEVQ_POSITION, 1);
	EXPECT_EQ(-EINVAL, outcome(&self->q, &req));
	ioevq_prep_write(&req, fd, buf, sizeof(buf), IOEVQ_POSITION, 1);
	EXPECT_EQ(-EINVAL, outcome(&self->q, &req));
	ioevq_prep_read(&req, fd, buf, 4095, IOEVQ_POSITION, 1);
	EXPECT_EQ(0, outcome(&self->q, &req));
	EXPECT_EQ(end, lseek(fd, 0, SEEK_CUR));
	EXPECT_EQ(0, close(fd));
}

TEST_F(order, law_14_what_would_have_to_wait)
{
	struct ioevq_req req;
	char c;

	ioevq_prep_read(&req, self->io.file, &c, 1, 0, 1);
	req.op_arg = RWF_NOWAIT;
	req.flags = IOEVQ_REQ_AFTER;
	EXPECT_EQ(-EINVAL, submit(&self->q, &req));
	req.flags = 0;
	req.off = IOEVQ_POSITION;
	EXPECT_EQ(-EINVAL, submit(&self->q, &req));
	ioevq_prep_poll(&req, self->io.file, POLLIN, 0, 1);
	req.flags = IOEVQ_REQ_AFTER;
	EXPECT_EQ(-EOPNOTSUPP, submit(&self->q, &req));
}

TEST_F(order, law_14_ranges)
{
	static const unsigned int good[] = {
		0, IOEVQ_FSYNC_DATASYNC, IOEVQ_FSYNC_WRITE,
		IOEVQ_FSYNC_WAIT_BEFORE | IOEVQ_FSYNC_WRITE | IOEVQ_FSYNC_WAIT_AFTER,
	};
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	struct ioevq_req req;
	unsigned int i;

	ASSERT_EQ(5, pwrite(fd, "hello", 5, 1 << 20));
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		ioevq_prep_fsync(&req, fd, good[i], 1);
		EXPECT_EQ(0, outcome(&self->q, &req));
		req.off = 1 << 20;
		EXPECT_EQ(0, outcome(&self->q, &req));
		req.len = 5;
		EXPECT_EQ(0, outcome(&self->q, &req));
		req.off = -1;
		EXPECT_EQ(-EINVAL, submit(&self->q, &req));
		req.off = INT64_MAX;
		EXPECT_EQ(-EINVAL, submit(&self->q, &req));
		req.off = 0;
		req.len = 1ULL << 63;
		EXPECT_EQ(-EINVAL, submit(&self->q, &req));
	}
	ioevq_prep_fsync(&req, fd, IOEVQ_FSYNC_DATASYNC | IOEVQ_FSYNC_WRITE, 1);
	EXPECT_EQ(-EINVAL, submit(&self->q, &req));
	close(fd);
}

static int hold_and_wait(struct offspring *c, long n)
{
	struct slow_io io;
	struct ioevq q;
	int i;

	/* Memory of its own, which nobody provides. */
	if (ioevq_open(&q, 64, 0) || slow_make(&io) || slow_read(&q, &io, 0, 1) ||
	    slow_started(&io))
		return 1;
	for (i = 0; i < n; i++)
		if (write_one(&q, io.file, "a", 0, IOEVQ_REQ_AFTER, 2))
			return 1;
	if (query(&q).available || query(&q).requests != n + 1)
		return 1;
	say(c);
	pause();
	return 0;
}

/* With many that are held, and what they wait for under way. */
TEST_F(order, law_11_killed_with_many_held)
{
	long users = module_users();
	struct offspring c;

	ASSERT_EQ(0, offspring(&c, hold_and_wait, 1000));
	ASSERT_EQ(0, kill_when_ready(&c));
	EXPECT_TRUE(eventually(module_users() == users));
	offspring_close(&c);
}

TEST_HARNESS_MAIN

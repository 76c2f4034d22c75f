// SPDX-License-Identifier: GPL-2.0-only
/* What is done when it is accepted says so at once, and has no event: IOEVQ_REQ_SKIP_SUCCESS. */
#include "store.h"

FIXTURE(skip)
{
	struct ioevq q;
	struct store s;
	char *buf;
};

FIXTURE_SETUP(skip)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 8, 0));
	/* Of a file system that can say that it would block. */
	ASSERT_EQ(0, store_make(&self->s, STORE_EXT4, 0));
	self->buf = pages(1 << 20);
	ASSERT_EQ(1 << 20, pwrite(self->s.fd, self->buf, 1 << 20, 0));
}

FIXTURE_TEARDOWN(skip)
{
	EXPECT_EQ(0, requests(&self->q));
	store_end(&self->s);
	ioevq_close(&self->q);
}

static void prep(struct _test_data_skip *self, struct ioevq_req *req, size_t len,
		 uint64_t user_data)
{
	ioevq_prep_read(req, self->s.fd, self->buf, len, 0, user_data);
	req->flags = IOEVQ_REQ_SKIP_SUCCESS;
}

TEST_F(skip, law_01_one_answer)
{
	struct ioevq_req req[4];
	int64_t res[4] = { 1, 1, 1, 1 };

	prep(self, &req[0], 4096, 1);
	prep(self, &req[1], 100, 2);
	req[1].flags = 0;
	/* Past the end there is nothing, which is an answer, too. */
	prep(self, &req[2], 100, 3);
	req[2].off = 1 << 20;
	/* It takes a worker. */
	ioevq_prep_fsync(&req[3], self->s.fd, 0, 4);
	req[3].flags = IOEVQ_REQ_SKIP_SUCCESS;
	ASSERT_EQ(4, ioevq_submit_results(&self->q, req, 4, res));
	EXPECT_EQ(4096, res[0]);
	EXPECT_EQ(IOEVQ_NO_RESULT, res[1]);
	EXPECT_EQ(0, res[2]);
	EXPECT_EQ(IOEVQ_NO_RESULT, res[3]);
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 2, 100);
	EXPECT_NEXT(&self->q, IOEVQ_OP_FSYNC, 4, 0);
	EXPECT_TRUE(quiet(&self->q));
}

/* A tmpfs has its files in memory: as long as they are, a worker would be a detour. */
TEST_F(skip, law_02_from_memory)
{
	struct ioevq_req req[3];
	int64_t res[3] = { 1, 1, 1 };
	struct store s;
	char *buf = pages(1 << 16);
	int i;

	ASSERT_EQ(0, store_make(&s, STORE_TMPFS, 0));
	memset(buf, 'x', 1 << 16);
	ASSERT_EQ(1 << 16, pwrite(s.fd, buf, 1 << 16, 0));
	for (i = 0; i < 3; i++) {
		ioevq_prep_read(&req[i], s.fd, self->buf, 4096, 0, i);
		req[i].flags = IOEVQ_REQ_SKIP_SUCCESS;
	}
	/* All of it, and where it ends. */
	req[1].len = 1 << 16;
	req[2].off = (1 << 16) - 100;
	memset(self->buf, 0, 1 << 16);
	ASSERT_EQ(3, ioevq_submit_results(&self->q, req, 3, res));
	EXPECT_EQ(4096, res[0]);
	EXPECT_EQ(1 << 16, res[1]);
	EXPECT_EQ(100, res[2]);
	EXPECT_EQ(0, memcmp(buf, self->buf, 1 << 16));
	EXPECT_TRUE(quiet(&self->q));
	store_end(&s);
}

/* It is in the cache no more, or not all of it: there is an event. */
TEST_F(skip, law_01_from_the_disk)
{
	struct ioevq_req req;
	int64_t res = 1;

	ASSERT_EQ(0, store_cool(&self->s));
	prep(self, &req, 1 << 20, 1);
	ASSERT_EQ(1, ioevq_submit_results(&self->q, &req, 1, &res));
	EXPECT_EQ(IOEVQ_NO_RESULT, res);
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, 1 << 20);
}

/* Only success is told at once. */
TEST_F(skip, law_01_a_failure)
{
	struct ioevq_req req;
	int64_t res = 1;

	prep(self, &req, 4096, 1);
	req.addr = 4096;
	ASSERT_EQ(1, ioevq_submit_results(&self->q, &req, 1, &res));
	EXPECT_EQ(IOEVQ_NO_RESULT, res);
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, -EFAULT);
	/* The caller's own RWF_NOWAIT, too. */
	ASSERT_EQ(0, store_cool(&self->s));
	prep(self, &req, 4096, 2);
	req.op_arg = RWF_NOWAIT;
	ASSERT_EQ(1, ioevq_submit_results(&self->q, &req, 1, &res));
	EXPECT_EQ(IOEVQ_NO_RESULT, res);
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 2, -EAGAIN);
}

/* Others say what their events would. */
TEST_F(skip, law_01_of_a_cancel)
{
	struct ioevq_req req[3];
	int64_t res[3];
	int fd = eventfd(0, 0);

	ioevq_prep_poll(&req[0], fd, POLLIN, IOEVQ_POLL_EDGE, 1);
	ioevq_prep_poll(&req[1], fd, POLLIN, IOEVQ_POLL_EDGE, 1);
	ioevq_prep_cancel(&req[2], IOEVQ_CANCEL_USER_DATA, 1, -1, 0, 2);
	req[2].flags = IOEVQ_REQ_SKIP_SUCCESS;
	ASSERT_EQ(3, ioevq_submit_results(&self->q, req, 3, res));
	EXPECT_EQ(IOEVQ_NO_RESULT, res[0]);
	EXPECT_EQ(2, res[2]);
	EXPECT_NEXT(&self->q, IOEVQ_OP_POLL, 1, -ECANCELED);
	EXPECT_NEXT(&self->q, IOEVQ_OP_POLL, 1, -ECANCELED);
	EXPECT_TRUE(quiet(&self->q));
	close(fd);
}

TEST_F(skip, law_14_nowhere_to_say_it)
{
	struct ioevq_req req[2];
	int64_t *res = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prep(self, &req[0], 4096, 1);
	prep(self, &req[1], 4096, 2);
	EXPECT_EQ(-EINVAL, ioevq_submit(&self->q, req, 1));
	/* Nothing was done that cannot be told. */
	EXPECT_EQ(-EFAULT, ioevq_submit_results(&self->q, req, 2, res));
	EXPECT_EQ(-EFAULT, ioevq_submit_results(&self->q, req, 2, (int64_t *)8));
	munmap(res, 4096);
	/* The first one stands. */
	res = (int64_t *)pages(8192) + 511;
	munmap(res + 1, 4096);
	EXPECT_EQ(1, ioevq_submit_results(&self->q, req, 2, res));
	EXPECT_EQ(4096, *res);
	EXPECT_TRUE(quiet(&self->q));
}

/* They are charged, for they may take long. */
TEST_F(skip, law_14_limit)
{
	long limit = get_param("max_requests");
	struct ioevq_req req;
	int64_t res;
	int fd;

	fd = eventfd(0, 0);
	ASSERT_EQ(0, set_param("max_requests", 1));
	ioevq_prep_poll(&req, fd, POLLIN, IOEVQ_POLL_EDGE, 1);
	EXPECT_EQ(0, submit(&self->q, &req));
	prep(self, &req, 4096, 2);
	EXPECT_EQ(-EAGAIN, ioevq_submit_results(&self->q, &req, 1, &res));
	ASSERT_EQ(0, set_param("max_requests", limit));
	EXPECT_EQ(1, ioevq_submit_results(&self->q, &req, 1, &res));
	EXPECT_EQ(4096, res);
	ASSERT_EQ(0, ioevq_cancel(&self->q, 1, 3));
	EXPECT_NEXT(&self->q, IOEVQ_OP_POLL, 1, -ECANCELED);
	EXPECT_NEXT(&self->q, IOEVQ_OP_CANCEL, 3, 1);
	close(fd);
}

TEST_HARNESS_MAIN

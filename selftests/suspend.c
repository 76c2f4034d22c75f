// SPDX-License-Identifier: GPL-2.0-only
/* Law 13: workers rest while the system does, and do not keep it from that. */
#include "expect.h"

#define POWER	"/sys/power/"
#define CHUNK	(1 << 20)
#define SAMPLE	32

FIXTURE(suspend)
{
	struct ioevq q;
	int fd;
	char *buf;
};

FIXTURE_SETUP(suspend)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 1024, 0));
	self->fd = memfd_create("long", MFD_CLOEXEC);
	self->buf = malloc(CHUNK);
	ASSERT_TRUE(self->buf);
	/* A hole: to read it takes time, and no memory. */
	ASSERT_EQ(0, ftruncate(self->fd, 1LL << 40));
}

FIXTURE_TEARDOWN(suspend)
{
	free(self->buf);
	close(self->fd);
	ioevq_close(&self->q);
}

/* At the position of the file: that is for workers. */
static int read_on(struct _test_data_suspend *self, uint64_t user_data)
{
	struct ioevq_req req;

	ioevq_prep_read(&req, self->fd, self->buf, CHUNK, IOEVQ_POSITION, user_data);
	return submit(&self->q, &req);
}

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* All but the devices: everything is frozen for five seconds. */
static int sleep_as_a_system(void)
{
	return put(POWER "pm_test", "freezer") ?: put(POWER "state", "freeze");
}

TEST_F(suspend, law_13_workers_rest_with_the_system)
{
	uint64_t begin = now_ns(), each;
	int i, n;

	for (i = 0; i < SAMPLE; i++)
		ASSERT_EQ(0, read_on(self, i));
	for (i = 0; i < SAMPLE; i++)
		EXPECT_NEXT(&self->q, IOEVQ_OP_READ, i, CHUNK);
	each = (now_ns() - begin) / SAMPLE;
	/* Two seconds of work, of which a part is done when all is frozen. */
	n = (int)(2000000000ULL / (each + 1)) + 1;
	n = n < 20000 ? n : 20000;
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, read_on(self, i));
	ASSERT_EQ(0, sleep_as_a_system());
	EXPECT_GT(n, (int)query(&self->q).available);
	for (i = 0; i < n; i++)
		EXPECT_NEXT(&self->q, IOEVQ_OP_READ, i, CHUNK);
	ASSERT_EQ(0, put(POWER "pm_test", "none"));
}

TEST_HARNESS_MAIN

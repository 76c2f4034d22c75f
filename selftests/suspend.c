// SPDX-License-Identifier: GPL-2.0-only
/* Law 13: workers rest while the system does, and do not keep it from that. */
#include "expect.h"

#define POWER	"/sys/power/"
#define MOST	(64 << 20)
#define LEAST	(1 << 20)
#define SAMPLE	16

FIXTURE(suspend)
{
	struct ioevq q;
	int fd;
	char *buf;
	size_t len;	/* of a read */
};

FIXTURE_SETUP(suspend)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 1024, 0));
	self->fd = memfd_create("long", MFD_CLOEXEC);
	self->buf = mmap(NULL, MOST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->buf);
	/* A hole: to read it takes time, and no memory. */
	ASSERT_EQ(0, ftruncate(self->fd, 1LL << 40));
}

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

FIXTURE_TEARDOWN(suspend)
{
	EXPECT_EQ(0, put(POWER "pm_test", "none"));
	munmap(self->buf, MOST);
	close(self->fd);
	ioevq_close(&self->q);
}

/* At the position of the file: that is for workers. */
static int read_on(struct _test_data_suspend *self, uint64_t user_data)
{
	struct ioevq_req req;

	ioevq_prep_read(&req, self->fd, self->buf, self->len, IOEVQ_POSITION, user_data);
	return submit(&self->q, &req);
}

/* All but the devices: everything is frozen for five seconds. */
static int sleep_as_a_system(void)
{
	return put(POWER "pm_test", "freezer") ?: put(POWER "state", "freeze");
}

/* How long a read takes. It is made so long that to submit one takes no time beside it. */
static uint64_t measure(struct _test_data_suspend *self)
{
	uint64_t begin, each;
	struct ioevq_event ev;
	int i;

	for (self->len = LEAST;; self->len *= 2) {
		begin = now_ns();
		for (i = 0; i < SAMPLE; i++)
			if (read_on(self, i) || next_event(&self->q, &ev) != 1)
				return 0;
		each = (now_ns() - begin) / SAMPLE;
		if (each > 2000000 || self->len == MOST)
			return each;
	}
}

TEST_F(suspend, law_13_workers_rest_with_the_system)
{
	uint64_t each = measure(self);
	int i, n;

	ASSERT_LT(0, each);
	/* Two seconds of work, of which a part is done when all is frozen. */
	n = (int)(2000000000ULL / each) + 1;
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, read_on(self, i));
	ASSERT_EQ(0, sleep_as_a_system());
	EXPECT_GT(n, (int)query(&self->q).available);
	for (i = 0; i < n; i++)
		EXPECT_NEXT(&self->q, IOEVQ_OP_READ, i, (int64_t)self->len);
}

TEST_HARNESS_MAIN

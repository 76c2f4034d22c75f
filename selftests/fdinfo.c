// SPDX-License-Identifier: GPL-2.0-only
/* What /proc/PID/fdinfo/FD tells beside IOEVQ_IOC_INFO. */
#include "observe.h"

FIXTURE(fdinfo)
{
	struct ioevq q;
	int fd;			/* an eventfd */
	int pipe[2];
};

FIXTURE_SETUP(fdinfo)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 4, 0));
	self->fd = eventfd(0, EFD_NONBLOCK);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pipe(self->pipe));
}

FIXTURE_TEARDOWN(fdinfo)
{
	close(self->pipe[0]);
	close(self->pipe[1]);
	close(self->fd);
	ioevq_close(&self->q);
}

/* Of each source what has not ended, whether or not its event was taken. */
TEST_F(fdinfo, armed_by_source)
{
	struct ioevq_event events[8];
	struct ioevq_req req;
	char byte;
	int fd = self->q.fd;

	EXPECT_EQ(-1, number_of(fd, "armed_poll"));
	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, IOEVQ_POLL_EDGE, 1));
	ASSERT_EQ(2, park(&self->q, self->fd, 2, 2));
	ioevq_prep_read(&req, self->pipe[0], &byte, 1, IOEVQ_POSITION, 4);
	ASSERT_EQ(0, submit(&self->q, &req));
	ioevq_prep_timer(&req, 0, 3600 * 1000000000ULL, 0, 5);
	ASSERT_EQ(0, submit(&self->q, &req));
	ASSERT_EQ(0, watch_child(&self->q, 0, 0, 6));
	EXPECT_EQ(3, number_of(fd, "armed_poll"));
	EXPECT_EQ(1, number_of(fd, "armed_read"));
	EXPECT_EQ(1, number_of(fd, "armed_timer"));
	EXPECT_EQ(1, number_of(fd, "armed_child"));
	EXPECT_EQ(-1, number_of(fd, "armed_write"));

	/* Two are one-shot: they have ended, and hold memory still. */
	ASSERT_EQ(0, eventfd_write(self->fd, 1));
	EXPECT_EQ(1, number_of(fd, "armed_poll"));
	EXPECT_EQ(6, number_of(fd, "requests"));
	ASSERT_EQ(1, write(self->pipe[1], "x", 1));
	ASSERT_EQ(4, enter_wait(&self->q, events, 4, 8, BOUND_NS));
	EXPECT_EQ(-1, number_of(fd, "armed_read"));

	/* A message that does not need memory, one that does, and what was refused: none. */
	ASSERT_EQ(0, ioevq_post(&self->q, 7, 0, 0));
	EXPECT_EQ(-EBADF, watch(&self->q, -1, POLLIN, 0, 8));
	ASSERT_EQ(0, ioevq_cancel_all(&self->q, 9));
	EXPECT_EQ(-1, number_of(fd, "armed_poll"));
	EXPECT_EQ(-1, number_of(fd, "armed_timer"));
	EXPECT_EQ(-1, number_of(fd, "armed_child"));
	EXPECT_EQ(-1, number_of(fd, "armed_cancel"));
	EXPECT_EQ(-1, number_of(fd, "armed_post"));
}

TEST_F(fdinfo, backlog_max)
{
	struct ioevq_event events[16];
	unsigned int i;

	EXPECT_EQ(0, number_of(self->q.fd, "backlog_max"));
	/* The ring has room for 4. */
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, ioevq_post(&self->q, i, 0, 0));
	EXPECT_EQ(0, number_of(self->q.fd, "backlog_max"));
	for (; i < 11; i++)
		ASSERT_EQ(0, ioevq_post(&self->q, i, 0, 0));
	EXPECT_EQ(7, number_of(self->q.fd, "backlog_max"));
	ASSERT_EQ(11, enter_wait(&self->q, events, 11, 16, BOUND_NS));
	EXPECT_EQ(0, number_of(self->q.fd, "backlog"));
	/* It stays, and less changes nothing. */
	for (i = 0; i < 6; i++)
		ASSERT_EQ(0, ioevq_post(&self->q, i, 0, 0));
	EXPECT_EQ(2, number_of(self->q.fd, "backlog"));
	EXPECT_EQ(7, number_of(self->q.fd, "backlog_max"));
}

/* Each has one of its own, and keeps it. */
TEST_F(fdinfo, the_number_of_a_queue)
{
	long long number = number_of(self->q.fd, "queue");
	int other = open("/dev/ioevq", O_RDWR), again = dup(self->q.fd);

	ASSERT_LE(0, other);
	ASSERT_LE(0, again);
	EXPECT_LT(0, number);
	EXPECT_LT(number, number_of(other, "queue"));
	EXPECT_EQ(number, number_of(again, "queue"));
	close(other);
	close(again);
}

TEST_HARNESS_MAIN

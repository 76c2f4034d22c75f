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

/* @n watches come and go. */
static int come_and_go(const struct ioevq *q, int fd, unsigned int n)
{
	struct ioevq_event ev;
	unsigned int i, round;

	if (park(q, fd, n, 0) != (int)n)
		return -1;
	/* What has ended is swept by the next who submits. */
	for (round = 0; round < 2; round++) {
		if (ioevq_cancel_all(q, 1))
			return -1;
		for (i = round ? n : 0; i <= n; i++)
			if (next_event(q, &ev) != 1)
				return -1;
	}
	return 0;
}

/* What is kept for the next requests has a limit, and so has the number of queues with some. */
TEST(law_13_spares)
{
	static struct ioevq q[257];
	int fd = eventfd(0, 0);
	long most;
	int i;

	for (i = 0; i < 257; i++) {
		ASSERT_EQ(0, ioevq_open(&q[i], 4, 0));
		ASSERT_EQ(0, come_and_go(&q[i], fd, i ? 10 : 200));
	}
	most = number_of(q[0].fd, "spares");
	/* A debug kernel looks for who uses what was freed. */
	EXPECT_EQ(access("/proc/self/fail-nth", F_OK) ? 128 : 0, most);
	for (i = 1; most && i < 256; i++)
		EXPECT_EQ(11, number_of(q[i].fd, "spares"));
	EXPECT_EQ(0, number_of(q[256].fd, "spares"));
	/* Who comes when there are fewer has them again. */
	ioevq_close(&q[3]);
	ioevq_close(&q[256]);
	ASSERT_EQ(0, ioevq_open(&q[3], 4, 0));
	ASSERT_EQ(0, come_and_go(&q[3], fd, 200));
	EXPECT_EQ(most, number_of(q[3].fd, "spares"));
	for (i = 0; i < 256; i++)
		ioevq_close(&q[i]);
	close(fd);
}

TEST_HARNESS_MAIN

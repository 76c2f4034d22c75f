// SPDX-License-Identifier: GPL-2.0-only
/* What epoll refuses, error by error and in what order; on the kernel's and on a queue. */
#include <limits.h>
#include <sys/resource.h>

#include "epoll_test.h"

static int fails(int ret)
{
	return ret < 0 ? -errno : ret;
}

/* A number that is no descriptor. */
static int closed_fd(void)
{
	int fd = eventfd(0, 0);

	close(fd);
	return fd;
}

TEST_F(epoll, create_takes_a_size_that_is_positive)
{
	int fd;

	EXPECT_EQ(-EINVAL, fails(self->e->create(0)));
	EXPECT_EQ(-EINVAL, fails(self->e->create(-1)));
	EXPECT_EQ(-EINVAL, fails(self->e->create(INT_MIN)));
	fd = self->e->create(1);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, fcntl(fd, F_GETFD));
	close(fd);
	fd = self->e->create(INT_MAX);
	ASSERT_LE(0, fd);
	close(fd);
}

TEST_F(epoll, create1_knows_one_flag)
{
	int fd;

	EXPECT_EQ(-EINVAL, fails(self->e->create1(1)));
	EXPECT_EQ(-EINVAL, fails(self->e->create1(-1)));
	EXPECT_EQ(-EINVAL, fails(self->e->create1(EPOLL_CLOEXEC | O_NONBLOCK)));
	fd = self->e->create1(0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, fcntl(fd, F_GETFD));
	close(fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->ep, F_GETFD));
}

TEST_F(epoll, create_needs_a_descriptor)
{
	struct rlimit limit;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = 3;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(-EMFILE, fails(self->e->create(1)));
	EXPECT_EQ(-EMFILE, fails(self->e->create1(0)));
}

TEST_F(epoll, ctl_of_what_is_not_open)
{
	static const int ops[] = { EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL, 0 };
	int gone = closed_fd(), path = open("/tmp", O_PATH);
	unsigned int i;

	ASSERT_LE(0, path);
	gone = closed_fd();
	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		EXPECT_EQ(-EBADF, control(self->e, -1, ops[i], self->fd, EPOLLIN, 0));
		EXPECT_EQ(-EBADF, control(self->e, gone, ops[i], self->fd, EPOLLIN, 0));
		EXPECT_EQ(-EBADF, control(self->e, path, ops[i], self->fd, EPOLLIN, 0));
		EXPECT_EQ(-EBADF, control(self->e, self->ep, ops[i], -1, EPOLLIN, 0));
		EXPECT_EQ(-EBADF, control(self->e, self->ep, ops[i], gone, EPOLLIN, 0));
		EXPECT_EQ(-EBADF, control(self->e, self->ep, ops[i], path, EPOLLIN, 0));
	}
	close(path);
}

TEST_F(epoll, ctl_of_what_cannot_be_polled)
{
	int file = open("/tmp", O_TMPFILE | O_RDWR, 0600), dir = open("/tmp", O_RDONLY);
	static const int ops[] = { EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL, 0, 4 };
	unsigned int i;

	ASSERT_LE(0, file);
	ASSERT_LE(0, dir);
	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		EXPECT_EQ(-EPERM, control(self->e, self->ep, ops[i], file, EPOLLIN, 0));
		EXPECT_EQ(-EPERM, control(self->e, self->ep, ops[i], dir, EPOLLIN, 0));
		/* That comes first. */
		EXPECT_EQ(-EPERM, control(self->e, self->fd, ops[i], file, EPOLLIN, 0));
	}
	EXPECT_EQ(-EPERM, ADD(file, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 0));
	close(file);
	close(dir);
}

TEST_F(epoll, ctl_of_what_is_no_set_or_itself)
{
	static const int ops[] = { EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL, 0 };
	int again = dup(self->ep);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		EXPECT_EQ(-EINVAL, control(self->e, self->fd, ops[i], self->pair[0], EPOLLIN, 0));
		EXPECT_EQ(-EINVAL, control(self->e, self->pair[0], ops[i], self->fd, EPOLLIN, 0));
		EXPECT_EQ(-EINVAL, control(self->e, self->ep, ops[i], self->ep, EPOLLIN, 0));
		EXPECT_EQ(-EINVAL, control(self->e, self->ep, ops[i], again, EPOLLIN, 0));
	}
	close(again);
}

TEST_F(epoll, ctl_knows_three_operations)
{
	static const int ops[] = { 0, 4, -1, INT_MAX, INT_MIN };
	unsigned int i;

	ASSERT_EQ(0, ADD(self->fd, EPOLLIN, 1));
	for (i = 0; i < ARRAY_SIZE(ops); i++)
		EXPECT_EQ(-EINVAL, control(self->e, self->ep, ops[i], self->fd, EPOLLIN, 0));
	/* It is still there, and nothing has changed. */
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_ONE(EPOLLIN, 1);
}

TEST_F(epoll, ctl_needs_an_event_but_to_delete)
{
	int gone = closed_fd();

	EXPECT_EQ(-EFAULT, fails(self->e->ctl(self->ep, EPOLL_CTL_ADD, self->fd, NULL)));
	ASSERT_EQ(0, ADD(self->fd, EPOLLIN, 1));
	EXPECT_EQ(-EFAULT, fails(self->e->ctl(self->ep, EPOLL_CTL_MOD, self->fd, NULL)));
	EXPECT_EQ(-EFAULT, fails(self->e->ctl(self->ep, 0, self->fd, NULL)));
	EXPECT_EQ(-EFAULT, fails(self->e->ctl(gone, EPOLL_CTL_ADD, gone, NULL)));
	EXPECT_EQ(0, self->e->ctl(self->ep, EPOLL_CTL_DEL, self->fd, NULL));
	EXPECT_EQ(-ENOENT, fails(self->e->ctl(self->ep, EPOLL_CTL_DEL, self->fd, NULL)));
}

TEST_F(epoll, a_descriptor_is_added_once)
{
	int again = dup(self->fd);

	ASSERT_EQ(0, ADD(self->fd, EPOLLIN, 1));
	EXPECT_EQ(-EEXIST, ADD(self->fd, EPOLLIN, 2));
	EXPECT_EQ(-EEXIST, ADD(self->fd, EPOLLOUT | EPOLLET, 2));
	EXPECT_EQ(0, ADD(again, EPOLLIN, 3));
	EXPECT_EQ(-EEXIST, ADD(again, EPOLLIN, 3));
	EXPECT_EQ(0, DEL(self->fd));
	EXPECT_EQ(0, ADD(self->fd, EPOLLIN, 1));
	close(again);
}

TEST_F(epoll, what_was_not_added_is_not_there)
{
	int again = dup(self->fd);

	EXPECT_EQ(-ENOENT, MOD(self->fd, EPOLLIN, 1));
	EXPECT_EQ(-ENOENT, DEL(self->fd));
	ASSERT_EQ(0, ADD(self->fd, EPOLLIN, 1));
	EXPECT_EQ(-ENOENT, MOD(again, EPOLLIN, 1));
	EXPECT_EQ(-ENOENT, DEL(again));
	EXPECT_EQ(-ENOENT, DEL(self->pair[0]));
	close(again);
}

TEST_F(epoll, sets_do_not_watch_one_another_in_a_circle)
{
	int other = self->e->create1(0), third = self->e->create1(0);

	ASSERT_EQ(0, ADD(other, EPOLLIN, 0));
	EXPECT_EQ(-ELOOP, control(self->e, other, EPOLL_CTL_ADD, self->ep, EPOLLIN, 0));
	ASSERT_EQ(0, control(self->e, other, EPOLL_CTL_ADD, third, EPOLLIN, 0));
	EXPECT_EQ(-ELOOP, control(self->e, third, EPOLL_CTL_ADD, self->ep, EPOLLIN, 0));
	EXPECT_EQ(-ELOOP, control(self->e, third, EPOLL_CTL_ADD, other, EPOLLIN, 0));
	/* No circle, no harm. */
	EXPECT_EQ(0, ADD(third, EPOLLIN, 0));
	close(third);
	close(other);
}

/* Five sets in a row, the last of which watches the first by way of all others. */
TEST_F(epoll, sets_are_in_one_another_four_times)
{
	int sets[6], i;

	for (i = 0; i < 6; i++)
		sets[i] = self->e->create1(0);
	/* From its middle. */
	ASSERT_EQ(0, control(self->e, sets[2], EPOLL_CTL_ADD, sets[1], EPOLLIN, 0));
	ASSERT_EQ(0, control(self->e, sets[3], EPOLL_CTL_ADD, sets[2], EPOLLIN, 0));
	ASSERT_EQ(0, control(self->e, sets[1], EPOLL_CTL_ADD, sets[0], EPOLLIN, 0));
	ASSERT_EQ(0, control(self->e, sets[4], EPOLL_CTL_ADD, sets[3], EPOLLIN, 0));
	EXPECT_EQ(-ELOOP, control(self->e, sets[5], EPOLL_CTL_ADD, sets[4], EPOLLIN, 0));
	EXPECT_EQ(-ELOOP, control(self->e, sets[0], EPOLL_CTL_ADD, sets[5], EPOLLIN, 0));
	/* Its ends are free for others. */
	EXPECT_EQ(0, control(self->e, sets[4], EPOLL_CTL_ADD, sets[0], EPOLLIN, 0));
	EXPECT_EQ(0, control(self->e, sets[4], EPOLL_CTL_DEL, sets[3], EPOLLIN, 0));
	EXPECT_EQ(0, control(self->e, sets[5], EPOLL_CTL_ADD, sets[4], EPOLLIN, 0));
	for (i = 0; i < 6; i++)
		close(sets[i]);
}

TEST_F(epoll, exclusive_goes_with_few_others)
{
	static const uint32_t bad[] = { EPOLLONESHOT, EPOLLRDHUP, EPOLLPRI, EPOLLRDNORM, 1U << 27 };
	int other = self->e->create1(0), real = kernel_create1(0);
	uint32_t good = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, ADD(self->fd, EPOLLIN | EPOLLEXCLUSIVE | bad[i], 0));
	EXPECT_EQ(-EINVAL, ADD(other, EPOLLIN | EPOLLEXCLUSIVE, 0));
	EXPECT_EQ(-EINVAL, ADD(real, EPOLLIN | EPOLLEXCLUSIVE, 0));
	EXPECT_EQ(0, ADD(self->fd, EPOLLEXCLUSIVE | good, 0));
	EXPECT_EQ(-EEXIST, ADD(self->fd, EPOLLEXCLUSIVE | EPOLLIN, 0));
	EXPECT_EQ(-EINVAL, MOD(self->fd, EPOLLIN | EPOLLEXCLUSIVE, 0));
	EXPECT_EQ(-EINVAL, MOD(self->fd, EPOLLIN, 0));
	EXPECT_EQ(-EINVAL, MOD(self->pair[0], EPOLLIN | EPOLLEXCLUSIVE, 0));
	EXPECT_EQ(0, DEL(self->fd));
	close(real);
	close(other);
}

TEST_F(epoll, a_watch_stays_as_exclusive_as_it_was)
{
	ASSERT_EQ(0, ADD(self->fd, EPOLLIN, 1));
	EXPECT_EQ(-EINVAL, MOD(self->fd, EPOLLIN | EPOLLEXCLUSIVE, 2));
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_ONE(EPOLLIN, 1);
}

/* The limits are not the same, but the answer is. Returns what it was before, or -1. */
static long set_limit(const struct epoll_calls *e, long limit)
{
	const char *path = "/proc/sys/fs/epoll/max_user_watches";
	long old = e->is_facade ? get_param("max_requests") : proc_number(path);
	int fd, ret;

	if (e->is_facade)
		return set_param("max_requests", limit) ? -1 : old;
	fd = open(path, O_WRONLY);
	ret = dprintf(fd, "%ld", limit);
	close(fd);
	return ret < 0 ? -1 : old;
}

TEST_F(epoll, watches_are_limited)
{
	long old = set_limit(self->e, 0);

	ASSERT_LT(0, old);
	EXPECT_EQ(-ENOSPC, ADD(self->fd, EPOLLIN, 1));
	ASSERT_EQ(0, set_limit(self->e, old));
	EXPECT_EQ(0, ADD(self->fd, EPOLLIN, 1));
}

/* By each of the calls, which must agree. */
static int wait_by(const struct epoll_calls *e, int how, int ep, struct epoll_event *events,
		   int max)
{
	static const struct timespec none;

	switch (how) {
	case 0:
		return fails(e->wait(ep, events, max, 0));
	case 1:
		return fails(e->pwait(ep, events, max, 0, NULL));
	default:
		return fails(e->pwait2(ep, events, max, &none, NULL));
	}
}

TEST_F(epoll, wait_takes_a_number_that_is_positive_and_not_too_large)
{
	int most = INT_MAX / sizeof(struct epoll_event), gone = closed_fd(), how;
	struct epoll_event ev;

	for (how = 0; how < 3; how++) {
		EXPECT_EQ(-EINVAL, wait_by(self->e, how, self->ep, &ev, 0));
		EXPECT_EQ(-EINVAL, wait_by(self->e, how, self->ep, &ev, -1));
		EXPECT_EQ(-EINVAL, wait_by(self->e, how, self->ep, &ev, INT_MIN));
		EXPECT_EQ(-EINVAL, wait_by(self->e, how, self->ep, &ev, INT_MAX));
		EXPECT_EQ(-EINVAL, wait_by(self->e, how, self->ep, &ev, most + 1));
		EXPECT_EQ(0, wait_by(self->e, how, self->ep, &ev, most));
		/* That comes first. */
		EXPECT_EQ(-EINVAL, wait_by(self->e, how, gone, &ev, 0));
	}
}

TEST_F(epoll, wait_on_what_is_not_open_or_no_set)
{
	int gone = closed_fd(), how;
	struct epoll_event ev;

	for (how = 0; how < 3; how++) {
		EXPECT_EQ(-EBADF, wait_by(self->e, how, -1, &ev, 1));
		EXPECT_EQ(-EBADF, wait_by(self->e, how, gone, &ev, 1));
		EXPECT_EQ(-EINVAL, wait_by(self->e, how, self->fd, &ev, 1));
		EXPECT_EQ(-EINVAL, wait_by(self->e, how, self->pair[0], &ev, 1));
	}
}

TEST_F(epoll, a_fault_loses_no_event)
{
	int how;

	for (how = 0; how < 3; how++)
		EXPECT_EQ(0, wait_by(self->e, how, self->ep, NULL, 1));
	ASSERT_EQ(0, ADD(self->fd, EPOLLIN | EPOLLET, 1));
	ASSERT_EQ(0, raise_fd(self->fd));
	for (how = 0; how < 3; how++)
		EXPECT_EQ(-EFAULT, wait_by(self->e, how, self->ep, NULL, 1));
	EXPECT_ONE(EPOLLIN, 1);
	EXPECT_NONE();
}

TEST_F(epoll, pwait2_takes_times_that_are_times)
{
	static const struct timespec bad[] = {
		{ .tv_sec = -1 }, { .tv_nsec = -1 }, { .tv_nsec = 1000000000 },
		{ .tv_sec = 1, .tv_nsec = LONG_MAX }, { .tv_sec = LONG_MIN },
	};
	struct epoll_event ev;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, fails(self->e->pwait2(self->ep, &ev, 1, &bad[i], NULL)));
		/* That comes first. */
		EXPECT_EQ(-EINVAL, fails(self->e->pwait2(-1, &ev, 1, &bad[i], NULL)));
	}
}

TEST_HARNESS_MAIN

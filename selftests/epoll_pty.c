// SPDX-License-Identifier: GPL-2.0-only
/* Masters of pseudo-terminals, which Linux 6.1 lets wake others in their close, under epoll. */
#include "epoll_test.h"
#include "kinds_file.h"

/*
 * What is written arrives by a worker of the kernel: @told, the master or a set that watches
 * it, is readable then. The master may be before the set is told.
 */
static int put(int slave, int told)
{
	struct pollfd pfd = { .fd = told, .events = POLLIN };

	return write(slave, "x", 1) == 1 && poll(&pfd, 1, BOUND_MS) == 1 ? 0 : -1;
}

static int get(int master)
{
	char buf[16];

	return read(master, buf, sizeof(buf)) > 0 ? 0 : -1;
}

TEST_F(epoll, a_master_is_watched_in_every_mode)
{
	int slave, master;

	ASSERT_EQ(0, make_pty(&master, &slave));
	ASSERT_EQ(0, ADD(master, EPOLLIN, 1));
	EXPECT_EQ(-EEXIST, ADD(master, EPOLLIN, 1));
	EXPECT_NONE();
	ASSERT_EQ(0, put(slave, self->ep));
	EXPECT_ONE(EPOLLIN, 1);
	EXPECT_ONE(EPOLLIN, 1);
	ASSERT_EQ(0, MOD(master, EPOLLIN | EPOLLET, 2));
	EXPECT_ONE(EPOLLIN, 2);
	EXPECT_NONE();
	ASSERT_EQ(0, MOD(master, EPOLLIN | EPOLLOUT | EPOLLONESHOT, 3));
	EXPECT_ONE(EPOLLIN | EPOLLOUT, 3);
	EXPECT_NONE();
	ASSERT_EQ(0, MOD(master, EPOLLIN, 4));
	EXPECT_ONE(EPOLLIN, 4);
	ASSERT_EQ(0, get(master));
	EXPECT_NONE();
	close(slave);
	EXPECT_ONE(EPOLLHUP, 4);
	ASSERT_EQ(0, DEL(master));
	EXPECT_EQ(-ENOENT, DEL(master));
	EXPECT_EQ(-ENOENT, MOD(master, EPOLLIN, 4));
	EXPECT_NONE();
	close(master);
}

TEST_F(epoll, a_master_wakes_who_sleeps)
{
	struct epoll_event ev = {};
	pid_t pid = getpid(), child;
	int slave, master, status;

	ASSERT_EQ(0, make_pty(&master, &slave));
	ASSERT_EQ(0, ADD(master, EPOLLIN | EPOLLET, 1));
	child = fork();
	if (!child) {
		eventually(thread_state(pid, pid) == 'S');
		_exit(write(slave, "x", 1) != 1);
	}
	EXPECT_EQ(1, self->e->wait(self->ep, &ev, 1, BOUND_MS));
	EXPECT_EQ(EPOLLIN, ev.events);
	EXPECT_EQ(1, ev.data.u64);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	close(slave);
	close(master);
}

TEST_F(epoll, masters_that_are_closed_leave_room_for_others)
{
	int slave, master, i;

	for (i = 0; i < 300; i++) {
		ASSERT_EQ(0, make_pty(&master, &slave));
		ASSERT_EQ(0, ADD(master, EPOLLIN, i));
		EXPECT_EQ(-EEXIST, ADD(master, EPOLLIN, i));
		ASSERT_EQ(0, put(slave, self->ep));
		EXPECT_ONE(EPOLLIN, i);
		close(master);
		close(slave);
		EXPECT_NONE();
	}
	/* Nor have they left descriptors. */
	EXPECT_GT(64, dup(0));
}

TEST_F(epoll, masters_in_sets_that_are_closed)
{
	int slave, master, ep, i;
	struct epoll_event ev = {};

	ASSERT_EQ(0, make_pty(&master, &slave));
	ASSERT_EQ(0, put(slave, master));
	for (i = 0; i < 4; i++) {
		ep = self->e->create1(0);
		ASSERT_LE(0, ep);
		EXPECT_EQ(-ENOENT, control(self->e, ep, EPOLL_CTL_MOD, master, EPOLLIN, i));
		ASSERT_EQ(0, control(self->e, ep, EPOLL_CTL_ADD, master, EPOLLIN, i));
		EXPECT_EQ(1, take_of(self->e, ep, &ev, 1));
		EXPECT_EQ(i, ev.data.u64);
		close(ep);
	}
	close(slave);
	close(master);
}

TEST_F(epoll, a_number_of_a_master_is_another_files)
{
	int slave, master;

	ASSERT_EQ(0, make_pty(&master, &slave));
	ASSERT_EQ(0, ADD(master, EPOLLIN, 1));
	close(master);
	ASSERT_EQ(master, dup(self->fd));
	EXPECT_EQ(-ENOENT, MOD(master, EPOLLIN, 2));
	EXPECT_EQ(-ENOENT, DEL(master));
	ASSERT_EQ(0, ADD(master, EPOLLIN, 3));
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_ONE(EPOLLIN, 3);
	ASSERT_EQ(0, DEL(master));
	EXPECT_NONE();
	close(slave);
	close(master);
}

TEST_HARNESS_MAIN

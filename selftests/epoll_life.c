// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptors that come and go under epoll: closed, duplicated, inherited, passed on, and
 * sets that are watched themselves; on the kernel's and on a queue.
 */
#include <sys/select.h>

#include "epoll_test.h"
#include "pass_fd.h"

TEST_F(epoll, what_is_deleted_is_not_told)
{
	struct epoll_event ev[4];
	int other = eventfd(1, 0);

	ASSERT_EQ(0, ADD(self->fd, EPOLLIN | EPOLLET, 1));
	ASSERT_EQ(0, raise_fd(self->fd));
	ASSERT_EQ(0, DEL(self->fd));
	EXPECT_NONE();
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_NONE();

	/* Not even if the last wait had looked at it, and had no room. */
	ASSERT_EQ(0, ADD(self->fd, EPOLLIN, 1));
	ASSERT_EQ(0, ADD(other, EPOLLIN, 2));
	ASSERT_EQ(1, take_of(self->e, self->ep, ev, 1));
	ASSERT_EQ(0, DEL(self->fd));
	ASSERT_EQ(0, DEL(other));
	EXPECT_NONE();
	close(other);
}

/* The same for each mode: all but one are announced, deleted, and must not be seen. */
TEST_F(epoll, what_is_deleted_is_not_told_in_any_mode)
{
	static const uint32_t modes[] = { 0, EPOLLET, EPOLLONESHOT, EPOLLEXCLUSIVE };
	struct epoll_event ev;
	unsigned int i, j;
	int fds[8];

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		for (j = 0; j < 8; j++) {
			fds[j] = eventfd(1, 0);
			ASSERT_EQ(0, ADD(fds[j], EPOLLIN | modes[i], j));
		}
		ASSERT_EQ(1, take_of(self->e, self->ep, &ev, 1));
		for (j = 0; j < 8; j++)
			EXPECT_EQ(0, DEL(fds[j]));
		EXPECT_NONE();
		for (j = 0; j < 8; j++)
			close(fds[j]);
	}
}

TEST_F(epoll, what_is_closed_is_not_told)
{
	struct epoll_event ev;
	int fds[8];
	unsigned int j;

	ASSERT_EQ(0, ADD(self->fd, EPOLLIN, 1));
	ASSERT_EQ(0, raise_fd(self->fd));
	close(self->fd);
	EXPECT_NONE();
	for (j = 0; j < 8; j++) {
		fds[j] = eventfd(1, 0);
		ASSERT_EQ(0, ADD(fds[j], EPOLLIN | (j & 1 ? EPOLLET : 0), j));
	}
	ASSERT_EQ(1, take_of(self->e, self->ep, &ev, 1));
	for (j = 0; j < 8; j++)
		close(fds[j]);
	EXPECT_NONE();
	self->fd = -1;
}

TEST_F(epoll, a_number_is_used_again)
{
	int fd;

	ASSERT_EQ(0, ADD(self->fd, EPOLLIN, 1));
	close(self->fd);
	fd = eventfd(0, EFD_NONBLOCK);
	ASSERT_EQ(self->fd, fd);
	EXPECT_EQ(-ENOENT, MOD(fd, EPOLLIN, 2));
	EXPECT_EQ(-ENOENT, DEL(fd));
	EXPECT_EQ(0, ADD(fd, EPOLLIN, 2));
	EXPECT_NONE();
	ASSERT_EQ(0, raise_fd(fd));
	EXPECT_ONE(EPOLLIN, 2);
}

/* epoll(7), question 6: the watch is of the open file. */
TEST_F(epoll, a_duplicate_keeps_the_watch)
{
	int again = dup(self->fd);

	ASSERT_EQ(0, ADD(self->fd, EPOLLIN, 1));
	close(self->fd);
	ASSERT_EQ(0, raise_fd(again));
	EXPECT_ONE(EPOLLIN, 1);
	/* It cannot be reached by another number, nor by its own. */
	EXPECT_EQ(-ENOENT, DEL(again));
	EXPECT_EQ(-EBADF, DEL(self->fd));
	EXPECT_EQ(0, ADD(again, EPOLLIN | EPOLLET, 2));
	ASSERT_EQ(self->fd, dup(again));
	EXPECT_EQ(0, DEL(self->fd));
	EXPECT_ONE(EPOLLIN, 2);
	close(again);
	EXPECT_NONE();
}

TEST_F(epoll, each_duplicate_has_a_watch_of_its_own)
{
	int again = dup(self->fd);
	struct epoll_event ev[4];

	ASSERT_EQ(0, ADD(self->fd, EPOLLIN, 1));
	ASSERT_EQ(0, ADD(again, EPOLLIN, 2));
	ASSERT_EQ(0, raise_fd(self->fd));
	ASSERT_EQ(2, take_of(self->e, self->ep, ev, 4));
	EXPECT_EQ(3, ev[0].data.u64 + ev[1].data.u64);
	ASSERT_EQ(0, MOD(again, EPOLLIN, 3));
	ASSERT_EQ(2, take_of(self->e, self->ep, ev, 4));
	EXPECT_EQ(4, ev[0].data.u64 + ev[1].data.u64);
	ASSERT_EQ(0, DEL(again));
	EXPECT_ONE(EPOLLIN, 1);
	close(again);
}

TEST_F(epoll, a_duplicate_of_a_set_is_the_set)
{
	int again = dup(self->ep);
	struct epoll_event ev;

	ASSERT_EQ(0, control(self->e, again, EPOLL_CTL_ADD, self->fd, EPOLLIN, 1));
	EXPECT_EQ(-EEXIST, ADD(self->fd, EPOLLIN, 1));
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_ONE(EPOLLIN, 1);
	close(self->ep);
	EXPECT_EQ(1, take_of(self->e, again, &ev, 1));
	self->ep = again;
}

/* Wait for a child that says by its status whether it has seen what it should. */
static int status_of(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(epoll, a_child_uses_the_set_it_inherits)
{
	struct epoll_event ev = {}, evs[4];
	pid_t pid;

	ASSERT_EQ(0, ADD(self->fd, EPOLLIN, 1));
	pid = fork();
	if (!pid) {
		raise_fd(self->fd);
		if (self->e->wait(self->ep, &ev, 1, BOUND_MS) != 1 || ev.data.u64 != 1)
			_exit(1);
		_exit(-ADD(self->pair[0], EPOLLOUT | EPOLLET, 2));
	}
	EXPECT_EQ(0, status_of(pid));
	/* It is one set: what the child has added is there. */
	EXPECT_EQ(2, take_of(self->e, self->ep, evs, 4));
	ASSERT_EQ(0, DEL(self->fd));
	EXPECT_EQ(0, DEL(self->pair[0]));
	EXPECT_NONE();
}

TEST_F(epoll, a_set_is_passed_to_another_process)
{
	struct epoll_event ev = {};
	int over[2], ep;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, over));
	pid = fork();
	if (!pid) {
		close(self->ep);
		ep = receive_fd(over[1]);
		if (ep < 0 || self->e->wait(ep, &ev, 1, BOUND_MS) != 1)
			_exit(1);
		_exit(ev.data.u64 != 7 || ev.events != EPOLLIN);
	}
	ep = self->e->create1(0);
	ASSERT_EQ(0, control(self->e, ep, EPOLL_CTL_ADD, self->fd, EPOLLIN, 7));
	ASSERT_EQ(0, pass_fd(over[0], ep));
	close(ep);
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_EQ(0, status_of(pid));
	close(over[0]);
	close(over[1]);
}

static int is_readable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct timeval none = {};
	fd_set set;
	int ready = poll(&pfd, 1, 0) == 1 && pfd.revents == POLLIN;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	/* Or they do not agree. */
	return select(fd + 1, &set, NULL, NULL, &none) == ready ? ready : -1;
}

TEST_F(epoll, a_set_is_readable_while_it_has_something_to_tell)
{
	ASSERT_EQ(0, ADD(self->fd, EPOLLIN, 1));
	EXPECT_EQ(0, is_readable(self->ep));
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_EQ(1, is_readable(self->ep));
	EXPECT_ONE(EPOLLIN, 1);
	EXPECT_EQ(1, is_readable(self->ep));
	ASSERT_EQ(0, drain_fd(self->fd));
	EXPECT_EQ(0, is_readable(self->ep));
	EXPECT_NONE();
	EXPECT_EQ(0, is_readable(self->ep));

	ASSERT_EQ(0, MOD(self->fd, EPOLLIN | EPOLLET, 1));
	EXPECT_EQ(0, is_readable(self->ep));
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_EQ(1, is_readable(self->ep));
	EXPECT_ONE(EPOLLIN, 1);
	EXPECT_EQ(0, is_readable(self->ep));
}

/* A set of one kind in a set of the same, or of the other. */
static void nest(struct __test_metadata *_metadata, const struct epoll_calls *outer,
		 const struct epoll_calls *inner, int fd)
{
	int out = outer->create1(0), in = inner->create1(0);
	struct epoll_event ev = {};

	ASSERT_EQ(0, control(outer, out, EPOLL_CTL_ADD, in, EPOLLIN, 1));
	ASSERT_EQ(0, control(inner, in, EPOLL_CTL_ADD, fd, EPOLLIN, 2));
	EXPECT_EQ(0, take_of(outer, out, &ev, 1));
	ASSERT_EQ(0, raise_fd(fd));
	EXPECT_EQ(1, outer->wait(out, &ev, 1, BOUND_MS));
	EXPECT_EQ(EPOLLIN, ev.events);
	EXPECT_EQ(1, ev.data.u64);
	EXPECT_EQ(1, take_of(outer, out, &ev, 1));
	EXPECT_EQ(1, take_of(inner, in, &ev, 1));
	EXPECT_EQ(2, ev.data.u64);
	ASSERT_EQ(0, drain_fd(fd));
	EXPECT_EQ(0, take_of(inner, in, &ev, 1));
	EXPECT_EQ(0, take_of(outer, out, &ev, 1));
	close(in);
	EXPECT_EQ(0, take_of(outer, out, &ev, 1));
	close(out);
}

TEST_F(epoll, a_set_in_a_set)
{
	nest(_metadata, self->e, self->e, self->fd);
}

TEST_F(epoll, a_set_in_a_set_of_the_kernel)
{
	nest(_metadata, &kernel_calls, self->e, self->fd);
}

TEST_F(epoll, a_set_of_the_kernel_in_a_set)
{
	nest(_metadata, self->e, &kernel_calls, self->fd);
}

/* What a program has got from elsewhere is the kernel's, by the same functions. */
TEST_F(epoll, sets_of_the_kernel_are_served)
{
	sigset_t mask;
	struct timespec none = {};
	struct epoll_event ev = {};
	int ep = kernel_create1(0);

	sigemptyset(&mask);
	ASSERT_EQ(0, control(self->e, ep, EPOLL_CTL_ADD, self->fd, EPOLLIN, 1));
	EXPECT_EQ(-EEXIST, control(self->e, ep, EPOLL_CTL_ADD, self->fd, EPOLLIN, 1));
	EXPECT_EQ(-EINVAL, control(self->e, ep, EPOLL_CTL_MOD, self->fd,
				   EPOLLIN | EPOLLEXCLUSIVE, 1));
	EXPECT_EQ(0, control(self->e, ep, EPOLL_CTL_MOD, self->fd, EPOLLIN, 2));
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_EQ(1, self->e->wait(ep, &ev, 1, 0));
	EXPECT_EQ(1, self->e->pwait(ep, &ev, 1, 0, &mask));
	EXPECT_EQ(1, self->e->pwait2(ep, &ev, 1, &none, &mask));
	EXPECT_EQ(2, ev.data.u64);
	EXPECT_EQ(0, control(self->e, ep, EPOLL_CTL_DEL, self->fd, 0, 0));
	EXPECT_EQ(-ENOENT, control(self->e, ep, EPOLL_CTL_DEL, self->fd, 0, 0));
	EXPECT_EQ(0, self->e->wait(ep, &ev, 1, 0));
	close(ep);
}

TEST_HARNESS_MAIN

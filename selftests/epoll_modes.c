// SPDX-License-Identifier: GPL-2.0-only
/* What epoll announces, how often and to whom; on the kernel's and on a queue. */
#include "epoll_test.h"
#include "kinds_file.h"
#include "kinds_socket.h"

TEST_F(epoll, level_tells_again_while_it_is_ready)
{
	ASSERT_EQ(0, ADD(self->fd, EPOLLIN, 1));
	EXPECT_NONE();
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_ONE(EPOLLIN, 1);
	EXPECT_ONE(EPOLLIN, 1);
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_ONE(EPOLLIN, 1);
	ASSERT_EQ(0, drain_fd(self->fd));
	EXPECT_NONE();
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_ONE(EPOLLIN, 1);
}

TEST_F(epoll, level_tells_what_is_true)
{
	ASSERT_EQ(0, ADD(self->fd, EPOLLIN, 1));
	ASSERT_EQ(0, raise_fd(self->fd));
	ASSERT_EQ(0, drain_fd(self->fd));
	EXPECT_NONE();
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_ONE(EPOLLIN, 1);
	ASSERT_EQ(0, drain_fd(self->fd));
	EXPECT_NONE();
	EXPECT_NONE();
}

TEST_F(epoll, edge_tells_once)
{
	ASSERT_EQ(0, ADD(self->fd, EPOLLIN | EPOLLET, 1));
	EXPECT_NONE();
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_ONE(EPOLLIN, 1);
	EXPECT_NONE();
	/* More of the same is a change, too. */
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_ONE(EPOLLIN, 1);
	ASSERT_EQ(0, drain_fd(self->fd));
	EXPECT_NONE();
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_ONE(EPOLLIN, 1);
}

TEST_F(epoll, edge_tells_what_is_true)
{
	ASSERT_EQ(0, ADD(self->fd, EPOLLIN | EPOLLET, 1));
	ASSERT_EQ(0, raise_fd(self->fd));
	ASSERT_EQ(0, drain_fd(self->fd));
	EXPECT_NONE();
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_ONE(EPOLLIN, 1);
}

TEST_F(epoll, what_is_ready_when_it_is_added_is_told)
{
	ASSERT_EQ(0, raise_fd(self->fd));
	ASSERT_EQ(0, ADD(self->fd, EPOLLIN, 1));
	EXPECT_ONE(EPOLLIN, 1);
	ASSERT_EQ(0, DEL(self->fd));
	ASSERT_EQ(0, ADD(self->fd, EPOLLIN | EPOLLET, 2));
	EXPECT_ONE(EPOLLIN, 2);
	EXPECT_NONE();
	ASSERT_EQ(0, DEL(self->fd));
	ASSERT_EQ(0, ADD(self->fd, EPOLLIN | EPOLLONESHOT, 3));
	EXPECT_ONE(EPOLLIN, 3);
	EXPECT_NONE();
}

TEST_F(epoll, oneshot_tells_once_until_it_is_armed)
{
	ASSERT_EQ(0, ADD(self->fd, EPOLLIN | EPOLLONESHOT, 1));
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_ONE(EPOLLIN, 1);
	EXPECT_NONE();
	ASSERT_EQ(0, drain_fd(self->fd));
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_NONE();
	EXPECT_EQ(-EEXIST, ADD(self->fd, EPOLLIN | EPOLLONESHOT, 2));
	/* It is ready: that is told at once. */
	ASSERT_EQ(0, MOD(self->fd, EPOLLIN | EPOLLONESHOT, 2));
	EXPECT_ONE(EPOLLIN, 2);
	EXPECT_NONE();
	ASSERT_EQ(0, drain_fd(self->fd));
	ASSERT_EQ(0, MOD(self->fd, EPOLLIN | EPOLLONESHOT | EPOLLET, 3));
	EXPECT_NONE();
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_ONE(EPOLLIN, 3);
	EXPECT_NONE();
	ASSERT_EQ(0, DEL(self->fd));
	EXPECT_EQ(-ENOENT, DEL(self->fd));
}

TEST_F(epoll, oneshot_that_has_told_tells_no_hangup)
{
	ASSERT_EQ(0, ADD(self->pair[0], EPOLLIN | EPOLLONESHOT, 1));
	ASSERT_EQ(1, write(self->pair[1], "x", 1));
	EXPECT_ONE(EPOLLIN, 1);
	close(self->pair[1]);
	EXPECT_NONE();
	ASSERT_EQ(0, MOD(self->pair[0], EPOLLIN | EPOLLONESHOT, 2));
	EXPECT_ONE(EPOLLIN | EPOLLHUP, 2);
	self->pair[1] = -1;
}

TEST_F(epoll, mod_changes_mask_and_data)
{
	ASSERT_EQ(0, ADD(self->pair[0], EPOLLIN, 1));
	EXPECT_NONE();
	ASSERT_EQ(0, MOD(self->pair[0], EPOLLOUT, 2));
	EXPECT_ONE(EPOLLOUT, 2);
	ASSERT_EQ(1, write(self->pair[1], "x", 1));
	EXPECT_ONE(EPOLLOUT, 2);
	ASSERT_EQ(0, MOD(self->pair[0], EPOLLIN | EPOLLOUT, 3));
	EXPECT_ONE(EPOLLIN | EPOLLOUT, 3);
	ASSERT_EQ(0, MOD(self->pair[0], 0, 4));
	EXPECT_NONE();
	ASSERT_EQ(0, MOD(self->pair[0], EPOLLIN, ~0ULL));
	EXPECT_ONE(EPOLLIN, ~0ULL);
}

/* What was announced but not taken is told as it is now, or not at all. */
TEST_F(epoll, mod_counts_for_what_was_not_taken)
{
	ASSERT_EQ(0, ADD(self->pair[0], EPOLLIN | EPOLLET, 1));
	ASSERT_EQ(1, write(self->pair[1], "x", 1));
	ASSERT_EQ(0, MOD(self->pair[0], EPOLLIN | EPOLLET, 2));
	EXPECT_ONE(EPOLLIN, 2);
	EXPECT_NONE();
	ASSERT_EQ(1, write(self->pair[1], "x", 1));
	ASSERT_EQ(0, MOD(self->pair[0], EPOLLPRI, 3));
	EXPECT_NONE();
}

TEST_F(epoll, mod_arms_an_edge_again)
{
	ASSERT_EQ(0, ADD(self->fd, EPOLLIN | EPOLLET, 1));
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_ONE(EPOLLIN, 1);
	EXPECT_NONE();
	ASSERT_EQ(0, MOD(self->fd, EPOLLIN | EPOLLET, 2));
	EXPECT_ONE(EPOLLIN, 2);
	EXPECT_NONE();
	/* And from mode to mode. */
	ASSERT_EQ(0, MOD(self->fd, EPOLLIN, 3));
	EXPECT_ONE(EPOLLIN, 3);
	EXPECT_ONE(EPOLLIN, 3);
	ASSERT_EQ(0, MOD(self->fd, EPOLLIN | EPOLLONESHOT, 4));
	EXPECT_ONE(EPOLLIN, 4);
	EXPECT_NONE();
	ASSERT_EQ(0, MOD(self->fd, EPOLLIN | EPOLLET, 5));
	EXPECT_ONE(EPOLLIN, 5);
	EXPECT_NONE();
}

TEST_F(epoll, bits_that_mean_nothing_do_nothing)
{
	uint32_t junk = 1U << 11 | 1U << 14 | 1U << 20 | POLLNVAL | EPOLLWAKEUP;

	ASSERT_EQ(0, ADD(self->fd, EPOLLIN | junk, 1));
	EXPECT_NONE();
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_ONE(EPOLLIN, 1);
	EXPECT_ONE(EPOLLIN, 1);
	ASSERT_EQ(0, MOD(self->fd, EPOLLIN | EPOLLET | junk, 2));
	EXPECT_ONE(EPOLLIN, 2);
	EXPECT_NONE();
}

TEST_F(epoll, error_and_hangup_are_always_told)
{
	int p[2];

	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(0, ADD(p[0], 0, 1));
	EXPECT_NONE();
	close(p[1]);
	EXPECT_ONE(EPOLLHUP, 1);
	EXPECT_ONE(EPOLLHUP, 1);
	ASSERT_EQ(0, DEL(p[0]));
	close(p[0]);
	ASSERT_EQ(0, pipe(p));
	close(p[0]);
	ASSERT_EQ(0, ADD(p[1], EPOLLET, 2));
	EXPECT_ONE(EPOLLERR, 2);
	EXPECT_NONE();
	close(p[1]);
}

TEST_F(epoll, the_end_of_what_the_peer_writes_is_told)
{
	ASSERT_EQ(0, ADD(self->pair[0], EPOLLRDHUP, 1));
	EXPECT_NONE();
	ASSERT_EQ(1, write(self->pair[1], "x", 1));
	EXPECT_NONE();
	ASSERT_EQ(0, shutdown(self->pair[1], SHUT_WR));
	EXPECT_ONE(EPOLLRDHUP, 1);
	ASSERT_EQ(0, MOD(self->pair[0], EPOLLIN | EPOLLRDHUP | EPOLLET, 2));
	EXPECT_ONE(EPOLLIN | EPOLLRDHUP, 2);
	EXPECT_NONE();
	ASSERT_EQ(0, shutdown(self->pair[1], SHUT_RD));
	EXPECT_ONE(EPOLLIN | EPOLLRDHUP | EPOLLHUP, 2);
}

TEST_F(epoll, urgent_data_is_told)
{
	struct thing tcp = {};

	ASSERT_EQ(0, make_tcp(&tcp));
	ASSERT_EQ(0, ADD(tcp.fd, EPOLLPRI, 1));
	EXPECT_NONE();
	ASSERT_EQ(1, send(tcp.peer, "x", 1, 0));
	ASSERT_TRUE(eventually(kind_poll(tcp.fd, POLLIN)));
	EXPECT_NONE();
	ASSERT_EQ(1, send(tcp.peer, "u", 1, MSG_OOB));
	ASSERT_TRUE(eventually(kind_poll(tcp.fd, POLLPRI)));
	EXPECT_ONE(EPOLLPRI, 1);
	close(tcp.fd);
	close(tcp.peer);
}

/* More are ready than there is room for: each gets its turn. */
TEST_F(epoll, what_is_ready_takes_turns)
{
	struct epoll_event ev[2];
	unsigned int seen = 0;
	int fds[4], i;

	for (i = 0; i < 4; i++) {
		fds[i] = eventfd(1, 0);
		ASSERT_EQ(0, ADD(fds[i], EPOLLIN, i));
	}
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(2, take_of(self->e, self->ep, ev, 2));
		seen |= 1 << ev[0].data.u64 | 1 << ev[1].data.u64;
	}
	EXPECT_EQ(15, seen);
	for (i = 0; i < 4; i++)
		close(fds[i]);
}

/* As many at once as there are, however many: none twice. */
static void tell_many(struct __test_metadata *_metadata, const struct epoll_calls *e,
		      uint32_t events, int n)
{
	struct epoll_event *ev = calloc(n + 28, sizeof(*ev));
	int *fds = calloc(n, sizeof(*fds)), *seen = calloc(n, sizeof(*seen));
	int ep = e->create1(0), i, round;

	for (i = 0; i < n; i++) {
		fds[i] = eventfd(1, EFD_NONBLOCK);
		ASSERT_LE(0, fds[i]);
		ASSERT_EQ(0, control(e, ep, EPOLL_CTL_ADD, fds[i], EPOLLIN | events, i));
	}
	for (round = 1; round < 4; round++) {
		ASSERT_EQ(n, take_of(e, ep, ev, n + 28));
		for (i = 0; i < n; i++) {
			EXPECT_EQ(EPOLLIN, ev[i].events);
			seen[ev[i].data.u64]++;
		}
		for (i = 0; i < n; i++) {
			ASSERT_EQ(round, seen[i]);
			if (events & EPOLLET)
				ASSERT_EQ(0, raise_fd(fds[i]));
		}
	}
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, drain_fd(fds[i]));
	EXPECT_EQ(0, take_of(e, ep, ev, n + 28));
	for (i = 0; i < n; i++)
		close(fds[i]);
	close(ep);
	free(seen);
	free(fds);
	free(ev);
}

TEST_F(epoll, many_are_told_at_once)
{
	tell_many(_metadata, self->e, 0, 100);
	tell_many(_metadata, self->e, 0, 2000);
}

TEST_F(epoll, many_are_told_at_once_by_edge)
{
	tell_many(_metadata, self->e, EPOLLET, 100);
	tell_many(_metadata, self->e, EPOLLET, 2000);
}

/* Exactly as many as there is room for, and the others next time. */
TEST_F(epoll, many_take_turns)
{
	static struct epoll_event ev[1000];
	static int seen[2000];
	int fd, i, round;

	for (i = 0; i < 2000; i++) {
		fd = eventfd(1, 0);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, ADD(fd, EPOLLIN, i));
	}
	for (round = 0; round < 4; round++) {
		ASSERT_EQ(1000, take_of(self->e, self->ep, ev, 1000));
		for (i = 0; i < 1000; i++)
			seen[ev[i].data.u64]++;
	}
	for (i = 0; i < 2000; i++)
		ASSERT_EQ(2, seen[i]);
}

/* Two sets, one file, watched by both alone: a change is for one of them. */
TEST_F(epoll, exclusive_tells_one_set)
{
	int other = self->e->create1(0);
	struct epoll_event ev;
	int told = 0, round;

	ASSERT_EQ(0, ADD(self->fd, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 1));
	ASSERT_EQ(0, control(self->e, other, EPOLL_CTL_ADD, self->fd,
			     EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 2));
	for (round = 0; round < 4; round++) {
		ASSERT_EQ(0, raise_fd(self->fd));
		told = take_of(self->e, self->ep, &ev, 1) + take_of(self->e, other, &ev, 1);
		/* The man page: one or more. */
		EXPECT_LE(1, told);
		ASSERT_EQ(0, drain_fd(self->fd));
		EXPECT_NONE();
		EXPECT_EQ(0, take_of(self->e, other, &ev, 1));
	}
	close(other);
}

TEST_HARNESS_MAIN

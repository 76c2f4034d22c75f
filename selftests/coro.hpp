/* SPDX-License-Identifier: GPL-2.0-only */
/* What tests of ioevq.hpp do again and again. */
#ifndef CORO_HPP
#define CORO_HPP

#include <ioevq.hpp>

#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "tap.hpp"

using evq::queue;
using evq::task;

/* Both ends of a pipe */
struct pipe_pair {
	int fd[2];

	pipe_pair()
	{
		if (pipe2(fd, O_CLOEXEC))
			throw std::runtime_error("pipe");
	}
	~pipe_pair()
	{
		close_one(0);
		close_one(1);
	}
	void close_one(int i)
	{
		if (fd[i] >= 0)
			::close(fd[i]);
		fd[i] = -1;
	}
	bool put(char c) { return ::write(fd[1], &c, 1) == 1; }
	bool empty() const
	{
		struct pollfd p = {.fd = fd[0], .events = POLLIN, .revents = 0};

		return ::poll(&p, 1, 0) == 0;
	}
};

inline struct ioevq_info info(const queue &q)
{
	struct ioevq_info i = {};

	i.op = IOEVQ_OP_NOP;
	if (ioevq_info(q.native(), &i))
		throw std::runtime_error("ioevq_info");
	return i;
}

/* How many the queue holds, when it has forgotten those that are done. */
inline unsigned int requests(const queue &q)
{
	struct ioevq_enter enter = {};

	if (ioevq_enter(q.native(), &enter) < 0)
		throw std::runtime_error("ioevq_enter");
	return info(q).requests;
}

/* The errno that an awaiter throws, 0 if it does not. */
template <class A> task<int> error_of(A &a)
{
	try {
		co_await a;
	} catch (const std::system_error &e) {
		co_return e.code().value();
	}
	co_return 0;
}

/* Counts those that got further. */
template <class A> task<> wait_for(A &a, int &resumed)
{
	co_await a;
	resumed++;
}

/* A file without a name, in memory */
inline int make_file()
{
	int fd = ::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		throw std::runtime_error("/tmp");
	return fd;
}

#endif

// SPDX-License-Identifier: MIT
/* Is compiled against the headers of the package, and linked with its library. */
#include <ioevq.hpp>

static evq::task<std::size_t> first(evq::queue &q, int fd, char *buf)
{
	co_return co_await q.read(fd, buf, 1);
}

int main()
{
	evq::queue q;
	char c;

	return q.run(first(q, 0, &c)) != 1;
}

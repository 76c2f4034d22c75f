// SPDX-License-Identifier: MIT
/* Says what file its epoll set is. */
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

int main(void)
{
	char link[64], file[256];
	int fd = epoll_create1(0);
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, file, sizeof(file));
	if (n < 0)
		return 1;
	printf("%.*s\n", (int)n, file);
	return 0;
}

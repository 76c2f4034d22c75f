// SPDX-License-Identifier: MIT
/* Reads a file by <aio.h>, and says whether that was a queue's work. */
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <ioevq-aio.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	char text[256];
	struct aiocb cb = { .aio_buf = text, .aio_nbytes = sizeof(text) };
	const struct aiocb *list[] = { &cb };
	struct sigevent event;

	/* It is nowhere but in our library. */
	ioevq_aio_notify(&event, -1, 0);
	if (argc != 2)
		return 2;
	cb.aio_fildes = open(argv[1], O_RDONLY);
	if (aio_read(&cb) || aio_suspend(list, 1, NULL) || aio_error(&cb))
		return 1;
	printf("%.*s", (int)aio_return(&cb), text);
	return 0;
}

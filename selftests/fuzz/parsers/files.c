// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioevq info, top and run: the fdinfo of a queue, as another process may show it, and the headers
 * of a program. Which one the first byte tells.
 */
#include <assert.h>
#include <sys/mman.h>

#include "../../../tools/ioevq/program.c"
#include "../../../tools/ioevq/queues.c"

#include "target.h"

static void fdinfo(const uint8_t *data, size_t size)
{
	struct {
		struct queue q;
		uint64_t after;
	} here = { .after = 42 };
	FILE *file = fmemopen((void *)data, size, "r");
	char line[128];

	/* As read_fdinfo() does. */
	while (file && fgets(line, sizeof(line), file))
		parse_line(&here.q, line);
	if (file)
		fclose(file);
	assert(here.after == 42 && !here.q.pid && !here.q.command[0]);
}

static void program(const uint8_t *data, size_t size)
{
	int fd = memfd_create("program", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, data, size) == (ssize_t)size)
		has_loader(fd);
	close(fd);
}

int fuzz_input(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (data[0] & 1)
		fdinfo(data + 1, size - 1);
	else
		program(data + 1, size - 1);
	return 0;
}

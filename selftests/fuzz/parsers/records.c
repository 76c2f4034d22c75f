// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvlog: of a file that is a log, up to some place, exactly that is read. The first bytes of the
 * input tell how many records are made, the next ones how long they are, and the rest is
 * what the file ends in, or what it is overwritten with somewhere.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../../tools/examples/kvlog/kvlog.h"
#include "target.h"

noreturn void die(const char *what, int err)
{
	(void)what;
	(void)err;
	abort();
}

static uint64_t found_nr;
static unsigned int sum;

static void found(const struct record *r)
{
	struct text key = record_key(r), value = record_value(r);
	size_t i;

	assert(r->seq == ++found_nr && key.len <= KEY_MAX && value.len <= VALUE_MAX);
	/* All of it can be read. */
	for (i = 0; i < value.len; i++)
		sum += value.at[i];
}

int fuzz_input(const uint8_t *data, size_t size)
{
	static char file[9 * RECORD_MAX + 4096];
	static const char bytes[VALUE_MAX] = "bytes";
	size_t len = 0, whole, over;
	unsigned int nr, i;
	uint64_t seq = 0;
	int64_t end, at;
	int fd;

	if (size < 20 || size > 4096)
		return 0;
	nr = data[0] % 9;
	for (i = 0; i < nr; i++)
		len += record_write(file + len, i + 1,
				    (struct text) { bytes, data[1 + i] % (KEY_MAX + 1) },
				    (struct text) { bytes, data[10 + i] * 16 });
	whole = len;
	over = data[18] | data[19] << 8;
	data += 20;
	size -= 20;
	/* What is there by now may end anywhere. */
	if (over < len)
		len = over;
	memcpy(file + len, data, size);
	len += size;
	fd = memfd_create("log", MFD_CLOEXEC);
	if (fd < 0 || write(fd, file, len) != (ssize_t)len)
		abort();
	found_nr = 0;
	at = log_read(fd, found, &seq, &end);
	close(fd);
	assert(at >= 0 && (size_t)at <= len && (size_t)end == len && seq == found_nr + 1);
	/* All that was not touched. */
	assert(over < whole || found_nr >= nr);
	return 0;
}

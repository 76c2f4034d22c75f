// SPDX-License-Identifier: MIT
/* Records, and what of a file is a log. */
#define _GNU_SOURCE
#include "kvlog.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t padded(size_t key_len, size_t value_len)
{
	return (sizeof(struct record) + key_len + value_len + 7) & ~(size_t)7;
}

static uint32_t record_crc(const struct record *r)
{
	return crc32c(0, &r->seq, record_size(r) - offsetof(struct record, seq));
}

/* Returns the size of what was written: at most RECORD_MAX. */
size_t record_write(char *to, uint64_t seq, struct text key, struct text value)
{
	size_t size = padded(key.len, value.len);
	struct record *r = (struct record *)to;

	memset(to + size - 8, 0, 8);
	*r = (struct record){
		.magic = RECORD_MAGIC,
		.seq = seq,
		.key_len = (uint32_t)key.len,
		.value_len = (uint32_t)value.len,
	};
	memcpy(r + 1, key.at, key.len);
	memcpy((char *)(r + 1) + key.len, value.at, value.len);
	r->crc = record_crc(r);
	return size;
}

size_t record_size(const struct record *r)
{
	return padded(r->key_len, r->value_len);
}

struct text record_key(const struct record *r)
{
	return (struct text){ (const char *)(r + 1), r->key_len };
}

struct text record_value(const struct record *r)
{
	return (struct text){ (const char *)(r + 1) + r->key_len, r->value_len };
}

/* Is what is here the whole record @seq? Lengths are looked at before they are believed. */
static bool record_good(const char *at, size_t left, uint64_t seq)
{
	const struct record *r = (const struct record *)at;

	return left >= sizeof(*r) && r->magic == RECORD_MAGIC && r->seq == seq &&
	       r->key_len <= KEY_MAX && r->value_len <= VALUE_MAX && record_size(r) <= left &&
	       r->crc == record_crc(r);
}

int64_t log_read(int fd, void (*found)(const struct record *r), uint64_t *seq, int64_t *size)
{
	size_t at = 0, len;
	struct stat st;
	char *map;

	if (fstat(fd, &st))
		return -errno;
	*seq = 1;
	*size = st.st_size;
	if (!st.st_size)
		return 0;
	len = (size_t)st.st_size;
	map = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	while (record_good(map + at, len - at, *seq)) {
		const struct record *r = (const struct record *)(map + at);

		found(r);
		at += record_size(r);
		++*seq;
	}
	munmap(map, len);
	return (int64_t)at;
}

/* A file is found after a crash only if its directory was written, too. */
static void sync_dir(const char *path)
{
	char copy[4096];
	int fd;

	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		die(path, ENAMETOOLONG);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		die("the directory of the log", errno);
	close(fd);
}

int log_open(const char *path, void (*found)(const struct record *r), uint64_t *seq, uint64_t *end)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	int64_t len, size = 0;

	if (fd < 0)
		die(path, errno);
	len = log_read(fd, found, seq, &size);
	if (len < 0)
		die(path, (int)-len);
	/*
	 * Nothing behind the end may be taken for a record one day. And if it was the program
	 * that crashed, and not the machine, what was found may be in memory only: nobody may
	 * be told of it before it is on the disk.
	 */
	if ((size > len && ftruncate(fd, len)) || fsync(fd))
		die(path, errno);
	sync_dir(path);
	if (size > len)
		printf("%lld bytes cut off\n", (long long)(size - len));
	*end = (uint64_t)len;
	return fd;
}

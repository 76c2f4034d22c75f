/* SPDX-License-Identifier: MIT */
/*
 * A key-value store that is a log: every PUT is appended, and acknowledged when it is on
 * the disk. One thread, and one queue for sockets, writes and fdatasync.
 *
 *	log.c, crc.c	records, and what of a file is a log
 *	commit.c	from a PUT to its acknowledgment: batches that are written and synced
 *	conn.c		clients
 *	store.c		what keys are worth, in memory
 *	kvlog.c		the loop
 *	load.c		a client that puts, and tells what was acknowledged
 */
#ifndef EXAMPLE_KVLOG_H
#define EXAMPLE_KVLOG_H

#include <ioevq.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>

#define KEY_MAX		64	/* bytes */
#define VALUE_MAX	4096	/* bytes */
#define NR_BATCHES	8

/*
 * What user data means: the writes of batches have the number of theirs. Other values
 * are the address of a client.
 */
enum { LISTENER = NR_BATCHES, SYNC };

/**
 * struct record - head of a record; key and value follow, and zeroes up to 8 bytes
 * @magic: %RECORD_MAGIC
 * @crc: CRC32C of all that follows it, key and value included
 * @seq: one more than that of the record before it
 * @key_len: bytes
 * @value_len: bytes
 *
 * Of the byte order of the host. A record is whole if its sum says so, and belongs to the
 * log if its number is due: what an older, longer log has left on the disk is not read.
 */
struct record {
	uint32_t magic;
	uint32_t crc;
	uint64_t seq;
	uint32_t key_len;
	uint32_t value_len;
};

#define RECORD_MAGIC	0x676f4c4bU
#define RECORD_MAX	(sizeof(struct record) + KEY_MAX + VALUE_MAX + 8)

/* What user space has to say about a record: text that is not terminated. */
struct text {
	const char *at;
	size_t len;
};

/* crc.c */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

/* log.c */
size_t record_write(char *to, uint64_t seq, struct text key, struct text value);
size_t record_size(const struct record *r);
struct text record_key(const struct record *r);
struct text record_value(const struct record *r);

/*
 * log_read - the records of a file, in their order
 * @found: called for each
 * @seq: number of the next record
 * @size: of the file, more than the return value if its end is torn
 *
 * Returns the offset behind the last of them, or a negative errno.
 */
int64_t log_read(int fd, void (*found)(const struct record *r), uint64_t *seq, int64_t *size);

/* log_open - opens or makes a log, and cuts off what is torn, durably; or ends the program */
int log_open(const char *path, void (*found)(const struct record *r), uint64_t *seq, uint64_t *end);

/* commit.c */
struct conn;

void commit_init(int fd, uint64_t seq, uint64_t end, bool unsafe);
bool commit_put(struct conn *c, struct text key, struct text value);
unsigned int commit_next(struct ioevq_req *reqs);
void commit_written(unsigned int nr, int64_t res);
void commit_synced(int64_t res);

/* conn.c */
void conn_accept(const struct ioevq *q, int listener);
void conn_event(const struct ioevq *q, struct conn *c, const struct ioevq_event *ev);
void conn_durable(struct conn *c, uint64_t seq);
void conn_go_on(const struct ioevq *q);

/* store.c: sets are of what is durable; the text of a value is good until it is set again */
void store_set(struct text key, struct text value);
bool store_get(struct text key, struct text *value);

noreturn void die(const char *what, int err);

#endif /* EXAMPLE_KVLOG_H */

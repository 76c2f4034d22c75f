// SPDX-License-Identifier: MIT
/*
 * A page of a trace buffer as trace_pipe_raw has it: a time, the number of bytes that count,
 * and records, each with the time since the one before it. See events/header_page and
 * events/header_event in tracefs.
 */
#include <string.h>

#include "trace.h"

#define HEAD		16		/* u64 time, and u64 commit on a 64-bit kernel */
#define COMMIT		0x07ffffff
#define MISSED		0x80000000	/* some were lost before this page */
#define MISSED_STORED	0x40000000	/* and how many stands behind the last record */

enum { PADDING = 29, TIME_EXTEND = 30, TIME_STAMP = 31 };

static uint64_t get(const unsigned char *p, unsigned int size)
{
	uint64_t value = 0;

	memcpy(&value, p, size);
	return value;
}

/* One record at @p. Returns how long it is; 0: it is the last. */
static size_t decode(const unsigned char *p, size_t left, uint64_t *ns, record_fn fn, void *arg)
{
	uint32_t head = get(p, 4), type = head & 31, delta = head >> 5, length = 0;
	struct record r;

	if (type && type < PADDING) {
		length = 4 + type * 4;
	} else if (left < 8) {
		return 0;
	} else if (type == TIME_EXTEND || type == TIME_STAMP) {
		uint64_t high = get(p + 4, 4) << 27;

		/* The second is the time itself, but for the highest bits. */
		*ns = delta + high + (type == TIME_EXTEND ? *ns : *ns & ~((1ULL << 59) - 1));
		return 8;
	}
	if (!length) {
		/* Padding without a time fills the page. */
		if (type == PADDING && !delta)
			return 0;
		length = 4 + get(p + 4, 4);
	}
	*ns += delta;
	/* It has the head that tells so, and a length that fits. */
	if (length > left || length < (type ? 4 : 8))
		return 0;
	if (type == PADDING)
		return length;
	p += type ? 4 : 8;
	r.ns = *ns;
	if (format_decode(p, length - (type ? 4 : 8), &r))
		fn(&r, arg);
	return length;
}

long page_decode(const unsigned char *page, size_t size, record_fn fn, void *arg)
{
	uint64_t ns, commit;
	size_t at, end, n;

	if (size < HEAD)
		return 0;
	ns = get(page, 8);
	commit = get(page + 8, 8);
	end = HEAD + (commit & COMMIT);
	if (end > size)
		end = size;
	for (at = HEAD; at + 4 <= end; at += n) {
		n = decode(page + at, end - at, &ns, fn, arg);
		if (!n)
			break;
	}
	if (!(commit & MISSED))
		return 0;
	return commit & MISSED_STORED && end + 8 <= size ? (long)get(page + end, 8) : -1;
}

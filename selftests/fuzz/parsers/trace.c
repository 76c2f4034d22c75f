// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioevq trace: the format of a tracepoint, which is the input up to its first 0, and a page of the
 * kernel's ring buffer, which is the rest.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../../../tools/ioevq/trace/trace.h"
#include "target.h"

/* A record has the least of 8 bytes, and the tracepoint that was parsed. */
static void told(const struct record *r, void *arg)
{
	assert(r->what == SUBMIT);
	++*(size_t *)arg;
}

int fuzz_input(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, 0, size);
	size_t length, records = 0;
	unsigned char *page;
	char *text;

	if (!end)
		return 0;
	length = (size_t)(end - data) + 1;
	text = malloc(length);
	/* Not a byte more than there is. */
	page = malloc(size - length);
	if (text && page) {
		memcpy(text, data, length);
		memcpy(page, data + length, size - length);
		memset(formats, -1, WHATS * sizeof(*formats));
		if (!format_parse(SUBMIT, text)) {
			assert(format_has(SUBMIT, QUEUE));
			page_decode(page, size - length, told, &records);
			assert(records <= size / 8);
		}
	}
	free(page);
	free(text);
	return 0;
}

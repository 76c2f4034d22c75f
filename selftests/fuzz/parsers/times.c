// SPDX-License-Identifier: GPL-2.0-only
/* ioevq supervise: times of the command line. */
#include "../../../tools/ioevq/supervise/main.c"

#include <assert.h>

#include "target.h"

int fuzz_input(const uint8_t *data, size_t size)
{
	int64_t ns = -1;
	char *text;

	if (memchr(data, 0, size))
		return 0;
	text = malloc(size + 1);
	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	if (parse_seconds(text, size, &ns))
		assert(ns >= 0 && ns <= (int64_t)MAX_SECONDS * SECOND);
	else
		assert(ns == -1);
	if (parse_backoff(text))
		assert(sv.backoff_min >= SECOND / 100 && sv.backoff_max >= sv.backoff_min &&
		       sv.backoff_max <= (int64_t)MAX_SECONDS * SECOND);
	free(text);
	return 0;
}

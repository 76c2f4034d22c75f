// SPDX-License-Identifier: GPL-2.0-only
/* kvlog: what a client sends, in pieces, and reads or does not. */
#include "../../../tools/examples/kvlog/conn.c"

#include <assert.h>

#include "target.h"

static unsigned int puts_left;

noreturn void die(const char *what, int err)
{
	(void)what;
	(void)err;
	abort();
}

bool commit_put(struct conn *c, struct text key, struct text value)
{
	(void)c;
	assert(key.len && key.len <= KEY_MAX && value.len <= VALUE_MAX);
	return puts_left && puts_left--;
}

bool store_get(struct text key, struct text *value)
{
	static const char most[VALUE_MAX];

	assert(key.len && key.len <= KEY_MAX);
	*value = (struct text) { most, key.len * VALUE_MAX / KEY_MAX };
	return key.at[0] != '-';
}

/* A byte tells what happens, that and the next one how much there is of it. */
int fuzz_input(const uint8_t *data, size_t size)
{
	struct conn *c = calloc(1, sizeof(*c));
	size_t n;

	if (!c)
		return 0;
	puts_left = 0;
	while (size >= 2) {
		n = (data[0] & 15) << 8 | data[1];
		switch (data[0] >> 5) {
		case 0:		/* some became durable */
			for (; n && c->waiting; n--)
				conn_durable(c, n);
			puts_left += 4;
			break;
		case 1:		/* some was read */
			c->out_len = n < c->out_len ? c->out_len - n : 0;
			break;
		default:
			data += 2;
			size -= 2;
			n = n < size ? n : size;
			if (n > sizeof(c->in) - c->in_len || c->eof)
				n = 0;
			memcpy(c->in + c->in_len, data, n);
			c->in_len += n;
			data += n;
			size -= n;
			do_lines(c);
			assert(c->in_len <= sizeof(c->in) && c->out_len <= sizeof(c->out));
			continue;
		}
		data += 2;
		size -= 2;
		do_lines(c);
		assert(c->in_len <= sizeof(c->in) && c->out_len <= sizeof(c->out));
	}
	/* All that waits can be answered. */
	while (c->waiting)
		conn_durable(c, ~0ULL);
	assert(c->out_len <= sizeof(c->out));
	free(c);
	return 0;
}

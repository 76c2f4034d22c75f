// SPDX-License-Identifier: MIT
#include "kvlog.h"

/* Castagnoli's polynomial, reflected; by table, a byte at a time: an example. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
	static uint32_t table[256];
	const unsigned char *p = data;
	uint32_t n, bit;

	if (!table[1]) {
		for (n = 0; n < 256; n++) {
			table[n] = n;
			for (bit = 0; bit < 8; bit++)
				table[n] = table[n] >> 1 ^ (table[n] & 1 ? 0x82f63b78U : 0);
		}
	}
	crc = ~crc;
	while (len--)
		crc = crc >> 8 ^ table[(crc ^ *p++) & 0xff];
	return ~crc;
}

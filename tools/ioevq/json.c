// SPDX-License-Identifier: MIT
/* Strings of a JSON document, which must be UTF-8, out of any bytes. */
#include <stdbool.h>
#include <string.h>

#include "ioevq.h"

/* Length of the UTF-8 sequence of one character at @s, 0: it is none */
static unsigned int utf8_length(const unsigned char *s)
{
	static const struct {
		unsigned char mask, head, second_min, second_max, length;
	} forms[] = {
		{ 0xff, 0xe0, 0xa0, 0xbf, 3 },	/* not what is shorter */
		{ 0xff, 0xed, 0x80, 0x9f, 3 },	/* no surrogates */
		{ 0xff, 0xf0, 0x90, 0xbf, 4 },
		{ 0xff, 0xf4, 0x80, 0x8f, 4 },	/* not beyond the last one */
		{ 0xe0, 0xc0, 0x80, 0xbf, 2 },
		{ 0xf0, 0xe0, 0x80, 0xbf, 3 },
		{ 0xfc, 0xf0, 0x80, 0xbf, 4 },
	};
	unsigned int i, j;

	if (*s < 0x80)
		return 1;
	if (*s == 0xc0 || *s == 0xc1)
		return 0;
	for (i = 0; i < ARRAY_SIZE(forms); i++) {
		if ((*s & forms[i].mask) != forms[i].head)
			continue;
		if (s[1] < forms[i].second_min || s[1] > forms[i].second_max)
			return 0;
		for (j = 2; j < forms[i].length; j++)
			if ((s[j] & 0xc0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

void json_string(FILE *to, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	unsigned int n;

	fputc('"', to);
	for (; *s; s += n ?: 1) {
		n = utf8_length(s);
		if (!n)
			fputs("\\ufffd", to);
		else if (*s == '"' || *s == '\\')
			fprintf(to, "\\%c", *s);
		else if (*s < 0x20 || *s == 0x7f)
			fprintf(to, "\\u%04x", *s);
		else
			fwrite(s, 1, n, to);
	}
	fputc('"', to);
}

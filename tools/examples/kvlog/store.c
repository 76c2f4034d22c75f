// SPDX-License-Identifier: MIT
/* What keys are worth: a table in memory, filled from the log. */
#define _GNU_SOURCE
#include "kvlog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS	16384	/* a power of two */

/* The key is followed by the value, in @data. */
struct item {
	struct item *next;
	struct text key;
	struct text value;
	char data[];
};

static struct item *buckets[BUCKETS];

static struct item **find(struct text key)
{
	struct item **p = &buckets[crc32c(0, key.at, key.len) & (BUCKETS - 1)];

	while (*p && ((*p)->key.len != key.len || memcmp((*p)->key.at, key.at, key.len)))
		p = &(*p)->next;
	return p;
}

void store_set(struct text key, struct text value)
{
	struct item **p = find(key), *old = *p, *item;

	item = malloc(sizeof(*item) + key.len + value.len);
	if (!item)
		die("a value", ENOMEM);
	item->next = old ? old->next : NULL;
	item->key = (struct text){ item->data, key.len };
	item->value = (struct text){ item->data + key.len, value.len };
	memcpy(item->data, key.at, key.len);
	memcpy(item->data + key.len, value.at, value.len);
	*p = item;
	free(old);
}

bool store_get(struct text key, struct text *value)
{
	struct item *item = *find(key);

	if (item)
		*value = item->value;
	return item;
}

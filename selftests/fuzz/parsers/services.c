// SPDX-License-Identifier: GPL-2.0-only
/* ioevq supervise: a text of services is parsed, or all that is wrong with it is told. */
#include <assert.h>
#include <string.h>

#include "../../../tools/ioevq/supervise/supervise.h"
#include "target.h"

struct complaints {
	unsigned int nr, line;
};

static void complained(void *arg, unsigned int line, const char *what)
{
	struct complaints *c = arg;

	assert(*what && line > c->line);
	c->nr++;
	c->line = line;
}

static void check(const struct spec *s, const struct spec *next)
{
	unsigned int i;

	assert(!name_problem(s->name, strlen(s->name)));
	assert(*s->command && !strchr(s->command, '\n'));
	assert(s->argv[0] && *s->argv[0]);
	for (i = 0; s->argv[i]; i++)
		assert(*s->argv[i]);
	for (; next; next = next->next)
		assert(strcmp(s->name, next->name));
}

int fuzz_input(const uint8_t *data, size_t size)
{
	struct complaints c = {};
	struct spec *list, *s;
	unsigned int nr = 0;
	int err;

	err = parse_services((const char *)data, size, &list, complained, &c);
	assert(err ? !list && c.nr && c.nr <= MAX_COMPLAINTS : !c.nr);
	for (s = list; s; s = s->next, nr++)
		check(s, s->next);
	assert(nr <= MAX_SERVICES);
	specs_free(list);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* What all recipes have in common: an error ends the program. */
#ifndef RECIPE_H
#define RECIPE_H

#include <err.h>
#include <ioevq.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline int check(const char *what, int ret)
{
	if (ret < 0)
		errx(1, "%s: %s", what, strerror(-ret));
	return ret;
}

#endif /* RECIPE_H */

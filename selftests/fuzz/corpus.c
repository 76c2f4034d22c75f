// SPDX-License-Identifier: GPL-2.0-only
/* Programs that have shown something new, shared by all workers, who may die at any time. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fuzz.h"

struct corpus {
	pthread_mutex_t lock;		/* robust */
	atomic_uint nr;
	uint32_t saved;			/* only the watcher */
	struct program programs[MAX_CORPUS];
};

struct corpus *corpus_new(void)
{
	struct corpus *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	pthread_mutexattr_t attr;

	if (c == MAP_FAILED)
		return NULL;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&c->lock, &attr);
	return c;
}

unsigned int corpus_size(const struct corpus *c)
{
	return c->nr;
}

void corpus_get(struct corpus *c, unsigned int i, struct program *p)
{
	memcpy(p, &c->programs[i], PROGRAM_SIZE(&c->programs[i]));
}

/* Any of them, of the last ones more often. */
bool corpus_pick(struct corpus *c, struct rng *r, struct program *p)
{
	unsigned int nr = c->nr, i;

	if (!nr)
		return false;
	i = rng_below(r, nr);
	if (nr > 50 && rng_one_in(r, 3))
		i = nr - 1 - rng_below(r, 50);
	corpus_get(c, i, p);
	return true;
}

void corpus_add(struct corpus *c, const struct program *p)
{
	if (pthread_mutex_lock(&c->lock) == EOWNERDEAD)
		pthread_mutex_consistent(&c->lock);
	if (c->nr < MAX_CORPUS) {
		memcpy(&c->programs[c->nr], p, PROGRAM_SIZE(p));
		atomic_fetch_add(&c->nr, 1);
	}
	pthread_mutex_unlock(&c->lock);
}

static int load_file(struct corpus *c, const char *path)
{
	struct program p;
	FILE *f = fopen(path, "r");
	int err;

	if (!f) {
		fprintf(stderr, "fuzz: %s: %s\n", path, strerror(errno));
		return -1;
	}
	while ((err = program_read(&p, f, path)) > 0)
		corpus_add(c, &p);
	fclose(f);
	return err;
}

static int is_text(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return len > 4 && !strcmp(d->d_name + len - 4, ".txt");
}

int corpus_load(struct corpus *c, const char *path)
{
	struct dirent **names;
	char file[4096];
	int n, i, err = 0;

	n = scandir(path, &names, is_text, alphasort);
	if (n < 0)
		return load_file(c, path);
	for (i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		if (load_file(c, file))
			err = -1;
		free(names[i]);
	}
	free(names);
	return err;
}

/* Those that were not there the last time are added to the file. */
int corpus_save(struct corpus *c, const char *path)
{
	FILE *f;
	int err;

	if (c->saved == c->nr)
		return 0;
	f = fopen(path, c->saved ? "a" : "w");
	if (!f)
		return -1;
	while (c->saved < c->nr)
		program_write(&c->programs[c->saved++], f);
	err = ferror(f);
	return fclose(f) || err ? -1 : 0;
}

// SPDX-License-Identifier: MIT
/* Services of a file, or of a directory: programs, and directories with a program "run". */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervise.h"

static int load_file(int fd, struct spec **list, complaint_fn *complaint, void *arg)
{
	char *text = malloc(MAX_TEXT + 1);
	size_t size = 0;
	ssize_t n = 0;
	int ret = -1;

	if (!text) {
		complaint(arg, 0, strerror(ENOMEM));
		return -1;
	}
	while (size <= MAX_TEXT && (n = read(fd, text + size, MAX_TEXT + 1 - size)) > 0)
		size += n;
	if (n < 0)
		complaint(arg, 0, strerror(errno));
	else if (size > MAX_TEXT)
		complaint(arg, 0, "larger than 1 MiB: this is no list of services");
	else
		ret = parse_services(text, size, list, complaint, arg);
	free(text);
	return ret;
}

/* What editors and packages leave, and what is not meant to be seen */
static int is_candidate(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return *entry->d_name != '.' && entry->d_name[len - 1] != '~';
}

/* NULL, or what is wrong with that entry. What is no service leaves @spec NULL. */
static const char *load_entry(const char *dir, const char *name, struct spec **spec)
{
	char path[PATH_MAX], run[PATH_MAX + 8];
	const char *problem;
	struct stat st;

	*spec = NULL;
	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return strerror(ENAMETOOLONG);
	if (stat(path, &st))
		return strerror(errno);
	problem = name_problem(name, strlen(name));
	if (S_ISDIR(st.st_mode)) {
		snprintf(run, sizeof(run), "%s/run", path);
		if (access(run, X_OK))
			return errno == ENOENT ? "a directory without a program 'run'" :
			       "its program 'run' cannot be executed: chmod +x";
		*spec = problem ? NULL : spec_new(name, strlen(name), "./run", 5, path);
	} else {
		if (!S_ISREG(st.st_mode))
			return "neither a program nor a directory";
		if (access(path, X_OK))
			return "cannot be executed: chmod +x, or move it away";
		*spec = problem ? NULL : spec_new(name, strlen(name), path, strlen(path), "");
	}
	if (problem)
		return problem;
	return *spec ? NULL : strerror(ENOMEM);
}

static int load_directory(const char *path, struct spec **list, complaint_fn *complaint, void *arg)
{
	struct dirent **entries;
	struct spec **last = list;
	char text[512];
	const char *problem;
	int i, n, bad = 0;

	n = scandir(path, &entries, is_candidate, alphasort);
	if (n < 0) {
		complaint(arg, 0, strerror(errno));
		return -1;
	}
	for (i = 0; i < n && bad < MAX_COMPLAINTS; i++) {
		problem = i >= MAX_SERVICES ? "more than 1000 services" :
			  load_entry(path, entries[i]->d_name, last);
		if (problem) {
			snprintf(text, sizeof(text), "%s: %s", entries[i]->d_name, problem);
			make_plain(text);
			complaint(arg, 0, text);
			bad++;
		} else if (*last) {
			last = &(*last)->next;
		}
	}
	for (i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
	if (!bad)
		return 0;
	specs_free(*list);
	*list = NULL;
	return -1;
}

int load_services(const char *path, struct spec **list, complaint_fn *complaint, void *arg)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int ret = -1;

	*list = NULL;
	if (fd < 0 || fstat(fd, &st))
		complaint(arg, 0, strerror(errno));
	else if (S_ISDIR(st.st_mode))
		ret = load_directory(path, list, complaint, arg);
	else if (S_ISREG(st.st_mode))
		ret = load_file(fd, list, complaint, arg);
	else
		complaint(arg, 0, "neither a file nor a directory");
	if (fd >= 0)
		close(fd);
	return ret;
}

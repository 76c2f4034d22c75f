// SPDX-License-Identifier: MIT
/* Find a program, and see whether a library can be put before its own. */
#include <errno.h>
#include <fcntl.h>
#include <linux/elf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "ioevq.h"

/* Is there a program header that names a loader? True, too, if that cannot be told. */
static bool has_loader(int fd)
{
	struct elf64_hdr ehdr;
	struct elf64_phdr phdr;
	unsigned int i;

	if (pread(fd, &ehdr, sizeof(ehdr), 0) != sizeof(ehdr) ||
	    memcmp(ehdr.e_ident, ELFMAG, SELFMAG) || ehdr.e_ident[EI_CLASS] != ELFCLASS64)
		return true;
	for (i = 0; i < ehdr.e_phnum; i++) {
		if (pread(fd, &phdr, sizeof(phdr), ehdr.e_phoff + i * sizeof(phdr)) !=
		    sizeof(phdr))
			return true;
		if (phdr.p_type == PT_INTERP)
			return true;
	}
	return false;
}

/* Would it run with rights that we do not have? Root has the capabilities of any file. */
static bool gains_rights(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return false;
	return (st.st_mode & S_ISUID && st.st_uid != geteuid()) ||
	       ((st.st_mode & (S_ISGID | 0010)) == (S_ISGID | 0010) && st.st_gid != getegid()) ||
	       (getuid() && getxattr(path, "security.capability", NULL, 0) > 0);
}

/* Both run on without the library, and would say nothing of it. */
static int check_preload(const char *path)
{
	int fd;
	bool loads;

	if (gains_rights(path)) {
		complain("%s: runs with rights that are not yours, so that LD_PRELOAD is ignored",
			 path);
		return EXIT_NOT_EXECUTABLE;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	loads = has_loader(fd);
	close(fd);
	if (loads)
		return 0;
	complain("%s: statically linked, so that LD_PRELOAD is ignored", path);
	return EXIT_NOT_EXECUTABLE;
}

static bool is_file(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode);
}

/* In each directory of PATH. An executable one wins over one that is not. */
static int search(const char *name, char *path, unsigned int size)
{
	const char *dir = getenv("PATH"), *end;
	char try[4096];
	int found = ENOENT;

	if (!dir)
		dir = "/bin:/usr/bin";
	for (;; dir = end + 1) {
		end = strchrnul(dir, ':');
		snprintf(try, sizeof(try), "%.*s%s%s", (int)(end - dir), dir, end > dir ? "/" : "",
			 name);
		if (is_file(try)) {
			snprintf(path, size, "%s", try);
			if (!access(try, X_OK))
				return 0;
			found = EACCES;
		}
		if (!*end)
			return found;
	}
}

int find_program(const char *name, char *path, unsigned int size)
{
	int err;

	if (strchr(name, '/')) {
		snprintf(path, size, "%s", name);
		err = access(path, X_OK) ? errno : is_file(path) ? 0 : EACCES;
	} else {
		err = search(name, path, size);
	}
	if (err) {
		complain("%s: %s", name, err == ENOENT ? "no such program" : strerror(err));
		return err == ENOENT || err == ENOTDIR ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
	}
	return check_preload(path);
}

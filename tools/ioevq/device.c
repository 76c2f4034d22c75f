// SPDX-License-Identifier: MIT
/* /dev/ioevq, and what to do if there is none or it may not be opened. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "ioevq.h"

/* The group whose members may open the device; NULL: there is none but root's. */
static const char *group_of_device(const struct stat *st)
{
	struct group *group = st->st_gid ? getgrgid(st->st_gid) : NULL;

	return group && (st->st_mode & 0060) == 0060 ? group->gr_name : NULL;
}

/* Is it his group already, and only this session does not know yet? */
static bool is_member(const char *name)
{
	const struct group *group = getgrnam(name);
	const struct passwd *user = getpwuid(getuid());
	char **member;

	for (member = group ? group->gr_mem : NULL; user && member && *member; member++)
		if (!strcmp(*member, user->pw_name))
			return true;
	return false;
}

/* It is there, and may not be opened. */
static void explain_refusal(int err)
{
	const char *group;
	struct stat st;

	if (stat(DEVICE, &st)) {
		complain(DEVICE ": %s", strerror(errno));
		return;
	}
	group = group_of_device(&st);
	if (group && is_member(group))
		complain(DEVICE ": %s\n"
			 "You are in its group since you logged in: log in again, or run: newgrp %s",
			 strerror(err), group);
	else if (group)
		complain(DEVICE ": %s\n"
			 "It is for the group %s. As root: adduser USER %s; then log in again",
			 strerror(err), group, group);
	else if (!geteuid())
		complain(DEVICE ": %s\n"
			 "Even to root: a container, or a security module, forbids it",
			 strerror(err));
	else
		complain(DEVICE ": %s\n"
			 "It is root's. Install the rule that gives it to the group ioevq (make install,\n"
			 "or the package ioevq-tools), load the module with mode=0666, or be root",
			 strerror(err));
}

/* Would modprobe find a module? If there is no list of them, as in a container: it may. */
static bool may_be_loaded(const char *release)
{
	char path[128], line[4096];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", release);
	file = fopen(path, "re");
	if (!file)
		return true;
	while (!found && fgets(line, sizeof(line), file))
		found = strstr(line, "/ioevq.ko");
	fclose(file);
	return found;
}

/* It is not there. */
static void explain_absence(void)
{
	struct utsname uts = {};

	uname(&uts);
	if (!access("/sys/module/ioevq", F_OK))
		complain("no " DEVICE ", and the module is loaded: a container has to be given it");
	else if (may_be_loaded(uts.release))
		complain("no " DEVICE ": load the module, as root: modprobe ioevq");
	else
		complain("no " DEVICE ", and no module for the running kernel, %s.\n"
			 "With the package ioevq-dkms, as root: apt install linux-headers-%s;\n"
			 "without it: make modules_install. Then: modprobe ioevq",
			 uts.release, uts.release);
}

int open_device(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	switch (errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		explain_absence();
		break;
	case EACCES:
	case EPERM:
		explain_refusal(errno);
		break;
	default:
		complain(DEVICE ": %s", strerror(errno));
	}
	return -1;
}

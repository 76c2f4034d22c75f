// SPDX-License-Identifier: MIT
/*
 * Finding queues: descriptors of all processes that are links to a device called ioevq, and
 * whose fdinfo is that of a queue. Processes come and go meanwhile: what is not there any more
 * is passed over.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "queues.h"

static const struct {
	const char *name;
	size_t offset;
} numbers[] = {
#define NUMBER(_name, _field)	{ _name, offsetof(struct queue, _field) }
	NUMBER("queue", number),
	NUMBER("entries", entries),
	NUMBER("requests", requests),
	NUMBER("available", available),
	NUMBER("backlog", backlog),
	NUMBER("backlog_max", backlog_max),
	NUMBER("events", events),
	NUMBER("wakeups", wakeups),
	NUMBER("waiting", waiting),
	NUMBER("runnable", runnable),
	NUMBER("buffers", buffers),
	NUMBER("concurrency", concurrency),
};

/* A line "NAME:\tVALUE" of fdinfo. True if it is one that only queues have. */
static bool parse_line(struct queue *q, char *line)
{
	char *value = strchr(line, ':');
	unsigned long long n;
	unsigned int i;
	int op;

	if (!value)
		return false;
	*value++ = 0;
	n = strstr(value, "unlimited") ? IOEVQ_UNLIMITED : strtoull(value, NULL, 10);
	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		if (!strcmp(line, numbers[i].name))
			*(unsigned long long *)((char *)q + numbers[i].offset) = n;
	op = strncmp(line, "armed_", 6) ? -1 : op_by_name(line + 6);
	if (op >= 0)
		q->armed[op] = n;
	return !strcmp(line, "concurrency");
}

static bool read_fdinfo(struct queue *q, int proc)
{
	bool is_queue = false;
	char path[64], line[128];
	FILE *file;
	int fd;

	snprintf(path, sizeof(path), "fdinfo/%d", q->fd);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	file = fd < 0 ? NULL : fdopen(fd, "r");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		is_queue |= parse_line(q, line);
	fclose(file);
	return is_queue;
}

static void read_command(struct queue *q, int proc)
{
	int fd = openat(proc, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, q->command, sizeof(q->command) - 1);

	if (fd >= 0)
		close(fd);
	q->command[n > 0 ? n : 0] = 0;
	if (n > 0 && q->command[n - 1] == '\n')
		q->command[n - 1] = 0;
	make_plain(q->command);
}

bool queue_is_same(const struct queue *a, const struct queue *b)
{
	if (a->number || b->number)
		return a->number == b->number;
	if (a->pid == b->pid && a->fd == b->fd)
		return true;
	return a->entries == b->entries &&
	       !syscall(SYS_kcmp, a->pid, b->pid, KCMP_FILE, a->fd, b->fd);
}

/* It is one more descriptor of a queue that is known, or another queue. */
static int add(struct queues *queues, const struct queue *q)
{
	struct queue *known, *list;

	for (known = queues->list; known < queues->list + queues->nr; known++) {
		if (!queue_is_same(known, q))
			continue;
		known->descriptors++;
		known->processes += known->last != q->pid;
		known->last = q->pid;
		return 0;
	}
	if (queues->nr == queues->room) {
		queues->room = queues->room * 2 ?: 64;
		list = realloc(queues->list, queues->room * sizeof(*list));
		if (!list)
			return -ENOMEM;
		queues->list = list;
	}
	queues->list[queues->nr++] = *q;
	return 0;
}

/* Does the link name the device? Whatever the directory, in whatever namespace. */
static bool is_device(int fds, const char *name)
{
	char target[PATH_MAX], *base;
	ssize_t n = readlinkat(fds, name, target, sizeof(target) - 1);

	if (n < 0)
		return false;
	target[n] = 0;
	base = strrchr(target, '/');
	return base && (!strcmp(base, "/ioevq") || !strcmp(base, "/ioevq (deleted)"));
}

static int scan_process(struct queues *queues, pid_t pid, int proc)
{
	int fd = openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
	DIR *fds = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct queue q;
	struct stat st;

	if (!fds) {
		err = errno;
		if (fd >= 0)
			close(fd);
		return -err;
	}
	while (!err && (entry = readdir(fds))) {
		if (!is_device(dirfd(fds), entry->d_name))
			continue;
		q = (struct queue){ .pid = pid, .fd = atoi(entry->d_name), .descriptors = 1,
				    .processes = 1, .last = pid };
		if (!read_fdinfo(&q, proc) || fstat(proc, &st))
			continue;
		q.uid = st.st_uid;
		read_command(&q, proc);
		err = add(queues, &q);
	}
	closedir(fds);
	return err;
}

int open_process(pid_t pid)
{
	int fd = syscall(SYS_pidfd_open, pid, 0);

	if (fd >= 0)
		return fd;
	/* A thread that is no process has an error of its own, by version. */
	if (errno == ESRCH || errno == EINVAL || errno == ENOENT)
		complain("there is no process %d", pid);
	else
		complain("pidfd_open: %s", strerror(errno));
	return -1;
}

int queues_scan(struct queues *queues, pid_t pid)
{
	struct dirent *entry;
	struct timespec now;
	int proc, err = 0;
	DIR *dir;

	*queues = (struct queues){};
	clock_gettime(CLOCK_MONOTONIC, &now);
	queues->at = now.tv_sec * 1000000000LL + now.tv_nsec;
	dir = opendir("/proc");
	if (!dir)
		return -errno;
	while (!err && (entry = readdir(dir))) {
		pid_t this = atoi(entry->d_name);

		if (this <= 0 || (pid && this != pid))
			continue;
		proc = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (proc < 0)
			continue;
		err = scan_process(queues, this, proc);
		close(proc);
		queues->hidden += err == -EACCES;
		if (err != -ENOMEM)
			err = 0;
	}
	closedir(dir);
	if (err)
		queues_free(queues);
	return err;
}

void queues_free(struct queues *queues)
{
	free(queues->list);
	*queues = (struct queues){};
}

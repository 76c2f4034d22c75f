// SPDX-License-Identifier: MIT
/*
 * A trace of one's own: an instance of tracefs, with buffers that nobody else reads or fills. It
 * goes when we end. One that was left, because its owner was killed, goes when the next begins.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "trace.h"

static const char *const mounts[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };

static struct {
	char path[128];			/* "": there is none */
	struct pollfd *fds;		/* one for each CPU */
	unsigned int nr;
	unsigned char *page;
	size_t size;			/* of it */
	struct record *records;		/* read, and too new to be in order */
	unsigned int pending, room;
	unsigned long long lost;
} inst;

static const char *path_of(const char *format, ...)
{
	static char path[512];
	int n = snprintf(path, sizeof(path), "%s/", inst.path);
	va_list args;

	va_start(args, format);
	vsnprintf(path + n, sizeof(path) - n, format, args);
	va_end(args);
	return path;
}

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err = errno;
	if (fd >= 0)
		close(fd);
	if (err)
		complain("%s: %s", path, strerror(err));
	return err ? -1 : 0;
}

/* What is there of others that have ended. */
static void remove_stale(const char *instances)
{
	DIR *dir = opendir(instances);
	struct dirent *entry;
	char path[384];
	pid_t pid;

	while (dir && (entry = readdir(dir))) {
		if (sscanf(entry->d_name, "ioevq-trace-%d", &pid) != 1)
			continue;
		if (!kill(pid, 0) || errno != ESRCH)
			continue;
		snprintf(path, sizeof(path), "%s/%s", instances, entry->d_name);
		rmdir(path);
	}
	if (dir)
		closedir(dir);
}

static int make_directory(void)
{
	const char *root = NULL;
	char path[128];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(mounts) && !root; i++) {
		snprintf(path, sizeof(path), "%s/instances", mounts[i]);
		if (!access(path, F_OK) || errno == EACCES)
			root = mounts[i];
	}
	if (!root) {
		complain("no tracefs: as root: mount -t tracefs none %s", mounts[0]);
		return -1;
	}
	if (geteuid()) {
		complain("tracing shows what all users do, and is for root: sudo ioevq trace ...");
		return -1;
	}
	remove_stale(path);
	snprintf(inst.path, sizeof(inst.path), "%s/instances/ioevq-trace-%d", root, getpid());
	/* One that was left may have our number: where we are process 1, each has. */
	if (!mkdir(inst.path, 0700) ||
	    (errno == EEXIST && !rmdir(inst.path) && !mkdir(inst.path, 0700)))
		return 0;
	complain("%s: %s", inst.path, strerror(errno));
	inst.path[0] = 0;
	return -1;
}

static int read_format(enum what what)
{
	const char *path = path_of("events/ioevq/ioevq_%s/format", what_names[what]);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[8192];
	ssize_t n = 0;

	if (fd < 0) {
		complain("no tracepoints of ioevq: load the module, as root: modprobe ioevq\n"
			 "If it is loaded it is older than this command, or the kernel has none");
		return -1;
	}
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	if (!format_parse(what, text))
		return 0;
	complain("%s: not as this command knows it: see Documentation/tracing.rst", path);
	return -1;
}

static int set_filter(enum what what, const struct filter *filter)
{
	char text[128] = "";

	if (filter->queue)
		snprintf(text, sizeof(text), "queue == %lld", filter->queue);
	if (filter->op >= 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%sop == %d",
			 filter->queue ? " && " : "", filter->op);
	if (!*text)
		return 0;
	return put(path_of("events/ioevq/ioevq_%s/filter", what_names[what]), text);
}

static int start(const struct filter *filter)
{
	enum what what;

	for (what = 0; what < WHATS; what++) {
		if (filter->op >= 0 && !format_has(what, OP))
			continue;
		if (set_filter(what, filter) ||
		    put(path_of("events/ioevq/ioevq_%s/enable", what_names[what]), "1"))
			return -1;
	}
	return 0;
}

static int open_buffers(void)
{
	unsigned int cpus = sysconf(_SC_NPROCESSORS_CONF), i;
	int fd;

	/* Sub-buffers have this size as long as nobody asks for another. */
	inst.size = sysconf(_SC_PAGESIZE);
	inst.page = malloc(inst.size);
	inst.fds = calloc(cpus, sizeof(*inst.fds));
	if (!inst.page || !inst.fds) {
		complain("no memory");
		return -1;
	}
	for (i = 0; i < cpus; i++) {
		fd = open(path_of("per_cpu/cpu%u/trace_pipe_raw", i),
			  O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0 && (errno == ENOENT || errno == ENODEV))
			continue;
		if (fd < 0) {
			complain("%s: %s", path_of("per_cpu/cpu%u/trace_pipe_raw", i),
				 strerror(errno));
			return -1;
		}
		inst.fds[inst.nr++] = (struct pollfd){ .fd = fd, .events = POLLIN };
	}
	return 0;
}

int instance_begin(const struct filter *filter)
{
	enum what what;

	if (make_directory())
		return -1;
	for (what = 0; what < WHATS; what++)
		if (read_format(what))
			return -1;
	/* The same time on all CPUs; and who reads is told of every event. */
	if (put(path_of("trace_clock"), "mono") || put(path_of("buffer_percent"), "0") ||
	    open_buffers())
		return -1;
	return start(filter);
}

static void stop(void)
{
	if (inst.path[0])
		put(path_of("events/ioevq/enable"), "0");
}

/* Whatever there is of it. */
void instance_end(void)
{
	unsigned int i;

	if (!inst.path[0])
		return;
	if (inst.nr)
		stop();
	for (i = 0; i < inst.nr; i++)
		close(inst.fds[i].fd);
	if (rmdir(inst.path))
		complain("%s is left: %s", inst.path, strerror(errno));
	inst.path[0] = 0;
	free(inst.fds);
	free(inst.page);
	free(inst.records);
}

unsigned long long instance_lost(void)
{
	return inst.lost;
}

static void keep(const struct record *r, void *arg)
{
	struct record *more;

	if (inst.pending == inst.room) {
		more = realloc(inst.records, (inst.room * 2 ?: 1024) * sizeof(*more));
		if (!more) {
			*(int *)arg = -1;
			return;
		}
		inst.records = more;
		inst.room = inst.room * 2 ?: 1024;
	}
	inst.records[inst.pending++] = *r;
}

static int read_buffer(int fd)
{
	int err = 0;
	ssize_t n;
	long lost;

	while ((n = read(fd, inst.page, inst.size)) > 0) {
		lost = page_decode(inst.page, n, keep, &err);
		inst.lost += lost < 0 ? 1 : lost;
		if (err) {
			complain("no memory");
			return -1;
		}
	}
	/* A CPU that has never been there has no buffer. */
	if (!n || errno == EAGAIN || errno == EINTR || errno == ENODEV)
		return 0;
	complain("trace_pipe_raw: %s", strerror(errno));
	return -1;
}

static int by_time(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	return (x->ns > y->ns) - (x->ns < y->ns);
}

/* What came before @until was read, of all CPUs, and can be told. */
static int read_until(uint64_t until, record_fn fn, void *arg)
{
	unsigned int i, told;

	for (i = 0; i < inst.nr; i++)
		if (read_buffer(inst.fds[i].fd))
			return -1;
	qsort(inst.records, inst.pending, sizeof(*inst.records), by_time);
	for (told = 0; told < inst.pending && inst.records[told].ns < until; told++)
		fn(&inst.records[told], arg);
	inst.pending -= told;
	memmove(inst.records, inst.records + told, inst.pending * sizeof(*inst.records));
	return 0;
}

int instance_read(int ms, record_fn fn, void *arg)
{
	struct timespec now;

	/* What is kept gets its turn soon. */
	poll(inst.fds, inst.nr, inst.pending && ms > 20 ? 20 : ms);
	clock_gettime(CLOCK_MONOTONIC, &now);
	return read_until(now.tv_sec * 1000000000ULL + now.tv_nsec, fn, arg);
}

int instance_drain(record_fn fn, void *arg)
{
	stop();
	return read_until(UINT64_MAX, fn, arg);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Tests of ioevq supervise: one of it, in a directory of its own. */
#ifndef IOEVQ_SUPERVISED_H
#define IOEVQ_SUPERVISED_H

#include <dirent.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "expect.h"

/* Here is no consumer, and a supervisor that is asked all the time is slow: with a rest. */
#undef eventually
#define eventually(cond)	eventually_by(cond, rest_a_little)

#define MAX_ARGS	16

static inline void rest_a_little(void)
{
	const struct timespec half_ms = { .tv_nsec = 500000 };

	nanosleep(&half_ms, NULL);
}

struct supervised {
	char dir[32];		/* services, and what they write: it is our directory, too */
	pid_t pid;		/* 0: none, or it was waited for */
	const char *command;	/* supervise, or another of ioevq */
	unsigned long namespaces;	/* of clone(2): with CLONE_NEWPID it is process 1 */
};

static char said[1 << 20];	/* what was read last */

/* All of a file, or what there is of it; "" if there is none. */
static inline const char *contents(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t size = 0;
	ssize_t n;

	while (fd >= 0 && (n = read(fd, said + size, sizeof(said) - 1 - size)) > 0)
		size += n;
	if (fd >= 0)
		close(fd);
	said[size] = 0;
	return said;
}

static inline int begins(const char *path, const char *with)
{
	return !strncmp(contents(path), with, strlen(with));
}

static inline int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ssize_t len = strlen(text);
	int ret;

	if (fd < 0)
		return -1;
	ret = write(fd, text, len) == len ? 0 : -1;
	close(fd);
	return ret;
}

/*
 * The service "a" of the file services: @begin, and then it does what its traps say. By bash, as
 * sh has nothing that waits for a signal and cannot miss it: it comes before sh has begun to
 * wait, or to a child that sh is making. @rest: other services
 */
static inline int put_trapping(const char *begin, const char *rest)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s\nwhile :; do read -t 0.1 x <>never; done\n", begin);
	if ((mkfifo("never", 0644) && errno != EEXIST) || put("trapping", text))
		return -1;
	snprintf(text, sizeof(text), "a: exec bash trapping\n%s", rest);
	return put("services", text);
}

static inline long number_in(const char *path)
{
	const char *text = contents(path);

	return strchr(text, '\n') ? strtol(text, NULL, 10) : 0;
}

static inline int exists(const char *path)
{
	return !access(path, F_OK);
}

static inline int supervised_begin(struct supervised *s)
{
	strcpy(s->dir, "/tmp/supervised.XXXXXX");
	s->pid = 0;
	s->namespaces = 0;
	s->command = "supervise";
	return mkdtemp(s->dir) ? chdir(s->dir) : -1;
}

static inline void ioevq_path(char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 32);

	path[n < 0 ? 0 : n] = 0;
	strcpy(strrchr(path, '/') ?: path, "/../tools/ioevq");
}

/* ioevq supervise with these arguments, and where its output goes; -1 for a file */
static inline pid_t spawn_ioevq(struct supervised *s, int out, int err, const char *const *args)
{
	const char *argv[MAX_ARGS + 3] = { "ioevq", s->command };
	const int flags = O_WRONLY | O_CREAT | O_APPEND | O_TRUNC | O_CLOEXEC;
	int to[2] = { out, err }, i;
	char path[512];
	pid_t pid;

	for (i = 0; args[i]; i++)
		argv[i + 2] = args[i];
	ioevq_path(path, sizeof(path));
	if (out < 0)
		to[0] = open("out", flags, 0644);
	if (err < 0)
		to[1] = open("err", flags, 0644);
	pid = syscall(SYS_clone, s->namespaces | SIGCHLD, 0, 0, 0, 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(to[0], STDOUT_FILENO);
		dup2(to[1], STDERR_FILENO);
		execv(path, (char **)argv);
		_exit(99);
	}
	if (out < 0)
		close(to[0]);
	if (err < 0)
		close(to[1]);
	return pid;
}

/* Its exit status, 1000 + signal, or -1. */
static inline int wait_for(pid_t pid)
{
	long long end = now_ns() + BOUND_NS;
	int status;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (now_ns() > end)
			return -1;
		sched_yield();
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* It begins; what it says is in the files out and err. */
#define SPAWN(s, ...)							\
({									\
	const char *__args[MAX_ARGS] = { __VA_ARGS__ };			\
									\
	spawn_ioevq(s, -1, -1, __args);					\
})

/* A short run of it: the exit status */
#define RUN(s, ...)	wait_for(SPAWN(s, __VA_ARGS__))

/* Supervise what the file or directory "services" says. */
#define START(s, ...)							\
({									\
	const char *__args[MAX_ARGS] = {				\
		"--control", "sock", "--log", "log", "services", __VA_ARGS__	\
	};								\
									\
	(s)->pid = spawn_ioevq(s, -1, -1, __args);		\
	(s)->pid > 0 && eventually(strstr(contents("log"), " runs "));	\
})

/* It ends by itself: its exit status */
static inline int ends(struct supervised *s)
{
	int status = wait_for(s->pid);

	if (status >= 0)
		s->pid = 0;
	return status;
}

static inline int stops(struct supervised *s)
{
	return kill(s->pid, SIGTERM) ? -1 : ends(s);
}

/* Whatever is left of it, and of what it runs. */
static inline void supervised_end(struct supervised *s)
{
	char command[64];

	if (s->pid > 0) {
		kill(s->pid, SIGTERM);
		if (wait_for(s->pid) < 0)
			kill(s->pid, SIGKILL);
	}
	snprintf(command, sizeof(command), "rm -rf %s", s->dir);
	if (chdir("/") || system(command))
		fprintf(stderr, "# %s is left\n", s->dir);
}

/* Lines of the log of this service that contain a text: "TIME NAME[PID] TEXT" */
static inline int count_in(const char *log, const char *name, const char *text)
{
	size_t len = strlen(name);
	const char *line, *end, *p;
	int n = 0;

	for (line = log; (end = strchr(line, '\n')); line = end + 1) {
		p = memchr(line, ' ', end - line);
		if (!p || strncmp(p + 1, name, len) || (p[1 + len] != '[' && p[1 + len] != ' '))
			continue;
		p = memmem(p, end - p, text, strlen(text));
		n += !!p;
	}
	return n;
}

static inline int logged(const char *name, const char *text)
{
	return count_in(contents("log"), name, text);
}

static inline int connect_sock(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "sock" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		close(fd);
		return -1;
	}
	fcntl(fd, F_SETFL, 0);
	return fd;
}

/* Ask it by the socket: the answer behind its size, "" if it is incomplete. */
static inline const char *ask(const char *question)
{
	int fd = connect_sock();
	size_t size = 0;
	ssize_t n;
	char *text;

	said[0] = 0;
	if (fd < 0)
		return said;
	if (write(fd, question, strlen(question)) < 0) {
		close(fd);
		return said;
	}
	while ((n = read(fd, said + size, sizeof(said) - 1 - size)) > 0)
		size += n;
	close(fd);
	said[size] = 0;
	text = strchr(said, '\n');
	if (!text || strlen(text + 1) != strtoul(said, NULL, 10)) {
		said[0] = 0;
		return said;
	}
	return text + 1;
}

/* A number of the document: "key": 123 */
static inline double told(const char *key)
{
	const char *text = ask("json\n"), *p;
	char quoted[64];

	snprintf(quoted, sizeof(quoted), "\"%s\": ", key);
	p = strstr(text, quoted);
	return p ? strtod(p + strlen(quoted), NULL) : -1;
}

/* What comes from a terminal, until this is there. */
static inline void read_until(int fd, const char *text)
{
	long long end = now_ns() + BOUND_NS;
	size_t n = 0;
	ssize_t got;

	do {
		got = read(fd, said + n, sizeof(said) - 1 - n);
		n += got > 0 ? got : 0;
		said[n] = 0;
	} while (got > 0 && now_ns() < end && !strstr(said, text));
}

/* Processes with that parent in this state; of the whole machine */
static inline int children_of(pid_t parent, char state)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	char path[300], *p;
	int n = 0;

	while (proc && (entry = readdir(proc))) {
		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		p = strrchr(contents(path), ')');
		if (*entry->d_name >= '0' && *entry->d_name <= '9' && p && p[2] == state &&
		    atoi(p + 4) == parent)
			n++;
	}
	closedir(proc);
	return n;
}

static inline int count_files(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	while (dir && readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Has the other side gone? */
static inline int hung_up(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) == 1 && p.revents & POLLHUP;
}

static inline int is_gone(pid_t pid)
{
	return pid > 0 && kill(pid, 0) && errno == ESRCH;
}

#endif

// SPDX-License-Identifier: MIT
/*
 * The log. Lines are gathered while one write is under way, by the queue, which does not
 * wait for a disk or for whoever reads a pipe. What there is no room for is counted, and the
 * log says so when it can.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "supervise.h"

#define ROOM		(64 * 1024)

/* How long the end waits for a reader */
#define FLUSH_TIMEOUT	(2 * SECOND)

static struct {
	int fd;
	char text[2][ROOM];	/* one is written, the other is filled */
	unsigned int filling;
	size_t size, writing, written;
	unsigned int lines, lines_writing;
	unsigned long long lost, told_lost;
	int err;		/* why */
	bool direct;		/* the queue cannot write to it: a terminal */
	bool reopen;
} l = { .fd = STDERR_FILENO };

static void add(const char *line, size_t len)
{
	if (len > ROOM - l.size) {
		l.lost++;
		l.err = l.err ?: ENOBUFS;
		return;
	}
	memcpy(&l.text[l.filling][l.size], line, len);
	l.size += len;
	l.lines++;
}

static size_t stamp(char *text, size_t size, const char *name, pid_t pid)
{
	struct timespec ts;
	struct tm tm;
	char date[32];

	clock_gettime(CLOCK_REALTIME, &ts);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", gmtime_r(&ts.tv_sec, &tm));
	if (!pid)
		return snprintf(text, size, "%s.%03ldZ %s ", date, ts.tv_nsec / 1000000, name);
	return snprintf(text, size, "%s.%03ldZ %s[%d] ", date, ts.tv_nsec / 1000000, name, pid);
}

static void done(ssize_t res);

/*
 * A description of the terminal that is ours alone: a write to it does not wait, and no service
 * finds that changed. Where we may not open it (it is another user's) a write may wait.
 */
static void open_terminal(void)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", l.fd);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0)
		l.fd = fd;
}

/* The queue tells when it can be written to: 0, or a negative errno. */
static int await_room(void)
{
	struct ioevq_req req;

	ioevq_prep_poll(&req, l.fd, POLLOUT, IOEVQ_POLL_ONESHOT, TAG(KIND_LOG, 0));
	return submit(&req);
}

static void write_directly(void)
{
	const char *text = &l.text[!l.filling][l.written];
	ssize_t n;

	do {
		n = write(l.fd, text, l.writing - l.written);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN && !await_room())
		return;
	done(n < 0 ? -errno : n);
}

/* What is left of the text that is being written */
static void go_on(void)
{
	struct ioevq_req req;
	int err;

	if (!l.direct) {
		ioevq_prep_write(&req, l.fd, &l.text[!l.filling][l.written],
				 l.writing - l.written, IOEVQ_POSITION, TAG(KIND_LOG, 0));
		err = submit(&req);
		if (!err)
			return;
		if (err != -ESPIPE && err != -EOPNOTSUPP) {
			done(err);
			return;
		}
		l.direct = true;
		if (err == -ESPIPE && !sv.log)
			open_terminal();
	}
	write_directly();
}

static void begin(void)
{
	char line[160];
	size_t n;

	if (l.writing || !l.size)
		return;
	if (l.lost > l.told_lost) {
		n = stamp(line, sizeof(line), "supervise", getpid());
		n += snprintf(line + n, sizeof(line) - n, "lines lost here: %llu (%s)\n",
			      l.lost - l.told_lost, strerror(l.err));
		l.told_lost = l.lost;
		l.err = 0;
		add(line, n);
	}
	l.writing = l.size;
	l.lines_writing = l.lines;
	l.written = 0;
	l.filling = !l.filling;
	l.size = 0;
	l.lines = 0;
	go_on();
}

static void done(ssize_t res)
{
	if (res > 0) {
		l.written += res;
		if (l.written < l.writing) {
			go_on();
			return;
		}
	} else {
		l.lost += l.lines_writing;
		l.err = res ? -res : EIO;
	}
	l.writing = 0;
	if (l.reopen)
		log_reopen();
}

void log_event(const struct ioevq_event *ev)
{
	if (ev->op == IOEVQ_OP_POLL && ev->res > 0)
		write_directly();
	else
		done((ssize_t)ev->res);
	begin();
}

void log_text(const struct service *s, const char *format, ...)
{
	char line[4096];
	va_list args;
	size_t n;

	n = stamp(line, sizeof(line), s ? s->spec->name : "supervise", s ? s->pid : getpid());
	va_start(args, format);
	n += vsnprintf(line + n, sizeof(line) - n, format, args);
	va_end(args);
	if (n > sizeof(line) - 1)
		n = sizeof(line) - 1;
	line[n] = '\n';
	add(line, n + 1);
	begin();
}

unsigned long long log_lost(void)
{
	return l.lost;
}

/* Without a reader, a FIFO is an error. */
static int open_file(void)
{
	return open(sv.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
		    0644);
}

int log_open(void)
{
	int fd;

	if (!sv.log)
		return 0;
	fd = open_file();
	if (fd < 0) {
		complain("%s: %s: name a file that can be written to by --log", sv.log,
			 strerror(errno));
		return -1;
	}
	l.fd = fd;
	return 0;
}

/* The file may have been renamed. If there is no new one, the old one it is. */
void log_reopen(void)
{
	int fd;

	l.reopen = sv.log && l.writing;
	if (!sv.log || l.writing)
		return;
	fd = open_file();
	if (fd < 0) {
		log_line(NULL, "cannot open %s anew: %s", sv.log, strerror(errno));
		return;
	}
	close(l.fd);
	l.fd = fd;
	l.direct = false;
}

/* All that can be written without waiting for ever. Other events do not matter any more. */
void log_flush(void)
{
	int64_t until = now() + FLUSH_TIMEOUT;
	struct ioevq_event ev;
	int ret;

	while (l.writing) {
		ret = ioevq_wait_until(&sv.q, &ev, 1, 1, CLOCK_MONOTONIC, until);
		if (ret == 1 && TAG_KIND(ev.user_data) == KIND_LOG)
			log_event(&ev);
		else if (ret != 1 && ret != -EINTR)
			break;
	}
}

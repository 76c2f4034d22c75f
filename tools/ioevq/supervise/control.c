// SPDX-License-Identifier: MIT
/*
 * The socket that tells the state: who connects writes one line, "table" or "json", and
 * reads the answer, whose first line tells its size. A client has one request under way at
 * any time, and a few seconds in all. There are so many of them; others wait to be accepted.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "supervise.h"

#define MAX_CLIENTS	16
#define CLIENT_TIMEOUT	(5 * SECOND)

static struct client {
	struct timer timer;
	int fd;			/* -1: free */
	bool closing;
	char line[16];
	size_t got;
	char *answer;
	size_t size, sent;
} clients[MAX_CLIENTS];

static int listener = -1;

/* It is free with the event of this: only then is its memory not used any more. */
static void client_close(struct client *c)
{
	struct ioevq_req req;

	if (c->closing)
		return;
	ioevq_prep_close(&req, c->fd, TAG(KIND_CLOSE, c - clients));
	if (submit(&req)) {
		/* Too little memory for that: later. Until then it has its place. */
		timer_set(&c->timer, now() + SECOND);
		return;
	}
	c->closing = true;
	timer_clear(&c->timer);
}

static void client_expired(struct timer *timer)
{
	client_close((struct client *)timer);
}

static void client_submit(struct client *c, const struct ioevq_req *req)
{
	if (submit(req))
		client_close(c);
}

static void client_read(struct client *c)
{
	struct ioevq_req req;

	ioevq_prep_read(&req, c->fd, c->line + c->got, sizeof(c->line) - c->got, IOEVQ_POSITION,
			TAG(KIND_READ, c - clients));
	client_submit(c, &req);
}

static void client_write(struct client *c)
{
	struct ioevq_req req;

	ioevq_prep_write(&req, c->fd, c->answer + c->sent, c->size - c->sent, IOEVQ_POSITION,
			 TAG(KIND_WRITE, c - clients));
	client_submit(c, &req);
}

/* The text behind a line with its size */
static int compose(struct client *c, void (*status)(FILE *to))
{
	char *text = NULL;
	size_t size;
	FILE *to;
	int n;

	to = open_memstream(&text, &size);
	if (!to)
		return -1;
	status(to);
	if (fclose(to)) {
		free(text);
		return -1;
	}
	n = asprintf(&c->answer, "%zu\n%s", size, text);
	free(text);
	if (n < 0) {
		c->answer = NULL;
		return -1;
	}
	c->size = n;
	return 0;
}

static void client_has_read(struct client *c, int64_t res)
{
	char *end;
	int ret;

	if (res <= 0) {
		client_close(c);
		return;
	}
	c->got += res;
	end = memchr(c->line, '\n', c->got);
	if (!end && c->got < sizeof(c->line)) {
		client_read(c);
		return;
	}
	if (end)
		*end = 0;
	if (end && !strcmp(c->line, "json"))
		ret = compose(c, status_json);
	else if (end && !strcmp(c->line, "table"))
		ret = compose(c, status_table);
	else
		ret = -1;
	if (ret)
		client_close(c);
	else
		client_write(c);
}

static void client_has_written(struct client *c, int64_t res)
{
	if (res > 0)
		c->sent += res;
	if (res > 0 && c->sent < c->size)
		client_write(c);
	else
		client_close(c);
}

void control_event(const struct ioevq_event *ev)
{
	struct client *c = &clients[TAG_ID(ev->user_data)];

	switch (TAG_KIND(ev->user_data)) {
	case KIND_READ:
		if (!c->closing)
			client_has_read(c, ev->res);
		break;
	case KIND_WRITE:
		if (!c->closing)
			client_has_written(c, ev->res);
		break;
	case KIND_CLOSE:
		free(c->answer);
		c->fd = -1;
		/* There may be who had to wait for this place. */
		control_accept();
		break;
	}
}

static struct client *free_client(void)
{
	unsigned int i;

	for (i = 0; i < MAX_CLIENTS; i++)
		if (clients[i].fd < 0)
			return &clients[i];
	return NULL;
}

static void try_again(struct timer *timer)
{
	(void)timer;
	control_accept();
}

static struct timer accept_again = { .expired = try_again };

void control_accept(void)
{
	struct client *c;
	int fd;

	while ((c = free_client())) {
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EINTR || errno == ECONNABORTED)
				continue;
			/* It waits still, and nothing tells of it again. */
			if (errno != EAGAIN)
				timer_set(&accept_again, now() + SECOND);
			return;
		}
		memset(c, 0, sizeof(*c));
		c->fd = fd;
		c->timer.expired = client_expired;
		timer_set(&c->timer, now() + CLIENT_TIMEOUT);
		client_read(c);
	}
}

/* Only who holds the lock may take the place of a socket that is there. */
static int take_lock(void)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 8];
	int fd;

	snprintf(path, sizeof(path), "%s.lock", sv.control);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		complain("%s: %s: name another socket by --control, or --control none", path,
			 strerror(errno));
		return -1;
	}
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return 0;
	complain("%s: another supervisor uses it: name another socket by --control", sv.control);
	close(fd);
	return -1;
}

static int listen_at(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stat st;
	mode_t mask;
	int ret;

	if (strlen(sv.control) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(addr.sun_path, sv.control);
	if (!lstat(sv.control, &st)) {
		if (!S_ISSOCK(st.st_mode)) {
			errno = EEXIST;
			return -1;
		}
		unlink(sv.control);
	}
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener < 0)
		return -1;
	mask = umask(0177);
	ret = bind(listener, (struct sockaddr *)&addr, sizeof(addr));
	umask(mask);
	return ret ?: listen(listener, MAX_CLIENTS);
}

int control_open(void)
{
	struct ioevq_req req;
	unsigned int i;
	int err;

	for (i = 0; i < MAX_CLIENTS; i++)
		clients[i].fd = -1;
	if (!sv.control)
		return 0;
	if (strlen(sv.control) < sizeof(((struct sockaddr_un *)0)->sun_path) && take_lock())
		return -1;
	if (listen_at()) {
		complain("%s: %s: name another socket by --control, or --control none", sv.control,
			 strerror(errno));
		return -1;
	}
	ioevq_prep_poll(&req, listener, POLLIN, IOEVQ_POLL_EDGE, TAG(KIND_LISTEN, 0));
	err = submit(&req);
	if (err)
		complain("the control socket cannot be watched: %s", strerror(-err));
	return err;
}

void control_close(void)
{
	if (listener >= 0)
		unlink(sv.control);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Law 8 for as many connections as one likes: IOEVQ_CONNECTIONS says how many. Each is
 * watched and closed, in all modes and ways, and nothing of it is left.
 */
#include "kinds_socket.h"
#include "readiness.h"
#include "scaled.h"

static const unsigned int modes[] = {
	IOEVQ_POLL_LEVEL, IOEVQ_POLL_EDGE, IOEVQ_POLL_ONESHOT, IOEVQ_POLL_DISPATCH,
	IOEVQ_POLL_EDGE | IOEVQ_POLL_CONFIRM, IOEVQ_POLL_LEVEL | IOEVQ_POLL_EXCLUSIVE,
	IOEVQ_POLL_EDGE | IOEVQ_POLL_EXCLUSIVE | IOEVQ_POLL_LIFO,
};

/* Slabs that are not full count, too, and so does what belongs to others. */
#define SLACK_KB	8192

/* The number after @field in the line that begins with @line, or -1. */
static long count_in(const char *path, const char *line, const char *field)
{
	char buf[256], *p;
	long value = -1;
	FILE *f = fopen(path, "re");

	while (f && value < 0 && fgets(buf, sizeof(buf), f)) {
		if (strncmp(buf, line, strlen(line)))
			continue;
		p = strstr(buf, field);
		if (p)
			value = strtol(p + strlen(field), NULL, 10);
	}
	if (f)
		fclose(f);
	return value;
}

struct left {
	long sockets, tcp, files, inodes, slab_kb;
};

static struct left count(void)
{
	return (struct left){
		.sockets = count_in("/proc/net/sockstat", "sockets:", "used "),
		.tcp = count_in("/proc/net/sockstat", "TCP:", "inuse "),
		.files = proc_number("/proc/sys/fs/file-nr"),
		.inodes = proc_number("/proc/sys/fs/inode-nr"),
		.slab_kb = count_in("/proc/meminfo", "SUnreclaim:", ":"),
	};
}

/* Others may have opened some files meanwhile. */
static bool is_back(const struct left *before)
{
	struct left now = count();

	return now.sockets <= before->sockets && now.tcp <= before->tcp &&
	       now.files <= before->files + 256 && now.inodes <= before->inodes + 256 &&
	       now.slab_kb <= before->slab_kb + SLACK_KB;
}

/* The @i-th connection, from its beginning to its end: 0, or -1 if something was wrong. */
static int one(const struct ioevq *q, unsigned int i)
{
	static const struct linger now = { .l_onoff = 1 };
	unsigned int way = i / ARRAY_SIZE(modes);
	struct thing t = { .aux = -1 };
	struct ioevq_event ev;

	/* It lingers not, or their ports would be used up. */
	if (make_tcp(&t) || setsockopt(t.peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) ||
	    watch(q, t.fd, POLLIN, modes[i % ARRAY_SIZE(modes)], i) ||
	    (way & 1 && kind_write_peer(&t)))
		return -1;
	if (way & 2) {
		if (ioevq_close_fd(q, t.fd, i))
			return -1;
		close(t.peer);
	} else {
		close(way & 4 ? t.peer : t.fd);
		close(way & 4 ? t.fd : t.peer);
	}
	/* The last one of the watch, and that of CLOSE, and what came before. */
	do {
		if (next_event(q, &ev) != 1 || ev.user_data != i)
			return -1;
	} while (way & 2 ? ev.op != IOEVQ_OP_CLOSE : ev.flags & IOEVQ_EVENT_MORE);
	return nothing(q) ? 0 : -1;
}

FIXTURE(connections)
{
	struct ioevq q;
};

FIXTURE_SETUP(connections)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
}

FIXTURE_TEARDOWN(connections)
{
	ioevq_close(&self->q);
}

TEST_F_TIMEOUT(connections, law_08_nothing_is_left, 7200)
{
	unsigned int i, n = env_number("IOEVQ_CONNECTIONS", scaled(7000));
	struct left before;

	/* The first ones fill the caches. */
	for (i = 0; i < 8 * ARRAY_SIZE(modes); i++)
		ASSERT_EQ(0, one(&self->q, i));
	before = count();
	ASSERT_LE(0, before.sockets);
	ASSERT_LE(0, before.tcp);
	ASSERT_LE(0, before.files);
	ASSERT_LT(0, before.inodes);
	ASSERT_LT(0, before.slab_kb);
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, one(&self->q, i));
	EXPECT_EQ(0, requests(&self->q));
	EXPECT_TRUE(eventually(is_back(&before)));
	TH_LOG("%u connections; slabs grew by %ld KiB", n, count().slab_kb - before.slab_kb);
}

TEST_HARNESS_MAIN

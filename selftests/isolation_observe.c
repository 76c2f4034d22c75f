// SPDX-License-Identifier: GPL-2.0-only
/* Law 13: of one user's queue another sees nothing, and cannot get hold of it. */
#include "users.h"

#define WATCH	7

/* Alice, with a queue, and a child of hers. */
struct alice {
	struct door d;
	pid_t child;
	int fd;			/* of the queue, in her process */
	int events;		/* that she has had in the end */
};

FIXTURE(other)
{
	struct alice *a;	/* shared */
	struct offspring c;
	struct ioevq own;	/* Bob's */
};

static int live(struct offspring *c, long arg)
{
	struct alice *a = (struct alice *)arg;
	struct offspring child;
	struct ioevq_event ev;
	struct ioevq q;

	/* Of the descriptors only the queue's number is of interest. */
	if (become(ALICE) || enter_by(&q, &a->d, 8) || ioevq_post(&q, 1, 0, 0) ||
	    offspring(&child, exit_with, 5) || watch_as(&q, ANY, 0, 0, WATCH))
		return 1;
	a->child = child.pid;
	a->fd = q.fd;
	say(c);
	await_go(c);
	if (let_go(&child))
		return 2;
	/* Her own message, and the end of her child: what she would have had without others. */
	if (next_event(&q, &ev) != 1 || ev.op != IOEVQ_OP_POST || ev.user_data != 1)
		return 3;
	if (!told(&q, WATCH, a->child, IOEVQ_EVENT_MORE, 5 << 8))
		return 4;
	a->events = query(&q).events;
	say(c);
	await_go(c);
	return waitpid(a->child, NULL, 0) == a->child ? 0 : 5;
}

FIXTURE_SETUP(other)
{
	self->a = mmap(NULL, sizeof(*self->a), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	ASSERT_NE(MAP_FAILED, self->a);
	ASSERT_EQ(0, door_make(&self->a->d, 0666, 0));
	ASSERT_EQ(0, run_until_it_says(&self->c, live, (long)self->a));
	ASSERT_EQ(0, act_as(BOB));
	ASSERT_EQ(0, enter_by(&self->own, &self->a->d, 8));
}

FIXTURE_TEARDOWN(other)
{
	char word;

	EXPECT_EQ(0, act_as_root());
	EXPECT_EQ(0, let_go(&self->c));
	EXPECT_EQ(1, read(self->c.said, &word, 1));
	EXPECT_EQ(2, self->a->events);
	EXPECT_EQ(0, let_go(&self->c));
	EXPECT_EQ(0, status_of(&self->c));
	ioevq_close(&self->own);
	door_end(&self->a->d);
}

/* A file of Alice's process: what open(2) says. */
static int of_hers(struct _test_data_other *f, const char *what, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s/%d", f->c.pid, what, f->a->fd);
	return can_open(path, flags);
}

TEST_F(other, law_13_not_by_proc)
{
	char path[64], name[64];
	int pidfd;

	EXPECT_EQ(-EACCES, of_hers(self, "fdinfo", O_RDONLY));
	EXPECT_EQ(-EACCES, of_hers(self, "fd", O_RDONLY));
	EXPECT_EQ(-EACCES, of_hers(self, "fd", O_RDWR));
	EXPECT_EQ(-EACCES, of_hers(self, "fd", O_PATH));
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", self->c.pid, self->a->fd);
	EXPECT_EQ(-1, readlink(path, name, sizeof(name)));
	EXPECT_EQ(EACCES, errno);
	snprintf(path, sizeof(path), "/proc/%d/maps", self->c.pid);
	EXPECT_EQ(-EACCES, can_open(path, O_RDONLY));
	pidfd = pidfd_of(self->c.pid);
	ASSERT_LE(0, pidfd);
	EXPECT_EQ(-1, syscall(SYS_pidfd_getfd, pidfd, self->a->fd, 0));
	EXPECT_EQ(EPERM, errno);
	close(pidfd);

	/* Who may look sees numbers, and whoever opens that has another queue. */
	ASSERT_EQ(0, act_as_root());
	EXPECT_EQ(0, of_hers(self, "fdinfo", O_RDONLY));
	EXPECT_EQ(0, of_hers(self, "fd", O_RDWR));
}

/* What is told to who may look: counts, no address, no user data. */
TEST_F(other, law_13_what_fdinfo_tells)
{
	static const char *const known[] = {
		"pos", "flags", "mnt_id", "ino", "entries", "requests", "available", "backlog",
		"events", "wakeups", "waiting", "runnable", "buffers", "concurrency",
		"backlog_max", "armed_child", "queue", "spares",
	};
	char path[64], line[128], *end;
	unsigned int i;
	FILE *f;

	ASSERT_EQ(0, act_as_root());
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", self->c.pid, self->a->fd);
	f = fopen(path, "re");
	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f)) {
		end = strchr(line, ':');
		ASSERT_NE(NULL, end);
		*end++ = 0;
		for (i = 0; i < ARRAY_SIZE(known) && strcmp(known[i], line); i++)
			;
		EXPECT_LT(i, ARRAY_SIZE(known))
			TH_LOG("%s", line);
		/* Too short for an address. */
		EXPECT_GT(16U, strlen(end));
		EXPECT_EQ(strlen(end), strspn(end, "\t\n0123456789unlimited"))
			TH_LOG("%s", end);
	}
	fclose(f);
}

/* Not how many queues others have, either. Who may trace knows them by their number. */
TEST_F(other, law_13_the_number_is_not_told)
{
	char line[128], path[64];
	int told = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->own.fd);
	f = fopen(path, "re");
	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f)) {
		EXPECT_NE(0, strncmp(line, "queue:", 6));
		told += !strncmp(line, "entries:", 8);
	}
	fclose(f);
	EXPECT_EQ(1, told);
}

/* There is nothing that names it: descriptors are one's own. */
TEST_F(other, law_13_not_posted_to)
{
	struct ioevq_req req;
	int fd;

	for (fd = 0; fd < 1024; fd++) {
		if (fd == self->own.fd)
			continue;
		ioevq_prep_post(&req, fd, 0, 0, 666);
		EXPECT_GT(0, submit(&self->own, &req));
		ioevq_prep_poll(&req, fd, POLLIN, IOEVQ_POLL_ONESHOT, 666);
		if (fcntl(fd, F_GETFD) < 0)
			EXPECT_EQ(-EBADF, submit(&self->own, &req));
	}
	/* Cancelling all, closing all: of this queue. */
	ASSERT_EQ(0, ioevq_cancel_all(&self->own, 1));
	EXPECT_EQ(-EBADF, ioevq_close_fd(&self->own, 1000, 1));
}

/* Of her child, that it ended, as by a pidfd: not how, and nothing before that. */
TEST_F(other, law_13_not_her_children)
{
	static const uint32_t more[] = { IOEVQ_CHILD_STOPPED, IOEVQ_CHILD_CONTINUED };
	pid_t who[] = { self->a->child, 1 };
	unsigned int i, j;
	char word;

	for (i = 0; i < ARRAY_SIZE(who); i++) {
		EXPECT_EQ(-ECHILD, watch_as(&self->own, BY_PID, who[i], 0, 1));
		for (j = 0; j < ARRAY_SIZE(more); j++) {
			EXPECT_EQ(-ECHILD, watch_as(&self->own, BY_PID, who[i], more[j], 1));
			EXPECT_EQ(-ECHILD, watch_as(&self->own, BY_PIDFD, who[i], more[j], 1));
		}
	}
	ASSERT_EQ(0, watch_as(&self->own, ANY, 0, 0, 2));
	ASSERT_EQ(0, watch_as(&self->own, BY_PIDFD, self->a->child, IOEVQ_CHILD_USAGE, 3));
	EXPECT_TRUE(quiet(&self->own));

	ASSERT_EQ(0, let_go(&self->c));
	ASSERT_EQ(1, read(self->c.said, &word, 1));
	EXPECT_TRUE(told_foreign(&self->own, 3, self->a->child));
	EXPECT_TRUE(quiet(&self->own));
	/* For the end of the fixture. */
	ASSERT_EQ(0, act_as_root());
	ASSERT_EQ(0, let_go(&self->c));
	ASSERT_EQ(0, status_of(&self->c));
	EXPECT_EQ(2, self->a->events);
	ASSERT_EQ(0, run_until_it_says(&self->c, live, (long)self->a));
}

/* What Bob is told of the device is the same, whatever Alice does with hers. */
TEST_F(other, law_13_not_by_info)
{
	struct ioevq_info info = query(&self->own);

	EXPECT_EQ(0, info.requests);
	EXPECT_EQ(0, info.available);
	EXPECT_EQ(0, info.backlog);
	EXPECT_EQ(0, info.events);
	EXPECT_EQ(0, info.wakeups);
	EXPECT_EQ(0, info.runnable);
	EXPECT_EQ(0, info.waiting);
	EXPECT_EQ(0, info.buffers);
	EXPECT_EQ(get_param("max_user_requests"), info.max_user_requests);
}

TEST_HARNESS_MAIN

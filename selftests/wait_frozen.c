// SPDX-License-Identifier: GPL-2.0-only
/* Consumers that are frozen in their sleep (cgroups of version 1) keep nothing from others. */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "offspring.h"
#include "readiness.h"

FIXTURE(frozen)
{
	struct ioevq q;
	struct offspring awake, frozen;
	char group[64];
};

/* @limit: the concurrency value. @batch_ns: each would wait so long for more, if not 0. */
FIXTURE_VARIANT(frozen)
{
	uint32_t limit;
	uint64_t batch_ns;
};

FIXTURE_VARIANT_ADD(frozen, unlimited) { IOEVQ_UNLIMITED, 0 };
FIXTURE_VARIANT_ADD(frozen, one_at_a_time) { 1, 0 };
FIXTURE_VARIANT_ADD(frozen, in_batches) { IOEVQ_UNLIMITED, 1000000 };

/* What a child has of the above. */
static struct {
	const struct ioevq *q;
	uint64_t batch_ns;
} consumer;

static int put(const char *dir, const char *file, const char *text)
{
	char path[128];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ret = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
	close(fd);
	return ret;
}

static int is_frozen(const char *group)
{
	char path[128], state[16] = "";
	int fd;

	snprintf(path, sizeof(path), "%s/freezer.state", group);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (read(fd, state, sizeof(state) - 1) < 0)
		state[0] = 0;
	close(fd);
	return !strcmp(state, "FROZEN\n");
}

/* What it was told of is how it ends. */
static int take_one(struct offspring *c, long arg)
{
	struct ioevq_event evs[2];
	struct ioevq_enter enter = {
		.size = sizeof(enter), .events = (uintptr_t)evs, .timeout_ns = -1,
		.batch_ns = consumer.batch_ns, .min = consumer.batch_ns ? 2 : 1, .max = 2,
	};

	(void)c;
	(void)arg;
	return ioevq_enter(consumer.q, &enter) == 1 ? evs[0].user_data : 90;
}

static int has_ended(const struct offspring *c, int *status)
{
	return waitpid(c->pid, status, WNOHANG) == c->pid;
}

/* What the consumer was told of, or -1. */
static int told(const struct offspring *c)
{
	int status = -1;

	return eventually(has_ended(c, &status)) && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The last to go to sleep is the first to be woken: it is frozen. */
FIXTURE_SETUP(frozen)
{
	char root[] = "/tmp/ioevq-freezer-XXXXXX", pid[16];

	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, ioevq_set_concurrency(&self->q, variant->limit));
	ASSERT_NE(NULL, mkdtemp(root));
	ASSERT_EQ(0, mount("ioevq", root, "cgroup", 0, "freezer"));
	snprintf(self->group, sizeof(self->group), "%s/some", root);
	ASSERT_EQ(0, mkdir(self->group, 0700));
	consumer.q = &self->q;
	consumer.batch_ns = variant->batch_ns;
	ASSERT_EQ(0, offspring(&self->awake, take_one, 0));
	ASSERT_EQ(0, offspring(&self->frozen, take_one, 0));
	ASSERT_EQ(0, let_go(&self->awake));
	ASSERT_TRUE(eventually(query(&self->q).waiting == 1));
	ASSERT_EQ(0, let_go(&self->frozen));
	ASSERT_TRUE(eventually(query(&self->q).waiting == 2));
	ASSERT_TRUE(eventually(thread_state(self->frozen.pid, self->frozen.pid) == 'S'));
	snprintf(pid, sizeof(pid), "%d", self->frozen.pid);
	ASSERT_EQ(0, put(self->group, "tasks", pid));
	ASSERT_EQ(0, put(self->group, "freezer.state", "FROZEN"));
	ASSERT_TRUE(eventually(is_frozen(self->group)));
}

FIXTURE_TEARDOWN(frozen)
{
	char *end = strrchr(self->group, '/');

	(void)variant;
	offspring_close(&self->awake);
	offspring_close(&self->frozen);
	EXPECT_EQ(0, rmdir(self->group));
	*end = 0;
	EXPECT_EQ(0, umount(self->group));
	EXPECT_EQ(0, rmdir(self->group));
	ioevq_close(&self->q);
}

TEST_F(frozen, law_06_an_event_is_for_who_can_take_it)
{
	(void)variant;
	ASSERT_EQ(0, ioevq_post(&self->q, 7, 0, 0));
	EXPECT_EQ(7, told(&self->awake));
	ASSERT_EQ(0, put(self->group, "freezer.state", "THAWED"));
	ASSERT_EQ(0, ioevq_post(&self->q, 8, 0, 0));
	EXPECT_EQ(8, told(&self->frozen));
}

/* The same where a consumer has to look at the file first. */
TEST_F(frozen, law_06_a_file_is_looked_at)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)variant;
	ASSERT_EQ(0, watch(&self->q, fd, POLLIN, IOEVQ_POLL_EDGE | IOEVQ_POLL_CONFIRM, 7));
	ASSERT_EQ(0, eventfd_write(fd, 1));
	EXPECT_EQ(7, told(&self->awake));
	ASSERT_EQ(0, put(self->group, "freezer.state", "THAWED"));
	ASSERT_EQ(0, eventfd_write(fd, 1));
	EXPECT_EQ(7, told(&self->frozen));
	close(fd);
}

TEST_HARNESS_MAIN

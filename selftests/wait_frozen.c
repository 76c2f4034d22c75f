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
	uint32_t min;
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

/* What it was told of last is how it ends. */
static int take(struct offspring *c, long arg)
{
	struct ioevq_event evs[4];
	struct ioevq_enter enter = {
		.size = sizeof(enter), .events = (uintptr_t)evs, .timeout_ns = -1,
		.batch_ns = consumer.batch_ns, .min = consumer.min, .max = 4,
	};
	int n;

	(void)c;
	(void)arg;
	n = ioevq_enter(consumer.q, &enter);
	return n > 0 ? evs[n - 1].user_data : 90;
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

/* A mount of its own, and in that a group, whose path is @group. */
static int group_make(char *group, size_t size)
{
	char root[] = "/tmp/ioevq-freezer-XXXXXX";

	if (!mkdtemp(root) || mount("ioevq", root, "cgroup", 0, "freezer"))
		return -1;
	snprintf(group, size, "%s/some", root);
	return mkdir(group, 0700);
}

static int group_end(char *group)
{
	if (rmdir(group))
		return -1;
	*strrchr(group, '/') = 0;
	return umount(group) ?: rmdir(group);
}

static int freeze(const char *group, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	if (put(group, "tasks", text) || put(group, "freezer.state", "FROZEN"))
		return -1;
	return eventually(is_frozen(group)) ? 0 : -1;
}

/* The @nth to sleep on its queue. */
static int start(struct offspring *c, unsigned int nth)
{
	if (offspring(c, take, 0) || let_go(c) ||
	    !eventually(query(consumer.q).waiting == nth))
		return -1;
	return eventually(thread_state(c->pid, c->pid) == 'S') ? 0 : -1;
}

/* The last to go to sleep is the first to be woken: it is frozen. */
FIXTURE_SETUP(frozen)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, ioevq_set_concurrency(&self->q, variant->limit));
	ASSERT_EQ(0, group_make(self->group, sizeof(self->group)));
	consumer.q = &self->q;
	consumer.batch_ns = variant->batch_ns;
	consumer.min = variant->batch_ns ? 2 : 1;
	ASSERT_EQ(0, start(&self->awake, 1));
	ASSERT_EQ(0, start(&self->frozen, 2));
	ASSERT_EQ(0, freeze(self->group, self->frozen.pid));
}

FIXTURE_TEARDOWN(frozen)
{
	(void)variant;
	offspring_close(&self->awake);
	offspring_close(&self->frozen);
	EXPECT_EQ(0, group_end(self->group));
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

/* Who is frozen while it waits for more than it has: its time would be over unheard. */
TEST(law_06_another_clock_begins)
{
	struct offspring awake, frozen;
	char group[64];
	struct ioevq q;

	ASSERT_EQ(0, ioevq_open(&q, 64, 0));
	ASSERT_EQ(0, group_make(group, sizeof(group)));
	consumer.q = &q;
	consumer.min = 3;
	consumer.batch_ns = 1000000;
	ASSERT_EQ(0, start(&awake, 1));
	consumer.batch_ns = 3600 * 1000000000ULL;
	ASSERT_EQ(0, start(&frozen, 2));
	ASSERT_EQ(0, ioevq_post(&q, 7, 0, 0));
	ASSERT_EQ(0, freeze(group, frozen.pid));
	ASSERT_EQ(2, query(&q).waiting);
	ASSERT_EQ(0, ioevq_post(&q, 8, 0, 0));
	EXPECT_EQ(8, told(&awake));
	ASSERT_EQ(0, put(group, "freezer.state", "THAWED"));
	ASSERT_EQ(0, ioevq_post(&q, 9, 0, 0));
	ASSERT_EQ(0, ioevq_post(&q, 10, 0, 0));
	ASSERT_EQ(0, ioevq_post(&q, 11, 0, 0));
	EXPECT_EQ(11, told(&frozen));
	offspring_close(&awake);
	offspring_close(&frozen);
	EXPECT_EQ(0, group_end(group));
	ioevq_close(&q);
}

TEST_HARNESS_MAIN

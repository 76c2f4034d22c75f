// SPDX-License-Identifier: GPL-2.0-only
/*
 * Law 13: one user takes all that it may have, of each kind, and holds it; another has as
 * much as ever. Nobody measures how long that takes: it must come to pass.
 */
#include "starve.h"

FIXTURE(two)
{
	struct attack *a;		/* shared */
	struct offspring c;
};

FIXTURE_SETUP(two)
{
	self->a = attack_begin();
	ASSERT_NE(NULL, self->a);
}

FIXTURE_TEARDOWN(two)
{
	EXPECT_EQ(0, attack_end(self->a, &self->c));
}

static int take_requests(struct offspring *c, long arg)
{
	struct attack *a = (struct attack *)arg;
	int fd = eventfd(0, 0), ret;
	struct ioevq q;

	if (become(ALICE))
		return 1;
	do {
		if (enter_by(&q, &a->d, 4))
			return 2;
		ret = park(&q, fd, QUEUE_LIMIT + 1, 0);
		a->got += ret < 0 ? 0 : ret;
	} while (ret > 0);
	if (ret != -EDQUOT)
		return 3;
	say(c);
	await_go(c);
	return 0;
}

TEST_F(two, law_13_requests)
{
	EXPECT_BOB_IS_WELL_BESIDE(take_requests);
	EXPECT_EQ(LIMIT, self->a->got);
}

/* What is reserved for exits; requests are left then. */
static int take_reserves(struct offspring *c, long arg)
{
	struct attack *a = (struct attack *)arg;
	struct ioevq q;
	int ret = 0;

	if (become(ALICE) || enter_by(&q, &a->d, 4))
		return 1;
	while (!(ret = watch_child(&q, 0, 1024, 1)))
		a->got++;
	if (ret != -EDQUOT)
		return 2;
	say(c);
	await_go(c);
	return 0;
}

TEST_F(two, law_13_reserves)
{
	EXPECT_BOB_IS_WELL_BESIDE(take_reserves);
	/* 1024 / 8, and the request itself. */
	EXPECT_EQ(LIMIT / (1024 / 8 + 1), self->a->got);
}

/* Messages that nobody takes. */
static int take_backlogs(struct offspring *c, long arg)
{
	struct attack *a = (struct attack *)arg;
	struct ioevq q;
	int ret;

	if (become(ALICE))
		return 1;
	do {
		if (enter_by(&q, &a->d, 4))
			return 2;
		while (!(ret = ioevq_post(&q, 1, 0, 0)))
			a->got++;
		a->queues++;
	} while (ret == -EAGAIN);
	if (ret != -EDQUOT)
		return 3;
	say(c);
	await_go(c);
	return 0;
}

TEST_F(two, law_13_backlogs)
{
	EXPECT_BOB_IS_WELL_BESIDE(take_backlogs);
	/* Those that have their place in a ring cost nothing else. */
	EXPECT_EQ(LIMIT + 4 * self->a->queues, self->a->got);
}

/* Rings, which are memory that nothing pages out: of eight events as of one request. */
static int take_rings(struct offspring *c, long arg)
{
	struct attack *a = (struct attack *)arg;
	struct ioevq q;
	int ret;

	if (become(ALICE))
		return 1;
	while (!(ret = enter_by(&q, &a->d, 1024)))
		a->queues++;
	if (ret != -EDQUOT)
		return 2;
	/* What was refused has left nothing, and a smaller one may do. */
	q.fd = try_open(a->d.node, O_RDWR);
	if (ioevq_post(&q, 1, 0, 0) != -EDQUOT || query(&q).entries)
		return 3;
	if (enter_by(&q, &a->d, 64) || park(&q, 0, 1, 0) != -EDQUOT)
		return 4;
	say(c);
	await_go(c);
	return 0;
}

TEST_F(two, law_13_rings)
{
	ASSERT_EQ(0, set_param("max_user_requests", 4 * LIMIT));
	ASSERT_EQ(0, run_until_it_says(&self->c, take_rings, (long)self->a))
		TH_LOG("status %d", status_of(&self->c));
	EXPECT_EQ(4 * LIMIT / (1024 / 8), self->a->queues);
	EXPECT_EQ(0, run_to_its_end(be_well, (long)&self->a->d));
	/* And all is given back. */
	self->a->queues = 0;
	ASSERT_EQ(0, kill(self->c.pid, SIGKILL));
	ASSERT_EQ(self->c.pid, waitpid(self->c.pid, NULL, 0));
	ASSERT_EQ(0, run_until_it_says(&self->c, take_rings, (long)self->a));
	EXPECT_EQ(4 * LIMIT / (1024 / 8), self->a->queues);
}

/* As many as there are descriptors, in each of as many processes as there may be. */
static int take_queues(struct offspring *c, long arg)
{
	struct rlimit processes = { .rlim_cur = 8, .rlim_max = 8 };
	struct rlimit files = { .rlim_cur = 256, .rlim_max = 256 };
	struct attack *a = (struct attack *)arg;
	struct ioevq q;
	pid_t pid;

	if (setrlimit(RLIMIT_NPROC, &processes) || setrlimit(RLIMIT_NOFILE, &files) ||
	    become(ALICE))
		return 1;
	do {
		while (!enter_by(&q, &a->d, 4))
			__atomic_add_fetch(&a->queues, 1, __ATOMIC_RELAXED);
		if (errno != EMFILE)
			return 2;
		/* Who is forked has all, and makes room for its own. */
		pid = fork();
		if (!pid)
			prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!pid && close_range(c->say + 1, ~0U, 0))
			return 3;
	} while (!pid);
	if (pid < 0)
		say(c);
	for (;;)
		pause();
}

TEST_F(two, law_13_queues)
{
	EXPECT_BOB_IS_WELL_BESIDE(take_queues);
	EXPECT_LT(8 * 200, self->a->queues);
}

/* Memory that is registered. */
static int take_locked_memory(struct offspring *c, long arg)
{
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct attack *a = (struct attack *)arg;
	struct ioevq q;
	int ret;

	if (p == MAP_FAILED || become(ALICE))
		return 1;
	while (!(ret = enter_by(&q, &a->d, 4) ?: register_one(&q, p, PAGE)))
		a->got++;
	if (ret != -ENOMEM)
		return 2;
	say(c);
	await_go(c);
	return 0;
}

TEST_F(two, law_13_locked_memory)
{
	EXPECT_BOB_IS_WELL_BESIDE(take_locked_memory);
	EXPECT_EQ(LOCKED, self->a->got);
}

TEST_HARNESS_MAIN

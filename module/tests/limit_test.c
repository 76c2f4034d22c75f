// SPDX-License-Identifier: GPL-2.0-only
/* What counts for a queue and for its user: refused beyond the limit, and given back. */
#include <linux/cred.h>

#include "tests.h"

struct limits {
	unsigned int requests;
	unsigned int user_requests;
};

static struct limits saved;

static int limit_init(struct kunit *test)
{
	saved.requests = ioevq_max_requests;
	saved.user_requests = ioevq_max_user_requests;
	return test_queue_init(test);
}

static void limit_exit(struct kunit *test)
{
	WRITE_ONCE(ioevq_max_requests, saved.requests);
	WRITE_ONCE(ioevq_max_user_requests, saved.user_requests);
	test_queue_exit(test);
}

/* Some other queue of root's may be in use: what is counted on top of that. */
static int users_count(struct ioevq_queue *q)
{
	return atomic_read(&q->user->requests);
}

/* So many requests of a queue, and not one more; the refusal costs nothing. */
static void limit_queue(struct kunit *test)
{
	struct ioevq_queue *q = test->priv;
	int i, before = users_count(q);

	WRITE_ONCE(ioevq_max_requests, 3);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, ioevq_charge(q), 0);
	KUNIT_EXPECT_EQ(test, ioevq_charge(q), -EAGAIN);
	KUNIT_EXPECT_EQ(test, atomic_read(&q->requests), 3);
	KUNIT_EXPECT_EQ(test, users_count(q), before + 3);
	ioevq_uncharge(q);
	KUNIT_EXPECT_EQ(test, ioevq_charge(q), 0);
	KUNIT_EXPECT_EQ(test, ioevq_charge(q), -EAGAIN);
	for (i = 0; i < 3; i++)
		ioevq_uncharge(q);
	KUNIT_EXPECT_EQ(test, atomic_read(&q->requests), 0);
	KUNIT_EXPECT_EQ(test, users_count(q), before);
}

/* All queues of a user count together. */
static void limit_user(struct kunit *test)
{
	struct ioevq_queue *q = test->priv, *other = ioevq_queue_new();
	int before = users_count(q);

	KUNIT_ASSERT_NOT_NULL(test, other);
	KUNIT_EXPECT_PTR_EQ(test, q->user, other->user);
	WRITE_ONCE(ioevq_max_user_requests, before + 2);
	KUNIT_EXPECT_EQ(test, ioevq_charge(q), 0);
	KUNIT_EXPECT_EQ(test, ioevq_charge(other), 0);
	KUNIT_EXPECT_EQ(test, ioevq_charge(q), -EDQUOT);
	KUNIT_EXPECT_EQ(test, ioevq_charge(other), -EDQUOT);
	KUNIT_EXPECT_EQ(test, atomic_read(&q->requests), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&other->requests), 1);
	KUNIT_EXPECT_EQ(test, users_count(q), before + 2);
	ioevq_uncharge(other);
	KUNIT_EXPECT_EQ(test, ioevq_charge(q), 0);
	ioevq_uncharge(q);
	ioevq_uncharge(q);
	KUNIT_EXPECT_EQ(test, users_count(q), before);
	ioevq_queue_close(other);
}

/* What a request holds besides itself is charged whole or not at all. */
static void limit_more(struct kunit *test)
{
	struct ioevq_queue *q = test->priv;
	int before = users_count(q);

	WRITE_ONCE(ioevq_max_user_requests, before + 10);
	KUNIT_EXPECT_EQ(test, ioevq_charge_user(q->user, 7), 0);
	KUNIT_EXPECT_EQ(test, ioevq_charge_user(q->user, 4), -EDQUOT);
	KUNIT_EXPECT_EQ(test, users_count(q), before + 7);
	KUNIT_EXPECT_EQ(test, ioevq_charge_user(q->user, 3), 0);
	KUNIT_EXPECT_EQ(test, ioevq_charge(q), -EDQUOT);
	ioevq_uncharge_user(q->user, 10);
	KUNIT_EXPECT_EQ(test, users_count(q), before);
	KUNIT_EXPECT_EQ(test, atomic_read(&q->requests), 0);
}

/* A queue counts for who opened it: another user has counters, and workers, of its own. */
static void limit_others(struct kunit *test)
{
	struct ioevq_queue *q = test->priv;
	struct cred *cred = prepare_creds();
	struct ioevq_user *user, *again;
	const struct cred *old;

	KUNIT_ASSERT_NOT_NULL(test, cred);
	cred->uid = KUIDT_INIT(12345);
	old = override_creds(cred);
	user = ioevq_user_get();
	again = ioevq_user_get();
	revert_creds(old);
	put_cred(cred);
	KUNIT_ASSERT_NOT_NULL(test, user);
	KUNIT_EXPECT_PTR_EQ(test, user, again);
	KUNIT_EXPECT_PTR_NE(test, user, q->user);
	KUNIT_EXPECT_EQ(test, refcount_read(&user->queues), 2U);
	KUNIT_EXPECT_EQ(test, __kuid_val(user->uid), 12345U);
	KUNIT_EXPECT_EQ(test, ioevq_charge_user(user, 1), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&user->requests), 1);
	ioevq_uncharge_user(user, 1);

	KUNIT_EXPECT_EQ(test, ioevq_user_need_workers(user), 0);
	KUNIT_EXPECT_NOT_NULL(test, user->workers);
	if (q->user->workers)
		KUNIT_EXPECT_PTR_NE(test, user->workers, q->user->workers);
	ioevq_user_put(again);
	KUNIT_EXPECT_EQ(test, refcount_read(&user->queues), 1U);
	ioevq_user_put(user);
}

/* Requests are charged when they are made: a refused one leaves nothing. */
static void limit_alloc(struct kunit *test)
{
	struct ioevq_queue *q = test->priv;
	struct ioevq_kreq *kreq, *free;

	WRITE_ONCE(ioevq_max_requests, 1);
	kreq = test_request(test, &test_source, IOEVQ_OP_NOP, 1);
	free = ioevq_kreq_alloc(q, &test_source, IOEVQ_OP_NOP, 2, false);
	KUNIT_EXPECT_TRUE(test, IS_ERR(free));
	KUNIT_EXPECT_EQ(test, PTR_ERR(free), -EAGAIN);
	/* What has no event is not: by it a full queue is emptied. */
	free = ioevq_kreq_alloc(q, &test_source, IOEVQ_OP_NOP, 3, true);
	KUNIT_ASSERT_FALSE(test, IS_ERR(free));
	ioevq_kreq_free(free);
	KUNIT_EXPECT_EQ(test, atomic_read(&q->requests), 1);
	ioevq_complete(kreq, 0, 0, 0);
	test_sweep(q);
	KUNIT_EXPECT_EQ(test, atomic_read(&q->requests), 0);
}

static struct kunit_case limit_cases[] = {
	KUNIT_CASE(limit_queue),
	KUNIT_CASE(limit_user),
	KUNIT_CASE(limit_more),
	KUNIT_CASE(limit_others),
	KUNIT_CASE(limit_alloc),
	{}
};

struct kunit_suite test_limit_suite = {
	.name = "ioevq_limit",
	.init = limit_init,
	.exit = limit_exit,
	.test_cases = limit_cases,
};

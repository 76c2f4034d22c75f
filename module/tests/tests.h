/* SPDX-License-Identifier: GPL-2.0-only */
/* What the unit tests share: a queue of no file, requests of no source. */
#ifndef IOEVQ_TESTS_H
#define IOEVQ_TESTS_H

#include <kunit/test.h>

#include "../req.h"
#include "run.h"

/* One of each file. */
extern struct kunit_suite test_ring_suite, test_backlog_suite, test_req_suite, test_ioctl_suite,
	test_submit_suite, test_limit_suite, test_coalesce_suite, test_cancel_suite,
	test_fence_suite, test_wake_suite, test_wait_suite;

/* Entries of the ring of a test's queue. */
#define TEST_ENTRIES	4

/* Requests that can be cancelled at once. */
extern const struct ioevq_source test_source;
/* As a device that has the I/O in hand: the requests cannot be cancelled. */
extern const struct ioevq_source test_busy_source;

/* init and exit of a suite: test->priv is a queue that was set up. */
int test_queue_init(struct kunit *test);
void test_queue_exit(struct kunit *test);

/* An accepted request, in the index of its queue, which ends it at the latest when closed. */
struct ioevq_kreq *test_request(struct kunit *test, const struct ioevq_source *src, u32 op,
				u64 user_data);
void test_accept(struct ioevq_kreq *kreq);

int test_submit(struct ioevq_queue *q, const struct ioevq_req *req, s64 *res);
void test_post(struct kunit *test, unsigned int n);
void test_sweep(struct ioevq_queue *q);
bool test_take(struct ioevq_queue *q, struct ioevq_event *ev);
u64 test_available(struct ioevq_queue *q);

#endif

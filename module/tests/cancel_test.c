// SPDX-License-Identifier: GPL-2.0-only
/* Which requests a cancel matches. */
#include <linux/anon_inodes.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>

#include "tests.h"

#define DONE	1000		/* user data of a cancel */

static struct ioevq_req cancel(u32 flags)
{
	return (struct ioevq_req){
		.op = IOEVQ_OP_CANCEL, .fd = -1, .user_data = DONE, .op_flags = flags,
	};
}

/* Take all events: those of the cancelled are in *@ended (1 << user data), then the cancel's. */
static void take_fence(struct kunit *test, u64 *ended, s64 *matched)
{
	struct ioevq_queue *q = test->priv;
	struct ioevq_event ev = {};

	*ended = 0;
	*matched = -1;
	while (test_take(q, &ev)) {
		if (ev.user_data == DONE) {
			*matched = ev.res;
			break;
		}
		KUNIT_EXPECT_EQ(test, ev.res, (s64)-ECANCELED);
		KUNIT_EXPECT_EQ(test, *ended & BIT_ULL(ev.user_data), 0ULL);
		*ended |= BIT_ULL(ev.user_data);
	}
	KUNIT_EXPECT_EQ(test, test_available(q), 0ULL);
	test_sweep(q);
}

static void cancels(struct kunit *test, const struct ioevq_req *req, u64 want)
{
	s64 matched;
	u64 ended;

	KUNIT_EXPECT_EQ(test, test_submit(test->priv, req, NULL), 0);
	take_fence(test, &ended, &matched);
	KUNIT_EXPECT_EQ(test, ended, want);
	KUNIT_EXPECT_EQ(test, matched, (s64)hweight64(want));
}

static void request(struct kunit *test, u32 op, u64 user_data)
{
	test_request(test, &test_source, op, user_data);
}

static void cancel_user_data(struct kunit *test)
{
	struct ioevq_req req = cancel(IOEVQ_CANCEL_USER_DATA);
	u64 i;

	/* As many as make the index grow. */
	for (i = 0; i < 50; i++)
		request(test, IOEVQ_OP_NOP, i);
	req.addr = 60;
	cancels(test, &req, 0);
	for (i = 0; i < 50; i += 7) {
		req.addr = i;
		cancels(test, &req, BIT_ULL(i));
		cancels(test, &req, 0);
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&((struct ioevq_queue *)test->priv)->requests), 42);
}

static void cancel_op(struct kunit *test)
{
	struct ioevq_req req = cancel(IOEVQ_CANCEL_OP);

	request(test, IOEVQ_OP_NOP, 1);
	request(test, IOEVQ_OP_POLL, 2);
	request(test, IOEVQ_OP_NOP, 3);
	request(test, IOEVQ_OP_TIMER, 4);
	req.len = IOEVQ_OP_READ;
	cancels(test, &req, 0);
	req.len = IOEVQ_OP_NOP;
	cancels(test, &req, BIT_ULL(1) | BIT_ULL(3));
	req.len = IOEVQ_OP_POLL;
	cancels(test, &req, BIT_ULL(2));
	req.len = IOEVQ_OP__COUNT;
	KUNIT_EXPECT_EQ(test, test_submit(test->priv, &req, NULL), -EOPNOTSUPP);
}

/* All that are given must match. */
static void cancel_both(struct kunit *test)
{
	struct ioevq_req req = cancel(IOEVQ_CANCEL_OP | IOEVQ_CANCEL_USER_DATA);

	request(test, IOEVQ_OP_NOP, 1);
	request(test, IOEVQ_OP_POLL, 2);
	req.addr = 1;
	req.len = IOEVQ_OP_POLL;
	cancels(test, &req, 0);
	req.len = IOEVQ_OP_NOP;
	cancels(test, &req, BIT_ULL(1));
}

static void cancel_all(struct kunit *test)
{
	struct ioevq_req req = cancel(0);
	unsigned int i;

	for (i = 0; i < 40; i++)
		request(test, i % IOEVQ_OP__COUNT, i);
	cancels(test, &req, GENMASK_ULL(39, 0));
	cancels(test, &req, 0);
	/* One that cannot be cancelled is not matched: the cancels themselves are such. */
	req = cancel(IOEVQ_CANCEL_OP);
	req.len = IOEVQ_OP_CANCEL;
	cancels(test, &req, 0);
}

static const struct file_operations file_ops = { .owner = THIS_MODULE };

/* A file that a descriptor of this thread names; it is closed by close_files(). */
static int open_file(struct kunit *test, struct file **file)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);

	KUNIT_ASSERT_GE(test, fd, 0);
	if (!*file)
		*file = anon_inode_getfile("[ioevq-test]", &file_ops, NULL, O_RDWR);
	else
		get_file(*file);
	fd_install(fd, *file);
	return fd;
}

static void request_fd(struct kunit *test, u64 user_data, struct file *file, int fd)
{
	struct ioevq_kreq *kreq = ioevq_kreq_alloc(test->priv, &test_source, IOEVQ_OP_NOP,
						   user_data, false);

	KUNIT_ASSERT_FALSE(test, IS_ERR(kreq));
	kreq->file = file;
	kreq->fd = fd;
	test_accept(kreq);
}

/* By descriptor means by the open file that it names, and EXACT this very descriptor. */
static void cancel_fd(struct kunit *test)
{
	struct file *file = NULL, *other = NULL;
	struct ioevq_req req = cancel(IOEVQ_CANCEL_FD);
	int fds[3];

	fds[0] = open_file(test, &file);
	fds[1] = open_file(test, &file);
	fds[2] = open_file(test, &other);
	request_fd(test, 1, file, fds[0]);
	request_fd(test, 2, file, fds[1]);
	request_fd(test, 3, other, fds[2]);
	request_fd(test, 4, NULL, fds[0]);

	req.fd = fds[2];
	cancels(test, &req, BIT_ULL(3));
	req.fd = fds[1];
	req.op_flags |= IOEVQ_CANCEL_EXACT;
	cancels(test, &req, BIT_ULL(2));
	req.op_flags = IOEVQ_CANCEL_FD;
	request_fd(test, 5, file, fds[1]);
	cancels(test, &req, BIT_ULL(1) | BIT_ULL(5));
	cancels(test, &req, 0);

	close_fd(fds[0]);
	close_fd(fds[1]);
	close_fd(fds[2]);
	flush_delayed_fput();
	req.fd = fds[2];
	KUNIT_EXPECT_EQ(test, test_submit(test->priv, &req, NULL), -EBADF);
}

/* Fields that no flag gives a meaning to; and nothing to be found where there is no event. */
static void cancel_refused(struct kunit *test)
{
	struct ioevq_queue *q = test->priv;
	struct ioevq_req req = cancel(IOEVQ_CANCEL_OP);

	req.addr = 1;
	KUNIT_EXPECT_EQ(test, test_submit(q, &req, NULL), -EINVAL);
	req = cancel(IOEVQ_CANCEL_USER_DATA);
	req.len = 1;
	KUNIT_EXPECT_EQ(test, test_submit(q, &req, NULL), -EINVAL);
	req = cancel(0);
	req.fd = 0;
	KUNIT_EXPECT_EQ(test, test_submit(q, &req, NULL), -EINVAL);
	req = cancel(IOEVQ_CANCEL_EXACT);
	KUNIT_EXPECT_EQ(test, test_submit(q, &req, NULL), -EINVAL);
	req = cancel(0);
	req.flags = IOEVQ_REQ_SKIP_SUCCESS;
	KUNIT_EXPECT_EQ(test, test_submit(q, &req, NULL), -ENOENT);
	request(test, IOEVQ_OP_NOP, 1);
	KUNIT_EXPECT_EQ(test, test_submit(q, &req, NULL), IOEVQ_DONE);
	KUNIT_EXPECT_EQ(test, test_available(q), 1ULL);
}

static struct kunit_case cancel_cases[] = {
	KUNIT_CASE(cancel_user_data),
	KUNIT_CASE(cancel_op),
	KUNIT_CASE(cancel_both),
	KUNIT_CASE(cancel_all),
	KUNIT_CASE(cancel_fd),
	KUNIT_CASE(cancel_refused),
	{}
};

struct kunit_suite test_cancel_suite = {
	.name = "ioevq_cancel",
	.init = test_queue_init,
	.exit = test_queue_exit,
	.test_cases = cancel_cases,
};

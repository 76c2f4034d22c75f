// SPDX-License-Identifier: GPL-2.0-only
/* Law 13: a restricted queue that tries everything it may not do. */
#include "children.h"
#include "fixed.h"
#include "pass_fd.h"

#define ALL	((1ULL << IOEVQ_OP__COUNT) - 1)
#define ONLY(op)	(1ULL << (op))

enum { WATCH = 1, TIMER, TRY, BATCH };

/* What there is to do something to, and a request of each kind that would be accepted. */
FIXTURE(restricted)
{
	struct ioevq q;
	struct ioevq to;
	int fd;			/* an eventfd, watched */
	int file;
	int spare;		/* to be closed */
	struct offspring c;
	char buf[16];
};

/* In a queue that may do anything still. */
static int fill(const struct ioevq *q, int fd)
{
	struct ioevq_req req;

	ioevq_prep_timer(&req, 0, 3600 * 1000000000ULL, 0, TIMER);
	return watch(q, fd, POLLIN, IOEVQ_POLL_DISPATCH, WATCH) || submit(q, &req);
}

FIXTURE_SETUP(restricted)
{
	memset(self, 0, sizeof(*self));
	self->fd = eventfd(0, EFD_NONBLOCK);
	self->file = memfd_create("file", MFD_CLOEXEC);
	self->spare = dup(self->file);
	ASSERT_LE(0, self->spare);
	ASSERT_EQ(4, pwrite(self->file, "kept", 4, 0));
	ASSERT_EQ(0, ioevq_open(&self->to, 4, 0));
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, fill(&self->q, self->fd));
	ASSERT_EQ(0, offspring(&self->c, exit_with, 0));
}

FIXTURE_TEARDOWN(restricted)
{
	ioevq_close(&self->q);
	ioevq_close(&self->to);
	if (self->c.pid > 0)
		kill(self->c.pid, SIGKILL);
	waitpid(self->c.pid, NULL, 0);
}

static void prepare(struct _test_data_restricted *f, struct ioevq_req *req, unsigned int op)
{
	switch (op) {
	case IOEVQ_OP_NOP:
		return ioevq_prep_nop(req, TRY);
	case IOEVQ_OP_POST:
		return ioevq_prep_post(req, f->to.fd, 0, 0, TRY);
	case IOEVQ_OP_POLL:
		return ioevq_prep_poll(req, f->fd, POLLIN, 0, TRY);
	case IOEVQ_OP_READ:
		return ioevq_prep_read(req, f->file, f->buf, 4, 0, TRY);
	case IOEVQ_OP_WRITE:
		return ioevq_prep_write(req, f->file, "lost", 4, 0, TRY);
	case IOEVQ_OP_FSYNC:
		return ioevq_prep_fsync(req, f->file, 0, TRY);
	case IOEVQ_OP_CHILD:
		return ioevq_prep_child(req, f->c.pid, 0, TRY);
	case IOEVQ_OP_CANCEL:
		return ioevq_prep_cancel(req, IOEVQ_CANCEL_USER_DATA, WATCH, -1, 0, TRY);
	case IOEVQ_OP_POLL_MOD:
		return ioevq_prep_poll_mod(req, f->fd, POLLOUT, 0, WATCH, TRY);
	case IOEVQ_OP_CLOSE:
		return ioevq_prep_close(req, f->spare, TRY);
	case IOEVQ_OP_TIMER:
		return ioevq_prep_timer(req, 0, 0, 0, TRY);
	case IOEVQ_OP_TIMER_MOD:
		return ioevq_prep_timer_mod(req, TIMER, 0, 0, 0, TRY);
	}
}

static int try(struct _test_data_restricted *f, unsigned int op)
{
	struct ioevq_req req;

	prepare(f, &req, op);
	return submit(&f->q, &req);
}

/* Nothing came of it: neither here, nor there, nor to what it was about. */
static int is_untouched(struct _test_data_restricted *f)
{
	struct ioevq_info info = query(&f->q);
	char now[4];

	return !info.available && info.requests == 2 && !query(&f->to).events &&
	       pread(f->file, now, 4, 0) == 4 && !memcmp(now, "kept", 4) && !f->buf[0] &&
	       fcntl(f->spare, F_GETFD) >= 0;
}

/* Without the restriction each of them is accepted: else what follows would show nothing. */
TEST_F(restricted, law_13_what_is_tried_can_be_done)
{
	unsigned int op;

	for (op = 0; op < IOEVQ_OP__COUNT; op++)
		EXPECT_EQ(0, try(self, op))
			TH_LOG("operation %u", op);
	EXPECT_LT(0, query(&self->q).available);
	EXPECT_FALSE(is_untouched(self));
}

TEST_F(restricted, law_13_nothing_is_left)
{
	unsigned int op;

	ASSERT_EQ(0, ioevq_restrict(&self->q, 0));
	EXPECT_EQ(0, query(&self->q).ops);
	for (op = 0; op < IOEVQ_OP__COUNT; op++) {
		EXPECT_EQ(-EPERM, try(self, op))
			TH_LOG("operation %u", op);
		EXPECT_TRUE(is_untouched(self))
			TH_LOG("operation %u", op);
	}
	EXPECT_EQ(-EOPNOTSUPP, try(self, IOEVQ_OP__COUNT));
	/* What was accepted before is as it was. */
	ASSERT_EQ(0, eventfd_write(self->fd, 1));
	EXPECT_EQ(1, query(&self->q).available);
}

/* Each alone, refused, and those beside it in a batch as if it were the only one. */
TEST_F(restricted, law_13_one_is_missing)
{
	struct ioevq_req reqs[3];
	struct ioevq_enter enter;
	unsigned int op;

	for (op = 1; op < IOEVQ_OP__COUNT; op++) {
		struct ioevq q, whole = self->q;

		ASSERT_EQ(0, ioevq_open(&q, 64, 0));
		ASSERT_EQ(0, fill(&q, self->fd));
		ASSERT_EQ(0, ioevq_restrict(&q, ALL & ~ONLY(op)));
		self->q = q;
		ioevq_prep_nop(&reqs[0], BATCH);
		prepare(self, &reqs[1], op);
		ioevq_prep_nop(&reqs[2], BATCH + 1);
		enter = (struct ioevq_enter){ .reqs = (uintptr_t)reqs, .nr_reqs = 3 };
		EXPECT_EQ(-EPERM, ioevq_enter(&q, &enter));
		EXPECT_EQ(1, enter.submitted);
		EXPECT_NEXT(&q, IOEVQ_OP_NOP, BATCH, 0);
		EXPECT_TRUE(is_untouched(self))
			TH_LOG("operation %u", op);
		self->q = whole;
		ioevq_close(&q);
	}
}

TEST_F(restricted, law_13_one_is_left)
{
	unsigned int op, other;

	for (op = 0; op < IOEVQ_OP__COUNT; op++) {
		struct ioevq q, whole = self->q;

		ASSERT_EQ(0, ioevq_open(&q, 64, 0));
		ASSERT_EQ(0, fill(&q, self->fd));
		ASSERT_EQ(0, ioevq_restrict(&q, ONLY(op)));
		self->q = q;
		for (other = 0; other < IOEVQ_OP__COUNT; other++) {
			if (other != op)
				EXPECT_EQ(-EPERM, try(self, other));
		}
		EXPECT_TRUE(is_untouched(self))
			TH_LOG("operation %u", op);
		EXPECT_EQ(0, try(self, op))
			TH_LOG("operation %u", op);
		self->q = whole;
		ioevq_close(&q);
		/* As it was, for the next one. */
		self->buf[0] = 0;
		ASSERT_EQ(4, pwrite(self->file, "kept", 4, 0));
		ioevq_close(&self->to);
		ASSERT_EQ(0, ioevq_open(&self->to, 4, 0));
		if (op == IOEVQ_OP_CLOSE)
			self->spare = dup(self->file);
	}
}

/* Every way to get more out of a queue that may only be posted to. */
static int widen(int fd)
{
	struct ioevq_setup setup = { .size = sizeof(setup), .ops = ALL };
	struct ioevq q = { .fd = fd };
	struct ioevq_req req;

	if (!ioctl(fd, IOEVQ_IOC_SETUP, &setup) || errno != EBUSY)
		return 1;
	if (ioevq_restrict(&q, ~0ULL) || ioevq_restrict(&q, ALL))
		return 2;
	if (query(&q).ops != ONLY(IOEVQ_OP_POST))
		return 3;
	ioevq_prep_poll(&req, 0, POLLIN, 0, TRY);
	return submit(&q, &req) == -EPERM ? 0 : 4;
}

static int widen_what_comes(struct offspring *c, long over)
{
	(void)c;
	return widen(receive_fd(over));
}

/* It is the queue's and not the descriptor's: fork, dup, and SCM_RIGHTS to root do not help. */
TEST_F(restricted, law_13_it_goes_with_the_queue)
{
	struct offspring c;
	int over[2], status;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, over));
	ASSERT_EQ(0, offspring(&c, widen_what_comes, over[0]));
	ASSERT_EQ(0, ioevq_restrict(&self->q, ONLY(IOEVQ_OP_POST)));
	ASSERT_EQ(0, pass_fd(over[1], self->q.fd));
	ASSERT_EQ(0, let_go(&c));
	ASSERT_EQ(c.pid, waitpid(c.pid, &status, 0));
	EXPECT_EQ(0, status);

	EXPECT_EQ(0, widen(dup(self->q.fd)));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(widen(self->q.fd));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, widen(self->q.fd));
}

/* Before it is set up: what was given away then is gone, too, and asking for it is an error. */
TEST_F(restricted, law_13_before_it_is_set_up)
{
	struct ioevq_setup setup = { .size = sizeof(setup), .ops = ALL };
	struct ioevq q = { .fd = open("/dev/ioevq", O_RDWR | O_CLOEXEC) };
	struct ioevq_req req;

	ASSERT_LE(0, q.fd);
	ASSERT_EQ(0, ioevq_restrict(&q, ONLY(IOEVQ_OP_NOP) | ONLY(IOEVQ_OP_POST)));
	EXPECT_EQ(-1, ioctl(q.fd, IOEVQ_IOC_SETUP, &setup));
	EXPECT_EQ(EOPNOTSUPP, errno);
	setup.ops = ONLY(IOEVQ_OP_NOP) | ONLY(IOEVQ_OP_POLL);
	EXPECT_EQ(-1, ioctl(q.fd, IOEVQ_IOC_SETUP, &setup));
	EXPECT_EQ(EOPNOTSUPP, errno);
	setup.ops = ONLY(IOEVQ_OP_NOP);
	EXPECT_EQ(0, ioctl(q.fd, IOEVQ_IOC_SETUP, &setup));
	ioevq_prep_poll(&req, self->fd, POLLIN, 0, TRY);
	EXPECT_EQ(-EPERM, submit(&q, &req));
	EXPECT_EQ(-EPERM, ioevq_post(&q, 1, 0, 0));
	close(q.fd);
}

/*
 * What is no operation is not restricted, and does no harm: it is about the queue itself, and
 * memory that is registered needs an operation to be used.
 */
TEST_F(restricted, law_13_control_is_no_operation)
{
	char *buf = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ioevq_control bad = { .size = sizeof(bad), .cmd = 0x80000001 };
	struct ioevq_event ev;

	ASSERT_NE(MAP_FAILED, buf);
	ASSERT_EQ(0, ioevq_restrict(&self->q, 0));
	EXPECT_EQ(0, register_one(&self->q, buf, PAGE));
	EXPECT_EQ(-EPERM, submit_fixed(&self->q, IOEVQ_OP_READ, self->file, buf, 4, 0, 0, TRY));
	EXPECT_EQ(-EPERM, submit_fixed(&self->q, IOEVQ_OP_WRITE, self->file, buf, 4, 0, 0, TRY));
	EXPECT_EQ(0, ioevq_unregister_buffers(&self->q));
	EXPECT_EQ(0, ioevq_set_concurrency(&self->q, 1));
	EXPECT_EQ(0, ioevq_alert(&self->q, 5));
	ASSERT_EQ(1, enter_wait(&self->q, &ev, 1, 1, BOUND_NS));
	EXPECT_EQ(IOEVQ_EVENT_ALERT, ev.flags);
	EXPECT_EQ(0, ioevq_clear_alert(&self->q));
	EXPECT_EQ(-1, ioctl(self->q.fd, IOEVQ_IOC_CONTROL, &bad));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_TRUE(is_untouched(self));
}

/* It is about what is submitted to it: who may post to it still does. */
TEST_F(restricted, law_13_it_can_be_posted_to)
{
	struct ioevq_req req;

	ASSERT_EQ(0, ioevq_restrict(&self->q, 0));
	ioevq_prep_post(&req, self->q.fd, 1, 2, TRY);
	ASSERT_EQ(0, submit(&self->to, &req));
	EXPECT_NEXT(&self->q, IOEVQ_OP_POST, TRY, 1);
}

TEST_HARNESS_MAIN

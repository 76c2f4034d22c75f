// SPDX-License-Identifier: GPL-2.0-only
/* Requests of io_submit(2), whose eventfd a queue watches. */
#include <sys/timerfd.h>

#include "store.h"
#include "ticks.h"

#define N	100

FIXTURE(native)
{
	struct ioevq q;
	struct store s;
	aio_context_t ctx;
	int eventfd;
	char *buf;
};

FIXTURE_SETUP(native)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 8, 0));
	ASSERT_EQ(0, store_make(&self->s, STORE_RAM, O_DIRECT));
	self->buf = pages(4096);
	self->ctx = 0;
	ASSERT_EQ(0, syscall(SYS_io_setup, N, &self->ctx));
	self->eventfd = eventfd(0, EFD_CLOEXEC);
	ASSERT_EQ(0, watch(&self->q, self->eventfd, POLLIN, IOEVQ_POLL_EDGE, 1));
}

FIXTURE_TEARDOWN(native)
{
	close(self->eventfd);
	syscall(SYS_io_destroy, self->ctx);
	store_end(&self->s);
	ioevq_close(&self->q);
}

static void prep(struct _test_data_native *self, struct iocb *cb, unsigned int i)
{
	*cb = (struct iocb){
		.aio_data = 1000 + i,
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = self->s.fd,
		.aio_buf = (uintptr_t)self->buf,
		.aio_nbytes = 4096,
		.aio_offset = 4096 * i,
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = self->eventfd,
	};
}

TEST_F(native, law_01_each_completion_once)
{
	struct ioevq_event ev, events[N];
	struct iocb cb[N], *list[N];
	bool seen[N] = {};
	unsigned int i, n = 0;
	int ret;

	for (i = 0; i < N; i++) {
		prep(self, &cb[i], i);
		list[i] = &cb[i];
	}
	ASSERT_EQ(N, syscall(SYS_io_submit, self->ctx, N, list));
	while (n < N) {
		ASSERT_EQ(1, next_event(&self->q, &ev));
		ASSERT_EQ(1, ev.user_data);
		/* More at once than the kernel is asked for at once, and then the rest. */
		do {
			ret = ioevq_take_native_aio(self->ctx, events, 70);
			ASSERT_LE(0, ret);
			for (i = 0; i < (unsigned int)ret; i++, n++) {
				unsigned int k = events[i].user_data - 1000;

				ASSERT_GT(N, k);
				EXPECT_FALSE(seen[k]);
				seen[k] = true;
				EXPECT_EQ(4096, events[i].res);
				EXPECT_EQ(IOEVQ_OP_POST, events[i].op);
				EXPECT_EQ((uintptr_t)&cb[k], events[i].data);
			}
		} while (ret == 70);
	}
	EXPECT_EQ(0, ioevq_take_native_aio(self->ctx, events, N));
}

TEST_F(native, law_14_no_such_context)
{
	struct ioevq_event ev;
	struct iocb cb, *list = &cb;

	EXPECT_EQ(-EINVAL, ioevq_take_native_aio(0, &ev, 1));
	/* Its failure is a result like any other. */
	prep(self, &cb, 0);
	cb.aio_nbytes = 1;
	ASSERT_EQ(1, syscall(SYS_io_submit, self->ctx, 1, &list));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	ASSERT_EQ(1, ioevq_take_native_aio(self->ctx, &ev, 1));
	EXPECT_EQ(-EINVAL, ev.res);
	EXPECT_EQ(1000, ev.user_data);
}

/* There is nothing, whatever else comes. */
TEST_F(native, signals_are_no_errors)
{
	struct ioevq_event ev;
	int ret;

	ASSERT_EQ(0, tick(500));
	do {
		ret = ioevq_take_native_aio(self->ctx, &ev, 1);
	} while (!ret && ticked() < 200);
	EXPECT_EQ(0, ret);
	ASSERT_EQ(0, tick(0));
}

/*
 * An exclusive watch leaves that owes another a look: who believes what a wake-up says, as
 * IOCB_CMD_POLL does, is told nothing that is not so.
 */
TEST_F(native, law_05_others_are_told_no_untruth)
{
	struct itimerspec soon = { .it_value.tv_nsec = 1 };
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	struct pollfd p = { .fd = timer, .events = POLLIN };
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = timer, .aio_buf = POLLIN,
	}, *list = &cb;
	struct io_event done;
	struct ioevq q;
	uint64_t n;

	ASSERT_EQ(0, ioevq_open(&q, 8, 0));
	ASSERT_EQ(0, watch(&q, timer, POLLIN, IOEVQ_POLL_EDGE | IOEVQ_POLL_EXCLUSIVE, 7));
	ASSERT_EQ(0, timerfd_settime(timer, 0, &soon, NULL));
	ASSERT_EQ(1, poll(&p, 1, BOUND_NS / 1000000));
	ASSERT_EQ(8, read(timer, &n, sizeof(n)));
	ASSERT_EQ(1, syscall(SYS_io_submit, self->ctx, 1, &list));
	ioevq_close(&q);
	ASSERT_EQ(0, timerfd_settime(timer, 0, &soon, NULL));
	ASSERT_EQ(1, syscall(SYS_io_getevents, self->ctx, 1, 1, &done, NULL));
	EXPECT_EQ(POLLIN, done.res);
	close(timer);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/* Waiting for asynchronous I/O, order, and its cancellation. */
#include "aio_posix.h"

static int handled;

static void handler(int signo)
{
	__atomic_store_n(&handled, signo, __ATOMIC_RELEASE);
}

static void handle(int signo, int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	sigaction(signo, &action, NULL);
}

/* A thread in aio_suspend(3): what that returned, or its errno. */
struct waiter {
	const struct aio_calls *a;
	struct aiocb *cb;
	int ret;
	bool done;
	pid_t tid;
	pthread_t thread;
};

static void *waiter_body(void *arg)
{
	struct waiter *w = arg;
	const struct aiocb *list[] = { w->cb };

	__atomic_store_n(&w->tid, gettid(), __ATOMIC_RELEASE);
	w->ret = w->a->suspend(list, 1, NULL) ? errno : 0;
	__atomic_store_n(&w->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static int wait_in_thread(struct waiter *w, const struct aio_calls *a, struct aiocb *cb)
{
	*w = (struct waiter){ .a = a, .cb = cb };
	return !pthread_create(&w->thread, NULL, waiter_body, w) &&
	       eventually(__atomic_load_n(&w->tid, __ATOMIC_ACQUIRE)) &&
	       eventually(is_asleep(w->tid));
}

static int joined(struct waiter *w)
{
	pthread_join(w->thread, NULL);
	return w->ret;
}

TEST_F(aio, suspend_ends_by_time)
{
	struct aiocb cb = slow_block(&self->slow, 0);
	const struct aiocb *list[] = { NULL, &cb };
	struct timespec none = {}, some = { .tv_nsec = 20000000 }, bad = { .tv_nsec = -1 };
	long long start = now_ns();

	ASSERT_EQ(0, self->a->read(&cb));
	EXPECT_EQ(-1, self->a->suspend(list, 2, &none));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(-1, self->a->suspend(list, 2, &some));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_LE(20000000, now_ns() - start);
	EXPECT_EQ(-1, self->a->suspend(list, -1, &none));
	EXPECT_EQ(EINVAL, errno);
	if (self->a->is_facade) {
		EXPECT_EQ(-1, self->a->suspend(list, 2, &bad));
		EXPECT_EQ(EINVAL, errno);
	}
	ASSERT_EQ(0, slow_finish(&self->slow, 0));
	EXPECT_EQ(0, self->a->suspend(list, 2, NULL));
	EXPECT_EQ(0, self->a->error(&cb));
	/* It has ended already, or there is nothing to wait for. */
	EXPECT_EQ(0, self->a->suspend(list, 2, &none));
	EXPECT_EQ(0, self->a->suspend(list, 1, &none));
	EXPECT_EQ(0, self->a->suspend(list, 0, NULL));
}

TEST_F(aio, suspend_ends_with_one_of_several)
{
	struct aiocb a = slow_block(&self->slow, 0), b = slow_block(&self->slow, 1);
	const struct aiocb *list[] = { &a, NULL, &b };

	/* Other descriptors: one of the C library's is a row. */
	b.aio_fildes = dup(b.aio_fildes);
	ASSERT_EQ(0, self->a->read(&a));
	ASSERT_EQ(0, self->a->read(&b));
	ASSERT_EQ(0, slow_finish(&self->slow, 1));
	EXPECT_EQ(0, self->a->suspend(list, 3, NULL));
	EXPECT_EQ(0, self->a->error(&b));
	EXPECT_EQ(EINPROGRESS, self->a->error(&a));
	ASSERT_EQ(0, slow_finish(&self->slow, 0));
	EXPECT_DONE(&a, SLOW_PAGE);
}

/* Whoever of them takes the events, each is woken by its own. */
TEST_F(aio, threads_wait_for_one_each)
{
	struct aiocb cb[4];
	struct waiter w[4];
	int i;

	for (i = 0; i < 4; i++) {
		cb[i] = slow_block(&self->slow, i);
		cb[i].aio_fildes = dup(cb[i].aio_fildes);
		ASSERT_EQ(0, self->a->read(&cb[i]));
		ASSERT_TRUE(wait_in_thread(&w[i], self->a, &cb[i]));
	}
	for (i = 3; i >= 0; i--) {
		ASSERT_EQ(0, slow_finish(&self->slow, i));
		EXPECT_EQ(0, joined(&w[i]));
		EXPECT_DONE(&cb[i], SLOW_PAGE);
		if (i)
			EXPECT_FALSE(__atomic_load_n(&w[0].done, __ATOMIC_ACQUIRE));
	}
}

/* One polls, and takes what another one sleeps for. */
TEST_F(aio, a_thread_waits_and_another_polls)
{
	struct aiocb a = slow_block(&self->slow, 0), b = slow_block(&self->slow, 1);
	struct waiter w;

	b.aio_fildes = dup(b.aio_fildes);
	ASSERT_EQ(0, self->a->read(&a));
	ASSERT_EQ(0, self->a->read(&b));
	ASSERT_TRUE(wait_in_thread(&w, self->a, &a));
	ASSERT_EQ(0, slow_finish(&self->slow, 1));
	EXPECT_TRUE(eventually(self->a->error(&b) != EINPROGRESS));
	EXPECT_FALSE(__atomic_load_n(&w.done, __ATOMIC_ACQUIRE));
	ASSERT_EQ(0, slow_finish(&self->slow, 0));
	EXPECT_TRUE(eventually(self->a->error(&a) != EINPROGRESS));
	EXPECT_EQ(0, joined(&w));
}

TEST_F(aio, suspend_is_interrupted)
{
	struct aiocb cb = slow_block(&self->slow, 0);
	struct waiter w;

	handle(SIGUSR1, 0);
	ASSERT_EQ(0, self->a->read(&cb));
	ASSERT_TRUE(wait_in_thread(&w, self->a, &cb));
	ASSERT_EQ(0, pthread_kill(w.thread, SIGUSR1));
	EXPECT_EQ(EINTR, joined(&w));
	EXPECT_EQ(SIGUSR1, handled);
	EXPECT_EQ(EINPROGRESS, self->a->error(&cb));
	ASSERT_EQ(0, slow_finish(&self->slow, 0));
	EXPECT_DONE(&cb, SLOW_PAGE);
}

TEST_F(aio, suspend_goes_on_after_a_handler_that_says_so)
{
	struct aiocb cb = slow_block(&self->slow, 0);
	struct waiter w;

	handle(SIGUSR1, SA_RESTART);
	ASSERT_EQ(0, self->a->read(&cb));
	ASSERT_TRUE(wait_in_thread(&w, self->a, &cb));
	ASSERT_EQ(0, pthread_kill(w.thread, SIGUSR1));
	EXPECT_TRUE(eventually(__atomic_load_n(&handled, __ATOMIC_ACQUIRE)));
	EXPECT_TRUE(eventually(is_asleep(w.tid)));
	EXPECT_FALSE(__atomic_load_n(&w.done, __ATOMIC_ACQUIRE));
	ASSERT_EQ(0, slow_finish(&self->slow, 0));
	EXPECT_EQ(0, joined(&w));
}

static const struct aio_calls *calls;
static struct aiocb *awaited;

static void wait_in_handler(int signo)
{
	const struct aiocb *list[] = { awaited };

	if (!calls->suspend(list, 1, NULL))
		handler(signo);
}

/* It waits within its wait, and others are woken all the same. */
TEST_F(aio, a_handler_waits_too)
{
	struct sigaction action = { .sa_handler = wait_in_handler, .sa_flags = SA_RESTART };
	struct waiter w, other;
	struct aiocb cb[3];
	int i;

	/* The C library's is not written for that. */
	if (!self->a->is_facade)
		return;
	calls = self->a;
	for (i = 0; i < 3; i++) {
		cb[i] = slow_block(&self->slow, i);
		ASSERT_EQ(0, self->a->read(&cb[i]));
	}
	awaited = &cb[1];
	sigaction(SIGUSR1, &action, NULL);
	ASSERT_TRUE(wait_in_thread(&w, self->a, &cb[0]));
	ASSERT_TRUE(wait_in_thread(&other, self->a, &cb[2]));
	ASSERT_EQ(0, pthread_kill(w.thread, SIGUSR1));
	ASSERT_EQ(0, slow_finish(&self->slow, 2));
	EXPECT_EQ(0, joined(&other));
	EXPECT_EQ(0, handled);
	ASSERT_EQ(0, slow_finish(&self->slow, 1));
	EXPECT_TRUE(eventually(__atomic_load_n(&handled, __ATOMIC_ACQUIRE)));
	EXPECT_FALSE(__atomic_load_n(&w.done, __ATOMIC_ACQUIRE));
	ASSERT_EQ(0, slow_finish(&self->slow, 0));
	EXPECT_EQ(0, joined(&w));
}

/* A thread that is cancelled leaves nothing that others wait for. */
TEST_F(aio, suspend_is_a_point_of_cancellation)
{
	struct aiocb a = slow_block(&self->slow, 0), b = slow_block(&self->slow, 1);
	struct waiter w, other;
	void *ret;

	b.aio_fildes = dup(b.aio_fildes);
	ASSERT_EQ(0, self->a->read(&a));
	ASSERT_EQ(0, self->a->read(&b));
	ASSERT_TRUE(wait_in_thread(&w, self->a, &a));
	ASSERT_TRUE(wait_in_thread(&other, self->a, &b));
	ASSERT_EQ(0, pthread_cancel(w.thread));
	ASSERT_EQ(0, pthread_join(w.thread, &ret));
	EXPECT_EQ(PTHREAD_CANCELED, ret);
	ASSERT_EQ(0, slow_finish(&self->slow, 1));
	EXPECT_EQ(0, joined(&other));
	ASSERT_EQ(0, slow_finish(&self->slow, 0));
	EXPECT_DONE(&a, SLOW_PAGE);
}

TEST_F(aio, fsync_comes_after_what_was_written_before)
{
	struct aiocb w = slow_block(&self->slow, 0), s = block(self->slow.file, NULL, 0, 0);
	struct aiocb other = block(self->fd, "x", 1, 0);

	ASSERT_EQ(0, self->a->write(&w));
	ASSERT_EQ(0, slow_started(&self->slow));
	ASSERT_EQ(0, self->a->fsync(O_SYNC, &s));
	/* Of another file: that is not waited for. */
	ASSERT_EQ(0, self->a->write(&other));
	EXPECT_DONE(&other, 1);
	ASSERT_EQ(0, self->a->fsync(O_SYNC, &other));
	EXPECT_DONE(&other, 0);
	EXPECT_EQ(EINPROGRESS, self->a->error(&s));
	ASSERT_EQ(0, slow_finish(&self->slow, 0));
	EXPECT_EQ(0, ended(self->a, &s));
	EXPECT_EQ(0, self->a->error(&w));
	EXPECT_EQ(0, self->a->ret(&s));
	EXPECT_EQ(SLOW_PAGE, self->a->ret(&w));
}

TEST_F(aio, fsync_comes_after_what_was_written_by_another_descriptor)
{
	struct aiocb w = slow_block(&self->slow, 0), s = block(dup(self->slow.file), NULL, 0, 0);
	struct aiocb other = block(self->fd, "x", 1, 0);

	if (!self->a->is_facade)
		return;
	ASSERT_EQ(0, self->a->write(&w));
	ASSERT_EQ(0, slow_started(&self->slow));
	ASSERT_EQ(0, self->a->fsync(O_SYNC, &s));
	ASSERT_EQ(0, self->a->write(&other));
	EXPECT_DONE(&other, 1);
	EXPECT_EQ(EINPROGRESS, self->a->error(&s));
	ASSERT_EQ(0, slow_finish(&self->slow, 0));
	EXPECT_EQ(0, ended(self->a, &s));
	EXPECT_EQ(0, self->a->error(&w));
}

/* One that has begun is not, one that waits for it is. */
TEST_F(aio, cancel_what_has_not_begun)
{
	struct aiocb w = slow_block(&self->slow, 0), s = block(self->slow.file, NULL, 0, 0);

	EXPECT_EQ(AIO_ALLDONE, self->a->cancel(self->slow.file, NULL));
	ASSERT_EQ(0, self->a->write(&w));
	ASSERT_EQ(0, slow_started(&self->slow));
	ASSERT_EQ(0, self->a->fsync(O_SYNC, &s));
	EXPECT_EQ(AIO_NOTCANCELED, self->a->cancel(self->slow.file, &w));
	EXPECT_EQ(EINPROGRESS, self->a->error(&s));
	EXPECT_EQ(AIO_CANCELED, self->a->cancel(self->slow.file, &s));
	EXPECT_EQ(ECANCELED, self->a->error(&s));
	EXPECT_EQ(-1, self->a->ret(&s));
	EXPECT_EQ(EINPROGRESS, self->a->error(&w));
	ASSERT_EQ(0, slow_finish(&self->slow, 0));
	EXPECT_DONE(&w, SLOW_PAGE);
	EXPECT_EQ(AIO_ALLDONE, self->a->cancel(self->slow.file, NULL));
}

TEST_F(aio, cancel_all_of_a_descriptor)
{
	struct aiocb w = slow_block(&self->slow, 0), append[4], other = w;
	int i;

	ASSERT_EQ(0, fcntl(self->slow.file, F_SETFL, O_APPEND));
	ASSERT_EQ(0, self->a->write(&w));
	ASSERT_EQ(0, slow_started(&self->slow));
	for (i = 0; i < 4; i++) {
		append[i] = block(self->slow.file, self->buf, 1, 0);
		ASSERT_EQ(0, self->a->write(&append[i]));
	}
	other = block(self->fd, self->buf, 1, 0);
	ASSERT_EQ(0, self->a->write(&other));
	EXPECT_EQ(AIO_NOTCANCELED, self->a->cancel(self->slow.file, NULL));
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(ECANCELED, self->a->error(&append[i]));
		EXPECT_EQ(-1, self->a->ret(&append[i]));
	}
	EXPECT_DONE(&other, 1);
	ASSERT_EQ(0, slow_finish(&self->slow, 0));
	EXPECT_DONE(&w, SLOW_PAGE);
}

TEST_F(aio, cancel_and_its_errors)
{
	struct aiocb cb = block(self->fd, self->buf, 1, 0);

	EXPECT_EQ(-1, self->a->cancel(-1, NULL));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, self->a->cancel(1000000, NULL));
	EXPECT_EQ(EBADF, errno);
	ASSERT_EQ(0, self->a->write(&cb));
	EXPECT_DONE(&cb, 1);
	EXPECT_EQ(-1, self->a->cancel(self->pipe[0], &cb));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(AIO_ALLDONE, self->a->cancel(self->fd, &cb));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/* Who is told of the end of asynchronous I/O, and how, and what handlers may ask. */
#include "aio_posix.h"

static const struct aio_calls *calls;
static int signals, wrong;

TEST_F(aio, a_signal_is_queued_with_its_value)
{
	struct aiocb cb = block(self->fd, self->buf, 5, 0);
	siginfo_t info;

	block_signal(SIGRTMIN + 1);
	notify_by_signal(&cb.aio_sigevent, SIGRTMIN + 1, 4711);
	ASSERT_EQ(0, self->a->write(&cb));
	EXPECT_EQ(4711, next_signal(SIGRTMIN + 1, &info));
	EXPECT_EQ(SI_ASYNCIO, info.si_code);
	EXPECT_EQ(getpid(), info.si_pid);
	EXPECT_EQ(getuid(), info.si_uid);
	EXPECT_EQ(0, self->a->error(&cb));
	EXPECT_EQ(5, self->a->ret(&cb));
}

/* As many as there are, and nobody calls for anything meanwhile. */
TEST_F(aio, a_signal_for_each)
{
	enum { N = 50 };
	struct aiocb cb[N];
	int seen[N] = {}, i, value;
	siginfo_t info;

	block_signal(SIGRTMIN + 1);
	for (i = 0; i < N; i++) {
		cb[i] = block(self->fd, self->buf, 1, i);
		notify_by_signal(&cb[i].aio_sigevent, SIGRTMIN + 1, i);
		ASSERT_EQ(0, self->a->write(&cb[i]));
	}
	for (i = 0; i < N; i++) {
		value = next_signal(SIGRTMIN + 1, &info);
		ASSERT_LE(0, value);
		seen[value]++;
		EXPECT_EQ(1, self->a->ret(&cb[value]));
	}
	for (i = 0; i < N; i++)
		EXPECT_EQ(1, seen[i]);
}

/* Each thread has to agree to that, the one that waits for the end, too. */
TEST_F(aio, identity_changes_meanwhile)
{
	siginfo_t info;
	struct aiocb r;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	block_signal(SIGRTMIN + 1);
	r = block(fds[0], self->buf, 1, 0);
	notify_by_signal(&r.aio_sigevent, SIGRTMIN + 1, 5);
	ASSERT_EQ(0, self->a->read(&r));
	EXPECT_EQ(0, setegid(getegid()));
	ASSERT_EQ(1, write(fds[1], "x", 1));
	EXPECT_EQ(5, next_signal(SIGRTMIN + 1, &info));
	EXPECT_EQ(1, self->a->ret(&r));
	close(fds[0]);
	close(fds[1]);
}

TEST_F(aio, of_what_is_cancelled_a_signal_tells)
{
	struct aiocb w = slow_block(&self->slow, 0), s = block(self->slow.file, NULL, 0, 0);
	siginfo_t info;

	block_signal(SIGRTMIN + 1);
	notify_by_signal(&s.aio_sigevent, SIGRTMIN + 1, 9);
	ASSERT_EQ(0, self->a->write(&w));
	ASSERT_EQ(0, slow_started(&self->slow));
	ASSERT_EQ(0, self->a->fsync(O_SYNC, &s));
	EXPECT_EQ(AIO_CANCELED, self->a->cancel(self->slow.file, &s));
	EXPECT_EQ(9, next_signal(SIGRTMIN + 1, &info));
	EXPECT_EQ(ECANCELED, self->a->error(&s));
	ASSERT_EQ(0, slow_finish(&self->slow, 0));
	EXPECT_DONE(&w, SLOW_PAGE);
}

TEST_F(aio, a_list_and_each_of_it_tell_by_signals)
{
	struct aiocb a = block(self->fd, self->buf, 1, 0), b = slow_block(&self->slow, 0);
	struct aiocb *list[] = { &a, &b };
	struct sigevent ev = {};
	siginfo_t info;

	block_signal(SIGRTMIN + 1);
	block_signal(SIGRTMIN + 2);
	a.aio_lio_opcode = LIO_WRITE;
	b.aio_lio_opcode = LIO_READ;
	notify_by_signal(&a.aio_sigevent, SIGRTMIN + 1, 1);
	notify_by_signal(&b.aio_sigevent, SIGRTMIN + 1, 2);
	notify_by_signal(&ev, SIGRTMIN + 2, 3);
	ASSERT_EQ(0, self->a->listio(LIO_NOWAIT, list, 2, &ev));
	EXPECT_EQ(1, next_signal(SIGRTMIN + 1, &info));
	ASSERT_EQ(0, slow_finish(&self->slow, 0));
	EXPECT_EQ(3, next_signal(SIGRTMIN + 2, &info));
	EXPECT_EQ(2, next_signal(SIGRTMIN + 1, &info));
	EXPECT_EQ(SI_ASYNCIO, info.si_code);
	EXPECT_EQ(1, self->a->ret(&a));
	EXPECT_EQ(SLOW_PAGE, self->a->ret(&b));
	/* Of nothing: at once. */
	ASSERT_EQ(0, self->a->listio(LIO_NOWAIT, list, 0, &ev));
	EXPECT_EQ(3, next_signal(SIGRTMIN + 2, &info));
}

static void in_handler(int signo, siginfo_t *info, void *context)
{
	struct aiocb *cb = info->si_value.sival_ptr;
	const struct aiocb *list[] = { cb };

	if (signo != SIGRTMIN + 1 || !context || info->si_code != SI_ASYNCIO || calls->error(cb) ||
	    calls->suspend(list, 1, NULL) || calls->ret(cb) != 1)
		__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&signals, 1, __ATOMIC_RELEASE);
}

/* Handlers that call whatever they may, upon whatever the program calls. */
TEST_F(aio, handlers_ask_for_the_status)
{
	struct sigaction action = {
		.sa_sigaction = in_handler, .sa_flags = SA_SIGINFO | SA_RESTART,
	};
	enum { N = 500 };
	struct aiocb *cb = calloc(N, sizeof(*cb)), other;
	int i;

	/* The C library's is not written for that. */
	if (!self->a->is_facade)
		return;
	calls = self->a;
	sigaction(SIGRTMIN + 1, &action, NULL);
	for (i = 0; i < N; i++) {
		cb[i] = block(self->fd, self->buf, 1, i);
		cb[i].aio_sigevent.sigev_notify = SIGEV_SIGNAL;
		cb[i].aio_sigevent.sigev_signo = SIGRTMIN + 1;
		cb[i].aio_sigevent.sigev_value.sival_ptr = &cb[i];
		ASSERT_EQ(0, self->a->write(&cb[i]));
		other = block(self->fd, self->buf, 1, i);
		ASSERT_EQ(0, self->a->write(&other));
		EXPECT_DONE(&other, 1);
	}
	EXPECT_TRUE(eventually(__atomic_load_n(&signals, __ATOMIC_ACQUIRE) == N));
	EXPECT_EQ(0, wrong);
}

static pthread_t called_in;
static int called_with;
static size_t called_stack;
static bool called_blocked;

static void called(union sigval value)
{
	pthread_attr_t attr;
	sigset_t set;

	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstacksize(&attr, &called_stack);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	called_blocked = sigismember(&set, SIGUSR1);
	called_in = pthread_self();
	__atomic_store_n(&called_with, value.sival_int, __ATOMIC_RELEASE);
}

TEST_F(aio, a_function_is_called_in_a_thread)
{
	struct aiocb cb = block(self->fd, self->buf, 1, 0);
	pthread_attr_t attr;

	cb.aio_sigevent.sigev_notify = SIGEV_THREAD;
	cb.aio_sigevent.sigev_notify_function = called;
	cb.aio_sigevent.sigev_value.sival_int = 5;
	ASSERT_EQ(0, self->a->write(&cb));
	EXPECT_TRUE(eventually(__atomic_load_n(&called_with, __ATOMIC_ACQUIRE) == 5));
	EXPECT_FALSE(pthread_equal(pthread_self(), called_in));
	EXPECT_FALSE(called_blocked);
	EXPECT_EQ(0, self->a->error(&cb));
	EXPECT_EQ(1, self->a->ret(&cb));

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 12 * 65536);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	cb.aio_sigevent.sigev_notify_attributes = &attr;
	cb.aio_sigevent.sigev_value.sival_int = 6;
	ASSERT_EQ(0, self->a->write(&cb));
	EXPECT_TRUE(eventually(__atomic_load_n(&called_with, __ATOMIC_ACQUIRE) == 6));
	EXPECT_EQ(12 * 65536, called_stack);
	EXPECT_EQ(1, self->a->ret(&cb));
}

/* What ends within the call: nothing else comes that would wake somebody for it. */
TEST_F(aio, a_function_is_called_at_once)
{
	struct aiocb cb = block(open("/dev/zero", O_RDONLY), self->buf, 1, 0);
	struct sigevent ev = {
		.sigev_notify = SIGEV_THREAD, .sigev_notify_function = called,
	};
	int i;

	for (i = 1; i < 20; i += 2) {
		ev.sigev_value.sival_int = i;
		ASSERT_EQ(0, self->a->listio(LIO_NOWAIT, NULL, 0, &ev));
		EXPECT_TRUE(eventually(__atomic_load_n(&called_with, __ATOMIC_ACQUIRE) == i));
		cb.aio_sigevent = ev;
		cb.aio_sigevent.sigev_value.sival_int = i + 1;
		ASSERT_EQ(0, self->a->read(&cb));
		EXPECT_TRUE(eventually(__atomic_load_n(&called_with, __ATOMIC_ACQUIRE) == i + 1));
		EXPECT_DONE(&cb, 1);
	}
	close(cb.aio_fildes);
}

TEST_F(aio, a_queue_gets_an_event)
{
	struct aiocb cb = block(self->fd, self->buf, 5, 0), bad = block(-1, NULL, 0, 0);
	struct aiocb *list[] = { &cb, &bad };
	struct sigevent ev = {};
	struct ioevq_event event;
	struct ioevq q;

	if (!self->a->is_facade)
		return;
	ASSERT_EQ(0, ioevq_open(&q, 0, 0));
	ioevq_aio_notify(&cb.aio_sigevent, q.fd, ~0ULL);
	ASSERT_EQ(0, self->a->write(&cb));
	ASSERT_EQ(1, next_event(&q, &event));
	EXPECT_EQ(IOEVQ_OP_POST, event.op);
	EXPECT_EQ(~0ULL, event.user_data);
	EXPECT_EQ(5, event.res);
	EXPECT_EQ((uintptr_t)&cb, event.data);
	EXPECT_EQ(0, self->a->error(&cb));
	EXPECT_EQ(5, self->a->ret(&cb));

	cb.aio_lio_opcode = LIO_WRITE;
	cb.aio_sigevent.sigev_notify = SIGEV_NONE;
	bad.aio_lio_opcode = LIO_READ;
	ioevq_aio_notify(&bad.aio_sigevent, q.fd, 1);
	ioevq_aio_notify(&ev, q.fd, 2);
	ASSERT_EQ(0, self->a->listio(LIO_NOWAIT, list, 2, &ev));
	ASSERT_EQ(1, next_event(&q, &event));
	EXPECT_EQ(1, event.user_data);
	EXPECT_EQ(-EBADF, event.res);
	ASSERT_EQ(1, next_event(&q, &event));
	EXPECT_EQ(2, event.user_data);
	EXPECT_EQ(-EIO, event.res);
	EXPECT_EQ(0, event.data);
	EXPECT_EQ(5, self->a->ret(&cb));
	ioevq_close(&q);
}

/* Where it has no room: the event comes when there is. */
TEST_F(aio, a_queue_that_is_full_gets_its_event_later)
{
	struct aiocb cb = block(self->fd, self->buf, 5, 0);
	long was = get_param("max_requests");
	struct ioevq_event event;
	struct ioevq q;
	int n = 0;

	if (!self->a->is_facade)
		return;
	ASSERT_EQ(0, set_param("max_requests", 64));
	ASSERT_EQ(0, ioevq_open(&q, 16, 0));
	while (!ioevq_post(&q, MARK, 0, 0))
		n++;
	ioevq_aio_notify(&cb.aio_sigevent, q.fd, 7);
	EXPECT_EQ(0, self->a->write(&cb));
	EXPECT_DONE(&cb, 5);
	for (; n; n--) {
		ASSERT_EQ(1, next_event(&q, &event));
		EXPECT_EQ(MARK, event.user_data);
	}
	EXPECT_EQ(1, next_event(&q, &event));
	EXPECT_EQ(7, event.user_data);
	EXPECT_EQ(5, event.res);
	EXPECT_EQ(0, set_param("max_requests", was));
	ioevq_close(&q);
}

TEST_F(aio, without_notification_there_is_no_thread)
{
	struct aiocb cb = slow_block(&self->slow, 0);
	int before = threads();
	siginfo_t info;

	if (!self->a->is_facade)
		return;
	ASSERT_EQ(0, self->a->read(&cb));
	EXPECT_EQ(EINPROGRESS, self->a->error(&cb));
	EXPECT_EQ(before, threads());
	ASSERT_EQ(0, slow_finish(&self->slow, 0));
	EXPECT_DONE(&cb, SLOW_PAGE);
	EXPECT_EQ(before, threads());
	/* With one, there is one; and then none again. */
	block_signal(SIGRTMIN + 1);
	notify_by_signal(&cb.aio_sigevent, SIGRTMIN + 1, 1);
	ASSERT_EQ(0, self->a->read(&cb));
	EXPECT_EQ(before + 1, threads());
	EXPECT_EQ(1, next_signal(SIGRTMIN + 1, &info));
	EXPECT_DONE(&cb, SLOW_PAGE);
	EXPECT_TRUE(eventually(threads() == before));
	ASSERT_EQ(0, self->a->read(&cb));
	EXPECT_EQ(1, next_signal(SIGRTMIN + 1, &info));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/* How long epoll sleeps, and who is woken; on the kernel's and on a queue. */
#include <limits.h>

#include "epoll_test.h"

/* Long enough to be told from none, whatever the machine. */
#define SHORT_NS	20000000LL

/* A thread in epoll_wait(), or in poll() of a set. */
struct waiter {
	const struct epoll_calls *e;
	int ep;
	bool polls;
	struct epoll_event ev;
	int ret;
	pid_t tid;
	int done;
	pthread_t thread;
};

static void *waiter_body(void *arg)
{
	struct waiter *w = arg;
	struct pollfd pfd = { .fd = w->ep, .events = POLLIN };

	__atomic_store_n(&w->tid, gettid(), __ATOMIC_RELEASE);
	if (!w->polls)
		w->ret = w->e->wait(w->ep, &w->ev, 1, BOUND_MS);
	/* Who is told while the watch is being changed may come too early, and polls again. */
	while (w->polls && !w->ret && poll(&pfd, 1, BOUND_MS) == 1)
		w->ret = take_of(w->e, w->ep, &w->ev, 1);
	__atomic_store_n(&w->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static int is_done(struct waiter *w)
{
	return __atomic_load_n(&w->done, __ATOMIC_ACQUIRE);
}

/* Start it, and return when it sleeps: 1 or 0. */
static int start(struct waiter *w, const struct epoll_calls *e, int ep, bool polls)
{
	*w = (struct waiter){ .e = e, .ep = ep, .polls = polls };
	return !pthread_create(&w->thread, NULL, waiter_body, w) &&
	       eventually(__atomic_load_n(&w->tid, __ATOMIC_ACQUIRE)) &&
	       eventually(is_asleep(w->tid));
}

/* What its wait returned: 0 if it was not told within the bound. */
static int finish(struct waiter *w)
{
	return pthread_join(w->thread, NULL) ? -ESRCH : w->ret;
}

TEST_F(epoll, a_sleeper_is_woken_in_every_mode)
{
	static const uint32_t modes[] = { 0, EPOLLET, EPOLLONESHOT, EPOLLEXCLUSIVE };
	struct waiter w;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, ADD(self->fd, EPOLLIN | modes[i], i));
		ASSERT_TRUE(start(&w, self->e, self->ep, false));
		ASSERT_EQ(0, raise_fd(self->fd));
		EXPECT_EQ(1, finish(&w));
		EXPECT_EQ(i, w.ev.data.u64);
		ASSERT_EQ(0, drain_fd(self->fd));
		ASSERT_EQ(0, DEL(self->fd));
	}
}

TEST_F(epoll, a_sleeper_is_woken_by_add_and_mod)
{
	struct waiter w;

	ASSERT_EQ(0, raise_fd(self->fd));
	ASSERT_TRUE(start(&w, self->e, self->ep, false));
	ASSERT_EQ(0, ADD(self->fd, EPOLLIN | EPOLLET, 1));
	EXPECT_EQ(1, finish(&w));
	ASSERT_TRUE(start(&w, self->e, self->ep, false));
	ASSERT_EQ(0, MOD(self->fd, EPOLLIN | EPOLLONESHOT, 2));
	EXPECT_EQ(1, finish(&w));
	EXPECT_EQ(2, w.ev.data.u64);
	ASSERT_TRUE(start(&w, self->e, self->ep, true));
	ASSERT_EQ(0, MOD(self->fd, EPOLLIN, 3));
	EXPECT_EQ(1, finish(&w));
	EXPECT_EQ(3, w.ev.data.u64);
}

/* What comes for nothing does not end a wait: an end of a watch is silent. */
TEST_F(epoll, a_sleeper_sleeps_through_what_is_not_for_it)
{
	struct waiter w;
	int other = eventfd(0, 0);

	ASSERT_EQ(0, ADD(self->fd, EPOLLIN, 1));
	ASSERT_EQ(0, ADD(other, EPOLLIN, 2));
	ASSERT_TRUE(start(&w, self->e, self->ep, false));
	ASSERT_EQ(0, DEL(self->fd));
	close(other);
	ASSERT_EQ(0, ADD(self->pair[0], EPOLLIN, 3));
	ASSERT_EQ(0, MOD(self->pair[0], EPOLLIN | EPOLLET, 4));
	ASSERT_TRUE(eventually(is_asleep(w.tid)));
	EXPECT_FALSE(is_done(&w));
	ASSERT_EQ(1, write(self->pair[1], "x", 1));
	EXPECT_EQ(1, finish(&w));
	EXPECT_EQ(4, w.ev.data.u64);
}

TEST_F(epoll, by_level_all_sleepers_are_told)
{
	struct waiter w[4];
	int i;

	ASSERT_EQ(0, ADD(self->fd, EPOLLIN, 1));
	for (i = 0; i < 4; i++)
		ASSERT_TRUE(start(&w[i], self->e, self->ep, i == 3));
	ASSERT_EQ(0, raise_fd(self->fd));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(1, finish(&w[i]));
}

TEST_F(epoll, by_edge_one_sleeper_is_told)
{
	struct waiter w[2];
	int i;

	ASSERT_EQ(0, ADD(self->fd, EPOLLIN | EPOLLET, 1));
	for (i = 0; i < 2; i++)
		ASSERT_TRUE(start(&w[i], self->e, self->ep, false));
	ASSERT_EQ(0, raise_fd(self->fd));
	ASSERT_TRUE(eventually(is_done(&w[0]) || is_done(&w[1])));
	i = is_done(&w[0]);
	ASSERT_TRUE(eventually(is_asleep(w[i].tid)));
	EXPECT_FALSE(is_done(&w[i]));
	EXPECT_NONE();
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_EQ(1, finish(&w[0]));
	EXPECT_EQ(1, finish(&w[1]));
}

/* Each takes its own: two events, two sleepers. */
TEST_F(epoll, two_files_wake_two_sleepers)
{
	struct waiter w[2];
	int i;

	ASSERT_EQ(0, ADD(self->fd, EPOLLIN | EPOLLONESHOT, 1));
	ASSERT_EQ(0, ADD(self->pair[0], EPOLLIN | EPOLLONESHOT, 2));
	for (i = 0; i < 2; i++)
		ASSERT_TRUE(start(&w[i], self->e, self->ep, false));
	ASSERT_EQ(0, raise_fd(self->fd));
	ASSERT_EQ(1, write(self->pair[1], "x", 1));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(1, finish(&w[i]));
	EXPECT_EQ(3, w[0].ev.data.u64 + w[1].ev.data.u64);
}

/* Nobody is told without end of what is not there any more. */
TEST_F(epoll, by_level_sleepers_rest_when_it_is_over)
{
	struct waiter w[3];
	int i;

	ASSERT_EQ(0, ADD(self->fd, EPOLLIN, 1));
	for (i = 0; i < 3; i++)
		ASSERT_TRUE(start(&w[i], self->e, self->ep, false));
	ASSERT_EQ(0, raise_fd(self->fd));
	drain_fd(self->fd);
	for (i = 0; i < 3; i++)
		ASSERT_TRUE(eventually(is_done(&w[i]) || is_asleep(w[i].tid)));
	ASSERT_EQ(0, raise_fd(self->fd));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(1, finish(&w[i]));
}

TEST_F(epoll, a_process_that_shares_the_set_is_told)
{
	struct epoll_event ev;
	pid_t pid[2];
	int i, status;

	ASSERT_EQ(0, ADD(self->fd, EPOLLIN, 1));
	for (i = 0; i < 2; i++) {
		pid[i] = fork();
		if (!pid[i])
			_exit(self->e->wait(self->ep, &ev, 1, BOUND_MS) != 1);
		ASSERT_TRUE(eventually(thread_state(pid[i], pid[i]) == 'S'));
	}
	ASSERT_EQ(0, raise_fd(self->fd));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(pid[i], waitpid(pid[i], &status, 0));
		EXPECT_EQ(0, status);
	}
}

TEST_F(epoll, timeouts_are_kept)
{
	struct timespec ts = { .tv_nsec = SHORT_NS }, none = {};
	struct epoll_event ev;
	long long start;

	ASSERT_EQ(0, ADD(self->fd, EPOLLIN, 1));
	start = now_ns();
	EXPECT_EQ(0, self->e->wait(self->ep, &ev, 1, SHORT_NS / 1000000));
	EXPECT_LE(SHORT_NS, now_ns() - start);
	start = now_ns();
	EXPECT_EQ(0, self->e->pwait(self->ep, &ev, 1, SHORT_NS / 1000000, NULL));
	EXPECT_LE(SHORT_NS, now_ns() - start);
	start = now_ns();
	EXPECT_EQ(0, self->e->pwait2(self->ep, &ev, 1, &ts, NULL));
	EXPECT_LE(SHORT_NS, now_ns() - start);
	EXPECT_EQ(0, self->e->wait(self->ep, &ev, 1, 0));
	EXPECT_EQ(0, self->e->pwait2(self->ep, &ev, 1, &none, NULL));
	EXPECT_GT(BOUND_NS, now_ns() - start);
}

/* What is swallowed on the way does not begin the time anew, nor end it. */
TEST_F(epoll, a_timeout_is_one_whatever_comes)
{
	long long start = now_ns();
	struct epoll_event ev;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, ADD(self->fd, EPOLLIN, 1));
		ASSERT_EQ(0, DEL(self->fd));
	}
	EXPECT_EQ(0, self->e->wait(self->ep, &ev, 1, SHORT_NS / 1000000));
	EXPECT_LE(SHORT_NS, now_ns() - start);
}

TEST_F(epoll, times_without_end)
{
	struct timespec never[] = {
		{ .tv_sec = LONG_MAX }, { .tv_sec = LONG_MAX, .tv_nsec = 999999999 },
		{ .tv_sec = LONG_MAX / 1000000000 }, { .tv_sec = 1LL << 34 },
	};
	struct epoll_event ev;
	unsigned int i;

	ASSERT_EQ(0, ADD(self->fd, EPOLLIN, 1));
	ASSERT_EQ(0, raise_fd(self->fd));
	for (i = 0; i < ARRAY_SIZE(never); i++)
		EXPECT_EQ(1, self->e->pwait2(self->ep, &ev, 1, &never[i], NULL));
	EXPECT_EQ(1, self->e->pwait2(self->ep, &ev, 1, NULL, NULL));
	EXPECT_EQ(1, self->e->wait(self->ep, &ev, 1, -1));
	EXPECT_EQ(1, self->e->wait(self->ep, &ev, 1, INT32_MIN));
	EXPECT_EQ(1, self->e->wait(self->ep, &ev, 1, INT32_MAX));
}

static int caught;

static void on_signal(int sig)
{
	__atomic_store_n(&caught, sig, __ATOMIC_RELAXED);
}

static void catch_signal(int sig, int flags)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

	caught = 0;
	sigaction(sig, &action, NULL);
}

static void *interrupt(void *arg)
{
	pid_t tid = *(pid_t *)arg;

	eventually(is_asleep(tid));
	syscall(SYS_tgkill, getpid(), tid, SIGUSR1);
	return NULL;
}

TEST_F(epoll, a_signal_ends_the_wait_and_is_never_restarted)
{
	pid_t tid = gettid();
	struct epoll_event ev;
	pthread_t thread;

	ASSERT_EQ(0, ADD(self->fd, EPOLLIN, 1));
	catch_signal(SIGUSR1, SA_RESTART);
	ASSERT_EQ(0, pthread_create(&thread, NULL, interrupt, &tid));
	EXPECT_EQ(-1, self->e->wait(self->ep, &ev, 1, BOUND_MS));
	EXPECT_EQ(EINTR, errno);
	EXPECT_EQ(SIGUSR1, caught);
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

TEST_F(epoll, the_mask_is_that_of_the_wait_alone)
{
	struct timespec long_ts = { .tv_sec = BOUND_MS / 1000 };
	struct epoll_event ev;
	sigset_t blocked, open;

	ASSERT_EQ(0, ADD(self->fd, EPOLLIN, 1));
	catch_signal(SIGUSR1, 0);
	sigemptyset(&open);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	ASSERT_EQ(0, sigprocmask(SIG_SETMASK, &blocked, NULL));
	ASSERT_EQ(0, raise(SIGUSR1));

	/* Not without a mask, and not if there is something to tell, or no time to wait. */
	EXPECT_EQ(0, self->e->wait(self->ep, &ev, 1, 1));
	EXPECT_EQ(0, self->e->pwait(self->ep, &ev, 1, 1, &blocked));
	EXPECT_EQ(0, self->e->pwait(self->ep, &ev, 1, 0, &open));
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_EQ(1, self->e->pwait(self->ep, &ev, 1, BOUND_MS, &open));
	ASSERT_EQ(0, drain_fd(self->fd));
	EXPECT_EQ(0, caught);

	EXPECT_EQ(-1, self->e->pwait(self->ep, &ev, 1, BOUND_MS, &open));
	EXPECT_EQ(EINTR, errno);
	EXPECT_EQ(SIGUSR1, caught);
	caught = 0;
	ASSERT_EQ(0, raise(SIGUSR1));
	EXPECT_EQ(-1, self->e->pwait2(self->ep, &ev, 1, &long_ts, &open));
	EXPECT_EQ(EINTR, errno);
	EXPECT_EQ(SIGUSR1, caught);
	ASSERT_EQ(0, sigprocmask(SIG_SETMASK, NULL, &open));
	EXPECT_EQ(1, sigismember(&open, SIGUSR1));
}

static void *wait_for_ever(void *arg)
{
	struct waiter *w = arg;

	__atomic_store_n(&w->tid, gettid(), __ATOMIC_RELEASE);
	epoll_wait(w->ep, &w->ev, 1, -1);
	return NULL;
}

/* A property of the C library's function, so of that alone which stands in for it. */
TEST_F(epoll, a_thread_can_be_cancelled_in_its_wait)
{
	struct waiter w = { .ep = self->ep };
	void *ret = NULL;

	ASSERT_EQ(0, pthread_create(&w.thread, NULL, wait_for_ever, &w));
	ASSERT_TRUE(eventually(__atomic_load_n(&w.tid, __ATOMIC_ACQUIRE)));
	ASSERT_TRUE(eventually(is_asleep(w.tid)));
	ASSERT_EQ(0, pthread_cancel(w.thread));
	ASSERT_EQ(0, pthread_join(w.thread, &ret));
	EXPECT_EQ(PTHREAD_CANCELED, ret);
	/* It has left nothing behind that sleeps, or is owed an event. */
	ASSERT_EQ(0, ADD(self->fd, EPOLLIN | EPOLLET, 1));
	ASSERT_EQ(0, raise_fd(self->fd));
	EXPECT_ONE(EPOLLIN, 1);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/* Queued signals, and messages of POSIX message queues, as events. */
#include <mqueue.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "offspring.h"
#include "expect.h"
#include "ticks.h"

#define SENDERS		4
#define EACH		500
#define SIGNALS		3	/* from SIGRTMIN on */
#define TAKE		7

FIXTURE(signals)
{
	struct ioevq q;
	sigset_t set;
	int fd;
};

FIXTURE_SETUP(signals)
{
	int i;

	ASSERT_EQ(0, ioevq_open(&self->q, 8, 0));
	sigemptyset(&self->set);
	sigaddset(&self->set, SIGUSR1);
	sigaddset(&self->set, SIGCHLD);
	for (i = 0; i < SIGNALS; i++)
		sigaddset(&self->set, SIGRTMIN + i);
	self->fd = ioevq_watch_signals(&self->q, &self->set, 1);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(signals)
{
	close(self->fd);
	ioevq_close(&self->q);
}

static int is_announced(const struct ioevq *q)
{
	struct ioevq_event ev;

	return next_event(q, &ev) == 1 && ev.user_data == 1 && ev.op == IOEVQ_OP_POLL &&
	       ev.flags == IOEVQ_EVENT_MORE;
}

static int queue_signal(pid_t pid, int sig, uintptr_t value)
{
	return sigqueue(pid, sig, (union sigval){ .sival_ptr = (void *)value });
}

/* Numbers from @first on, over all the signals. */
static int send_signals(struct offspring *c, long first)
{
	pid_t parent = getppid();
	int i;

	(void)c;
	for (i = 0; i < EACH; i++)
		while (queue_signal(parent, SIGRTMIN + i % SIGNALS, first + i))
			if (errno != EAGAIN || sched_yield())
				return 1;
	return 0;
}

TEST_F_TIMEOUT(signals, law_02_none_is_lost, 120)
{
	int next[SENDERS][SIGNALS] = {}, n, i, sender, number, status, total = 0;
	struct signalfd_siginfo infos[TAKE];
	struct ioevq_event events[TAKE];
	struct offspring c[SENDERS];

	for (i = 0; i < SENDERS; i++) {
		ASSERT_EQ(0, offspring(&c[i], send_signals, i * EACH));
		ASSERT_EQ(0, let_go(&c[i]));
	}
	while (total < SENDERS * EACH) {
		ASSERT_TRUE(is_announced(&self->q));
		n = ioevq_take_signals(self->fd, 5, events, infos, TAKE);
		ASSERT_LE(0, n);
		for (i = 0; i < n; i++) {
			EXPECT_EQ(5, events[i].user_data);
			EXPECT_EQ(IOEVQ_OP_POST, events[i].op);
			EXPECT_EQ(infos[i].ssi_signo, events[i].res);
			if (events[i].res < SIGRTMIN)
				continue;
			EXPECT_EQ(SI_QUEUE, infos[i].ssi_code);
			/* Of each sender and signal in the order in which they were sent. */
			sender = events[i].data / EACH;
			number = events[i].data % EACH;
			ASSERT_GT(SENDERS, sender);
			EXPECT_EQ(c[sender].pid, infos[i].ssi_pid);
			EXPECT_EQ(number % SIGNALS, events[i].res - SIGRTMIN);
			EXPECT_EQ(number / SIGNALS, next[sender][number % SIGNALS]++);
			total++;
		}
	}
	for (i = 0; i < SENDERS; i++) {
		ASSERT_EQ(c[i].pid, waitpid(c[i].pid, &status, 0));
		EXPECT_EQ(0, status);
		offspring_close(&c[i]);
	}
	while (ioevq_take_signals(self->fd, 5, events, NULL, TAKE))
		;
	EXPECT_TRUE(quiet(&self->q));
}

/* Who sends is told when no more fit; what was accepted comes. */
TEST_F(signals, law_02_up_to_the_limit)
{
	struct rlimit limit = { 64, 64 };
	struct ioevq_event events[TAKE];
	uintptr_t sent = 0, taken = 0;
	int i, n;

	ASSERT_EQ(0, setrlimit(RLIMIT_SIGPENDING, &limit));
	while (!queue_signal(getpid(), SIGRTMIN, sent))
		sent++;
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_LT(0, sent);
	while (taken < sent) {
		ASSERT_TRUE(is_announced(&self->q));
		n = ioevq_take_signals(self->fd, 5, events, NULL, TAKE);
		ASSERT_LT(0, n);
		for (i = 0; i < n; i++)
			EXPECT_EQ(taken++, events[i].data);
	}
	EXPECT_EQ(sent, taken);
	EXPECT_EQ(0, ioevq_take_signals(self->fd, 5, events, NULL, TAKE));
	EXPECT_TRUE(quiet(&self->q));
}

struct cancelled {
	int fd;
	int taken;
};

static void *take_and_die(void *arg)
{
	struct ioevq_event events[EACH];
	struct cancelled *c = arg;

	pthread_cancel(pthread_self());
	c->taken = ioevq_take_signals(c->fd, 5, events, NULL, EACH);
	pthread_testcancel();
	return NULL;
}

/* A thread that is cancelled meanwhile is told what it has taken. */
TEST_F(signals, no_cancellation_point)
{
	struct cancelled c = { .fd = self->fd };
	pthread_t thread;
	void *ret;
	int i;

	for (i = 0; i < 100; i++)
		ASSERT_EQ(0, queue_signal(getpid(), SIGRTMIN, i));
	ASSERT_EQ(0, pthread_create(&thread, NULL, take_and_die, &c));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(PTHREAD_CANCELED, ret);
	EXPECT_EQ(100, c.taken);
}

/* The kernel keeps one of each that is below SIGRTMIN: signal(7). */
TEST_F(signals, what_the_kernel_coalesces)
{
	struct signalfd_siginfo info;
	struct ioevq_event ev;

	ASSERT_EQ(0, queue_signal(getpid(), SIGUSR1, 11));
	ASSERT_EQ(0, queue_signal(getpid(), SIGUSR1, 12));
	ASSERT_TRUE(is_announced(&self->q));
	ASSERT_EQ(1, ioevq_take_signals(self->fd, 5, &ev, &info, 1));
	EXPECT_EQ(SIGUSR1, ev.res);
	EXPECT_EQ(11, ev.data);
	EXPECT_EQ(getpid(), (pid_t)info.ssi_pid);
	EXPECT_EQ(0, ioevq_take_signals(self->fd, 5, &ev, &info, 1));
}

/* Of a timer, too, and of a child. */
TEST_F(signals, values_of_others)
{
	struct sigevent sev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	struct itimerspec soon = { .it_value.tv_nsec = 1 };
	struct signalfd_siginfo info;
	struct ioevq_event ev;
	struct offspring c;
	timer_t timer;

	sev.sigev_value.sival_ptr = (void *)0x1234;
	ASSERT_EQ(0, timer_create(CLOCK_MONOTONIC, &sev, &timer));
	ASSERT_EQ(0, timer_settime(timer, 0, &soon, NULL));
	ASSERT_TRUE(is_announced(&self->q));
	ASSERT_EQ(1, ioevq_take_signals(self->fd, 5, &ev, &info, 1));
	EXPECT_EQ(SIGRTMIN, ev.res);
	EXPECT_EQ(0x1234, ev.data);
	EXPECT_EQ(SI_TIMER, info.ssi_code);
	timer_delete(timer);

	ASSERT_EQ(0, offspring(&c, exit_with, 3));
	ASSERT_EQ(0, let_go(&c));
	ASSERT_TRUE(is_announced(&self->q));
	ASSERT_EQ(1, ioevq_take_signals(self->fd, 5, &ev, &info, 1));
	EXPECT_EQ(SIGCHLD, ev.res);
	EXPECT_EQ(c.pid, (pid_t)info.ssi_pid);
	EXPECT_EQ(CLD_EXITED, info.ssi_code);
	EXPECT_EQ(3, info.ssi_status);
	ASSERT_EQ(c.pid, waitpid(c.pid, NULL, 0));
	offspring_close(&c);
}

/* Refused, it leaves nothing behind: neither a descriptor nor a blocked signal. */
TEST_F(signals, law_14_refused)
{
	sigset_t set, now;
	struct ioevq q;
	int next;

	ASSERT_EQ(0, ioevq_open(&q, 8, 1 << IOEVQ_OP_POST));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	next = dup(0);
	close(next);
	EXPECT_EQ(-EPERM, ioevq_watch_signals(&q, &set, 1));
	EXPECT_EQ(next, dup(0));
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, NULL, &now));
	EXPECT_FALSE(sigismember(&now, SIGUSR2));
	EXPECT_TRUE(sigismember(&now, SIGUSR1));
	EXPECT_EQ(-EBADF, ioevq_take_signals(-1, 5, NULL, NULL, 1));
	EXPECT_EQ(0, ioevq_take_signals(self->fd, 5, NULL, NULL, 0));
	ioevq_close(&q);
}

#define MESSAGES	60
#define MSG_SIZE	16

FIXTURE(messages)
{
	struct ioevq q;
	mqd_t mq;
};

FIXTURE_SETUP(messages)
{
	struct mq_attr attr = { .mq_maxmsg = 10, .mq_msgsize = MSG_SIZE };

	ASSERT_EQ(0, ioevq_open(&self->q, 8, 0));
	mq_unlink("/ioevq-messages");
	/* Not O_NONBLOCK: nobody waits in it all the same. */
	self->mq = mq_open("/ioevq-messages", O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	ASSERT_LE(0, self->mq);
	ASSERT_EQ(0, mq_unlink("/ioevq-messages"));
	ASSERT_EQ(0, watch(&self->q, self->mq, POLLIN, IOEVQ_POLL_LEVEL, 1));
}

FIXTURE_TEARDOWN(messages)
{
	mq_close(self->mq);
	ioevq_close(&self->q);
}

/* It waits when the queue is full: that is mq_send(3). */
static int send_messages(struct offspring *c, long arg)
{
	struct _test_data_messages *self = (void *)arg;
	int i;

	(void)c;
	for (i = 0; i < MESSAGES; i++)
		if (mq_send(self->mq, (const char *)&i, sizeof(i), 3))
			return 1;
	return 0;
}

TEST_F(messages, law_02_none_is_lost)
{
	char texts[TAKE][MSG_SIZE];
	struct ioevq_event events[TAKE];
	int i, n, number, total = 0, status;
	struct offspring c;

	ASSERT_EQ(0, offspring(&c, send_messages, (long)self));
	ASSERT_EQ(0, let_go(&c));
	while (total < MESSAGES) {
		ASSERT_TRUE(is_announced(&self->q));
		n = ioevq_take_messages(self->mq, 5, events, texts, MSG_SIZE, TAKE);
		ASSERT_LE(0, n);
		for (i = 0; i < n; i++) {
			memcpy(&number, texts[i], sizeof(number));
			EXPECT_EQ(total++, number);
			EXPECT_EQ(sizeof(number), events[i].res);
			EXPECT_EQ(3, events[i].data);
			EXPECT_EQ(5, events[i].user_data);
		}
	}
	ASSERT_EQ(c.pid, waitpid(c.pid, &status, 0));
	EXPECT_EQ(0, status);
	offspring_close(&c);
	EXPECT_EQ(0, ioevq_take_messages(self->mq, 5, events, texts, MSG_SIZE, TAKE));
	EXPECT_TRUE(quiet(&self->q));
}

TEST_F(messages, highest_priority_first)
{
	char texts[TAKE][MSG_SIZE];
	struct ioevq_event events[TAKE];

	ASSERT_EQ(0, mq_send(self->mq, "low", 3, 1));
	ASSERT_EQ(0, mq_send(self->mq, "", 0, 9));
	ASSERT_EQ(0, mq_send(self->mq, "lower", 5, 0));
	ASSERT_TRUE(is_announced(&self->q));
	ASSERT_EQ(3, ioevq_take_messages(self->mq, 5, events, texts, MSG_SIZE, TAKE));
	EXPECT_EQ(0, events[0].res);
	EXPECT_EQ(9, events[0].data);
	EXPECT_EQ(3, events[1].res);
	EXPECT_EQ(0, memcmp(texts[1], "low", 3));
	EXPECT_EQ(0, memcmp(texts[2], "lower", 5));
	EXPECT_EQ(0, events[2].data);
}

TEST_F(messages, law_14_refused)
{
	struct ioevq_event ev;
	char text[MSG_SIZE];

	ASSERT_EQ(0, mq_send(self->mq, "x", 1, 0));
	EXPECT_EQ(-EMSGSIZE, ioevq_take_messages(self->mq, 5, &ev, text, MSG_SIZE - 1, 1));
	EXPECT_EQ(-EBADF, ioevq_take_messages(-1, 5, &ev, text, MSG_SIZE, 1));
	EXPECT_EQ(0, ioevq_take_messages(self->mq, 5, &ev, text, MSG_SIZE, 0));
	EXPECT_EQ(1, ioevq_take_messages(self->mq, 5, &ev, text, MSG_SIZE, 1));
}

/* There is no message, whatever else comes. */
TEST_F(messages, signals_are_no_errors)
{
	struct ioevq_event ev;
	char text[MSG_SIZE];
	int ret;

	ASSERT_EQ(0, tick(500));
	do {
		ret = ioevq_take_messages(self->mq, 5, &ev, text, MSG_SIZE, 1);
	} while (!ret && ticked() < 200);
	EXPECT_EQ(0, ret);
	ASSERT_EQ(0, tick(0));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/* Law 6: signals end a wait, events come before them, and the dead hand on. */
#include "sleeper.h"

static int handled;

static void handler(int sig)
{
	(void)sig;
	__atomic_add_fetch(&handled, 1, __ATOMIC_RELAXED);
}

static int handle(int sig, int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

	return sigaction(sig, &sa, NULL);
}

/* True if it ended, with this number of events or errno. */
static bool finish(struct sleeper *s, int ret)
{
	return eventually(is_done(s)) && woken(s) == ret;
}

static bool start(struct sleeper *s, const struct ioevq *q, unsigned int min, unsigned int max)
{
	return put_to_sleep(s, q, min, max, IOEVQ_FOREVER);
}

/*
 * True if this process waits for events. The number is told only of
 * who does not run, and of ENTER only the wait sleeps interruptibly.
 */
static bool asleep(pid_t pid)
{
	char path[64], buf[256];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid, pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return false;
	buf[n] = 0;
	return buf[0] >= '0' && buf[0] <= '9' && strtol(buf, NULL, 10) == __NR_ioctl &&
	       thread_state(pid, pid) == 'S';
}

/* From now on this thread and all that it starts have one CPU. */
static int share_one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

/* Nobody else runs on that CPU until this thread lets go of it. */
static int hold_cpu(bool on)
{
	struct sched_param param = { .sched_priority = on ? 10 : 0 };

	return sched_setscheduler(0, on ? SCHED_FIFO : SCHED_OTHER, &param);
}

FIXTURE(ending)
{
	struct ioevq q;
	sigset_t none;
	sigset_t usr1;
};

FIXTURE_SETUP(ending)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 4, 0));
	ASSERT_EQ(0, handle(SIGUSR1, 0));
	sigemptyset(&self->none);
	sigemptyset(&self->usr1);
	sigaddset(&self->usr1, SIGUSR1);
	handled = 0;
}

FIXTURE_TEARDOWN(ending)
{
	ioevq_close(&self->q);
}

/* By the ioctl, whatever lies in the mapped ring. */
static int wait_with_mask(const struct ioevq *q, struct ioevq_event *ev, int64_t timeout_ns,
			  const sigset_t *mask)
{
	struct ioevq_enter enter = {
		.flags = IOEVQ_ENTER_SIGMASK, .events = (uintptr_t)ev, .min = 1, .max = 1,
		.timeout_ns = timeout_ns,
	};

	memcpy(&enter.sigmask, mask, sizeof(enter.sigmask));
	return ioevq_enter(q, &enter);
}

static bool blocked(int sig)
{
	sigset_t set;

	return !pthread_sigmask(SIG_SETMASK, NULL, &set) && sigismember(&set, sig) == 1;
}

static bool pending(int sig)
{
	sigset_t set;

	return !sigpending(&set) && sigismember(&set, sig) == 1;
}

TEST_F(ending, law_06_a_signal_ends_the_wait)
{
	static const int flags[] = { 0, SA_RESTART };
	struct sleeper s, other;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		ASSERT_EQ(0, handle(SIGUSR1, flags[i]));
		ASSERT_TRUE(start(&other, &self->q, 1, 1));
		ASSERT_TRUE(start(&s, &self->q, 1, i));
		ASSERT_EQ(0, pthread_kill(s.thread, SIGUSR1));
		ASSERT_TRUE(finish(&s, -EINTR));
		EXPECT_EQ(i + 1, handled);
		/* It sleeps no more: the event goes to who does. */
		ASSERT_EQ(0, ioevq_post(&self->q, i, 0, 0));
		ASSERT_TRUE(finish(&other, 1));
		EXPECT_EQ(i, other.evs[0].user_data);
		EXPECT_EQ(i + 1, query(&self->q).wakeups);
	}
}

/* A signal of which nobody wants to know does not. */
TEST_F(ending, law_06_an_ignored_signal_does_not)
{
	struct sleeper s;

	ASSERT_EQ(0, share_one_cpu());
	ASSERT_NE(SIG_ERR, signal(SIGUSR2, SIG_IGN));
	ASSERT_TRUE(start(&s, &self->q, 1, 1));
	ASSERT_EQ(0, pthread_kill(s.thread, SIGUSR2));
	/* On one CPU: it had its chance to return when we run again. */
	sched_yield();
	EXPECT_TRUE(eventually(sleeps(&s)));
	ASSERT_EQ(0, ioevq_post(&self->q, 1, 0, 0));
	ASSERT_TRUE(finish(&s, 1));
	EXPECT_EQ(1, query(&self->q).wakeups);
}

TEST_F(ending, law_06_events_come_before_signals)
{
	struct ioevq_event ev;
	struct sleeper s;

	/* Both are there before it can run, in either order. */
	ASSERT_EQ(0, share_one_cpu());
	ASSERT_TRUE(start(&s, &self->q, 1, 1));
	ASSERT_EQ(0, hold_cpu(true));
	EXPECT_EQ(0, pthread_kill(s.thread, SIGUSR1));
	EXPECT_EQ(0, ioevq_post(&self->q, 1, 0, 0));
	ASSERT_EQ(0, hold_cpu(false));
	ASSERT_TRUE(finish(&s, 1));
	EXPECT_EQ(1, handled);

	/* Fewer events than were asked for are better than none, too. */
	ASSERT_TRUE(start(&s, &self->q, 3, 3));
	ASSERT_EQ(0, ioevq_post(&self->q, 2, 0, 0));
	ASSERT_EQ(0, pthread_kill(s.thread, SIGUSR1));
	ASSERT_TRUE(finish(&s, 1));
	EXPECT_EQ(2, s.evs[0].user_data);
	EXPECT_EQ(2, handled);

	/* The signal stays pending where the mask would have let it in. */
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &self->usr1, NULL));
	ASSERT_EQ(0, raise(SIGUSR1));
	ASSERT_EQ(0, ioevq_post(&self->q, 3, 0, 0));
	EXPECT_EQ(1, wait_with_mask(&self->q, &ev, IOEVQ_FOREVER, &self->none));
	EXPECT_EQ(3, ev.user_data);
	EXPECT_EQ(2, handled);
	EXPECT_TRUE(pending(SIGUSR1));
	EXPECT_TRUE(blocked(SIGUSR1));
	EXPECT_EQ(-EINTR, wait_with_mask(&self->q, &ev, IOEVQ_FOREVER, &self->none));
	EXPECT_EQ(3, handled);
	EXPECT_FALSE(pending(SIGUSR1));
	EXPECT_TRUE(blocked(SIGUSR1));
}

/* The mask is that of the wait alone, and replaced at once with it. */
TEST_F(ending, law_06_mask_of_the_wait)
{
	struct ioevq_event ev;
	sigset_t all;

	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &self->usr1, NULL));
	EXPECT_EQ(0, wait_with_mask(&self->q, &ev, 1000, &self->none));
	EXPECT_TRUE(blocked(SIGUSR1));
	ASSERT_EQ(0, raise(SIGUSR1));
	EXPECT_EQ(0, handled);
	EXPECT_EQ(-EINTR, wait_with_mask(&self->q, &ev, IOEVQ_FOREVER, &self->none));
	EXPECT_EQ(1, handled);
	EXPECT_TRUE(blocked(SIGUSR1));
	EXPECT_FALSE(blocked(SIGUSR2));
	EXPECT_EQ(-EINTR, ({
		raise(SIGUSR1);
		ioevq_wait_sigmask(&self->q, &ev, 1, 1, IOEVQ_FOREVER, &self->none);
	}));
	EXPECT_EQ(2, handled);

	/* What it blocks does not end the wait, but is not lost either. */
	ASSERT_EQ(0, sigprocmask(SIG_UNBLOCK, &self->usr1, NULL));
	sigfillset(&all);
	EXPECT_EQ(0, wait_with_mask(&self->q, &ev, 1000, &all));
	EXPECT_FALSE(blocked(SIGUSR1));
	EXPECT_FALSE(blocked(SIGUSR2));
	/* A refusal leaves the mask alone. */
	EXPECT_EQ(-EINVAL, wait_with_mask(&self->q, &ev, -2, &all));
	EXPECT_EQ(-EFAULT, ({
		ioevq_post(&self->q, 1, 0, 0);
		wait_with_mask(&self->q, NULL, 0, &all);
	}));
	EXPECT_FALSE(blocked(SIGUSR1));
	EXPECT_NEXT(&self->q, IOEVQ_OP_POST, 1, 0);
}

/* The mask of a sleeper: blocked there, delivered after it. */
TEST_F(ending, law_06_mask_while_asleep)
{
	struct ioevq_event ev;
	int status;
	pid_t pid = fork();
	sigset_t all;

	ASSERT_LE(0, pid);
	if (!pid) {
		sigfillset(&all);
		if (wait_with_mask(&self->q, &ev, IOEVQ_FOREVER, &all) != 1)
			_exit(1);
		_exit(handled == 1 && ev.user_data == 5 ? 0 : 2);
	}
	ASSERT_TRUE(eventually(asleep(pid)));
	ASSERT_EQ(0, kill(pid, SIGUSR1));
	EXPECT_TRUE(asleep(pid));
	ASSERT_EQ(0, ioevq_post(&self->q, 5, 0, 0));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);

	/* Not even a full mask keeps this one out. */
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		sigfillset(&all);
		_exit(wait_with_mask(&self->q, &ev, IOEVQ_FOREVER, &all));
	}
	ASSERT_TRUE(eventually(asleep(pid)));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* An event that another consumer took first: the sleeper sleeps on. */
TEST_F(ending, law_06_an_event_that_is_gone)
{
	struct ioevq_event ev;
	struct sleeper s;

	ASSERT_EQ(0, share_one_cpu());
	ASSERT_TRUE(start(&s, &self->q, 1, 1));
	ASSERT_EQ(0, hold_cpu(true));
	EXPECT_EQ(0, ioevq_post(&self->q, 1, 0, 0));
	EXPECT_EQ(1, ioevq_take(&self->q, &ev));
	ASSERT_EQ(0, hold_cpu(false));
	EXPECT_EQ(1, ev.user_data);
	ASSERT_TRUE(eventually(sleeps(&s)));
	ASSERT_EQ(0, ioevq_post(&self->q, 2, 0, 0));
	ASSERT_TRUE(finish(&s, 1));
	EXPECT_EQ(2, s.evs[0].user_data);
}

/* One of two is gone: no reason to wake, and none is forgotten when it is there again. */
TEST_F(ending, law_06_half_of_it_is_gone)
{
	struct ioevq_event ev;
	struct sleeper s[2];
	unsigned int i;

	ASSERT_EQ(0, share_one_cpu());
	for (i = 0; i < 2; i++)
		ASSERT_TRUE(start(&s[i], &self->q, 2, 2));
	ASSERT_EQ(0, hold_cpu(true));
	EXPECT_EQ(0, ioevq_post(&self->q, 1, 0, 0));
	EXPECT_EQ(0, ioevq_post(&self->q, 2, 0, 0));
	EXPECT_EQ(1, ioevq_take(&self->q, &ev));
	ASSERT_EQ(0, hold_cpu(false));
	EXPECT_EQ(1, query(&self->q).wakeups);
	ASSERT_TRUE(eventually(sleeps(&s[1])));
	EXPECT_TRUE(sleeps(&s[0]));
	ASSERT_EQ(0, ioevq_post(&self->q, 3, 0, 0));
	ASSERT_TRUE(finish(&s[1], 2));
	EXPECT_EQ(2, s[1].evs[0].user_data);
	EXPECT_EQ(3, s[1].evs[1].user_data);
	EXPECT_TRUE(sleeps(&s[0]));
	ASSERT_EQ(0, ioevq_post(&self->q, 4, 0, 0));
	ASSERT_EQ(0, ioevq_post(&self->q, 5, 0, 0));
	ASSERT_TRUE(finish(&s[0], 2));
	EXPECT_EQ(3, query(&self->q).wakeups);
}

/*
 * The time is over before it runs, and an event comes just then: it is taken by it
 * or by the other one, who sleeps.
 */
TEST_F(ending, law_06_event_and_timeout)
{
	const long long ns = 5000000;
	struct sleeper s, other;
	unsigned int round;
	long long end;

	ASSERT_EQ(0, share_one_cpu());
	for (round = 0; round < 20; round++) {
		ASSERT_TRUE(start(&other, &self->q, 1, 1));
		s = (struct sleeper){
			.q = &self->q, .min = 1, .max = 1, .timeout_ns = ns, .pid = getpid(),
		};
		end = now_ns() + 2 * ns;
		ASSERT_EQ(0, pthread_create(&s.thread, NULL, sleeper_body, &s));
		eventually(sleeps(&s) || is_done(&s));
		ASSERT_EQ(0, hold_cpu(true));
		while (now_ns() < end)
			;
		EXPECT_EQ(0, ioevq_post(&self->q, round, 0, 0));
		ASSERT_EQ(0, hold_cpu(false));
		ASSERT_TRUE(eventually(is_done(&s)));
		if (woken(&s)) {
			EXPECT_EQ(1, s.ret);
			EXPECT_TRUE(sleeps(&other));
			ASSERT_EQ(0, ioevq_post(&self->q, round, 0, 0));
		}
		ASSERT_TRUE(finish(&other, 1));
		EXPECT_EQ(round, other.evs[0].user_data);
		EXPECT_EQ(0, query(&self->q).available);
	}
}

/* A waiter that is killed between the wake-up and its return. */
FIXTURE(killed)
{
	struct ioevq q;
};

FIXTURE_VARIANT(killed)
{
	bool post_first;
	unsigned int max;
};

FIXTURE_VARIANT_ADD(killed, before_the_event) { false, 1 };
FIXTURE_VARIANT_ADD(killed, after_the_event) { true, 1 };
FIXTURE_VARIANT_ADD(killed, before_the_event_it_waits_for) { false, 0 };
FIXTURE_VARIANT_ADD(killed, after_the_event_it_waits_for) { true, 0 };

FIXTURE_SETUP(killed)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 4, 0));
}

FIXTURE_TEARDOWN(killed)
{
	ioevq_close(&self->q);
}

TEST_F(killed, law_06_handed_on)
{
	struct ioevq_event ev;
	struct sleeper other;
	int status;
	pid_t pid;

	ASSERT_EQ(0, share_one_cpu());
	ASSERT_TRUE(start(&other, &self->q, 1, 1));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(enter_wait(&self->q, variant->max ? &ev : NULL, 1, variant->max, -1));
	ASSERT_TRUE(eventually(asleep(pid)));

	/* It slept last, so it is chosen; but it cannot run before it is dead. */
	ASSERT_EQ(0, hold_cpu(true));
	if (variant->post_first)
		EXPECT_EQ(0, ioevq_post(&self->q, 1, 0, 0));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	if (!variant->post_first)
		EXPECT_EQ(0, ioevq_post(&self->q, 1, 0, 0));
	ASSERT_EQ(0, hold_cpu(false));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	ASSERT_TRUE(finish(&other, 1));
	EXPECT_EQ(1, other.evs[0].user_data);
	EXPECT_EQ(0, query(&self->q).available);
}

/* Who is interrupted while he takes what is there gets all of it, beyond the ring's size, too. */
TEST_F(ending, law_06_a_signal_cuts_no_batch)
{
	struct ioevq_event evs[100];
	struct ioevq_enter enter = {
		.size = sizeof(enter), .events = (uintptr_t)evs, .min = 1, .max = 100,
		.timeout_ns = -1, .flags = IOEVQ_ENTER_SIGMASK,
	};
	int i;

	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &self->usr1, NULL));
	ASSERT_EQ(0, raise(SIGUSR1));
	for (i = 0; i < 100; i++)
		ASSERT_EQ(0, ioevq_post(&self->q, i, 0, 0));
	EXPECT_EQ(100, ioctl(self->q.fd, IOEVQ_IOC_ENTER, &enter));
	for (i = 0; i < 100; i++)
		EXPECT_EQ((unsigned int)i, evs[i].user_data);
	EXPECT_EQ(0, query(&self->q).available);
	ASSERT_EQ(0, sigprocmask(SIG_UNBLOCK, &self->usr1, NULL));
	EXPECT_EQ(1, handled);
}

/* At any moment: what the dead left behind does not lie there while one sleeps. */
TEST_F(ending, law_06_handed_on_under_fire)
{
	unsigned int i, round;
	struct ioevq_event ev;
	struct sleeper last;

	for (round = 0; round < 40; round++) {
		pid_t pids[3];

		ASSERT_TRUE(start(&last, &self->q, 1, 1));
		for (i = 0; i < 3; i++) {
			pids[i] = fork();
			ASSERT_LE(0, pids[i]);
			while (!pids[i])
				enter_wait(&self->q, &ev, 1, 1, -1);
		}
		for (i = 0; i < 3; i++) {
			ASSERT_EQ(0, ioevq_post(&self->q, i, 0, 0));
			ASSERT_EQ(0, kill(pids[i], SIGKILL));
		}
		for (i = 0; i < 3; i++)
			ASSERT_EQ(pids[i], waitpid(pids[i], NULL, 0));
		/* Taken by a process before it died, or by who is left. */
		ASSERT_TRUE(eventually(is_done(&last) || !query(&self->q).available));
		if (!is_done(&last))
			ASSERT_EQ(0, ioevq_post(&self->q, MARK, 0, 0));
		ASSERT_TRUE(finish(&last, 1));
		while (ioevq_take(&self->q, &ev) == 1)
			ASSERT_TRUE(ev.user_data < 3 || ev.user_data == MARK);
		ASSERT_EQ(0, query(&self->q).available);
	}
}

TEST_HARNESS_MAIN

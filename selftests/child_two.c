// SPDX-License-Identifier: GPL-2.0-only
/* Law 10: reaping by what is told, and several who do so in one process. */
#include "children.h"

#define MANY	40

/* Who starts children and wants to know of these, and of no others. */
struct supervisor {
	struct ioevq q;
	pid_t pids[MANY];
	int codes[MANY];
	int seen[MANY];
	unsigned int n;
	unsigned int wrong;		/* told of what is not his, or not so */
	unsigned int rescans;
};

static void note(const siginfo_t *info, const struct rusage *usage, void *arg)
{
	struct supervisor *s = arg;
	unsigned int i;

	(void)usage;
	for (i = 0; i < s->n; i++)
		if (s->pids[i] == info->si_pid && !s->seen[i])
			break;
	if (i == s->n || info->si_code != CLD_EXITED || info->si_status != s->codes[i])
		s->wrong++;
	else
		s->seen[i]++;
}

static int owns(const struct supervisor *s, pid_t pid)
{
	unsigned int i;

	for (i = 0; i < s->n; i++)
		if (s->pids[i] == pid && !s->seen[i])
			return 1;
	return 0;
}

static unsigned int count(const struct supervisor *s)
{
	unsigned int i, n = 0;

	for (i = 0; i < s->n; i++)
		n += s->seen[i];
	return n;
}

static int start(struct supervisor *s, int code)
{
	pid_t pid = fork();

	if (!pid)
		_exit(code);
	s->codes[s->n] = code;
	s->pids[s->n++] = pid;
	return pid < 0 ? -1 : 0;
}

/* Take what is told until all of his have been. */
static int supervise(struct supervisor *s)
{
	struct rusage usage;
	struct ioevq_event ev;
	siginfo_t info;
	int ret;

	while (count(s) < s->n) {
		if (next_event(&s->q, &ev) != 1)
			return -1;
		ret = -EAGAIN;
		if (!(ev.flags & IOEVQ_EVENT_RESCAN))
			ret = owns(s, ev.res) ? ioevq_reap(&ev, &info, &usage) : 0;
		if (ret == 1) {
			note(&info, &usage, s);
		} else if (ret == -EAGAIN) {
			s->rescans++;
			if (ioevq_rescan(s->pids, s->n, WEXITED, note, s) < 0)
				return -1;
		} else if (ret) {
			return -1;
		}
	}
	return s->wrong ? -1 : 0;
}

FIXTURE(two)
{
	struct supervisor a, b;
};

FIXTURE_VARIANT(two)
{
	unsigned int entries;		/* of the rings */
	unsigned int reserve;
	int bursts;
};

FIXTURE_VARIANT_ADD(two, room) {
	.entries = 256, .reserve = 0, .bursts = 0
};

FIXTURE_VARIANT_ADD(two, bursts) {
	.entries = 1, .reserve = 1, .bursts = 1
};

FIXTURE_SETUP(two)
{
	ASSERT_EQ(0, ioevq_open(&self->a.q, variant->entries, 0));
	ASSERT_EQ(0, ioevq_open(&self->b.q, variant->entries, 0));
}

FIXTURE_TEARDOWN(two)
{
	(void)variant;
	ioevq_close(&self->a.q);
	ioevq_close(&self->b.q);
}

/* The program is told of all children, and a library of the ones that it has started. */
TEST_F(two, law_10_a_program_and_a_library)
{
	struct supervisor *program = &self->a, *library = &self->b;
	int i;

	ASSERT_EQ(0, watch_child(&program->q, 0, variant->reserve, 1));
	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(0, start(program, i));
		ASSERT_EQ(0, start(library, i + MANY));
		ASSERT_EQ(0, watch_child(&library->q, library->pids[i], 0, i));
	}
	for (i = 0; variant->bursts && i < MANY; i++)
		ASSERT_EQ(0, wait_until_zombie(program->pids[i]));
	EXPECT_EQ(0, supervise(program));
	EXPECT_EQ(variant->bursts, !!program->rescans);
	/* All of the library's are there still. */
	for (i = 0; i < MANY; i++)
		ASSERT_EQ(0, wait_until_zombie(library->pids[i]));
	EXPECT_EQ(0, supervise(library));
	EXPECT_EQ(0, library->rescans);
	EXPECT_TRUE(is_childless());
}

static void *supervise_in_a_thread(void *s)
{
	return (void *)(long)supervise(s);
}

/* Both are told of all children, at the same time. */
TEST_F(two, law_10_two_who_watch_all)
{
	pthread_t thread;
	void *ret;
	int i;

	ASSERT_EQ(0, watch_child(&self->a.q, 0, variant->reserve, 1));
	ASSERT_EQ(0, watch_child(&self->b.q, 0, variant->reserve, 1));
	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(0, start(&self->a, i));
		ASSERT_EQ(0, start(&self->b, i + MANY));
	}
	for (i = 0; variant->bursts && i < MANY; i++)
		ASSERT_EQ(0, wait_until_zombie(self->a.pids[i]) |
			     wait_until_zombie(self->b.pids[i]));
	ASSERT_EQ(0, pthread_create(&thread, NULL, supervise_in_a_thread, &self->a));
	EXPECT_EQ(0, supervise(&self->b));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(NULL, ret);
	EXPECT_EQ(variant->bursts, self->a.rescans && self->b.rescans);
	EXPECT_TRUE(is_childless());
}

/* Who has all children to himself need not know them. */
TEST_F(two, law_10_all_children)
{
	struct supervisor *s = &self->a;
	struct ioevq_event ev;
	struct rusage usage;
	siginfo_t info;
	int i;

	ASSERT_EQ(0, watch_child(&s->q, 0, variant->reserve, 1));
	for (i = 0; i < MANY; i++)
		ASSERT_EQ(0, start(s, i));
	for (i = 0; variant->bursts && i < MANY; i++)
		ASSERT_EQ(0, wait_until_zombie(s->pids[i]));
	while (count(s) < MANY) {
		ASSERT_EQ(1, next_event(&s->q, &ev));
		if (ioevq_reap(&ev, &info, &usage) == 1) {
			note(&info, &usage, s);
		} else if (ev.flags & IOEVQ_EVENT_RESCAN) {
			s->rescans++;
			ASSERT_LE(0, ioevq_rescan(NULL, 0, WEXITED, note, s));
		}
	}
	EXPECT_EQ(0, s->wrong);
	EXPECT_EQ(variant->bursts, !!s->rescans);
	EXPECT_TRUE(is_childless());
}

FIXTURE(reap)
{
	struct ioevq q;
	struct offspring c;
	siginfo_t info;
	struct rusage usage;
};

FIXTURE_SETUP(reap)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
}

FIXTURE_TEARDOWN(reap)
{
	ioevq_close(&self->q);
}

TEST_F(reap, law_10_what_an_event_tells)
{
	struct ioevq_event ev;
	pid_t pid;

	ASSERT_EQ(0, offspring(&self->c, exit_with, 5));
	pid = self->c.pid;
	ASSERT_EQ(0, watch_as(&self->q, ANY, 0, IOEVQ_CHILD_STOPPED | IOEVQ_CHILD_CONTINUED, 1));
	ASSERT_EQ(0, kill(pid, SIGSTOP));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	ASSERT_EQ(1, ioevq_reap(&ev, &self->info, NULL));
	EXPECT_EQ(CLD_STOPPED, self->info.si_code);
	EXPECT_EQ(SIGSTOP, self->info.si_status);
	EXPECT_EQ(0, ioevq_reap(&ev, &self->info, NULL));
	ASSERT_EQ(0, kill(pid, SIGCONT));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	ASSERT_EQ(1, ioevq_reap(&ev, &self->info, NULL));
	EXPECT_EQ(CLD_CONTINUED, self->info.si_code);
	EXPECT_EQ(0, ioevq_reap(&ev, &self->info, NULL));
	ASSERT_EQ(0, let_go(&self->c));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	ASSERT_EQ(1, ioevq_reap(&ev, &self->info, &self->usage));
	EXPECT_EQ(CLD_EXITED, self->info.si_code);
	EXPECT_EQ(pid, self->info.si_pid);
	EXPECT_EQ(5, self->info.si_status);
	EXPECT_LT(0, self->usage.ru_minflt);
	EXPECT_EQ(0, ioevq_reap(&ev, &self->info, &self->usage));
	EXPECT_TRUE(is_childless());
}

/* There is nothing to reap, and all is in the event. */
TEST_F(reap, law_10_what_the_kernel_has_reaped)
{
	struct ioevq_event ev;

	ASSERT_NE(SIG_ERR, signal(SIGCHLD, SIG_IGN));
	ASSERT_EQ(0, offspring(&self->c, exit_with, 5));
	ASSERT_EQ(0, watch_as(&self->q, BY_PID, self->c.pid, 0, 1));
	ASSERT_EQ(0, let_go(&self->c));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	ASSERT_EQ(1, ioevq_reap(&ev, &self->info, &self->usage));
	EXPECT_EQ(self->c.pid, self->info.si_pid);
	EXPECT_EQ(CLD_EXITED, self->info.si_code);
	EXPECT_EQ(5, self->info.si_status);
}

TEST_F(reap, law_14_what_is_no_end)
{
	struct ioevq_event ev = { .op = IOEVQ_OP_CHILD, .res = getpid() };

	ev.flags = IOEVQ_EVENT_RESCAN;
	EXPECT_EQ(-EAGAIN, ioevq_reap(&ev, &self->info, NULL));
	ev.flags = IOEVQ_EVENT_FOREIGN;
	EXPECT_EQ(0, ioevq_reap(&ev, &self->info, NULL));
	ev.flags = IOEVQ_EVENT_USAGE;
	EXPECT_EQ(0, ioevq_reap(&ev, &self->info, NULL));
	ev.flags = IOEVQ_EVENT_CLOSED;
	ev.res = 0;
	EXPECT_EQ(0, ioevq_reap(&ev, &self->info, NULL));
	ev.flags = 0;
	ev.res = -ECANCELED;
	EXPECT_EQ(0, ioevq_reap(&ev, &self->info, NULL));
	ev.op = IOEVQ_OP_POLL;
	EXPECT_EQ(-EINVAL, ioevq_reap(&ev, &self->info, NULL));
	EXPECT_EQ(-EINVAL, ioevq_rescan(NULL, 0, WEXITED | WNOWAIT, NULL, NULL));
	EXPECT_EQ(0, ioevq_rescan(NULL, 0, WEXITED, NULL, NULL));
}

/* As waitid(2) says it. */
TEST_F(reap, law_10_siginfo)
{
	static const struct {
		int status, code, value;
	} cases[] = {
		{ 5 << 8, CLD_EXITED, 5 },
		{ SIGKILL, CLD_KILLED, SIGKILL },
		{ SIGSEGV | 0x80, CLD_DUMPED, SIGSEGV },
		{ SIGTSTP << 8 | 0x7f, CLD_STOPPED, SIGTSTP },
		{ 0xffff, CLD_CONTINUED, SIGCONT },
	};
	struct ioevq_event ev = { .op = IOEVQ_OP_CHILD, .res = 77 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ev.data = cases[i].status | 1234ULL << 16;
		ioevq_child_siginfo(&ev, &self->info);
		EXPECT_EQ(SIGCHLD, self->info.si_signo);
		EXPECT_EQ(77, self->info.si_pid);
		EXPECT_EQ(cases[i].code, self->info.si_code);
		EXPECT_EQ(cases[i].value, self->info.si_status);
	}
}

TEST_HARNESS_MAIN

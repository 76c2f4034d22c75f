// SPDX-License-Identifier: GPL-2.0-only
/*
 * Laws 1, 9, 11 and 13 where a process goes while everything is under way, in a queue of its
 * own and in one that it shares: it exits, execs or is killed at the moment at which its
 * requests complete, are cancelled, or are served.
 */
#include <sys/prctl.h>

#include "fixed.h"
#include "race.h"
#include "readiness.h"

#define ROUNDS		2000
#define SHARED		6	/* requests of a process in the shared queue */
#define MESSAGE		SHARED
#define CANCEL		(SHARED + 1)
#define FENCE		(SHARED + 2)
#define HELD		"release:100,unwatch:50,detach:50,work:100,worked:100,complete:50,awake:50,put:50"
#define FILE_SIZE	(4 * PAGE)

/* The whole program is executed again, only to end. */
#define LAST_WORD	"IOEVQ_RACE_EXIT_EXEC"

__attribute__((constructor)) static void ended_by_exec(void)
{
	if (getenv(LAST_WORD))
		_exit(0);
}

/* Memory of both. */
struct common {
	int ready;
	int go;
	int accepted;		/* bit n: request n of the shared queue */
	int err;
};

struct crowd {
	struct ioevq q;		/* shared */
	struct ioevq own;
	struct common *common;
	struct hand h;
	int efd;		/* watched by both */
	int in[2];		/* a pipe; READ waits for the data */
	int file;
	char *page;		/* READ puts it there: in the memory of the child */
	char *seen;		/* a page to look at */
	char *fixed;		/* registered in the shared queue by the parent */
	int err;
};

FIXTURE(race_exit)
{
	struct crowd c;
	long users;
};

FIXTURE_VARIANT(race_exit)
{
	void (*leave)(struct crowd *c);
	bool killed;
};

static void leave_by_exit(struct crowd *c)
{
	while (!__atomic_load_n(&c->common->go, __ATOMIC_ACQUIRE))
		;
	_exit(0);
}

static void leave_by_exec(struct crowd *c)
{
	static char *const argv[] = { "race_exit", NULL };
	static char *const envp[] = { LAST_WORD "=1", NULL };

	while (!__atomic_load_n(&c->common->go, __ATOMIC_ACQUIRE))
		;
	execve("/proc/self/exe", argv, envp);
	_exit(1);
}

static void be_killed(struct crowd *c)
{
	(void)c;
	for (;;)
		pause();
}

FIXTURE_VARIANT_ADD(race_exit, exit) { leave_by_exit, false };
FIXTURE_VARIANT_ADD(race_exit, exec) { leave_by_exec, false };
FIXTURE_VARIANT_ADD(race_exit, kill) { be_killed, true };

FIXTURE_SETUP(race_exit)
{
	struct crowd *c = &self->c;

	(void)variant;
	memset(c, 0, sizeof(*c));
	self->users = module_users();
	c->common = mmap(NULL, sizeof(*c->common), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, c->common);
	c->page = pages(PAGE);
	c->fixed = pages(PAGE);
	c->seen = pages(PAGE);
	pattern(c->page, PAGE, 0, 1);
	pattern(c->fixed, PAGE, 0, 2);
	c->efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ASSERT_EQ(0, pipe2(c->in, O_NONBLOCK | O_CLOEXEC));
	c->file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	ASSERT_EQ(0, ftruncate(c->file, FILE_SIZE));
	ASSERT_EQ(0, ioevq_open(&c->q, 4, 0));
	ASSERT_EQ(0, register_one(&c->q, c->fixed, PAGE));
	ASSERT_EQ(0, hold(HELD));
}

FIXTURE_TEARDOWN(race_exit)
{
	(void)variant;
	EXPECT_EQ(0, hold(""));
	EXPECT_EQ(0, requests(&self->c.q));
	EXPECT_TRUE(quiet(&self->c.q));
	ioevq_close(&self->c.q);
	EXPECT_TRUE(eventually(module_users() == self->users));
	EXPECT_EQ(0, pinned());
}

/* What the child asks the shared queue for; user data from 0. */
static void ask_shared(struct crowd *c)
{
	struct ioevq_req reqs[SHARED];
	int i;

	ioevq_prep_read(&reqs[0], c->in[0], c->page, 1, IOEVQ_POSITION, 0);
	ioevq_prep_child(&reqs[1], 0, 4, 1);
	ioevq_prep_poll(&reqs[2], c->efd, POLLIN, IOEVQ_POLL_ONESHOT, 2);
	/* By workers, who put it where only the child sees it. */
	ioevq_prep_read(&reqs[3], c->file, c->page + 8, 64, IOEVQ_POSITION, 3);
	ioevq_prep_fsync(&reqs[4], c->file, 0, 4);
	ioevq_prep_write_fixed(&reqs[5], c->file, c->fixed, PAGE, 2 * PAGE, 0, 5);
	for (i = 0; i < SHARED; i++) {
		if (submit(&c->q, &reqs[i]))
			c->common->err = 1;
		else
			c->common->accepted |= 1 << i;
	}
}

/* In a queue that goes with it. */
static void ask_own(struct crowd *c)
{
	static char buf[64];
	struct ioevq_req reqs[6];
	unsigned int i;

	if (ioevq_open(&c->own, 4, 0) || register_one(&c->own, c->fixed, PAGE))
		c->common->err = 2;
	ioevq_prep_poll(&reqs[0], c->efd, POLLIN, IOEVQ_POLL_EDGE, 0);
	ioevq_prep_timer(&reqs[1], 0, 1000, 100000, 1);
	ioevq_prep_fsync(&reqs[2], c->file, 0, 2);
	ioevq_prep_write(&reqs[3], c->file, buf, sizeof(buf), IOEVQ_POSITION, 3);
	ioevq_prep_child(&reqs[4], 0, 4, 4);
	ioevq_prep_read_fixed(&reqs[5], c->file, c->fixed, 64, 0, 0, 5);
	for (i = 0; i < ARRAY_SIZE(reqs); i++)
		if (submit(&c->own, &reqs[i]))
			c->common->err = 3;
}

static void *sleep_in_own(void *crowd)
{
	struct ioevq_event evs[8];
	struct crowd *c = crowd;

	for (;;)
		enter_wait(&c->own, evs, 1, ARRAY_SIZE(evs), -1);
	return NULL;
}

/* It takes nothing, but may have been chosen to come for something. */
static void *sleep_in_shared(void *crowd)
{
	struct crowd *c = crowd;

	for (;;)
		enter_wait(&c->q, NULL, 1, 0, -1);
	return NULL;
}

static void child(struct crowd *c, void (*leave)(struct crowd *c))
{
	pthread_t threads[2];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	ask_own(c);
	if (pthread_create(&threads[0], NULL, sleep_in_own, c) ||
	    pthread_create(&threads[1], NULL, sleep_in_shared, c))
		c->common->err = 4;
	/* Only the parent's is the memory that others must not touch. */
	memset(c->page, 0, PAGE);
	ask_shared(c);
	__atomic_store_n(&c->common->ready, 1, __ATOMIC_RELEASE);
	leave(c);
}

/* What others do meanwhile. */
static void hit(void *crowd)
{
	struct crowd *c = crowd;

	c->err |= eventfd_write(c->efd, 1);
	c->err |= write(c->in[1], "x", 1) != 1;
	c->err |= ioevq_post(&c->q, SHARED, 0, 0);
}

/*
 * All that was told until the fence, which is in the queue: 0 if each that was accepted has
 * ended once, with a result that is left in @res.
 */
static int take_all(struct crowd *c, int64_t *res)
{
	int ended = 0, messages = 0;
	struct ioevq_event ev;

	for (;;) {
		if (next_event(&c->q, &ev) != 1)
			return -1;
		if (ev.user_data == FENCE)
			break;
		messages += ev.user_data == MESSAGE;
		if (ev.user_data >= SHARED)
			continue;
		if (ended & 1 << ev.user_data)
			return -2;
		if (!(ev.flags & IOEVQ_EVENT_MORE))
			ended |= 1 << ev.user_data;
		res[ev.user_data] = ev.res;
	}
	return messages == 1 && ended == c->common->accepted ? 0 : -3;
}

/* After the round: what was told is true, and what is ours is as it was. */
static int check(struct crowd *c, const int64_t *res)
{
	static const char zeros[PAGE];
	char byte, *seen = c->seen;
	eventfd_t value;

	/* The byte went to the child, or nowhere. */
	if (read(c->in[0], &byte, 1) != (res[0] == 1 ? -1 : 1))
		return -1;
	if (eventfd_read(c->efd, &value) || value != 1)
		return -2;
	/* What is registered is the parent's, and so was written: all of it or nothing. */
	if (!is_pattern(c->page, PAGE, 0, 1) || !is_pattern(c->fixed, PAGE, 0, 2))
		return -3;
	if (pread(c->file, seen, PAGE, 2 * PAGE) != PAGE)
		return -4;
	if (res[5] == PAGE ? !is_pattern(seen, PAGE, 0, 2) :
	    res[5] != -ECANCELED || memcmp(seen, zeros, PAGE))
		return -5;
	if (pwrite(c->file, zeros, PAGE, 2 * PAGE) != PAGE || lseek(c->file, 0, SEEK_SET))
		return -6;
	return requests(&c->q) ? -7 : 0;
}

TEST_F_TIMEOUT(race_exit, law_11_gone_against_everything, 600)
{
	unsigned int i, served = 0;
	struct crowd *c = &self->c;
	int64_t res[SHARED] = {};
	time_t end = 0;
	int status;
	pid_t pid;

	ASSERT_EQ(0, hand_start(&c->h, hit, c));
	for (i = 0; goes_on(i, ROUNDS, &end); i++) {
		memset(c->common, 0, sizeof(*c->common));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			child(c, variant->leave);
		ASSERT_TRUE(eventually(__atomic_load_n(&c->common->ready, __ATOMIC_ACQUIRE)));
		ASSERT_EQ(0, c->common->err);
		c->h.delay = (long)(i * 7919 % 20011) - 10000;
		strike(&c->h);
		__atomic_store_n(&c->common->go, 1, __ATOMIC_RELEASE);
		if (variant->killed)
			ASSERT_EQ(0, kill(pid, SIGKILL));
		/* Before it is gone, or after. */
		if (i & 1)
			ASSERT_EQ(0, ioevq_cancel(&c->q, 0, CANCEL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_EQ(variant->killed ? SIGKILL : 0, status);
		ASSERT_TRUE(landed(&c->h));
		ASSERT_EQ(0, c->err);
		ASSERT_EQ(0, ioevq_cancel_all(&c->q, FENCE));
		ASSERT_EQ(0, take_all(c, res))
			TH_LOG("round %u", i);
		ASSERT_EQ(0, check(c, res))
			TH_LOG("round %u", i);
		served += res[0] == 1;
		ASSERT_TRUE(eventually(module_users() == self->users + 1));
	}
	ASSERT_EQ(0, hand_stop(&c->h));
	TH_LOG("it was served in %u of them", served);
	EXPECT_EQ(0, query(&c->q).waiting);
	EXPECT_TRUE(all_passed(HELD));
}

TEST_HARNESS_MAIN

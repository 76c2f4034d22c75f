// SPDX-License-Identifier: GPL-2.0-only
/* Laws 7 and 11: consumers that die, become another program, or outlive their queue. */
#include "offspring.h"
#include "sleeper.h"
#include "worker.h"

FIXTURE(end)
{
	struct ioevq q;
	struct sleeper s;
	long users;
};

FIXTURE_SETUP(end)
{
	self->users = module_users();
	ASSERT_EQ(0, ioevq_open(&self->q, 16, 0));
	ASSERT_EQ(0, ioevq_set_concurrency(&self->q, 1));
}

FIXTURE_TEARDOWN(end)
{
	if (self->q.ring)
		ioevq_close(&self->q);
	EXPECT_TRUE(eventually(module_users() == self->users));
}

enum end { BY_SIGNAL, BY_EXIT, BY_EXEC };

/* Takes an event, so has the slot, and ends on a word, or runs on as somebody else. */
static int take_and_end(struct offspring *c, long how)
{
	const struct ioevq q = { .fd = (int)(how >> 8) };
	struct ioevq_event ev;

	if (enter_wait(&q, &ev, 1, 1, BOUND_NS) != 1)
		return 90;
	say(c);
	if ((how & 0xff) == BY_EXEC) {
		execl("/bin/sh", "sh", "-c", "while :; do :; done", NULL);
		return 91;
	}
	if ((how & 0xff) == BY_EXIT)
		return 0;
	for (;;)
		;
}

static int is_called(pid_t pid, const char *name)
{
	char path[64], buf[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	fd = open(path, O_RDONLY);
	if (read(fd, buf, sizeof(buf) - 1) < 0)
		buf[0] = 0;
	close(fd);
	return !strcmp(buf, name);
}

static void end_of_a_process(struct __test_metadata *_metadata,
			     struct _test_data_end *self, enum end how)
{
	struct offspring c;
	char word;
	int status;

	ASSERT_EQ(0, offspring(&c, take_and_end, (long)self->q.fd << 8 | how));
	ASSERT_TRUE(put_to_sleep(&self->s, &self->q, 1, 1, BOUND_NS));
	ASSERT_EQ(0, let_go(&c));
	ASSERT_TRUE(eventually(query(&self->q).waiting == 2));
	/* Two events: the child has the first, and the slot. */
	ASSERT_EQ(0, ioevq_post(&self->q, 1, 0, 0));
	ASSERT_EQ(1, read(c.said, &word, 1));
	ASSERT_EQ(0, ioevq_post(&self->q, 2, 0, 0));
	if (how == BY_SIGNAL) {
		EXPECT_TRUE(sleeps(&self->s));
		EXPECT_EQ(1, query(&self->q).runnable);
		ASSERT_EQ(0, kill(c.pid, SIGKILL));
	}
	EXPECT_EQ(1, woken(&self->s));
	EXPECT_EQ(2, self->s.evs[0].user_data);
	if (how == BY_EXEC) {
		/* It has what it needs, and runs on as nobody's consumer. */
		EXPECT_TRUE(eventually(is_called(c.pid, "sh\n") &&
				       thread_state(c.pid, c.pid) == 'R' &&
				       query(&self->q).runnable == 0));
		EXPECT_TRUE(eventually(module_users() == self->users + 1));
		ASSERT_EQ(0, kill(c.pid, SIGKILL));
	}
	ASSERT_EQ(c.pid, waitpid(c.pid, &status, 0));
	EXPECT_EQ(how == BY_EXIT ? 0 : SIGKILL, status);
	EXPECT_TRUE(eventually(query(&self->q).runnable == 0));
	/* Nothing of it is left: the queue's own reference alone. */
	EXPECT_TRUE(eventually(module_users() == self->users + 1));
	offspring_close(&c);
}

TEST_F(end, law_07_a_process_is_killed)
{
	end_of_a_process(_metadata, self, BY_SIGNAL);
}

TEST_F(end, law_07_a_process_exits)
{
	end_of_a_process(_metadata, self, BY_EXIT);
}

TEST_F(end, law_07_a_process_becomes_another_program)
{
	end_of_a_process(_metadata, self, BY_EXEC);
}

#define EXEC_FD		"IOEVQ_TEST_FD"
#define EXEC_STAY	"IOEVQ_TEST_STAY=1"

/*
 * This program, started by the tests below: its first system call is a wait. It may stay after
 * that, asleep, without the queue.
 */
__attribute__((constructor)) static void started_by_exec(void)
{
	const char *fd = getenv(EXEC_FD);
	struct ioevq_event ev;
	struct ioevq q;

	if (!fd)
		return;
	q.fd = strtol(fd, NULL, 10);
	if (enter_wait(&q, &ev, 1, 1, BOUND_NS) != 1 || ev.user_data != 2)
		_exit(80);
	if (!getenv("IOEVQ_TEST_STAY"))
		_exit(0);
	close(q.fd);
	for (;;)
		pause();
}

/* Takes an event, and becomes this program again, if it can without being preempted. */
static int become(int fd, char *stay)
{
	const struct ioevq q = { .fd = fd };
	struct sched_param param = { .sched_priority = 1 };
	char name[64], *const argv[] = { "again", NULL }, *const env[] = { name, stay, NULL };
	struct ioevq_event ev;

	snprintf(name, sizeof(name), EXEC_FD "=%d", fd);
	fcntl(fd, F_SETFD, 0);
	sched_setscheduler(0, SCHED_FIFO, &param);
	if (enter_wait(&q, &ev, 1, 1, BOUND_NS) != 1)
		return 90;
	execve("/proc/self/exe", argv, env);
	return 91;
}

static int take_and_exec(struct offspring *c, long fd)
{
	say(c);
	return become((int)fd, NULL);
}

static void *become_in_a_thread(void *arg)
{
	_exit(become((int)(long)arg, EXEC_STAY));
}

static int thread_takes_and_execs(struct offspring *c, long fd)
{
	pthread_t thread;

	say(c);
	if (pthread_create(&thread, NULL, become_in_a_thread, (void *)fd))
		return 92;
	for (;;)
		pause();
}

/* Another program, but the same thread, and it waits again: one consumer, one slot. */
TEST_F(end, law_07_exec_and_wait_again)
{
	struct ioevq_event ev;
	struct offspring c;
	int i, status;
	char word;

	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, offspring(&c, take_and_exec, self->q.fd));
		ASSERT_EQ(0, let_go(&c));
		ASSERT_EQ(1, read(c.said, &word, 1));
		ASSERT_EQ(0, ioevq_post(&self->q, 1, 0, 0));
		ASSERT_TRUE(eventually(query(&self->q).available == 0 &&
				       query(&self->q).waiting == 1));
		ASSERT_EQ(0, ioevq_post(&self->q, 2, 0, 0));
		ASSERT_EQ(c.pid, waitpid(c.pid, &status, 0));
		ASSERT_EQ(0, status);
		ASSERT_TRUE(eventually(query(&self->q).runnable == 0));
		ASSERT_TRUE(eventually(module_users() == self->users + 1));
		offspring_close(&c);
	}
	/* Nobody has kept the slot. */
	ASSERT_EQ(0, ioevq_post(&self->q, 3, 0, 0));
	EXPECT_EQ(1, ioevq_wait(&self->q, &ev, 1, 1, 0));
}

/* A thread that becomes the leader by its exec has another number: it is found by that. */
TEST_F(end, law_11_the_queue_ends_after_the_exec_of_a_thread)
{
	struct offspring c;
	char word;

	ASSERT_EQ(0, offspring(&c, thread_takes_and_execs, self->q.fd));
	ASSERT_EQ(0, let_go(&c));
	ASSERT_EQ(1, read(c.said, &word, 1));
	ASSERT_EQ(0, ioevq_post(&self->q, 1, 0, 0));
	ASSERT_TRUE(eventually(query(&self->q).available == 0 && query(&self->q).waiting == 1));
	ASSERT_EQ(0, ioevq_post(&self->q, 2, 0, 0));
	ASSERT_TRUE(eventually(query(&self->q).available == 0 && query(&self->q).runnable == 0 &&
			       thread_state(c.pid, c.pid) == 'S'));
	EXPECT_EQ(self->users + 2, module_users());
	ioevq_close(&self->q);
	self->q.ring = NULL;
	EXPECT_TRUE(eventually(module_users() == self->users));
	ASSERT_EQ(0, kill(c.pid, SIGKILL));
	ASSERT_EQ(c.pid, waitpid(c.pid, NULL, 0));
	offspring_close(&c);
}

static void *take_and_return(void *arg)
{
	struct ioevq_event ev;

	return (void *)(long)enter_wait(arg, &ev, 1, 1, BOUND_NS);
}

TEST_F(end, law_07_a_thread_ends)
{
	pthread_t thread;
	void *ret;

	ASSERT_TRUE(put_to_sleep(&self->s, &self->q, 1, 1, BOUND_NS));
	ASSERT_EQ(0, pthread_create(&thread, NULL, take_and_return, &self->q));
	ASSERT_TRUE(eventually(query(&self->q).waiting == 2));
	ASSERT_EQ(0, ioevq_post(&self->q, 1, 0, 0));
	ASSERT_EQ(0, ioevq_post(&self->q, 2, 0, 0));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(1, (long)ret);
	EXPECT_EQ(1, woken(&self->s));
	EXPECT_TRUE(eventually(query(&self->q).runnable == 0));
	EXPECT_TRUE(eventually(module_users() == self->users + 1));
}

/* A child of a consumer is none. */
TEST_F(end, law_07_fork)
{
	struct ioevq_event ev;
	pid_t pid;

	ASSERT_EQ(0, ioevq_wait(&self->q, &ev, 1, 1, 0));
	EXPECT_EQ(1, query(&self->q).runnable);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		for (;;)
			;
	ASSERT_TRUE(eventually(thread_state(pid, pid) == 'R'));
	EXPECT_EQ(1, query(&self->q).runnable);
	EXPECT_EQ(self->users + 2, module_users());
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ(1, query(&self->q).runnable);
}

static int fds[2];

/* A consumer that never comes back: it reads elsewhere, or computes. */
static void *take_and_read(void *arg)
{
	struct worker *w = arg;
	struct ioevq_event ev;
	char c;

	w->tid = gettid();
	w->jobs = enter_wait(w->q, &ev, 1, 1, BOUND_NS);
	set(&w->ret);
	w->jobs = read(fds[0], &c, 1);
	return NULL;
}

static void *take_and_spin(void *arg)
{
	struct worker *w = arg;
	struct ioevq_event ev;

	enter_wait(w->q, &ev, 1, 1, BOUND_NS);
	set(&w->ret);
	while (!is_set(&w->jobs))
		;
	return NULL;
}

/* The queue is closed, its consumers live on: nothing of it is left, and they notice nothing. */
TEST_F(end, law_11_the_queue_ends_first)
{
	struct worker w[6] = {};
	int i, n = ARRAY_SIZE(w);

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(0, ioevq_set_concurrency(&self->q, 100));
	for (i = 0; i < n; i++) {
		w[i].q = &self->q;
		ASSERT_EQ(0, pthread_create(&w[i].thread, NULL,
					    i < 3 ? take_and_read : take_and_spin, &w[i]));
	}
	ASSERT_TRUE(eventually(query(&self->q).waiting == (unsigned int)n));
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, ioevq_post(&self->q, i, 0, 0));
	for (i = 0; i < n; i++)
		ASSERT_TRUE(eventually(is_set(&w[i].ret)));
	ASSERT_TRUE(eventually(query(&self->q).runnable == 3));
	EXPECT_EQ(self->users + 1 + n, module_users());
	ioevq_close(&self->q);
	self->q.ring = NULL;
	EXPECT_TRUE(eventually(module_users() == self->users));
	/* They may have been made to run for a moment. */
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(eventually(thread_state(getpid(), w[i].tid) == 'S'));
	ASSERT_EQ(3, write(fds[1], "xyz", 3));
	for (i = 3; i < n; i++)
		set(&w[i].jobs);
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, pthread_join(w[i].thread, NULL));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(1, w[i].jobs);
	close(fds[0]);
	close(fds[1]);
}

/* The closed queue's consumer waits on another one, and belongs to that. */
TEST_F(end, law_07_from_a_closed_queue_to_another)
{
	struct ioevq_event ev;
	struct ioevq q;
	int i;

	ASSERT_EQ(0, ioevq_wait(&self->q, &ev, 1, 1, 0));
	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, ioevq_open(&q, 0, 0));
		ASSERT_EQ(0, ioevq_set_concurrency(&q, 2));
		ASSERT_EQ(0, ioevq_post(&q, i, 0, 0));
		ASSERT_EQ(1, ioevq_wait(&q, &ev, 1, 1, 0));
		EXPECT_EQ(1, query(&q).runnable);
		EXPECT_EQ(0, query(&self->q).runnable);
		ioevq_close(&q);
		/* One that is closed by others, too. */
		if (i & 1)
			ASSERT_EQ(0, ioevq_wait(&self->q, &ev, 1, 1, 0));
	}
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything at once: threads that submit, cancel, close, write and take at random
 * (by a fixed seed), and processes that are killed in the midst of it. What is
 * counted is law 1 with law 9: every accepted request has had one final event when
 * the event of a cancel of all of them has been taken.
 */
#include "expect.h"

#define THREADS		4
#define ROUNDS		1500
#define FILES		8
#define FENCE		(1ULL << 40)

struct storm {
	struct ioevq q;
	int file;			/* to read */
	int fds[FILES][2];		/* pipes that are opened and closed all the time */
	pthread_mutex_t lock[FILES];
	uint64_t accepted;		/* requests that end in an event for us */
	uint64_t final;
	char buf[THREADS][4096];
};

struct stormer {
	struct storm *s;
	unsigned int id;
	unsigned int seed;
};

static unsigned int random_of(struct stormer *t, unsigned int n)
{
	/* The constants of POSIX's example of rand(). */
	t->seed = t->seed * 1103515245 + 12345;
	return (t->seed >> 16) % n;
}

static void take_all(struct storm *s)
{
	struct ioevq_event ev;

	while (ioevq_take(&s->q, &ev) == 1)
		if (!(ev.flags & IOEVQ_EVENT_MORE))
			__atomic_add_fetch(&s->final, 1, __ATOMIC_RELAXED);
}

static void change_file(struct stormer *t)
{
	unsigned int i = random_of(t, FILES);
	struct storm *s = t->s;

	pthread_mutex_lock(&s->lock[i]);
	if (random_of(t, 2)) {
		close(s->fds[i][0]);
		close(s->fds[i][1]);
		if (pipe2(s->fds[i], O_CLOEXEC | O_NONBLOCK))
			abort();
	} else if (write(s->fds[i][1], "x", 1) < 0 && errno != EAGAIN) {
		abort();
	}
	pthread_mutex_unlock(&s->lock[i]);
}

static void *storm_thread(void *arg)
{
	struct stormer *t = arg;
	struct storm *s = t->s;
	unsigned int round;

	for (round = 0; round < ROUNDS; round++) {
		int fd = s->fds[random_of(t, FILES)][0];
		struct ioevq_req req;

		switch (random_of(t, 8)) {
		case 0:
			change_file(t);
			continue;
		case 1:
			take_all(s);
			continue;
		case 2:
			ioevq_prep_poll(&req, fd, POLLIN, IOEVQ_POLL_EDGE, random_of(t, 64));
			break;
		case 3:
			ioevq_prep_poll(&req, fd, POLLIN, IOEVQ_POLL_ONESHOT, random_of(t, 64));
			break;
		case 4:
			ioevq_prep_read(&req, s->file, s->buf[t->id], 4096, 4096 * random_of(t, 64),
					random_of(t, 64));
			break;
		case 5:
			ioevq_prep_fsync(&req, s->file, 0, random_of(t, 64));
			break;
		case 6:
			ioevq_prep_cancel(&req, IOEVQ_CANCEL_USER_DATA, random_of(t, 64), -1, 0,
					  64);
			break;
		default:
			ioevq_prep_cancel(&req, IOEVQ_CANCEL_FD, 0, fd, 0, 64);
		}
		/* Before the event can be counted. A refusal (closed file) takes it back. */
		__atomic_add_fetch(&s->accepted, 1, __ATOMIC_RELAXED);
		if (ioevq_submit(&s->q, &req, 1) != 1)
			__atomic_sub_fetch(&s->accepted, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* The storm itself; false if it could not be set up. */
static bool storm(struct storm *s, unsigned int seed)
{
	char path[] = "/tmp/ioevq-torture-XXXXXX";
	struct stormer t[THREADS];
	pthread_t threads[THREADS];
	unsigned int i;

	s->file = mkstemp(path);
	if (s->file < 0 || unlink(path) || ftruncate(s->file, 64 * 4096))
		return false;
	if (ioevq_open(&s->q, 16, 0))
		return false;
	for (i = 0; i < FILES; i++) {
		pthread_mutex_init(&s->lock[i], NULL);
		if (pipe2(s->fds[i], O_CLOEXEC | O_NONBLOCK))
			return false;
	}
	for (i = 0; i < THREADS; i++) {
		t[i] = (struct stormer) { .s = s, .id = i, .seed = seed + i };
		if (pthread_create(&threads[i], NULL, storm_thread, &t[i]))
			return false;
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	return true;
}

TEST(law_01_one_final_event_in_a_storm)
{
	static struct storm s;
	struct ioevq_event ev;
	bool fence = false;

	ASSERT_TRUE(storm(&s, 1));
	ASSERT_EQ(0, ioevq_cancel_all(&s.q, FENCE));
	while (!fence) {
		ASSERT_EQ(1, ioevq_wait(&s.q, &ev, 1, 1, BOUND_NS));
		if (ev.user_data == FENCE)
			fence = true;
		else if (!(ev.flags & IOEVQ_EVENT_MORE))
			s.final++;
	}
	EXPECT_EQ(s.accepted, s.final);
	EXPECT_EQ(0, ioevq_take(&s.q, &ev));
	EXPECT_EQ(0, query(&s.q).available);
	ioevq_close(&s.q);
}

TEST(law_11_death_is_clean_in_a_storm)
{
	struct storm *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long users = module_users();
	unsigned int i;

	ASSERT_NE(MAP_FAILED, s);
	ASSERT_LE(0, users);
	/* Killed at another moment each time: when so many requests were accepted. */
	for (i = 0; i < 8; i++) {
		int status;
		pid_t pid;

		memset(s, 0, sizeof(*s));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			_exit(!storm(s, i));
		ASSERT_TRUE(eventually(__atomic_load_n(&s->accepted, __ATOMIC_RELAXED) >
				       i * 200));
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		if (WIFEXITED(status))
			EXPECT_EQ(0, WEXITSTATUS(status));
		/* Its queue is gone, and all I/O of it. */
		EXPECT_TRUE(eventually(module_users() == users));
	}
	munmap(s, sizeof(*s));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Laws 11 and 13: a socket that lingers when it is closed, for as long as its peer likes, and
 * whose last reference is the one that a request had for a moment. Nobody waits for that who
 * need not, and by no means another user.
 */
#include "kinds_socket.h"
#include "slow_io.h"
#include "users.h"

/* More than the works that one workqueue runs at a time where nothing else is said: 256. */
#define CLOSES	272

/*
 * Its buffers are full, so that it has something to linger for; and there is one byte to read.
 * The peer's is small before it connects: what does not fit in there, though it was offered to
 * take it, is dropped, and sent again some time.
 */
static int make_lingering(struct thing *t)
{
	static const struct linger patient = { .l_onoff = 1, .l_linger = 3600 };
	static const int small = 4096;
	int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char buf[4096] = "";

	if (setsockopt(peer, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)) ||
	    make_tcp_with(t, peer) ||
	    setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &patient, sizeof(patient)) ||
	    setsockopt(t->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) ||
	    write(t->peer, "x", 1) != 1 || !kind_poll(t->fd, POLLIN))
		return -1;
	while (write(t->fd, buf, sizeof(buf)) > 0)
		;
	return errno == EAGAIN ? 0 : -1;
}

/* A thread that reads one byte into memory that is missing, until it is told to come back. */
struct reader {
	struct ioevq q;
	int fd;
	char *to;
	int ret;
	int done;
	pid_t tid;
	pthread_t thread;
};

static void *read_one(void *arg)
{
	struct reader *r = arg;
	struct ioevq_req req;

	__atomic_store_n(&r->tid, gettid(), __ATOMIC_RELEASE);
	ioevq_prep_read(&req, r->fd, r->to, 1, IOEVQ_POSITION, 1);
	r->ret = submit(&r->q, &req);
	__atomic_store_n(&r->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* The file is closed while the request is at it: then its reference is the last. */
static int close_beneath(struct reader *r, const struct slow_io *s, unsigned int page)
{
	r->to = s->pages + page * SLOW_PAGE;
	if (pthread_create(&r->thread, NULL, read_one, r) || slow_started(s) || close(r->fd))
		return -1;
	return slow_finish(s, page);
}

/* What it read is there, and it waits for the release of the file, or has waited. */
static int waits(const struct reader *r)
{
	return __atomic_load_n(r->to, __ATOMIC_ACQUIRE) == 'x' &&
	       (is_asleep(r->tid) || __atomic_load_n(&r->done, __ATOMIC_ACQUIRE));
}

struct crowd {
	struct door d;
	int closes;
};

static int close_many(struct offspring *c, long arg)
{
	static struct reader readers[CLOSES];
	struct crowd *crowd = (struct crowd *)arg;
	struct slow_io s;
	int i;

	if (slow_make_of(&s, CLOSES) || become(ALICE))
		return 1;
	/* At the end it closes these first: the queues, for which there may be a wait, last. */
	for (i = 0; i < CLOSES; i++) {
		struct thing t = { .fd = -1, .peer = -1, .aux = -1 };

		if (make_lingering(&t))
			return 2;
		readers[i].fd = t.fd;
	}
	for (i = 0; i < CLOSES; i++)
		if (enter_by(&readers[i].q, &crowd->d, 4))
			return 2;
	for (i = 0; i < CLOSES; i++) {
		struct reader *r = &readers[i];

		if (close_beneath(r, &s, i) || !eventually(waits(r)))
			return 3;
		crowd->closes++;
	}
	/* Not one of them has come to an end. */
	for (i = 0; i < CLOSES; i++)
		if (__atomic_load_n(&readers[i].done, __ATOMIC_ACQUIRE))
			return 4;
	say(c);
	await_go(c);
	return 0;
}

/* The same with a socket that does not linger: its peer sees the end, whatever others do. */
static int close_one(struct offspring *c, long arg)
{
	const struct crowd *crowd = (const struct crowd *)arg;
	struct reader r = {};
	struct slow_io s;
	int sock[2];
	char end;

	(void)c;
	if (slow_make(&s) || become(BOB) || enter_by(&r.q, &crowd->d, 4) ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, sock) || write(sock[1], "x", 1) != 1)
		return 1;
	r.fd = sock[0];
	if (close_beneath(&r, &s, 0))
		return 2;
	if (!eventually(recv(sock[1], &end, 1, MSG_DONTWAIT) == 0))
		return 3;
	if (!eventually(__atomic_load_n(&r.done, __ATOMIC_ACQUIRE)))
		return 4;
	return r.ret || *r.to != 'x' ? 5 : 0;
}

FIXTURE(linger)
{
	struct crowd *crowd;		/* shared */
	struct offspring c;
	long users;
};

FIXTURE_SETUP(linger)
{
	self->users = module_users();
	self->crowd = mmap(NULL, sizeof(*self->crowd), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->crowd);
	ASSERT_EQ(0, door_make(&self->crowd->d, 0666, 0));
}

FIXTURE_TEARDOWN(linger)
{
	door_end(&self->crowd->d);
	/* Else it would be counted by the next one. */
	EXPECT_TRUE(eventually(module_users() == self->users));
}

TEST_F_TIMEOUT(linger, law_13_of_another_user, 600)
{
	ASSERT_EQ(0, run_until_it_says(&self->c, close_many, (long)self->crowd))
		TH_LOG("status %d, %d closes", status_of(&self->c), self->crowd->closes);
	EXPECT_EQ(0, run_to_its_end(close_one, (long)self->crowd));
	ASSERT_EQ(0, kill(self->c.pid, SIGKILL));
	EXPECT_TRUE(eventually(waitpid(self->c.pid, NULL, WNOHANG) == self->c.pid));
}

static int close_and_wait(struct offspring *c, long arg)
{
	const struct thing *t = (const struct thing *)arg;
	struct reader r = { .fd = t->fd };
	struct slow_io s;

	close(t->peer);
	if (slow_make(&s) || ioevq_open(&r.q, 4, 0) || close_beneath(&r, &s, 0) ||
	    !eventually(waits(&r)))
		return 1;
	if (__atomic_load_n(&r.done, __ATOMIC_ACQUIRE))
		return 2;
	say(c);
	await_go(c);
	return 0;
}

/* The peer is alive, and reads nothing: the process ends all the same, and its queue. */
TEST_F(linger, law_11_of_a_process_that_is_killed)
{
	struct thing t = { .fd = -1, .peer = -1, .aux = -1 };
	char buf[4096];

	ASSERT_EQ(0, make_lingering(&t));
	ASSERT_EQ(0, offspring(&self->c, close_and_wait, (long)&t));
	ASSERT_EQ(0, close(t.fd));
	ASSERT_EQ(0, let_go(&self->c));
	close(self->c.say);
	ASSERT_EQ(1, read(self->c.said, buf, 1));
	ASSERT_EQ(0, kill(self->c.pid, SIGKILL));
	EXPECT_TRUE(eventually(waitpid(self->c.pid, NULL, WNOHANG) == self->c.pid));
	/* With what is left in it the peer decides how long. */
	EXPECT_EQ(self->users + 1, module_users());
	while (read(t.peer, buf, sizeof(buf)) > 0)
		;
	EXPECT_TRUE(eventually(module_users() == self->users));
	close(t.peer);
}

/* Two more than a queue has for nothing (MAX_FREE in module/release.c). */
#define MOST_AT_ONCE	66

struct closer {
	struct ioevq q;
	struct thing t[MOST_AT_ONCE];
	unsigned int nr;
	pid_t tid;
	int ret;
	pthread_t thread;
};

/* Closes them, and goes to sleep until he is told of it. */
static void *close_all(void *arg)
{
	struct closer *c = arg;
	struct ioevq_event evs[MOST_AT_ONCE];
	struct ioevq_req reqs[MOST_AT_ONCE];
	struct ioevq_enter enter = {
		.reqs = (uintptr_t)reqs, .nr_reqs = c->nr, .events = (uintptr_t)evs, .min = c->nr,
		.max = c->nr, .timeout_ns = BOUND_NS,
	};
	unsigned int i;

	__atomic_store_n(&c->tid, gettid(), __ATOMIC_RELEASE);
	for (i = 0; i < c->nr; i++)
		ioevq_prep_close(&reqs[i], c->t[i].fd, i);
	c->ret = ioevq_enter(&c->q, &enter);
	return NULL;
}

/* Whoever looked at the descriptors might have the last reference, for a moment, and linger. */
static int has_closed(const struct closer *c)
{
	return query(&c->q).available == c->nr &&
	       is_asleep(__atomic_load_n(&c->tid, __ATOMIC_ACQUIRE));
}

static int closer_make(struct closer *c, unsigned int nr)
{
	char x;

	memset(c, 0, sizeof(*c));
	if (ioevq_open(&c->q, 128, 0))
		return -1;
	for (; c->nr < nr; c->nr++)
		/* With something to read it would be a reset. */
		if (make_lingering(&c->t[c->nr]) || read(c->t[c->nr].fd, &x, 1) != 1)
			return -1;
	return 0;
}

/* The peers see the end. */
static int closer_end(struct closer *c)
{
	char buf[4096];
	unsigned int i;

	for (i = 0; i < c->nr; i++) {
		if (!eventually(recv(c->t[i].peer, buf, sizeof(buf), MSG_DONTWAIT) == 0))
			return -1;
		close(c->t[i].peer);
	}
	return pthread_join(c->thread, NULL);
}

/* The queue is there for its other users: those who submit, too. */
TEST_F(linger, law_02_those_who_close_keep_nobody)
{
	int fd = eventfd(1, EFD_CLOEXEC), i;
	struct closer c;

	ASSERT_EQ(0, closer_make(&c, 2));
	ASSERT_EQ(0, pthread_create(&c.thread, NULL, close_all, &c));
	ASSERT_TRUE(eventually(has_closed(&c)));
	for (i = 0; i < 100; i++)
		ASSERT_EQ(0, watch(&c.q, fd, POLLIN, IOEVQ_POLL_ONESHOT, i));
	EXPECT_EQ(102, query(&c.q).available);
	ASSERT_EQ(0, closer_end(&c));
	EXPECT_EQ(2, c.ret);
	close(fd);
	ioevq_close(&c.q);
}

/* Files that take long count as requests then; where that is too many their closer waits. */
TEST_F(linger, law_13_files_that_linger_are_counted)
{
	long limit = get_param("max_requests");
	struct closer c;

	ASSERT_EQ(0, closer_make(&c, MOST_AT_ONCE));
	/* One for each to be closed, and for one file of two. */
	ASSERT_EQ(0, set_param("max_requests", MOST_AT_ONCE + 1));
	ASSERT_EQ(0, pthread_create(&c.thread, NULL, close_all, &c));
	EXPECT_TRUE(eventually(has_closed(&c)));
	EXPECT_EQ(1, requests(&c.q));
	EXPECT_EQ(0, set_param("max_requests", limit));
	ASSERT_EQ(0, closer_end(&c));
	EXPECT_EQ(MOST_AT_ONCE, c.ret);
	EXPECT_TRUE(eventually(requests(&c.q) == 0));
	ioevq_close(&c.q);
}

TEST_HARNESS_MAIN

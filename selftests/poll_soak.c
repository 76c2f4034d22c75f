// SPDX-License-Identifier: GPL-2.0-only
/*
 * Law 5 for as long as one likes: sockets that are opened, written, watched in other
 * modes, duplicated, inherited, closed and killed at random (by a fixed seed), and every
 * byte that was written is read. IOEVQ_SOAK_S is the time in seconds, IOEVQ_SOAK_SOCKETS
 * how many of them there are.
 */
#include <sys/prctl.h>

#include "readiness.h"
#include "scaled.h"

#define WORKERS		2
#define CHECK		2000	/* actions between two times when everything is read */

/* A connection; what both processes count is in memory that they share. */
struct link {
	pthread_mutex_t lock;
	int rd, wr;		/* -1: there is none */
	unsigned int mode;
	unsigned int life;	/* which connection of this slot */
	bool held;		/* the child has it: no other may take its place */
	bool shut;		/* the end was sent */
	unsigned int read;
};

struct count {
	unsigned int begun;	/* bytes about to be written, or written */
	unsigned int written;
};

struct soak {
	struct ioevq q;
	struct link *links;
	struct count *counts;
	unsigned int n;
	unsigned int open;
	unsigned int watches, finals;
	unsigned int seed;
	pid_t child;
	int err;		/* line of what went wrong */
};

#define WRONG(_s, _cond)						\
({									\
	bool __wrong = (_cond);						\
									\
	if (__wrong && !(_s)->err)					\
		(_s)->err = __LINE__;					\
	__wrong;							\
})

static const unsigned int modes[] = {
	IOEVQ_POLL_LEVEL, IOEVQ_POLL_EDGE, IOEVQ_POLL_DISPATCH,
	IOEVQ_POLL_EDGE | IOEVQ_POLL_CONFIRM,
};

static unsigned int random_of(struct soak *s, unsigned int n)
{
	/* The constants of POSIX's example of rand(). */
	s->seed = s->seed * 1103515245 + 12345;
	return (s->seed >> 16) % n;
}

static uint64_t name_of(const struct soak *s, const struct link *l)
{
	return (uint64_t)l->life << 32 | (l - s->links);
}

static int set_mode(struct soak *s, struct link *l)
{
	struct ioevq_req req;

	/* By its name: the number may be another by now. */
	ioevq_prep(&req, IOEVQ_OP_POLL_MOD, -1, 0);
	req.op_arg = POLLIN;
	req.op_flags = l->mode | IOEVQ_POLL_MOD_MATCH;
	req.addr = name_of(s, l);
	req.flags = IOEVQ_REQ_SKIP_SUCCESS;
	return submit(&s->q, &req);
}

static int make_link(struct soak *s, struct link *l)
{
	int p[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, p))
		return -errno;
	l->rd = p[0];
	l->wr = p[1];
	l->life++;
	l->shut = false;
	l->read = 0;
	s->counts[l - s->links] = (struct count){};
	l->mode = modes[random_of(s, ARRAY_SIZE(modes))];
	__atomic_add_fetch(&s->open, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&s->watches, 1, __ATOMIC_RELAXED);
	return watch(&s->q, l->rd, POLLIN, l->mode, name_of(s, l));
}

/* One byte more, by this process or the child. */
static void put(struct count *c, int fd)
{
	__atomic_add_fetch(&c->begun, 1, __ATOMIC_SEQ_CST);
	if (send(fd, "x", 1, MSG_NOSIGNAL) == 1)
		__atomic_add_fetch(&c->written, 1, __ATOMIC_SEQ_CST);
	else
		__atomic_sub_fetch(&c->begun, 1, __ATOMIC_SEQ_CST);
}

/* The end was read: all that was written is here. With the lock. */
static void end_link(struct soak *s, struct link *l)
{
	struct count *c = &s->counts[l - s->links];
	unsigned int written = __atomic_load_n(&c->written, __ATOMIC_SEQ_CST);

	WRONG(s, l->read < written || l->read > __atomic_load_n(&c->begun, __ATOMIC_SEQ_CST));
	/* By the operation, or as others do; then a child may have it still. */
	if (l->life & 1)
		WRONG(s, ioevq_close_fd(&s->q, l->rd, UINT64_MAX));
	else
		WRONG(s, ioevq_cancel(&s->q, name_of(s, l), UINT64_MAX) || close(l->rd));
	close(l->wr);
	l->rd = -1;
	l->wr = -1;
	__atomic_sub_fetch(&s->open, 1, __ATOMIC_RELAXED);
}

static void serve(struct soak *s, const struct ioevq_event *ev)
{
	struct link *l = &s->links[(uint32_t)ev->user_data];
	char buf[512];
	ssize_t n;

	if (ev->user_data == UINT64_MAX)
		return;
	if (!(ev->flags & IOEVQ_EVENT_MORE))
		__atomic_add_fetch(&s->finals, 1, __ATOMIC_RELAXED);
	pthread_mutex_lock(&l->lock);
	if (l->rd >= 0 && name_of(s, l) == ev->user_data) {
		while ((n = read(l->rd, buf, sizeof(buf))) > 0)
			l->read += n;
		if (!n)
			end_link(s, l);
		else if (WRONG(s, errno != EAGAIN))
			perror("read");
		else if (l->mode == IOEVQ_POLL_DISPATCH)
			WRONG(s, set_mode(s, l));
	}
	pthread_mutex_unlock(&l->lock);
}

static void *worker(void *arg)
{
	struct ioevq_event evs[16];
	struct soak *s = arg;
	int i, n;

	for (;;) {
		n = enter_wait(&s->q, evs, 1, ARRAY_SIZE(evs), IOEVQ_FOREVER);
		if (WRONG(s, n < 1))
			return NULL;
		for (i = 0; i < n; i++) {
			if (evs[i].flags & IOEVQ_EVENT_ALERT)
				return NULL;
			serve(s, &evs[i]);
		}
	}
}

/* A child that has all of it, and writes until it is killed. */
static void have_child(struct soak *s)
{
	struct link *l;
	unsigned int i;

	for (i = 0; i < s->n; i++)
		pthread_mutex_lock(&s->links[i].lock);
	s->child = fork();
	if (!s->child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			l = &s->links[random_of(s, s->n)];
			if (l->wr >= 0)
				put(&s->counts[l - s->links], l->wr);
		}
	}
	for (i = 0; i < s->n; i++) {
		s->links[i].held = s->links[i].wr >= 0;
		pthread_mutex_unlock(&s->links[i].lock);
	}
}

static void kill_child(struct soak *s)
{
	unsigned int i;

	kill(s->child, SIGKILL);
	waitpid(s->child, NULL, 0);
	s->child = 0;
	for (i = 0; i < s->n; i++)
		s->links[i].held = false;
}

static void act(struct soak *s)
{
	struct link *l = &s->links[random_of(s, s->n)];
	unsigned int what = random_of(s, 64);
	int fd;

	if (!what) {
		if (s->child)
			kill_child(s);
		else if (!random_of(s, 8))
			have_child(s);
		return;
	}
	pthread_mutex_lock(&l->lock);
	if (l->rd < 0) {
		if (!l->held)
			WRONG(s, make_link(s, l));
	} else if (what < 4 && !l->shut) {
		l->shut = true;
		WRONG(s, shutdown(l->wr, SHUT_WR));
	} else if (what < 12) {
		l->mode = modes[random_of(s, ARRAY_SIZE(modes))];
		WRONG(s, set_mode(s, l));
	} else if (what < 16) {
		fd = fcntl(l->rd, F_DUPFD_CLOEXEC, 0);
		if (!WRONG(s, fd < 0)) {
			close(l->rd);
			l->rd = fd;
		}
	} else {
		put(&s->counts[l - s->links], l->wr);
	}
	pthread_mutex_unlock(&l->lock);
}

/* All that was written has been read. Nobody writes. */
static bool all_read(struct soak *s)
{
	unsigned int i;

	for (i = 0; i < s->n; i++) {
		struct link *l = &s->links[i];

		if (l->rd >= 0 && (__atomic_load_n(&l->read, __ATOMIC_ACQUIRE) <
				   s->counts[i].written))
			return false;
	}
	return true;
}

FIXTURE(long_run)
{
	struct soak s;
};

FIXTURE_SETUP(long_run)
{
	struct soak *s = &self->s;
	unsigned int i;

	*s = (struct soak){ .n = env_number("IOEVQ_SOAK_SOCKETS", scaled(2000)), .seed = 1 };
	ASSERT_EQ(0, ioevq_open(&s->q, 256, 0));
	s->links = calloc(s->n, sizeof(*s->links));
	s->counts = mmap(NULL, s->n * sizeof(*s->counts), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, s->counts);
	for (i = 0; i < s->n; i++) {
		pthread_mutex_init(&s->links[i].lock, NULL);
		s->links[i].rd = -1;
		s->links[i].wr = -1;
	}
}

FIXTURE_TEARDOWN(long_run)
{
	ioevq_close(&self->s.q);
}

/* Act at random until the time is over: how often, or 0 if something was lost. */
static unsigned int act_until(struct soak *s, long long end)
{
	unsigned int actions;

	for (actions = 1; !s->err && now_ns() < end; actions++) {
		act(s);
		if (actions % CHECK)
			continue;
		if (s->child)
			kill_child(s);
		if (!eventually(all_read(s)))
			return 0;
	}
	if (s->child)
		kill_child(s);
	return actions;
}

/* The end of all that is open, told by its peer. */
static void shut_all(struct soak *s)
{
	unsigned int i;

	for (i = 0; i < s->n; i++) {
		pthread_mutex_lock(&s->links[i].lock);
		if (s->links[i].wr >= 0)
			shutdown(s->links[i].wr, SHUT_WR);
		pthread_mutex_unlock(&s->links[i].lock);
	}
}

TEST_F_TIMEOUT(long_run, law_05_every_byte_is_read, 3600)
{
	long long end = now_ns() + env_number("IOEVQ_SOAK_S", 10) * 1000000000LL;
	struct soak *s = &self->s;
	pthread_t threads[WORKERS];
	unsigned int i, actions;

	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, worker, s));
	actions = act_until(s, end);
	EXPECT_LT(0, actions);
	shut_all(s);
	EXPECT_TRUE(eventually(!__atomic_load_n(&s->open, __ATOMIC_ACQUIRE)));
	EXPECT_TRUE(eventually(__atomic_load_n(&s->finals, __ATOMIC_ACQUIRE) == s->watches));
	EXPECT_EQ(0, s->err) {
		TH_LOG("line %d", s->err);
	}
	TH_LOG("%u actions, %u connections", actions, s->watches);
	ASSERT_EQ(0, ioevq_alert(&s->q, 0));
	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	ASSERT_EQ(0, ioevq_clear_alert(&s->q));
	EXPECT_TRUE(nothing(&s->q));
	EXPECT_EQ(0, requests(&s->q));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/* Law 8 with wake-ups under way, in circles of files, and thousands of times. */
#include "kinds_socket.h"
#include "expect.h"
#include "pass_fd.h"
#include "points.h"
#include "scaled.h"

#define OPEN_FILES	"/proc/sys/fs/file-nr"
#define INODES		"/proc/sys/fs/inode-nr"

/* What each CPU has not told yet, and what others do; one kind would leak a thousand. */
#define SLACK		512

/* Between what a close does and what a wake-up does. */
#define HELD	"event:50,closing:100,detach:50,arm:100,sweep:20,claim:20,unwatch:50"
#define ROUNDS	2000

/* Watch, close and take the final event; a CLOSED one comes last, and once. */
static int cycle(const struct ioevq *q, struct thing *t, uint64_t i)
{
	struct ioevq_event ev;

	if (watch(q, t->fd, POLLIN, i & 1 ? IOEVQ_POLL_EDGE : IOEVQ_POLL_ONESHOT, i))
		return -1;
	thing_end(t);
	do {
		if (next_event(q, &ev) != 1 || ev.user_data != i)
			return -1;
	} while (ev.flags & IOEVQ_EVENT_MORE);
	return ev.flags == IOEVQ_EVENT_CLOSED ? 0 : -1;
}

TEST(law_08_nothing_leaks)
{
	static int (*const make[])(struct thing *t) = {
		make_eventfd, make_pipe, make_unix_stream, make_fifo, make_udp, make_mqueue,
	};
	long files = proc_number(OPEN_FILES), inodes = proc_number(INODES);
	struct ioevq q;
	unsigned int i;

	ASSERT_EQ(0, ioevq_open(&q, 8, 0));
	for (i = 0; i < 1000 * ARRAY_SIZE(make); i++) {
		struct thing t = { .fd = -1, .peer = -1, .aux = -1 };

		ASSERT_EQ(0, make[i % ARRAY_SIZE(make)](&t));
		ASSERT_EQ(0, cycle(&q, &t, i));
	}
	EXPECT_EQ(0, requests(&q));
	EXPECT_TRUE(quiet(&q));
	EXPECT_TRUE(eventually(proc_number(OPEN_FILES) < files + SLACK));
	EXPECT_TRUE(eventually(proc_number(INODES) < inodes + SLACK));
	ioevq_close(&q);
}

/* One round is one file, from the first blow until a blow fails. */
struct hammer {
	int (*hit)(int fd);
	int fd;
	int round;		/* asked for; -1: stop */
	int done;		/* the last that has ended */
};

static int hit_eventfd(int fd)
{
	return eventfd_write(fd, 1);
}

static int hit_socket(int fd)
{
	return send(fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 || errno == EAGAIN ? 0 : -1;
}

static void *hammer(void *arg)
{
	struct hammer *h = arg;
	int round;

	while ((round = __atomic_load_n(&h->round, __ATOMIC_ACQUIRE)) >= 0) {
		if (round == h->done) {
			sched_yield();
			continue;
		}
		while (!h->hit(h->fd))
			;
		__atomic_store_n(&h->done, round, __ATOMIC_RELEASE);
	}
	return NULL;
}

static int make_race_eventfd(int *watched, int *hit)
{
	*watched = eventfd(0, 0);
	*hit = *watched;
	return *watched < 0;
}

static int make_race_socket(int *watched, int *hit)
{
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
		return -1;
	*watched = s[0];
	*hit = s[1];
	return 0;
}

FIXTURE(race)
{
	struct ioevq q;
};

FIXTURE_VARIANT(race)
{
	int (*make)(int *watched, int *hit);
	int (*hit)(int fd);
};

/* The thread that writes has the last reference in hand when the file is closed. */
FIXTURE_VARIANT_ADD(race, eventfd) {
	.make = make_race_eventfd, .hit = hit_eventfd
};

FIXTURE_VARIANT_ADD(race, socket) {
	.make = make_race_socket, .hit = hit_socket
};

FIXTURE_SETUP(race)
{
	(void)variant;
	ASSERT_EQ(0, ioevq_open(&self->q, 8, 0));
	ASSERT_EQ(0, hold(HELD));
}

FIXTURE_TEARDOWN(race)
{
	(void)variant;
	EXPECT_TRUE(all_passed(HELD));
	EXPECT_EQ(0, hold(""));
	ioevq_close(&self->q);
}

TEST_F_TIMEOUT(race, law_08_close_against_wake_ups, 600)
{
	struct hammer h = { .hit = variant->hit };
	int i, j, watched, hit;
	time_t end = 0;
	struct ioevq_event ev;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, hammer, &h));
	for (i = 1; goes_on(i, ROUNDS, &end); i++) {
		ASSERT_EQ(0, variant->make(&watched, &hit));
		for (j = 0; j < 4; j++)
			ASSERT_EQ(0, watch(&self->q, watched, POLLIN | POLLOUT,
					   IOEVQ_POLL_EDGE, i));
		h.fd = hit;
		__atomic_store_n(&h.round, i, __ATOMIC_RELEASE);
		/* From the first blow, or some later one. */
		for (j = 0; j < (i & 7); j++)
			ASSERT_EQ(1, next_event(&self->q, &ev));
		close(watched);
		/* No descriptor may get its number before the other thread knows. */
		ASSERT_TRUE(eventually(__atomic_load_n(&h.done, __ATOMIC_ACQUIRE) == i));
		if (hit != watched)
			close(hit);
		for (j = 0; j < 4;) {
			ASSERT_EQ(1, next_event(&self->q, &ev));
			ASSERT_EQ(i, ev.user_data);
			if (!(ev.flags & IOEVQ_EVENT_MORE)) {
				ASSERT_EQ(IOEVQ_EVENT_CLOSED, ev.flags);
				j++;
			}
		}
		ASSERT_TRUE(quiet(&self->q));
	}
	__atomic_store_n(&h.round, -1, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, requests(&self->q));
}

FIXTURE(alone)
{
	struct ioevq q;
};

/* A file that is closed before it has told of anything. */
#define HELD_ALONE	"closing:100,detach:50,arm:100,sweep:20,claim:20,unwatch:50"

FIXTURE_SETUP(alone)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, hold(HELD_ALONE));
}

FIXTURE_TEARDOWN(alone)
{
	EXPECT_TRUE(all_passed(HELD_ALONE));
	EXPECT_EQ(0, hold(""));
	ioevq_close(&self->q);
}

struct closer {
	int fd;			/* to be closed; -1: was done, -2: end */
	int delay;		/* turns of linger() it comes later than the other; or sooner */
};

static void linger(int turns)
{
	for (; turns > 0; turns--)
		__asm__ ("" : "+r" (turns));
}

static void *closer(void *arg)
{
	struct closer *c = arg;
	int fd;

	while ((fd = __atomic_load_n(&c->fd, __ATOMIC_ACQUIRE)) != -2) {
		if (fd < 0) {
			sched_yield();
			continue;
		}
		linger(c->delay);
		close(fd);
		__atomic_store_n(&c->fd, -1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/*
 * The last descriptor is closed while the call that watches it has the file in hand,
 * and goes on to wait for just that close.
 */
TEST_F_TIMEOUT(alone, law_08_close_against_submission, 600)
{
	struct closer c = { .fd = -1 };
	int i, ret, p[2], watched = 0, refused = 0;
	time_t end = 0;
	struct ioevq_event ev;
	struct ioevq_req req;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, closer, &c));
	for (i = 0; goes_on(i, 2 * ROUNDS, &end); i++) {
		struct ioevq_enter enter = {
			.reqs = (uintptr_t)&req, .nr_reqs = 1, .events = (uintptr_t)&ev,
			.min = 1, .max = 1, .timeout_ns = BOUND_NS,
		};

		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, p));
		ioevq_prep_poll(&req, p[0], POLLPRI, IOEVQ_POLL_ONESHOT, i);
		__atomic_store_n(&c.fd, p[0], __ATOMIC_RELEASE);
		linger(-c.delay);
		ret = ioevq_enter(&self->q, &enter);
		if (ret < 0) {
			ASSERT_EQ(-EBADF, ret);
			refused++;
		} else {
			ASSERT_EQ(1, ret);
			ASSERT_EQ(i, ev.user_data);
			ASSERT_EQ(IOEVQ_EVENT_CLOSED, ev.flags);
			watched++;
		}
		ASSERT_TRUE(eventually(__atomic_load_n(&c.fd, __ATOMIC_ACQUIRE) == -1));
		/* Steer to where it is as likely to come too early as too late. */
		c.delay += (ret < 0 ? 1 : -1) * (1 + abs(c.delay) / 16);
		close(p[1]);
	}
	__atomic_store_n(&c.fd, -2, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_LT(0, watched);
	EXPECT_LT(0, refused);
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, requests(&self->q));
}

struct unlinker {
	char path[64];
	int round;		/* -1: end */
	int done;
};

static void *unlinker(void *arg)
{
	struct unlinker *u = arg;
	int round, last = 0;

	while ((round = __atomic_load_n(&u->round, __ATOMIC_ACQUIRE)) >= 0) {
		if (round == last) {
			sched_yield();
			continue;
		}
		unlink(u->path);
		last = round;
		__atomic_store_n(&u->done, round, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* Its last name goes while it is being watched for the first time. */
TEST_F_TIMEOUT(alone, law_08_close_against_unlink, 600)
{
	struct unlinker u = {};
	struct ioevq_event ev;
	pthread_t thread;
	time_t end = 0;
	int i, fd;

	snprintf(u.path, sizeof(u.path), "/tmp/ioevq-unlink-%d", getpid());
	ASSERT_EQ(0, pthread_create(&thread, NULL, unlinker, &u));
	for (i = 1; goes_on(i, ROUNDS, &end); i++) {
		ASSERT_EQ(0, mkfifo(u.path, 0600));
		fd = open(u.path, O_RDWR | O_NONBLOCK);
		ASSERT_LE(0, fd);
		__atomic_store_n(&u.round, i, __ATOMIC_RELEASE);
		ASSERT_EQ(0, watch(&self->q, fd, POLLIN, IOEVQ_POLL_EDGE, i));
		ASSERT_TRUE(eventually(__atomic_load_n(&u.done, __ATOMIC_ACQUIRE) == i));
		ASSERT_EQ(1, write(fd, "x", 1));
		ASSERT_EQ(1, next_event(&self->q, &ev));
		ASSERT_EQ(i, ev.user_data);
		ASSERT_EQ(IOEVQ_EVENT_MORE, ev.flags);
		close(fd);
		ASSERT_EQ(1, next_event(&self->q, &ev));
		ASSERT_EQ(i, ev.user_data);
		ASSERT_EQ(IOEVQ_EVENT_CLOSED, ev.flags);
		ASSERT_TRUE(quiet(&self->q));
	}
	__atomic_store_n(&u.round, -1, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, requests(&self->q));
}

/* The kernel looks for circles of sockets when one is closed. */
static int collect(void)
{
	return close(socket(AF_UNIX, SOCK_STREAM, 0));
}

TEST(law_08_a_queue_inside_of_what_it_watches)
{
	long users = module_users();
	struct ioevq_event ev;
	struct ioevq q, outside;
	int s[2], i;

	ASSERT_LE(0, users);
	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, ioevq_open(&outside, 8, 0));
		ASSERT_EQ(0, ioevq_open(&q, 8, 0));
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, s));
		ASSERT_EQ(0, watch(&q, s[0], POLLIN, IOEVQ_POLL_EDGE, 1));
		ASSERT_EQ(0, watch(&q, s[1], POLLIN, IOEVQ_POLL_EDGE, 2));
		ASSERT_EQ(0, watch(&outside, s[0], POLLRDHUP, IOEVQ_POLL_EDGE, 3));
		ASSERT_EQ(0, pass_fd(s[1], q.fd));
		/* Every other time a circle that only the collector of sockets opens. */
		if (i & 1)
			ASSERT_EQ(0, pass_fd(s[1], s[0]));
		ioevq_close(&q);
		EXPECT_EQ(users + 2, module_users());
		close(s[1]);
		close(s[0]);
		EXPECT_TRUE(eventually(!collect() && module_users() == users + 1));
		/* The one outside saw the end: of the connection, then of the file. */
		do {
			ASSERT_EQ(1, next_event(&outside, &ev));
		} while (ev.flags & IOEVQ_EVENT_MORE);
		EXPECT_EQ(IOEVQ_EVENT_CLOSED, ev.flags);
		ioevq_close(&outside);
		EXPECT_TRUE(eventually(module_users() == users));
	}
}

TEST_HARNESS_MAIN

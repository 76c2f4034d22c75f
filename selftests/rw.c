// SPDX-License-Identifier: GPL-2.0-only
/* read(2) and write(2) of a queue: events out of it, messages into it. */
#include <sys/uio.h>

#include "sleeper.h"

#define ENTRIES		4
#define MESSAGES	100

FIXTURE(rw)
{
	struct ioevq q;
	char *page;		/* behind it there is none */
	long size;
};

FIXTURE_SETUP(rw)
{
	self->size = sysconf(_SC_PAGESIZE);
	ASSERT_EQ(0, ioevq_open(&self->q, ENTRIES, 0));
	self->page = mmap(NULL, 2 * self->size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	ASSERT_EQ(0, munmap(self->page + self->size, self->size));
}

FIXTURE_TEARDOWN(rw)
{
	munmap(self->page, self->size);
	ioevq_close(&self->q);
}

static void fill(struct ioevq_event *evs, unsigned int n, uint64_t first)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		evs[i] = (struct ioevq_event){
			.user_data = first + i, .res = -(int64_t)i, .op = IOEVQ_OP_POST,
			.data = ~(first + i),
		};
}

/* What read(2) or write(2) has returned, in events, or a negative errno. */
static int in_events(ssize_t ret)
{
	if (ret < 0)
		return -errno;
	return ret % sizeof(struct ioevq_event) ? -EDOM : (int)(ret / sizeof(struct ioevq_event));
}

static int put(const struct ioevq *q, const struct ioevq_event *evs, unsigned int n)
{
	return in_events(write(q->fd, evs, n * sizeof(*evs)));
}

static int get(const struct ioevq *q, struct ioevq_event *evs, unsigned int n)
{
	return in_events(read(q->fd, evs, n * sizeof(*evs)));
}

static int set_nonblock(const struct ioevq *q, int flag)
{
	return fcntl(q->fd, F_SETFL, O_RDWR | flag);
}

/* Many more than the ring holds: each comes once, whole and in its turn. */
TEST_F(rw, law_02_what_is_written_is_read)
{
	struct ioevq_event in[MESSAGES], out[MESSAGES];
	unsigned int n = 0;
	int ret;

	fill(in, MESSAGES, 1000);
	ASSERT_EQ(MESSAGES, put(&self->q, in, MESSAGES));
	EXPECT_EQ(MESSAGES, query(&self->q).available);
	while (n < MESSAGES) {
		ret = get(&self->q, out + n, MESSAGES - n);
		ASSERT_LT(0, ret);
		n += ret;
	}
	EXPECT_EQ(0, memcmp(in, out, sizeof(in)));
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, requests(&self->q));
}

/* By turns with requests and ENTER, all in order. */
TEST_F(rw, law_03_order_among_all_ways)
{
	struct ioevq_event evs[3], out[2];
	struct ioevq_req req;
	unsigned int i;

	for (i = 0; i < 30; i += 5) {
		fill(evs, 3, i);
		ASSERT_EQ(3, put(&self->q, evs, 3));
		ioevq_prep_post(&req, -1, 0, 0, i + 3);
		ASSERT_EQ(0, submit(&self->q, &req));
		ASSERT_EQ(0, ioevq_post(&self->q, i + 4, 0, 0));
	}
	for (i = 0; i < 30; i += 3) {
		ASSERT_EQ(2, get(&self->q, out, 2));
		EXPECT_EQ(i, out[0].user_data);
		EXPECT_EQ(i + 1, out[1].user_data);
		ASSERT_EQ(1, enter_wait(&self->q, out, 1, 1, 0));
		EXPECT_EQ(i + 2, out[0].user_data);
	}
	EXPECT_TRUE(quiet(&self->q));
}

/* As many as there is room for, and no byte behind them. */
TEST_F(rw, law_04_no_more_than_there_is_room_for)
{
	struct ioevq_event in[3], out[3];

	fill(in, 3, 7);
	memset(out, 0x55, sizeof(out));
	ASSERT_EQ(3, put(&self->q, in, 3));
	ASSERT_EQ(1, in_events(read(self->q.fd, out, 2 * sizeof(*out) - 1)));
	EXPECT_EQ(7, out[0].user_data);
	EXPECT_EQ(0x5555555555555555ULL, out[1].user_data);
	EXPECT_EQ(-EINVAL, in_events(read(self->q.fd, out, sizeof(*out) - 1)));
	EXPECT_EQ(-EINVAL, in_events(read(self->q.fd, out, 0)));
	EXPECT_EQ(2, get(&self->q, out, 3));
}

TEST_F_TIMEOUT(rw, law_14_a_read_that_does_not_wait, 30)
{
	struct ioevq_event ev;

	ASSERT_EQ(0, set_nonblock(&self->q, O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, get(&self->q, &ev, 1));
	ASSERT_EQ(0, ioevq_post(&self->q, 1, 0, 0));
	EXPECT_EQ(1, get(&self->q, &ev, 1));
	EXPECT_EQ(-EAGAIN, get(&self->q, &ev, 1));
	/* That is not what who waits by the library asked for. */
	ASSERT_EQ(0, ioevq_post(&self->q, 2, 0, 0));
	EXPECT_EQ(1, ioevq_wait(&self->q, &ev, 1, 1, IOEVQ_FOREVER));
	EXPECT_EQ(2, ev.user_data);
}

struct reader {
	const struct ioevq *q;
	struct ioevq_event ev;
	int by_library;
	int ret;
	int done;
	pid_t tid;
	pthread_t thread;
};

static void *reader_body(void *arg)
{
	struct reader *r = arg;

	__atomic_store_n(&r->tid, gettid(), __ATOMIC_RELEASE);
	r->ret = r->by_library ? ioevq_wait(r->q, &r->ev, 1, 1, IOEVQ_FOREVER) :
				 get(r->q, &r->ev, 1);
	__atomic_store_n(&r->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static int is_reading(struct reader *r)
{
	return __atomic_load_n(&r->tid, __ATOMIC_ACQUIRE) &&
	       thread_state(getpid(), r->tid) == 'S';
}

static int start_reader(struct reader *r, const struct ioevq *q, int by_library)
{
	*r = (struct reader){ .q = q, .by_library = by_library };
	return !pthread_create(&r->thread, NULL, reader_body, r) && eventually(is_reading(r));
}

static int end_reader(struct reader *r)
{
	pthread_join(r->thread, NULL);
	return r->ret;
}

/* Each message of a write wakes one who waits, and none is woken in vain. */
TEST_F(rw, law_06_a_write_wakes_as_many_as_it_has_messages)
{
	struct ioevq_event evs[3];
	struct reader r[3];
	unsigned int i;

	for (i = 0; i < 3; i++)
		ASSERT_TRUE(start_reader(&r[i], &self->q, 0));
	fill(evs, 3, 1);
	ASSERT_EQ(1, put(&self->q, evs, 1));
	EXPECT_EQ(1, end_reader(&r[2]));
	EXPECT_EQ(1, r[2].ev.user_data);
	EXPECT_EQ(1, wakeups(&self->q));
	ASSERT_EQ(2, put(&self->q, evs + 1, 2));
	EXPECT_EQ(1, end_reader(&r[1]));
	EXPECT_EQ(1, end_reader(&r[0]));
	EXPECT_EQ(5, r[0].ev.user_data + r[1].ev.user_data);
	EXPECT_EQ(3, wakeups(&self->q));
}

static void on_signal(int sig)
{
	(void)sig;
}

/* As with epoll_wait(2) not even SA_RESTART begins it anew. */
TEST_F(rw, law_02_a_signal_ends_a_read)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct reader r;
	int i;

	ASSERT_EQ(0, sigaction(SIGUSR1, &sa, NULL));
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(start_reader(&r, &self->q, i));
		ASSERT_EQ(0, pthread_kill(r.thread, SIGUSR1));
		EXPECT_EQ(-EINTR, end_reader(&r));
		ASSERT_EQ(0, ioevq_post(&self->q, 9, 0, 0));
		EXPECT_NEXT(&self->q, IOEVQ_OP_POST, 9, 0);
	}
}

/* An event that has nowhere to go is there for the next who comes. */
TEST_F(rw, law_02_a_fault_takes_nothing)
{
	struct ioevq_event *end = (void *)(self->page + self->size), in[3];

	fill(in, 3, 1);
	ASSERT_EQ(3, put(&self->q, in, 3));
	EXPECT_EQ(-EFAULT, get(&self->q, end, 1));
	EXPECT_EQ(-EFAULT, get(&self->q, end - 1, 2));
	EXPECT_EQ(3, query(&self->q).available);
	EXPECT_EQ(1, get(&self->q, end - 1, 1));
	EXPECT_EQ(1, end[-1].user_data);
	EXPECT_EQ(-EFAULT, in_events(read(self->q.fd, (void *)(~0UL - 64), 32)));
	EXPECT_NEXT(&self->q, IOEVQ_OP_POST, 2, -1);
	EXPECT_NEXT(&self->q, IOEVQ_OP_POST, 3, -2);
}

/* What is refused, and after how many that were not: those stand, the rest are not there. */
TEST_F(rw, law_14_messages_that_are_none)
{
	struct ioevq_event evs[20], *end = (void *)(self->page + self->size);
	unsigned int at, n;

	fill(evs, 20, 0);
	EXPECT_EQ(-EINVAL, in_events(write(self->q.fd, evs, 0)));
	EXPECT_EQ(-EINVAL, in_events(write(self->q.fd, evs, sizeof(*evs) - 1)));
	EXPECT_EQ(-EINVAL, in_events(write(self->q.fd, evs, sizeof(*evs) + 1)));
	EXPECT_EQ(-EFAULT, put(&self->q, end, 1));
	EXPECT_TRUE(quiet(&self->q));
	memcpy(end - 3, evs, 3 * sizeof(*evs));
	EXPECT_EQ(3, put(&self->q, end - 3, 5));
	for (n = 0; n < 3; n++)
		EXPECT_NEXT(&self->q, IOEVQ_OP_POST, n, -(int64_t)n);
	for (at = 0; at < 20; at++) {
		evs[at].op = at & 1 ? IOEVQ_OP_NOP : IOEVQ_OP_READ;
		EXPECT_EQ(at ? (int)at : -EINVAL, put(&self->q, evs, 20));
		EXPECT_EQ(-EINVAL, put(&self->q, evs + at, 1));
		evs[at].op = IOEVQ_OP_POST;
		evs[at].flags = 1U << at;
		EXPECT_EQ(-EINVAL, put(&self->q, evs + at, 20 - at));
		evs[at].flags = 0;
		for (n = 0; n < at; n++)
			EXPECT_NEXT(&self->q, IOEVQ_OP_POST, n, -(int64_t)n);
		EXPECT_TRUE(quiet(&self->q));
	}
}

/* Beyond the ring a message counts as a request, up to the limit of the queue. */
TEST_F(rw, law_02_the_limit_of_a_queue)
{
	long limit = get_param("max_requests");
	struct ioevq_event evs[ENTRIES + 10], out[ENTRIES + 10];
	int n;

	ASSERT_EQ(0, set_param("max_requests", 5));
	fill(evs, ENTRIES + 10, 0);
	n = put(&self->q, evs, ENTRIES + 10);
	EXPECT_EQ(-EAGAIN, put(&self->q, evs, 1));
	ASSERT_EQ(0, set_param("max_requests", limit));
	EXPECT_EQ(ENTRIES + 5, n);
	EXPECT_EQ(n, get(&self->q, out, ENTRIES + 10));
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_EQ(0, requests(&self->q));
}

/* The modes of the descriptor, and what the queue is restricted to. */
TEST_F(rw, law_13_rights)
{
	struct ioevq_event ev;
	int fd;

	fill(&ev, 1, 1);
	fd = open("/dev/ioevq", O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(-EBADF, in_events(write(fd, &ev, sizeof(ev))));
	close(fd);
	fd = open("/dev/ioevq", O_WRONLY | O_CLOEXEC);
	EXPECT_EQ(1, in_events(write(fd, &ev, sizeof(ev))));
	EXPECT_EQ(-EBADF, in_events(read(fd, &ev, sizeof(ev))));
	close(fd);
	ASSERT_EQ(0, ioevq_post(&self->q, 5, 0, 0));
	ASSERT_EQ(0, ioevq_restrict(&self->q, 1ULL << IOEVQ_OP_NOP));
	EXPECT_EQ(-EPERM, put(&self->q, &ev, 1));
	EXPECT_EQ(-EPERM, ioevq_post(&self->q, 1, 0, 0));
	EXPECT_EQ(1, get(&self->q, &ev, 1));
	EXPECT_EQ(5, ev.user_data);
}

/* An alert is read, too, by who comes and by who waits, and before all events. */
TEST_F(rw, law_02_an_alert_is_read)
{
	struct ioevq_event ev;
	struct reader r;

	ASSERT_TRUE(start_reader(&r, &self->q, 0));
	ASSERT_EQ(0, ioevq_alert(&self->q, 77));
	ASSERT_EQ(1, end_reader(&r));
	EXPECT_EQ(IOEVQ_EVENT_ALERT, r.ev.flags);
	EXPECT_EQ(77, r.ev.user_data);
	ASSERT_EQ(0, ioevq_post(&self->q, 5, 0, 0));
	ASSERT_EQ(1, get(&self->q, &ev, 1));
	EXPECT_EQ(IOEVQ_EVENT_ALERT, ev.flags);
	ASSERT_EQ(0, ioevq_clear_alert(&self->q));
	ASSERT_EQ(1, get(&self->q, &ev, 1));
	EXPECT_EQ(5, ev.user_data);
}

/* A file that is ready is looked at by who reads, for as long as it is. */
TEST_F_TIMEOUT(rw, law_05_level_by_read, 30)
{
	int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC), i;
	struct ioevq_event ev;
	eventfd_t value;

	ASSERT_EQ(0, set_nonblock(&self->q, O_NONBLOCK));
	ASSERT_EQ(0, watch(&self->q, fd, POLLIN, IOEVQ_POLL_LEVEL, 3));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(1, get(&self->q, &ev, 1));
		EXPECT_EQ(3, ev.user_data);
		EXPECT_EQ(POLLIN, ev.res);
	}
	ASSERT_EQ(0, eventfd_read(fd, &value));
	EXPECT_EQ(-EAGAIN, get(&self->q, &ev, 1));
	EXPECT_EQ(0, self->q.ring->flags);
	ASSERT_EQ(0, eventfd_write(fd, 1));
	EXPECT_EQ(1, get(&self->q, &ev, 1));
	close(fd);
}

/* Who always finds other events looks at it all the same. */
TEST_F(rw, law_05_level_among_others)
{
	int fd = eventfd(1, EFD_CLOEXEC), i, round, found;
	struct ioevq_event ev;

	ASSERT_EQ(0, watch(&self->q, fd, POLLIN, IOEVQ_POLL_LEVEL, 3));
	ASSERT_EQ(0, ioevq_post(&self->q, 1, 0, 0));
	for (round = 0; round < 4; round++) {
		for (i = found = 0; i < 10; i++) {
			ASSERT_EQ(0, ioevq_post(&self->q, 1, 0, 0));
			ASSERT_EQ(1, round & 1 ? enter_wait(&self->q, &ev, 1, 1, BOUND_NS) :
						 get(&self->q, &ev, 1));
			found += ev.user_data == 3;
		}
		EXPECT_LT(0, found);
	}
	close(fd);
}

#define FILES	10

/* More files are ready than the ring has room for: one read tells of all, and leaves no claim. */
TEST_F(rw, law_06_more_than_the_ring_by_one_read)
{
	struct ioevq_event evs[FILES];
	int fd[FILES], i, round;
	struct reader r;

	for (i = 0; i < FILES; i++) {
		fd[i] = eventfd(1, EFD_CLOEXEC);
		ASSERT_EQ(0, watch(&self->q, fd[i], POLLIN, IOEVQ_POLL_LEVEL, i));
	}
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(FILES, round & 1 ? enter_wait(&self->q, evs, 0, FILES, 0) :
					     get(&self->q, evs, FILES));
		for (i = 0; i < FILES; i++)
			EXPECT_EQ(POLLIN, evs[i].res);
	}
	for (i = 0; i < FILES; i++)
		close(fd[i]);
	while (enter_wait(&self->q, evs, 0, FILES, 0) > 0)
		;
	ASSERT_TRUE(start_reader(&r, &self->q, 0));
	ASSERT_EQ(0, ioevq_post(&self->q, 1, 0, 0));
	EXPECT_EQ(1, end_reader(&r));
}

/* A read would have an event in hand, and wait for the next. */
TEST_F(rw, law_14_readv)
{
	struct ioevq_event evs[2];
	struct iovec iov[2] = {
		{ .iov_base = &evs[0], .iov_len = sizeof(evs[0]) },
		{ .iov_base = &evs[1], .iov_len = sizeof(evs[1]) },
	};

	fill(evs, 2, 1);
	EXPECT_EQ(2, in_events(writev(self->q.fd, iov, 2)));
	EXPECT_EQ(-EINVAL, in_events(readv(self->q.fd, iov, 2)));
	EXPECT_EQ(-EINVAL, in_events(readv(self->q.fd, iov, 1)));
	EXPECT_EQ(2, get(&self->q, evs, 2));
}

/* What has ended is freed by who comes for events, whatever else he asks for. */
TEST_F_TIMEOUT(rw, law_11_who_only_takes, 30)
{
	int fd = eventfd(0, EFD_CLOEXEC), i;
	struct ioevq_event ev;
	eventfd_t value;
	struct ioevq_enter enter = {
		.flags = IOEVQ_ENTER_PASS_ON, .events = (uintptr_t)&ev, .max = 1,
	};

	ASSERT_EQ(0, set_nonblock(&self->q, O_NONBLOCK));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, watch(&self->q, fd, POLLIN, IOEVQ_POLL_ONESHOT, 1));
		/* After the submission, which frees what has ended, too. */
		ASSERT_EQ(0, eventfd_write(fd, 1));
		ASSERT_EQ(0, eventfd_read(fd, &value));
		ASSERT_EQ(1, i ? get(&self->q, &ev, 1) : ioevq_enter(&self->q, &enter));
		ASSERT_EQ(i ? -EAGAIN : 0, i ? get(&self->q, &ev, 1) :
					       ioevq_enter(&self->q, &enter));
		EXPECT_EQ(0, requests(&self->q));
	}
	close(fd);
}

/* On a queue with a concurrency value who reads is a consumer, as who enters. */
TEST_F(rw, law_07_who_reads_is_counted)
{
	struct ioevq_event ev;
	struct reader r;

	ASSERT_EQ(0, ioevq_set_concurrency(&self->q, 1));
	ASSERT_EQ(0, ioevq_post(&self->q, 1, 0, 0));
	ASSERT_EQ(1, get(&self->q, &ev, 1));
	EXPECT_EQ(1, query(&self->q).runnable);
	/* We run: another has to wait, until we come back. */
	ASSERT_TRUE(start_reader(&r, &self->q, 0));
	ASSERT_EQ(0, ioevq_post(&self->q, 2, 0, 0));
	ASSERT_EQ(1, get(&self->q, &ev, 1));
	EXPECT_EQ(2, ev.user_data);
	ASSERT_EQ(0, ioevq_set_concurrency(&self->q, IOEVQ_UNLIMITED));
	ASSERT_EQ(0, ioevq_post(&self->q, 3, 0, 0));
	EXPECT_EQ(1, end_reader(&r));
	EXPECT_EQ(3, r.ev.user_data);
}

TEST_HARNESS_MAIN

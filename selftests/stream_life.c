// SPDX-License-Identifier: GPL-2.0-only
/* READ and WRITE on streams, and processes: who takes them, and who is gone. */
#include <sys/sysinfo.h>

#include "stream.h"
#include "memcg.h"
#include "offspring.h"
#include "pass_fd.h"

/* A consumer that cannot see the memory of who has submitted. */
static int take_one(struct offspring *c, long arg)
{
	const struct ioevq *q = (const struct ioevq *)arg;
	struct ioevq_event ev;

	say(c);
	if (next_event(q, &ev) != 1 || ev.op != IOEVQ_OP_READ || ev.flags)
		return 90;
	return (int)ev.res;
}

static int word_of(const struct offspring *c)
{
	char word;

	return read(c->said, &word, 1) == 1 ? 0 : -1;
}

static int ends_with(const struct offspring *c)
{
	int status;

	if (waitpid(c->pid, &status, 0) != c->pid || !WIFEXITED(status))
		return -1;
	offspring_close(c);
	return WEXITSTATUS(status);
}

TEST_F(stream, law_04_another_process_takes_it)
{
	struct offspring c;
	char buf[8] = "";
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, offspring(&c, take_one, (long)&self->q));
		ASSERT_EQ(0, want(&self->q, self->t.fd, buf, sizeof(buf), 1));
		/* It sleeps when the data comes, or finds it. */
		if (i) {
			ASSERT_EQ(3, write(self->t.peer, "abc", 3));
			ASSERT_TRUE(arrived(self->t.fd));
		}
		ASSERT_EQ(0, let_go(&c));
		ASSERT_EQ(0, word_of(&c));
		if (!i) {
			ASSERT_TRUE(eventually(query(&self->q).waiting == 1));
			ASSERT_EQ(3, write(self->t.peer, "abc", 3));
		}
		EXPECT_EQ(3, ends_with(&c));
		EXPECT_STREQ("abc", buf);
		memset(buf, 0, sizeof(buf));
	}
}

/* More than the file takes at once, so that the worker has to come again. */
TEST_F_TIMEOUT(stream, law_04_another_process_takes_a_long_write, 300)
{
	size_t len = 4 << 20, got = 0;
	struct offspring c;
	char *out, *in;
	ssize_t n;

	if (variant->packets)
		return;
	out = malloc(len);
	in = malloc(len);
	for (n = 0; n < (ssize_t)len; n++)
		out[n] = (char)(n * 7 >> 3);
	ASSERT_EQ(0, offspring(&c, take_one, (long)&self->q));
	ASSERT_EQ(0, give(&self->q, self->t.peer, out, len, 1));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, let_go(&c));
	ASSERT_EQ(0, set_blocking(self->t.fd, false));
	while (got < len) {
		n = read(self->t.fd, in + got, len - got);
		ASSERT_LT(0, n);
		got += n;
	}
	/* It is no READ. */
	EXPECT_EQ(90, ends_with(&c));
	EXPECT_EQ(0, memcmp(in, out, len));
	free(in);
	free(out);
}

struct order {
	const struct ioevq *q;
	int fd;
};

static char sunk[8];

static int submit_and_wait(struct offspring *c, long arg)
{
	const struct order *o = (const struct order *)arg;

	if (want(o->q, o->fd, sunk, sizeof(sunk), 1) || want(o->q, o->fd, sunk, sizeof(sunk), 2))
		return 90;
	say(c);
	await_go(c);
	return 91;
}

/* Nothing is read for who cannot have it. */
TEST_F(stream, law_11_the_submitter_is_killed)
{
	struct order o = { &self->q, self->t.fd };
	struct offspring c;
	char buf[8] = "";

	ASSERT_EQ(0, offspring(&c, submit_and_wait, (long)&o));
	ASSERT_EQ(0, let_go(&c));
	ASSERT_EQ(0, word_of(&c));
	ASSERT_EQ(0, want(&self->q, self->t.fd, buf, sizeof(buf), 3));
	ASSERT_EQ(0, kill(c.pid, SIGKILL));
	ASSERT_EQ(c.pid, waitpid(c.pid, NULL, 0));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(3, write(self->t.peer, "abc", 3));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, -ECANCELED);
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 2, -ECANCELED);
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 3, 3);
	EXPECT_STREQ("abc", buf);
	offspring_close(&c);
}

/* What was written before it is told. */
TEST_F(stream, law_09_cancel_a_write_in_the_middle)
{
	size_t len = 8 << 20;
	struct ioevq_event ev;
	char *out;

	if (variant->packets)
		return;
	out = calloc(1, len);
	ASSERT_EQ(0, give(&self->q, self->t.peer, out, len, 1));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, ioevq_cancel(&self->q, 1, 2));
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_EQ(IOEVQ_OP_WRITE, ev.op);
	EXPECT_LT(0, ev.res);
	EXPECT_GT((int64_t)len, ev.res);
	EXPECT_EQ(0, ev.flags);
	EXPECT_NEXT(&self->q, IOEVQ_OP_CANCEL, 2, 1);
	/* Nobody reads: what waits ends with the file. */
	ASSERT_EQ(0, give(&self->q, self->t.peer, out, len, 3));
	ASSERT_EQ(0, close(self->t.peer));
	self->t.peer = -1;
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_EQ(3, ev.user_data);
	EXPECT_EQ(IOEVQ_EVENT_CLOSED, ev.flags);
	free(out);
}

#define PAIRS		100
#define EACH		20

static char sink[PAIRS][EACH][64];
static char big[1 << 20];

/* Reads, and writes that do not fit, on many sockets and pipes. */
static int make_busy(struct ioevq *q)
{
	int s[2], i, k;

	if (ioevq_open(q, 16, 0))
		return -1;
	for (i = 0; i < PAIRS; i++) {
		if (i & 1 ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) :
			    pipe2(s, O_CLOEXEC))
			return -1;
		for (k = 0; k < EACH; k++)
			if (want(q, s[0], sink[i][k], 64, k))
				return -1;
		if (i & 1 && give(q, s[0], big, sizeof(big), k))
			return -1;
	}
	return 0;
}

static int be_busy(struct offspring *c, long arg)
{
	struct ioevq q;

	if (make_busy(&q))
		return 90;
	say(c);
	await_go(c);
	if (arg)
		execl("/bin/sleep", "sleep", "1000", NULL);
	return 0;
}

/* By exit, exec and SIGKILL. */
TEST(law_11_with_thousands_in_flight)
{
	long users = module_users();
	struct offspring c;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, offspring(&c, be_busy, i == 1));
		ASSERT_EQ(0, let_go(&c));
		ASSERT_EQ(0, word_of(&c));
		EXPECT_LT(users, module_users());
		if (i < 2)
			ASSERT_EQ(0, let_go(&c));
		if (i == 1)
			EXPECT_TRUE(eventually(module_users() == users));
		if (i > 0)
			ASSERT_EQ(0, kill(c.pid, SIGKILL));
		ASSERT_EQ(c.pid, waitpid(c.pid, NULL, 0));
		EXPECT_TRUE(eventually(module_users() == users));
		offspring_close(&c);
	}
}

static long tasks(void)
{
	struct sysinfo info;

	return sysinfo(&info) ? -1 : info.procs;
}

/* However many wait, they wait without threads. */
TEST(law_11_no_thread_for_each)
{
	long before = tasks(), most = get_param("max_workers") + 16;
	struct ioevq q;

	ASSERT_EQ(0, make_busy(&q));
	EXPECT_EQ(PAIRS * EACH + PAIRS / 2, requests(&q));
	EXPECT_GT(before + most, tasks());
	ioevq_close(&q);
}

/*
 * Descriptors that come with the data are dropped. Were they read by who waits, the last one of a
 * file would be closed when he returns to user space; and he may wait for just that.
 */
TEST(law_08_descriptors_in_the_data)
{
	struct ioevq_event evs[2];
	int s[2], other[2];
	struct ioevq_enter enter = {
		.size = sizeof(enter), .nr_reqs = 1, .min = 2, .max = 2, .timeout_ns = BOUND_NS,
	};
	struct ioevq_req req;
	struct ioevq q;
	char buf[8];
	int first;

	ASSERT_EQ(0, ioevq_open(&q, 16, 0));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, other));
	ASSERT_EQ(0, watch(&q, other[0], 0, IOEVQ_POLL_EDGE, 2));
	ASSERT_EQ(0, want(&q, s[0], buf, sizeof(buf), 1));
	ASSERT_EQ(0, pass_fd(s[1], other[1]));
	ASSERT_EQ(0, close(other[1]));
	ASSERT_EQ(2, enter_wait(&q, evs, 2, 2, BOUND_NS));
	/* Another thread drops what came with the data: it may be done before the read is. */
	first = evs[0].user_data == 2;
	EXPECT_EQ(1, evs[first].user_data);
	EXPECT_EQ(1, evs[first].res);
	EXPECT_EQ(2, evs[!first].user_data);
	EXPECT_EQ(POLLHUP, evs[!first].res);
	/* The same where it is there before, and who asks for it waits. */
	ASSERT_EQ(0, pass_fd(s[1], other[0]));
	ASSERT_EQ(0, close(other[0]));
	ioevq_prep_read(&req, s[0], buf, sizeof(buf), IOEVQ_POSITION, 3);
	enter.reqs = (uintptr_t)&req;
	enter.events = (uintptr_t)evs;
	ASSERT_EQ(2, ioevq_enter(&q, &enter));
	EXPECT_EQ(2 + 3, evs[0].user_data + evs[1].user_data);
	close(s[0]);
	close(s[1]);
	ioevq_close(&q);
}

/*
 * A queue in flight in the very socket that it reads from. Nothing but the request and the
 * message hold one another, so it all goes.
 */
TEST(law_11_no_circle)
{
	long users = module_users();
	struct ioevq q;
	char buf[8];
	int s[2];

	ASSERT_EQ(0, ioevq_open(&q, 16, 0));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s));
	ASSERT_EQ(0, want(&q, s[0], buf, sizeof(buf), 1));
	ASSERT_EQ(0, want(&q, s[0], buf, sizeof(buf), 2));
	ASSERT_EQ(0, pass_fd(s[1], q.fd));
	EXPECT_LT(users, module_users());
	munmap(q.ring, q.ring_size);
	close(q.fd);
	close(s[1]);
	EXPECT_LT(users, module_users());
	close(s[0]);
	EXPECT_TRUE(eventually(module_users() == users));
}

#define MUCH	(1 << 20)

static char much[MUCH];

static int write_much(struct offspring *c, long arg)
{
	const struct order *o = (const struct order *)arg;
	struct ioevq_req req;

	if (memcg_enter())
		return 97;
	ioevq_prep_write(&req, o->fd, much, MUCH, IOEVQ_POSITION, 1);
	if (submit(o->q, &req))
		return 96;
	say(c);
	await_go(c);
	return 0;
}

/* A worker writes, as the consumer has other memory: what fills the pipe is the submitter's. */
TEST_F(stream, law_13_who_submits_pays_for_what_is_on_its_way)
{
	struct offspring c;
	struct order o = { &self->q, -1 };
	int fds[2];

	ASSERT_EQ(0, memcg_make());
	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(MUCH, fcntl(fds[0], F_SETPIPE_SZ, MUCH));
	ASSERT_EQ(MUCH, write(fds[1], much, MUCH));
	o.fd = fds[1];
	ASSERT_EQ(0, offspring(&c, write_much, (long)&o));
	ASSERT_EQ(0, let_go(&c));
	ASSERT_EQ(0, word_of(&c));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(MUCH, read(fds[0], much, MUCH));
	EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, 1, MUCH);
	/* Pages of before may have been kept for that. */
	EXPECT_TRUE(eventually(memcg_stat("kernel") > MUCH - MUCH / 8));
	ASSERT_EQ(0, let_go(&c));
	EXPECT_EQ(0, ends_with(&c));
	close(fds[0]);
	close(fds[1]);
	EXPECT_TRUE(eventually(!memcg_end()));
}

TEST_HARNESS_MAIN

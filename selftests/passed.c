// SPDX-License-Identifier: GPL-2.0-only
/* Law 11: a queue passed to another process, which submits to it and is killed. */
#include "kinds_socket.h"
#include "offspring.h"
#include "pass_fd.h"
#include "slow_io.h"

enum { PIPE = 1, ALL_CHILDREN, ONE_CHILD, IO };

struct deal {
	int over[2];		/* the queue comes from 1 to 0 */
	int pipe[2];
	pid_t grandchild;
};

/* The stranger: it did not inherit the queue. */
static int submit_to_it(struct offspring *c, long arg)
{
	struct deal *d = (struct deal *)arg;
	struct slow_io s;
	struct ioevq q;
	int i;

	close(d->pipe[1]);
	if (ioevq_attach(&q, receive_fd(d->over[0])) || slow_make(&s))
		return 90;
	d->grandchild = sleeper();
	if (watch(&q, d->pipe[0], POLLIN, IOEVQ_POLL_EDGE, PIPE) ||
	    watch_child(&q, 0, 0, ALL_CHILDREN) || watch_child(&q, d->grandchild, 0, ONE_CHILD))
		return 91;
	for (i = 0; i < SLOW_PAGES; i++)
		if (slow_read(&q, &s, i, IO + i))
			return 92;
	if (slow_started(&s))
		return 93;
	say(c);
	await_go(c);
	return 94;
}

/* Each of its requests has its final event; what outlives it goes on for us. */
TEST(law_11_the_submitter_is_killed)
{
	struct deal *d = mmap(NULL, sizeof(*d), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int ends = 0, wanted;
	struct ioevq_event ev;
	struct offspring c;
	struct ioevq q;
	char word;

	ASSERT_NE(MAP_FAILED, d);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, d->over));
	ASSERT_EQ(0, pipe2(d->pipe, O_NONBLOCK));
	ASSERT_EQ(0, offspring(&c, submit_to_it, (long)d));
	ASSERT_EQ(0, ioevq_open(&q, 4, 0));
	ASSERT_EQ(0, pass_fd(d->over[1], q.fd));
	ASSERT_EQ(0, let_go(&c));
	ASSERT_EQ(1, read(c.said, &word, 1));
	EXPECT_TRUE(quiet(&q));
	EXPECT_EQ(3 + SLOW_PAGES, requests(&q));

	ASSERT_EQ(0, kill(c.pid, SIGKILL));
	ASSERT_EQ(c.pid, waitpid(c.pid, NULL, 0));
	/* Of all but the pipe; the grandchild dies with its parent. */
	wanted = 1 << ALL_CHILDREN | 1 << ONE_CHILD | ((1 << SLOW_PAGES) - 1) << IO;
	while (ends != wanted) {
		ASSERT_EQ(1, next_event(&q, &ev));
		if (ev.user_data == ALL_CHILDREN) {
			/* It may have seen the grandchild's end, or its own first. */
			if (ev.flags & IOEVQ_EVENT_MORE)
				continue;
			EXPECT_EQ(IOEVQ_EVENT_CLOSED, ev.flags);
		} else if (ev.user_data == ONE_CHILD) {
			EXPECT_EQ(d->grandchild, ev.res);
			/* By then it is the child of another. */
			EXPECT_EQ(IOEVQ_EVENT_FOREIGN, ev.flags);
			EXPECT_EQ(0, ev.data);
		} else {
			ASSERT_LE(IO, ev.user_data);
			/* With the process its page faults end, whoever they are of. */
			EXPECT_TRUE(ev.res == -ECANCELED || ev.res == -EFAULT ||
				    ev.res == SLOW_PAGE)
				TH_LOG("result %lld", (long long)ev.res);
		}
		EXPECT_EQ(0, ends & 1 << ev.user_data);
		ends |= 1 << ev.user_data;
	}
	EXPECT_EQ(1, requests(&q));
	ASSERT_EQ(1, write(d->pipe[1], "x", 1));
	ASSERT_EQ(1, next_event(&q, &ev));
	EXPECT_EQ(PIPE, ev.user_data);
	EXPECT_EQ(POLLIN, ev.res);
	close(d->pipe[0]);
	ASSERT_EQ(1, next_event(&q, &ev));
	EXPECT_EQ(IOEVQ_EVENT_CLOSED, ev.flags);
	EXPECT_TRUE(quiet(&q));
	EXPECT_EQ(0, requests(&q));
	ioevq_close(&q);
}

TEST_HARNESS_MAIN

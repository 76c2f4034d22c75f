// SPDX-License-Identifier: GPL-2.0-only
/* Law 13: who is root of a namespace is no more to us than who made it. */
#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/resource.h>

#include "fixed.h"
#include "pass_fd.h"
#include "users.h"

#define WATCH	7

FIXTURE(ns)
{
	struct door d;
	struct ioevq q;
	long max_user_requests;
	int over[2];
};

FIXTURE_SETUP(ns)
{
	ASSERT_EQ(0, door_make(&self->d, 0666, 0));
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self->over));
	self->max_user_requests = get_param("max_user_requests");
	ASSERT_LT(0, self->max_user_requests);
}

FIXTURE_TEARDOWN(ns)
{
	EXPECT_EQ(0, act_as_root());
	EXPECT_EQ(0, set_param("max_user_requests", self->max_user_requests));
	ioevq_close(&self->q);
	door_end(&self->d);
}

/* As process 1 of a namespace: its child's number there. The queue is its parent's. */
static int have_one_inside(struct offspring *c, long arg)
{
	const struct ioevq *q = (const struct ioevq *)arg;
	struct offspring child;
	pid_t pid;

	if (getpid() != 1 || offspring(&child, exit_with, 5) ||
	    watch_as(q, ANY, 0, 0, WATCH) || watch_as(q, BY_PID, child.pid, 0, WATCH + 1))
		return 1;
	pid = child.pid;
	if (write(c->say, &pid, sizeof(pid)) != sizeof(pid) || let_go(&child))
		return 2;
	await_go(c);
	return waitpid(pid, NULL, 0) == pid ? 0 : 3;
}

/* Who takes the event is outside: numbers are those of who asked, who has to do with them. */
TEST_F(ns, law_10_process_ids_of_the_submitter)
{
	struct offspring inside;
	struct ioevq_event ev;
	pid_t pid;
	int i;

	ASSERT_EQ(0, offspring_in(&inside, have_one_inside, (long)&self->q, CLONE_NEWPID));
	ASSERT_EQ(0, let_go(&inside));
	ASSERT_EQ(sizeof(pid), read(inside.said, &pid, sizeof(pid)));
	EXPECT_NE(pid, inside.pid);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, next_event(&self->q, &ev));
		EXPECT_EQ(IOEVQ_OP_CHILD, ev.op);
		EXPECT_EQ(pid, ev.res);
		EXPECT_EQ(5 << 8, IOEVQ_CHILD_STATUS(ev.data));
	}
	ASSERT_EQ(0, let_go(&inside));
	EXPECT_EQ(0, status_of(&inside));
	/* That of all children ends with who asked. */
	ASSERT_EQ(1, next_event(&self->q, &ev));
	EXPECT_EQ(IOEVQ_EVENT_CLOSED, ev.flags);
	EXPECT_EQ(WATCH, ev.user_data);
	EXPECT_TRUE(quiet(&self->q));
}

/* Alice, who has half of what she may have, and then is root of a namespace of her own. */
static int ask_for_more(struct offspring *c, long arg)
{
	const struct door *d = (const struct door *)arg;
	int fd = eventfd(0, 0);
	struct ioevq out, in;

	(void)c;
	if (become(ALICE) || enter_by(&out, d, 4) || park(&out, fd, 10, 0) != 10)
		return 1;
	if (root_of_a_namespace(CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWNS))
		return 2;
	if (enter_by(&in, d, 4))
		return 3;
	if (park(&in, fd, 10, 0) != 6 || park(&in, fd, 1, 0) != -EDQUOT)
		return 4;
	if (park(&out, fd, 1, 0) != -EDQUOT)
		return 5;
	/* It says so, and nothing there changes the limit. */
	if (query(&in).max_user_requests != 16 || !set_param("max_user_requests", 1000))
		return 6;
	return query(&in).max_user_requests == 16 ? 0 : 7;
}

TEST_F(ns, law_13_requests_of_its_root)
{
	ASSERT_EQ(0, set_param("max_user_requests", 16));
	EXPECT_EQ(0, run_to_its_end(ask_for_more, (long)&self->d));
}

static int lock_more(struct offspring *c, long arg)
{
	struct rlimit few = { .rlim_cur = 4 * PAGE, .rlim_max = 4 * PAGE };
	struct rlimit more = { .rlim_cur = 64 * PAGE, .rlim_max = 64 * PAGE };
	const struct door *d = (const struct door *)arg;
	char *p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ioevq out, in;

	(void)c;
	if (p == MAP_FAILED || setrlimit(RLIMIT_MEMLOCK, &few) || become(ALICE) ||
	    enter_by(&out, d, 4) || register_one(&out, p, 2 * PAGE))
		return 1;
	if (root_of_a_namespace(0) || enter_by(&in, d, 4))
		return 2;
	/* It has CAP_IPC_LOCK, over what it made. */
	if (!setrlimit(RLIMIT_MEMLOCK, &more) || errno != EPERM)
		return 3;
	if (register_one(&in, p, 3 * PAGE) != -ENOMEM)
		return 4;
	return register_one(&in, p, 2 * PAGE) ? 5 : 0;
}

TEST_F(ns, law_13_locked_memory_of_its_root)
{
	EXPECT_EQ(0, run_to_its_end(lock_more, (long)&self->d));
}

/* Its queue, and its child, are those of a process in another user namespace. */
static int watch_from_inside(struct offspring *c, long arg)
{
	const pid_t *outside = (const pid_t *)arg;
	struct ioevq_req req;
	struct ioevq q;

	(void)c;
	if (ioevq_open(&q, 4, 0) || become(ALICE) || root_of_a_namespace(0))
		return 1;
	/* Another user's: that it ended, perhaps; by no means how, and no stops. */
	if (watch_as(&q, BY_PID, *outside, 0, WATCH) != -ECHILD ||
	    watch_as(&q, BY_PIDFD, *outside, IOEVQ_CHILD_STOPPED, WATCH) != -ECHILD ||
	    watch_as(&q, BY_PIDFD, *outside, 0, WATCH))
		return 2;
	if (kill(*outside, 0) != -1 || errno != EPERM)
		return 3;
	ioevq_prep_cancel(&req, 0, 0, -1, 0, 1);
	return submit(&q, &req) ? 4 : 0;
}

TEST_F(ns, law_13_children_outside)
{
	struct offspring c;

	ASSERT_EQ(0, offspring(&c, exit_with, 5));
	EXPECT_EQ(0, run_to_its_end(watch_from_inside, (long)&c.pid));
	let_go(&c);
	EXPECT_EQ(5, status_of(&c));
}

/* In a network of its own: a server there, whose connection it passes to the outside. */
static int serve_inside(struct offspring *c, long over)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int server = socket(AF_INET, SOCK_STREAM, 0), s = socket(AF_INET, SOCK_STREAM, 0);
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	socklen_t len = sizeof(addr);
	char buf[4];
	int peer;

	if (ioctl(s, SIOCSIFFLAGS, &lo) || bind(server, (struct sockaddr *)&addr, len) ||
	    listen(server, 1) || getsockname(server, (struct sockaddr *)&addr, &len) ||
	    connect(s, (struct sockaddr *)&addr, len))
		return 1;
	peer = accept(server, NULL, NULL);
	if (peer < 0 || pass_fd(over, peer) || close(peer))
		return 2;
	say(c);
	await_go(c);
	if (write(s, "ping", 4) != 4 || read(s, buf, 4) != 4 || memcmp(buf, "pong", 4))
		return 3;
	return close(s) ? 4 : 0;
}

/* The socket decides in what network it is, not who waits for it. */
TEST_F(ns, law_13_sockets_of_another_network)
{
	struct offspring inside;
	char word, buf[16];
	struct ioevq_req req;
	int fd;

	ASSERT_EQ(0, offspring_in(&inside, serve_inside, self->over[1], CLONE_NEWNET));
	ASSERT_EQ(0, let_go(&inside));
	ASSERT_EQ(1, read(inside.said, &word, 1));
	fd = receive_fd(self->over[0]);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, watch(&self->q, fd, POLLIN | POLLRDHUP, IOEVQ_POLL_ONESHOT, WATCH));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ(0, let_go(&inside));
	EXPECT_NEXT(&self->q, IOEVQ_OP_POLL, WATCH, POLLIN);
	ioevq_prep_read(&req, fd, buf, sizeof(buf), IOEVQ_POSITION, 1);
	ASSERT_EQ(0, submit(&self->q, &req));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, 4);
	ioevq_prep_write(&req, fd, "pong", 4, IOEVQ_POSITION, 2);
	ASSERT_EQ(0, submit(&self->q, &req));
	EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, 2, 4);
	/* The end of it, and then of the namespace. */
	ioevq_prep_read(&req, fd, buf, sizeof(buf), IOEVQ_POSITION, 3);
	ASSERT_EQ(0, submit(&self->q, &req));
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 3, 0);
	EXPECT_EQ(0, status_of(&inside));
	ASSERT_EQ(0, ioevq_close_fd(&self->q, fd, 4));
	EXPECT_NEXT(&self->q, IOEVQ_OP_CLOSE, 4, 0);
}

/*
 * What the kernel is told by a socket, and its answer, is carried out by who writes and reads,
 * and in whose namespaces a process has a number: never by a worker. It can be waited for.
 */
TEST_F(ns, law_13_messages_to_the_kernel)
{
	struct {
		struct nlmsghdr header;
		struct rtgenmsg gen;
	} msg = {
		{ .nlmsg_len = sizeof(msg), .nlmsg_type = RTM_GETLINK,
		  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		{ .rtgen_family = AF_UNSPEC },
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	char buf[8192] = "";
	struct ioevq_req req;

	ASSERT_LE(0, fd);
	ioevq_prep_write(&req, fd, &msg, sizeof(msg), IOEVQ_POSITION, 1);
	EXPECT_EQ(-EOPNOTSUPP, submit(&self->q, &req));
	ioevq_prep_read(&req, fd, buf, sizeof(buf), IOEVQ_POSITION, 2);
	EXPECT_EQ(-EOPNOTSUPP, submit(&self->q, &req));
	ASSERT_EQ(0, watch(&self->q, fd, POLLIN, IOEVQ_POLL_ONESHOT, 3));
	EXPECT_TRUE(quiet(&self->q));
	ASSERT_EQ((ssize_t)sizeof(msg), write(fd, &msg, sizeof(msg)));
	EXPECT_NEXT(&self->q, IOEVQ_OP_POLL, 3, POLLIN);
	ASSERT_LT((ssize_t)sizeof(struct nlmsghdr), read(fd, buf, sizeof(buf)));
	EXPECT_EQ(RTM_NEWLINK, ((struct nlmsghdr *)buf)->nlmsg_type);
	close(fd);
}

TEST_HARNESS_MAIN

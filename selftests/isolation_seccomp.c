// SPDX-License-Identifier: GPL-2.0-only
/* Law 13: what a server on a queue needs of the system: a few calls, and no more. */
#include <arpa/inet.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stddef.h>

#include "offspring.h"
#include "expect.h"

#define CLIENTS	8
#define ROUNDS	3
#define NOT_HERE	EHWPOISON
/* Since Linux 6.11, for a trampoline of the kernel's: no filter sees it, others die of it. */
#define URETPROBE	335

/* User data: those, or of a connection its buffer, this bit, and its descriptor. */
enum { LISTEN = 1, STOP };
#define CONNECTION	(1 << 30)

/* The calls of a server that waits for readiness, and of one that has the queue read and write. */
static const int by_readiness[] = {
	SYS_ioctl, SYS_accept4, SYS_read, SYS_write, SYS_close, SYS_exit_group,
};

static const int by_completion[] = { SYS_ioctl, SYS_accept4, SYS_read, SYS_exit_group };

/* These calls, of ioctl(2) that to submit and wait; what becomes of all others. */
static int confine(const int *calls, unsigned int nr, unsigned int otherwise)
{
	struct sock_filter code[64], *p = code;
	struct sock_fprog prog = { .filter = code };
	unsigned int i;

#define DATA(field)	offsetof(struct seccomp_data, field)
	*p++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, DATA(arch));
	*p++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	*p++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, otherwise);
	*p++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, DATA(nr));
	for (i = 0; i < nr; i++) {
		if (calls[i] == SYS_ioctl)
			continue;
		*p++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i], 0, 1);
		*p++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	*p++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3);
	*p++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, DATA(args[1]));
	*p++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IOEVQ_IOC_ENTER, 0, 1);
	*p++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	*p++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, otherwise);
#undef DATA
	prog.len = (unsigned short)(p - code);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

/* What it needs was opened before. */
struct server {
	struct ioevq q;
	int fd;			/* listens */
	int stop;		/* an eventfd: ends it */
	const int *calls;
	unsigned int nr_calls;
	char bufs[CLIENTS][64];
	int call;		/* to be tried */
	int pipe[2];
};

static int server_make(struct server *s, uint64_t ops, struct sockaddr_in *addr)
{
	socklen_t len = sizeof(*addr);

	*addr = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	s->stop = eventfd(0, EFD_CLOEXEC);
	if (s->fd < 0 || s->stop < 0 || bind(s->fd, (struct sockaddr *)addr, len) ||
	    listen(s->fd, CLIENTS) || getsockname(s->fd, (struct sockaddr *)addr, &len))
		return -1;
	if (ioevq_open(&s->q, 64, ops) || watch(&s->q, s->fd, POLLIN, 0, LISTEN) ||
	    watch(&s->q, s->stop, POLLIN, 0, STOP))
		return -1;
	return 0;
}

static int echo_ready(struct server *s, int fd)
{
	ssize_t n = read(fd, s->bufs[0], sizeof(s->bufs[0]));

	if (n > 0)
		return write(fd, s->bufs[0], n) == n ? 0 : -1;
	return n ? -1 : close(fd);
}

/* Read, write what was read, and again, until there is no more. */
static int echo_done(struct server *s, const struct ioevq_event *ev)
{
	char *buf = s->bufs[ev->user_data >> 32];
	int fd = ev->user_data & (CONNECTION - 1);
	struct ioevq_req req;

	if (ev->op == IOEVQ_OP_CLOSE)
		return ev->res ? -1 : 0;
	if (ev->res < 0)
		return -1;
	if (!ev->res)
		ioevq_prep_close(&req, fd, ev->user_data);
	else if (ev->op == IOEVQ_OP_READ)
		ioevq_prep_write(&req, fd, buf, ev->res, IOEVQ_POSITION, ev->user_data);
	else
		ioevq_prep_read(&req, fd, buf, sizeof(s->bufs[0]), IOEVQ_POSITION, ev->user_data);
	return submit(&s->q, &req);
}

static int begin(struct server *s, unsigned int slot)
{
	int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	uint64_t user_data = (uint64_t)slot << 32 | CONNECTION | fd;
	struct ioevq_req req;

	if (fd < 0)
		return errno == EAGAIN ? 0 : -1;
	if (s->nr_calls == ARRAY_SIZE(by_readiness))
		return watch(&s->q, fd, POLLIN, 0, user_data);
	ioevq_prep_read(&req, fd, s->bufs[slot], sizeof(s->bufs[0]), IOEVQ_POSITION, user_data);
	return submit(&s->q, &req);
}

static int serve(struct offspring *c, long arg)
{
	struct server *s = (struct server *)arg;
	struct ioevq_event ev;
	unsigned int nr = 0;
	int err;

	(void)c;
	if (confine(s->calls, s->nr_calls, SECCOMP_RET_KILL_PROCESS))
		return 1;
	for (;;) {
		if (ioevq_wait(&s->q, &ev, 1, 1, IOEVQ_FOREVER) != 1)
			return 2;
		if (ev.op != IOEVQ_OP_POLL)
			err = echo_done(s, &ev);
		else if (ev.user_data == STOP)
			return 0;
		else if (ev.user_data == LISTEN)
			err = begin(s, nr++ % CLIENTS);
		else if (ev.flags & IOEVQ_EVENT_CLOSED)
			err = 0;
		else
			err = echo_ready(s, ev.user_data & (CONNECTION - 1));
		if (err)
			return 3;
	}
}

/* Clients at once, each of whom has back what it says. */
static int talk(const struct sockaddr_in *addr)
{
	int fd[CLIENTS], i, round;
	char say[32], hear[32];

	for (i = 0; i < CLIENTS; i++) {
		fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd[i], (const struct sockaddr *)addr, sizeof(*addr)))
			return -1;
	}
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < CLIENTS; i++) {
			snprintf(say, sizeof(say), "round %d of %d", round, i);
			if (write(fd[i], say, sizeof(say)) != sizeof(say) ||
			    recv(fd[i], hear, sizeof(hear), MSG_WAITALL) != sizeof(hear) ||
			    memcmp(say, hear, sizeof(say)))
				return -1;
		}
	}
	for (i = 0; i < CLIENTS; i++) {
		/* It answers the end with its own. */
		if (shutdown(fd[i], SHUT_WR) || read(fd[i], hear, 1))
			return -1;
		close(fd[i]);
	}
	return 0;
}

FIXTURE(confined)
{
	struct server s;
	struct sockaddr_in addr;
	struct offspring c;
};

FIXTURE_VARIANT(confined)
{
	const int *calls;
	unsigned int nr_calls;
	uint64_t ops;
};

#define OP(name)	(1ULL << IOEVQ_OP_ ## name)

FIXTURE_VARIANT_ADD(confined, by_readiness)
{
	.calls = by_readiness,
	.nr_calls = ARRAY_SIZE(by_readiness),
	.ops = OP(POLL),
};

FIXTURE_VARIANT_ADD(confined, by_completion)
{
	.calls = by_completion,
	.nr_calls = ARRAY_SIZE(by_completion),
	.ops = OP(POLL) | OP(READ) | OP(WRITE) | OP(CLOSE),
};

FIXTURE_SETUP(confined)
{
	memset(&self->s, 0, sizeof(self->s));
	ASSERT_EQ(0, server_make(&self->s, variant->ops, &self->addr));
	self->s.calls = variant->calls;
	self->s.nr_calls = variant->nr_calls;
}

FIXTURE_TEARDOWN(confined)
{
	ioevq_close(&self->s.q);
	close(self->s.fd);
	close(self->s.stop);
}

TEST_F(confined, law_13_a_server)
{
	int status;

	ASSERT_EQ(0, offspring(&self->c, serve, (long)&self->s));
	ASSERT_EQ(0, let_go(&self->c));
	EXPECT_EQ(0, talk(&self->addr));
	ASSERT_EQ(0, eventfd_write(self->s.stop, 1));
	ASSERT_EQ(self->c.pid, waitpid(self->c.pid, &status, 0));
	EXPECT_EQ(0, status);
}

static int is_allowed(const struct server *s, int call)
{
	unsigned int i;

	for (i = 0; i < s->nr_calls; i++)
		if (s->calls[i] == call)
			return 1;
	return 0;
}

/* All that Linux has, and some that it will have. */
static int try_calls(struct offspring *c, long arg)
{
	const struct server *s = (const struct server *)arg;
	int call;

	(void)c;
	if (confine(s->calls, s->nr_calls, SECCOMP_RET_ERRNO | NOT_HERE))
		return 1;
	for (call = 0; call < 512; call++)
		if (call != URETPROBE && !is_allowed(s, call) &&
		    (syscall(call, -1, 0, 0, 0, 0, 0) != -1 || errno != NOT_HERE))
			return 2;
	return syscall(SYS_ioctl, -1, 0) == -1 && errno == NOT_HERE ? 0 : 3;
}

static int call_it(struct offspring *c, long arg)
{
	const struct server *s = (const struct server *)arg;

	(void)c;
	if (confine(s->calls, s->nr_calls, SECCOMP_RET_KILL_PROCESS))
		return 1;
	syscall(s->call, -1, 0, 0, 0, 0, 0);
	return 2;
}

static int ends_by(struct offspring *c, int (*run)(struct offspring *c, long arg), long arg)
{
	int status;

	if (offspring(c, run, arg) || let_go(c) || waitpid(c->pid, &status, 0) != c->pid)
		return -1;
	offspring_close(c);
	return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

/* It was shown that those suffice; here that there are no others. */
TEST_F(confined, law_13_no_other_call)
{
	static const int some[] = {
		SYS_openat, SYS_socket, SYS_connect, SYS_mmap, SYS_execve, SYS_clone, SYS_kill,
		SYS_ptrace, SYS_io_uring_setup, SYS_epoll_create1, SYS_pidfd_open,
	};
	unsigned int i;

	EXPECT_EQ(0, ends_by(&self->c, try_calls, (long)&self->s));
	for (i = 0; i < ARRAY_SIZE(some); i++) {
		self->s.call = some[i];
		EXPECT_EQ(SIGSYS, ends_by(&self->c, call_it, (long)&self->s))
			TH_LOG("call %d", some[i]);
	}
}

static int ask(struct offspring *c, long arg)
{
	const struct server *s = (const struct server *)arg;

	(void)c;
	if (confine(s->calls, s->nr_calls, SECCOMP_RET_KILL_PROCESS))
		return 1;
	query(&s->q);
	return 2;
}

static int lift(struct offspring *c, long arg)
{
	const struct server *s = (const struct server *)arg;

	(void)c;
	if (confine(s->calls, s->nr_calls, SECCOMP_RET_KILL_PROCESS))
		return 1;
	ioevq_restrict(&s->q, ~0ULL);
	return 2;
}

/* A filter tells our ioctls apart: a server needs none of the others once it has begun. */
TEST_F(confined, law_13_no_other_ioctl)
{
	EXPECT_EQ(SIGSYS, ends_by(&self->c, ask, (long)&self->s));
	EXPECT_EQ(SIGSYS, ends_by(&self->c, lift, (long)&self->s));
}

static int write_all_the_same(struct offspring *c, long arg)
{
	const struct server *s = (const struct server *)arg;
	struct ioevq_req req;
	int ret;

	(void)c;
	if (confine(by_completion, ARRAY_SIZE(by_completion), SECCOMP_RET_KILL_PROCESS))
		return 1;
	ioevq_prep_write(&req, s->pipe[1], "x", 1, IOEVQ_POSITION, 1);
	ret = submit(&s->q, &req);
	return ret ? -ret : 0;
}

/*
 * What it cannot tell apart is operations: a write that is no system call passes. The
 * restriction of the queue is what is there for that.
 */
TEST_F(confined, law_13_operations_are_not_filtered)
{
	int may_write = !!(variant->ops & OP(WRITE)), status;
	char c;

	ASSERT_EQ(0, pipe2(self->s.pipe, O_NONBLOCK));
	ASSERT_EQ(0, offspring(&self->c, write_all_the_same, (long)&self->s));
	ASSERT_EQ(0, let_go(&self->c));
	ASSERT_EQ(self->c.pid, waitpid(self->c.pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(may_write ? 0 : EPERM, WEXITSTATUS(status));
	EXPECT_EQ(may_write ? 1 : -1, read(self->s.pipe[0], &c, 1));
}

TEST_HARNESS_MAIN

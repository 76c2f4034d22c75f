// SPDX-License-Identifier: GPL-2.0-only
/* Messages to a queue, sent and taken by one thread: one at a time, and many in a call. */
#include <mqueue.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "bench.h"
#include "uring.h"

#define MANY	128

struct post {
	unsigned int k;			/* messages a call */
	struct ioevq q, to;
	struct ioevq_req reqs[MANY];
	struct ioevq_event messages[MANY];
	struct uring u, other, deferred;
	int fd, epfd, pipe[2];
	mqd_t mq;
	siginfo_t siginfo;
};

static __always_inline void take_ours(const struct ioevq *q, unsigned int n)
{
	struct ioevq_event ev;

	while (n)
		n -= MUST(ioevq_take(q, &ev));
}

static void round_own(void *arg)
{
	struct post *p = arg;

	MUST(ioevq_post(&p->q, 1, 2, 3));
	take_ours(&p->q, 1);
}

static void round_write(void *arg)
{
	struct post *p = arg;
	ssize_t size = (ssize_t)(p->k * sizeof(*p->messages));

	for (unsigned int i = 0; i < p->k; i++)
		p->messages[i] = (struct ioevq_event){
			.user_data = i, .res = 2, .op = IOEVQ_OP_POST, .data = 3,
		};
	if (write(p->q.fd, p->messages, (size_t)size) != size)
		die("write to a queue");
	take_ours(&p->q, p->k);
}

static __always_inline void post_ours(struct post *p, int fd, const struct ioevq *to)
{
	for (unsigned int i = 0; i < p->k; i++)
		ioevq_prep_post(&p->reqs[i], fd, 2, 3, i);
	if (ioevq_submit(&p->q, p->reqs, p->k) != (int)p->k)
		die("ioevq_submit");
	take_ours(to, p->k);
}

static void round_own_many(void *arg)
{
	struct post *p = arg;

	post_ours(p, -1, &p->q);
}

static void round_ours(void *arg)
{
	struct post *p = arg;

	post_ours(p, p->to.fd, &p->to);
}

static void take_uring(struct uring *u, unsigned int n)
{
	while (n) {
		if (!uring_peek(u))
			MUST(uring_enter(u, 1, IORING_ENTER_GETEVENTS));
		uring_seen(u, 1);
		n--;
	}
}

/* A ring cannot be among the registered files. */
static __always_inline void msg_ring(struct post *p, struct uring *from)
{
	for (unsigned int i = 0; i < p->k; i++) {
		struct io_uring_sqe *sqe = uring_sqe(from, IORING_OP_MSG_RING, p->other.fd, i);

		sqe->len = 2;
		sqe->off = i;
		/* No completion here for what was delivered there. */
		sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
	}
	MUST(uring_enter(from, 0, 0));
	take_uring(&p->other, p->k);
}

static void round_msg_ring(void *arg)
{
	struct post *p = arg;

	msg_ring(p, &p->u);
}

static void round_msg_ring_defer(void *arg)
{
	struct post *p = arg;

	msg_ring(p, &p->deferred);
}

static void round_nop(void *arg)
{
	struct post *p = arg;

	for (unsigned int i = 0; i < p->k; i++)
		uring_sqe(&p->u, IORING_OP_NOP, -1, i);
	MUST(uring_enter(&p->u, p->k, IORING_ENTER_GETEVENTS));
	take_uring(&p->u, p->k);
}

static void round_eventfd(void *arg)
{
	struct post *p = arg;
	struct epoll_event ev;

	put_message(p->fd);
	MUST(epoll_wait(p->epfd, &ev, 1, -1));
}

static __always_inline void pass_pipe(struct post *p, bool told)
{
	uint64_t messages[MANY][2];
	ssize_t size = (ssize_t)(p->k * sizeof(*messages));
	struct epoll_event ev;

	for (unsigned int i = 0; i < p->k; i++) {
		messages[i][0] = i;
		messages[i][1] = 2;
	}
	if (write(p->pipe[1], messages, (size_t)size) != size)
		die("write to a pipe");
	if (told)
		MUST(epoll_wait(p->epfd, &ev, 1, -1));
	if (read(p->pipe[0], messages, (size_t)size) != size)
		die("read of a pipe");
}

/* Waits for nothing else. */
static void round_pipe(void *arg)
{
	pass_pipe(arg, false);
}

static void round_pipe_epoll(void *arg)
{
	pass_pipe(arg, true);
}

static void round_mq(void *arg)
{
	struct post *p = arg;
	char message[16] = "";

	MUST(mq_send(p->mq, message, sizeof(message), 0));
	MUST(mq_receive(p->mq, message, sizeof(message), NULL));
}

/* What sigqueue(3) does, which asks for its own process and user each time. */
static void round_signal(void *arg)
{
	struct post *p = arg;
	struct signalfd_siginfo info;

	MUST(syscall(__NR_rt_sigqueueinfo, p->siginfo.si_pid, SIGRTMIN, &p->siginfo));
	MUST(read(p->fd, &info, sizeof(info)));
}

static void row(const char *name, enum kind kind, unsigned int k, round_fn *round, struct post *p)
{
	struct row r = { .question = "post", .object = k == 1 ? "one" : "many", .name = name,
			 .kind = kind, .n = 1, .k = k };

	p->k = k;
	measure(&r, round, p);
}

static void classic(struct post *p)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	struct mq_attr attr = { .mq_maxmsg = 10, .mq_msgsize = 16 };
	sigset_t set;

	p->fd = MUST(eventfd(0, EFD_NONBLOCK));
	p->epfd = MUST(epoll_create1(0));
	MUST(epoll_ctl(p->epfd, EPOLL_CTL_ADD, p->fd, &ev));
	row("eventfd, epoll ET, not read", PEER, 1, round_eventfd, p);
	MUST(pipe(p->pipe));
	row("pipe", FLOOR, 1, round_pipe, p);
	row("pipe", FLOOR, MANY, round_pipe, p);
	MUST(epoll_ctl(p->epfd, EPOLL_CTL_ADD, p->pipe[0], &ev));
	row("pipe, epoll ET", PEER, 1, round_pipe_epoll, p);
	row("pipe, epoll ET", PEER, MANY, round_pipe_epoll, p);
	MUST(epoll_ctl(p->epfd, EPOLL_CTL_DEL, p->pipe[0], NULL));
	p->mq = MUST(mq_open("/bench", O_RDWR | O_CREAT | O_EXCL, 0600, &attr));
	mq_unlink("/bench");
	row("mq_send, mq_receive", PEER, 1, round_mq, p);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
	p->fd = MUST(signalfd(-1, &set, 0));
	/* Parts of a union that lie side by side. */
	p->siginfo.si_code = SI_QUEUE;
	p->siginfo.si_pid = getpid();
	p->siginfo.si_uid = getuid();
	p->siginfo.si_value.sival_int = 1;
	row("sigqueue, signalfd", PEER, 1, round_signal, p);
}

void bench_post(void)
{
	struct post *p = warm_alloc(1, sizeof(*p));

	MUST(ioevq_open(&p->q, 1024, 0));
	MUST(ioevq_open(&p->to, 1024, 0));
	row("ioevq to itself", OURS, 1, round_own, p);
	row("ioevq to another", OURS, 1, round_ours, p);
	row("ioevq to itself", OURS, MANY, round_own_many, p);
	row("ioevq to another", OURS, MANY, round_ours, p);
	row("ioevq to itself, write", OURS, 1, round_write, p);
	row("ioevq to itself, write", OURS, MANY, round_write, p);
	if (uring_open(&p->u, MANY, 0) || uring_open(&p->other, MANY, 0) ||
	    uring_open(&p->deferred, MANY, URING_DEFER))
		die("io_uring_setup");
	row("io_uring MSG_RING", PEER, 1, round_msg_ring, p);
	row("io_uring MSG_RING", PEER, MANY, round_msg_ring, p);
	row("io_uring MSG_RING, DEFER", PEER, 1, round_msg_ring_defer, p);
	row("io_uring MSG_RING, DEFER", PEER, MANY, round_msg_ring_defer, p);
	/* Says nothing to anybody. */
	row("io_uring NOP", FLOOR, 1, round_nop, p);
	row("io_uring NOP", FLOOR, MANY, round_nop, p);
	classic(p);
}

// SPDX-License-Identifier: MIT
/* Two threads wake each other, by an eventfd each; both sleep in between. */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/poll.h>

#include "bench.h"

struct end {
	int in, out;
	int epfd;
	struct ioevq q;
	void (*wait)(struct end *end);
};

struct pair {
	struct end here, there;
	pthread_t thread;
	int stop;			/* told with the last message */
};

static void wait_alone(struct end *end)
{
	(void)end;
}

static void wait_epoll(struct end *end)
{
	struct epoll_event event;

	MUST(epoll_wait(end->epfd, &event, 1, -1));
}

static void wait_enter(struct end *end)
{
	struct ioevq_event event;
	struct ioevq_enter enter = {
		.events = (uintptr_t)&event, .min = 1, .max = 1, .timeout_ns = IOEVQ_FOREVER,
	};

	OURS(ioevq_enter(&end->q, &enter));
}

static void *partner(void *arg)
{
	struct pair *p = arg;

	for (;;) {
		p->there.wait(&p->there);
		get_message(p->there.in);
		if (__atomic_load_n(&p->stop, __ATOMIC_ACQUIRE))
			return NULL;
		put_message(p->there.out);
	}
}

static void round_pair(void *state)
{
	struct pair *p = state;

	put_message(p->here.out);
	p->here.wait(&p->here);
	get_message(p->here.in);
}

static void open_end(struct end *end)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	struct ioevq_req req;

	end->epfd = -1;
	end->q.fd = -1;
	if (end->wait == wait_epoll) {
		end->epfd = MUST(epoll_create1(EPOLL_CLOEXEC));
		MUST(epoll_ctl(end->epfd, EPOLL_CTL_ADD, end->in, &event));
	} else if (end->wait == wait_enter) {
		OURS(ioevq_open(&end->q, 64, 0));
		ioevq_prep_poll(&req, end->in, POLLIN, IOEVQ_POLL_EDGE, 1);
		OURS(ioevq_submit(&end->q, &req, 1));
	}
}

static void close_end(struct end *end)
{
	if (end->q.fd >= 0)
		ioevq_close(&end->q);
	if (end->epfd >= 0)
		close(end->epfd);
	close(end->in);
}

/* Without being told, a thread sleeps in read(2). */
static void *open_pair(void (*wait)(struct end *end), int flags)
{
	struct pair *p = new_state(sizeof(*p));

	p->here.in = MUST(eventfd(0, flags | EFD_CLOEXEC));
	p->here.out = MUST(eventfd(0, flags | EFD_CLOEXEC));
	p->there.in = p->here.out;
	p->there.out = p->here.in;
	p->here.wait = wait;
	p->there.wait = wait;
	open_end(&p->here);
	open_end(&p->there);
	errno = pthread_create(&p->thread, NULL, partner, p);
	if (errno)
		bench_fail("pthread_create", errno);
	return p;
}

static void *open_alone(void)
{
	return open_pair(wait_alone, 0);
}

static void *open_epoll(void)
{
	return open_pair(wait_epoll, EFD_NONBLOCK);
}

static void *open_enter(void)
{
	return open_pair(wait_enter, EFD_NONBLOCK);
}

static void close_pair(void *state)
{
	struct pair *p = state;

	__atomic_store_n(&p->stop, 1, __ATOMIC_RELEASE);
	put_message(p->here.out);
	pthread_join(p->thread, NULL);
	close_end(&p->here);
	close_end(&p->there);
	free(p);
}

const struct question sleep_questions[] = {
	{ "a thread that sleeps is woken", 2, {
		[ALONE] = { open_alone, round_pair, close_pair },
		[EPOLL] = { open_epoll, round_pair, close_pair },
		[ENTER] = { open_enter, round_pair, close_pair },
	} },
};

const unsigned int nr_sleep_questions = ARRAY_SIZE(sleep_questions);

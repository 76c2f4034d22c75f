// SPDX-License-Identifier: MIT
/* libioevq: queued signals and messages of POSIX message queues, as events. */
#define _GNU_SOURCE
#include <ioevq.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

#define BATCH	16

static int watch(const struct ioevq *q, int fd, uint64_t user_data)
{
	struct ioevq_req req;
	int ret;

	ioevq_prep_poll(&req, fd, POLLIN, IOEVQ_POLL_LEVEL, user_data);
	ret = ioevq_submit(q, &req, 1);
	return ret < 0 ? ret : 0;
}

EXPORT int ioevq_watch_signals(const struct ioevq *q, const sigset_t *set, uint64_t user_data)
{
	int saved = errno, fd, ret;
	sigset_t before;

	/* First of all: what comes from here on is queued, and in the descriptor. */
	ret = -pthread_sigmask(SIG_BLOCK, set, &before);
	if (ret)
		return ret;
	fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	ret = fd < 0 ? -errno : watch(q, fd, user_data);
	if (!ret)
		return fd;
	if (fd >= 0)
		close(fd);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return ret;
}

static ssize_t read_signals(int fd, struct signalfd_siginfo *infos, unsigned int max)
{
	int saved = errno;
	/* No cancellation point: signals that were taken must not be lost. */
	ssize_t n = syscall(SYS_read, fd, infos, max * sizeof(*infos));

	if (n < 0) {
		n = errno == EAGAIN ? 0 : -errno;
		errno = saved;
	}
	return n < 0 ? n : n / (ssize_t)sizeof(*infos);
}

EXPORT int ioevq_take_signals(int fd, uint64_t user_data, struct ioevq_event *events,
			      struct signalfd_siginfo *infos, unsigned int max)
{
	struct signalfd_siginfo some[BATCH];
	unsigned int taken = 0;
	ssize_t i, n;

	while (taken < max) {
		unsigned int want = max - taken < BATCH ? max - taken : BATCH;

		n = read_signals(fd, some, want);
		if (n < 0)
			return taken ? (int)taken : (int)n;
		for (i = 0; i < n; i++, taken++) {
			events[taken] = (struct ioevq_event){
				.user_data = user_data,
				.res = some[i].ssi_signo,
				.op = IOEVQ_OP_POST,
				.data = some[i].ssi_ptr,
			};
			if (infos)
				infos[taken] = some[i];
		}
		if (n < (ssize_t)want)
			break;
	}
	return (int)taken;
}

/* One message, if there is one, whether or not the descriptor is O_NONBLOCK. */
static ssize_t receive(int mq, void *text, size_t size, unsigned int *priority)
{
	const struct timespec past = { 0, 0 };
	int saved = errno;
	ssize_t n = syscall(SYS_mq_timedreceive, mq, text, size, priority, &past);

	if (n < 0) {
		/* A signal is looked for first, where there is no message. */
		n = errno == ETIMEDOUT || errno == EINTR ? -EAGAIN : -errno;
		errno = saved;
	}
	return n;
}

EXPORT int ioevq_take_messages(int mq, uint64_t user_data, struct ioevq_event *events,
			       void *texts, size_t size, unsigned int max)
{
	unsigned int taken, priority = 0;
	ssize_t n;

	for (taken = 0; taken < max; taken++) {
		n = receive(mq, (char *)texts + taken * size, size, &priority);
		if (n < 0)
			return taken || n == -EAGAIN ? (int)taken : (int)n;
		events[taken] = (struct ioevq_event){
			.user_data = user_data,
			.res = n,
			.op = IOEVQ_OP_POST,
			.data = priority,
		};
	}
	return (int)taken;
}

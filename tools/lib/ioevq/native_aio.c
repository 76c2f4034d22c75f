// SPDX-License-Identifier: MIT
/* libioevq: what io_submit(2) has started, as events. */
#define _GNU_SOURCE
#include <ioevq.h>

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

#define BATCH	64

static int getevents(aio_context_t ctx, unsigned int max, struct io_event *done)
{
	struct timespec none = { 0, 0 };
	int saved = errno, ret = syscall(SYS_io_getevents, ctx, 0, max, done, &none);

	if (ret < 0) {
		/* There is none, and a signal: it did not wait for either. */
		ret = errno == EINTR ? 0 : -errno;
		errno = saved;
	}
	return ret;
}

EXPORT int ioevq_take_native_aio(aio_context_t ctx, struct ioevq_event *events, unsigned int max)
{
	struct io_event done[BATCH];
	unsigned int taken = 0;
	int i, ret;

	while (taken < max) {
		unsigned int want = max - taken < BATCH ? max - taken : BATCH;

		ret = getevents(ctx, want, done);
		if (ret < 0)
			return taken ? (int)taken : ret;
		for (i = 0; i < ret; i++) {
			events[taken++] = (struct ioevq_event){
				.user_data = done[i].data,
				.res = done[i].res,
				.op = IOEVQ_OP_POST,
				.data = done[i].obj,
			};
		}
		if ((unsigned int)ret < want)
			break;
	}
	return (int)taken;
}

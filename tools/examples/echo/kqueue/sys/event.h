/* SPDX-License-Identifier: MIT */
/*
 * As much of FreeBSD's kqueue(2) as echo-kqueue.c uses, so that its compiler errors are
 * found on Linux. There is nothing to link it with.
 */
#ifndef EXAMPLE_KQUEUE_EVENT_H
#define EXAMPLE_KQUEUE_EVENT_H

#include <stdint.h>
#include <time.h>

#define EVFILT_READ	(-1)
#define EVFILT_WRITE	(-2)
#define EVFILT_PROC	(-5)
#define EVFILT_TIMER	(-7)

#define EV_ADD		0x0001
#define EV_ENABLE	0x0004
#define EV_DISABLE	0x0008
#define EV_ERROR	0x4000

#define NOTE_EXIT	0x80000000

struct kevent {
	uintptr_t ident;
	short filter;
	unsigned short flags;
	unsigned int fflags;
	int64_t data;
	void *udata;
	uint64_t ext[4];
};

static inline void EV_SET(struct kevent *kev, uintptr_t ident, short filter, unsigned short flags,
			  unsigned int fflags, int64_t data, void *udata)
{
	*kev = (struct kevent) {
		.ident = ident,
		.filter = filter,
		.flags = flags,
		.fflags = fflags,
		.data = data,
		.udata = udata,
	};
}

int kqueue(void);
int kevent(int kq, const struct kevent *changes, int nr_changes, struct kevent *events,
	   int nr_events, const struct timespec *timeout);

#endif /* EXAMPLE_KQUEUE_EVENT_H */

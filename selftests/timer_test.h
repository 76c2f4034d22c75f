/* SPDX-License-Identifier: GPL-2.0-only */
/* What tests of timers do again and again. */
#ifndef IOEVQ_TIMER_TEST_H
#define IOEVQ_TIMER_TEST_H

#include "readiness.h"

#define MS		1000000LL
#define HOUR		(3600 * 1000 * MS)
#define END_OF_TIME	((uint64_t)INT64_MAX)

static const struct {
	clockid_t id;
	__u32 flag;
} clocks[] = {
	{ CLOCK_MONOTONIC, 0 },
	{ CLOCK_BOOTTIME, IOEVQ_TIMER_BOOTTIME },
	{ CLOCK_REALTIME, IOEVQ_TIMER_REALTIME },
};

static inline int64_t now_of(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* Set the time of day on, or back. */
static inline int shift_clock(int64_t seconds)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += seconds;
	return clock_settime(CLOCK_REALTIME, &ts);
}

static inline int set_timer(const struct ioevq *q, __u32 flags, uint64_t time, uint64_t period,
			    uint64_t user_data)
{
	struct ioevq_req req;

	ioevq_prep_timer(&req, flags, time, period, user_data);
	return submit(q, &req);
}

/* Without an event. */
static inline int mod_timer(const struct ioevq *q, uint64_t user_data, __u32 flags, uint64_t time,
			    uint64_t period)
{
	struct ioevq_req req;

	ioevq_prep_timer_mod(&req, user_data, flags, time, period, 0);
	req.flags = IOEVQ_REQ_SKIP_SUCCESS;
	return submit(q, &req);
}

/* The next event is the last of this timer, which has rung. */
static inline int rang(const struct ioevq *q, uint64_t user_data)
{
	struct ioevq_event ev = {};

	return next_event(q, &ev) == 1 && ev.op == IOEVQ_OP_TIMER && ev.user_data == user_data &&
	       !ev.res && !ev.flags && !ev.data;
}

/* The next event is of this timer, which goes on: how often it has expired, or -1. */
static inline int64_t ticked(const struct ioevq *q, uint64_t user_data)
{
	struct ioevq_event ev = {};

	if (next_event(q, &ev) != 1 || ev.op != IOEVQ_OP_TIMER || ev.user_data != user_data ||
	    ev.res || ev.flags != IOEVQ_EVENT_MORE)
		return -1;
	return ev.data + 1;
}

/*
 * Cancel this timer, the only one. How often it had expired that had not been told yet, by the
 * events that come from now on, or -1.
 */
static inline int64_t cancelled(const struct ioevq *q, uint64_t user_data)
{
	struct ioevq_event ev = {};
	int64_t ticks = 0;
	int last = 0;

	if (ioevq_cancel(q, user_data, MARK))
		return -1;
	while (next_event(q, &ev) == 1 && ev.op == IOEVQ_OP_TIMER && ev.user_data == user_data) {
		if (last)
			return -1;
		last = !ev.flags;
		if (ev.res != (last ? -ECANCELED : 0))
			return -1;
		ticks += ev.data + !last;
	}
	return last && ev.op == IOEVQ_OP_CANCEL && ev.res == 1 ? ticks : -1;
}

/* Take one from the mapped ring, and tell the kernel nothing. */
static inline int take_unseen(const struct ioevq *q, struct ioevq_event *ev)
{
	__u64 head = __atomic_load_n(&q->ring->head, __ATOMIC_ACQUIRE);

	if (head == __atomic_load_n(&q->ring->tail, __ATOMIC_ACQUIRE))
		return 0;
	*ev = q->slots[head & q->mask];
	return __atomic_compare_exchange_n(&q->ring->head, &head, head + 1, 0, __ATOMIC_SEQ_CST,
					   __ATOMIC_ACQUIRE);
}

#define TRACING	"/sys/kernel/tracing/"
#define EXPIRE	TRACING "events/timer/hrtimer_expire_entry/"

static inline int put_string(const char *path, const char *s)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	int ret = fd < 0 || write(fd, s, strlen(s)) < 0 ? -1 : 0;

	close(fd);
	return ret;
}

/* From now on count the interrupts of timers of queues, if not very many. 0 or -1. */
static inline int count_interrupts(void)
{
	return put_string(TRACING "trace", "") || put_string(EXPIRE "enable", "1") ? -1 : 0;
}

/* How many there were; no more are counted. Or -1. */
static inline long interrupts(void)
{
	FILE *f = fopen(TRACING "trace", "r");
	char line[512];
	long n = 0;

	put_string(EXPIRE "enable", "0");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		n += !!strstr(line, "function=expired [ioevq]");
	fclose(f);
	return n;
}

#endif

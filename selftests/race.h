/* SPDX-License-Identifier: GPL-2.0-only */
/* Two threads that do something at the same moment, thousands of times. */
#ifndef IOEVQ_RACE_H
#define IOEVQ_RACE_H

#include "expect.h"
#include "points.h"
#include "scaled.h"

/* Where one of the two is always the first one. */
#define MAX_DELAY	2000000

/* The thread that acts against the test's own, once a round. */
struct hand {
	pthread_t thread;
	void (*act)(void *arg);
	void *arg;
	long delay;		/* before it acts; less than 0: of the other one */
	int round;		/* asked for; -1: the end */
	int done;
	int streak;		/* of rounds with the same one first; less than 0: the other */
	bool both;		/* have been the first one */
};

static inline void spin(long n)
{
	while (n-- > 0)
		__asm__ volatile ("" : "+r" (n));
}

static inline void *hand_body(void *arg)
{
	struct hand *h = arg;
	int round;

	while ((round = __atomic_load_n(&h->round, __ATOMIC_ACQUIRE)) >= 0) {
		if (round == h->done) {
			sched_yield();
			continue;
		}
		spin(h->delay);
		h->act(h->arg);
		__atomic_store_n(&h->done, round, __ATOMIC_RELEASE);
	}
	return NULL;
}

static inline int hand_start(struct hand *h, void (*act)(void *arg), void *arg)
{
	*h = (struct hand){ .act = act, .arg = arg };
	return pthread_create(&h->thread, NULL, hand_body, h);
}

static inline int hand_stop(struct hand *h)
{
	__atomic_store_n(&h->round, -1, __ATOMIC_RELEASE);
	return pthread_join(h->thread, NULL);
}

/* It acts from now on; on return it is our turn, too. */
static inline void strike(struct hand *h)
{
	__atomic_store_n(&h->round, h->round + 1, __ATOMIC_RELEASE);
	spin(-h->delay);
}

static inline int landed(struct hand *h)
{
	return eventually(__atomic_load_n(&h->done, __ATOMIC_ACQUIRE) == h->round);
}

/* Go to where each of the two is as likely to be the first one; fast, if that is far away. */
static inline void steer(struct hand *h, bool hand_was_first)
{
	int was = h->streak;
	long step;

	h->both |= hand_was_first ? was < 0 : was > 0;
	h->streak = hand_was_first ? (was < 0 ? 1 : was + 1) : (was > 0 ? -1 : was - 1);
	step = 1 + labs(h->delay) / (abs(h->streak) > 8 ? 2 : 16);
	h->delay += hand_was_first ? step : -step;
	if (labs(h->delay) > MAX_DELAY)
		h->delay /= 2;
}

/* As goes_on(), and until each of the two has been the first one, if it can be. */
static inline bool race_goes_on(const struct hand *h, unsigned int done, unsigned int rounds,
				time_t *end)
{
	bool more = done < rounds && (has_time(done, end) || !h->both);

	if (!more)
		tell_rounds(done);
	return more;
}

#endif

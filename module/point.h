/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Named points between two steps, where tests hold whoever comes by for a moment: what can
 * happen there then does happen. See tests/point.c; without IOEVQ_DEBUG they are nothing.
 */
#ifndef IOEVQ_POINT_H
#define IOEVQ_POINT_H

/* Where somebody is who comes by. */
enum ioevq_point {
	IOEVQ_POINT_COMPLETE,		/* it has happened, the lock is not held yet */
	IOEVQ_POINT_CLAIM,		/* it is ours to complete */
	IOEVQ_POINT_STORE,		/* the event is in its slot, the tail is not moved */
	IOEVQ_POINT_WAKE,		/* off the stack, asleep still */
	IOEVQ_POINT_SLEEP,		/* on the stack, awake still */
	IOEVQ_POINT_EVENT,		/* woken by the file, nothing is announced */
	IOEVQ_POINT_DETACH,		/* leaves a wait queue that may be going */
	IOEVQ_POINT_PUT,		/* I/O has ended, the queue does not know */
	IOEVQ_POINT_CHILD,		/* a child changed, the request is not told */
	IOEVQ_POINT_EXPIRE,		/* the timer rings, the alarms are in the tree */
	IOEVQ_POINT_SLOT,		/* blocked, the slot is still taken */
	IOEVQ_POINT_HOLD_BACK,		/* wants a slot, has not looked again */
	IOEVQ_POINT_IO_DONE,		/* a device is done with it */

	/* From here on one may sleep there. */
	IOEVQ_POINT__SLEEPS,
	IOEVQ_POINT_AWAKE = IOEVQ_POINT__SLEEPS,	/* was asleep, on the stack perhaps */
	IOEVQ_POINT_TAKE,		/* copied, not taken */
	IOEVQ_POINT_SWEEP,		/* was completed, is to be freed */
	IOEVQ_POINT_CANCEL,		/* found, not stopped */
	IOEVQ_POINT_FENCE,		/* cannot be stopped, nothing hangs on it */
	IOEVQ_POINT_CLOSE,		/* all are cancelled, the file is open */
	IOEVQ_POINT_CLOSING,		/* the file is being closed, nobody was told */
	IOEVQ_POINT_UNWATCH,		/* still told of the close */
	IOEVQ_POINT_ARM,		/* in the wait queues, not known to the close hook */
	IOEVQ_POINT_LOOK,		/* to be looked at, off the list */
	IOEVQ_POINT_UNLOCK,		/* the mutex is dropped, nobody was asked to look */
	IOEVQ_POINT_RELEASE,		/* the last close; all is cancelled */
	IOEVQ_POINT_MMAP,		/* allowed, not mapped */
	IOEVQ_POINT_CHILD_CHECK,	/* listens; what was missed is to be found out */
	IOEVQ_POINT_PIN,		/* some pages are pinned */
	IOEVQ_POINT_BUF_PUT,		/* a buffer is given back */
	IOEVQ_POINT_WORK,		/* a worker has it, and has not begun */
	IOEVQ_POINT_WORKED,		/* a worker is done with it */
	IOEVQ_POINT_ISSUED,		/* a device has it, and so has who issued it */
	IOEVQ_POINT_TRANSFER,		/* data were transferred, nobody was told */

	IOEVQ_POINT__COUNT
};

#ifdef IOEVQ_DEBUG
void ioevq_point(enum ioevq_point point);
#else
static inline void ioevq_point(enum ioevq_point point)
{
}
#endif

#endif

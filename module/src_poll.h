/* SPDX-License-Identifier: GPL-2.0-only */
/* What POLL and POLL_MOD share. */
#ifndef IOEVQ_SRC_POLL_H
#define IOEVQ_SRC_POLL_H

#include <linux/eventpoll.h>
#include <linux/poll.h>

#include "watch.h"

/* What a caller may ask for; the rest of the bits are epoll's own. They fit into a u16. */
#define IOEVQ_POLL_MASK	(EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDNORM | \
			 EPOLLRDBAND | EPOLLWRNORM | EPOLLWRBAND | EPOLLMSG | EPOLLRDHUP)
#define IOEVQ_POLL_MODES	(IOEVQ_POLL_EDGE | IOEVQ_POLL_ONESHOT | IOEVQ_POLL_DISPATCH)
#define IOEVQ_POLL_FLAGS	(IOEVQ_POLL_MODES | IOEVQ_POLL_CONFIRM | IOEVQ_POLL_EXCLUSIVE | \
				 IOEVQ_POLL_LIFO | IOEVQ_POLL_QUIET)

int ioevq_poll_check(u32 mask, u32 op_flags);
void ioevq_poll_set(struct ioevq_watch *w, u32 mask, u32 op_flags);
__poll_t ioevq_poll_news(struct ioevq_watch *w, struct file *file, __poll_t ready, bool again);
void ioevq_poll_found(struct ioevq_watch *w, __poll_t ready);
bool ioevq_poll_is(struct ioevq_kreq *kreq, struct file *file, int fd);

/* What of the mask of @w the file is ready for. @again: see ioevq_poll_news(). With the mutex. */
static inline __poll_t ioevq_poll_ask(struct ioevq_watch *w, struct file *file, poll_table *pt,
				      bool again)
{
	__poll_t ready = vfs_poll(file, pt);

	if (unlikely(ready & EPOLLPRI || w->peeked))
		ready = ioevq_poll_news(w, file, ready, again);
	return ready & w->mask;
}

#endif

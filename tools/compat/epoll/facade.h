/* SPDX-License-Identifier: MIT */
/*
 * libioevq-epoll: epoll_create(2), epoll_ctl(2) and epoll_wait(2) over /dev/ioevq.
 *
 * An epoll set is a queue, and nothing but its descriptor: what is watched is known to
 * the kernel alone. So whatever hands on a descriptor - fork(2), execve(2), dup(2),
 * SCM_RIGHTS - hands on the set, as it does with epoll.
 *
 * Nothing here calls malloc(3) or takes a lock: all may be called by signal handlers.
 */
#ifndef IOEVQ_EPOLL_FACADE_H
#define IOEVQ_EPOLL_FACADE_H

#include <linux/ioevq.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#define EXPORT __attribute__((visibility("default")))

/* An ioctl of a queue: its result or a negative errno; errno itself is kept. */
int facade_ioctl(int fd, unsigned long cmd, void *arg);

/* Submit one request that has no event if it succeeds: 0 or a negative errno. */
int facade_submit(int epfd, const struct ioevq_req *req);

/* Is it a queue? */
bool facade_is_set(int fd);

/*
 * This thread's room for @max events, until it is given back. NULL if it is in use, by the
 * call that a signal handler has interrupted, or if there is no memory.
 */
struct ioevq_event *facade_borrow(size_t max);
void facade_give_back(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Notification by an event of a queue, for programs that use <aio.h> with libioevq-aio(7).
 *
 *	ioevq_aio_notify(&cb.aio_sigevent, q.fd, 42);
 *	aio_read(&cb);
 *
 * When the operation has ended the queue gets a message: its op is IOEVQ_OP_POST, its
 * user_data that of the call, its res what aio_return(3) returns or the negative of what
 * aio_error(3) returns, its data the address of the control block; of a list, 0 or -EIO and
 * 0. The status of the operation is there before the message is. The queue's descriptor
 * is used then: it must be open until the message has come.
 *
 * The C library knows no such notification, and does nothing.
 */
#ifndef IOEVQ_AIO_H
#define IOEVQ_AIO_H

#include <signal.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A value of sigev_notify; the queue is in sigev_notify_ioevq, the data in sigev_value */
#define SIGEV_IOEVQ		0xE7
#define sigev_notify_ioevq	sigev_signo

static inline void ioevq_aio_notify(struct sigevent *event, int queue_fd, uint64_t user_data)
{
	event->sigev_notify = SIGEV_IOEVQ;
	event->sigev_notify_ioevq = queue_fd;
	event->sigev_value.sival_ptr = (void *)(uintptr_t)user_data;
}

#ifdef __cplusplus
}
#endif

#endif /* IOEVQ_AIO_H */

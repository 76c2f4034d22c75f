/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every kind of file that can be watched: how to make one, how to make it ready
 * and unready again, and how its other end sees that it was closed for real.
 * The fixture runs a test once for each of them.
 */
#ifndef IOEVQ_KINDS_H
#define IOEVQ_KINDS_H

#include "ioevq_test.h"
#include "kinds_file.h"
#include "kinds_ring.h"
#include "kinds_socket.h"

FIXTURE(kind)
{
	struct ioevq q;
	struct thing t;
};

FIXTURE_VARIANT(kind)
{
	struct kind ops;
};

#define KIND(...)	{ .ops = { __VA_ARGS__ } }

FIXTURE_VARIANT_ADD(kind, eventfd)
	KIND(POLLIN, make_eventfd, rouse_eventfd, kind_drain, NULL);

FIXTURE_VARIANT_ADD(kind, timerfd)
	KIND(POLLIN, make_timerfd, rouse_timerfd, kind_drain, NULL);

FIXTURE_VARIANT_ADD(kind, signalfd)
	KIND(POLLIN, make_signalfd, rouse_signalfd, kind_drain, NULL);

FIXTURE_VARIANT_ADD(kind, pidfd)
	KIND(POLLIN, make_pidfd, rouse_pidfd, NULL, NULL);

FIXTURE_VARIANT_ADD(kind, inotify)
	KIND(POLLIN, make_inotify, rouse_inotify, kind_drain, NULL);

FIXTURE_VARIANT_ADD(kind, pipe)
	KIND(POLLIN, make_pipe, kind_write_peer, kind_drain, kind_peer_hup);

FIXTURE_VARIANT_ADD(kind, pipe_write)
	KIND(POLLOUT, make_pipe_write, rouse_pipe_write, drain_pipe_write, kind_peer_eof);

FIXTURE_VARIANT_ADD(kind, fifo)
	KIND(POLLIN, make_fifo, kind_write_peer, kind_drain, kind_peer_hup);

FIXTURE_VARIANT_ADD(kind, fifo_rdwr)
	KIND(POLLIN, make_fifo_rdwr, rouse_fifo_rdwr, kind_drain, NULL);

FIXTURE_VARIANT_ADD(kind, unix_stream)
	KIND(POLLIN, make_unix_stream, kind_write_peer, kind_drain, kind_peer_eof);

FIXTURE_VARIANT_ADD(kind, unix_seqpacket)
	KIND(POLLIN, make_unix_seqpacket, kind_write_peer, kind_drain, kind_peer_eof);

FIXTURE_VARIANT_ADD(kind, unix_dgram)
	KIND(POLLIN, make_unix_dgram, kind_write_peer, kind_drain, kind_peer_refused);

FIXTURE_VARIANT_ADD(kind, tcp)
	KIND(POLLIN, make_tcp, kind_write_peer_arrived, kind_drain, kind_peer_eof);

FIXTURE_VARIANT_ADD(kind, tcp_listen)
	KIND(POLLIN, make_tcp_listen, rouse_tcp_listen, drain_listen, gone_tcp_listen);

FIXTURE_VARIANT_ADD(kind, udp)
	KIND(POLLIN, make_udp, rouse_udp, kind_drain, gone_udp);

FIXTURE_VARIANT_ADD(kind, netlink)
	KIND(POLLIN, make_netlink, kind_write_peer, kind_drain, kind_peer_refused);

FIXTURE_VARIANT_ADD(kind, pty_slave)
	KIND(POLLIN, make_pty_slave, kind_write_peer_arrived, kind_drain, kind_peer_hup);

FIXTURE_VARIANT_ADD(kind, epoll)
	KIND(POLLIN, make_epoll, rouse_epoll, drain_epoll, NULL);

FIXTURE_VARIANT_ADD(kind, mqueue)
	KIND(POLLIN, make_mqueue, rouse_mqueue, drain_mqueue, NULL);

FIXTURE_VARIANT_ADD(kind, unix_listen)
	KIND(POLLIN, make_unix_listen, rouse_unix_listen, drain_listen, gone_unix_listen);

FIXTURE_VARIANT_ADD(kind, io_uring)
	KIND(POLLIN, make_uring, rouse_uring, drain_uring, NULL);

FIXTURE_VARIANT_ADD(kind, queue)
	KIND(POLLIN, make_queue, rouse_queue, drain_queue, NULL);

FIXTURE_SETUP(kind)
{
	/* One CPU: a network softirq has run to its end when its data is seen. */
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(cpu), &cpu));
	self->t.fd = -1;
	self->t.peer = -1;
	self->t.aux = -1;
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, variant->ops.make(&self->t));
}

FIXTURE_TEARDOWN(kind)
{
	(void)variant;
	thing_end(&self->t);
	ioevq_close(&self->q);
}

#endif

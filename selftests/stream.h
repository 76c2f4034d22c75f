/* SPDX-License-Identifier: GPL-2.0-only */
/* Every kind of stream that READ and WRITE take: pipes, FIFOs and sockets. */
#ifndef IOEVQ_STREAM_TEST_H
#define IOEVQ_STREAM_TEST_H

#include <linux/sockios.h>

#include "kinds_socket.h"
#include "expect.h"

FIXTURE(stream)
{
	struct ioevq q;
	struct thing t;		/* fd reads what peer writes */
};

/* @packets: what is written is read as one, or not at all; @end: the peer's close is seen */
FIXTURE_VARIANT(stream)
{
	int (*make)(struct thing *t);
	int (*gone)(struct thing *t);
	bool nonblock;
	bool packets;
	bool end;
};

FIXTURE_VARIANT_ADD(stream, pipe) { make_pipe, kind_peer_hup, 0, 0, 1 };
FIXTURE_VARIANT_ADD(stream, pipe_nonblock) { make_pipe, kind_peer_hup, 1, 0, 1 };
FIXTURE_VARIANT_ADD(stream, fifo) { make_fifo, kind_peer_hup, 0, 0, 1 };
FIXTURE_VARIANT_ADD(stream, unix_stream) { make_unix_stream, kind_peer_eof, 0, 0, 1 };
FIXTURE_VARIANT_ADD(stream, unix_seqpacket) { make_unix_seqpacket, kind_peer_eof, 0, 1, 1 };
FIXTURE_VARIANT_ADD(stream, unix_dgram) { make_unix_dgram, kind_peer_refused, 0, 1, 0 };
FIXTURE_VARIANT_ADD(stream, tcp) { make_tcp, kind_peer_eof, 0, 0, 1 };
FIXTURE_VARIANT_ADD(stream, tcp_nonblock) { make_tcp, kind_peer_eof, 1, 0, 1 };
FIXTURE_VARIANT_ADD(stream, udp) { make_udp, gone_udp, 0, 1, 0 };

static inline int set_blocking(int fd, bool nonblock)
{
	int flags = fcntl(fd, F_GETFL);

	return fcntl(fd, F_SETFL, nonblock ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

FIXTURE_SETUP(stream)
{
	self->t = (struct thing){ .fd = -1, .peer = -1, .aux = -1 };
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, variant->make(&self->t));
	ASSERT_EQ(0, set_blocking(self->t.fd, variant->nonblock));
	ASSERT_EQ(0, set_blocking(self->t.peer, variant->nonblock));
	signal(SIGPIPE, SIG_IGN);
}

FIXTURE_TEARDOWN(stream)
{
	(void)variant;
	EXPECT_EQ(0, requests(&self->q));
	EXPECT_TRUE(quiet(&self->q));
	thing_end(&self->t);
	ioevq_close(&self->q);
}

/* What is there to be read is there: the network may take its time. */
static inline int arrived(int fd)
{
	return kind_poll(fd, POLLIN);
}

static inline int want(const struct ioevq *q, int fd, void *buf, size_t len, uint64_t user_data)
{
	struct ioevq_req req;

	ioevq_prep_read(&req, fd, buf, len, -1, user_data);
	return submit(q, &req);
}

static inline int give(const struct ioevq *q, int fd, const void *buf, size_t len,
		       uint64_t user_data)
{
	struct ioevq_req req;

	ioevq_prep_write(&req, fd, buf, len, -1, user_data);
	return submit(q, &req);
}

#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pipes and sockets: watched once and by edges, read and written by requests, and closed
 * beneath all that, by close(2) and by the operation.
 */
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "soak.h"

#define MOST	(48 * 1024)

enum { IDLE, WATCHED, ENDS, EDGES, STREAMS };

/* Both ends of a connection over the loopback device. */
static int tcp_pair(int fds[2])
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fds[1] = -1;
	if (l >= 0 && fds[0] >= 0 && !bind(l, (struct sockaddr *)&addr, len) && !listen(l, 1) &&
	    !getsockname(l, (struct sockaddr *)&addr, &len) &&
	    !connect(fds[0], (struct sockaddr *)&addr, len))
		fds[1] = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	if (l >= 0)
		close(l);
	if (fds[1] >= 0)
		return 0;
	if (fds[0] >= 0)
		close(fds[0]);
	return -1;
}

static int make_pair(struct me *me, int fds[2])
{
	switch (random_of(me, 3)) {
	case 0:		return pipe2(fds, O_CLOEXEC);
	case 1:		return tcp_pair(fds);
	default:	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
	}
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static bool put_byte(struct slot *s)
{
	return write(s->fds[1], "x", 1) == 1;
}

static bool begin_stream(struct me *me, struct slot *s)
{
	struct ioevq_req req;
	size_t i;

	s->len = 1 + random_of(me, MOST / 2);
	for (i = 0; i < s->len; i++)
		s->buf[i] = i * 7 + s->len;
	ioevq_prep_write(&req, s->fds[1], s->buf, s->len, IOEVQ_POSITION, 0);
	return begin(me, &req, KIND_SEND, &s->other);
}

static bool begin_read(struct me *me, struct slot *s)
{
	struct ioevq_req req;

	ioevq_prep_read(&req, s->fds[0], s->buf + MOST / 2 + s->done, MOST / 2 - s->done,
			IOEVQ_POSITION, 0);
	s->exhausted = exhausted();
	return begin(me, &req, KIND_RECV, &s->item);
}

static bool begin_watch(struct me *me, struct slot *s, enum kind kind, unsigned int mode)
{
	struct ioevq_req req;

	ioevq_prep_poll(&req, s->fds[0], POLLIN, mode, 0);
	return begin(me, &req, kind, &s->item);
}

static bool begin_close(struct me *me, struct slot *s)
{
	struct ioevq_req req;

	ioevq_prep_close(&req, s->fds[0], 0);
	if (!begin(me, &req, KIND_CLOSE, &s->other))
		return false;
	s->fds[0] = -1;
	return true;
}

static bool begin_any(struct me *me, struct slot *s)
{
	unsigned int what = random_of(me, 8);
	bool ok;

	if (make_pair(me, s->fds)) {
		s->fds[0] = -1;
		s->fds[1] = -1;
		return false;
	}
	s->item = 0;
	s->other = 0;
	s->len = 0;
	s->done = 0;
	switch (what) {
	case 0:
	case 1:
	case 2:
		ok = begin_watch(me, s, KIND_WATCH,
				 IOEVQ_POLL_ONESHOT | (what ? 0 : IOEVQ_POLL_CONFIRM));
		s->phase = WATCHED;
		break;
	case 3:
	case 4:
		ok = begin_watch(me, s, KIND_EDGE,
				 IOEVQ_POLL_EDGE | (what & 1 ? IOEVQ_POLL_CONFIRM : 0));
		s->phase = EDGES;
		break;
	case 5:
		/* There is nothing to read, and never will be. */
		ok = begin_read(me, s);
		s->phase = EDGES;
		s->len = 9;
		break;
	default:
		ok = begin_stream(me, s);
		s->phase = STREAMS;
		break;
	}
	if (!ok)
		s->phase = ENDS;
	return true;
}

/* If it was not sent, there is no more to come than the end. */
static bool lost_heart(struct slot *s)
{
	int res;

	if (!s->other || outcome(s->other, &res) == STATE_OPEN || res >= 0)
		return false;
	end(&s->other, &res);
	s->len = s->done;
	shut(&s->fds[1]);
	return true;
}

/*
 * Did it take nothing, for want of memory? The pages that it goes to are new, and one that a copy
 * cannot have is EFAULT: kernelmode_fixup_or_oops() in arch/x86/mm/fault.c.
 */
static bool had_no_memory(const struct slot *s, int res)
{
	return res == -ENOMEM || (res == -EFAULT && exhausted() != s->exhausted);
}

/* The next part of what is sent, or its end. */
static bool step_stream(struct me *me, struct slot *s)
{
	struct ioevq_event ev = { .user_data = s->item };
	int res;
	size_t i;

	if (!s->item) {
		if (s->done < s->len)
			return begin_read(me, s);
		s->phase = ENDS;
		return true;
	}
	if (outcome(s->item, &res) == STATE_OPEN)
		return lost_heart(s);
	end(&s->item, &res);
	if (had_no_memory(s, res) || (!res && s->done == s->len))
		return true;
	for (i = s->done; res > 0 && i < s->done + res; i++)
		if (s->buf[MOST / 2 + i] != (char)(i * 7 + s->len))
			break;
	if (res <= 0 || i < s->done + res || i > s->len) {
		odd("a stream that is not what was sent", &ev, res);
		res = s->len - s->done;
	}
	s->done += res;
	return true;
}

static bool step(struct me *me, struct slot *s)
{
	int res, res2;

	switch (s->phase) {
	case IDLE:
		return begin_any(me, s);
	case WATCHED:
		/* It becomes ready, or is closed; either is told. */
		if (random_of(me, 3))
			put_byte(s);
		else
			shut(&s->fds[0]);
		s->phase = ENDS;
		return true;
	case EDGES:
		/* Some changes, then the end. */
		if (s->len++ < 4) {
			put_byte(s);
			return true;
		}
		if (!stopping() && random_of(me, 4))
			return false;
		if (random_of(me, 2) ? begin_close(me, s) : begin_cancel(me, s->item, &s->other))
			s->phase = ENDS;
		return s->phase == ENDS;
	case STREAMS:
		return step_stream(me, s);
	default:
		if ((s->item && outcome(s->item, &res) == STATE_OPEN) ||
		    (s->other && outcome(s->other, &res2) == STATE_OPEN))
			return false;
		end(&s->item, &res);
		end(&s->other, &res2);
		shut(&s->fds[0]);
		shut(&s->fds[1]);
		s->phase = IDLE;
		return true;
	}
}

void actor_socket(struct me *me)
{
	static struct slot slots[64];
	unsigned int i;

	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < ARRAY_SIZE(slots); i++)
		slots[i].buf = malloc(MOST);
	run_slots(me, slots, ARRAY_SIZE(slots), step);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Values that are worth a try, by the type of a field, and whole requests by operation. */
#include <linux/ioevq.h>
#include <poll.h>
#include <signal.h>
#include <sys/uio.h>

#include "fuzz.h"

#define MS	1000000ULL

#define PICK(r, ...) ({ \
	const uint64_t set[] = { __VA_ARGS__ }; \
	set[rng_below(r, ARRAY_SIZE(set))]; })

static uint64_t any_number(struct rng *r)
{
	uint64_t v = rng_next(r);

	switch (rng_below(r, 6)) {
	case 0:
		return v >> rng_below(r, 64);
	case 1:
		return 1ULL << rng_below(r, 64);
	case 2:
		return (1ULL << rng_below(r, 64)) - 1;
	case 3:
		return -rng_below(r, 5000);
	case 4:
		return PICK(r, 0x7fffffff, 0x80000000, 0xffffffff, 1ULL << 32, 1ULL << 63,
			    ~0ULL, ~0ULL >> 1, 0x7fffffffffffe000);
	default:
		return v % 64;
	}
}

static uint64_t any_queue(struct rng *r)
{
	return SLOT(rng_below(r, rng_one_in(r, 3) ? 4 : 1));
}

static uint64_t any_fd(struct rng *r)
{
	if (rng_one_in(r, 40))
		return PICK(r, 0xffffffff, 100000, 0x7fffffff, 0xffffff9c, ~0ULL, 1ULL << 32);
	if (rng_one_in(r, 8))
		return any_queue(r);
	/* Mostly those that calls share. */
	return SLOT(4 + rng_below(r, rng_one_in(r, 3) ? 12 : 4));
}

static uint64_t any_address(struct rng *r)
{
	switch (rng_below(r, 12)) {
	case 0:
		return SYM_UNSURE | rng_below(r, 17) * 4096;
	case 1:
		return SYM_UNSURE | (rng_below(r, 16) * 4096 - rng_below(r, 2) * 16);
	case 2:
		return SYM_RING | rng_below(r, NR_RINGS) * RING_SIZE | rng_below(r, 64) * 8;
	case 3:
		return SYM_RING | PICK(r, 0, 64, 128, 4096);
	case 4:
		return PICK(r, 8, 0xfff, 0xffff888000000000, 0xffffffff81000000, ~0ULL, ~7ULL,
			    0x7ffffffff000, 0x7fffffffefff, 0x800000000000);
	case 5:
		return SYM_MEM | (MEM_SIZE - rng_below(r, 100));
	case 6:
		return SYM_MEM | rng_below(r, 0x400) * 8;
	case 7:
		return SYM_MEM | MEM_IOVECS;
	case 8:
		return SYM_MEM | MEM_BUFFERS;
	default:
		return SYM_MEM | (MEM_DATA + rng_below(r, 24) * 4096);
	}
}

static uint64_t any_length(struct rng *r)
{
	switch (rng_below(r, 8)) {
	case 0:
		return 0;
	case 1:
		return rng_below(r, 32);
	case 2:
		return PICK(r, 512, 4095, 4096, 4097, 8192, 65536, 65537);
	case 3:
		return any_number(r);
	case 4:
		return 1 << rng_below(r, 18);
	case 5:
		return 512 * rng_below(r, 64);
	default:
		return rng_below(r, 5000);
	}
}

static uint64_t any_offset(struct rng *r)
{
	switch (rng_below(r, 6)) {
	case 0:
		return 0;
	case 1:
		return IOEVQ_POSITION;
	case 2:
		return 512 * rng_below(r, 64);
	case 3:
		return any_number(r);
	default:
		return rng_below(r, 20000);
	}
}

/* Long waits cost time, and are ended by a signal sooner or later. */
static uint64_t any_time(struct rng *r)
{
	switch (rng_below(r, 40)) {
	case 0:
		return ~0ULL;
	case 1:
		return any_number(r);
	case 2:
		return 5 * MS;
	case 3:
	case 4:
		return rng_below(r, MS);
	case 5:
	case 6:
		return rng_below(r, 1000);
	case 7:
		return MS;
	default:
		return 0;
	}
}

static uint64_t any_flags(struct rng *r, uint64_t known)
{
	uint64_t v;

	switch (rng_below(r, 8)) {
	case 0:
	case 1:
	case 2:
		return 0;
	case 3:
		v = 1ULL << rng_below(r, 10);
		return v & known ? v : 0;
	case 4:
		return rng_next(r) & known;
	case 5:
		return rng_one_in(r, 4) ? any_number(r) : rng_next(r) & rng_next(r) & known;
	default:
		return rng_next(r) & rng_next(r) & known;
	}
}

uint64_t value_of(struct rng *r, const struct field *f)
{
	switch (f->type) {
	case F_QUEUE:
		return rng_one_in(r, 50) ? any_fd(r) : any_queue(r);
	case F_FD:
		return any_fd(r);
	case F_WHAT:
		return rng_below(r, rng_one_in(r, 3) ? NR_WHAT : 12);
	case F_OP:
		return rng_one_in(r, 60) ? any_number(r) : rng_below(r, IOEVQ_OP__COUNT);
	case F_CMD:
		return rng_one_in(r, 40) ? any_number(r) : 1 + rng_below(r, 6);
	case F_FLAGS:
		return any_flags(r, f->arg);
	case F_U32:
		return rng_one_in(r, 4) ? any_number(r) : rng_below(r, 64);
	case F_U64:
		return any_number(r);
	case F_LEN:
		return any_length(r);
	case F_OFF:
		return any_offset(r);
	case F_ADDR:
		return any_address(r);
	case F_AT:
		return rng_one_in(r, 16) ? any_address(r) : 0;
	case F_SIZE:
		if (!rng_one_in(r, 16))
			return 0;
		return rng_one_in(r, 3) ? any_number(r) :
		       PICK(r, 4, 8, f->arg - 8, f->arg - 1, f->arg + 8, f->arg + 1, 4096, 4097);
	case F_TIME:
		return any_time(r);
	case F_NAME:
		return rng_one_in(r, 20) ? any_number(r) : rng_below(r, 6);
	case F_COUNT:
		if (rng_one_in(r, 24))
			return any_number(r);
		return rng_one_in(r, 4) ? rng_below(r, 65) : rng_below(r, 5);
	case F_SMALL:
		return rng_one_in(r, 40) ? any_number(r) : rng_below(r, 4);
	case F_SIGNAL:
		return PICK(r, SIGKILL, SIGSTOP, SIGCONT, SIGTERM);
	case F_MASK:
		return rng_one_in(r, 4) ? any_number(r) : rng_one_in(r, 3) ? rng_next(r) : 0;
	case F_ENTRIES:
		return rng_one_in(r, 12) ? any_number(r) : PICK(r, 0, 1, 2, 3, 4, 8, 64, 128, 1024);
	}
	return 0;
}

/* Indexes of the fields of C_REQ, see call_types. */
enum { OP, FD, FLAGS, USER_DATA, ADDR, OFF, LEN, OP_FLAGS, OP_ARG, BUF_INDEX, RESERVED };

static void fill_poll(struct rng *r, uint64_t *v)
{
	v[FD] = rng_one_in(r, 6) ? any_queue(r) : any_fd(r);
	v[OP_ARG] = PICK(r, POLLIN, POLLIN, POLLOUT, POLLIN | POLLOUT, POLLPRI, 0, POLLRDHUP);
	v[OP_FLAGS] = PICK(r, 0, 1, 2, 4) | any_flags(r, 0xf8);
	if (rng_one_in(r, 10))
		v[LEN] = rng_below(r, 4);
}

static void fill_rw(struct rng *r, uint64_t *v)
{
	v[FD] = any_fd(r);
	v[FLAGS] = any_flags(r, 3);
	v[OFF] = rng_one_in(r, 2) ? IOEVQ_POSITION : any_offset(r);
	v[ADDR] = any_address(r);
	v[LEN] = any_length(r);
	v[OP_FLAGS] = any_flags(r, 3);
	if (v[OP_FLAGS] & IOEVQ_RW_VECTOR) {
		v[ADDR] = SYM_MEM | (MEM_IOVECS + rng_below(r, 16) * sizeof(struct iovec));
		v[LEN] = rng_below(r, 8);
	} else if (v[OP_FLAGS] & IOEVQ_RW_FIXED) {
		v[BUF_INDEX] = rng_below(r, 4);
		v[ADDR] = SYM_MEM | (MEM_DATA + v[BUF_INDEX] * 0x4000 + rng_below(r, 3) * 4096);
	}
	if (rng_one_in(r, 4))
		v[OP_ARG] = PICK(r, RWF_DSYNC, RWF_SYNC, RWF_NOWAIT, RWF_APPEND, RWF_HIPRI, 32);
}

static void fill_child(struct rng *r, uint64_t *v)
{
	v[FD] = ~0ULL;
	v[OP_FLAGS] = any_flags(r, 7);
	/* A child that was made: execution puts its number there. */
	v[LEN] = rng_one_in(r, 2) ? 0 : 1 + rng_below(r, MAX_CHILDREN);
	if (!v[LEN])
		v[OP_ARG] = PICK(r, 0, 1, 2, 16, 4096, 4097);
	if (rng_one_in(r, 4)) {
		v[FD] = any_fd(r);
		v[LEN] = 0;
		v[OP_FLAGS] |= IOEVQ_CHILD_PIDFD;
	}
}

static void fill_timer(struct rng *r, uint64_t *v)
{
	v[FD] = ~0ULL;
	v[OFF] = PICK(r, 0, 1, 1000, 100000, MS, 20 * MS, ~0ULL >> 1, any_number(r));
	v[LEN] = PICK(r, 0, 0, 1, 1000, 100000, MS, any_number(r));
	v[OP_FLAGS] = any_flags(r, 14);
	v[OP_ARG] = PICK(r, 0, 0, 1000, MS);
	if (v[OP] == IOEVQ_OP_TIMER_MOD)
		v[ADDR] = rng_below(r, 6);
}

/* A request that may well be accepted; what is wrong in others comes by mutation. */
void fill_req(struct rng *r, struct call *c)
{
	static const uint8_t ops[] = {
		0, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 6, 6, 6, 7, 7, 7, 8, 8, 8, 9,
		10, 10, 11
	};
	uint64_t *v = c->v;
	unsigned int f;

	for (f = 0; f < MAX_FIELDS; f++)
		v[f] = 0;
	v[OP] = ops[rng_below(r, ARRAY_SIZE(ops))];
	v[USER_DATA] = rng_below(r, 6);
	switch (v[OP]) {
	case IOEVQ_OP_NOP:
		v[FD] = ~0ULL;
		break;
	case IOEVQ_OP_POST:
		v[FD] = rng_one_in(r, 2) ? ~0ULL : any_queue(r);
		v[ADDR] = any_number(r);
		v[OFF] = any_number(r);
		break;
	case IOEVQ_OP_POLL:
		fill_poll(r, v);
		break;
	case IOEVQ_OP_READ:
	case IOEVQ_OP_WRITE:
		fill_rw(r, v);
		break;
	case IOEVQ_OP_FSYNC:
		v[FD] = any_fd(r);
		v[FLAGS] = any_flags(r, 3);
		v[OP_FLAGS] = any_flags(r, 15);
		if (rng_one_in(r, 2)) {
			v[OFF] = any_offset(r);
			v[LEN] = any_length(r);
		}
		break;
	case IOEVQ_OP_CHILD:
		fill_child(r, v);
		break;
	case IOEVQ_OP_CANCEL:
		v[OP_FLAGS] = any_flags(r, 15);
		v[FD] = v[OP_FLAGS] & IOEVQ_CANCEL_FD ? any_fd(r) : ~0ULL;
		v[ADDR] = v[OP_FLAGS] & IOEVQ_CANCEL_USER_DATA ? rng_below(r, 6) : 0;
		v[LEN] = v[OP_FLAGS] & IOEVQ_CANCEL_OP ? rng_below(r, IOEVQ_OP__COUNT) : 0;
		v[FLAGS] = rng_below(r, 2);
		break;
	case IOEVQ_OP_POLL_MOD:
		fill_poll(r, v);
		v[LEN] = 0;
		v[OP_FLAGS] = (v[OP_FLAGS] & ~192ULL) | any_flags(r, 768);
		v[ADDR] = v[OP_FLAGS] & IOEVQ_POLL_MOD_MATCH ? rng_below(r, 6) : 0;
		v[OFF] = v[OP_FLAGS] & IOEVQ_POLL_MOD_USER_DATA ? rng_below(r, 6) : 0;
		v[FLAGS] = rng_below(r, 2);
		break;
	case IOEVQ_OP_CLOSE:
		v[FD] = any_fd(r);
		v[FLAGS] = rng_below(r, 2);
		break;
	default:
		fill_timer(r, v);
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/* Law 14: INFO, SETUP, CONTROL and mmap(2); law 13: restriction is one way. */
#include "ioevq_test.h"

#define ALL_OPS		((1ULL << IOEVQ_OP__COUNT) - 1)
#define ONLY(_op)	(1ULL << IOEVQ_OP_##_op)

FIXTURE(setup)
{
	struct ioevq q;
	long page;
};

FIXTURE_SETUP(setup)
{
	self->page = sysconf(_SC_PAGESIZE);
	self->q.fd = open("/dev/ioevq", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->q.fd);
}

FIXTURE_TEARDOWN(setup)
{
	close(self->q.fd);
}

static int do_setup(int fd, struct ioevq_setup *setup)
{
	setup->size = sizeof(*setup);
	return ioctl(fd, IOEVQ_IOC_SETUP, setup) ? -errno : 0;
}

/* Set up a new queue like that: the entries that it got, or a negative errno. */
static long entries_of(unsigned int entries)
{
	struct ioevq_setup setup = { .entries = entries };
	int fd = open("/dev/ioevq", O_RDWR);
	int ret = do_setup(fd, &setup);

	close(fd);
	return ret ? ret : (long)setup.entries;
}

static int submit_op(const struct ioevq *q, unsigned int op)
{
	struct ioevq_req req;

	ioevq_prep(&req, op, -1, 0);
	return ioevq_submit(q, &req, 1);
}

#define POLL_FLAGS	(IOEVQ_POLL_EDGE | IOEVQ_POLL_ONESHOT | IOEVQ_POLL_DISPATCH | \
			 IOEVQ_POLL_CONFIRM | IOEVQ_POLL_EXCLUSIVE | IOEVQ_POLL_LIFO | \
			 IOEVQ_POLL_UNIQUE | IOEVQ_POLL_QUIET)

#define TIMER_FLAGS	(IOEVQ_TIMER_ABSTIME | IOEVQ_TIMER_BOOTTIME | IOEVQ_TIMER_REALTIME)

TEST_F(setup, law_14_info)
{
	static const unsigned int op_flags[IOEVQ_OP__COUNT] = {
		[IOEVQ_OP_POLL] = POLL_FLAGS,
		[IOEVQ_OP_READ] = IOEVQ_RW_VECTOR | IOEVQ_RW_FIXED,
		[IOEVQ_OP_WRITE] = IOEVQ_RW_VECTOR | IOEVQ_RW_FIXED,
		[IOEVQ_OP_FSYNC] = IOEVQ_FSYNC_DATASYNC | IOEVQ_FSYNC_WAIT_BEFORE |
				   IOEVQ_FSYNC_WRITE | IOEVQ_FSYNC_WAIT_AFTER,
		[IOEVQ_OP_CHILD] = IOEVQ_CHILD_STOPPED | IOEVQ_CHILD_CONTINUED |
				   IOEVQ_CHILD_USAGE | IOEVQ_CHILD_PIDFD,
		[IOEVQ_OP_CANCEL] = IOEVQ_CANCEL_USER_DATA | IOEVQ_CANCEL_FD | IOEVQ_CANCEL_OP |
				    IOEVQ_CANCEL_EXACT,
		[IOEVQ_OP_POLL_MOD] = (POLL_FLAGS & ~IOEVQ_POLL_UNIQUE) | IOEVQ_POLL_MOD_MATCH |
				      IOEVQ_POLL_MOD_USER_DATA,
		[IOEVQ_OP_TIMER] = TIMER_FLAGS,
		[IOEVQ_OP_TIMER_MOD] = TIMER_FLAGS,
	};
	static const unsigned int req_flags[IOEVQ_OP__COUNT] = {
		[IOEVQ_OP_READ] = IOEVQ_REQ_SKIP_SUCCESS | IOEVQ_REQ_AFTER,
		[IOEVQ_OP_WRITE] = IOEVQ_REQ_SKIP_SUCCESS | IOEVQ_REQ_AFTER,
		[IOEVQ_OP_FSYNC] = IOEVQ_REQ_SKIP_SUCCESS | IOEVQ_REQ_AFTER,
		[IOEVQ_OP_CANCEL] = IOEVQ_REQ_SKIP_SUCCESS,
		[IOEVQ_OP_POLL_MOD] = IOEVQ_REQ_SKIP_SUCCESS,
		[IOEVQ_OP_CLOSE] = IOEVQ_REQ_SKIP_SUCCESS,
		[IOEVQ_OP_TIMER_MOD] = IOEVQ_REQ_SKIP_SUCCESS,
	};
	struct ioevq_info info;
	unsigned int op;

	for (op = 0; op < IOEVQ_OP__COUNT; op++) {
		/* What is only answered is not looked at. */
		memset(&info, 0xa5, sizeof(info));
		info.op = op;
		ASSERT_EQ(0, ioevq_info(&self->q, &info));
		EXPECT_EQ(sizeof(info), info.size);
		EXPECT_EQ(op, info.op);
		EXPECT_EQ(IOEVQ_ABI_VERSION, info.abi_version);
		EXPECT_EQ(sizeof(struct ioevq_event), info.event_size);
		EXPECT_EQ(7, info.features);
		EXPECT_EQ(ALL_OPS, info.ops);
		EXPECT_EQ(req_flags[op], info.req_flags);
		EXPECT_EQ(op_flags[op], info.op_flags);
		EXPECT_EQ(IOEVQ_SETUP_MAPPED | IOEVQ_SETUP_CONCURRENCY, info.setup_flags);
		EXPECT_EQ(31, info.enter_flags);
		EXPECT_EQ(get_param("default_entries"), (long)info.default_entries);
		EXPECT_EQ(get_param("max_entries"), (long)info.max_entries);
		EXPECT_EQ(get_param("max_requests"), (long)info.max_requests);
		EXPECT_EQ(get_param("max_user_requests"), (long)info.max_user_requests);
		EXPECT_EQ(0, info.entries);
		EXPECT_EQ(0, info.requests);
		EXPECT_EQ(0, info.available);
		EXPECT_EQ(0, info.backlog);
		EXPECT_EQ(0, info.wakeups);
		EXPECT_EQ(0, info.buffers);
		EXPECT_EQ(0, info.events);
	}
	info.op = IOEVQ_OP__COUNT;
	EXPECT_EQ(-EOPNOTSUPP, ioevq_info(&self->q, &info));
	info.op = ~0U;
	EXPECT_EQ(-EOPNOTSUPP, ioevq_info(&self->q, &info));
}

TEST_F(setup, law_14_info_of_a_queue_in_use)
{
	struct ioevq_setup setup = { .entries = 2 };
	struct ioevq_info info;
	int fd = eventfd(0, 0);

	ASSERT_EQ(0, do_setup(self->q.fd, &setup));
	EXPECT_EQ(2, query(&self->q).entries);
	ASSERT_EQ(3, park(&self->q, fd, 3, 1));
	EXPECT_EQ(3, query(&self->q).requests);
	ASSERT_EQ(0, eventfd_write(fd, 1));
	info = query(&self->q);
	EXPECT_EQ(3, info.available);
	EXPECT_EQ(1, info.backlog);
	EXPECT_EQ(3, info.events);
	EXPECT_EQ(0, info.wakeups);
	close(fd);
}

TEST_F(setup, law_14_entries)
{
	unsigned int max = query(&self->q).max_entries;
	unsigned int i;

	EXPECT_EQ((long)query(&self->q).default_entries, entries_of(0));
	for (i = 1; i < 20; i++)
		EXPECT_EQ(1L << (32 - __builtin_clz(i) - !(i & (i - 1))), entries_of(i));
	EXPECT_EQ((long)max, entries_of(max));
	EXPECT_EQ((long)max, entries_of(max - 1));
	EXPECT_EQ(-EINVAL, entries_of(max + 1));
	EXPECT_EQ(-EINVAL, entries_of(0x80000000U));
	EXPECT_EQ(-EINVAL, entries_of(UINT32_MAX));
}

TEST_F(setup, law_14_setup_refusals)
{
	struct ioevq_setup setup = { .concurrency = 1 };
	unsigned int bit;

	EXPECT_EQ(-EINVAL, do_setup(self->q.fd, &setup));
	for (bit = 2; bit < 32; bit++) {
		setup = (struct ioevq_setup){ .flags = 1U << bit };
		EXPECT_EQ(-EOPNOTSUPP, do_setup(self->q.fd, &setup));
		setup.flags |= IOEVQ_SETUP_MAPPED;
		EXPECT_EQ(-EOPNOTSUPP, do_setup(self->q.fd, &setup));
	}
	for (bit = IOEVQ_OP__COUNT; bit < 64; bit++) {
		setup = (struct ioevq_setup){ .ops = 1ULL << bit | 1 };
		EXPECT_EQ(-EOPNOTSUPP, do_setup(self->q.fd, &setup));
	}
	setup = (struct ioevq_setup){ .ops = ALL_OPS };
	EXPECT_EQ(0, do_setup(self->q.fd, &setup));
}

TEST_F(setup, law_14_set_up_once)
{
	struct ioevq_setup setup = { .entries = 4, .flags = IOEVQ_SETUP_MAPPED };
	struct ioevq other = { .fd = open("/dev/ioevq", O_RDWR) };
	struct ioevq_enter enter = {};
	struct ioevq_req req;

	ASSERT_EQ(0, do_setup(self->q.fd, &setup));
	EXPECT_EQ(4, setup.entries);
	setup = (struct ioevq_setup){ .entries = 8 };
	EXPECT_EQ(-EBUSY, do_setup(self->q.fd, &setup));
	EXPECT_EQ(4, query(&self->q).entries);

	/* A queue in use has the defaults and keeps them. */
	ASSERT_EQ(0, ioevq_enter(&other, &enter));
	EXPECT_EQ(query(&other).default_entries, query(&other).entries);
	EXPECT_EQ(-EBUSY, do_setup(other.fd, &setup));
	close(other.fd);

	/* So has one that got a message. */
	other.fd = open("/dev/ioevq", O_RDWR);
	ioevq_prep_post(&req, other.fd, 0, 0, 0);
	ASSERT_EQ(1, ioevq_submit(&self->q, &req, 1));
	EXPECT_EQ(-EBUSY, do_setup(other.fd, &setup));
	EXPECT_EQ(1, query(&other).available);
	close(other.fd);
}

TEST_F(setup, law_13_restricted_from_the_start)
{
	struct ioevq_setup setup = { .ops = ONLY(NOP) | ONLY(POST) };
	unsigned int op;

	ASSERT_EQ(0, do_setup(self->q.fd, &setup));
	EXPECT_EQ(ONLY(NOP) | ONLY(POST), query(&self->q).ops);
	EXPECT_EQ(1, submit_op(&self->q, IOEVQ_OP_NOP));
	EXPECT_EQ(1, submit_op(&self->q, IOEVQ_OP_POST));
	for (op = IOEVQ_OP_POLL; op < IOEVQ_OP__COUNT; op++)
		EXPECT_EQ(-EPERM, submit_op(&self->q, op));
	EXPECT_EQ(-EOPNOTSUPP, submit_op(&self->q, IOEVQ_OP__COUNT));
}

TEST_F(setup, law_13_restriction_is_one_way)
{
	int fd = eventfd(0, 0);

	/* What is no operation of today is not accepted now, so may be asked for. */
	ASSERT_EQ(0, ioevq_restrict(&self->q, ~0ULL));
	EXPECT_EQ(ALL_OPS, query(&self->q).ops);
	ASSERT_EQ(2, park(&self->q, fd, 2, 10));

	ASSERT_EQ(0, ioevq_restrict(&self->q, ONLY(NOP) | ONLY(CANCEL)));
	EXPECT_EQ(ONLY(NOP) | ONLY(CANCEL), query(&self->q).ops);
	EXPECT_EQ(-EPERM, park(&self->q, fd, 1, 20));
	EXPECT_EQ(-EPERM, submit_op(&self->q, IOEVQ_OP_POST));
	EXPECT_EQ(1, submit_op(&self->q, IOEVQ_OP_NOP));

	/* There is no way back, through no descriptor of the queue. */
	ASSERT_EQ(0, ioevq_restrict(&self->q, ALL_OPS));
	EXPECT_EQ(ONLY(NOP) | ONLY(CANCEL), query(&self->q).ops);
	EXPECT_EQ(-EPERM, submit_op(&self->q, IOEVQ_OP_POST));
	ASSERT_EQ(0, ioevq_restrict(&self->q, ONLY(NOP) | ONLY(POST)));
	EXPECT_EQ(ONLY(NOP), query(&self->q).ops);
	EXPECT_EQ(-EPERM, submit_op(&self->q, IOEVQ_OP_CANCEL));
	ASSERT_EQ(0, ioevq_restrict(&self->q, 0));
	EXPECT_EQ(-EPERM, submit_op(&self->q, IOEVQ_OP_NOP));

	/* What was accepted before lives on. */
	EXPECT_NEXT(&self->q, IOEVQ_OP_NOP, 0, 0);
	EXPECT_EQ(2, query(&self->q).requests);
	ASSERT_EQ(0, eventfd_write(fd, 1));
	EXPECT_EQ(2, query(&self->q).available);
	close(fd);
}

/* Restricted before it was set up, it does not become wider by that. */
TEST_F(setup, law_13_setup_does_not_widen)
{
	struct ioevq_setup setup = { .ops = 0 };

	ASSERT_EQ(0, ioevq_restrict(&self->q, ONLY(NOP)));
	ASSERT_EQ(0, do_setup(self->q.fd, &setup));
	EXPECT_EQ(ONLY(NOP), query(&self->q).ops);
	EXPECT_EQ(-EPERM, submit_op(&self->q, IOEVQ_OP_POST));
}

TEST_F(setup, law_14_control_refusals)
{
	struct ioevq_control control = { .size = sizeof(control), .arg = ALL_OPS };
	static const unsigned int cmds[] = { 0, 7, 0x10001, 0x80000001, ~0U };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		control.cmd = cmds[i];
		EXPECT_EQ(-1, ioctl(self->q.fd, IOEVQ_IOC_CONTROL, &control));
		EXPECT_EQ(EOPNOTSUPP, errno);
	}
	control.cmd = IOEVQ_CONTROL_CONCURRENCY;
	control.arg = IOEVQ_UNLIMITED + 1ULL;
	EXPECT_EQ(-1, ioctl(self->q.fd, IOEVQ_IOC_CONTROL, &control));
	EXPECT_EQ(EINVAL, errno);
	control.cmd = IOEVQ_CONTROL_CLEAR_ALERT;
	control.arg = 1;
	EXPECT_EQ(-1, ioctl(self->q.fd, IOEVQ_IOC_CONTROL, &control));
	EXPECT_EQ(EINVAL, errno);
	/* What only the registration of buffers uses. */
	for (control.cmd = 1; control.cmd < 7; control.cmd++) {
		control.arg = 0;
		control.nr = control.cmd != IOEVQ_CONTROL_REGISTER_BUFFERS;
		control.__reserved = !control.nr;
		EXPECT_EQ(-1, ioctl(self->q.fd, IOEVQ_IOC_CONTROL, &control));
		EXPECT_EQ(EINVAL, errno);
	}
}

static int map(int fd, size_t size, off_t offset, int prot, int flags)
{
	void *p = mmap(NULL, size, prot, flags, fd, offset);

	return p == MAP_FAILED ? -errno : munmap(p, size);
}

TEST_F(setup, law_14_mmap)
{
	struct ioevq_setup setup = { .entries = 512, .flags = IOEVQ_SETUP_MAPPED };
	const int rw = PROT_READ | PROT_WRITE;
	int fd = self->q.fd;
	long page = self->page;
	struct ioevq_ring *ring;
	size_t size;

	EXPECT_EQ(-EACCES, map(fd, page, 0, rw, MAP_SHARED));
	ASSERT_EQ(0, do_setup(fd, &setup));
	size = setup.ring_size;
	EXPECT_LE(IOEVQ_RING_EVENTS + 512 * sizeof(struct ioevq_event), size);
	EXPECT_EQ(0, size % page);
	EXPECT_EQ(0, map(fd, size, setup.ring_offset, rw, MAP_SHARED));
	EXPECT_EQ(0, map(fd, size, setup.ring_offset, PROT_READ, MAP_SHARED));
	EXPECT_EQ(-EINVAL, map(fd, size, setup.ring_offset, rw, MAP_PRIVATE));
	EXPECT_EQ(-EINVAL, map(fd, size, setup.ring_offset, PROT_READ, MAP_PRIVATE));
	EXPECT_EQ(-EINVAL, map(fd, size - page, setup.ring_offset, rw, MAP_SHARED));
	EXPECT_EQ(-EINVAL, map(fd, size + page, setup.ring_offset, rw, MAP_SHARED));
	EXPECT_EQ(-EINVAL, map(fd, page, setup.ring_offset, rw, MAP_SHARED));
	EXPECT_EQ(-EINVAL, map(fd, size, setup.ring_offset + page, rw, MAP_SHARED));
	EXPECT_EQ(-EINVAL, map(fd, size - page, setup.ring_offset + page, rw, MAP_SHARED));

	ring = mmap(NULL, size, rw, MAP_SHARED, fd, setup.ring_offset);
	ASSERT_NE(MAP_FAILED, (void *)ring);
	EXPECT_EQ(512, ring->entries);
	EXPECT_EQ(0, ring->flags);
	EXPECT_EQ(0, ring->head);
	EXPECT_EQ(0, ring->tail);
	EXPECT_EQ(MAP_FAILED, mremap(ring, size, size + page, MREMAP_MAYMOVE));
	EXPECT_EQ(0, munmap(ring, size));
}

TEST_F(setup, law_14_mmap_must_be_asked_for)
{
	struct ioevq_setup setup = { .entries = 4 };
	struct ioevq_enter enter = {};
	int fd = open("/dev/ioevq", O_RDWR);
	struct ioevq q = { .fd = fd };

	ASSERT_EQ(0, do_setup(fd, &setup));
	EXPECT_EQ(-EACCES, map(fd, self->page, 0, PROT_READ | PROT_WRITE, MAP_SHARED));
	EXPECT_EQ(-EACCES, map(fd, self->page, 0, PROT_READ, MAP_SHARED));
	EXPECT_EQ(-EACCES, ioevq_attach(&q, fd));
	ASSERT_EQ(0, ioevq_enter(&self->q, &enter));
	EXPECT_EQ(-EACCES, map(self->q.fd, self->page, 0, PROT_READ, MAP_SHARED));
	close(fd);
}

/* Whoever may only read the queue can look at the ring, not take from it. */
TEST_F(setup, law_13_mmap_of_a_read_only_queue)
{
	struct ioevq_setup setup = { .entries = 4, .flags = IOEVQ_SETUP_MAPPED };
	int fd = open("/dev/ioevq", O_RDONLY);

	ASSERT_EQ(0, do_setup(fd, &setup));
	EXPECT_EQ(0, map(fd, setup.ring_size, setup.ring_offset, PROT_READ, MAP_SHARED));
	EXPECT_EQ(-EACCES, map(fd, setup.ring_size, setup.ring_offset, PROT_READ | PROT_WRITE,
			       MAP_SHARED));
	close(fd);
}

/* The ring outlives its descriptor for as long as it is mapped. */
TEST_F(setup, law_11_a_mapping_keeps_the_ring)
{
	struct ioevq q, copy;

	ASSERT_EQ(0, ioevq_open(&q, 4, 0));
	ASSERT_EQ(0, ioevq_post(&q, 1, 2, 3));
	copy = q;
	ASSERT_EQ(0, close(q.fd));
	EXPECT_EQ(1, copy.ring->tail);
	EXPECT_EQ(1, copy.slots[0].user_data);
	EXPECT_EQ(0, munmap(copy.ring, copy.ring_size));
}

TEST_HARNESS_MAIN

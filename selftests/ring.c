// SPDX-License-Identifier: GPL-2.0-only
/* Laws 1 to 3: the ring and its backlog. */
#include "expect.h"

#define MANY	4000

/* How a consumer gets its events. */
enum way {
	BY_ENTER,
	BY_RING,
};

FIXTURE(ring)
{
	struct ioevq q;
	unsigned char *seen;	/* how often, by user data */
	int fd;			/* an eventfd */
	long max_requests;
};

FIXTURE_VARIANT(ring)
{
	unsigned int entries;
	int mapped;
	enum way way;
};

FIXTURE_VARIANT_ADD(ring, one_by_enter) { 1, 1, BY_ENTER };
FIXTURE_VARIANT_ADD(ring, one_by_ring) { 1, 1, BY_RING };
FIXTURE_VARIANT_ADD(ring, two_unmapped) { 2, 0, BY_ENTER };
FIXTURE_VARIANT_ADD(ring, four_by_enter) { 4, 1, BY_ENTER };
FIXTURE_VARIANT_ADD(ring, four_by_ring) { 4, 1, BY_RING };
FIXTURE_VARIANT_ADD(ring, sixteen_by_ring) { 16, 1, BY_RING };

FIXTURE_SETUP(ring)
{
	struct ioevq_setup setup = { .size = sizeof(setup), .entries = variant->entries };

	self->max_requests = get_param("max_requests");
	ASSERT_LT(0, self->max_requests);
	self->seen = calloc(1, MANY);
	ASSERT_NE(NULL, self->seen);
	self->fd = eventfd(0, EFD_NONBLOCK);
	ASSERT_LE(0, self->fd);
	if (variant->mapped) {
		ASSERT_EQ(0, ioevq_open(&self->q, variant->entries, 0));
	} else {
		self->q.fd = open("/dev/ioevq", O_RDWR);
		ASSERT_EQ(0, ioctl(self->q.fd, IOEVQ_IOC_SETUP, &setup));
	}
}

FIXTURE_TEARDOWN(ring)
{
	EXPECT_EQ(0, set_param("max_requests", self->max_requests));
	if (variant->mapped)
		munmap(self->q.ring, self->q.ring_size);
	close(self->q.fd);
	close(self->fd);
	free(self->seen);
}

/* The next event. Returns 1, 0 (none came) or a negative errno. */
static int take(const struct ioevq *q, enum way how, struct ioevq_event *ev)
{
	__s64 end = now_ns() + BOUND_NS;
	int ret;

	if (how == BY_ENTER)
		return enter_wait(q, ev, 1, 1, BOUND_NS);
	do {
		ret = ioevq_take(q, ev);
	} while (!ret && now_ns() < end);
	return ret;
}

/* Nobody looks at the ring while a watch fires, and all of them fire at once. */
TEST_F(ring, law_02_nothing_is_lost)
{
	struct ioevq_event ev;
	unsigned int i;

	ASSERT_EQ(MANY, park(&self->q, self->fd, MANY, 0));
	ASSERT_EQ(0, eventfd_write(self->fd, 1));
	EXPECT_EQ(MANY, query(&self->q).available);
	EXPECT_EQ(MANY - variant->entries, query(&self->q).backlog);
	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(1, take(&self->q, variant->way, &ev));
		ASSERT_EQ(IOEVQ_OP_POLL, ev.op);
		ASSERT_GT(MANY, ev.user_data);
		ASSERT_EQ(1, ++self->seen[ev.user_data]);
		EXPECT_EQ(0, ev.flags);
		EXPECT_TRUE(ev.res & POLLIN);
	}
	EXPECT_EQ(0, query(&self->q).available);
	EXPECT_EQ(0, query(&self->q).backlog);
	EXPECT_EQ(0, requests(&self->q));
}

/* Watches fire one after the other, between messages, into ring and backlog. */
TEST_F(ring, law_03_order)
{
	enum { NR = 64 };
	struct ioevq_event ev;
	unsigned int i, next = 0;
	int fds[NR];

	for (i = 0; i < NR; i++) {
		fds[i] = eventfd(0, 0);
		ASSERT_EQ(1, park(&self->q, fds[i], 1, i));
	}
	for (i = 0; i < NR; i++) {
		/* Not in the order in which they were submitted. */
		ASSERT_EQ(0, eventfd_write(fds[i * 37 % NR], 1));
		ASSERT_EQ(0, ioevq_post(&self->q, NR + i, 0, 0));
		if (i % 3)
			continue;
		/* A consumer that is too slow to keep up makes room now and then. */
		ASSERT_EQ(1, take(&self->q, variant->way, &ev));
		EXPECT_EQ(next % 2 ? NR + next / 2 : next / 2 * 37 % NR, ev.user_data);
		next++;
	}
	for (; next < 2 * NR; next++) {
		ASSERT_EQ(1, take(&self->q, variant->way, &ev));
		EXPECT_EQ(next % 2 ? NR + next / 2 : next / 2 * 37 % NR, ev.user_data);
	}
	for (i = 0; i < NR; i++)
		close(fds[i]);
	EXPECT_EQ(0, requests(&self->q));
}

/* A consumer makes much room at once: what comes next is still behind the backlog. */
TEST_F(ring, law_03_order_with_sudden_room)
{
	const unsigned int before = variant->entries + 20, after = 5;
	struct ioevq_event ev;
	unsigned int i;

	for (i = 0; i < before; i++)
		ASSERT_EQ(0, ioevq_post(&self->q, i, 0, 0));
	/* As many as the ring has: that needs no system call, of which there is none. */
	for (i = 0; i < variant->entries; i++) {
		ASSERT_EQ(1, take(&self->q, variant->mapped ? BY_RING : BY_ENTER, &ev));
		EXPECT_EQ(i, ev.user_data);
	}
	for (i = 0; i < after; i++)
		ASSERT_EQ(0, ioevq_post(&self->q, before + i, 0, 0));
	for (i = variant->entries; i < before + after; i++) {
		ASSERT_EQ(1, take(&self->q, variant->way, &ev));
		EXPECT_EQ(i, ev.user_data);
	}
}

/* The indexes count on for ever, the slots come round. */
TEST_F(ring, law_03_order_round_the_ring)
{
	__u64 in = 0, out = 0;
	struct ioevq_event ev;
	unsigned int i;

	while (in < MANY) {
		for (i = 0; i < 1 + in % 7; i++) {
			ASSERT_EQ(0, ioevq_post(&self->q, in, -in, ~in));
			in++;
		}
		while (out + in % 3 < in) {
			ASSERT_EQ(1, take(&self->q, variant->way, &ev));
			EXPECT_EQ(IOEVQ_OP_POST, ev.op);
			EXPECT_EQ(out, ev.user_data);
			EXPECT_EQ(-out, ev.res);
			EXPECT_EQ(~out, ev.data);
			out++;
		}
	}
	while (out < in) {
		ASSERT_EQ(1, take(&self->q, variant->way, &ev));
		EXPECT_EQ(out, ev.user_data);
		out++;
	}
	if (variant->mapped) {
		EXPECT_EQ(in, self->q.ring->tail);
		EXPECT_EQ(in, self->q.ring->head);
	}
}

/* Messages pay for their memory: when nothing is left the sender is told. */
TEST_F(ring, law_02_a_message_is_refused_not_lost)
{
	const unsigned int room = variant->entries + 5;
	struct ioevq_event ev;
	unsigned int i, round;

	ASSERT_EQ(0, set_param("max_requests", 5));
	for (round = 0; round < 3; round++) {
		for (i = 0; i < room; i++)
			EXPECT_EQ(0, ioevq_post(&self->q, i, 0, 0));
		EXPECT_EQ(-EAGAIN, ioevq_post(&self->q, 1000, 0, 0));
		EXPECT_EQ(-EAGAIN, ioevq_post(&self->q, 1001, 0, 0));
		EXPECT_EQ(room, query(&self->q).available);
		for (i = 0; i < room; i++) {
			ASSERT_EQ(1, take(&self->q, variant->way, &ev));
			EXPECT_EQ(i, ev.user_data);
		}
		EXPECT_EQ(0, query(&self->q).available);
	}
	EXPECT_EQ(0, requests(&self->q));
}

/* The same for a sender who is not the receiver, and a receiver who never submits. */
TEST_F(ring, law_02_another_queue_is_refused_not_lost)
{
	const unsigned int room = variant->entries + 5;
	unsigned int i, round;
	struct ioevq_event ev;
	struct ioevq sender;
	struct ioevq_req req;

	ASSERT_EQ(0, ioevq_open(&sender, 4, 0));
	ASSERT_EQ(0, set_param("max_requests", 5));
	for (round = 0; round < 3; round++) {
		for (i = 0; i < room; i++) {
			ioevq_prep_post(&req, self->q.fd, 0, 0, i);
			ASSERT_EQ(0, submit(&sender, &req))
				TH_LOG("round %u, message %u", round, i);
		}
		EXPECT_EQ(-EAGAIN, submit(&sender, &req));
		for (i = 0; i < room; i++) {
			ASSERT_EQ(1, take(&self->q, variant->way, &ev));
			EXPECT_EQ(i, ev.user_data);
		}
	}
	EXPECT_EQ(0, query(&sender).available);
	ioevq_close(&sender);
}

/* One event without MORE for each request, however it ends. */
TEST_F(ring, law_01_one_final_event)
{
	struct ioevq_req reqs[4];
	struct ioevq_event ev;
	unsigned int i, n = 0;

	for (i = 0; i < MANY / 4; i += 4) {
		ioevq_prep_nop(&reqs[0], i);
		ioevq_prep_post(&reqs[1], -1, 0, 0, i + 1);
		/* This one fires, the other one is cancelled. */
		ioevq_prep_poll(&reqs[2], self->fd, POLLIN, IOEVQ_POLL_ONESHOT, i + 2);
		ioevq_prep_poll(&reqs[3], self->fd, POLLPRI, IOEVQ_POLL_ONESHOT, i + 3);
		ASSERT_EQ(4, ioevq_submit(&self->q, reqs, 4));
		if (i % 64 == 60) {
			ASSERT_EQ(0, eventfd_write(self->fd, 1));
			ASSERT_EQ(0, eventfd_write(self->fd, 1));
			ASSERT_EQ(0, eventfd_read(self->fd, &(eventfd_t){ 0 }));
			n++;
		}
	}
	ASSERT_EQ(0, eventfd_write(self->fd, 1));
	ASSERT_EQ(0, ioevq_cancel_all(&self->q, MANY - 1));
	ASSERT_LT(0, n);
	/* The cancel's event is the last of all. */
	for (n = 0;; n++) {
		ASSERT_EQ(1, take(&self->q, variant->way, &ev));
		EXPECT_EQ(0, ev.flags);
		if (ev.user_data == MANY - 1)
			break;
		ASSERT_GT(MANY / 4, ev.user_data);
		EXPECT_EQ(1, ++self->seen[ev.user_data]);
		EXPECT_EQ(ev.user_data % 4 == 3, ev.res == -ECANCELED);
	}
	EXPECT_EQ(MANY / 4, n);
	ASSERT_EQ(0, ioevq_post(&self->q, MARK, 0, 0));
	EXPECT_NEXT(&self->q, IOEVQ_OP_POST, MARK, 0);
	EXPECT_EQ(0, requests(&self->q));
}

/* Who only looks at the ring is told that there is more. */
TEST(law_02_the_backlog_is_announced)
{
	struct ioevq_event ev;
	struct ioevq q;
	int i, fd;

	ASSERT_EQ(0, ioevq_open(&q, 2, 0));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, ioevq_post(&q, i, 0, 0));
	EXPECT_EQ(0, q.ring->flags);
	ASSERT_EQ(0, ioevq_post(&q, 2, 0, 0));
	EXPECT_EQ(IOEVQ_RING_BACKLOG, q.ring->flags);
	EXPECT_EQ(2, q.ring->tail);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(1, ioevq_take(&q, &ev));
		EXPECT_EQ(i, ev.user_data);
	}
	EXPECT_EQ(0, ioevq_take(&q, &ev));
	EXPECT_EQ(0, q.ring->flags);
	EXPECT_EQ(3, q.ring->tail);
	EXPECT_EQ(3, q.ring->head);

	/* The next event finds room again, without a word from the consumer. */
	fd = eventfd(0, 0);
	ASSERT_EQ(4, park(&q, fd, 4, 10));
	ASSERT_EQ(0, eventfd_write(fd, 1));
	EXPECT_EQ(IOEVQ_RING_BACKLOG, q.ring->flags);
	EXPECT_EQ(2, query(&q).backlog);
	for (i = 0; i < 4; i++)
		ASSERT_EQ(1, ioevq_take(&q, &ev));
	EXPECT_EQ(0, ioevq_take(&q, &ev));
	EXPECT_EQ(0, q.ring->flags);
	close(fd);
	ioevq_close(&q);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/* Law 12, the ring is hostile: whatever is written to it, others do not notice. */
#include "expect.h"

#define ENTRIES	8
#define ROUNDS	50000

/* Another queue, whose owner is not to blame. */
struct bystander {
	struct ioevq q;
	__u64 sent;
	__u64 taken;
};

FIXTURE(hostile)
{
	struct ioevq q;
	struct bystander by;
	long max_requests;
};

FIXTURE_SETUP(hostile)
{
	ASSERT_EQ(0, ioevq_open(&self->q, ENTRIES, 0));
	ASSERT_EQ(0, ioevq_open(&self->by.q, 2, 0));
	/* Small, so that it is reached in a wedged queue. */
	self->max_requests = get_param("max_requests");
	ASSERT_LT(0, self->max_requests);
	ASSERT_EQ(0, set_param("max_requests", 100));
}

FIXTURE_TEARDOWN(hostile)
{
	EXPECT_EQ(0, set_param("max_requests", self->max_requests));
	ioevq_close(&self->by.q);
	ioevq_close(&self->q);
}

/* It goes on as if nothing were wrong, when sent to from the hostile queue. */
static int is_well(struct bystander *by, const struct ioevq *q)
{
	struct ioevq_event ev;
	struct ioevq_req req;

	ioevq_prep_post(&req, by->q.fd, 0, 0, by->sent++);
	if (submit(q, &req) || next_event(&by->q, &ev) != 1)
		return 0;
	return ev.user_data == by->taken++ && !query(&by->q).available;
}

static int post_n(const struct ioevq *q, unsigned int n, __u64 first)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < n && !ret; i++)
		ret = ioevq_post(q, first + i, 0, 0);
	return ret;
}

/* A head that cannot be; when it is put right nothing has been lost. */
TEST_F(hostile, law_12_hostile_ring_head)
{
	static const __u64 wrong[] = {
		1, 2, ENTRIES, ENTRIES + 1, 1ULL << 31, 1ULL << 32, 1ULL << 63, INT64_MAX,
		-(__u64)ENTRIES - 1, -(__u64)ENTRIES - 2, -(1ULL << 32),
	};
	struct ioevq_ring *ring = self->q.ring;
	struct ioevq_event evs[4];
	__u64 head, next = 0, sent = 0;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		/* Some lie in the ring, some come now, some more after that. */
		ASSERT_EQ(0, post_n(&self->q, 3, sent));
		sent += 3;
		head = ring->head;
		ring->head = ring->tail + wrong[i];
		EXPECT_EQ(-EBADFD, enter_wait(&self->q, evs, 0, 4, 0))
			TH_LOG("head = tail + %llx", (unsigned long long)wrong[i]);
		EXPECT_EQ(-EBADFD, enter_wait(&self->q, evs, 1, 4, -1));
		EXPECT_EQ(-EBADFD, enter_wait(&self->q, NULL, 1, 0, -1));
		EXPECT_EQ(-EBADFD, ioevq_wait(&self->q, evs, 1, 4, IOEVQ_FOREVER));
		EXPECT_EQ(-EBADFD, ioevq_wait(&self->q, evs, 1, 4, IOEVQ_NO_WAIT));
		EXPECT_EQ(-EBADFD, ioevq_take_many(&self->q, evs, 4));
		ASSERT_EQ(0, post_n(&self->q, ENTRIES, sent));
		sent += ENTRIES;
		EXPECT_EQ(-EBADFD, enter_wait(&self->q, evs, 1, 4, -1));
		EXPECT_TRUE(is_well(&self->by, &self->q));

		ring->head = head;
		ASSERT_EQ(0, post_n(&self->q, 1, sent));
		sent++;
		EXPECT_EQ(sent - next, query(&self->q).available);
		for (j = 0; j < ENTRIES + 4; j++, next++)
			EXPECT_NEXT(&self->q, IOEVQ_OP_POST, next, 0);
	}
	EXPECT_EQ(0, query(&self->q).available);
	EXPECT_EQ(0, requests(&self->q));
}

/* A wait must neither hang nor spin on it, whoever does it. */
TEST_F(hostile, law_12_hostile_ring_of_a_reader)
{
	struct pollfd pfd = { .fd = self->q.fd, .events = POLLIN };
	struct ioevq_event ev;

	self->q.ring->head = 1000;
	EXPECT_LE(0, poll(&pfd, 1, 0));
	EXPECT_EQ(-EBADFD, enter_wait(&self->q, &ev, 1, 1, -1));
	self->q.ring->head = 0;
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_TRUE(is_well(&self->by, &self->q));
}

/*
 * A head that says that what is announced is taken already, and a file that stays ready:
 * there is always one more to announce. A consumer comes back from that all the same.
 */
TEST_F(hostile, law_12_hostile_ring_and_a_level_watch)
{
	struct ioevq_ring *ring = self->q.ring;
	int fd = eventfd(1, EFD_CLOEXEC);
	struct ioevq_event evs[4 * ENTRIES];
	struct ioevq_req req;
	__u64 head;

	ASSERT_LE(0, fd);
	ioevq_prep_poll(&req, fd, POLLIN, IOEVQ_POLL_LEVEL, 7);
	ASSERT_EQ(0, submit(&self->q, &req));
	ASSERT_EQ(1, enter_wait(&self->q, evs, 0, 4 * ENTRIES, 0));
	head = ring->head;
	ring->head = head + 1000;
	EXPECT_EQ(-EBADFD, enter_wait(&self->q, evs, 0, 4 * ENTRIES, 0));
	EXPECT_EQ(-EBADFD, enter_wait(&self->q, evs, 1, 0, -1));
	EXPECT_TRUE(is_well(&self->by, &self->q));
	ring->head = head;
	/* It is announced again, as often as was found out meanwhile. */
	EXPECT_LE(1, enter_wait(&self->q, evs, 1, 4 * ENTRIES, -1));
	EXPECT_EQ(7, evs[0].user_data);
	EXPECT_EQ(POLLIN, evs[0].res);
	close(fd);
	EXPECT_LE(1, enter_wait(&self->q, evs, 1, 4 * ENTRIES, -1));
	EXPECT_TRUE(quiet(&self->q));
}

static int stop_taking;

/* From the mapped ring, each as soon as it is there. */
static void *take_at_once(void *arg)
{
	struct ioevq_ring *ring = ((struct ioevq *)arg)->ring;
	__u64 head;

	while (!__atomic_load_n(&stop_taking, __ATOMIC_ACQUIRE)) {
		head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
		__atomic_compare_exchange_n(&ring->head, &head,
					    __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE), false,
					    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* The same, by honest means. Who comes looks at each file once, however often it is ready. */
TEST_F(hostile, law_12_events_that_are_taken_at_once)
{
	struct ioevq_ring *ring = self->q.ring;
	int fd = eventfd(1, EFD_CLOEXEC);
	struct ioevq_event ev;
	pthread_t thread;
	__u64 tail, told = 0;
	int i;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, watch(&self->q, fd, POLLIN, IOEVQ_POLL_LEVEL, 7));
	stop_taking = 0;
	ASSERT_EQ(0, pthread_create(&thread, NULL, take_at_once, &self->q));
	for (i = 0; i < 20000; i++) {
		tail = ring->tail;
		ASSERT_LE(0, enter_wait(&self->q, &ev, 0, 1, 0));
		ASSERT_GE(1, ring->tail - tail);
		told += ring->tail - tail;
	}
	__atomic_store_n(&stop_taking, 1, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_LT(0, told);
	close(fd);
}

/* Nor does it send to sleep who wants more events than the ring can hold. */
TEST_F_TIMEOUT(hostile, law_12_hostile_ring_and_a_large_wait, 30)
{
	struct ioevq_event evs[2 * ENTRIES];

	self->q.ring->head = 1000;
	EXPECT_EQ(-EBADFD, enter_wait(&self->q, evs, ENTRIES + 1, 2 * ENTRIES, -1));
}

/* Old events are read again: a head that can be is believed, and only it. */
TEST_F(hostile, law_12_hostile_ring_head_turned_back)
{
	struct ioevq_event evs[ENTRIES];
	unsigned int i;

	ASSERT_EQ(0, post_n(&self->q, ENTRIES, 0));
	ASSERT_EQ(ENTRIES, enter_wait(&self->q, evs, ENTRIES, ENTRIES, -1));
	self->q.ring->head = 0;
	EXPECT_EQ(ENTRIES, query(&self->q).available);
	EXPECT_EQ(ENTRIES, enter_wait(&self->q, evs, 0, ENTRIES, 0));
	for (i = 0; i < ENTRIES; i++)
		EXPECT_EQ(i, evs[i].user_data);
	EXPECT_TRUE(quiet(&self->q));
}

/* What the kernel writes is never read by it. */
TEST_F(hostile, law_12_hostile_ring_of_lies)
{
	static const __u64 lies[] = { 0, 1, 7, 1000, 1ULL << 32, 1ULL << 63, ~0ULL };
	struct ioevq_ring *ring = self->q.ring;
	__u64 tail = 0;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(lies); i++) {
		ASSERT_EQ(0, post_n(&self->q, 2, 0));
		ring->tail = lies[i];
		ring->flags = lies[i];
		ring->entries = lies[i];
		memset(ring->__pad0, 0xff, sizeof(ring->__pad0));
		memset(ring->__pad1, 0xff, sizeof(ring->__pad1));
		EXPECT_EQ(2, query(&self->q).available);
		EXPECT_EQ(ENTRIES, query(&self->q).entries);
		ASSERT_EQ(0, post_n(&self->q, ENTRIES, 2));
		EXPECT_EQ(ENTRIES + 2, query(&self->q).available);
		EXPECT_EQ(2, query(&self->q).backlog);
		for (j = 0; j < ENTRIES + 2; j++)
			EXPECT_NEXT(&self->q, IOEVQ_OP_POST, j, 0);
		tail += ENTRIES + 2;
		EXPECT_EQ(tail, ring->tail);
		EXPECT_EQ(tail, ring->head);
		EXPECT_TRUE(is_well(&self->by, &self->q));
	}
	EXPECT_EQ(0, requests(&self->q));
}

/* Events can be forged by who may write to the ring: nothing else is changed. */
TEST_F(hostile, law_12_hostile_ring_slots)
{
	struct ioevq_event evs[ENTRIES];
	int fd = eventfd(0, 0);

	ASSERT_EQ(ENTRIES, park(&self->q, fd, ENTRIES, 0));
	ASSERT_EQ(0, eventfd_write(fd, 1));
	memset(self->q.slots, 0xff, ENTRIES * sizeof(*self->q.slots));
	EXPECT_EQ(ENTRIES, enter_wait(&self->q, evs, ENTRIES, ENTRIES, -1));
	EXPECT_EQ(0, requests(&self->q));
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_TRUE(is_well(&self->by, &self->q));
	close(fd);
}

static __u64 next_random(__u64 *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void scribble(const struct ioevq *q, __u64 *seed)
{
	struct ioevq_ring *ring = q->ring;
	__u64 r = next_random(seed), v = next_random(seed);

	/* Values near the truth are the more dangerous ones. */
	if (r & 256)
		v = ring->tail + v % 64 - 32;
	switch (r % 8) {
	case 0:
		ring->tail = v;
		break;
	case 1:
		ring->flags = v;
		break;
	case 2:
		ring->entries = v;
		break;
	case 3:
		memset(q->slots, v, ENTRIES * sizeof(*q->slots));
		break;
	default:
		ring->head = v;
	}
}

struct scribbler {
	const struct ioevq *q;
	int stop;
};

static void *scribble_on(void *arg)
{
	struct scribbler *s = arg;
	__u64 seed = 88172645463325252ULL;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED))
		scribble(s->q, &seed);
	return NULL;
}

/* Any of it at any time: the kernel answers, and says nothing but what it may. */
static void fuzz(struct __test_metadata *_metadata, struct ioevq *q, struct bystander *by,
		 int rounds)
{
	struct ioevq_event evs[2 * ENTRIES];
	__u64 seed = 0x9e3779b97f4a7c15ULL;
	int i, ret, fd = eventfd(0, EFD_NONBLOCK);

	for (i = 0; i < rounds; i++) {
		scribble(q, &seed);
		switch (next_random(&seed) % 8) {
		case 0:
			ret = ioevq_post(q, i, 0, 0);
			ASSERT_TRUE(!ret || ret == -EAGAIN);
			break;
		case 1:
			ret = park(q, fd, 3, i);
			ASSERT_TRUE((ret > 0 && ret <= 3) || ret == -EAGAIN);
			ASSERT_EQ(0, eventfd_write(fd, 1));
			eventfd_read(fd, &(eventfd_t){ 0 });
			break;
		case 2:
			ret = ioevq_cancel_all(q, i);
			ASSERT_TRUE(!ret || ret == -EAGAIN);
			break;
		case 3:
			ASSERT_GE(q->mask + 1, query(q).available - query(q).backlog);
			break;
		case 4:
			ret = enter_wait(q, NULL, 1, 0, 1000);
			ASSERT_TRUE(ret >= 0 || ret == -EBADFD);
			break;
		default:
			ret = enter_wait(q, evs, 0, ARRAY_SIZE(evs), 0);
			ASSERT_TRUE(ret == -EBADFD || (ret >= 0 && ret <= 2 * ENTRIES))
				TH_LOG("round %d: %d", i, ret);
		}
		if (i % 100 == 0)
			ASSERT_TRUE(is_well(by, q));
	}
	close(fd);
}

TEST_F(hostile, law_12_hostile_ring_at_random)
{
	fuzz(_metadata, &self->q, &self->by, ROUNDS);
	EXPECT_TRUE(is_well(&self->by, &self->q));
}

TEST_F(hostile, law_12_hostile_ring_meanwhile)
{
	struct scribbler s = { .q = &self->q };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, scribble_on, &s));
	fuzz(_metadata, &self->q, &self->by, ROUNDS / 10);
	__atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_TRUE(is_well(&self->by, &self->q));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/* The ledger: what was started, and what became of it. */
#include "soak.h"

struct shared *shared;

const char *const kind_names[KINDS] = {
	[KIND_POST] = "post", [KIND_TIMER] = "timer", [KIND_READ] = "read",
	[KIND_WRITE] = "write", [KIND_FSYNC] = "fsync", [KIND_RECV] = "recv",
	[KIND_SEND] = "send", [KIND_WATCH] = "watch", [KIND_EDGE] = "edge",
	[KIND_CHILD] = "child", [KIND_CANCEL] = "cancel", [KIND_CLOSE] = "close",
	[KIND_QUEUE] = "queue",
};

static const unsigned int ops[KINDS] = {
	[KIND_POST] = IOEVQ_OP_POST, [KIND_TIMER] = IOEVQ_OP_TIMER, [KIND_READ] = IOEVQ_OP_READ,
	[KIND_WRITE] = IOEVQ_OP_WRITE, [KIND_FSYNC] = IOEVQ_OP_FSYNC,
	[KIND_RECV] = IOEVQ_OP_READ, [KIND_SEND] = IOEVQ_OP_WRITE,
	[KIND_WATCH] = IOEVQ_OP_POLL, [KIND_EDGE] = IOEVQ_OP_POLL,
	[KIND_CHILD] = IOEVQ_OP_CHILD, [KIND_CANCEL] = IOEVQ_OP_CANCEL,
	[KIND_CLOSE] = IOEVQ_OP_CLOSE, [KIND_QUEUE] = IOEVQ_OP__COUNT,
};

/* The user data of a thing: 8 bits of kind + 1, 8 of actor, 28 of number. */
#define NUMBER_BITS	28
#define NUMBER_MASK	((1ULL << NUMBER_BITS) - 1)
#define NUMBER(item)	((item) & NUMBER_MASK)
#define KIND(item)	((unsigned int)((item) >> 56) - 1)
#define ACTOR(item)	((unsigned int)((item) >> 48) & 0xff)
#define KNOWN_BITS	(0xffffULL << 48 | NUMBER_MASK)

/* A word of a book: 28 bits of number, 4 of state, 32 of result. */
#define ENTRY(item, state, res)	\
	(NUMBER(item) << 36 | (uint64_t)(state) << 32 | (uint32_t)(res))
#define ENTRY_STATE(entry)	((enum state)((entry) >> 32 & 0xf))
#define ENTRY_IS_OF(entry, item)	((entry) >> 36 == NUMBER(item))

/* It is there before there is any pressure on memory. */
int ledger_open(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	return shared == MAP_FAILED || mlock(shared, sizeof(*shared)) ? -1 : 0;
}

static struct book *book_of(uint64_t item)
{
	if (item & ~KNOWN_BITS || KIND(item) >= KINDS || ACTOR(item) >= ACTORS)
		return NULL;
	return &shared->books[ACTOR(item)][KIND(item)];
}

static uint64_t *entry_of(uint64_t item)
{
	return &book_of(item)->entries[item % WINDOW];
}

static uint64_t get(const uint64_t *entry)
{
	return __atomic_load_n(entry, __ATOMIC_ACQUIRE);
}

/* From open to another state, by one alone. */
static bool change(uint64_t item, uint64_t *old, uint64_t new)
{
	*old = get(entry_of(item));
	return ENTRY_IS_OF(*old, item) && ENTRY_STATE(*old) == STATE_OPEN &&
	       __atomic_compare_exchange_n(entry_of(item), old, new, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_ACQUIRE);
}

void odd(const char *what, const struct ioevq_event *ev, uint64_t entry)
{
	uint64_t n = __atomic_fetch_add(&shared->odd, 1, __ATOMIC_SEQ_CST);

	if (n < ARRAY_SIZE(shared->oddities))
		shared->oddities[n] = (struct oddity){ .what = what, .ev = *ev, .entry = entry };
}

/* A name for something that is about to be started. */
uint64_t start(unsigned int actor, enum kind kind)
{
	struct book *b = &shared->books[actor][kind];
	uint64_t item;

	/* What is open still keeps its place. */
	do {
		item = (uint64_t)(kind + 1) << 56 | (uint64_t)actor << 48 | (b->next & NUMBER_MASK);
		b->next++;
	} while (ENTRY_STATE(*entry_of(item)) == STATE_OPEN);
	b->started++;
	__atomic_store_n(entry_of(item), ENTRY(item, STATE_OPEN, 0), __ATOMIC_SEQ_CST);
	return item;
}

/* By who has started it: it has ended without an event, by a refusal for one. */
void settle(uint64_t item, enum state state)
{
	struct ioevq_event none = { .user_data = item };
	uint64_t old;

	if (!change(item, &old, ENTRY(item, state, 0)))
		odd("refused or closed, and told of all the same", &none, old);
	close_entry(item);
}

void refuse(uint64_t item)
{
	settle(item, STATE_REFUSED);
}

enum state outcome(uint64_t item, int *res)
{
	uint64_t entry = get(entry_of(item));

	*res = (int32_t)entry;
	return ENTRY_STATE(entry);
}

/* By who has started it: it has ended, and is counted. */
void close_entry(uint64_t item)
{
	struct book *b = book_of(item);

	switch (ENTRY_STATE(*entry_of(item))) {
	case STATE_DELIVERED:
		b->delivered++;
		break;
	case STATE_CANCELLED:
		b->cancelled++;
		break;
	default:
		b->refused++;
		break;
	}
}

/* How the child of this name ends: by a code, or a signal. */
int child_status(uint64_t item)
{
	return item % 4 == 3 ? SIGKILL : (int)(item % 64) << 8;
}

int64_t post_result(uint64_t item)
{
	return item % 65536;
}

static bool is_final(const struct ioevq_event *ev)
{
	return ev->res == -ECANCELED || ev->flags & IOEVQ_EVENT_CLOSED;
}

static bool is_right(const struct ioevq_event *ev)
{
	switch (KIND(ev->user_data)) {
	case KIND_POST:
		return ev->res == post_result(ev->user_data) && ev->data == ~ev->user_data;
	case KIND_CHILD:
		return ev->res == -ECANCELED || (ev->res > 0 &&
		       IOEVQ_CHILD_STATUS(ev->data) == child_status(ev->user_data));
	case KIND_EDGE:
		return is_final(ev) != !!(ev->flags & IOEVQ_EVENT_MORE);
	default:
		return ev->res >= INT32_MIN && ev->res <= INT32_MAX;
	}
}

static uint64_t entry_for(const struct ioevq_event *ev)
{
	return ENTRY(ev->user_data, is_final(ev) ? STATE_CANCELLED : STATE_DELIVERED, ev->res);
}

/* A consumer has taken it. One atomic operation: no death can come in between. */
void take_note(const struct ioevq_event *ev)
{
	struct book *b = book_of(ev->user_data);
	uint64_t old = 0;

	if (!b || ev->op != ops[KIND(ev->user_data)])
		return odd("nothing was started that has this event", ev, 0);
	if (!is_right(ev))
		return odd("a wrong result", ev, 0);
	if (ev->flags & IOEVQ_EVENT_MORE) {
		if (KIND(ev->user_data) != KIND_EDGE)
			return odd("more to come", ev, 0);
		__atomic_fetch_add(&b->more, 1, __ATOMIC_SEQ_CST);
		return;
	}
	if (!change(ev->user_data, &old, entry_for(ev)))
		odd("told of twice, or never started", ev, old);
}

/*
 * It was in the hands of one who died, and nobody else has it. Or it is of two: its place in the
 * ring was filled anew while it was copied, which the kernel, too, finds out afterwards. Of most
 * things somebody else has the only event then; of an edge there may be more to come.
 */
bool recover(const struct ioevq_event *ev)
{
	uint64_t old;

	return book_of(ev->user_data) && ev->op == ops[KIND(ev->user_data)] && is_right(ev) &&
	       change(ev->user_data, &old, entry_for(ev));
}

/* How many things of the actors of a queue had their final event. */
uint64_t finals(unsigned int queue, uint64_t *more)
{
	uint64_t sum = 0;
	unsigned int a, k;

	*more = 0;
	/* The last two have queues of their own. */
	for (a = queue; a < ACTORS - 2; a += QUEUES) {
		for (k = 0; k < KINDS; k++) {
			sum += shared->books[a][k].delivered + shared->books[a][k].cancelled;
			*more += shared->books[a][k].more;
		}
	}
	return sum;
}

static void row(FILE *to, const char *name, const struct book *b)
{
	fprintf(to, "%-8s %10llu %10llu %10llu %10llu %10llu\n", name,
		(unsigned long long)b->started, (unsigned long long)b->delivered,
		(unsigned long long)b->cancelled, (unsigned long long)b->refused,
		(unsigned long long)(b->started - b->delivered - b->cancelled - b->refused));
}

/* The table; how many things are not accounted for. */
uint64_t report(FILE *to, FILE *csv, unsigned int seconds)
{
	static struct book all;
	uint64_t open = 0;
	unsigned int a, k;

	all.started = 0;
	fprintf(to, "after %u s\n%-8s %10s %10s %10s %10s %10s\n", seconds, "kind", "started",
		"delivered", "cancelled", "refused", "open");
	for (k = 0; k < KINDS; k++) {
		all.started = 0;
		all.delivered = 0;
		all.cancelled = 0;
		all.refused = 0;
		for (a = 0; a < ACTORS; a++) {
			const struct book *b = &shared->books[a][k];

			/* Ends first: what runs meanwhile is open, and not less than nothing. */
			all.delivered += __atomic_load_n(&b->delivered, __ATOMIC_ACQUIRE);
			all.cancelled += __atomic_load_n(&b->cancelled, __ATOMIC_ACQUIRE);
			all.refused += __atomic_load_n(&b->refused, __ATOMIC_ACQUIRE);
			all.started += __atomic_load_n(&b->started, __ATOMIC_ACQUIRE);
		}
		row(to, kind_names[k], &all);
		if (csv)
			fprintf(csv, "%u,%s,%llu,%llu,%llu,%llu\n", seconds, kind_names[k],
				(unsigned long long)all.started, (unsigned long long)all.delivered,
				(unsigned long long)all.cancelled, (unsigned long long)all.refused);
		open += all.started - all.delivered - all.cancelled - all.refused;
	}
	fflush(to);
	if (csv)
		fflush(csv);
	return open;
}

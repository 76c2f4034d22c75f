// SPDX-License-Identifier: GPL-2.0-only
/* Calls to a queue, and what is done to its ring and to the memory that it is given. */
#include <errno.h>
#include <linux/ioevq.h>
#include <setjmp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuzz.h"
#include "calls.h"

#define MAX_REQS	64
#define MAX_EVENTS	256

int *slots;
__thread sigjmp_buf bad_access;
__thread atomic_bool may_fault;

/* What a lane has at hand; a page that is not there follows each. */
static struct lane_memory {
	struct ioevq_req *reqs;
	struct ioevq_event *events;
	unsigned int pending;
} lane_memory[NR_LANES];

static size_t mapped[NR_RINGS];

uint64_t resolve(uint64_t v)
{
	uint64_t index = SYM_INDEX(v);

	switch (SYM_OF(v)) {
	case SYM_MEM:
		return MEM_ADDR + index;
	case SYM_UNSURE:
		return UNSURE_ADDR + index;
	case SYM_RING:
		return RING_ADDR + index;
	case SYM_SLOT:
		return (uint32_t)slots[index % MAX_SLOTS];
	}
	return v;
}

/* Not one of those that the fuzzer itself needs. */
int resolve_fd(uint64_t v)
{
	int fd;

	if (SYM_OF(v) == SYM_SLOT)
		return slots[SYM_INDEX(v) % MAX_SLOTS];
	fd = (int)v;
	return fd >= 0 && fd < KEEP_FDS_END ? -1 : fd;
}

static void *with_guard(size_t size)
{
	size_t len = (size + 4095) & ~4095UL;
	char *at = mmap(NULL, len + 4096, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (at == MAP_FAILED || mprotect(at + len, 4096, PROT_NONE))
		return NULL;
	return at + len - size;
}

static void reserve(unsigned long addr, size_t size, int prot, int flags)
{
	mmap((void *)addr, size, prot, flags | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
}

int memory_init(void)
{
	unsigned int i;

	reserve(MEM_ADDR, MEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED);
	reserve(UNSURE_ADDR, UNSURE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	reserve(RING_ADDR, RING_SIZE * NR_RINGS, PROT_NONE, MAP_PRIVATE);
	for (i = 0; i < NR_LANES; i++) {
		lane_memory[i].reqs = with_guard(MAX_REQS * sizeof(struct ioevq_req));
		lane_memory[i].events = with_guard(MAX_EVENTS * sizeof(struct ioevq_event));
		if (!lane_memory[i].reqs || !lane_memory[i].events)
			return -1;
	}
	slots = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return slots == MAP_FAILED ? -1 : 0;
}

static bool unsure_changed;

/* As every program finds it. */
void call_memory_reset(void)
{
	struct iovec *vec = (void *)(MEM_ADDR + MEM_IOVECS);
	struct ioevq_buffer *buf = (void *)(MEM_ADDR + MEM_BUFFERS);
	unsigned int i;

	for (i = 0; i < NR_RINGS; i++) {
		if (!mapped[i])
			continue;
		reserve(RING_ADDR + i * RING_SIZE, mapped[i], PROT_NONE, MAP_PRIVATE);
		mapped[i] = 0;
	}
	if (unsure_changed)
		reserve(UNSURE_ADDR, UNSURE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	unsure_changed = false;
	for (i = 0; i < 16; i++) {
		vec[i].iov_base = (void *)(MEM_ADDR + MEM_DATA + i * 4096 + i * 7);
		vec[i].iov_len = i * 700;
	}
	vec[12].iov_base = (void *)(UNSURE_ADDR + UNSURE_SIZE - 10);
	vec[13].iov_base = (void *)-1UL;
	vec[14].iov_len = -1;
	vec[15].iov_base = (void *)RING_ADDR;
	for (i = 0; i < 8; i++) {
		buf[i].addr = MEM_ADDR + MEM_DATA + i * 0x4000;
		buf[i].len = 0x3000 - i;
	}
	buf[5].addr = UNSURE_ADDR;
	buf[6].addr = RING_ADDR;
	buf[7].len = 0;
	for (i = 0; i < NR_LANES; i++)
		lane_memory[i].pending = 0;
}

static void copy(void *to, const void *from, size_t size)
{
	if (!sigsetjmp(bad_access, 0)) {
		may_fault = true;
		memcpy(to, from, size);
	}
	may_fault = false;
}

/* The structure at @at: where it is good to be, or wherever the call wants it. */
static void *place(void *good, size_t size, uint64_t at)
{
	void *to = (void *)resolve(at);

	if (!at)
		return good;
	if (SYM_OF(at))
		copy(to, good, size);
	return to;
}

static void do_setup(const uint64_t *v)
{
	uint64_t page[513] = { 0 };
	struct ioevq_setup *s = (void *)page;

	*s = (struct ioevq_setup) { .size = v[5] ?: sizeof(*s), .flags = v[1], .entries = v[2],
		.concurrency = v[3], .ops = v[4] };
	ioctl(resolve_fd(v[0]), IOEVQ_IOC_SETUP, place(s, sizeof(*s), v[6]));
}

static void do_req(const uint64_t *v, struct lane_memory *m)
{
	uint64_t len = v[6];

	if (m->pending == MAX_REQS)
		return;
	if (v[0] == IOEVQ_OP_CHILD && len && len <= MAX_CHILDREN)
		len = child_pid(len - 1);
	m->reqs[m->pending] = (struct ioevq_req) {
		.op = v[0], .fd = resolve_fd(v[1]), .flags = v[2], .user_data = v[3],
		.addr = resolve(v[4]), .off = v[5], .len = len, .op_flags = v[7], .op_arg = v[8],
		.buf_index = v[9] };
	m->reqs[m->pending++].__reserved[v[10] % 3] = v[10];
}

static void do_enter(const uint64_t *v, struct lane_memory *m)
{
	uint64_t page[513] = { 0 };
	struct ioevq_enter *e = (void *)page;

	*e = (struct ioevq_enter) { .size = v[11] ?: sizeof(*e), .flags = v[1],
		.nr_reqs = v[2] ?: m->pending, .min = v[3], .max = v[4], .timeout_ns = v[5],
		.sigmask = v[6] & ~KEEP_SIGNALS, .batch_ns = v[7], .results = resolve(v[8]),
		.reqs = v[9] ? resolve(v[9]) : (unsigned long)m->reqs,
		.events = v[10] ? resolve(v[10]) : (unsigned long)m->events };
	/* Those to come may be left for the next one. */
	if (!v[9])
		m->pending = 0;
	ioctl(resolve_fd(v[0]), IOEVQ_IOC_ENTER, place(e, sizeof(*e), v[12]));
}

static void do_map(const uint64_t *v)
{
	struct ioevq_info info = { .size = sizeof(info) };
	int fd = resolve_fd(v[0]);
	unsigned int to = v[1] % NR_RINGS;
	size_t len = v[2];
	void *at;

	if (!len) {
		ioctl(fd, IOEVQ_IOC_INFO, &info);
		len = IOEVQ_RING_EVENTS + (size_t)info.entries * sizeof(struct ioevq_event);
	}
	if (!len || len > RING_SIZE)
		return;
	len = (len + 4095) & ~4095UL;
	at = mmap((void *)(RING_ADDR + to * RING_SIZE), len,
		  v[4] ? (int)v[4] & 7 : PROT_READ | PROT_WRITE,
		  (v[5] & 1 ? MAP_PRIVATE : MAP_SHARED) | MAP_FIXED, fd, v[3] * 4096);
	if (at != MAP_FAILED && len > mapped[to])
		mapped[to] = len;
}

/* As a program should, but for an array that is what it seems to be. */
static void do_take(const uint64_t *v, struct lane_memory *m)
{
	struct ioevq_ring *ring = (void *)(RING_ADDR + v[0] % NR_RINGS * RING_SIZE);
	unsigned int nr = v[1] % 65;
	uint64_t head, tail;
	uint32_t entries;

	while (nr--) {
		head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
		tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
		entries = ring->entries;
		if (head == tail || !entries || entries > 65536)
			return;
		m->events[0] = ((struct ioevq_event *)((char *)ring + IOEVQ_RING_EVENTS))
			[head & (entries - 1)];
		__atomic_compare_exchange_n(&ring->head, &head, head + 1, false, __ATOMIC_ACQ_REL,
					    __ATOMIC_RELAXED);
	}
}

static void do_ring(const uint64_t *v)
{
	struct ioevq_ring *ring = (void *)(RING_ADDR + v[0] % NR_RINGS * RING_SIZE);
	uint64_t value = v[3];

	switch (v[2] % 4) {	/* from what is there on */
	case 1:
		value += __atomic_load_n(&ring->tail, __ATOMIC_RELAXED);
		break;
	case 2:
		value += __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
		break;
	case 3:
		value = ring->tail - value % 70;
		break;
	}
	switch (v[1] % 8) {
	default:
		__atomic_store_n(&ring->head, value, __ATOMIC_RELEASE);
		break;
	case 2:
		__atomic_store_n(&ring->tail, value, __ATOMIC_RELEASE);
		break;
	case 3:
		__atomic_store_n(&ring->flags, value, __ATOMIC_RELAXED);
		break;
	case 4:
		__atomic_store_n(&ring->entries, value, __ATOMIC_RELAXED);
		break;
	case 5:
		__atomic_store_n(&ring->__pad0[value % 6], value, __ATOMIC_RELAXED);
		break;
	case 6:
		memset((char *)ring + IOEVQ_RING_EVENTS, value, 128);
		break;
	}
}

static void do_poke(const uint64_t *v)
{
	uint64_t to = resolve(v[0]);

	if (!SYM_OF(v[0]) || SYM_OF(v[0]) == SYM_SLOT || (to & 7))
		return;
	switch (v[2] % 4) {
	case 0:
		__atomic_store_n((uint64_t *)to, resolve(v[1]), __ATOMIC_RELAXED);
		break;
	case 1:
		__atomic_store_n((uint32_t *)to, (uint32_t)v[1], __ATOMIC_RELAXED);
		break;
	case 2:
		__atomic_store_n((uint16_t *)to, (uint16_t)v[1], __ATOMIC_RELAXED);
		break;
	case 3:
		__atomic_fetch_add((uint64_t *)to, v[1], __ATOMIC_RELAXED);
		break;
	}
}

static void do_remap(const uint64_t *v)
{
	unsigned long at = v[0] % UNSURE_SIZE & ~4095UL;
	size_t len = v[1] % (UNSURE_SIZE - at + 1);
	void *addr = (void *)(UNSURE_ADDR + at);

	if (!len)
		return;
	unsure_changed = true;
	switch (v[2] % 6) {
	case 0:
		munmap(addr, len);
		break;
	case 1:
		mprotect(addr, len, PROT_READ);
		break;
	case 2:
		madvise(addr, len, MADV_DONTNEED);
		break;
	case 3:
		mprotect(addr, len, PROT_READ | PROT_WRITE);
		break;
	case 4:
		reserve((unsigned long)addr, len, PROT_READ | PROT_WRITE, MAP_PRIVATE);
		break;
	case 5:
		mmap(addr, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, slots[6], 0);
		break;
	}
}

/* False: it is no call of this kind. */
bool call_device(const struct call *c, unsigned int lane)
{
	uint64_t page[513] = { 0 };
	struct ioevq_control *control = (void *)page;
	struct ioevq_info *info = (void *)page;
	const uint64_t *v = c->v;

	switch (c->kind) {
	case C_SETUP:
		do_setup(v);
		return true;
	case C_MAP:
		do_map(v);
		return true;
	case C_UNMAP:
		reserve(RING_ADDR + v[0] % NR_RINGS * RING_SIZE, mapped[v[0] % NR_RINGS] ?: 4096,
			PROT_NONE, MAP_PRIVATE);
		return true;
	case C_REQ:
		do_req(v, &lane_memory[lane]);
		return true;
	case C_ENTER:
		do_enter(v, &lane_memory[lane]);
		return true;
	case C_INFO:
		*info = (struct ioevq_info) { .size = v[2] ?: sizeof(*info), .op = v[1] };
		ioctl(resolve_fd(v[0]), IOEVQ_IOC_INFO, place(info, sizeof(*info), v[3]));
		return true;
	case C_CONTROL:
		*control = (struct ioevq_control) { .size = v[5] ?: sizeof(*control),
			.cmd = v[1], .arg = resolve(v[2]), .nr = v[3], .__reserved = v[4] };
		ioctl(resolve_fd(v[0]), IOEVQ_IOC_CONTROL, place(control, sizeof(*control), v[6]));
		return true;
	case C_IOCTL:
		ioctl(resolve_fd(v[0]), v[1] << 8 | (v[2] & 0xff), resolve(v[3]));
		return true;
	case C_REMAP:
		do_remap(v);
		return true;
	case C_TAKE: case C_RING: case C_POKE:
		break;
	default:
		return false;
	}
	/* These touch memory that need not be there. */
	if (!sigsetjmp(bad_access, 0)) {
		may_fault = true;
		if (c->kind == C_TAKE)
			do_take(v, &lane_memory[lane]);
		else if (c->kind == C_RING)
			do_ring(v);
		else
			do_poke(v);
	}
	may_fault = false;
	return true;
}

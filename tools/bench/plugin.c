// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest's clock cannot tell: a plugin of QEMU that counts, for each virtual CPU,
 * instructions (of the kernel apart), locked ones, iterations of string instructions, system
 * calls and returns from interrupts.
 *
 * The guest marks a region by instructions that do nothing, `nopl 0x5eed0001(%rax)' to begin,
 * 2 to end, 3 and 4 to leave out what is between. Each end writes one line to the file, see
 * put(). With profile=FILE how much was run of each block of instructions goes there, too.
 *
 * QEMU's own header is in no package of Debian; what is used of its version 1 is declared here.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT	__attribute__((visibility("default")))

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;

typedef uint64_t plugin_id;
typedef void translated_fn(plugin_id id, struct qemu_plugin_tb *tb);
typedef void exec_fn(unsigned int vcpu, void *arg);

/* Enumerations of QEMU's, as far as they matter here. */
#define CB_NO_REGS	0
#define INLINE_ADD	0

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, translated_fn *fn);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, exec_fn *fn, int flags,
					  void *arg);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *ptr,
					      uint64_t value);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, exec_fn *fn, int flags,
					    void *arg);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t idx);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv);

EXPORT int qemu_plugin_version = 1;

#define MAX_CPUS	2

enum { INSN, KERNEL, LOCKED, STRING, SYSCALL, IRET, NR_COUNTS };

/* CPUs do not share a line. */
struct counts {
	uint64_t n[NR_COUNTS];
	char pad[64];
};

struct block {
	struct block *next;
	uint64_t vaddr, insns, run, saved;
};

static struct counts cpus[MAX_CPUS], begin[MAX_CPUS], sums[MAX_CPUS];
static FILE *out, *profile;
static struct block *blocks;
static bool many_cpus;
static unsigned int regions;

static void resume(void)
{
	memcpy(begin, cpus, sizeof(cpus));
	for (struct block *b = blocks; b; b = b->next)
		b->run = b->saved;
}

static void pause_counting(void)
{
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
		for (unsigned int i = 0; i < NR_COUNTS; i++)
			sums[cpu].n[i] += cpus[cpu].n[i] - begin[cpu].n[i];
	for (struct block *b = blocks; b; b = b->next)
		b->saved = b->run;
}

static void start(void)
{
	memset(sums, 0, sizeof(sums));
	for (struct block *b = blocks; b; b = b->next)
		b->saved = 0;
	resume();
}

/* Number of the region from 0, then of each CPU what has been counted. */
static void put(void)
{
	fprintf(out, "%u", regions);
	for (unsigned int cpu = 0; cpu < (many_cpus ? MAX_CPUS : 1); cpu++)
		for (unsigned int i = 0; i < NR_COUNTS; i++)
			fprintf(out, " %llu", (unsigned long long)sums[cpu].n[i]);
	fputc('\n', out);
	fflush(out);
	for (struct block *b = blocks; b; b = b->next)
		if (b->saved)
			fprintf(profile, "%016llx B %u %llu\n", (unsigned long long)b->vaddr,
				regions, (unsigned long long)b->saved);
	if (profile)
		fflush(profile);
	regions++;
}

static void marked(unsigned int vcpu, void *arg)
{
	(void)vcpu;
	switch ((uintptr_t)arg) {
	case 1:
		start();
		break;
	case 2:
		pause_counting();
		put();
		break;
	case 3:
		pause_counting();
		break;
	case 4:
		resume();
		break;
	}
}

static void count_one(unsigned int vcpu, void *arg)
{
	cpus[vcpu % MAX_CPUS].n[(uintptr_t)arg]++;
}

static void count_block(unsigned int vcpu, void *arg)
{
	struct block *b = arg;
	struct counts *c = &cpus[vcpu % MAX_CPUS];

	c->n[INSN] += b->insns;
	if (b->vaddr >> 63)
		c->n[KERNEL] += b->insns;
}

static bool is_prefix(uint8_t byte)
{
	return byte == 0x66 || byte == 0x67 || byte == 0x2e || byte == 0x3e || byte == 0x26 ||
	       byte == 0x36 || byte == 0x64 || byte == 0x65;
}

/* Which of the rare ones is it? NR_COUNTS: none. */
static unsigned int classify(const uint8_t *p, size_t size)
{
	bool lock = false, rep = false;
	size_t i;

	for (i = 0; i < size && (is_prefix(p[i]) || p[i] == 0xf0 || p[i] == 0xf3 || p[i] == 0xf2);
	     i++) {
		lock |= p[i] == 0xf0;
		rep |= p[i] >= 0xf2;
	}
	if (lock)
		return LOCKED;
	if (i < size && p[i] >> 4 == 4)
		i++;
	if (i >= size)
		return NR_COUNTS;
	if (rep && ((p[i] >= 0xa4 && p[i] <= 0xa7) || (p[i] >= 0xaa && p[i] <= 0xaf)))
		return STRING;
	if (i + 1 < size && p[i] == 0x0f && p[i + 1] == 0x05)
		return SYSCALL;
	if (p[i] == 0xcf)
		return IRET;
	/* xchg with memory is locked without saying so. */
	if (i + 1 < size && (p[i] == 0x86 || p[i] == 0x87) && p[i + 1] >> 6 != 3)
		return LOCKED;
	return NR_COUNTS;
}

/* nopl disp32(%rax): 0 or the number of the mark */
static unsigned int mark(const uint8_t *p, size_t size)
{
	static const uint8_t nopl[] = { 0x0f, 0x1f, 0x80 };

	if (size != 7 || memcmp(p, nopl, sizeof(nopl)) || p[4] || p[5] != 0xed || p[6] != 0x5e)
		return 0;
	return p[3];
}

static void count_insn(struct qemu_plugin_insn *insn)
{
	const uint8_t *p = qemu_plugin_insn_data(insn);
	size_t size = qemu_plugin_insn_size(insn);
	uintptr_t what = classify(p, size);
	unsigned int m = mark(p, size);

	if (m) {
		qemu_plugin_register_vcpu_insn_exec_cb(insn, marked, CB_NO_REGS,
						       (void *)(uintptr_t)m);
		return;
	}
	/* One CPU may count without a call, which is faster; but those are rare. */
	if (what != NR_COUNTS)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, count_one, CB_NO_REGS, (void *)what);
}

static struct block *new_block(uint64_t vaddr, uint64_t insns)
{
	struct block *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	b->vaddr = vaddr;
	b->insns = insns;
	if (profile) {
		b->next = blocks;
		blocks = b;
	}
	return b;
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);
	uint64_t vaddr = qemu_plugin_tb_vaddr(tb);

	(void)id;
	for (size_t i = 0; i < n; i++)
		count_insn(qemu_plugin_tb_get_insn(tb, i));
	if (many_cpus) {
		qemu_plugin_register_vcpu_tb_exec_cb(tb, count_block, CB_NO_REGS,
						     new_block(vaddr, n));
		return;
	}
	qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD, &cpus[0].n[INSN], n);
	if (vaddr >> 63)
		qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD, &cpus[0].n[KERNEL], n);
	if (profile)
		qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD, &new_block(vaddr, n)->run,
							 n);
}

EXPORT int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "w");
		else if (!strncmp(argv[i], "profile=", 8))
			profile = fopen(argv[i] + 8, "w");
		else if (!strcmp(argv[i], "cpus=2"))
			many_cpus = true;
	}
	if (!out)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}

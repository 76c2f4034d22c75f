// SPDX-License-Identifier: GPL-2.0-only
/* Registered buffers: what is refused, who may and who pays, and that nothing is left. */
#include <sys/resource.h>

#include "fixed.h"
#include "offspring.h"

#define NR	16
#define SIZE	(NR * PAGE)
#define NOBODY	65534

FIXTURE(limits)
{
	struct ioevq q;
	struct store s;
	char *buf;		/* SIZE, not registered */
};

FIXTURE_SETUP(limits)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, store_make(&self->s, STORE_TMPFS, 0));
	self->buf = pages(SIZE);
	ASSERT_NE(NULL, self->buf);
}

FIXTURE_TEARDOWN(limits)
{
	EXPECT_EQ(0, requests(&self->q));
	EXPECT_TRUE(quiet(&self->q));
	store_end(&self->s);
	ioevq_close(&self->q);
	EXPECT_EQ(0, pinned());
}

static int control(int fd, unsigned int cmd, uint64_t arg, unsigned int nr)
{
	struct ioevq_control c = { .size = sizeof(c), .cmd = cmd, .arg = arg, .nr = nr };

	return ioctl(fd, IOEVQ_IOC_CONTROL, &c) ? -errno : 0;
}

TEST_F(limits, law_14_no_such_buffer)
{
	static const unsigned int bad[] = { 3, 4, 1023, 1024, 1U << 31, UINT32_MAX };
	struct ioevq_buffer buffers[3];
	struct ioevq_req req;
	unsigned int i;

	ioevq_prep_read_fixed(&req, self->s.fd, self->buf, PAGE, 0, 0, 1);
	EXPECT_EQ(-EINVAL, submit(&self->q, &req));
	for (i = 0; i < 3; i++)
		buffers[i] = (struct ioevq_buffer){ (uintptr_t)self->buf, SIZE };
	ASSERT_EQ(0, ioevq_register_buffers(&self->q, buffers, 3));
	EXPECT_EQ(3, query(&self->q).buffers);
	for (i = 0; i < 3; i++) {
		req.buf_index = i;
		EXPECT_EQ(0, outcome(&self->q, &req));
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		req.buf_index = bad[i];
		EXPECT_EQ(-EINVAL, submit(&self->q, &req))
			TH_LOG("buffer %u", bad[i]);
	}
	req.buf_index = 0;
	req.op_flags |= IOEVQ_RW_VECTOR;
	EXPECT_EQ(-EINVAL, submit(&self->q, &req));
	/* The number without the flag. */
	ioevq_prep_read(&req, self->s.fd, self->buf, PAGE, 0, 1);
	req.buf_index = 1;
	EXPECT_EQ(-EINVAL, submit(&self->q, &req));
	ASSERT_EQ(0, ioevq_unregister_buffers(&self->q));
	EXPECT_EQ(0, query(&self->q).buffers);
	ioevq_prep_read_fixed(&req, self->s.fd, self->buf, PAGE, 0, 0, 1);
	EXPECT_EQ(-EINVAL, submit(&self->q, &req));
}

TEST_F(limits, law_14_what_is_registered)
{
	uint64_t buf = (uintptr_t)self->buf;
	const struct {
		uint64_t addr, len;
		int error;
	} bad[] = {
		{ buf, 0, -EINVAL },		{ buf, (1ULL << 30) + 1, -EINVAL },
		{ buf, 1ULL << 32, -EINVAL },	{ buf, ~0ULL, -EINVAL },
		{ 0, PAGE, -EFAULT },		{ -1ULL, 1, -EFAULT },
		{ -PAGE, PAGE, -EFAULT },	{ -PAGE, 2 * PAGE, -EFAULT },
		{ 1ULL << 63, PAGE, -EFAULT },	{ 0x7ffffffff000ULL, PAGE, -EFAULT },
		{ 0xffff888000000000ULL, PAGE, -EFAULT },
	};
	struct ioevq_buffer buffers[2] = { { buf, SIZE } }, *many = calloc(1025, sizeof(*many));
	int r = open("/dev/ioevq", O_RDONLY);
	unsigned int i;

	EXPECT_EQ(-ENOENT, ioevq_unregister_buffers(&self->q));
	EXPECT_EQ(-EINVAL, ioevq_register_buffers(&self->q, buffers, 0));
	EXPECT_EQ(-EINVAL, ioevq_register_buffers(&self->q, NULL, UINT32_MAX));
	EXPECT_EQ(-EFAULT, ioevq_register_buffers(&self->q, NULL, 1));
	EXPECT_EQ(-EBADF, control(r, IOEVQ_CONTROL_REGISTER_BUFFERS, (uintptr_t)buffers, 1));
	EXPECT_EQ(-EBADF, control(r, IOEVQ_CONTROL_UNREGISTER_BUFFERS, 0, 0));
	EXPECT_EQ(-EINVAL, control(self->q.fd, IOEVQ_CONTROL_UNREGISTER_BUFFERS, 1, 0));
	close(r);
	/* All or none: the first one is good. */
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		buffers[1] = (struct ioevq_buffer){ bad[i].addr, bad[i].len };
		EXPECT_EQ(bad[i].error, ioevq_register_buffers(&self->q, buffers, 2))
			TH_LOG("case %u", i);
		EXPECT_EQ(0, pinned());
		EXPECT_EQ(0, query(&self->q).buffers);
	}
	for (i = 0; i < 1025; i++)
		many[i] = (struct ioevq_buffer){ buf + i, 1 };
	EXPECT_EQ(-EINVAL, ioevq_register_buffers(&self->q, many, 1025));
	ASSERT_EQ(0, ioevq_register_buffers(&self->q, many, 1024));
	EXPECT_EQ(1024, query(&self->q).buffers);
	EXPECT_EQ(1024, pinned());
	EXPECT_EQ(1, write_fixed(&self->q, self->s.fd, self->buf + 1023, 1, 0, 1023));
	EXPECT_EQ(-EFAULT, write_fixed(&self->q, self->s.fd, self->buf + 1024, 1, 0, 1023));
	EXPECT_EQ(-EBUSY, register_one(&self->q, self->buf, SIZE));
	ASSERT_EQ(0, ioevq_unregister_buffers(&self->q));
	EXPECT_EQ(0, pinned());
	EXPECT_EQ(-ENOENT, ioevq_unregister_buffers(&self->q));
	free(many);
}

/* The first and the last page are part of it, whole or not. */
TEST_F(limits, law_14_holes)
{
	char *buf = self->buf;
	long page;

	for (page = 0; page < NR; page += (NR - 1) / 3) {
		char *hole = buf + page * PAGE;

		memset(buf, 1, SIZE);
		ASSERT_EQ(0, mprotect(hole, PAGE, PROT_NONE));
		EXPECT_EQ(-EFAULT, register_one(&self->q, buf, SIZE));
		/* A byte of the first, and of the last. */
		EXPECT_EQ(-EFAULT, register_one(&self->q, buf + PAGE - 1, SIZE - 2 * PAGE + 2));
		ASSERT_EQ(0, mprotect(hole, PAGE, PROT_READ));
		EXPECT_EQ(-EFAULT, register_one(&self->q, buf, SIZE));
		ASSERT_EQ(0, munmap(hole, PAGE));
		EXPECT_EQ(-EFAULT, register_one(&self->q, buf, SIZE));
		EXPECT_EQ(0, pinned());
		ASSERT_EQ(hole, mmap(hole, PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	}
	ASSERT_EQ(0, register_one(&self->q, buf, SIZE));
	EXPECT_EQ(NR, pinned());
}

#define HUGE	(2L << 20)

/* Kilobytes of huge pages that this process has. */
static long huge_kb(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "re");
	char line[256];
	long kb = 0;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "AnonHugePages:", 14))
			kb = strtol(line + 14, NULL, 10);
	if (f)
		fclose(f);
	return kb;
}

/*
 * What is written to becomes a huge page where the kernel has such, which may have to move others
 * first. How many kilobytes of it did.
 */
static long make_huge(char *at)
{
	long before = huge_kb(), huge = 0;
	int tries;

	for (tries = 0; tries < 10 && !huge; tries++) {
		if (tries && system("cd /proc/sys/vm; echo 1 >drop_caches; echo 1 >compact_memory"))
			return -1;
		madvise(at, HUGE, MADV_DONTNEED);
		madvise(at, HUGE, MADV_HUGEPAGE);
		memset(at, 1, HUGE);
		huge = huge_kb() - before;
	}
	return huge;
}

/* Whoever keeps a part of a huge page keeps it all. Neighbours do that once. */
TEST_F(limits, law_13_huge_pages_count_whole)
{
	char *p = pages(2 * HUGE), *at = (char *)(((uintptr_t)p + HUGE - 1) & -HUGE);
	struct ioevq_buffer both[2] = { { (uintptr_t)at, PAGE }, { (uintptr_t)at + PAGE, 1 } };
	bool has_huge = !access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK);
	unsigned int i;
	long huge;

	ASSERT_NE(NULL, p);
	huge = has_huge ? make_huge(at) : 0;
	ASSERT_EQ(has_huge ? HUGE / 1024 : 0, huge);
	ASSERT_EQ(0, register_one(&self->q, at, PAGE));
	EXPECT_EQ(huge ? HUGE / PAGE : 1, pinned());
	ASSERT_EQ(0, ioevq_unregister_buffers(&self->q));
	EXPECT_EQ(0, pinned());
	ASSERT_EQ(0, register_one(&self->q, at, HUGE));
	EXPECT_EQ(HUGE / PAGE, pinned());
	ASSERT_EQ(0, ioevq_unregister_buffers(&self->q));
	ASSERT_EQ(0, ioevq_register_buffers(&self->q, both, 2));
	EXPECT_EQ(huge ? HUGE / PAGE : 2, pinned());
	/* For as long as one of them is in use: its event has no room yet. */
	for (i = 0; i < 64; i++)
		ASSERT_EQ(0, ioevq_post(&self->q, 2, 0, 0));
	ASSERT_EQ(0, submit_fixed(&self->q, IOEVQ_OP_READ, self->s.fd, at + PAGE, 1, 0, 1, 1));
	ASSERT_TRUE(eventually(query(&self->q).backlog == 1));
	ASSERT_EQ(0, ioevq_unregister_buffers(&self->q));
	EXPECT_EQ(huge ? HUGE / PAGE : 1, pinned());
	for (i = 0; i < 64; i++)
		EXPECT_NEXT(&self->q, IOEVQ_OP_POST, 2, 0);
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 1, 0);
	EXPECT_TRUE(quiet(&self->q));
	EXPECT_TRUE(eventually(!pinned()));
	munmap(p, 2 * HUGE);
}

/*
 * A file system must know of every write to a page of it, or it loses data. In memory
 * there is no such thing, and a private page is the process's own.
 */
TEST_F_TIMEOUT(limits, law_13_no_pages_of_files, 600)
{
	struct store ext4;
	unsigned int i;
	char *p;

	ASSERT_EQ(0, store_make(&ext4, STORE_EXT4, 0));
	ASSERT_EQ(SIZE, pwrite(ext4.fd, self->buf, SIZE, 0));
	ASSERT_EQ(SIZE, pwrite(self->s.fd, self->buf, SIZE, 0));
	const struct {
		int fd, flags, prot, want;
	} cases[] = {
		{ ext4.fd, MAP_SHARED, PROT_READ | PROT_WRITE, -EFAULT },
		{ ext4.loop, MAP_SHARED, PROT_READ | PROT_WRITE, -EFAULT },
		{ ext4.fd, MAP_SHARED, PROT_READ, -EFAULT },
		{ ext4.fd, MAP_PRIVATE, PROT_READ, -EFAULT },
		{ ext4.fd, MAP_PRIVATE, PROT_READ | PROT_WRITE, 0 },
		{ self->s.fd, MAP_SHARED, PROT_READ | PROT_WRITE, 0 },
		{ self->s.fd, MAP_SHARED, PROT_READ, -EFAULT },
	};
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		p = mmap(NULL, SIZE, cases[i].prot, cases[i].flags, cases[i].fd, 0);
		ASSERT_NE(MAP_FAILED, p);
		EXPECT_EQ(cases[i].want, register_one(&self->q, p, SIZE))
			TH_LOG("case %u", i);
		if (cases[i].want) {
			EXPECT_EQ(0, pinned());
		} else {
			EXPECT_EQ(NR, pinned());
			EXPECT_EQ(0, ioevq_unregister_buffers(&self->q));
		}
		EXPECT_EQ(0, pinned());
		munmap(p, SIZE);
	}
	store_end(&ext4);
}

struct job {
	struct ioevq *q, *other;
	int fd;
	char *buf;
};

static int become_nobody(void)
{
	return setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY);
}

static int set_memlock(long nr)
{
	struct rlimit limit = { nr * PAGE, nr * PAGE };

	return setrlimit(RLIMIT_MEMLOCK, &limit);
}

static int pin_as_nobody(struct offspring *c, long arg)
{
	struct job *job = (struct job *)arg;
	char *buf = pages(2 * SIZE);

	if (set_memlock(NR) || become_nobody())
		return 97;
	/* Two pages in part count as two. */
	if (register_one(job->q, buf, SIZE + 1) != -ENOMEM ||
	    register_one(job->q, buf + 1, SIZE) != -ENOMEM || pinned())
		return 96;
	if (register_one(job->q, buf, SIZE) || pinned() != NR)
		return 95;
	if (register_one(job->other, buf + SIZE, 1) != -ENOMEM || pinned() != NR)
		return 94;
	say(c);
	await_go(c);
	if (ioevq_unregister_buffers(job->q) || pinned())
		return 93;
	if (register_one(job->other, buf + SIZE, SIZE) ||
	    ioevq_unregister_buffers(job->other) || pinned())
		return 92;
	return 0;
}

/* The same user in another process, which has its limit all the same. */
static int pin_more_as_nobody(struct offspring *c, long arg)
{
	struct job *job = (struct job *)arg;
	char *buf = pages(SIZE);

	(void)c;
	if (set_memlock(NR) || become_nobody())
		return 97;
	return register_one(job->other, buf, PAGE) != -ENOMEM || pinned();
}

TEST_F(limits, law_13_limit_on_locked_memory)
{
	struct ioevq other;
	struct job job = { &self->q, &other, self->s.fd, self->buf };
	struct offspring c, d;
	int status;
	char word;

	ASSERT_EQ(0, ioevq_open(&other, 64, 0));
	ASSERT_EQ(0, offspring(&c, pin_as_nobody, (long)&job));
	let_go(&c);
	/* If it fails it ends, and this must not wait for its word. */
	close(c.say);
	c.say = -1;
	ASSERT_EQ(1, read(c.said, &word, 1));
	ASSERT_EQ(0, offspring(&d, pin_more_as_nobody, (long)&job));
	let_go(&d);
	ASSERT_EQ(d.pid, waitpid(d.pid, &status, 0));
	EXPECT_EQ(0, status);
	/* Who may lock what it likes is neither stopped by it nor counted. */
	ASSERT_EQ(0, set_memlock(0));
	EXPECT_EQ(0, register_one(&other, self->buf, SIZE));
	EXPECT_EQ(NR, pinned());
	EXPECT_EQ(0, ioevq_unregister_buffers(&other));
	let_go(&c);
	ASSERT_EQ(c.pid, waitpid(c.pid, &status, 0));
	EXPECT_EQ(0, status);
	offspring_close(&c);
	offspring_close(&d);
	ioevq_close(&other);
}

static int pin_and_die(struct offspring *c, long arg)
{
	struct job *job = (struct job *)arg;

	if (set_memlock(NR) || become_nobody())
		return 97;
	if (register_one(job->q, job->buf, SIZE))
		return 96;
	pattern(job->buf, SIZE, 0, 7);
	say(c);
	await_go(c);
	return 0;
}

/* What it had pinned is the queue's until that is done with it, and paid for. */
TEST_F(limits, law_11_who_registered_them_is_gone)
{
	struct ioevq other;
	struct job job = { &self->q, &other, self->s.fd, self->buf };
	struct offspring c;
	char word, *read_to;
	int status;

	ASSERT_EQ(0, ioevq_open(&other, 64, 0));
	ASSERT_EQ(0, offspring(&c, pin_and_die, (long)&job));
	let_go(&c);
	/* If it fails it ends, and this must not wait for its word. */
	close(c.say);
	c.say = -1;
	ASSERT_EQ(1, read(c.said, &word, 1));
	ASSERT_EQ(0, kill(c.pid, SIGKILL));
	ASSERT_EQ(c.pid, waitpid(c.pid, NULL, 0));
	offspring_close(&c);

	EXPECT_EQ(1, query(&self->q).buffers);
	ASSERT_EQ(SIZE, write_fixed(&self->q, self->s.fd, self->buf, SIZE, 0, 0));
	read_to = pages(SIZE);
	ASSERT_EQ(SIZE, pread(self->s.fd, read_to, SIZE, 0));
	EXPECT_TRUE(is_pattern(read_to, SIZE, 0, 7));
	ASSERT_EQ(0, offspring(&c, pin_more_as_nobody, (long)&job));
	let_go(&c);
	ASSERT_EQ(c.pid, waitpid(c.pid, &status, 0));
	EXPECT_EQ(0, status);
	offspring_close(&c);
	ASSERT_EQ(0, ioevq_unregister_buffers(&self->q));
	ASSERT_EQ(0, offspring(&c, pin_and_die, (long)&job));
	let_go(&c);
	/* If it fails it ends, and this must not wait for its word. */
	close(c.say);
	c.say = -1;
	ASSERT_EQ(1, read(c.said, &word, 1));
	let_go(&c);
	ASSERT_EQ(c.pid, waitpid(c.pid, &status, 0));
	EXPECT_EQ(0, status);
	offspring_close(&c);
	ioevq_close(&other);
}

TEST_HARNESS_MAIN

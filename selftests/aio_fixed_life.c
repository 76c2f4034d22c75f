// SPDX-License-Identifier: GPL-2.0-only
/* Registered buffers while they are used: fork, munmap, exit, drop, close, other processes. */
#include "fixed.h"
#include "memcg.h"
#include "offspring.h"
#include "pass_fd.h"

#define NR	16
#define SIZE	(NR * PAGE)

FIXTURE(life)
{
	struct ioevq q;
	struct store s;
	char *buf;		/* SIZE, not registered */
};

FIXTURE_SETUP(life)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, store_make(&self->s, STORE_TMPFS, 0));
	self->buf = pages(SIZE);
	ASSERT_NE(NULL, self->buf);
}

FIXTURE_TEARDOWN(life)
{
	EXPECT_EQ(0, requests(&self->q));
	EXPECT_TRUE(quiet(&self->q));
	store_end(&self->s);
	ioevq_close(&self->q);
	EXPECT_EQ(0, pinned());
}

/* The pages, not what is mapped there. */
TEST_F(life, law_11_memory_that_is_unmapped)
{
	char *buf = self->buf, *check = pages(SIZE);

	pattern(buf, SIZE, 0, 1);
	ASSERT_EQ(0, register_one(&self->q, buf, SIZE));
	ASSERT_EQ(0, munmap(buf, SIZE));
	EXPECT_EQ(NR, pinned());
	ASSERT_EQ(SIZE, write_fixed(&self->q, self->s.fd, buf, SIZE, 0, 0));
	ASSERT_EQ(SIZE, pread(self->s.fd, check, SIZE, 0));
	EXPECT_TRUE(is_pattern(check, SIZE, 0, 1));

	ASSERT_EQ(buf, mmap(buf, SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	pattern(buf, SIZE, 0, 2);
	pattern(check, SIZE, 0, 3);
	ASSERT_EQ(SIZE, pwrite(self->s.fd, check, SIZE, 0));
	ASSERT_EQ(SIZE, read_fixed(&self->q, self->s.fd, buf, SIZE, 0, 0));
	EXPECT_TRUE(is_pattern(buf, SIZE, 0, 2));
	ASSERT_EQ(SIZE, write_fixed(&self->q, self->s.fd, buf, SIZE, SIZE, 0));
	ASSERT_EQ(SIZE, pread(self->s.fd, check, SIZE, SIZE));
	EXPECT_TRUE(is_pattern(check, SIZE, 0, 3));
	ASSERT_EQ(0, ioevq_unregister_buffers(&self->q));
	EXPECT_EQ(0, pinned());
}

struct job {
	struct ioevq *q;
	int fd;			/* of a file */
	int over;		/* of a socket */
	char *buf;
};

/* To it the memory is its own copy, and what is pinned remains the parent's. */
static int write_to_copy(struct offspring *c, long arg)
{
	struct job *job = (struct job *)arg;

	if (!is_pattern(job->buf, SIZE, 0, 1))
		return 97;
	pattern(job->buf, SIZE, 0, 2);
	say(c);
	await_go(c);
	return !is_pattern(job->buf, SIZE, 0, 2);
}

TEST_F(life, law_11_fork)
{
	struct job job = { &self->q, self->s.fd, -1, self->buf };
	char *buf = self->buf, *check = pages(SIZE), word;
	struct offspring c;
	int status;

	pattern(buf, SIZE, 0, 1);
	ASSERT_EQ(0, register_one(&self->q, buf, SIZE));
	ASSERT_EQ(0, offspring(&c, write_to_copy, (long)&job));
	let_go(&c);
	/* If it fails it ends, and this must not wait for its word. */
	close(c.say);
	c.say = -1;
	ASSERT_EQ(1, read(c.said, &word, 1));
	/* What the child has written is not what the parent's I/O finds, */
	ASSERT_EQ(SIZE, write_fixed(&self->q, self->s.fd, buf, SIZE, 0, 0));
	ASSERT_EQ(SIZE, pread(self->s.fd, check, SIZE, 0));
	EXPECT_TRUE(is_pattern(check, SIZE, 0, 1));
	/* but what the parent writes now, */
	pattern(buf, SIZE, 0, 3);
	ASSERT_EQ(SIZE, write_fixed(&self->q, self->s.fd, buf, SIZE, 0, 0));
	ASSERT_EQ(SIZE, pread(self->s.fd, check, SIZE, 0));
	EXPECT_TRUE(is_pattern(check, SIZE, 0, 3));
	/* and what is read is read by the parent. */
	pattern(check, SIZE, 0, 4);
	ASSERT_EQ(SIZE, pwrite(self->s.fd, check, SIZE, 0));
	ASSERT_EQ(SIZE, read_fixed(&self->q, self->s.fd, buf, SIZE, 0, 0));
	EXPECT_TRUE(is_pattern(buf, SIZE, 0, 4));
	let_go(&c);
	ASSERT_EQ(c.pid, waitpid(c.pid, &status, 0));
	EXPECT_EQ(0, status);
	offspring_close(&c);
}

static int use_passed(struct offspring *c, long arg)
{
	struct job *job = (struct job *)arg;
	struct ioevq q = {};
	int fd;

	(void)c;
	/* It has neither that memory nor the queue, but for what it is sent. */
	if (munmap(job->buf, SIZE) || close(job->q->fd))
		return 97;
	fd = receive_fd(job->over);
	if (fd < 0 || ioevq_attach(&q, fd))
		return 96;
	if (write_fixed(&q, job->fd, job->buf, SIZE, 0, 0) != SIZE ||
	    read_fixed(&q, job->fd, job->buf, PAGE, SIZE - PAGE, 0) != PAGE || pinned())
		return 95;
	ioevq_close(&q);
	return 0;
}

/* Who has the queue may use its buffers, as with io_uring. */
TEST_F(life, law_13_a_queue_that_is_passed_on)
{
	struct job job = { &self->q, self->s.fd, -1, self->buf };
	char *buf = self->buf, *check = pages(SIZE);
	struct offspring c;
	int status, sv[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	job.over = sv[1];
	pattern(buf, SIZE, 0, 1);
	ASSERT_EQ(0, register_one(&self->q, buf, SIZE));
	ASSERT_EQ(0, offspring(&c, use_passed, (long)&job));
	let_go(&c);
	ASSERT_EQ(0, pass_fd(sv[0], self->q.fd));
	ASSERT_EQ(c.pid, waitpid(c.pid, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(SIZE, pread(self->s.fd, check, SIZE, 0));
	EXPECT_TRUE(is_pattern(check, SIZE, 0, 1));
	EXPECT_TRUE(is_pattern(buf, PAGE, SIZE - PAGE, 1));
	EXPECT_TRUE(is_pattern(buf + PAGE, SIZE - PAGE, PAGE, 1));
	offspring_close(&c);
	close(sv[0]);
	close(sv[1]);
}

/* Of a queue, which is gone when it is written to for the last time. */
TEST_F(life, law_12_the_ring_of_another_queue)
{
	struct ioevq other;
	struct ioevq_event ev;
	void *ring;

	ASSERT_EQ(0, ioevq_open(&other, 1024, 0));
	ring = other.ring;
	ASSERT_EQ(0, register_one(&self->q, ring, other.ring_size));
	memset(self->buf, 0x55, SIZE);
	ASSERT_EQ(SIZE, pwrite(self->s.fd, self->buf, SIZE, 0));
	ASSERT_EQ(0, ioevq_post(&other, 1, 0, 0));
	ASSERT_EQ(SIZE / 2, read_fixed(&self->q, self->s.fd, ring, SIZE / 2, 0, 0));
	EXPECT_EQ(-EBADFD, enter_wait(&other, &ev, 1, 1, 0));
	ioevq_close(&other);
	EXPECT_EQ(SIZE / 2, read_fixed(&self->q, self->s.fd, ring, SIZE / 2, 0, 0));
}

static int write_in_cgroup(struct offspring *c, long arg)
{
	struct job *job = (struct job *)arg;

	(void)c;
	if (memcg_enter())
		return 97;
	return write_fixed(job->q, job->fd, job->buf, SIZE, 0, 0) != SIZE;
}

/* By a worker, which has no memory of the submitter to tell whose cgroup it is. */
TEST_F(life, law_13_who_submits_pays_for_the_cache)
{
	struct job job = { &self->q, self->s.fd, -1, self->buf };
	struct offspring c;
	int status;

	ASSERT_EQ(0, memcg_make());
	ASSERT_EQ(0, register_one(&self->q, self->buf, SIZE));
	ASSERT_EQ(0, offspring(&c, write_in_cgroup, (long)&job));
	let_go(&c);
	ASSERT_EQ(c.pid, waitpid(c.pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(eventually(memcg_stat("shmem") == SIZE));
	EXPECT_EQ(0, memcg_end());
	offspring_close(&c);
}

/* A file system where nothing is written until it thaws. */
FIXTURE(frozen)
{
	struct ioevq q;
	struct store s;
	long users;
	int mnt;
	char *buf, *check;
};

FIXTURE_SETUP(frozen)
{
	self->users = module_users();
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, store_make(&self->s, STORE_EXT4, 0));
	self->mnt = open(self->s.mnt, O_RDONLY | O_DIRECTORY);
	self->buf = pages(SIZE);
	self->check = pages(SIZE);
	ASSERT_LE(0, self->mnt);
	ASSERT_EQ(SIZE, pwrite(self->s.fd, self->check, SIZE, 0));
	pattern(self->buf, SIZE, 0, 1);
	ASSERT_EQ(0, ioctl(self->mnt, FIFREEZE, 0));
}

FIXTURE_TEARDOWN(frozen)
{
	close(self->mnt);
	store_end(&self->s);
	if (self->q.fd >= 0) {
		EXPECT_EQ(0, requests(&self->q));
		EXPECT_TRUE(quiet(&self->q));
		ioevq_close(&self->q);
	}
	EXPECT_TRUE(eventually(!pinned()));
	EXPECT_TRUE(eventually(module_users() == self->users));
}

/* A page in each of so many requests. */
static int write_pages(const struct ioevq *q, int fd, char *buf)
{
	int i, ret = 0;

	for (i = 0; i < NR && !ret; i++)
		ret = submit_fixed(q, IOEVQ_OP_WRITE, fd, buf + i * PAGE, PAGE, i * PAGE, 0, i);
	return ret;
}

/* Each has its event, and all of it is written. */
static bool all_are_written(const struct ioevq *q)
{
	unsigned int seen = 0, i;
	struct ioevq_event ev;

	for (i = 0; i < NR; i++) {
		if (next_event(q, &ev) != 1 || ev.op != IOEVQ_OP_WRITE || ev.res != PAGE ||
		    ev.flags)
			return false;
		seen |= 1U << ev.user_data;
	}
	return seen == (1U << NR) - 1;
}

TEST_F(frozen, law_11_dropped_while_they_are_used)
{
	char *other = pages(SIZE);

	ASSERT_EQ(0, register_one(&self->q, self->buf, SIZE));
	ASSERT_EQ(0, write_pages(&self->q, self->s.fd, self->buf));
	ASSERT_EQ(0, ioevq_unregister_buffers(&self->q));
	EXPECT_EQ(0, query(&self->q).buffers);
	EXPECT_EQ(NR, pinned());
	/* Others take their place, and nothing is mistaken. */
	pattern(other, SIZE, 0, 2);
	ASSERT_EQ(0, register_one(&self->q, other, SIZE));
	EXPECT_EQ(2 * NR, pinned());
	EXPECT_EQ(-EFAULT, write_fixed(&self->q, self->s.fd, self->buf, PAGE, 0, 0));
	ASSERT_EQ(0, ioevq_unregister_buffers(&self->q));
	EXPECT_EQ(NR, pinned());
	ASSERT_EQ(0, munmap(self->buf, SIZE));
	ASSERT_EQ(0, ioctl(self->mnt, FITHAW, 0));
	EXPECT_TRUE(all_are_written(&self->q));
	EXPECT_EQ(0, requests(&self->q));
	EXPECT_EQ(0, pinned());
	ASSERT_EQ(SIZE, pread(self->s.fd, self->check, SIZE, 0));
	EXPECT_TRUE(is_pattern(self->check, SIZE, 0, 1));
}

/* What no worker has begun is stopped, and gives its buffer back. */
TEST_F(frozen, law_09_cancelled)
{
	struct ioevq_event ev;
	int i, cancelled = 0;

	ASSERT_EQ(0, register_one(&self->q, self->buf, SIZE));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, write_pages(&self->q, self->s.fd, self->buf));
	ASSERT_EQ(0, ioevq_cancel_all(&self->q, 100));
	ASSERT_EQ(0, ioevq_unregister_buffers(&self->q));
	ASSERT_EQ(0, ioctl(self->mnt, FITHAW, 0));
	for (i = 0; i < 4 * NR; i++) {
		ASSERT_EQ(1, next_event(&self->q, &ev));
		ASSERT_EQ(IOEVQ_OP_WRITE, ev.op);
		if (ev.res == -ECANCELED)
			cancelled++;
		else
			EXPECT_EQ(PAGE, ev.res);
	}
	EXPECT_LT(0, cancelled);
	EXPECT_NEXT(&self->q, IOEVQ_OP_CANCEL, 100, 4 * NR);
	EXPECT_EQ(0, requests(&self->q));
	EXPECT_EQ(0, pinned());
}

TEST_F(frozen, law_11_closed_while_they_are_used)
{
	ASSERT_EQ(0, register_one(&self->q, self->buf, SIZE));
	ASSERT_EQ(0, write_pages(&self->q, self->s.fd, self->buf));
	ioevq_close(&self->q);
	/* What is in a worker's hands, if it has begun, is used until it ends. */
	ASSERT_EQ(0, munmap(self->buf, SIZE));
	ASSERT_EQ(0, ioctl(self->mnt, FITHAW, 0));
}

static int register_and_write(struct offspring *c, long arg)
{
	struct job *job = (struct job *)arg;

	if (register_one(job->q, job->buf, SIZE) || write_pages(job->q, job->fd, job->buf))
		return 97;
	say(c);
	await_go(c);
	return 0;
}

/* The memory is there without its process: the requests do what they were to do. */
TEST_F(frozen, law_11_who_submitted_it_is_gone)
{
	struct job job = { &self->q, self->s.fd, -1, self->buf };
	long workers = get_param("max_workers");
	struct ioevq_event ev;
	struct ioevq_req req;
	struct offspring c;
	char word;
	int i;

	/* All workers are busy for us: none has begun, and keeps the memory of the other. */
	ioevq_prep_write(&req, self->s.fd, self->check, PAGE, SIZE, NR);
	for (i = 0; i < workers; i++)
		ASSERT_EQ(0, submit(&self->q, &req));
	ASSERT_EQ(0, offspring(&c, register_and_write, (long)&job));
	let_go(&c);
	/* If it fails it ends, and this must not wait for its word. */
	close(c.say);
	c.say = -1;
	ASSERT_EQ(1, read(c.said, &word, 1));
	ASSERT_EQ(0, kill(c.pid, SIGKILL));
	ASSERT_EQ(c.pid, waitpid(c.pid, NULL, 0));
	offspring_close(&c);
	memset(self->buf, 0, SIZE);
	ASSERT_EQ(0, ioctl(self->mnt, FITHAW, 0));
	for (i = 0; i < workers + NR; i++) {
		ASSERT_EQ(1, next_event(&self->q, &ev));
		EXPECT_EQ(PAGE, ev.res);
	}
	ASSERT_EQ(SIZE, pread(self->s.fd, self->check, SIZE, 0));
	EXPECT_TRUE(is_pattern(self->check, SIZE, 0, 1));
}

TEST_HARNESS_MAIN

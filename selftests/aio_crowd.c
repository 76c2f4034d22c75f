// SPDX-License-Identifier: GPL-2.0-only
/*
 * Law 11 and a bound on workers, with thousands of reads under way on a disk that is slow:
 * through the cache, which is cold, and direct.
 */
#include <dirent.h>
#include <sys/wait.h>

#include "offspring.h"
#include "scaled.h"
#include "slow_disk.h"
#include "store.h"

#define PAGE	4096L
#define READS	scaled(4096)
#define DISK_NS	2000000		/* 16 at a time: half a second for all, at best */

FIXTURE(crowd)
{
	struct ioevq q;
	int disk;
	char *buf;
	long users;
};

FIXTURE_VARIANT(crowd)
{
	int flags;
};

FIXTURE_VARIANT_ADD(crowd, buffered) {
	.flags = 0
};

FIXTURE_VARIANT_ADD(crowd, direct) {
	.flags = O_DIRECT
};

/* Page i says so in its first word. */
FIXTURE_SETUP(crowd)
{
	unsigned int i;

	self->users = module_users();
	ASSERT_EQ(0, ioevq_open(&self->q, READS, 0));
	self->disk = slow_disk_make(variant->flags, DISK_NS);
	ASSERT_LE(0, self->disk);
	self->buf = pages(READS * PAGE);
	ASSERT_NE(NULL, self->buf);
	for (i = 0; i < READS; i++)
		memcpy(self->buf + i * PAGE, &i, sizeof(i));
	ASSERT_EQ(READS * PAGE, pwrite(self->disk, self->buf, READS * PAGE, 0));
	ASSERT_EQ(0, fsync(self->disk));
	ASSERT_EQ(0, posix_fadvise(self->disk, 0, 0, POSIX_FADV_DONTNEED));
	ASSERT_EQ(0, posix_fadvise(self->disk, 0, 0, POSIX_FADV_RANDOM));
	memset(self->buf, 0xff, READS * PAGE);
}

FIXTURE_TEARDOWN(crowd)
{
	(void)variant;
	if (self->q.fd >= 0) {
		EXPECT_EQ(0, requests(&self->q));
		EXPECT_TRUE(quiet(&self->q));
		ioevq_close(&self->q);
	}
	EXPECT_TRUE(eventually(module_users() == self->users));
	slow_disk_end(self->disk);
}

/* Far from one another, so that none is read ahead. */
static int submit_all(struct _test_data_crowd *self)
{
	struct ioevq_req *req = calloc(READS, sizeof(*req));
	unsigned int i, page;
	int ret;

	for (i = 0; i < READS; i++) {
		page = i * 1021 % READS;
		ioevq_prep_read(&req[i], self->disk, self->buf + page * PAGE, PAGE, page * PAGE,
				page);
	}
	ret = ioevq_submit(&self->q, req, READS);
	free(req);
	return ret == (int)READS ? 0 : -1;
}

/*
 * Kernel threads that are named after the module at this moment: '+', they work for it, or '-',
 * they did and have had nothing to do since.
 */
static int workers(char state)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	char path[300], comm[64], name[] = { state, 'i', 'o', 'e', 'v', 'q', '-', 0 };
	int n = 0;
	FILE *f;

	while ((entry = readdir(proc))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fgets(comm, sizeof(comm), f) && strstr(comm, "kworker") &&
		    strstr(comm, name))
			n++;
		fclose(f);
	}
	closedir(proc);
	return n;
}

/* Every one is there, with its data. */
static int reap_all(struct _test_data_crowd *self, int *most_workers)
{
	bool *seen = calloc(READS, sizeof(*seen));
	struct ioevq_event ev;
	unsigned int i, first;
	int bad = 0, now;

	for (i = 0; i < READS && !bad; i++) {
		bad = next_event(&self->q, &ev) != 1 || ev.user_data >= READS ||
		      seen[ev.user_data] || ev.res != PAGE || ev.flags;
		if (bad)
			break;
		seen[ev.user_data] = true;
		memcpy(&first, self->buf + ev.user_data * PAGE, sizeof(first));
		bad = first != ev.user_data;
		if (i % 64)
			continue;
		now = workers('+');
		*most_workers = now > *most_workers ? now : *most_workers;
	}
	free(seen);
	return bad ? -1 : 0;
}

/* As many reads as one likes, no more workers than there may be. */
TEST_F_TIMEOUT(crowd, law_02_no_thread_for_each, 600)
{
	int most = 0;

	ASSERT_EQ(0, submit_all(self));
	ASSERT_EQ(0, reap_all(self, &most));
	EXPECT_GE(get_param("max_workers"), most);
	/* If none is seen now either, they have another name. */
	if (!variant->flags)
		EXPECT_LT(0, most + workers('-'));
}

/* What they read into is unmapped: the program's own loss. */
TEST_F_TIMEOUT(crowd, law_11_munmap, 600)
{
	struct ioevq_event ev;
	unsigned int i;

	ASSERT_EQ(0, submit_all(self));
	ASSERT_EQ(0, munmap(self->buf, READS * PAGE));
	for (i = 0; i < READS; i++) {
		ASSERT_EQ(1, next_event(&self->q, &ev));
		EXPECT_TRUE(ev.res == PAGE || ev.res == -EFAULT);
	}
}

/* A child that writes to its copy, while ours is read into, has nothing of it nor we of that. */
static int scribble(struct offspring *c, long arg)
{
	struct _test_data_crowd *self = (void *)arg;

	memset(self->buf, 0xee, READS * PAGE);
	say(c);
	await_go(c);
	return self->buf[0] == (char)0xee && !memcmp(self->buf, self->buf + 1, READS * PAGE - 1) ?
	       0 : 1;
}

TEST_F_TIMEOUT(crowd, law_11_fork, 600)
{
	struct offspring c;
	int most = 0, status;
	char word;

	ASSERT_EQ(0, submit_all(self));
	ASSERT_EQ(0, offspring(&c, scribble, (long)self));
	ASSERT_EQ(0, let_go(&c));
	ASSERT_EQ(1, read(c.said, &word, 1));
	ASSERT_EQ(0, reap_all(self, &most));
	ASSERT_EQ(0, let_go(&c));
	ASSERT_EQ(c.pid, waitpid(c.pid, &status, 0));
	EXPECT_EQ(0, status);
	offspring_close(&c);
}

static int submit_and_end(struct offspring *c, long arg, int (*end)(void))
{
	struct _test_data_crowd *self = (void *)arg;

	/* A queue of its own, and the last reference to it. */
	ioevq_close(&self->q);
	if (ioevq_open(&self->q, READS, 0) || submit_all(self))
		return 1;
	say(c);
	return end();
}

static int end_by_exit(void)
{
	return 0;
}

static int end_by_kill(void)
{
	pause();
	return 1;
}

static int end_by_exec(void)
{
	execl("/bin/true", "true", NULL);
	return 1;
}

static int submit_and_exit(struct offspring *c, long arg)
{
	return submit_and_end(c, arg, end_by_exit);
}

static int submit_and_exec(struct offspring *c, long arg)
{
	return submit_and_end(c, arg, end_by_exec);
}

static int submit_and_stay(struct offspring *c, long arg)
{
	return submit_and_end(c, arg, end_by_kill);
}

/* By whatever way it ends, all is given back. */
TEST_F_TIMEOUT(crowd, law_11_exit_exec_and_kill, 600)
{
	static int (*const ways[])(struct offspring *c, long arg) = {
		submit_and_exit, submit_and_exec, submit_and_stay,
	};
	struct offspring c;
	unsigned int i;
	int status;
	char word;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		ASSERT_EQ(0, offspring(&c, ways[i], (long)self));
		ASSERT_EQ(0, let_go(&c));
		ASSERT_EQ(1, read(c.said, &word, 1));
		if (ways[i] == submit_and_stay)
			ASSERT_EQ(0, kill(c.pid, SIGKILL));
		ASSERT_EQ(c.pid, waitpid(c.pid, &status, 0));
		EXPECT_EQ(ways[i] == submit_and_stay ? SIGKILL : 0, status);
		offspring_close(&c);
		EXPECT_TRUE(eventually(module_users() == self->users + 1));
	}
}

/* The file and the queue are closed by who submitted. */
TEST_F_TIMEOUT(crowd, law_11_close, 600)
{
	ASSERT_EQ(0, submit_all(self));
	close(self->disk);
	ioevq_close(&self->q);
	self->q.fd = -1;
	EXPECT_TRUE(eventually(module_users() == self->users));
	self->disk = open("/dev/" SLOW_DISK_NAME, O_RDWR | O_CLOEXEC);
	EXPECT_LE(0, self->disk);
}

TEST_HARNESS_MAIN

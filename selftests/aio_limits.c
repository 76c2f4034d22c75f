// SPDX-License-Identifier: GPL-2.0-only
/* File I/O that is refused, limited, held up, or outlives who asked for it. */
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "store.h"
#include "offspring.h"
#include "scaled.h"

FIXTURE(limits)
{
	struct ioevq q;
	struct store s;
	char buf[8192];
};

FIXTURE_SETUP(limits)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, store_make(&self->s, STORE_TMPFS, 0));
}

FIXTURE_TEARDOWN(limits)
{
	EXPECT_EQ(0, requests(&self->q));
	EXPECT_TRUE(quiet(&self->q));
	store_end(&self->s);
	ioevq_close(&self->q);
}

static int try(const struct ioevq *q, unsigned int op, int fd, void *buf, size_t len, uint64_t off)
{
	struct ioevq_req req;

	ioevq_prep_rw(&req, op, fd, buf, len, off, 1);
	return submit(q, &req);
}

TEST_F(limits, law_14_files_that_have_no_offset)
{
	int dir = open(self->s.dir, O_RDONLY | O_DIRECTORY), null = open("/dev/null", O_RDWR);
	struct ioevq_req req;
	unsigned int i;

	const struct {
		int fd, error;
	} files[] = {
		{ null, -ESPIPE }, { eventfd(0, 0), -ESPIPE }, { self->q.fd, -ESPIPE },
		{ dir, -EISDIR },
	};
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		EXPECT_EQ(files[i].error,
			  try(&self->q, IOEVQ_OP_READ, files[i].fd, self->buf, 1, 0));
		EXPECT_EQ(files[i].error,
			  try(&self->q, IOEVQ_OP_WRITE, files[i].fd, self->buf, 1, 0));
		ioevq_prep_fsync(&req, files[i].fd, 0, 1);
		EXPECT_EQ(files[i].error, submit(&self->q, &req));
	}
}

/* What they say depends on who asks: on its namespaces, which a worker has not. */
TEST_F(limits, law_13_no_files_that_nobody_keeps)
{
	static const char *const paths[] = {
		"/proc/sys/kernel/hostname", "/proc/self/status", "/sys/kernel/uevent_seqnum",
		"/sys/fs/cgroup/cgroup.procs",
	};
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		fd = open(paths[i], O_RDWR);
		if (fd < 0)
			fd = open(paths[i], O_RDONLY);
		ASSERT_LE(0, fd)
			TH_LOG("%s", paths[i]);
		EXPECT_EQ(-EOPNOTSUPP, try(&self->q, IOEVQ_OP_READ, fd, self->buf, 1, 0));
		EXPECT_EQ(-EOPNOTSUPP, try(&self->q, IOEVQ_OP_WRITE, fd, self->buf, 1, 0));
		close(fd);
	}
}

/* Who watches the file is told as of write(2) and read(2). */
TEST_F(limits, law_13_inotify_is_told)
{
	int in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	struct inotify_event ev;
	struct ioevq_req req;

	ASSERT_LE(0, in);
	ASSERT_LE(0, inotify_add_watch(in, self->s.file, IN_MODIFY | IN_ACCESS));
	ioevq_prep_write(&req, self->s.fd, self->buf, 1, 0, 1);
	EXPECT_EQ(1, outcome(&self->q, &req));
	ASSERT_EQ(sizeof(ev), read(in, &ev, sizeof(ev)));
	EXPECT_EQ(IN_MODIFY, ev.mask);
	ioevq_prep_read(&req, self->s.fd, self->buf, 1, 0, 1);
	EXPECT_EQ(1, outcome(&self->q, &req));
	ASSERT_EQ(sizeof(ev), read(in, &ev, sizeof(ev)));
	EXPECT_EQ(IN_ACCESS, ev.mask);
	close(in);
}

TEST_F(limits, law_14_offset_and_length)
{
	int fd = self->s.fd;

	EXPECT_EQ(-EINVAL, try(&self->q, IOEVQ_OP_READ, fd, self->buf, 1, -2));
	EXPECT_EQ(-EINVAL, try(&self->q, IOEVQ_OP_READ, fd, self->buf, 1, 1ULL << 63));
	EXPECT_EQ(-EINVAL, try(&self->q, IOEVQ_OP_WRITE, fd, self->buf, 1, 1ULL << 63));
	EXPECT_EQ(-EINVAL, try(&self->q, IOEVQ_OP_READ, fd, self->buf, 1ULL << 63, 0));
	EXPECT_EQ(-EINVAL, try(&self->q, IOEVQ_OP_WRITE, fd, self->buf, 1ULL << 63, 0));
}

/* Files of one page at most, from now on; the signal that tells of it is in @set, and waits. */
static int limit_files(sigset_t *set)
{
	const struct rlimit limit = { 4096, RLIM_INFINITY };

	sigemptyset(set);
	sigaddset(set, SIGXFSZ);
	return sigprocmask(SIG_BLOCK, set, NULL) || setrlimit(RLIMIT_FSIZE, &limit);
}

TEST_F(limits, law_13_limit_on_the_size_of_files)
{
	struct ioevq_req req;
	sigset_t set;

	ASSERT_EQ(0, limit_files(&set));
	ioevq_prep_write(&req, self->s.fd, self->buf, 8192, 2048, 1);
	EXPECT_EQ(2048, outcome(&self->q, &req));
	ASSERT_EQ(0, sigpending(&set));
	EXPECT_FALSE(sigismember(&set, SIGXFSZ));
	ioevq_prep_write(&req, self->s.fd, self->buf, 1, 4096, 1);
	EXPECT_EQ(-EFBIG, submit(&self->q, &req));
	req.op_arg = RWF_APPEND;
	req.off = 0;
	EXPECT_EQ(-EFBIG, submit(&self->q, &req));
	/* As for write(2), a signal tells of it. */
	ASSERT_EQ(0, sigpending(&set));
	EXPECT_TRUE(sigismember(&set, SIGXFSZ));
	EXPECT_EQ(4096, lseek(self->s.fd, 0, SEEK_END));
}

/* The position is looked at when it is submitted, and when it is its turn. */
TEST_F(limits, law_13_limit_at_the_position)
{
	const struct timespec none = {};
	struct ioevq_req req;
	sigset_t set;

	ASSERT_EQ(0, limit_files(&set));
	ASSERT_EQ(4000, lseek(self->s.fd, 4000, SEEK_SET));
	ioevq_prep_write(&req, self->s.fd, self->buf, 8192, IOEVQ_POSITION, 1);
	ASSERT_EQ(0, submit(&self->q, &req));
	/* There is room yet, or this is refused: the other one may have ended. */
	req.user_data = 2;
	if (submit(&self->q, &req)) {
		EXPECT_EQ(SIGXFSZ, sigtimedwait(&set, NULL, &none));
		EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, 1, 96);
	} else {
		EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, 1, 96);
		EXPECT_NEXT(&self->q, IOEVQ_OP_WRITE, 2, -EFBIG);
	}
	EXPECT_EQ(-1, sigtimedwait(&set, NULL, &none));
	EXPECT_EQ(-EFBIG, submit(&self->q, &req));
	EXPECT_EQ(SIGXFSZ, sigtimedwait(&set, NULL, &none));
	EXPECT_EQ(4096, lseek(self->s.fd, 0, SEEK_CUR));
}

#define CHUNK		(256 << 10)
#define APPENDS		8

/* Where the end of the file is others decide, and several of them at once. */
TEST_F_TIMEOUT(limits, law_13_limit_at_the_end, 300)
{
	const struct rlimit limit = { CHUNK, CHUNK };
	struct ioevq_req reqs[APPENDS];
	struct ioevq_event evs[APPENDS];
	char *buf = calloc(1, CHUNK);
	unsigned int round;
	sigset_t set;
	int i, sum;

	ASSERT_EQ(0, limit_files(&set));
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
	for (round = 0; round < scaled(100); round++) {
		ASSERT_EQ(0, ftruncate(self->s.fd, 0));
		for (i = 0; i < APPENDS; i++) {
			ioevq_prep_write(&reqs[i], self->s.fd, buf, CHUNK, 0, i);
			reqs[i].op_arg = RWF_APPEND;
		}
		/* Those that come when it is full are refused. */
		sum = ioevq_submit(&self->q, reqs, APPENDS);
		ASSERT_LT(0, sum);
		ASSERT_EQ(sum, enter_wait(&self->q, evs, sum, sum, BOUND_NS));
		for (i = sum, sum = 0; i--;)
			sum += evs[i].res == -EFBIG ? 0 : evs[i].res;
		ASSERT_EQ(CHUNK, sum);
		ASSERT_EQ(CHUNK, lseek(self->s.fd, 0, SEEK_END));
	}
	free(buf);
}

/* As much as the descriptor allows. */
TEST_F(limits, law_13_no_new_privilege_by_a_descriptor)
{
	int r = open(self->s.file, O_RDONLY), w = open(self->s.file, O_WRONLY);
	int path = open(self->s.file, O_PATH), sealed = memfd_create("sealed", MFD_ALLOW_SEALING);
	struct ioevq_req req;

	EXPECT_EQ(-EBADF, try(&self->q, IOEVQ_OP_READ, w, self->buf, 1, 0));
	EXPECT_EQ(-EBADF, try(&self->q, IOEVQ_OP_WRITE, r, self->buf, 1, 0));
	EXPECT_EQ(-EBADF, try(&self->q, IOEVQ_OP_READ, path, self->buf, 1, 0));
	EXPECT_EQ(-EBADF, try(&self->q, IOEVQ_OP_WRITE, path, self->buf, 1, 0));
	EXPECT_EQ(-EBADF, try(&self->q, IOEVQ_OP_READ, -1, self->buf, 1, 0));
	ioevq_prep_fsync(&req, path, 0, 1);
	EXPECT_EQ(-EBADF, submit(&self->q, &req));
	ioevq_prep_fsync(&req, r, 0, 1);
	EXPECT_EQ(0, outcome(&self->q, &req));

	ASSERT_EQ(0, ftruncate(sealed, 4096));
	ASSERT_EQ(0, fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE));
	ioevq_prep_write(&req, sealed, self->buf, 1, 0, 1);
	EXPECT_EQ(-EPERM, outcome(&self->q, &req));
}

struct job {
	struct ioevq *q;
	int fd;
	char *buf;
};

/* Through a worker, which has all capabilities of its own. */
static int write_as_nobody(struct offspring *c, long arg)
{
	struct job *job = (struct job *)arg;
	struct ioevq_req req;

	(void)c;
	if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		return 97;
	ioevq_prep_write(&req, job->fd, job->buf, 1, 0, 1);
	req.op_arg = RWF_DSYNC;
	return outcome(job->q, &req) == 1 ? 0 : 96;
}

/* A write by who may not keep it takes the set-user-ID bit away. */
TEST_F(limits, law_13_no_new_privilege_by_a_worker)
{
	struct job job = { &self->q, self->s.fd, self->buf };
	struct ioevq_req req;
	struct offspring c;
	struct stat st;
	int status;

	ASSERT_EQ(0, fchmod(self->s.fd, 04755));
	ioevq_prep_write(&req, self->s.fd, self->buf, 1, 0, 1);
	req.op_arg = RWF_DSYNC;
	EXPECT_EQ(1, outcome(&self->q, &req));
	ASSERT_EQ(0, fstat(self->s.fd, &st));
	EXPECT_EQ(04755, st.st_mode & 07777);

	ASSERT_EQ(0, offspring(&c, write_as_nobody, (long)&job));
	let_go(&c);
	ASSERT_EQ(c.pid, waitpid(c.pid, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, fstat(self->s.fd, &st));
	EXPECT_EQ(0755, st.st_mode & 07777);
}

FIXTURE(frozen)
{
	struct ioevq q;
	struct store s;
	int mnt;
	char *buf;
};

FIXTURE_SETUP(frozen)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 64, 0));
	ASSERT_EQ(0, store_make(&self->s, STORE_EXT4, 0));
	self->mnt = open(self->s.mnt, O_RDONLY | O_DIRECTORY);
	self->buf = pages(16 * 4096);
	ASSERT_LE(0, self->mnt);
	ASSERT_EQ(16 * 4096, pwrite(self->s.fd, self->buf, 16 * 4096, 0));
	ASSERT_EQ(0, ioctl(self->mnt, FIFREEZE, 0));
}

FIXTURE_TEARDOWN(frozen)
{
	EXPECT_EQ(0, requests(&self->q));
	EXPECT_TRUE(quiet(&self->q));
	close(self->mnt);
	store_end(&self->s);
	ioevq_close(&self->q);
}

TEST_F(frozen, law_02_nothing_blocks_who_submits)
{
	uint64_t finals = 0;
	struct ioevq_event ev;
	struct ioevq_req req;
	int direct, i;

	for (i = 0; i < 16; i++) {
		ioevq_prep_write(&req, self->s.fd, self->buf, 4096, 4096 * i, i);
		req.op_arg = i & 1 ? RWF_DSYNC : 0;
		ASSERT_EQ(0, submit(&self->q, &req));
	}
	/*
	 * Nor does it stop what needs no write, and no worker either, of which none is left:
	 * what is in the cache is read at once, the device ends what is direct.
	 */
	EXPECT_TRUE(quiet(&self->q));
	ioevq_prep_read(&req, self->s.fd, self->buf, 4096, 0, 16);
	ASSERT_EQ(0, submit(&self->q, &req));
	EXPECT_EQ(1, query(&self->q).available);
	EXPECT_NEXT(&self->q, IOEVQ_OP_READ, 16, 4096);
	direct = open(self->s.file, O_RDONLY | O_DIRECT);
	ASSERT_LE(0, direct);
	ioevq_prep_read(&req, direct, self->buf, 4096, 0, 17);
	EXPECT_EQ(4096, outcome(&self->q, &req));
	close(direct);
	ASSERT_EQ(0, ioctl(self->mnt, FITHAW, 0));
	for (i = 0; i < 16; i++) {
		ASSERT_EQ(1, next_event(&self->q, &ev));
		EXPECT_EQ(4096, ev.res);
		EXPECT_EQ(0, ev.flags);
		EXPECT_EQ(0, finals & 1ULL << ev.user_data);
		finals |= 1ULL << ev.user_data;
	}
}

/* What waits is cancelled, what has started is waited for. */
TEST_F(frozen, law_09_a_fence_over_what_cannot_end)
{
	long workers = get_param("max_workers");
	unsigned int done = 0, cancelled = 0;
	struct ioevq_event ev = {};
	struct ioevq_req req;
	bool thawed = false;
	int i;

	ASSERT_LT(0, workers);
	for (i = 0; i < 40; i++) {
		ioevq_prep_write(&req, self->s.fd, self->buf, 4096, 0, 1);
		ASSERT_EQ(0, submit(&self->q, &req));
	}
	ASSERT_EQ(0, ioevq_cancel_all(&self->q, 2));
	ASSERT_EQ(0, ioevq_post(&self->q, MARK, 0, 0));
	for (;;) {
		ASSERT_EQ(1, next_event(&self->q, &ev));
		if (ev.user_data == MARK) {
			thawed = true;
			ASSERT_EQ(0, ioctl(self->mnt, FITHAW, 0));
			continue;
		}
		if (ev.user_data == 2)
			break;
		EXPECT_EQ(1, ev.user_data);
		if (ev.res == -ECANCELED)
			cancelled++;
		else
			done++;
		/* What a worker has in hand ends after the thaw, with its result. */
		EXPECT_EQ(thawed ? 4096 : -ECANCELED, ev.res);
	}
	EXPECT_EQ(40, ev.res);
	EXPECT_EQ(40, done + cancelled);
	EXPECT_GE(workers, done);
	if (!thawed) {
		/* No worker had come to it yet. */
		EXPECT_EQ(0, done);
		ASSERT_EQ(0, ioctl(self->mnt, FITHAW, 0));
		EXPECT_NEXT(&self->q, IOEVQ_OP_POST, MARK, 0);
	}
}

static int submit_and_pause(struct offspring *c, long arg)
{
	struct job *job = (struct job *)arg;
	struct ioevq_req req;
	int i;

	for (i = 0; i < 16; i++) {
		ioevq_prep_write(&req, job->fd, job->buf, 4096, 0, i);
		if (submit(job->q, &req))
			return 97;
	}
	say(c);
	await_go(c);
	return 0;
}

/* Who submitted it dies; others still hold the queue: each request has its event. */
TEST_F(frozen, law_11_who_submitted_it_is_gone)
{
	struct job job = { &self->q, self->s.fd, self->buf };
	uint64_t finals = 0;
	struct ioevq_event ev;
	struct offspring c;
	int i;

	ASSERT_EQ(0, offspring(&c, submit_and_pause, (long)&job));
	let_go(&c);
	ASSERT_EQ(1, read(c.said, self->buf, 1));
	ASSERT_EQ(0, kill(c.pid, SIGKILL));
	/* It can die though the file system does not move. */
	ASSERT_EQ(c.pid, waitpid(c.pid, NULL, 0));
	ASSERT_EQ(0, ioctl(self->mnt, FITHAW, 0));
	for (i = 0; i < 16; i++) {
		ASSERT_EQ(1, next_event(&self->q, &ev));
		EXPECT_TRUE(ev.res == 4096 || ev.res == -ECANCELED);
		EXPECT_EQ(0, ev.flags);
		EXPECT_EQ(0, finals & 1ULL << ev.user_data);
		finals |= 1ULL << ev.user_data;
	}
	EXPECT_EQ(0xffff, finals);
}

TEST_HARNESS_MAIN

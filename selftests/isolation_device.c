// SPDX-License-Identifier: GPL-2.0-only
/* Law 13: the device is a file, and whoever may not open it has nothing. */
#include "users.h"

#define GROUP	2000

FIXTURE(device)
{
	struct door d;
};

FIXTURE_SETUP(device)
{
	ASSERT_EQ(0, door_make(&self->d, 0660, GROUP));
}

FIXTURE_TEARDOWN(device)
{
	EXPECT_EQ(0, act_as_root());
	door_end(&self->d);
}

static const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR };

TEST_F(device, law_13_without_the_group)
{
	gid_t group = GROUP;
	struct stat st;
	unsigned int i;

	ASSERT_EQ(0, stat("/dev/ioevq", &st));
	ASSERT_EQ(0, act_as(ALICE));
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		EXPECT_EQ(-EACCES, can_open(self->d.node, modes[i]));
		EXPECT_EQ(-EACCES, can_open("/dev/ioevq", modes[i]));
	}
	/* A name for it is no queue. */
	EXPECT_EQ(0, can_open(self->d.node, O_PATH));
	EXPECT_EQ(-1, mknod("/tmp/ioevq-node", S_IFCHR | 0666, st.st_rdev));
	EXPECT_EQ(EPERM, errno);

	/* With the group, and with nothing else of root. */
	ASSERT_EQ(0, act_as_root());
	ASSERT_EQ(0, setgroups(1, &group));
	ASSERT_EQ(0, setresgid(ALICE, ALICE, 0));
	ASSERT_EQ(0, setresuid(ALICE, ALICE, 0));
	for (i = 0; i < ARRAY_SIZE(modes); i++)
		EXPECT_EQ(0, can_open(self->d.node, modes[i]));
	EXPECT_EQ(-EACCES, can_open("/dev/ioevq", O_RDWR));
}

static int control(int fd, unsigned int cmd, uint64_t arg, uint32_t nr)
{
	struct ioevq_control c = { .size = sizeof(c), .cmd = cmd, .arg = arg, .nr = nr };

	return ioctl(fd, IOEVQ_IOC_CONTROL, &c) < 0 ? -errno : 0;
}

/* To look, and to take. Nothing is submitted or changed, by whatever way. */
TEST_F(device, law_13_read_only)
{
	struct ioevq_setup setup = {
		.size = sizeof(setup), .entries = 4, .flags = IOEVQ_SETUP_MAPPED,
	};
	struct ioevq_buffer buffer = { (uintptr_t)&setup, sizeof(setup) };
	struct ioevq_event ev;
	struct ioevq_req req;
	struct ioevq q, own;
	char path[32];
	void *p;
	int op;

	ASSERT_EQ(0, chmod(self->d.node, 0604));
	ASSERT_EQ(0, act_as(ALICE));
	EXPECT_EQ(-EACCES, can_open(self->d.node, O_RDWR));
	EXPECT_EQ(-EACCES, can_open(self->d.node, O_WRONLY));
	q.fd = try_open(self->d.node, O_RDONLY);
	ASSERT_LE(0, q.fd);

	ASSERT_EQ(0, ioctl(q.fd, IOEVQ_IOC_SETUP, &setup));
	EXPECT_EQ(4, query(&q).entries);
	EXPECT_EQ(0, enter_wait(&q, &ev, 0, 1, 0));
	EXPECT_EQ(1, poll(&(struct pollfd){ .fd = q.fd, .events = POLLIN | POLLOUT }, 1, 0));
	p = mmap(NULL, setup.ring_size, PROT_READ, MAP_SHARED, q.fd, setup.ring_offset);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(-1, mprotect(p, setup.ring_size, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, setup.ring_size, PROT_READ | PROT_WRITE, MAP_SHARED, q.fd,
				   setup.ring_offset));
	EXPECT_EQ(EACCES, errno);

	for (op = 0; op < IOEVQ_OP__COUNT; op++) {
		ioevq_prep(&req, op, -1, 1);
		EXPECT_EQ(-EBADF, submit(&q, &req));
	}
	EXPECT_EQ(-EBADF, control(q.fd, IOEVQ_CONTROL_RESTRICT, 0, 0));
	EXPECT_EQ(-EBADF, control(q.fd, IOEVQ_CONTROL_CONCURRENCY, 1, 0));
	EXPECT_EQ(-EBADF, control(q.fd, IOEVQ_CONTROL_ALERT, 1, 0));
	EXPECT_EQ(-EBADF, control(q.fd, IOEVQ_CONTROL_CLEAR_ALERT, 0, 0));
	EXPECT_EQ(-EBADF, control(q.fd, IOEVQ_CONTROL_REGISTER_BUFFERS, (uintptr_t)&buffer, 1));
	EXPECT_EQ(-EBADF, control(q.fd, IOEVQ_CONTROL_UNREGISTER_BUFFERS, 0, 0));

	/* Nor by way of a queue of one's own, or of /proc. */
	ASSERT_EQ(0, act_as_root());
	ASSERT_EQ(0, ioevq_open(&own, 4, 0));
	ASSERT_EQ(0, act_as(ALICE));
	ioevq_prep_post(&req, q.fd, 0, 0, 1);
	EXPECT_EQ(-EBADF, submit(&own, &req));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", q.fd);
	EXPECT_EQ(-EACCES, can_open(path, O_RDWR));
	EXPECT_EQ(0, query(&q).events);
	EXPECT_EQ(IOEVQ_UNLIMITED, query(&q).concurrency);
	ioevq_close(&own);
	munmap(p, setup.ring_size);
	close(q.fd);
}

/* To submit, and to see nothing of what comes of it. */
TEST_F(device, law_13_write_only)
{
	struct ioevq_event ev;
	struct ioevq_setup setup = {
		.size = sizeof(setup), .entries = 4, .flags = IOEVQ_SETUP_MAPPED,
	};
	struct ioevq q;

	ASSERT_EQ(0, chmod(self->d.node, 0602));
	ASSERT_EQ(0, act_as(ALICE));
	EXPECT_EQ(-EACCES, can_open(self->d.node, O_RDWR));
	EXPECT_EQ(-EACCES, can_open(self->d.node, O_RDONLY));
	q.fd = try_open(self->d.node, O_WRONLY);
	ASSERT_LE(0, q.fd);
	ASSERT_EQ(0, ioctl(q.fd, IOEVQ_IOC_SETUP, &setup));
	EXPECT_EQ(0, ioevq_post(&q, 1, 0, 0));
	EXPECT_EQ(1, query(&q).available);
	EXPECT_EQ(-EBADF, enter_wait(&q, &ev, 1, 1, 0));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, setup.ring_size, PROT_READ, MAP_SHARED, q.fd,
				   setup.ring_offset));
	EXPECT_EQ(EACCES, errno);
	close(q.fd);
}

/* A mount that is read-only says nothing about devices, one that has none does. */
TEST_F(device, law_13_mounts)
{
	char at[64];

	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	snprintf(at, sizeof(at), "%s/at", self->d.dir);
	close(open(at, O_CREAT | O_WRONLY, 0600));
	ASSERT_EQ(0, mount(self->d.node, at, NULL, MS_BIND, NULL));
	ASSERT_EQ(0, mount(NULL, at, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
	EXPECT_EQ(0, can_open(at, O_RDWR));
	ASSERT_EQ(0, act_as(ALICE));
	EXPECT_EQ(-EACCES, can_open(at, O_RDWR));
	EXPECT_EQ(-EACCES, can_open(at, O_RDONLY));
	ASSERT_EQ(0, act_as_root());
	EXPECT_EQ(-1, chmod(at, 0666));
	EXPECT_EQ(EROFS, errno);

	ASSERT_EQ(0, mount(NULL, at, NULL, MS_BIND | MS_REMOUNT | MS_NODEV, NULL));
	EXPECT_EQ(-EACCES, can_open(at, O_RDWR));
	EXPECT_EQ(-EACCES, can_open(at, O_RDONLY));
	ASSERT_EQ(0, umount(at));
	unlink(at);
}

/* Root there, and whoever it was for the device. */
static int in_a_user_namespace(struct offspring *c, long arg)
{
	const struct door *d = (const struct door *)arg;
	struct stat st;
	struct ioevq q;
	int fd;

	(void)c;
	if (become(ALICE) || root_of_a_namespace(CLONE_NEWNS))
		return 1;
	if (can_open(d->node, O_RDWR) != -EACCES || can_open("/dev/ioevq", O_RDONLY) != -EACCES)
		return 2;
	if (stat(d->node, &st) || !chmod(d->node, 0666) || errno != EPERM)
		return 3;
	/* Neither a node of one's own nor another name of that one helps. */
	if (mount("tmpfs", "/mnt", "tmpfs", 0, NULL))
		return 4;
	if (!mknod("/mnt/node", S_IFCHR | 0666, st.st_rdev) || errno != EPERM)
		return 5;
	fd = open("/mnt/at", O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
	close(fd);
	if (mount(d->node, "/mnt/at", NULL, MS_BIND, NULL) ||
	    can_open("/mnt/at", O_RDWR) != -EACCES)
		return 6;
	/* What others let in is in there, by its name in there as well. */
	say(c);
	await_go(c);
	fd = try_open("/mnt/at", O_RDWR);
	if (fd < 0)
		return 7;
	q.fd = fd;
	return ioevq_post(&q, 1, 0, 0) || query(&q).available != 1 ? 8 : 0;
}

TEST_F(device, law_13_bound_into_a_user_namespace)
{
	struct offspring c;

	ASSERT_EQ(0, run_until_it_says(&c, in_a_user_namespace, (long)&self->d))
		TH_LOG("status %d", status_of(&c));
	ASSERT_EQ(0, chmod(self->d.node, 0666));
	ASSERT_EQ(0, let_go(&c));
	EXPECT_EQ(0, status_of(&c));
}

/* Each open of the device is another queue: there is no name for one that is open. */
TEST_F(device, law_13_opened_by_its_descriptor)
{
	struct ioevq q, again;
	char path[32];

	ASSERT_EQ(0, chmod(self->d.node, 0666));
	ASSERT_EQ(0, enter_by(&q, &self->d, 4));
	ASSERT_EQ(0, ioevq_post(&q, 1, 0, 0));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", q.fd);
	again.fd = try_open(path, O_RDWR);
	ASSERT_LE(0, again.fd);
	EXPECT_EQ(0, query(&again).entries);
	EXPECT_EQ(0, query(&again).events);
	ASSERT_EQ(0, ioevq_post(&again, 2, 0, 0));
	EXPECT_EQ(1, query(&q).available);
	EXPECT_EQ(1, query(&again).available);
	close(again.fd);
	ioevq_close(&q);
}

TEST_HARNESS_MAIN

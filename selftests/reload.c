// SPDX-License-Identifier: GPL-2.0-only
/* The module itself: loaded with parameters, and unloaded after use. */
#include <sys/stat.h>

#include "expect.h"
#include "kinds_socket.h"

static int run(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int reload(const char *params)
{
	const char *module = getenv("IOEVQ_MODULE");
	char command[512];

	if (!module || run("rmmod ioevq"))
		return -1;
	snprintf(command, sizeof(command), "insmod %s %s", module, params);
	return run(command);
}

FIXTURE(reload)
{
};

FIXTURE_SETUP(reload)
{
}

/* Other tests want it as it was. */
FIXTURE_TEARDOWN(reload)
{
	const char *params = getenv("IOEVQ_MODULE_PARAMS");

	EXPECT_EQ(0, reload(params ? params : ""));
}

TEST_F(reload, law_14_parameters)
{
	struct ioevq_setup setup = { .size = sizeof(setup) };
	struct ioevq_req req;
	struct stat st;
	struct ioevq q;
	int fd;

	ASSERT_EQ(0, reload("default_entries=8 max_entries=64 max_requests=3 mode=0600"));
	ASSERT_EQ(0, stat("/dev/ioevq", &st));
	EXPECT_EQ(0600, st.st_mode & 07777);
	ASSERT_EQ(0, ioevq_open(&q, 0, 0));
	EXPECT_EQ(8, query(&q).entries);
	EXPECT_EQ(64, query(&q).max_entries);
	EXPECT_EQ(3, query(&q).max_requests);
	ioevq_close(&q);
	EXPECT_EQ(-EINVAL, ioevq_open(&q, 65, 0));

	/* What cannot be is put right. */
	ASSERT_EQ(0, reload("default_entries=0 max_entries=3 max_workers=0 max_user_workers=0"));
	fd = open("/dev/ioevq", O_RDWR);
	ASSERT_EQ(0, ioctl(fd, IOEVQ_IOC_SETUP, &setup));
	EXPECT_EQ(1, setup.entries);
	close(fd);
	EXPECT_EQ(-EINVAL, ioevq_open(&q, 3, 0));
	ASSERT_EQ(0, ioevq_open(&q, 2, 0));
	EXPECT_EQ(2, query(&q).max_entries);
	fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	ioevq_prep_fsync(&req, fd, 0, 1);
	ASSERT_EQ(0, submit(&q, &req));
	EXPECT_NEXT(&q, IOEVQ_OP_FSYNC, 1, 0);
	ioevq_close(&q);
	close(fd);

	/* Nobody can execute a device. */
	ASSERT_EQ(0, reload("mode=07777"));
	ASSERT_EQ(0, stat("/dev/ioevq", &st));
	EXPECT_EQ(0666, st.st_mode & 07777);
}

/* Nothing of the module is in use when its last queue is closed. */
TEST_F(reload, law_11_unload_after_use)
{
	static int (*const make[])(struct thing *t) = {
		make_eventfd, make_pipe, make_tcp, make_fifo, make_pty_slave, make_mqueue,
		make_pidfd,
	};
	unsigned int i;

	for (i = 0; i < 2 * ARRAY_SIZE(make); i++) {
		struct thing t = { .fd = -1, .peer = -1, .aux = -1 };
		struct ioevq q;

		ASSERT_EQ(0, ioevq_open(&q, 4, 0));
		ASSERT_EQ(0, make[i % ARRAY_SIZE(make)](&t));
		ASSERT_EQ(0, watch(&q, t.fd, POLLIN, IOEVQ_POLL_EDGE, 1));
		/* The file is open still; or it was closed, and nobody was told. */
		if (i & 1)
			thing_end(&t);
		ioevq_close(&q);
		ASSERT_EQ(0, reload(""));
		if (!(i & 1))
			thing_end(&t);
	}
}

static int pipes[2];

static void *consume_and_read(void *arg)
{
	struct ioevq_event ev;
	char c;

	enter_wait(arg, &ev, 1, 1, BOUND_NS);
	return (void *)(long)read(pipes[0], &c, 1);
}

/* Nor is it by those who were consumers of a queue with a limit, and live on. */
TEST_F(reload, law_11_unload_with_consumers_alive)
{
	pthread_t thread[8];
	struct ioevq q;
	unsigned int i, round;
	void *ret;

	ASSERT_EQ(0, pipe(pipes));
	for (round = 0; round < 5; round++) {
		ASSERT_EQ(0, ioevq_open(&q, 0, 0));
		ASSERT_EQ(0, ioevq_set_concurrency(&q, 3));
		for (i = 0; i < ARRAY_SIZE(thread); i++) {
			ASSERT_EQ(0, pthread_create(&thread[i], NULL, consume_and_read, &q));
			ASSERT_EQ(0, ioevq_post(&q, i, 0, 0));
		}
		ASSERT_TRUE(eventually(query(&q).runnable == 0 && query(&q).available == 0));
		ioevq_close(&q);
		ASSERT_TRUE(eventually(module_users() == 0));
		ASSERT_EQ(0, reload(""));
		ASSERT_EQ(8, write(pipes[1], "12345678", 8));
		for (i = 0; i < ARRAY_SIZE(thread); i++) {
			ASSERT_EQ(0, pthread_join(thread[i], &ret));
			EXPECT_EQ(1, (long)ret);
		}
	}
}

TEST_HARNESS_MAIN

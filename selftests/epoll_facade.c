// SPDX-License-Identifier: GPL-2.0-only
/* What the epoll of /dev/ioevq does that the kernel's need not. */
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "epoll_test.h"
#include "scaled.h"

/* More than the library has room for on the stack. */
#define MANY		2000

static bool is_kernel_set(int fd)
{
	struct epoll_event ev;

	return !kernel_wait(fd, &ev, 1, 0);
}

/* Its errors, up to now. */
static ssize_t said(int fd, char *buf, size_t size)
{
	ssize_t n = read(fd, buf, size - 1);

	buf[n < 0 ? 0 : n] = 0;
	return n;
}

/* Tests have processes of their own: the roots of others stay. */
TEST(without_a_device_sets_are_the_kernels_and_that_is_said_once)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 5 };
	int p[2], ep, fd = eventfd(1, 0), old = dup(STDERR_FILENO);
	char buf[256];

	ASSERT_EQ(0, pipe2(p, O_NONBLOCK));
	ASSERT_EQ(0, chroot("/sys/kernel"));
	ASSERT_EQ(STDERR_FILENO, dup2(p[1], STDERR_FILENO));
	ep = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_EQ(STDERR_FILENO, dup2(old, STDERR_FILENO));
	ASSERT_LE(0, ep);
	EXPECT_TRUE(is_kernel_set(ep));
	EXPECT_EQ(FD_CLOEXEC, fcntl(ep, F_GETFD));
	ASSERT_LT(0, said(p[0], buf, sizeof(buf)));
	EXPECT_EQ(&buf[0], strstr(buf, "ioevq: /dev/ioevq: No such file or directory: epoll"));

	EXPECT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	EXPECT_EQ(1, epoll_wait(ep, &ev, 1, BOUND_MS));
	EXPECT_EQ(5, ev.data.u64);

	ASSERT_EQ(STDERR_FILENO, dup2(p[1], STDERR_FILENO));
	ep = epoll_create(1);
	ASSERT_EQ(STDERR_FILENO, dup2(old, STDERR_FILENO));
	EXPECT_TRUE(is_kernel_set(ep));
	EXPECT_EQ(-1, said(p[0], buf, sizeof(buf)));
	EXPECT_EQ(EAGAIN, errno);
}

/* A set takes no more of a queue than it needs: nobody reads a file by it. */
TEST(a_set_is_a_queue_that_watches_and_no_more)
{
	int ep = epoll_create1(0);
	struct ioevq_info info = { .size = sizeof(info), .op = IOEVQ_OP_NOP };

	ASSERT_LE(0, ep);
	ASSERT_EQ(0, ioctl(ep, IOEVQ_IOC_INFO, &info));
	EXPECT_EQ(1 << IOEVQ_OP_POLL | 1 << IOEVQ_OP_POLL_MOD | 1 << IOEVQ_OP_CANCEL, info.ops);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, ep, 0));
	EXPECT_EQ(EACCES, errno);
	EXPECT_FALSE(is_kernel_set(ep));
	close(ep);
}

/* What was deleted or closed holds no memory once a wait has been there. */
TEST(watches_that_have_ended_are_gone)
{
	struct ioevq_info info = { .size = sizeof(info), .op = IOEVQ_OP_NOP };
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(0), fd, i;

	ASSERT_LE(0, ep);
	for (i = 0; i < 1000; i++) {
		fd = eventfd(0, 0);
		ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
		if (i % 2)
			ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL));
		close(fd);
	}
	EXPECT_EQ(0, epoll_wait(ep, &ev, 1, 0));
	EXPECT_EQ(0, epoll_wait(ep, &ev, 1, 0));
	ASSERT_EQ(0, ioctl(ep, IOEVQ_IOC_INFO, &info));
	EXPECT_EQ(0, info.requests);
	EXPECT_EQ(0, info.available);
	close(ep);
}

/* Nor does it need a wait: a program that only changes its mind is not stopped. */
TEST(watches_that_end_before_any_wait_do_not_add_up)
{
	struct ioevq_info info = { .size = sizeof(info), .op = IOEVQ_OP_NOP };
	static const uint32_t modes[] = { 0, EPOLLET, EPOLLONESHOT, EPOLLEXCLUSIVE };
	struct epoll_event ev = { .events = EPOLLIN }, evs[8];
	int ep = epoll_create1(0), fd, live[ARRAY_SIZE(modes)];
	unsigned int i, n = scaled(200000);

	ASSERT_LE(0, ep);
	for (i = 0; i < ARRAY_SIZE(live); i++) {
		live[i] = eventfd(0, 0);
		ASSERT_EQ(0, control(&facade_calls, ep, EPOLL_CTL_ADD, live[i],
				     EPOLLIN | modes[i], i));
	}
	fd = eventfd(0, 0);
	for (i = 0; i < n; i++) {
		ev.events = EPOLLIN | modes[i % ARRAY_SIZE(modes)];
		if (i == n / 2)
			ASSERT_EQ(0, raise_fd(fd));
		ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
		ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL));
	}
	ASSERT_EQ(0, ioctl(ep, IOEVQ_IOC_INFO, &info));
	EXPECT_GT(1000, info.requests);
	EXPECT_EQ(0, epoll_wait(ep, evs, 8, 0));
	for (i = 0; i < ARRAY_SIZE(live); i++)
		ASSERT_EQ(0, raise_fd(live[i]));
	EXPECT_EQ(ARRAY_SIZE(live), epoll_wait(ep, evs, 8, 0));
	for (i = 0; i < ARRAY_SIZE(live); i++)
		close(live[i]);
	close(fd);
	close(ep);
}

/* A set that has so many files to tell of. */
static int make_many(void)
{
	int ep = epoll_create1(0), fd, i;

	for (i = 0; i < MANY; i++) {
		fd = eventfd(1, 0);
		if (control(&facade_calls, ep, EPOLL_CTL_ADD, fd, EPOLLIN, i))
			return -1;
	}
	return ep;
}

static int many, asleep_in;

static void *wait_for_many(void *tid)
{
	struct epoll_event *evs = calloc(MANY, sizeof(*evs));
	long n;

	pthread_cleanup_push(free, evs);
	n = epoll_wait(many, evs, MANY, 0);
	if (tid) {
		__atomic_store_n((pid_t *)tid, gettid(), __ATOMIC_RELEASE);
		n = epoll_wait(asleep_in, evs, MANY, -1);
	}
	pthread_cleanup_pop(1);
	return (void *)n;
}

/* Of this process, in pages. */
static long memory(void)
{
	return proc_number("/proc/self/statm");
}

TEST(threads_leave_no_memory_behind)
{
	long before = 0;
	pthread_t thread;
	void *ret;
	pid_t tid;
	int i;

	many = make_many();
	asleep_in = epoll_create1(0);
	ASSERT_LE(0, many);
	for (i = 0; i < 64; i++) {
		tid = 0;
		ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_many, i % 2 ? &tid : NULL));
		if (i % 2) {
			ASSERT_TRUE(eventually(__atomic_load_n(&tid, __ATOMIC_ACQUIRE)));
			ASSERT_TRUE(eventually(is_asleep(tid)));
			ASSERT_EQ(0, pthread_cancel(thread));
		}
		ASSERT_EQ(0, pthread_join(thread, &ret));
		EXPECT_EQ(i % 2 ? (long)PTHREAD_CANCELED : MANY, (long)ret);
		/* What the C library keeps is there by now. */
		if (i == 3)
			before = memory();
	}
	/* Each has had as much. */
	EXPECT_GT(before + 8 * MANY * (long)sizeof(struct ioevq_event) / 4096, memory());
}

static int told_in_handler;

static void wait_in_handler(int sig)
{
	static struct epoll_event evs[MANY];

	told_in_handler = sig == SIGUSR1 ? epoll_wait(many, evs, MANY, 0) : 0;
}

/* What is interrupted keeps its room, and what interrupts has some of its own. */
TEST(a_signal_handler_waits_for_many_within_a_wait_for_many)
{
	struct sigaction action = { .sa_handler = wait_in_handler };
	static struct epoll_event evs[MANY];
	sigset_t blocked, open;
	int none = epoll_create1(0), i;

	many = make_many();
	ASSERT_LE(0, many);
	sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&open);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	ASSERT_EQ(0, sigprocmask(SIG_SETMASK, &blocked, NULL));
	for (i = 0; i < 2; i++) {
		told_in_handler = 0;
		ASSERT_EQ(0, raise(SIGUSR1));
		EXPECT_EQ(-1, epoll_pwait(none, evs, MANY, BOUND_MS, &open));
		EXPECT_EQ(EINTR, errno);
		EXPECT_EQ(256, told_in_handler);
		EXPECT_EQ(MANY, epoll_wait(many, evs, MANY, 0));
	}
}

/* Where there is no room for all at once, all are told, one after the other. */
TEST(without_memory_a_few_are_told_at_once)
{
	static struct epoll_event evs[MANY];
	struct rlimit limit;
	int told = 0, n;

	many = make_many();
	ASSERT_LE(0, many);
	ASSERT_EQ(0, getrlimit(RLIMIT_AS, &limit));
	limit.rlim_cur = 0;
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &limit));
	errno = 0;
	while (told < MANY && (n = epoll_wait(many, evs, MANY, 0)) > 0)
		told += n;
	EXPECT_EQ(0, errno);
	limit.rlim_cur = limit.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &limit));
	EXPECT_LE(MANY, told);
	EXPECT_EQ(MANY, epoll_wait(many, evs, MANY, 0));
}

/* errno is for failures: what goes on inside must not show. */
TEST(success_leaves_errno_alone)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int ep, fd = eventfd(1, 0), real = kernel_create1(0);

	errno = 12345;
	ep = epoll_create1(0);
	EXPECT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	EXPECT_EQ(0, epoll_ctl(real, EPOLL_CTL_ADD, fd, &ev));
	EXPECT_EQ(1, epoll_wait(ep, &ev, 1, 0));
	EXPECT_EQ(1, epoll_wait(real, &ev, 1, 0));
	EXPECT_EQ(0, epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL));
	EXPECT_EQ(0, epoll_ctl(real, EPOLL_CTL_DEL, fd, NULL));
	EXPECT_EQ(12345, errno);
	close(real);
	close(ep);
	close(fd);
}

/* This program, which is linked statically. */
static char *self_path(void)
{
	static char exe[256];

	return readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0 ? NULL : exe;
}

/* ioevq run, of the directory beside that of the tests; its status, and what it says. */
static int run(char *out, size_t size, char **args)
{
	char *argv[16] = { "ioevq", "run" }, path[300];
	int p[2], status, i;
	pid_t pid;

	for (i = 0; args[i]; i++)
		argv[i + 2] = args[i];
	snprintf(path, sizeof(path), "%s", self_path());
	strcpy(strrchr(path, '/'), "/../tools/ioevq");
	if (pipe(p))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(p[1], STDOUT_FILENO);
		dup2(p[1], STDERR_FILENO);
		execv(path, argv);
		_exit(99);
	}
	close(p[1]);
	said(p[0], out, size);
	close(p[0]);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define RUN(...)						\
({								\
	char *__args[14] = { __VA_ARGS__ };			\
								\
	run(out, sizeof(out), __args);				\
})

TEST(the_command_runs_a_program_with_the_library)
{
	char out[4096];

	EXPECT_EQ(0, RUN("--help"));
	EXPECT_EQ(&out[0], strstr(out, "usage: ioevq run --epoll"));
	EXPECT_EQ(7, RUN("--epoll", "--", "sh", "-c", "echo $LD_PRELOAD; exit 7"));
	EXPECT_NE(NULL, strstr(out, "/libioevq-epoll.so\n"));
	ASSERT_EQ(0, setenv("LD_PRELOAD", "libc.so.6", 1));
	EXPECT_EQ(0, RUN("--epoll", "sh", "-c", "echo $LD_PRELOAD"));
	EXPECT_NE(NULL, strstr(out, "/libioevq-epoll.so:libc.so.6\n"));
}

TEST(the_command_says_why_it_does_not)
{
	char out[4096];

	EXPECT_EQ(125, RUN("true"));
	EXPECT_EQ(125, RUN("--epoll"));
	EXPECT_EQ(125, RUN("--nonsense", "true"));
	EXPECT_EQ(127, RUN("--epoll", "no-such-program"));
	EXPECT_STREQ("ioevq: no-such-program: no such program\n", out);
	EXPECT_EQ(127, RUN("--epoll", "/no/such/program"));
	EXPECT_EQ(126, RUN("--epoll", "/etc/passwd"));
	EXPECT_EQ(126, RUN("--epoll", "/etc"));
	EXPECT_EQ(126, RUN("--epoll", self_path()));
	EXPECT_NE(NULL, strstr(out, "statically linked"));
	EXPECT_EQ(0, RUN("--epoll", "true"));
	EXPECT_STREQ("", out);
}

/* A program with capabilities, which root has anyway */
TEST(the_command_refuses_a_program_that_gains_capabilities)
{
	const struct vfs_cap_data caps = {
		.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
		.data[0].permitted = 1 << CAP_NET_BIND_SERVICE,
	};
	char dir[] = "/tmp/facade.XXXXXX", program[64], command[96], out[4096];
	int status;
	pid_t pid;

	ASSERT_NE(NULL, mkdtemp(dir));
	ASSERT_EQ(0, chmod(dir, 0755));
	snprintf(program, sizeof(program), "%s/true", dir);
	snprintf(command, sizeof(command), "cp /bin/true %s", program);
	ASSERT_EQ(0, system(command));
	ASSERT_EQ(0, setxattr(program, "security.capability", &caps, sizeof(caps), 0));
	EXPECT_EQ(0, RUN("--epoll", program));
	pid = fork();
	if (!pid) {
		if (setresuid(65534, 65534, 65534))
			_exit(98);
		status = RUN("--epoll", program);
		_exit(strstr(out, "rights that are not yours") ? status : 97);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(126, WEXITSTATUS(status));
	unlink(program);
	rmdir(dir);
}

TEST_HARNESS_MAIN

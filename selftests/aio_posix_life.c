// SPDX-License-Identifier: GPL-2.0-only
/* Asynchronous I/O in children, in many threads, and in programs that do not know of us. */
#include "aio_posix.h"

/* 0: a child has no part in what is under way, and can do its own. */
static int child_of(const struct aio_calls *a, struct aiocb *parents, int fd)
{
	struct aiocb own = block(fd, "child", 5, 100);
	int i;

	if (a->error(parents) != -1 || errno != EINVAL)
		return 1;
	if (a->cancel(parents->aio_fildes, NULL) != AIO_ALLDONE)
		return 2;
	for (i = 0; i < 100; i++)
		if (a->write(&own) || ended(a, &own) || a->ret(&own) != 5)
			return 3;
	notify_by_signal(&own.aio_sigevent, SIGRTMIN + 1, 3);
	if (a->write(&own) || next_signal(SIGRTMIN + 1, &(siginfo_t){}) != 3)
		return 4;
	return 0;
}

TEST_F(aio, a_child_has_a_queue_of_its_own)
{
	struct aiocb cb = slow_block(&self->slow, 0);
	siginfo_t info;
	int status, i;
	pid_t pid;

	if (!self->a->is_facade)
		return;
	block_signal(SIGRTMIN + 1);
	notify_by_signal(&cb.aio_sigevent, SIGRTMIN + 1, 1);
	ASSERT_EQ(0, self->a->read(&cb));
	ASSERT_EQ(0, slow_started(&self->slow));
	for (i = 0; i < 2; i++) {
		/* The second without the handlers of fork(3). */
		pid = i ? syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();
		if (!pid)
			_exit(child_of(self->a, &cb, self->fd));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
		EXPECT_EQ(EINPROGRESS, self->a->error(&cb));
	}
	ASSERT_EQ(0, slow_finish(&self->slow, 0));
	EXPECT_EQ(1, next_signal(SIGRTMIN + 1, &info));
	EXPECT_DONE(&cb, SLOW_PAGE);
}

/* The helper is no thread that a process is kept alive for. */
TEST_F(aio, a_process_ends_with_its_own_threads)
{
	struct aiocb cb = block(self->fd, self->buf, 1, 0);
	siginfo_t info;
	int status;
	pid_t pid;

	block_signal(SIGRTMIN + 1);
	notify_by_signal(&cb.aio_sigevent, SIGRTMIN + 1, 1);
	pid = fork();
	if (!pid) {
		if (self->a->write(&cb) || next_signal(SIGRTMIN + 1, &info) != 1)
			_exit(1);
		pthread_exit(NULL);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* Threads that do all of it at once. */
struct worker {
	const struct aio_calls *a;
	int fd, base, bad;
	pthread_t thread;
};

static int functions;

static void count(union sigval value)
{
	__atomic_add_fetch(&functions, value.sival_int, __ATOMIC_RELAXED);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	char out[4][8], in[4][8];
	struct aiocb cb[4];
	struct aiocb *list[4];
	int i, round;

	for (round = 0; round < 100; round++) {
		for (i = 0; i < 4; i++) {
			snprintf(out[i], 8, "%03d%03d", w->base, round % 1000);
			cb[i] = block(w->fd, out[i], 6, (w->base * 4 + i) * 8);
			cb[i].aio_sigevent.sigev_notify = i == 3 ? SIGEV_THREAD : SIGEV_NONE;
			cb[i].aio_sigevent.sigev_notify_function = count;
			cb[i].aio_sigevent.sigev_value.sival_int = 1;
			w->bad += !!w->a->write(&cb[i]);
		}
		for (i = 0; i < 4; i++)
			w->bad += ended(w->a, &cb[i]) || w->a->ret(&cb[i]) != 6;
		for (i = 0; i < 4; i++) {
			cb[i] = block(w->fd, in[i], 6, (w->base * 4 + i) * 8);
			cb[i].aio_lio_opcode = LIO_READ;
			list[i] = &cb[i];
		}
		w->bad += !!w->a->listio(round & 1 ? LIO_WAIT : LIO_NOWAIT, list, 4, NULL);
		for (i = 0; i < 4; i++)
			w->bad += ended(w->a, &cb[i]) || w->a->ret(&cb[i]) != 6 ||
				  memcmp(in[i], out[i], 6);
	}
	return NULL;
}

TEST_F(aio, threads_do_all_of_it_at_once)
{
	struct worker w[4];
	int i;

	functions = 0;
	for (i = 0; i < 4; i++) {
		w[i] = (struct worker){ .a = self->a, .fd = self->fd, .base = i };
		ASSERT_EQ(0, pthread_create(&w[i].thread, NULL, work, &w[i]));
	}
	for (i = 0; i < 4; i++) {
		pthread_join(w[i].thread, NULL);
		EXPECT_EQ(0, w[i].bad);
	}
	EXPECT_TRUE(eventually(__atomic_load_n(&functions, __ATOMIC_RELAXED) == 400));
}

/* ioevq run, of the directory beside that of the tests; its status, and what it says. */
static int run_ioevq(char *out, size_t size, const char *args)
{
	char exe[256] = "", command[512];
	FILE *said;
	size_t n;

	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0)
		return -1;
	*strrchr(exe, '/') = 0;
	snprintf(command, sizeof(command), "exec %s/../tools/ioevq %s 2>&1", exe, args);
	said = popen(command, "r");
	n = fread(out, 1, size - 1, said);
	out[n] = 0;
	return WEXITSTATUS(pclose(said));
}

TEST(the_command_runs_a_program_with_the_library)
{
	char out[4096];

	EXPECT_EQ(7, run_ioevq(out, sizeof(out), "run --aio -- sh -c 'echo $LD_PRELOAD; exit 7'"));
	EXPECT_NE(NULL, strstr(out, "/libioevq-aio.so\n"));
	EXPECT_EQ(NULL, strstr(out, "epoll"));
	EXPECT_EQ(0, run_ioevq(out, sizeof(out), "run --epoll --aio sh -c 'echo $LD_PRELOAD'"));
	EXPECT_NE(NULL, strstr(out, "/libioevq-aio.so:/"));
	EXPECT_NE(NULL, strstr(out, "/libioevq-epoll.so\n"));
	EXPECT_EQ(125, run_ioevq(out, sizeof(out), "run --aio"));
}

TEST_HARNESS_MAIN

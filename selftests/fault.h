/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that runs out and copies that fail, for the tests fault*.c, which only run where the
 * kernel fails on demand: the n-th allocation or copy of a call does, for every n until none
 * is left that could.
 */
#ifndef IOEVQ_FAULT_H
#define IOEVQ_FAULT_H

#include "expect.h"

#define MOST_CHANCES	2000
/* Calls in which nothing failed, until that is so for good. */
#define IN_A_ROW	3

static inline void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

/*
 * Whatever may sleep may fail, too, and does so without a word. kmemleak complains, with a lock of
 * its own held: not to the console, or lockdep learns that consoles and whom they wake depend on
 * that, which is taken wherever memory is freed.
 */
static inline void make_faults(void)
{
	static const char *const names[] = { "failslab", "fail_page_alloc", "fail_usercopy" };
	char path[96];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/verbose", names[i]);
		write_file(path, "0");
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/ignore-gfp-wait", names[i]);
		if (!access(path, W_OK))
			write_file(path, "N");
	}
	write_file("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	/* What is an error or worse is told there still, and all is in the log. */
	write_file("/proc/sys/kernel/printk", "4");
}

/* What counts down must be all that happens: the file is open all the time. */
static int fail_fd = -1;

/* The n-th chance to fail, of this thread, from now on; 0 = never. */
static inline void fail_nth(int n)
{
	if (fail_fd < 0)
		fail_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	/* What was left of the countdown may be for us. */
	if (dprintf(fail_fd, "%d", n) < 0 && errno != EFAULT)
		perror("fail-nth");
}

/* True if it came to that. */
static inline bool has_failed(void)
{
	/* If it is the reading that fails the call has not. */
	char text[16] = "1";
	bool failed;

	if (pread(fail_fd, text, sizeof(text) - 1, 0) <= 0 && errno != EFAULT)
		perror("fail-nth");
	failed = !strtol(text, NULL, 10);
	fail_nth(0);
	return failed;
}

/* What a call returns whose chances fail one after the other. */
struct sweep {
	unsigned int failed;	/* calls in which something failed */
	unsigned int enomem;
	unsigned int efault;
	long last;		/* of the call in which nothing did */
};

/* The two that memory and copies may lead to, of a call that returns a negative errno. */
static inline bool is_fault(long ret)
{
	return ret == -ENOMEM || ret == -EFAULT;
}

/*
 * A call with @arg, what is to be there each time before it, and what it may leave: @after sees
 * that, says whether it is as it should be, and takes it away. Both return 0 then, and both may
 * be NULL.
 */
struct faulty {
	int (*before)(void *arg);
	long (*call)(void *arg);
	int (*after)(void *arg, long ret);
};

/*
 * Make the call for every n. Returns 0; or if @before or @after has failed, or the call has
 * returned what is neither a success nor one of the two, which n that was.
 */
static inline int sweep(struct sweep *s, const struct faulty *f, void *arg)
{
	unsigned int in_a_row = 0;
	bool failed = true;
	long ret = 0;
	int n;

	*s = (struct sweep){};
	make_faults();
	/* Some calls have fewer chances than others: the slab has something, or has not. */
	for (n = 1; in_a_row < IN_A_ROW && n < MOST_CHANCES; n++) {
		if (f->before && f->before(arg))
			break;
		fail_nth(n);
		ret = f->call(arg);
		failed = has_failed();
		in_a_row = failed ? 0 : in_a_row + 1;
		s->failed += failed;
		s->enomem += ret == -ENOMEM;
		s->efault += ret == -EFAULT;
		s->last = ret;
		if (ret < 0 && !(failed && is_fault(ret)))
			break;
		if (f->after && f->after(arg, ret)) {
			failed = true;
			break;
		}
	}
	if (!failed && ret >= 0)
		return 0;
	fprintf(stderr, "# chance %d: result %ld\n", n, ret);
	return n;
}

/* Of a call of the C library's kind. */
static inline long or_errno(long ret)
{
	return ret < 0 ? -errno : ret;
}

#endif

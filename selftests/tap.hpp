/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests in C++, which the kernel's harness is not made for: the same form of output, a
 * process and a bound of time for each test.
 *
 *	TEST(name) { CHECK(what goes on if it is not so); REQUIRE(what does not); }
 */
#ifndef TAP_HPP
#define TAP_HPP

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace tap
{

struct test {
	const char *name;
	void (*fn)();
};

inline std::vector<test> tests;
inline bool failed;

/* A bound for failures only, shorter in tests of the tests */
inline unsigned int bound_s()
{
	const char *seconds = std::getenv("IOEVQ_BOUND_S");

	return seconds ? static_cast<unsigned int>(std::strtoul(seconds, nullptr, 10)) : 180;
}

inline bool add(const char *name, void (*fn)())
{
	tests.push_back({name, fn});
	return true;
}

inline bool check(bool ok, const char *what, const char *file, int line)
{
	if (!ok) {
		std::printf("# %s:%d: not so: %s\n", file, line, what);
		failed = true;
	}
	return ok;
}

/* In a process of its own: whether it has passed. */
inline bool run(const test &t)
{
	int status;
	pid_t pid;

	std::fflush(stdout);
	pid = fork();
	if (!pid) {
		alarm(bound_s());
		try {
			t.fn();
		} catch (const std::exception &e) {
			std::printf("# %s: %s\n", t.name, e.what());
			failed = true;
		}
		std::fflush(stdout);
		_exit(failed);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	if (WIFSIGNALED(status))
		std::printf("# %s: %s\n", t.name, strsignal(WTERMSIG(status)));
	return !status;
}

inline int run_all()
{
	int n = 0, bad = 0;

	std::printf("TAP version 13\n1..%zu\n", tests.size());
	for (const test &t : tests) {
		bool ok = run(t);

		bad += !ok;
		std::printf("%s %d %s\n", ok ? "ok" : "not ok", ++n, t.name);
	}
	return bad != 0;
}

} // namespace tap

#define TEST(name)							\
	static void name();						\
	static const bool name##_added = tap::add(#name, name);		\
	static void name()

#define CHECK(cond)	tap::check(cond, #cond, __FILE__, __LINE__)

#define REQUIRE(cond)							\
	do {								\
		if (!CHECK(cond))					\
			throw std::runtime_error("cannot go on");	\
	} while (0)

#endif

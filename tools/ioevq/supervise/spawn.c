// SPDX-License-Identifier: MIT
/* Start the program of a service. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "supervise.h"

enum { STEP_FORK, STEP_SETUP, STEP_CHDIR, STEP_EXEC };

const char *spawn_step(int step)
{
	static const char *const steps[] = {
		[STEP_FORK] = "cannot fork",
		[STEP_SETUP] = "cannot be set up",
		[STEP_CHDIR] = "cannot enter its directory",
		[STEP_EXEC] = "cannot be executed",
	};

	return steps[step];
}

struct spawn_report *spawn_report_new(void)
{
	struct spawn_report *report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE,
					   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return report == MAP_FAILED ? NULL : report;
}

void spawn_report_free(struct spawn_report *report)
{
	munmap(report, sizeof(*report));
}

/* Nothing of our own signals is left for it. Their mask comes last: one may be pending. */
static int reset_signals(void)
{
	sigset_t none;
	int sig;

	for (sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL);
}

/* If the supervisor is killed, so that nobody watches it any more, it is asked to stop. */
static int die_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGTERM))
		return -1;
	if (getppid() != parent)
		_exit(0);
	return 0;
}

/*
 * A session of its own is a process group of its own, too, and has no terminal to be
 * stopped by. It reads nothing; what it writes goes where ours does.
 */
static int set_up(pid_t parent)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || setsid() < 0 || die_with(parent))
		return -1;
	return reset_signals();
}

static void run(const struct spec *spec, struct spawn_report *report, pid_t parent)
{
	report->step = STEP_SETUP;
	if (!set_up(parent)) {
		report->step = STEP_CHDIR;
		if (!spec->dir || !chdir(spec->dir)) {
			report->step = STEP_EXEC;
			execvp(spec->argv[0], spec->argv);
		}
	}
	report->err = errno;
	_exit(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

pid_t spawn(const struct spec *spec, struct spawn_report *report)
{
	pid_t parent = getpid(), pid;

	report->err = 0;
	report->step = STEP_FORK;
	pid = fork();
	if (!pid)
		run(spec, report, parent);
	return pid < 0 ? -errno : pid;
}

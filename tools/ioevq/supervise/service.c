// SPDX-License-Identifier: MIT
/* What becomes of a service: from one state to the next. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "supervise.h"

/* How long what was killed may take to be gone, before we go on without. */
#define GONE_TIMEOUT	SECOND

static void start(struct service *s);

struct service *service_of(pid_t pid)
{
	struct service *s;

	for (s = sv.services; s; s = s->next)
		if (s->pid == pid && s->state != CLEARING)
			return s;
	return NULL;
}

/* Is there a child of ours in its process group? With its leader gone all are, or had one. */
static bool group_lives(const struct service *s)
{
	siginfo_t info;

	return !waitid(P_PGID, s->pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL);
}

/* The group exists only after the child has made it. 0 or -1: see errno. */
static int signal_group(const struct service *s, int sig)
{
	int ret = kill(-s->pid, sig);

	if (ret && errno == ESRCH && s->state != CLEARING)
		ret = kill(s->pid, sig);
	return ret;
}

/* SIGCONT: who is stopped could not obey. */
static void terminate(const struct service *s)
{
	signal_group(s, SIGTERM);
	signal_group(s, SIGCONT);
}

static void give_time(struct service *s)
{
	s->killed = false;
	timer_set(&s->timer, now() + sv.stop_timeout);
}

static void service_free(struct service *s)
{
	struct service **p;

	for (p = &sv.services; *p != s; p = &(*p)->next)
		;
	*p = s->next;
	sv.nr_services--;
	timer_clear(&s->timer);
	spawn_report_free(s->report);
	free(s->changed);
	free(s->spec);
	free(s);
}

/* Nothing of it runs. What is next? */
static void settle(struct service *s)
{
	timer_clear(&s->timer);
	s->pid = 0;
	if (s->removed) {
		service_free(s);
		return;
	}
	if (s->changed) {
		free(s->spec);
		s->spec = s->changed;
		s->changed = NULL;
		s->delay = 0;
		s->restart_at = now();
	} else if (sv.once && s->last.at) {
		s->state = DONE;
		return;
	}
	s->state = sv.stopping ? DONE : WAITING;
	if (s->state == WAITING)
		timer_set(&s->timer, s->restart_at);
}

/* Who ran for as long as the longest delay is given the shortest one again. */
static void set_delay(struct service *s)
{
	if (!s->delay || s->last.ran >= sv.backoff_max)
		s->delay = sv.backoff_min;
	else if (s->delay > sv.backoff_max / 2)
		s->delay = sv.backoff_max;
	else
		s->delay *= 2;
	s->restart_at = s->last.at + s->delay;
}

void describe_ending(const struct ending *e, char *text, size_t size)
{
	const char *core, *name;

	if (e->err) {
		snprintf(text, size, "%s: %s", e->step, strerror(e->err));
	} else if (e->code == CLD_EXITED) {
		snprintf(text, size, "exited %d", e->status);
	} else {
		core = e->code == CLD_DUMPED ? " (core dumped)" : "";
		name = sigabbrev_np(e->status);
		if (name)
			snprintf(text, size, "killed by SIG%s%s", name, core);
		else
			snprintf(text, size, "killed by signal %d%s", e->status, core);
	}
}

/* @s->last is filled, but for the times. */
static void ended(struct service *s, unsigned long long cpu_us)
{
	char what[128], next[48] = "";
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	s->last.wall = ts.tv_sec * SECOND + ts.tv_nsec;
	s->last.at = now();
	s->last.ran = s->last.at - s->started;
	s->cpu_us += cpu_us;
	if (s->last.err || s->last.status)
		sv.failed = true;
	if (s->state != STOPPING && !sv.stopping && !sv.once) {
		set_delay(s);
		snprintf(next, sizeof(next), ", restart in %g s", (double)s->delay / SECOND);
	}
	describe_ending(&s->last, what, sizeof(what));
	log_line(s, "%s, cpu %llu.%06llu s, up %lld.%03lld s%s", what, cpu_us / 1000000,
		 cpu_us % 1000000, (long long)(s->last.ran / SECOND),
		 (long long)(s->last.ran % SECOND / 1000000), next);
}

void service_ended(struct service *s, const siginfo_t *info, const struct rusage *usage)
{
	const struct timeval *user = &usage->ru_utime, *sys = &usage->ru_stime;
	bool told = s->state == STOPPING;

	s->last.code = info->si_code;
	s->last.status = info->si_status;
	s->last.err = s->report->err;
	s->last.step = spawn_step(s->report->step);
	ended(s, (user->tv_sec + sys->tv_sec) * 1000000ULL + user->tv_usec + sys->tv_usec);
	s->state = CLEARING;
	if (!group_lives(s)) {
		settle(s);
		return;
	}
	/* Again, if it was told to: these may have been born after that. */
	terminate(s);
	if (!told || !s->timer.set)
		give_time(s);
}

/* Something ended: was it the last one of a group? */
void services_check_groups(void)
{
	struct service *s, *next;

	for (s = sv.services; s; s = next) {
		next = s->next;
		if (s->state == CLEARING && !group_lives(s))
			settle(s);
	}
}

/*
 * Who has left the group has told nobody: when it is empty its number may be another's. Where
 * the leader lives, or was not reaped, it is its own.
 */
static void kill_group(struct service *s)
{
	if (s->state == CLEARING && !group_lives(s)) {
		settle(s);
		return;
	}
	if (signal_group(s, SIGKILL) && errno != ESRCH)
		log_line(s, "cannot be killed: %s", strerror(errno));
	s->killed = true;
	timer_set(&s->timer, now() + GONE_TIMEOUT);
}

static void expired(struct timer *timer)
{
	struct service *s = (void *)((char *)timer - offsetof(struct service, timer));

	if (s->state == WAITING) {
		start(s);
	} else if (s->state == CLEARING && (s->killed || !group_lives(s))) {
		settle(s);
	} else if (!s->killed) {
		log_line(s, "did not stop within %g s, is killed",
			 (double)sv.stop_timeout / SECOND);
		kill_group(s);
	} else if (sv.stopping) {
		log_line(s, "is left behind");
		settle(s);
	} else {
		kill_group(s);
	}
}

static void start(struct service *s)
{
	pid_t pid;

	s->started = now();
	s->starts++;
	pid = spawn(s->spec, s->report);
	if (pid > 0) {
		s->pid = pid;
		s->state = RUNNING;
		log_line(s, "started");
		return;
	}
	s->last.err = -pid;
	s->last.step = spawn_step(s->report->step);
	ended(s, 0);
	settle(s);
}

static void stop(struct service *s)
{
	if (s->state == WAITING || s->state == DONE) {
		settle(s);
	} else if (s->state == RUNNING) {
		s->state = STOPPING;
		terminate(s);
		give_time(s);
	}
}

static struct service *service_new(void)
{
	struct service *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->report = spawn_report_new();
	if (!s->report) {
		free(s);
		return NULL;
	}
	s->timer.expired = expired;
	return s;
}

static struct service *find(const char *name)
{
	struct service *s;

	for (s = sv.services; s; s = s->next)
		if (!strcmp(s->spec->name, name))
			return s;
	return NULL;
}

static bool same(const struct spec *a, const struct spec *b)
{
	return !strcmp(a->command, b->command) && !strcmp(a->dir ?: "", b->dir ?: "");
}

/* It is wanted as @spec says, which is taken. */
static void update(struct service *s, struct spec *spec)
{
	s->removed = false;
	free(s->changed);
	s->changed = NULL;
	if (s->state != STOPPING && same(s->spec, spec)) {
		free(spec);
		return;
	}
	log_line(s, "has another command");
	s->changed = spec;
	stop(s);
}

int services_update(struct spec *list)
{
	struct service **last = &sv.services, *fresh = NULL, *s, *next;
	struct spec *spec;

	/* All that takes memory comes first. */
	for (spec = list; spec; spec = spec->next) {
		if (find(spec->name))
			continue;
		s = service_new();
		if (!s)
			goto fail;
		s->next = fresh;
		fresh = s;
	}
	for (s = sv.services; s; s = s->next)
		s->removed = true;
	while ((spec = list)) {
		list = spec->next;
		s = find(spec->name);
		if (s) {
			update(s, spec);
			continue;
		}
		s = fresh;
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): made above */
		fresh = s->next;
		s->spec = spec;
		s->next = NULL;
		for (; *last; last = &(*last)->next)
			;
		*last = s;
		sv.nr_services++;
		s->restart_at = now();
		settle(s);
	}
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): all are used, as names are unique */
	for (s = sv.services; s; s = next) {
		next = s->next;
		if (s->removed) {
			log_line(s, "is not wanted any more");
			stop(s);
		}
	}
	return 0;
fail:
	while ((s = fresh)) {
		fresh = s->next;
		spawn_report_free(s->report);
		free(s);
	}
	specs_free(list);
	return -1;
}

void services_stop(void)
{
	struct service *s, *next;
	bool again = sv.stopping;

	sv.stopping = true;
	for (s = sv.services; s; s = next) {
		next = s->next;
		if (again && (s->state == STOPPING || s->state == CLEARING))
			kill_group(s);
		else
			stop(s);
	}
}

void services_signal(int sig)
{
	struct service *s;

	for (s = sv.services; s; s = s->next)
		if (s->state == RUNNING)
			signal_group(s, sig);
}

bool services_ended(void)
{
	const struct service *s;

	for (s = sv.services; s; s = s->next)
		if (s->state != DONE)
			return false;
	return sv.stopping || sv.once;
}

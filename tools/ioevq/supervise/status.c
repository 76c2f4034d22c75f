// SPDX-License-Identifier: MIT
/* What is going on, as a table and as a JSON document. */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "supervise.h"

static const char *const states[] = {
	[WAITING] = "waiting",
	[RUNNING] = "running",
	[STOPPING] = "stopping",
	[CLEARING] = "clearing",
	[DONE] = "done",
};

static double seconds(int64_t ns)
{
	return (double)ns / SECOND;
}

/* Of all runs, and of this one so far. */
static double cpu_seconds(const struct service *s)
{
	double cpu = s->cpu_us / 1e6;
	struct timespec ts;
	clockid_t clock;

	if ((s->state == RUNNING || s->state == STOPPING) &&
	    !clock_getcpuclockid(s->pid, &clock) && !clock_gettime(clock, &ts))
		cpu += ts.tv_sec + ts.tv_nsec / 1e9;
	return cpu;
}

static unsigned long long restarts(const struct service *s)
{
	return s->starts ? s->starts - 1 : 0;
}

static bool is_up(const struct service *s)
{
	return s->state == RUNNING || s->state == STOPPING;
}

static unsigned int count_running(void)
{
	const struct service *s;
	unsigned int n = 0;

	for (s = sv.services; s; s = s->next)
		n += s->state == RUNNING;
	return n;
}

/* Two units: 12.3s 4m05s 6h07m 8d09h */
static void duration(char *text, size_t size, int64_t ns)
{
	long long s = ns / SECOND;

	if (s < 60)
		snprintf(text, size, "%.1fs", seconds(ns));
	else if (s < 3600)
		snprintf(text, size, "%lldm%02llds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(text, size, "%lldh%02lldm", s / 3600, s / 60 % 60);
	else
		snprintf(text, size, "%lldd%02lldh", s / 86400, s / 3600 % 24);
}

static void table_row(FILE *to, const struct service *s, int width)
{
	char pid[16] = "-", up[24] = "-", last[128] = "-", ago[24], next[24];
	int64_t t = now();

	if (is_up(s)) {
		snprintf(pid, sizeof(pid), "%d", s->pid);
		duration(up, sizeof(up), t - s->started);
	}
	fprintf(to, "%-*s  %-8s  %7s  %7s  %8llu  %9.3fs  ", width, s->spec->name,
		states[s->state], pid, up, restarts(s), cpu_seconds(s));
	if (s->last.at) {
		describe_ending(&s->last, last, sizeof(last));
		duration(ago, sizeof(ago), t - s->last.at);
		fprintf(to, "%s, %s ago", last, ago);
		if (s->state == WAITING && s->restart_at > t) {
			duration(next, sizeof(next), s->restart_at - t);
			fprintf(to, ", restart in %s", next);
		}
		fputc('\n', to);
	} else {
		fputs("-\n", to);
	}
}

void status_table(FILE *to)
{
	const struct service *s;
	char up[24];
	int width = 4;

	for (s = sv.services; s; s = s->next)
		if ((int)strlen(s->spec->name) > width)
			width = strlen(s->spec->name);
	duration(up, sizeof(up), now() - sv.since);
	fprintf(to, "supervisor %d up %s%s: %u of %u running, %llu orphans reaped", getpid(), up,
		sv.stopping ? ", stopping" : "", count_running(), sv.nr_services, sv.orphans);
	if (log_lost())
		fprintf(to, ", %llu lines of the log lost", log_lost());
	fprintf(to, "\n\n%-*s  %-8s  %7s  %7s  %8s  %10s  %s\n", width, "NAME", "STATE", "PID",
		"UPTIME", "RESTARTS", "CPU", "LAST EXIT");
	for (s = sv.services; s; s = s->next)
		table_row(to, s, width);
}

static void json_ending(FILE *to, const struct ending *e)
{
	time_t wall = e->wall / SECOND;
	char date[32], text[128];
	struct tm tm;

	if (!e->at) {
		fputs("null", to);
		return;
	}
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", gmtime_r(&wall, &tm));
	describe_ending(e, text, sizeof(text));
	fprintf(to, "{ \"time\": \"%s.%03lldZ\", \"ran\": %.3f, \"text\": ", date,
		(long long)(e->wall % SECOND / 1000000), seconds(e->ran));
	json_string(to, text);
	if (e->err)
		fprintf(to, ", \"errno\": %d", e->err);
	else if (e->code == CLD_EXITED)
		fprintf(to, ", \"status\": %d", e->status);
	else
		fprintf(to, ", \"signal\": %d, \"core\": %s", e->status,
			e->code == CLD_DUMPED ? "true" : "false");
	fputs(" }", to);
}

static void json_service(FILE *to, const struct service *s)
{
	int64_t t = now();

	fputs("    { \"name\": ", to);
	json_string(to, s->spec->name);
	fputs(", \"command\": ", to);
	json_string(to, s->spec->command);
	fprintf(to, ", \"state\": \"%s\", \"restarts\": %llu, \"cpu\": %.6f", states[s->state],
		restarts(s), cpu_seconds(s));
	if (is_up(s))
		fprintf(to, ", \"pid\": %d, \"uptime\": %.3f", s->pid, seconds(t - s->started));
	if (s->state == WAITING)
		fprintf(to, ", \"restart_in\": %.3f",
			seconds(s->restart_at > t ? s->restart_at - t : 0));
	fputs(", \"last_exit\": ", to);
	json_ending(to, &s->last);
	fputs(" }", to);
}

void status_json(FILE *to)
{
	const struct service *s;

	fprintf(to, "{\n  \"pid\": %d, \"uptime\": %.3f, \"stopping\": %s, \"running\": %u,\n",
		getpid(), seconds(now() - sv.since), sv.stopping ? "true" : "false",
		count_running());
	fprintf(to, "  \"orphans\": %llu, \"log_lost\": %llu,\n  \"services\": [\n", sv.orphans,
		log_lost());
	for (s = sv.services; s; s = s->next) {
		json_service(to, s);
		fputs(s->next ? ",\n" : "\n", to);
	}
	fputs("  ]\n}\n", to);
}

// SPDX-License-Identifier: MIT
/* ioevq info: what the module on this machine can do, and who may use it. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <ioevq.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "ioevq.h"

static const char help[] =
	"usage: ioevq info [--json]\n"
	"\n"
	"Tells what /dev/ioevq is here: version, features, operations, limits, and who may\n"
	"open it. If it cannot be opened, why, and what to do.\n"
	"\n"
	"  --json     the same as a JSON document\n"
	"  --help     this\n"
	"\n"
	"The status is 0, or 1: there is no device, or it may not be opened. See ioevq-info(1).\n";

static const struct {
	uint64_t bit;
	const char *name, *missing;
} features[] = {
	{ IOEVQ_FEAT_CLOSE_HOOK, "close_hook", "files cannot be watched: POLL is refused" },
	{ IOEVQ_FEAT_CONCURRENCY, "concurrency", "queues have no concurrency value" },
	{ IOEVQ_FEAT_BUFFERS, "buffers", "buffers cannot be registered" },
};

/* Parameters that the interface does not tell; -1: nor does /sys. A container may have none. */
static const char *const parameters[] = { "max_workers", "max_user_workers" };

static long parameter(const char *name)
{
	char path[96];
	long value = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/module/ioevq/parameters/%s", name);
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fscanf(file, "%ld", &value) != 1)
		value = -1;
	fclose(file);
	return value;
}

static void show_parameter(const char *name, const char *what)
{
	long value = parameter(name);

	if (value >= 0)
		printf("  %9ld %s (%s)\n", value, what, name);
}

/* "root ioevq", of the device */
static void owner(const struct stat *st, char *text, size_t size)
{
	const struct passwd *user = getpwuid(st->st_uid);
	const struct group *group = getgrgid(st->st_gid);
	char number[16];

	snprintf(number, sizeof(number), "%u", st->st_uid);
	snprintf(text, size, "%s", user ? user->pw_name : number);
	snprintf(number, sizeof(number), "%u", st->st_gid);
	snprintf(text + strlen(text), size - strlen(text), " %s", group ? group->gr_name : number);
}

static void show(const struct ioevq_info *info, const struct stat *st, const char *release)
{
	char who[128];
	unsigned int i;

	owner(st, who, sizeof(who));
	printf("command        %s\n", VERSION);
	printf("interface      %u\n", info->abi_version);
	printf("kernel         %s\n", release);
	printf("device         %s, mode %04o, %s\n", DEVICE, st->st_mode & 07777, who);
	printf("operations    ");
	for (i = 0; i < IOEVQ_OP__COUNT; i++)
		if (info->ops & 1ULL << i)
			printf(" %s", op_name(i));
	printf("\n\n");
	for (i = 0; i < ARRAY_SIZE(features); i++)
		if (info->features & features[i].bit)
			printf("%-14s yes\n", features[i].name);
		else
			printf("%-14s no: %s\n", features[i].name, features[i].missing);
	printf("%-14s %s\n\n", "tracepoints",
	       geteuid() ? "for root: see ioevq-trace(1)" :
	       access("/sys/kernel/tracing/events/ioevq", F_OK) ?
	       "no: mount -t tracefs none /sys/kernel/tracing" : "yes");
	printf("A queue:\n");
	printf("  %9u events in its ring, if it does not ask for another size\n",
	       info->default_entries);
	printf("  %9u events at most (max_entries)\n", info->max_entries);
	printf("  %9u requests (max_requests)\n", info->max_requests);
	show_parameter(parameters[0], "workers for file I/O that blocks");
	printf("All queues of a user:\n");
	printf("  %9u requests (max_user_requests); 8 events of a ring are one\n",
	       info->max_user_requests);
	show_parameter(parameters[1], "workers");
}

static void show_json(const struct ioevq_info *info, const struct stat *st, const char *release)
{
	const char *comma = "";
	char who[128];
	unsigned int i;
	long value;

	owner(st, who, sizeof(who));
	printf("{\n  \"command\": \"%s\",\n  \"interface\": %u,\n  \"kernel\": ", VERSION,
	       info->abi_version);
	json_string(stdout, release);
	printf(",\n  \"device\": { \"path\": \"%s\", \"mode\": \"%04o\", \"owner\": ", DEVICE,
	       st->st_mode & 07777);
	json_string(stdout, who);
	printf(" },\n  \"operations\": [");
	for (i = 0; i < IOEVQ_OP__COUNT; i++) {
		if (!(info->ops & 1ULL << i))
			continue;
		printf("%s\"%s\"", comma, op_name(i));
		comma = ", ";
	}
	printf("],\n  \"features\": {");
	for (i = 0; i < ARRAY_SIZE(features); i++)
		printf("%s\"%s\": %s", i ? ", " : " ", features[i].name,
		       info->features & features[i].bit ? "true" : "false");
	printf(" },\n  \"limits\": { \"default_entries\": %u, \"max_entries\": %u, ",
	       info->default_entries, info->max_entries);
	printf("\"max_requests\": %u, \"max_user_requests\": %u", info->max_requests,
	       info->max_user_requests);
	for (i = 0; i < ARRAY_SIZE(parameters); i++) {
		value = parameter(parameters[i]);
		if (value < 0)
			printf(", \"%s\": null", parameters[i]);
		else
			printf(", \"%s\": %ld", parameters[i], value);
	}
	printf(" }\n}\n");
}

int info_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	struct ioevq_info info = { .op = IOEVQ_OP_NOP };
	struct utsname uts = {};
	struct ioevq q = {};
	bool json = false;
	struct stat st;
	int c, err;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			json = true;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		complain("info takes no arguments: see ioevq info --help");
		return EXIT_USAGE;
	}
	q.fd = open_device();
	if (q.fd < 0)
		return 1;
	err = ioevq_info(&q, &info);
	if (!err && fstat(q.fd, &st))
		err = -errno;
	close(q.fd);
	if (err) {
		complain(DEVICE ": %s: the module is not the one that this command is for",
			 strerror(-err));
		return 1;
	}
	uname(&uts);
	if (json)
		show_json(&info, &st, uts.release);
	else
		show(&info, &st, uts.release);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Reads the kernel's log for what must not be in it. */
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

#define MAX_PATTERNS	80

static regex_t patterns[MAX_PATTERNS];
static unsigned int nr_patterns;
static int log_fd = -1;

int splats_open(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[256];

	log_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (!f || log_fd < 0 || lseek(log_fd, 0, SEEK_END) < 0) {
		fprintf(stderr, "fuzz: %s: %s\n", f ? "/dev/kmsg" : path, strerror(errno));
		return -1;
	}
	while (nr_patterns < MAX_PATTERNS && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (!*line || *line == '#')
			continue;
		if (regcomp(&patterns[nr_patterns++], line, REG_EXTENDED | REG_NOSUB)) {
			fprintf(stderr, "fuzz: %s: '%s' is no pattern\n", path, line);
			return -1;
		}
	}
	fclose(f);
	return 0;
}

/* The first such line since the last time. */
bool splats_seen(char *line, size_t size)
{
	char record[8192], *text;
	unsigned int i;
	ssize_t n;

	while (log_fd >= 0) {
		n = read(log_fd, record, sizeof(record) - 1);
		if (n < 0 && errno == EPIPE)
			continue;	/* some were overwritten */
		if (n <= 0)
			return false;
		record[n] = 0;
		text = strchr(record, ';');
		text = text ? text + 1 : record;
		text[strcspn(text, "\n")] = 0;
		for (i = 0; i < nr_patterns; i++)
			if (!regexec(&patterns[i], text, 0, NULL, 0)) {
				snprintf(line, size, "%s", text);
				return true;
			}
	}
	return false;
}

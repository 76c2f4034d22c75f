// SPDX-License-Identifier: MIT
/* ioevq supervise --status: ask a supervisor, and print what it says. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "supervise.h"

#define ANSWER_TIMEOUT	10	/* s */

static int connect_to(const char *control)
{
	struct timeval timeout = { .tv_sec = ANSWER_TIMEOUT };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(control) >= sizeof(addr.sun_path)) {
		complain("%s: %s", control, strerror(ENAMETOOLONG));
		return -1;
	}
	strcpy(addr.sun_path, control);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) &&
	    !setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) &&
	    !connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	if (errno == ENOENT || errno == ECONNREFUSED)
		complain("%s: no supervisor is there: name its socket by --control", control);
	else if (errno == EACCES)
		complain("%s: %s: only who runs the supervisor may ask it, and root", control,
			 strerror(errno));
	else
		complain("%s: %s", control, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* All of it, or nothing is printed. */
static int show(FILE *from, const char *control)
{
	unsigned long size;
	char *text;

	if (fscanf(from, "%9lu", &size) != 1 || fgetc(from) != '\n') {
		complain("%s: %s", control, ferror(from) && (errno == EAGAIN) ?
			 "the supervisor does not answer" : "no answer: is it a supervisor?");
		return 1;
	}
	text = malloc(size ?: 1);
	if (!text || fread(text, 1, size, from) != size) {
		complain("%s: the answer is incomplete: try again", control);
		free(text);
		return 1;
	}
	fwrite(text, 1, size, stdout);
	free(text);
	return 0;
}

int client_main(const char *control, bool json)
{
	const char *line = json ? "json\n" : "table\n";
	int fd = connect_to(control), status;
	FILE *from;

	if (fd < 0)
		return 1;
	if (send(fd, line, strlen(line), MSG_NOSIGNAL) != (ssize_t)strlen(line)) {
		complain("%s: the supervisor does not listen: %s", control, strerror(errno));
		close(fd);
		return 1;
	}
	from = fdopen(fd, "r");
	if (!from)
		return 1;
	status = show(from, control);
	fclose(from);
	return status;
}

// SPDX-License-Identifier: MIT
/*
 * A text of services, one a line: NAME: COMMAND. Commands that need a shell are given to
 * one, as make(1) does; others are split at blanks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervise.h"

/* All that means something to a shell, in some place. */
#define SHELL_CHARS	"\"#$&'()*;<>?[\\]^`{|}~"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* What no program is there for, and makes sense alone. */
static bool is_builtin(const char *word, size_t len)
{
	static const char *const builtins[] = { "!", ".", ":", "command", "eval", "exec", "exit" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(builtins); i++)
		if (strlen(builtins[i]) == len && !memcmp(builtins[i], word, len))
			return true;
	return false;
}

static bool needs_shell(const char *command, size_t len)
{
	size_t first = 0, i;

	while (first < len && !is_blank(command[first]))
		first++;
	if (is_builtin(command, first) || memchr(command, '=', first))
		return true;
	for (i = 0; i < len; i++)
		if (strchr(SHELL_CHARS, command[i]))
			return true;
	return false;
}

/* Words of a copy of @command that is cut in place. */
static void split(char *command, char **argv)
{
	while (*command) {
		*argv++ = command;
		while (*command && !is_blank(*command))
			command++;
		while (is_blank(*command))
			*command++ = 0;
	}
	*argv = NULL;
}

static char *append(char **end, const char *from, size_t len)
{
	char *s = *end;

	memcpy(s, from, len);
	s[len] = 0;
	*end += len + 1;
	return s;
}

/* @command has no blanks around it, and is not empty. With @dir it is a path. */
struct spec *spec_new(const char *name, size_t name_len, const char *command, size_t command_len,
		      const char *dir)
{
	bool shell = !dir && needs_shell(command, command_len);
	size_t words = dir ? 2 : shell ? 4 : command_len / 2 + 2;
	size_t size = name_len + 1 + 2 * (command_len + 1) + sizeof("/bin/sh") + sizeof("-c");
	struct spec *spec;
	char *end;

	if (dir)
		size += strlen(dir) + 1;
	spec = malloc(sizeof(*spec) + words * sizeof(spec->argv[0]) + size);
	if (!spec)
		return NULL;
	end = (char *)&spec->argv[words];
	spec->next = NULL;
	spec->name = append(&end, name, name_len);
	spec->command = append(&end, command, command_len);
	spec->dir = dir && *dir ? append(&end, dir, strlen(dir)) : NULL;
	if (shell) {
		spec->argv[0] = append(&end, "/bin/sh", 7);
		spec->argv[1] = append(&end, "-c", 2);
		spec->argv[2] = (char *)spec->command;
		spec->argv[3] = NULL;
	} else if (dir) {
		spec->argv[0] = (char *)spec->command;
		spec->argv[1] = NULL;
	} else {
		split(append(&end, command, command_len), spec->argv);
	}
	return spec;
}

void specs_free(struct spec *list)
{
	struct spec *spec;

	while ((spec = list)) {
		list = spec->next;
		free(spec);
	}
}

/* NULL, or what is wrong with it. It is shown in logs and tables, and may be a file's. */
const char *name_problem(const char *name, size_t len)
{
	size_t i;

	if (!len)
		return "no name before the colon";
	if (len > MAX_NAME)
		return "the name is longer than 64 characters";
	if (*name == '.' || *name == '-')
		return "the name begins with '.' or '-'";
	for (i = 0; i < len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.@+-",
			    name[i]) || !name[i])
			return "the name has other characters than letters, digits and _ . @ + -";
	return NULL;
}

static bool is_known(const struct spec *list, const char *name, size_t len)
{
	for (; list; list = list->next)
		if (strlen(list->name) == len && !memcmp(list->name, name, len))
			return true;
	return false;
}

/* NULL, or what is wrong with it. An empty line leaves @spec NULL. */
static const char *parse_line(const char *line, size_t len, const struct spec *list,
			      struct spec **spec)
{
	const char *end = line + len, *colon, *name_end;
	const char *problem;

	*spec = NULL;
	if (end > line && end[-1] == '\r')
		end--;
	while (end > line && is_blank(end[-1]))
		end--;
	while (line < end && is_blank(*line))
		line++;
	if (line == end || *line == '#')
		return NULL;
	if (memchr(line, 0, end - line))
		return "a NUL character: this is no text";
	colon = memchr(line, ':', end - line);
	if (!colon)
		return "no colon: a line is NAME: COMMAND";
	for (name_end = colon; name_end > line && is_blank(name_end[-1]); name_end--)
		;
	problem = name_problem(line, name_end - line);
	if (problem)
		return problem;
	if (is_known(list, line, name_end - line))
		return "another line has this name, too";
	for (colon++; colon < end && is_blank(*colon); colon++)
		;
	if (colon == end)
		return "no command after the colon";
	*spec = spec_new(line, name_end - line, colon, end - colon, NULL);
	return *spec ? NULL : strerror(ENOMEM);
}

int parse_services(const char *text, size_t size, struct spec **list, complaint_fn *complaint,
		   void *arg)
{
	const char *end = text + size, *eol;
	struct spec **last = list;
	unsigned int line, nr = 0, bad = 0;
	const char *problem;

	*list = NULL;
	for (line = 1; text < end; line++, text = eol + 1) {
		eol = memchr(text, '\n', end - text);
		if (!eol)
			eol = end;
		problem = parse_line(text, eol - text, *list, last);
		if (!problem && *last && ++nr > MAX_SERVICES)
			problem = "more than 1000 services";
		if (problem) {
			complaint(arg, line, problem);
			if (++bad == MAX_COMPLAINTS || nr > MAX_SERVICES)
				break;
		}
		if (*last)
			last = &(*last)->next;
	}
	if (!bad)
		return 0;
	specs_free(*list);
	*list = NULL;
	return -1;
}

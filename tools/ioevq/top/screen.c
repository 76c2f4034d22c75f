// SPDX-License-Identifier: MIT
/* The screen: it is drawn again when a delay is over, a key comes or its size changes. */
#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "top.h"

static atomic_bool ends;

static void end(int signal)
{
	(void)signal;
	ends = true;
}

static void put_line(int y, const char *line)
{
	mvaddnstr(y, 0, line, COLS);
}

/* Columns of the table that stay where they are: up to the command, if there is room for more. */
static int fixed_columns(void)
{
	return COLS >= NAME_SIZE + 20 ? NAME_SIZE : 0;
}

/* Of the table: what says which queue it is, and of the rest what begins at @left. */
static void put_row(int y, const char *line, int left)
{
	int fixed = fixed_columns(), len = strlen(line);

	mvaddnstr(y, 0, line, fixed);
	if (fixed + left < len)
		mvaddnstr(y, fixed, line + fixed + left, COLS - fixed);
}

static int larger(int a, int b)
{
	return a > b ? a : b;
}

/*
 * @first: row at the top, @left: columns of the table that are hidden at the left. Returns the
 * length of the longest line of the table.
 */
static int draw(const struct view *view, unsigned int first, int left)
{
	char line[LINE_SIZE];
	int y = 0, heading, longest;
	unsigned int i;

	erase();
	attron(A_BOLD);
	title_line(view, line);
	put_line(y++, line);
	attroff(A_BOLD);
	summary_line(view, line);
	put_line(y++, line);
	y++;
	heading_line(line);
	longest = strlen(line);
	attron(A_REVERSE);
	mvhline(y, 0, ' ', COLS);
	heading = y;
	put_row(y++, line, left);
	attroff(A_REVERSE);
	for (i = first; i < view->now.nr && y < LINES - 1; i++) {
		row_line(&view->rows[i], line);
		longest = larger(longest, strlen(line));
		/* It does not fit in its ring. */
		if (view->rows[i].q->backlog)
			attron(A_BOLD);
		put_row(y++, line, left);
		attroff(A_BOLD);
	}
	if (longest - left > COLS)
		mvaddch(heading, COLS - 1, '>' | A_REVERSE);
	if (left && fixed_columns())
		mvaddch(heading, fixed_columns(), '<' | A_REVERSE);
	if (!view->now.nr)
		put_line(y++, "No process has a queue.");
	put_line(LINES - 1, "q quit   s other order   arrows move   space now");
	refresh();
	return longest;
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static unsigned int page_size(void)
{
	return LINES > 6 ? LINES - 5 : 1;
}

/* The row at the top when the last one is seen, too */
static unsigned int last_first(const struct view *view)
{
	unsigned int page = page_size();

	return view->now.nr > page ? view->now.nr - page : 0;
}

/* Where one has moved to; @first may be too far. @hidden: columns that do not fit */
static void move_by_key(int key, const struct view *view, int hidden, unsigned int *first,
			int *left)
{
	unsigned int page = page_size();

	if (key == KEY_DOWN)
		*first += 1;
	else if (key == KEY_NPAGE)
		*first += page;
	else if (key == KEY_UP)
		*first -= *first ? 1 : 0;
	else if (key == KEY_PPAGE)
		*first -= *first > page ? page : *first;
	else if (key == KEY_HOME)
		*first = 0;
	else if (key == KEY_END)
		*first = last_first(view);
	else if (key == KEY_RIGHT)
		*left += 8;
	else if (key == KEY_LEFT)
		*left -= *left ? 8 : 0;
	while (*left && *left >= hidden + 8)
		*left -= 8;
}

/* Its hang-up need not be told by a signal, and no key comes any more, at once. */
static bool is_terminal_gone(void)
{
	struct pollfd p = { .fd = STDIN_FILENO };

	return poll(&p, 1, 0) == 1 && p.revents & (POLLHUP | POLLERR);
}

static int run(struct view *view, double delay)
{
	long long next = now_ms();
	unsigned int first = 0;
	int left = 0, key = ' ', err, longest;

	while (!ends) {
		if (now_ms() >= next || key == ' ') {
			err = view_update(view);
			if (err)
				return err;
			next = now_ms() + (long long)(delay * 1000);
		}
		/* There may be fewer of them now. */
		if (first > last_first(view))
			first = last_first(view);
		longest = draw(view, first, left);
		timeout(next > now_ms() ? (int)(next - now_ms()) : 0);
		key = getch();
		if (key == 'q' || key == 'Q' || (key == ERR && is_terminal_gone()))
			break;
		if (key == 's') {
			view->order = (view->order + 1) % ORDERS;
			view_sort(view);
		}
		move_by_key(key, view, longest - COLS, &first, &left);
	}
	return 0;
}

int show_screen(struct view *view, double delay)
{
	const struct sigaction action = { .sa_handler = end };
	const char *term = getenv("TERM");
	SCREEN *screen = newterm(NULL, stdout, stdin);
	int err;

	if (!screen) {
		complain("the terminal is not known (TERM=%s): set TERM, or use --once",
			 term ?: "");
		return 1;
	}
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	err = run(view, delay);
	endwin();
	delscreen(screen);
	if (!err)
		return 0;
	complain("/proc: %s", strerror(-err));
	return 1;
}

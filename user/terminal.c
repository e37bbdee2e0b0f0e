// SPDX-License-Identifier: GPL-2.0-only
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memfd_create(), wcwidth() */
#endif
#include "terminal.h"

#ifdef CONNLIFE_TUI

#include <errno.h>
#include <locale.h>
#include <ncurses.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#undef columns /* a macro of term.h */

#include "base/log.h"
#include "stop.h"
#include "views/top_keys.h"

/* How long an ESC waits for the rest of a key that begins with it. */
#define ESCAPE_MS 25

struct terminal {
	SCREEN *screen;
	bool has_colors;
	int held_fd; /* a file in memory: what goes to stderr meanwhile; -1: none */
	int stderr_fd; /* where stderr went before */
	struct termios modes; /* before */
};

static int nowhere = -1; /* a file in memory */
static volatile sig_atomic_t in_ncurses, is_given_up;

bool terminal_is_fit(void)
{
	const char *name = getenv("TERM");
	bool can_place;
	int error;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		log_line("connlife top needs a terminal; in a pipe use: connlife stuck --watch");
		return false;
	}
	if (setupterm(NULL, STDOUT_FILENO, &error) == ERR) {
		log_line("TERM=%s: this terminal is not known (terminfo), or can do too little; "
			 "try TERM=xterm",
			 name ? name : "");
		return false;
	}
	can_place = cursor_address != NULL;
	del_curterm(cur_term);
	if (!can_place)
		log_line("TERM=%s: this terminal can't place its cursor; try TERM=xterm", name);
	return can_place;
}

/*
 * ncurses repeats a write that a signal interrupts. Where it waits for a reader of the
 * terminal at two beats, though we are to stop, what it writes goes nowhere.
 */
static void on_beat(int signal)
{
	static bool waited;
	bool waits = in_ncurses && stop_is_due();

	if (waits && waited)
		is_given_up = dup2(nowhere, STDOUT_FILENO) >= 0;
	waited = waits;
}

static void beat_every(time_t seconds)
{
	struct itimerval timer = { .it_interval = { .tv_sec = seconds },
				   .it_value = { .tv_sec = seconds } };

	setitimer(ITIMER_REAL, &timer, NULL);
}

static void watch_reader(struct terminal *terminal)
{
	struct sigaction action = { .sa_handler = on_beat, .sa_flags = SA_RESTART };

	tcgetattr(STDIN_FILENO, &terminal->modes);
	nowhere = memfd_create("connlife-unread", MFD_CLOEXEC);
	sigaction(SIGALRM, &action, NULL);
	beat_every(1);
}

/* By ncurses it has no SA_RESTART, and a recording would end that waits for who reads it. */
static void restart_after_resize(void)
{
	struct sigaction action;

	if (!sigaction(SIGWINCH, NULL, &action)) {
		action.sa_flags |= SA_RESTART;
		sigaction(SIGWINCH, &action, NULL);
	}
}

static void hold_stderr(struct terminal *terminal)
{
	terminal->stderr_fd = dup(STDERR_FILENO);
	terminal->held_fd = memfd_create("connlife-log", MFD_CLOEXEC);
	if (terminal->stderr_fd >= 0 && terminal->held_fd >= 0)
		dup2(terminal->held_fd, STDERR_FILENO);
}

/* What was said meanwhile is said now. */
static void release_stderr(struct terminal *terminal)
{
	char block[4096];
	ssize_t got;

	if (terminal->stderr_fd >= 0)
		dup2(terminal->stderr_fd, STDERR_FILENO);
	if (terminal->held_fd >= 0 && !lseek(terminal->held_fd, 0, SEEK_SET)) {
		while ((got = read(terminal->held_fd, block, sizeof(block))) > 0)
			log_write(block, (size_t)got);
	}
	if (terminal->stderr_fd >= 0)
		close(terminal->stderr_fd);
	if (terminal->held_fd >= 0)
		close(terminal->held_fd);
}

static void set_colors(struct terminal *terminal)
{
	static const short colors[LOOK_COLORS] = {
		[LOOK_OPENING] = COLOR_CYAN,   [LOOK_OPEN] = COLOR_GREEN,
		[LOOK_CLOSING] = COLOR_YELLOW, [LOOK_REMAINS] = COLOR_BLUE,
		[LOOK_ALARM] = COLOR_RED,
	};

	if (getenv("NO_COLOR") || !has_colors() || start_color() == ERR)
		return;
	use_default_colors();
	for (short look = LOOK_OPENING; look < LOOK_COLORS; look++)
		init_pair(look, colors[look], -1);
	terminal->has_colors = true;
}

struct terminal *terminal_open(void)
{
	struct terminal *terminal = calloc(1, sizeof(*terminal));

	if (!terminal) {
		log_line("out of memory");
		return NULL;
	}
	setlocale(LC_CTYPE, "");
	watch_reader(terminal);
	in_ncurses = true;
	terminal->screen = newterm(NULL, stdout, stdin);
	if (!terminal->screen) {
		beat_every(0);
		log_line("can't set up the terminal");
		free(terminal);
		return NULL;
	}
	restart_after_resize();
	hold_stderr(terminal);
	set_escdelay(ESCAPE_MS);
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_colors(terminal);
	in_ncurses = false;
	return terminal;
}

void terminal_close(struct terminal *terminal)
{
	if (!terminal)
		return;
	in_ncurses = true;
	endwin();
	beat_every(0);
	if (is_given_up) /* ncurses could not */
		tcsetattr(STDIN_FILENO, TCSANOW, &terminal->modes);
	delscreen(terminal->screen);
	release_stderr(terminal);
	free(terminal);
}

unsigned int terminal_rows(const struct terminal *terminal)
{
	return LINES > 0 ? (unsigned int)LINES : 0;
}

unsigned int terminal_columns(const struct terminal *terminal)
{
	return COLS > 0 ? (unsigned int)COLS : 0;
}

static attr_t attributes(const struct terminal *terminal, unsigned int look)
{
	unsigned int color = look & LOOK_COLOR_MASK;
	attr_t attr = A_NORMAL;

	if (look & LOOK_BOLD)
		attr |= A_BOLD;
	if (look & LOOK_DIM)
		attr |= A_DIM;
	if (look & LOOK_REVERSE)
		attr |= A_REVERSE;
	if (terminal->has_colors && color)
		attr |= (attr_t)COLOR_PAIR(color);
	else if (color == LOOK_ALARM)
		attr |= A_BOLD;
	return attr;
}

/* Columns and bytes of the character at str; 0 columns where the terminal can't show it alone. */
static size_t measure(const char *str, size_t len, unsigned int *columns)
{
	mbstate_t state = { 0 };
	wchar_t wide;
	size_t bytes = mbrtowc(&wide, str, len, &state);
	int width;

	if (bytes == 0 || bytes > len) {
		*columns = 0;
		return 1;
	}
	width = wcwidth(wide);
	*columns = width > 0 ? (unsigned int)width : 0;
	return bytes;
}

/* A character of two columns, or none, must not push what stands beside it. */
static void draw_span(const struct top_span *span, const char *str)
{
	unsigned int column = 0, columns;

	if (move((int)span->row, (int)span->column) == ERR)
		return;
	for (size_t at = 0, bytes; at < span->len; at += bytes, column += columns) {
		bytes = measure(str + at, span->len - at, &columns);
		if (column + (columns ? columns : 1) > span->width)
			return;
		if (columns) {
			addnstr(str + at, (int)bytes);
		} else {
			addch('?');
			columns = 1;
		}
	}
}

void terminal_draw(struct terminal *terminal, const struct top_page *page)
{
	erase();
	for (size_t i = 0; i < page->len && !page->failed; i++) {
		const struct top_span *span = &page->spans[i];

		if (!span->width)
			continue;
		attrset((int)attributes(terminal, span->look));
		draw_span(span, page->text.data + span->start);
	}
	attrset(A_NORMAL);
	in_ncurses = true;
	refresh();
	in_ncurses = false;
}

int terminal_key(struct terminal *terminal)
{
	int key;

	in_ncurses = true; /* it draws, too */
	key = getch();
	in_ncurses = false;
	switch (key) {
	case ERR:
		return TERMINAL_NO_KEY;
	case KEY_RESIZE:
		return TERMINAL_RESIZED;
	case KEY_UP:
		return TOP_KEY_UP;
	case KEY_DOWN:
		return TOP_KEY_DOWN;
	case KEY_PPAGE:
		return TOP_KEY_PAGE_UP;
	case KEY_NPAGE:
		return TOP_KEY_PAGE_DOWN;
	case KEY_HOME:
		return TOP_KEY_HOME;
	case KEY_END:
		return TOP_KEY_END;
	case KEY_ENTER:
	case '\r':
	case '\n':
		return TOP_KEY_ENTER;
	case KEY_BACKSPACE:
		return TOP_KEY_BACKSPACE;
	case '\x1b':
		return TOP_KEY_ESCAPE;
	default:
		return key > 0xff ? 0 : key;
	}
}

#endif

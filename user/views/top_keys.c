// SPDX-License-Identifier: GPL-2.0-only
#include "views/top_keys.h"

#include <string.h>

#define CTRL_U 0x15
#define CTRL_H 0x08
#define DEL 0x7f

size_t top_settings_cursor(const struct top_settings *settings, const struct toplist *list)
{
	size_t at = settings->chosen ? toplist_find(list, settings->chosen) : 0;

	return at < list->shown_len ? at : 0;
}

/* The bar moves to a row, and the list with it as far as it must. */
static void keep_in_sight(struct top_settings *settings, const struct toplist *list, size_t page,
			  size_t at)
{
	size_t most = list->shown_len > page ? list->shown_len - page : 0;

	if (!page)
		page = 1;
	if (at < settings->first)
		settings->first = at;
	if (at >= settings->first + page)
		settings->first = at - page + 1;
	if (settings->first > most)
		settings->first = most;
}

void top_settings_follow(struct top_settings *settings, const struct toplist *list, size_t page)
{
	/* in the details it is still the one, even if it ended */
	if (settings->chosen && settings->pane != TOP_PANE_DETAILS &&
	    toplist_find(list, settings->chosen) == list->shown_len)
		settings->chosen = 0;
	keep_in_sight(settings, list, page, top_settings_cursor(settings, list));
}

static void go_to(struct top_settings *settings, const struct toplist *list, size_t page, size_t at)
{
	if (!list->shown_len)
		return;
	if (at >= list->shown_len)
		at = list->shown_len - 1;
	/* at the top, it is the place that is chosen */
	settings->chosen = at || settings->pane == TOP_PANE_DETAILS ? list->shown[at]->sock : 0;
	keep_in_sight(settings, list, page, at);
}

static bool move(struct top_settings *settings, const struct toplist *list, size_t page, int key)
{
	size_t at = top_settings_cursor(settings, list);
	size_t step = page ? page : 1;

	switch (key) {
	case TOP_KEY_UP:
		at -= at > 0;
		break;
	case TOP_KEY_DOWN:
		at++;
		break;
	case TOP_KEY_PAGE_UP:
		at -= at < step ? at : step;
		break;
	case TOP_KEY_PAGE_DOWN:
		at += step;
		break;
	case TOP_KEY_HOME:
		at = 0;
		break;
	case TOP_KEY_END:
		at = SIZE_MAX;
		break;
	default:
		return false;
	}
	go_to(settings, list, page, at);
	return true;
}

static void rub_out(char *filter)
{
	size_t len = strlen(filter);

	/* a character of UTF-8 goes as a whole */
	while (len && ((uint8_t)filter[len - 1] & 0xc0) == 0x80)
		len--;
	if (len)
		len--;
	filter[len] = '\0';
}

static enum top_deed type(struct top_settings *settings, int key)
{
	size_t len = strlen(settings->filter);

	switch (key) {
	case TOP_KEY_ENTER:
		settings->typing = false;
		return TOP_DRAW;
	case TOP_KEY_ESCAPE:
		settings->typing = false;
		settings->filter[0] = '\0';
		return TOP_SHOW;
	case CTRL_U:
		settings->filter[0] = '\0';
		return TOP_SHOW;
	case TOP_KEY_BACKSPACE:
	case CTRL_H:
	case DEL:
		rub_out(settings->filter);
		return TOP_SHOW;
	}
	if (key < ' ' || key > 0xff || len == TOP_FILTER_LEN)
		return TOP_NOTHING;
	settings->filter[len] = (char)key;
	settings->filter[len + 1] = '\0';
	return TOP_SHOW;
}

static enum top_deed sort_by(struct top_settings *settings, enum top_sort sort)
{
	settings->reverse = false;
	settings->sort = sort;
	settings->chosen = 0;
	settings->first = 0;
	return TOP_SHOW;
}

/* Keys that mean the same in the list and in the details. */
static enum top_deed common_key(struct top_settings *settings, int key)
{
	switch (key) {
	case 'q':
		return TOP_QUIT;
	case 'h':
	case '?':
		settings->pane = TOP_PANE_HELP;
		return TOP_DRAW;
	case 'p':
		settings->paused = !settings->paused;
		return settings->paused ? TOP_DRAW : TOP_LOOK;
	default:
		return TOP_NOTHING;
	}
}

static enum top_deed choose(struct top_settings *settings, const struct toplist *list)
{
	if (!list->shown_len)
		return TOP_NOTHING;
	settings->chosen = list->shown[top_settings_cursor(settings, list)]->sock;
	settings->pane = TOP_PANE_DETAILS;
	return TOP_DRAW;
}

static enum top_deed list_key(struct top_settings *settings, const struct toplist *list, int key)
{
	switch (key) {
	case 'a':
		return sort_by(settings, TOP_BY_AGE);
	case 'b':
		return sort_by(settings, TOP_BY_BYTES);
	case 't':
		return sort_by(settings, TOP_BY_RATE);
	case 'x':
		return sort_by(settings, TOP_BY_RETRANS);
	case 's':
		return sort_by(settings, TOP_BY_STATE);
	case 'r':
		settings->reverse = !settings->reverse;
		return TOP_SHOW;
	case 'w':
		settings->time_wait = !settings->time_wait;
		return TOP_SHOW;
	case '/':
		settings->typing = true;
		return TOP_DRAW;
	case TOP_KEY_ESCAPE:
		settings->filter[0] = '\0';
		return TOP_SHOW;
	case TOP_KEY_ENTER:
		return choose(settings, list);
	default:
		return common_key(settings, key);
	}
}

enum top_deed top_settings_key(struct top_settings *settings, const struct toplist *list,
			       size_t page, int key)
{
	if (settings->pane == TOP_PANE_HELP) {
		settings->pane = TOP_PANE_LIST;
		return key == 'q' ? TOP_QUIT : TOP_DRAW;
	}
	if (move(settings, list, page, key))
		return TOP_DRAW;
	if (settings->typing)
		return type(settings, key);
	if (settings->pane != TOP_PANE_DETAILS)
		return list_key(settings, list, key);
	if (key != TOP_KEY_ENTER && key != TOP_KEY_ESCAPE)
		return common_key(settings, key);
	settings->pane = TOP_PANE_LIST;
	return TOP_DRAW;
}

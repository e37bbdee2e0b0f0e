/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the user of top has chosen, and what a key changes in it. Knows no
 * terminal: keys are characters, and names for those that are none.
 */
#ifndef CONNLIFE_TOP_KEYS_H
#define CONNLIFE_TOP_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/toplist.h"

enum top_key {
	TOP_KEY_UP = 256,
	TOP_KEY_DOWN,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_HOME,
	TOP_KEY_END,
	TOP_KEY_ENTER,
	TOP_KEY_ESCAPE,
	TOP_KEY_BACKSPACE,
};

enum top_pane { TOP_PANE_LIST, TOP_PANE_DETAILS, TOP_PANE_HELP };

#define TOP_FILTER_LEN 63

struct top_settings {
	enum top_pane pane;
	enum top_sort sort;
	bool reverse;
	bool time_wait; /* show those too */
	bool paused;
	bool typing; /* the filter */
	char filter[TOP_FILTER_LEN + 1];
	uint64_t chosen; /* the sock of the row with the bar; 0: whichever is first */
	size_t first; /* of shown, at the top of the list */
};

/* What must be done after a key. */
enum top_deed {
	TOP_NOTHING,
	TOP_DRAW,
	TOP_SHOW, /* fill shown anew, then draw */
	TOP_LOOK, /* look again now, then draw */
	TOP_QUIT,
};

/* page: the rows of the list that the screen has. */
enum top_deed top_settings_key(struct top_settings *settings, const struct toplist *list,
			       size_t page, int key);

/* Where the bar stands; 0 where the list is empty. */
size_t top_settings_cursor(const struct top_settings *settings, const struct toplist *list);

/* After shown or page changed: the bar stays on its connection, and on the screen. */
void top_settings_follow(struct top_settings *settings, const struct toplist *list, size_t page);

#endif

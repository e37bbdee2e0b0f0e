/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The screen of top, laid out: from rows, what was chosen and the size of a
 * terminal to pieces of text with a place. Knows no terminal and no clock.
 */
#ifndef CONNLIFE_VIEWS_TOP_H
#define CONNLIFE_VIEWS_TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/topdetails.h"
#include "core/toplist.h"
#include "views/top_keys.h"
#include "views/top_page.h"
#include "views/view.h"

struct top_scene {
	const struct toplist *list;
	const struct top_settings *settings;
	const struct top_details *details; /* of settings->chosen */
	const struct view_clock *clock;
	bool looked; /* there was a look */
	int64_t now_ns; /* of the last look */
	uint32_t interval_s;
	uint64_t lost; /* events */
	uint64_t untracked; /* connections for want of room */
};

/* The rows that the list has on such a screen; at least 1. */
size_t top_list_rows(const struct top_scene *scene, unsigned int rows, unsigned int columns);

/* page was cleared to the size of the screen. */
void top_draw(struct top_page *page, const struct top_scene *scene);

enum top_look top_state_look(uint8_t state);

/* The parts, each in its file: from a row down to before another. */
void top_draw_head(struct top_page *page, const struct top_scene *scene);
unsigned int top_head_rows(const struct top_scene *scene, unsigned int rows, unsigned int columns);
void top_draw_table(struct top_page *page, const struct top_scene *scene, unsigned int row,
		    unsigned int end);
void top_draw_details(struct top_page *page, const struct top_scene *scene, unsigned int row,
		      unsigned int end);

#endif

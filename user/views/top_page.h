/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A screen before it is drawn: pieces of text, each with its place, its room
 * and its look. Knows no terminal, and nothing of what the text says.
 */
#ifndef CONNLIFE_TOP_PAGE_H
#define CONNLIFE_TOP_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* A colour, where the terminal has them, and bits besides. */
enum top_look {
	LOOK_PLAIN,
	LOOK_OPENING,
	LOOK_OPEN,
	LOOK_CLOSING,
	LOOK_REMAINS,
	LOOK_ALARM,
	LOOK_COLORS,
	LOOK_COLOR_MASK = 0x0f,
	LOOK_BOLD = 0x10,
	LOOK_DIM = 0x20,
	LOOK_REVERSE = 0x40,
};

struct top_span {
	unsigned int row, column, width; /* what is wider is cut */
	unsigned int look;
	size_t start, len; /* in the page's text */
};

struct top_page {
	struct text text;
	struct top_span *spans;
	size_t len, cap;
	unsigned int rows, columns;
	bool failed; /* memory was short */
};

void top_page_init(struct top_page *page);
void top_page_free(struct top_page *page);
void top_page_clear(struct top_page *page, unsigned int rows, unsigned int columns);

/*
 * What is written to page->text between these two stands at that place; what
 * lies beyond the screen is left out. width 0: up to its right edge.
 */
void top_page_open(struct top_page *page, unsigned int row, unsigned int column, unsigned int width,
		   unsigned int look);
void top_page_close(struct top_page *page);

/* The same for text of ours; returns the column behind it. */
unsigned int top_page_put(struct top_page *page, unsigned int row, unsigned int column,
			  unsigned int look, const char *str);

/* Moves what was closed last to the right edge of its room; one byte a column. */
void top_page_align_right(struct top_page *page);

/* A whole line in one look, under what is put there after it. */
void top_page_fill(struct top_page *page, unsigned int row, unsigned int look);

/* The columns that the text closed last takes: one a character. */
unsigned int top_page_width(const struct top_page *page);

#endif

// SPDX-License-Identifier: GPL-2.0-only
#include "views/top_page.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 256

void top_page_init(struct top_page *page)
{
	*page = (struct top_page){ 0 };
	text_init(&page->text);
}

void top_page_free(struct top_page *page)
{
	free(page->spans);
	text_free(&page->text);
}

void top_page_clear(struct top_page *page, unsigned int rows, unsigned int columns)
{
	text_clear(&page->text);
	page->len = 0;
	page->rows = rows;
	page->columns = columns;
	page->failed = false;
}

static struct top_span *add_span(struct top_page *page)
{
	size_t cap = page->cap ? page->cap * 2 : FIRST_CAP;
	struct top_span *spans;

	if (page->len == page->cap) {
		spans = realloc(page->spans, cap * sizeof(*spans));
		if (!spans) {
			page->failed = true;
			return NULL;
		}
		page->spans = spans;
		page->cap = cap;
	}
	return &page->spans[page->len++];
}

void top_page_open(struct top_page *page, unsigned int row, unsigned int column, unsigned int width,
		   unsigned int look)
{
	struct top_span *span = add_span(page);
	unsigned int room = column < page->columns ? page->columns - column : 0;

	if (!span)
		return;
	if (!width || width > room)
		width = room;
	if (row >= page->rows)
		width = 0;
	*span = (struct top_span){
		.row = row, .column = column, .width = width, .look = look, .start = page->text.len
	};
}

void top_page_close(struct top_page *page)
{
	struct top_span *span = page->len ? &page->spans[page->len - 1] : NULL;

	page->failed |= page->text.failed;
	if (!page->failed && span)
		span->len = page->text.len - span->start;
}

unsigned int top_page_width(const struct top_page *page)
{
	const struct top_span *span = page->len ? &page->spans[page->len - 1] : NULL;
	unsigned int columns = 0;

	if (page->failed || !span)
		return 0;
	/* every byte of UTF-8 but those that go on with a character */
	for (size_t i = 0; i < span->len; i++)
		columns += ((uint8_t)page->text.data[span->start + i] & 0xc0) != 0x80;
	return columns;
}

unsigned int top_page_put(struct top_page *page, unsigned int row, unsigned int column,
			  unsigned int look, const char *str)
{
	top_page_open(page, row, column, 0, look);
	text_str(&page->text, str);
	top_page_close(page);
	return column + top_page_width(page);
}

void top_page_align_right(struct top_page *page)
{
	struct top_span *span = page->len ? &page->spans[page->len - 1] : NULL;

	if (page->failed || !span || span->len >= span->width)
		return;
	span->column += span->width - (unsigned int)span->len;
	span->width = (unsigned int)span->len;
}

void top_page_fill(struct top_page *page, unsigned int row, unsigned int look)
{
	top_page_open(page, row, 0, 0, look);
	text_pad(&page->text, page->text.len, page->columns);
	top_page_close(page);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For the fuzz targets: what holds of every text that is printed for people,
 * whatever names stand in it. Knows UTF-8 by its own hand, not by ours.
 */
#ifndef CONNLIFE_FUZZ_CHECK_H
#define CONNLIFE_FUZZ_CHECK_H

#include "base/text.h"
#include "feed.h"

/* RFC 3629, strictly; *code is the character's. 0: there is none. */
static inline size_t check_utf8(const uint8_t *at, size_t left, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = *at < 0x80		    ? 1
		     : (*at & 0xe0) == 0xc0 ? 2
		     : (*at & 0xf0) == 0xe0 ? 3
		     : (*at & 0xf8) == 0xf0 ? 4
					    : 0;

	if (!len || len > left)
		return 0;
	*code = len == 1 ? *at : (uint32_t)*at & (0x7fU >> len);
	for (size_t i = 1; i < len; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (at[i] & 0x3f);
	}
	if (*code < least[len] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return len;
}

static inline bool check_is_utf8(const char *str, size_t left)
{
	const uint8_t *at = (const uint8_t *)str;
	uint32_t code;

	while (left) {
		size_t len = check_utf8(at, left, &code);

		if (!len)
			return false;
		at += len;
		left -= len;
	}
	return true;
}

/*
 * How many characters of ASCII it begins with that can be seen. Most are, and there are
 * many: without the sanitizers, as the caller knows that all of them are there.
 */
static __attribute__((no_sanitize("address", "undefined", "coverage"))) size_t
check_ascii(const uint8_t *at, size_t left)
{
	size_t len = 0;

	while (len < left && at[len] >= 0x20 && at[len] < 0x7f)
		len++;
	return len;
}

/* Characters of a line that no terminal takes for a command; the line's end is at its end. */
static inline size_t check_line(const char *line, size_t left)
{
	const uint8_t *at = (const uint8_t *)line;
	size_t columns = 0;

	while (left) {
		uint32_t code;
		size_t len = check_ascii(at, left);

		columns += len;
		at += len;
		left -= len;
		if (!left)
			break;
		len = check_utf8(at, left, &code);
		MUST(len);
		MUST(code >= 0x20 && code != 0x7f && !(code >= 0x80 && code < 0xa0));
		at += len;
		left -= len;
		columns++;
	}
	return columns;
}

/* Lines of a whole text, none of them wider than that; returns how many. */
static inline size_t check_lines(const struct text *text, size_t columns_max)
{
	const char *at = text->data;
	size_t left = text->len, lines = 0;

	MUST(!text->failed);
	while (left) {
		const char *end = memchr(at, '\n', left);

		MUST(end);
		MUST(check_line(at, (size_t)(end - at)) <= columns_max);
		left -= (size_t)(end + 1 - at);
		at = end + 1;
		lines++;
	}
	return lines;
}

/* Fields of one line of RFC 4180, with its line end; *line goes behind it. */
static inline size_t check_csv_line(const char **line, const char *end)
{
	const char *at = *line;
	size_t fields = 1;

	for (;;) {
		if (at < end && *at == '"') {
			for (at++;; at++) {
				MUST(at < end && *at != '\n');
				if (*at != '"')
					continue;
				if (at + 1 >= end || at[1] != '"')
					break;
				at++;
			}
			at++;
		} else {
			while (at < end && *at != ',' && *at != '\n') {
				MUST(*at != '"');
				at++;
			}
		}
		MUST(at < end && (*at == ',' || *at == '\n'));
		if (*at++ == '\n')
			break;
		fields++;
	}
	*line = at;
	return fields;
}

/* Every line has as many fields as the first. */
static inline void check_csv(const struct text *text)
{
	const char *at = text->data, *end = text->data + text->len;
	size_t fields = 0;

	MUST(!text->failed);
	while (text->len && at < end) {
		size_t here = check_csv_line(&at, end);

		MUST(!fields || here == fields);
		fields = here;
	}
}

#endif

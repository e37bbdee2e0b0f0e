/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A growing buffer of output bytes and the few formats that lines are made
 * of, without printf. Knows nothing of connections, columns or files.
 */
#ifndef CONNLIFE_TEXT_H
#define CONNLIFE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	char *data; /* not terminated; NULL before the first byte */
	size_t len;
	size_t cap;
	bool failed; /* memory was short: what is here is not whole */
};

#define TEXT_INIT                                                                                  \
	{                                                                                          \
		NULL, 0, 0, false                                                                  \
	}

void text_init(struct text *text);
void text_free(struct text *text);

/* Keeps the memory for the next use and forgets a failure. */
void text_clear(struct text *text);

/* Makes room for more bytes; false, with failed set for good, where it can't. */
bool text_grow(struct text *text, size_t more);

/*
 * Where up to size bytes may be written before len is advanced by as many;
 * NULL once the text has failed.
 */
static inline char *text_room(struct text *text, size_t size)
{
	if (text->failed || (text->cap - text->len <= size && !text_grow(text, size)))
		return NULL;
	return text->data + text->len;
}

static inline void text_char(struct text *text, char c)
{
	char *to = text_room(text, 1);

	if (!to)
		return;
	*to = c;
	text->len++;
}

void text_mem(struct text *text, const void *data, size_t size);
void text_str(struct text *text, const char *str);
void text_u64(struct text *text, uint64_t value);
void text_i64(struct text *text, int64_t value);

/* Lower case, no prefix, no leading zeros. */
void text_hex(struct text *text, uint64_t value);

/* value / 10^decimals, exactly: (12345, 2) is 123.45; decimals up to 18, 0 gives no point. */
void text_fixed(struct text *text, int64_t value, unsigned int decimals);

/* Spaces until at least width bytes stand after the byte number from. */
void text_pad(struct text *text, size_t from, size_t width);

/* 16 bytes in network order; ::ffff:a.b.c.d is written as a.b.c.d. */
void text_addr(struct text *text, const uint8_t addr[16]);

/* HH:MM:SS in the local time zone of ns since 1970-01-01 UTC. */
void text_clock(struct text *text, int64_t realtime_ns);

/* 2026-07-31T12:34:56.123456789Z of ns since 1970-01-01 UTC. */
void text_rfc3339(struct text *text, int64_t realtime_ns);

/*
 * Bytes that an enemy may have chosen, for a terminal: control characters
 * (C0, DEL and C1), backslashes and what isn't UTF-8 become \xNN, the rest
 * stays. Stops before the first character or escape that would pass
 * max_columns, counting one column a character; returns the columns written.
 */
size_t text_visible(struct text *text, const char *str, size_t size, size_t max_columns);

/* Length of the well-formed UTF-8 character (RFC 3629) at str, 0 where there is none. */
size_t text_utf8_len(const char *str, size_t size);

#endif

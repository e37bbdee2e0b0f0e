// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of all that writes JSON: records, steps, what is stuck, and the
 * writer below them. Each line is one value by the parser of jansson, strictly,
 * and a name that is UTF-8 is read back as it was.
 */
#include <linux/types.h>

#include "base/json.h"
/* ours have other names in this build */
#undef json_string
#undef json_null
#include <jansson.h>

#include "check.h"
#include "reports.h"
#include "stuck_scene.h"
#include "views/jsonl.h"
#include "views/stuck_json.h"

#define ARENA_BYTES (1 << 20)

static struct text text;
static struct scene scene;

/* What jansson asks for lives until the next input: its own faults are not looked for. */
static _Alignas(16) char arena[ARENA_BYTES];
static size_t arena_used;

static void *arena_malloc(size_t size)
{
	size_t at = arena_used;

	size = (size + 15) & ~(size_t)15;
	if (size > ARENA_BYTES - at)
		return malloc(size);
	arena_used += size;
	return arena + at;
}

static void arena_free(void *block)
{
	if ((char *)block < arena || (char *)block >= arena + ARENA_BYTES)
		free(block);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	json_set_alloc_funcs(arena_malloc, arena_free);
	json_object_seed(1);
	return 0;
}

/* All numbers as doubles: 64 bits without a sign are JSON too. */
static json_t *parse(const char *line, size_t len)
{
	json_error_t error;
	json_t *value = json_loadb(line, len,
				   JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL |
					   JSON_DECODE_ANY | JSON_ALLOW_NUL,
				   &error);

	if (!value)
		fprintf(stderr, "%s at %d: %.*s\n", error.text, error.position, (int)len, line);
	MUST(value);
	return value;
}

/* Each line an object; the last one is returned. */
static json_t *parse_lines(void)
{
	const char *at = text.data;
	size_t left = text.len;
	json_t *value = NULL;

	MUST(!text.failed && left);
	while (left) {
		const char *end = memchr(at, '\n', left);

		MUST(end);
		json_decref(value);
		value = parse(at, (size_t)(end - at));
		MUST(json_is_object(value));
		left -= (size_t)(end + 1 - at);
		at = end + 1;
	}
	return value;
}

static void must_be_text(const json_t *value, const char *must)
{
	if (!must || !*must)
		MUST(json_is_null(value));
	else
		MUST(json_is_string(value));
	if (must && *must && check_is_utf8(must, strlen(must)))
		MUST(!strcmp(json_string_value(value), must));
}

static void check_conn(struct feed *feed)
{
	static struct fed_conn fed;
	struct view_clock clock;
	json_t *value;

	feed_clock(feed, &clock);
	feed_conn(feed, &fed, false);
	jsonl_conn(&text, &clock, &fed.conn);
	value = parse_lines();
	must_be_text(json_object_get(value, "comm"), fed.conn.comm);
	MUST(json_array_size(json_object_get(value, "states")) == fed.conn.states_len);
	MUST(json_is_boolean(json_object_get(value, "complete")));
	json_decref(value);
}

static void check_step(struct feed *feed)
{
	struct view_clock clock;
	struct report_step step;
	struct ev_tuple tuple;
	json_t *value;

	feed_clock(feed, &clock);
	feed_step(feed, &step, &tuple);
	jsonl_step(&text, &clock, &step);
	value = parse_lines();
	must_be_text(json_object_get(json_object_get(value, "step"), "comm"), step.comm);
	json_decref(value);
}

static void check_stuck(struct feed *feed)
{
	struct view_clock clock;
	json_t *value;

	feed_clock(feed, &clock);
	scene_feed(&scene, feed);
	stuck_json_write(&text, &clock, &scene.page);
	value = parse_lines();
	MUST(json_is_object(json_object_get(value, "summary")));
	json_decref(value);
}

static void put_value(struct feed *feed, struct json *json)
{
	char name[256];

	switch (feed_below(feed, 8)) {
	case 0:
		json_i64(json, feed_i64(feed));
		break;
	case 1:
		json_u64(json, feed_u64(feed));
		break;
	case 2:
		json_hex(json, feed_u64(feed));
		break;
	case 3:
		json_time(json, feed_i64(feed));
		break;
	case 4:
		json_bool(json, feed_bool(feed));
		break;
	case 5:
		feed_bytes(feed, name, 16);
		json_addr(json, (const uint8_t *)name);
		break;
	case 6:
		feed_name(feed, name, sizeof(name) - 1);
		connlife_json_string(json, feed_bool(feed) ? name : NULL);
		break;
	default:
		json_bytes(json, (const char *)feed->at, feed->left);
		feed->left = 0;
	}
}

static void check_writer(struct feed *feed)
{
	struct json json;

	json_init(&json, &text);
	json_open_array(&json);
	while (feed->left)
		put_value(feed, &json);
	json_close_array(&json);
	json_decref(parse(text.data, text.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const checks[])(struct feed *) = { check_conn, check_step, check_stuck,
							 check_writer };
	struct feed feed = { data, size };

	text_clear(&text);
	arena_used = 0;
	checks[feed_below(&feed, ARRAY_SIZE(checks))](&feed);
	return 0;
}

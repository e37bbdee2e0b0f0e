/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For the fuzz targets: the input of the fuzzer as a row of values, from numbers
 * at the ends of their types to names of any bytes, and a word before an abort().
 * An input that is used up goes on as zeros. Knows nothing of what is tested.
 */
#ifndef CONNLIFE_FUZZ_FEED_H
#define CONNLIFE_FUZZ_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

/* Told with the place; libFuzzer keeps the input. */
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			fflush(stderr);                                                            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* What is freed stays poisoned, but not so much of it that the cache holds nothing else. */
const char *__asan_default_options(void);
__attribute__((used, visibility("default"))) const char *__asan_default_options(void)
{
	return "quarantine_size_mb=4:thread_local_quarantine_size_kb=256:malloc_context_size=8";
}

struct feed {
	const uint8_t *at;
	size_t left;
};

static inline void feed_bytes(struct feed *feed, void *to, size_t size)
{
	size_t got = size < feed->left ? size : feed->left;

	if (got)
		memcpy(to, feed->at, got);
	if (got < size)
		memset((uint8_t *)to + got, 0, size - got);
	feed->at += got;
	feed->left -= got;
}

static inline uint8_t feed_u8(struct feed *feed)
{
	if (!feed->left)
		return 0;
	feed->left--;
	return *feed->at++;
}

static inline bool feed_bool(struct feed *feed)
{
	return feed_u8(feed) & 1;
}

/* 0 to limit - 1. */
static inline uint8_t feed_below(struct feed *feed, unsigned int limit)
{
	return (uint8_t)(feed_u8(feed) % limit);
}

/* Small ones, any, and those where something ends. */
static inline uint64_t feed_u64(struct feed *feed)
{
	static const uint64_t ends[] = {
		0,
		1,
		UINT64_MAX,
		INT64_MAX,
		INT64_MAX - 1ULL,
		INT64_MIN,
		INT64_MIN + 1ULL,
		UINT32_MAX,
		INT32_MAX,
		UINT32_MAX + 1ULL,
		1000000000,
		999999999,
		60000000000ULL,
		0x5eedULL,
		1ULL << 53,
		-5ULL,
		1024,
		65535,
		65536,
		3600000000000ULL,
		999,
		1000000,
		1048576,
		1ULL << 40,
		1000000000000000000ULL,
		9999499999,
		59999999999ULL,
		86399999999999ULL,
		999950000ULL,
		100ULL,
	};
	uint8_t class = feed_u8(feed);
	uint64_t value = 0;

	if (class >= 128)
		return ends[class % ARRAY_SIZE(ends)];
	if (class < 64)
		return feed_u8(feed);
	feed_bytes(feed, &value, class < 88 ? 2 : class < 108 ? 4 : 8);
	return value;
}

static inline uint32_t feed_u32(struct feed *feed)
{
	return (uint32_t)feed_u64(feed);
}

static inline uint16_t feed_u16(struct feed *feed)
{
	return (uint16_t)feed_u64(feed);
}

static inline int64_t feed_i64(struct feed *feed)
{
	return (int64_t)feed_u64(feed);
}

/* The same where all below 0 would mean unknown, and is one value. */
static inline int64_t feed_count(struct feed *feed)
{
	int64_t count = feed_i64(feed);

	return count < 0 ? -1 : count;
}

/* Up to max bytes of anything but NUL, and a NUL behind them. */
static inline void feed_name(struct feed *feed, char *to, size_t max)
{
	static const char *const hostile[] = {
		"a\"b",	      "back\\slash",  "new\nline",    "\033[2J",      "\xff\xfe",
		"\xc3",	      "=1+1,x",	      "a,b",	      "\xe2\x80\xae", "\xc2\x9b\x33\x31m",
		"\r\t\b",     "\xf0\x9f\x98", "\xed\xa0\x80", "{}[]:#",	      "\xf4\x90\x80\x80",
		"/a/b.scope", "kworker/0:1",  "%s%n",	      "\x7f",	      "\xc0\x80",
	};
	size_t len = feed_u8(feed);

	if (len >= 128) {
		snprintf(to, max + 1, "%s", hostile[len % ARRAY_SIZE(hostile)]);
		return;
	}
	if (len > max)
		len = max;
	feed_bytes(feed, to, len);
	to[len] = '\0';
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For the fuzz targets: the grammar of Prometheus' text exposition format 0.0.4,
 * to the letter, and what holds of a whole file: no series stands in it twice,
 * each belongs to the family above it, buckets never fall.
 */
#ifndef CONNLIFE_FUZZ_PROM_GRAMMAR_H
#define CONNLIFE_FUZZ_PROM_GRAMMAR_H

#include "check.h"

#ifndef SERIES_MAX
#define SERIES_MAX 4096 /* twice as many as a file has, at least */
#endif

struct line {
	const char *at, *end;
};

/* What stands in the file so far. */
static struct {
	struct line family; /* the name in the last # TYPE */
	char type; /* its first letter */
	uint64_t below; /* of the last bucket */
	unsigned int series_len;
	uint64_t seen[SERIES_MAX]; /* hashes of series */
} file;

/* Inlined, and the function too: most of a file are names. */
static inline __attribute__((always_inline)) struct line take_while(struct line *line,
								    bool (*is)(char c))
{
	const char *at = line->at, *end = line->end;
	struct line word = { at, at };

	while (at < end && is(*at))
		at++;
	word.end = line->at = at;
	MUST(word.end > word.at);
	return word;
}

/* Behind what it begins with; NULL: it does not. By hand: libFuzzer notes each memcmp(). */
static inline const char *behind(const struct line *line, const char *what)
{
	const char *at = line->at;

	for (; *what; at++, what++) {
		if (at == line->end || *at != *what)
			return NULL;
	}
	return at;
}

static inline bool begins(const struct line *line, const char *what)
{
	return behind(line, what);
}

static inline void take(struct line *line, const char *what)
{
	const char *at = behind(line, what);

	MUST(at);
	line->at = at;
}

static inline __attribute__((always_inline)) bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline __attribute__((always_inline)) bool is_name(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       c == ':';
}

static inline __attribute__((always_inline)) bool is_number(char c)
{
	return is_digit(c) || c == '.';
}

static inline bool is_word(struct line word, const char *what)
{
	return behind(&word, what) == word.end;
}

/* Every series once: a set by open addressing, of hashes that collide once in 10^12 files. */
static inline void add_series(struct line series)
{
	uint64_t hash = 0xcbf29ce484222325;
	unsigned int i;

	for (const char *at = series.at; at < series.end; at++)
		hash = (hash ^ (uint8_t)*at) * 0x100000001b3;
	hash |= 1;
	MUST(file.series_len++ < SERIES_MAX / 2);
	for (i = hash >> 32 & (SERIES_MAX - 1); file.seen[i]; i = (i + 1) & (SERIES_MAX - 1))
		MUST(file.seen[i] != hash);
	file.seen[i] = hash;
}

/* Only \\, \" and \n are escapes; the rest is UTF-8. */
static inline struct line take_value(struct line *line)
{
	struct line value = { line->at, line->at };

	while (line->at < line->end && *line->at != '"') {
		if (*line->at++ != '\\')
			continue;
		MUST(line->at < line->end);
		MUST(*line->at == '\\' || *line->at == '"' || *line->at == 'n');
		line->at++;
	}
	value.end = line->at;
	MUST(check_is_utf8(value.at, (size_t)(value.end - value.at)));
	take(line, "\"");
	return value;
}

/* Whether one of the labels is le="+Inf". */
static inline void take_labels(struct line *line, bool *has_le, bool *is_inf)
{
	*has_le = *is_inf = false;
	if (!begins(line, "{"))
		return;
	take(line, "{");
	for (;;) {
		struct line name = take_while(line, is_name), value;

		MUST(!is_digit(*name.at));
		take(line, "=\"");
		value = take_value(line);
		*has_le |= is_word(name, "le");
		*is_inf |= is_word(name, "le") && is_word(value, "+Inf");
		if (!begins(line, ","))
			break;
		take(line, ",");
	}
	take(line, "}");
}

/* The name is the family's; of a histogram with one of three ends. */
static inline bool is_bucket(struct line name)
{
	size_t len = (size_t)(file.family.end - file.family.at);
	struct line suffix = { name.at + len, name.end };

	MUST((size_t)(name.end - name.at) >= len && !memcmp(name.at, file.family.at, len));
	if (file.type != 'h') {
		MUST(suffix.at == suffix.end);
		return false;
	}
	MUST(is_word(suffix, "_bucket") || is_word(suffix, "_sum") || is_word(suffix, "_count"));
	return is_word(suffix, "_bucket");
}

static inline uint64_t take_sample_value(struct line *line)
{
	struct line number;
	double value;
	char digits[64], *end;

	if (begins(line, "-"))
		take(line, "-");
	number = take_while(line, is_number);
	MUST(number.end - number.at < (ptrdiff_t)sizeof(digits));
	memcpy(digits, number.at, (size_t)(number.end - number.at));
	digits[number.end - number.at] = '\0';
	value = strtod(digits, &end);
	MUST(!*end && value >= 0);
	return strtoull(digits, NULL, 10);
}

static inline void check_sample(struct line line)
{
	struct line series = line, name = take_while(&line, is_name);
	bool has_le, is_inf, bucket = is_bucket(name);
	uint64_t value;

	take_labels(&line, &has_le, &is_inf);
	series.end = line.at;
	add_series(series);
	take(&line, " ");
	value = take_sample_value(&line);
	MUST(line.at == line.end);
	MUST(has_le == bucket);
	if (!bucket)
		return;
	MUST(value >= file.below);
	file.below = is_inf ? 0 : value;
}

static inline void check_comment(struct line line)
{
	struct line name;

	if (begins(&line, "# HELP ")) {
		take(&line, "# HELP ");
		take_while(&line, is_name);
		take(&line, " ");
		MUST(line.at < line.end);
		return;
	}
	take(&line, "# TYPE ");
	name = take_while(&line, is_name);
	take(&line, " ");
	MUST(is_word(line, "counter") || is_word(line, "gauge") || is_word(line, "histogram"));
	file.family = name;
	file.type = *line.at;
	file.below = 0;
}

static inline void check_file(const struct text *text)
{
	struct line line = { text->data, text->data };
	const char *end = text->data + text->len;

	MUST(!text->failed && text->len);
	memset(&file, 0, sizeof(file));
	for (; line.at < end; line.at = line.end + 1) {
		line.end = memchr(line.at, '\n', (size_t)(end - line.at));
		MUST(line.end);
		if (*line.at == '#')
			check_comment(line);
		else
			check_sample(line);
	}
}

#endif

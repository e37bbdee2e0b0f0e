// SPDX-License-Identifier: GPL-2.0-only
#include "views/top_format.h"

#include "core/report.h"

#define NS_PER_SEC INT64_C(1000000000)
#define MINUTE 60
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* 3m05s: how many of a unit, and the rest in the next one, two digits. */
static void two_units(struct text *text, int64_t seconds, int64_t unit, int64_t next,
		      const char *names)
{
	int64_t rest = seconds % unit / next;

	text_i64(text, seconds / unit);
	text_char(text, names[0]);
	if (rest < 10)
		text_char(text, '0');
	text_i64(text, rest);
	text_char(text, names[1]);
}

void top_format_span(struct text *text, int64_t ns)
{
	int64_t seconds = ns / NS_PER_SEC;

	if (ns == UNKNOWN_NS) {
		text_char(text, '-');
	} else if (seconds < MINUTE) {
		text_fixed(text, ns / (NS_PER_SEC / 10), 1);
		text_char(text, 's');
	} else if (seconds < HOUR) {
		two_units(text, seconds, MINUTE, 1, "ms");
	} else if (seconds < DAY) {
		two_units(text, seconds, HOUR, MINUTE, "hm");
	} else if (seconds < 100 * DAY) {
		two_units(text, seconds, DAY, HOUR, "dh");
	} else {
		text_i64(text, seconds / DAY);
		text_char(text, 'd');
	}
}

void top_format_age(struct text *text, int64_t now_ns, int64_t since_ns, bool is_bound)
{
	if (since_ns == UNKNOWN_NS) {
		text_char(text, '-');
		return;
	}
	if (is_bound)
		text_str(text, ">=");
	top_format_span(text, now_ns > since_ns ? now_ns - since_ns : 0);
}

void top_format_bytes(struct text *text, int64_t bytes)
{
	static const char units[] = "KMGTPE";
	const char *unit = units;

	if (bytes < 1024) {
		top_format_count(text, bytes);
		return;
	}
	for (; bytes >= 1024 * 1024; bytes /= 1024)
		unit++;
	if (bytes < 100 * 1024)
		text_fixed(text, bytes * 10 / 1024, 1);
	else
		text_i64(text, bytes / 1024);
	text_char(text, *unit);
}

void top_format_count(struct text *text, int64_t count)
{
	if (count < 0)
		text_char(text, '-');
	else
		text_i64(text, count);
}

void top_format_ms(struct text *text, int64_t us)
{
	if (us < 0)
		text_char(text, '-');
	else if (us < 10000)
		text_fixed(text, us, 3);
	else if (us < 1000000)
		text_fixed(text, us / 100, 1);
	else
		text_i64(text, us / 1000);
}

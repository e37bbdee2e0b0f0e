// SPDX-License-Identifier: GPL-2.0-only
/*
 * Growing text and the formats of numbers, addresses and times, written by
 * hand because printf() takes most of a line's time. Knows no table.
 */
#include "base/text.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_SEC INT64_C(1000000000)
#define SECS_PER_DAY 86400
#define TEXT_FIRST_CAP 4096
#define U64_DIGITS 20
#define FIXED_DECIMALS_MAX 18

static const char two_digits[200] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";

static const char hex_digits[16] = "0123456789abcdef";

void text_init(struct text *text)
{
	*text = (struct text)TEXT_INIT;
}

void text_free(struct text *text)
{
	free(text->data);
	text_init(text);
}

void text_clear(struct text *text)
{
	text->len = 0;
	text->failed = false;
}

bool text_grow(struct text *text, size_t more)
{
	size_t cap = text->cap ? text->cap : TEXT_FIRST_CAP;
	char *data;

	if (text->failed)
		return false;
	/* The bound keeps the doubling from wrapping around. */
	if (more > PTRDIFF_MAX / 2 || text->len > PTRDIFF_MAX / 2 - more)
		goto fail;
	while (cap < text->len + more)
		cap *= 2;
	data = realloc(text->data, cap);
	if (!data)
		goto fail;
	text->data = data;
	text->cap = cap;
	return true;
fail:
	text->failed = true;
	return false;
}

void text_mem(struct text *text, const void *data, size_t size)
{
	char *to = text_room(text, size);

	/* memcpy() of nothing may still not be given NULL. */
	if (!to || !size)
		return;
	memcpy(to, data, size);
	text->len += size;
}

void text_str(struct text *text, const char *str)
{
	text_mem(text, str, strlen(str));
}

/* Writes value so that it ends before end; returns where it begins. */
static char *digits_before(char *end, uint64_t value)
{
	while (value >= 100) {
		end -= 2;
		memcpy(end, two_digits + value % 100 * 2, 2);
		value /= 100;
	}
	if (value >= 10) {
		end -= 2;
		memcpy(end, two_digits + value * 2, 2);
	} else {
		*--end = '0' + value;
	}
	return end;
}

void text_u64(struct text *text, uint64_t value)
{
	char digits[U64_DIGITS];
	char *start = digits_before(digits + sizeof(digits), value);

	text_mem(text, start, digits + sizeof(digits) - start);
}

/* Also right for INT64_MIN, whose negation has no int64_t. */
static uint64_t magnitude(int64_t value)
{
	return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

void text_i64(struct text *text, int64_t value)
{
	if (value < 0)
		text_char(text, '-');
	text_u64(text, magnitude(value));
}

void text_hex(struct text *text, uint64_t value)
{
	char digits[16];
	char *start = digits + sizeof(digits);

	do {
		*--start = hex_digits[value & 15];
		value >>= 4;
	} while (value);
	text_mem(text, start, digits + sizeof(digits) - start);
}

void text_fixed(struct text *text, int64_t value, unsigned int decimals)
{
	char digits[FIXED_DECIMALS_MAX + U64_DIGITS + 1];
	char *end = digits + sizeof(digits);
	char *start, *point;

	if (decimals > FIXED_DECIMALS_MAX)
		decimals = FIXED_DECIMALS_MAX;
	if (value < 0)
		text_char(text, '-');
	start = digits_before(end, magnitude(value));
	point = end - decimals;
	while (start >= point)
		*--start = '0';
	text_mem(text, start, point - start);
	if (!decimals)
		return;
	text_char(text, '.');
	text_mem(text, point, decimals);
}

void text_pad(struct text *text, size_t from, size_t width)
{
	size_t have = text->len - from;
	char *to;

	if (have >= width)
		return;
	to = text_room(text, width - have);
	if (!to)
		return;
	memset(to, ' ', width - have);
	text->len += width - have;
}

static char *write_byte(char *to, uint8_t value)
{
	if (value >= 100)
		*to++ = '0' + value / 100;
	if (value >= 10) {
		memcpy(to, two_digits + value % 100 * 2, 2);
		return to + 2;
	}
	*to++ = '0' + value;
	return to;
}

static void text_ipv4(struct text *text, const uint8_t addr[4])
{
	char *to = text_room(text, sizeof("255.255.255.255"));
	char *start = to;

	if (!to)
		return;
	for (int i = 0; i < 4; i++) {
		to = write_byte(to, addr[i]);
		*to++ = '.';
	}
	text->len += to - start - 1;
}

void text_addr(struct text *text, const uint8_t addr[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char str[INET6_ADDRSTRLEN];

	if (!memcmp(addr, mapped, sizeof(mapped)))
		text_ipv4(text, addr + 12);
	else if (inet_ntop(AF_INET6, addr, str, sizeof(str)))
		text_str(text, str);
}

/* Rounds down, also before 1970; the rest is at least 0. */
static int64_t floor_div(int64_t value, int64_t by, int64_t *rest)
{
	int64_t div = value / by;

	*rest = value % by;
	if (*rest < 0) {
		*rest += by;
		div--;
	}
	return div;
}

static char *write_pair(char *to, unsigned int value, char after)
{
	memcpy(to, two_digits + value * 2, 2);
	to[2] = after;
	return to + 3;
}

static char *write_hms(char *to, unsigned int sec_of_day, char after)
{
	to = write_pair(to, sec_of_day / 3600, ':');
	to = write_pair(to, sec_of_day / 60 % 60, ':');
	return write_pair(to, sec_of_day % 60, after);
}

void text_clock(struct text *text, int64_t realtime_ns)
{
	/* localtime_r() takes a lock and a third of a microsecond; lines come many a second. */
	static _Thread_local struct {
		int64_t sec;
		bool valid;
		char str[9];
	} last;
	int64_t rest, sec = floor_div(realtime_ns, NS_PER_SEC, &rest);

	if (!last.valid || last.sec != sec) {
		time_t time = sec;
		struct tm tm = { 0 };

		localtime_r(&time, &tm);
		write_hms(last.str, tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec, '\0');
		last.sec = sec;
		last.valid = true;
	}
	text_mem(text, last.str, 8);
}

/*
 * The date of a day since 1970-01-01, counted in eras of 400 years that begin
 * on 1 March, so that the leap day is the last of its year.
 */
static char *write_date(char *to, int64_t days)
{
	int64_t day_of_era, era = floor_div(days + 719468, 146097, &day_of_era);
	unsigned int doe = day_of_era;
	unsigned int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned int doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned int march_month = (5 * doy + 2) / 153;
	unsigned int day = doy - (153 * march_month + 2) / 5 + 1;
	unsigned int month = march_month < 10 ? march_month + 3 : march_month - 9;
	unsigned int year = yoe + era * 400 + (month <= 2);

	/* 64 bits of ns reach from 1677 to 2262: always four digits. */
	memcpy(to, two_digits + year / 100 * 2, 2);
	to = write_pair(to + 2, year % 100, '-');
	to = write_pair(to, month, '-');
	return write_pair(to, day, 'T');
}

void text_rfc3339(struct text *text, int64_t realtime_ns)
{
	int64_t ns, sec_of_day;
	int64_t sec = floor_div(realtime_ns, NS_PER_SEC, &ns);
	int64_t days = floor_div(sec, SECS_PER_DAY, &sec_of_day);
	char str[sizeof("2026-07-31T12:34:56.123456789Z")];
	char *to = write_hms(write_date(str, days), sec_of_day, '.');

	/* A leading 1 keeps the zeros of the fraction; the point then takes its place. */
	digits_before(to + 9, NS_PER_SEC + ns);
	to[-1] = '.';
	to[9] = 'Z';
	text_mem(text, str, sizeof(str) - 1);
}

/* Bytes 80 to 9f after c2 are the C1 controls, which some terminals obey. */
static bool is_c1(const char *str, size_t len)
{
	return len == 2 && (uint8_t)str[0] == 0xc2 && (uint8_t)str[1] < 0xa0;
}

/* Bytes of the character at str that a terminal may be given as it is; 0 for none. */
static size_t plain_len(const char *str, size_t size)
{
	size_t len;
	uint8_t c = *str;

	if (c < 0x80)
		return c >= 0x20 && c != 0x7f && c != '\\';
	len = text_utf8_len(str, size);
	return is_c1(str, len) ? 0 : len;
}

size_t text_visible(struct text *text, const char *str, size_t size, size_t max_columns)
{
	size_t columns = 0;

	while (size) {
		size_t len = plain_len(str, size);
		size_t wide = len ? 1 : 4;

		if (wide > max_columns - columns)
			break;
		if (len) {
			text_mem(text, str, len);
		} else {
			uint8_t c = *str;
			char escape[4] = { '\\', 'x', hex_digits[c >> 4], hex_digits[c & 15] };

			text_mem(text, escape, sizeof(escape));
			len = 1;
		}
		columns += wide;
		str += len;
		size -= len;
	}
	return columns;
}

/* The table of RFC 3629 section 4: a lead byte, the range of the second, the length. */
size_t text_utf8_len(const char *str, size_t size)
{
	static const struct {
		uint8_t lead_first, lead_last, second_first, second_last;
		size_t len;
	} forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	const uint8_t *bytes = (const uint8_t *)str;
	size_t form = 0;

	if (!size)
		return 0;
	if (bytes[0] < 0x80)
		return 1;
	while (form < 8 &&
	       !(bytes[0] >= forms[form].lead_first && bytes[0] <= forms[form].lead_last))
		form++;
	if (form == 8 || size < forms[form].len || bytes[1] < forms[form].second_first ||
	    bytes[1] > forms[form].second_last)
		return 0;
	for (size_t i = 2; i < forms[form].len; i++)
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
	return forms[form].len;
}

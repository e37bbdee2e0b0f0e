// SPDX-License-Identifier: GPL-2.0-only
#include "views/prom_line.h"

#include <stdarg.h>
#include <string.h>

#define NS_DECIMALS 9
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

void prom_escape(struct text *text, const char *str)
{
	size_t left = strlen(str);

	while (left) {
		size_t len = text_utf8_len(str, left);

		if (*str == '\\' || *str == '"')
			text_char(text, '\\');
		if (!len)
			text_str(text, REPLACEMENT);
		else if (*str == '\n')
			text_str(text, "\\n");
		else
			text_mem(text, str, len);
		str += len ? len : 1;
		left -= len ? len : 1;
	}
}

void prom_series(struct prom *prom, const char *name, const char *suffix, ...)
{
	struct text *text = prom->text;
	const char *label;
	char before = '{';
	va_list labels;

	prom->series++;
	text_str(text, name);
	text_str(text, suffix);
	va_start(labels, suffix);
	while ((label = va_arg(labels, const char *))) {
		text_char(text, before);
		text_str(text, label);
		text_str(text, "=\"");
		prom_escape(text, va_arg(labels, const char *));
		text_char(text, '"');
		before = ',';
	}
	va_end(labels);
	if (before == ',')
		text_char(text, '}');
	text_char(text, ' ');
}

void prom_u64(struct prom *prom, uint64_t value)
{
	text_u64(prom->text, value);
	text_char(prom->text, '\n');
}

/* Without zeros at its end. */
static void put_seconds(struct text *text, int64_t ns)
{
	text_fixed(text, ns, NS_DECIMALS);
	if (text->failed)
		return;
	while (text->data[text->len - 1] == '0')
		text->len--;
	if (text->data[text->len - 1] == '.')
		text->len--;
}

void prom_seconds(struct prom *prom, int64_t ns)
{
	put_seconds(prom->text, ns);
	text_char(prom->text, '\n');
}

void prom_ratio(struct prom *prom, double ratio)
{
	text_fixed(prom->text, (int64_t)(ratio * 1e6 + 0.5), 6);
	text_char(prom->text, '\n');
}

static void put_bucket(struct prom *prom, const char *name, const char *label, const char *value,
		       const char *bound, uint64_t below)
{
	prom_series(prom, name, "_bucket", label, value, "le", bound, NULL);
	prom_u64(prom, below);
}

void prom_histogram(struct prom *prom, const char *name, const char *label, const char *value,
		    const struct metrics_histogram *from, const struct metrics_bounds *bounds)
{
	struct text *bound = &prom->scratch;
	uint64_t below = 0;

	for (unsigned int i = 0; i < bounds->len; i++) {
		text_clear(bound);
		put_seconds(bound, bounds->ns[i]);
		text_char(bound, '\0');
		below += from->counts[i];
		prom->text->failed |= bound->failed;
		put_bucket(prom, name, label, value, bound->failed ? "" : bound->data, below);
	}
	put_bucket(prom, name, label, value, "+Inf", from->count);
	prom_series(prom, name, "_sum", label, value, NULL);
	text_u64(prom->text, from->sum_s);
	text_char(prom->text, '.');
	for (uint32_t digit = 100000000; digit; digit /= 10)
		text_char(prom->text, (char)('0' + from->sum_ns / digit % 10));
	text_char(prom->text, '\n');
	prom_series(prom, name, "_count", label, value, NULL);
	prom_u64(prom, from->count);
}

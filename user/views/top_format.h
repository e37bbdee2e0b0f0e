/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers short enough for a screen; each says "-" of what is not known. Knows no screen. */
#ifndef CONNLIFE_TOP_FORMAT_H
#define CONNLIFE_TOP_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* 12.3s, 3m05s, 2h10m, 5d03h, 120d; UNKNOWN_NS for unknown. */
void top_format_span(struct text *text, int64_t ns);

/* The same of a state; ">=" before it where it began no later than that. */
void top_format_age(struct text *text, int64_t now_ns, int64_t since_ns, bool is_bound);

/* 1023, 1.0K, 99.9K, 100K, 1.2M, by 1024; below 0 for unknown. At most 5 columns. */
void top_format_bytes(struct text *text, int64_t bytes);

void top_format_count(struct text *text, int64_t count);

/* Microseconds as milliseconds: 0.045, 12.3, 1234; below 0 for unknown. */
void top_format_ms(struct text *text, int64_t us);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of the views share: two clocks, and the text that a view wrote. */
#ifndef CONNLIFE_TEST_VIEWED_H
#define CONNLIFE_TEST_VIEWED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/array.h"
#include "base/text.h"
#include "core/report.h"
#include "views/view.h"

static const struct view_clock unknown_clock = { .trace_start_ns = UNKNOWN_NS };
static const struct view_clock known_clock = {
	.realtime_offset_ns = INT64_C(1785500000000000000),
	.has_realtime = true,
	.trace_start_ns = 1000000000,
};

static struct text text;

static inline int free_text(void **state)
{
	text_free(&text);
	return 0;
}

/* What was written, whole; forgotten then. */
static inline void assert_text(const char *expected)
{
	text_char(&text, '\0');
	assert_false(text.failed);
	assert_string_equal(text.data, expected);
	text_clear(&text);
}

#endif

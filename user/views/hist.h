/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Histograms of what connections took and carried, drawn as bars: handshakes,
 * durations, time in each state, round trips, bytes. Knows records one by one;
 * when to print and to begin anew is the caller's matter.
 */
#ifndef CONNLIFE_HIST_VIEW_H
#define CONNLIFE_HIST_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "views/view.h"

struct hist;

struct hist_style {
	unsigned int width; /* columns; 60 are always used */
	bool blocks; /* UTF-8 block characters, else # */
};

/* Some hundred kilobytes, all that it ever takes. NULL if memory is short. */
struct hist *hist_new(void);
void hist_free(struct hist *hist);
void hist_clear(struct hist *hist);

/* Counts what is known of it; how many lack a value is counted too. */
void hist_add(struct hist *hist, const struct report_conn *conn);

/* now_ns: CLOCK_MONOTONIC; elapsed_ns: how long what is counted was gathered. */
void hist_print(struct text *out, const struct view_clock *clock, const struct hist_style *style,
		const struct hist *hist, int64_t now_ns, uint64_t elapsed_ns);

#endif

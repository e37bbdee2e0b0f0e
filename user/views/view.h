/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every view is told besides the report: how to turn the kernel's times
 * into the wall clock's, and which columns are wanted. Knows no report.
 */
#ifndef CONNLIFE_VIEW_H
#define CONNLIFE_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "core/report.h"

struct view_clock {
	int64_t realtime_offset_ns; /* CLOCK_MONOTONIC plus this is CLOCK_REALTIME */
	bool has_realtime; /* false: the offset is not known */
	int64_t trace_start_ns; /* CLOCK_MONOTONIC; UNKNOWN_NS where not known */
};

struct view_columns {
	bool time; /* -T: the local time of day */
	bool seconds; /* -t: seconds since the trace began */
	bool wide; /* -w */
	bool extended; /* -x */
	bool csv; /* -s */
};

/* UNKNOWN_NS where either is unknown or the sum has no int64_t. */
static inline int64_t view_realtime_ns(const struct view_clock *clock, int64_t monotonic_ns)
{
	int64_t sum;

	if (!clock->has_realtime || monotonic_ns == UNKNOWN_NS ||
	    __builtin_add_overflow(monotonic_ns, clock->realtime_offset_ns, &sum))
		return UNKNOWN_NS;
	return sum;
}

/* The same for the time since the trace began. */
static inline int64_t view_since_start_ns(const struct view_clock *clock, int64_t monotonic_ns)
{
	int64_t since;

	if (clock->trace_start_ns == UNKNOWN_NS || monotonic_ns == UNKNOWN_NS ||
	    __builtin_sub_overflow(monotonic_ns, clock->trace_start_ns, &since))
		return UNKNOWN_NS;
	return since;
}

#endif

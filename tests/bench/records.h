/* SPDX-License-Identifier: GPL-2.0-only */
/* Records as the engine reports them, kept for views that are measured alone. */
#ifndef CONNLIFE_BENCH_RECORDS_H
#define CONNLIFE_BENCH_RECORDS_H

#include "batch.h"
#include "core/report.h"

struct record {
	struct report_conn conn; /* points to what follows */
	struct report_story story; /* without its items */
	struct report_flags flags;
	char cgroup[EV_PATH_LEN];
};

struct records {
	struct record *all;
	size_t len, cap;
	int64_t realtime_offset_ns; /* UNKNOWN_NS where the events have no clock */
};

/* All records of these events, with their stories; at least one, or the program ends. */
void records_make(struct records *records, const struct batch *events);
void records_free(struct records *records);

#endif

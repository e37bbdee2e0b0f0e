/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Metrics in Prometheus' text exposition format 0.0.4. Ours because Debian has
 * no such library in C. Knows no file and no clock.
 */
#ifndef CONNLIFE_PROM_H
#define CONNLIFE_PROM_H

#include <stdint.h>

#include "base/text.h"
#include "core/engine.h"
#include "core/metrics.h"

/* What the exporter tells of itself. */
struct prom_self {
	struct engine_counts counts;
	uint64_t segments_received[6]; /* by bit of RFC 9293 3.1: FIN SYN RST PSH ACK URG */
	uint64_t json_dropped;
	uint64_t write_errors;
	uint64_t resident_bytes; /* 0: unknown, and left out */
	int64_t start_ns; /* since 1970-01-01 UTC; and below */
	int64_t write_ns;
	const char *version;
	bool is_stopped; /* the last file of a run that ended in order */
};

/* A whole file, sorted by name. Text must be empty. */
void prom_write(struct text *text, const struct metrics *metrics, const struct prom_self *self);

#endif

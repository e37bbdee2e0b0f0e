/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lines of Prometheus' text exposition format 0.0.4: series with labels, values,
 * histograms. Knows no metric by name.
 */
#ifndef CONNLIFE_PROM_LINE_H
#define CONNLIFE_PROM_LINE_H

#include <stdint.h>

#include "base/text.h"
#include "core/metrics.h"

/* A file under way. */
struct prom {
	struct text *text;
	uint64_t series; /* begun so far */
	struct text scratch;
};

/* The value of a label, without the quotes: any bytes. */
void prom_escape(struct text *text, const char *str);

/* A name, a suffix, and pairs of label and value up to NULL; then one of the values below. */
void prom_series(struct prom *prom, const char *name, const char *suffix, ...)
	__attribute__((sentinel));

void prom_u64(struct prom *prom, uint64_t value);
void prom_seconds(struct prom *prom, int64_t ns);
void prom_ratio(struct prom *prom, double ratio);

/* All series of one, with one label. */
void prom_histogram(struct prom *prom, const char *name, const char *label, const char *value,
		    const struct metrics_histogram *from, const struct metrics_bounds *bounds);

#endif

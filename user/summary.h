/* SPDX-License-Identifier: GPL-2.0-only */
/* What was seen and what was lost, in words, on stderr. */
#ifndef CONNLIFE_SUMMARY_H
#define CONNLIFE_SUMMARY_H

#include "core/engine.h"
#include "options.h"

/* One line; a second one for each kind of loss that there was. */
void summary_print(const struct engine_counts *counts, const struct options *options);

#endif

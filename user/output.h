/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From reports to stdout, for life, states and ladder: picks the view that was
 * asked for and writes in blocks. Knows nothing of where the reports come from.
 */
#ifndef CONNLIFE_OUTPUT_H
#define CONNLIFE_OUTPUT_H

#include <stdbool.h>

#include "options.h"
#include "runner.h"

/* Writes to stdout. A closed pipe ends it without a word, any other error with one. */
bool output_runner(struct runner *runner, const struct options *options);

#endif

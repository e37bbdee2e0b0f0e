/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From reports to stdout: picks the view that was asked for and writes in
 * blocks. Knows nothing of where the reports come from.
 */
#ifndef CONNLIFE_OUTPUT_H
#define CONNLIFE_OUTPUT_H

#include <stdbool.h>

#include "core/engine.h"
#include "options.h"

struct output;

/* fd is not closed. NULL if memory is short. */
struct output *output_new(const struct options *options, int fd);
void output_free(struct output *output);

/* Where the engine shall send its reports; valid as long as output. */
struct report_sink output_sink(struct output *output);

/* Needed before the first report, for wall-clock times and seconds since the start. */
void output_set_engine(struct output *output, const struct engine *engine, uint64_t start_ns);

/* The heading, if this view has one. */
void output_header(struct output *output);

/*
 * Writes what is waiting. False if it could not: the error is said once on
 * stderr (a closed pipe is not worth a word) and nothing more will be written.
 */
bool output_flush(struct output *output);
bool output_failed(const struct output *output);

#endif

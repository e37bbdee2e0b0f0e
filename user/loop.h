/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs a source into the engine and the reports into the output, until it is time to stop. */
#ifndef CONNLIFE_LOOP_H
#define CONNLIFE_LOOP_H

#include "options.h"

/* Both return the exit code of the program: 0, or 1 after an error (said on stderr). */
int loop_live(const struct options *options);
int loop_recording(const struct options *options);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The command hist: what it does with reports and with time. */
#ifndef CONNLIFE_HIST_H
#define CONNLIFE_HIST_H

#include "runner.h"

/* Where it fails, the reason was said on stderr. */
bool hist_runner(struct runner *runner, const struct options *options);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The command top: what it does with reports and with time. */
#ifndef CONNLIFE_TOP_H
#define CONNLIFE_TOP_H

#include "runner.h"

/* Where it fails, the reason was said on stderr. */
bool top_runner(struct runner *runner, const struct options *options);

#endif

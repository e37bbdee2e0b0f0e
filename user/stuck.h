/* SPDX-License-Identifier: GPL-2.0-only */
/* The command stuck: what it does with reports and with time. */
#ifndef CONNLIFE_STUCK_H
#define CONNLIFE_STUCK_H

#include "runner.h"

/* Where it fails, the reason was said on stderr. */
bool stuck_runner(struct runner *runner, const struct options *options);

#endif

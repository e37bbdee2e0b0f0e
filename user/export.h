/* SPDX-License-Identifier: GPL-2.0-only */
/* The command export: what it does with reports and with time. */
#ifndef CONNLIFE_EXPORT_H
#define CONNLIFE_EXPORT_H

#include "runner.h"

/* Where it fails, the reason was said on stderr. */
bool export_runner(struct runner *runner, const struct options *options);

#endif

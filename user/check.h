/* SPDX-License-Identifier: GPL-2.0-only */
/* `connlife check`: what this kernel supports, what falls back, what that costs. */
#ifndef CONNLIFE_CHECK_H
#define CONNLIFE_CHECK_H

/* Prints to stdout. The exit code: 0 if tracing works, 1 if not. */
int check_run(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* `connlife check`: what this kernel supports, what falls back, what that costs. */
#ifndef CONNLIFE_CHECK_H
#define CONNLIFE_CHECK_H

/*
 * Prints to stdout. btf_path: see kernel_btf_find(). The exit code: 0 if tracing works,
 * 1 if not.
 */
int check_run(const char *btf_path);

#endif

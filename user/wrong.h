/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Wrong usage: one line on stderr that names what is wrong, and the end. (argp_error() of
 * glibc adds a second line.)
 */
#ifndef CONNLIFE_WRONG_H
#define CONNLIFE_WRONG_H

#define EXIT_USAGE 2

_Noreturn void wrong_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What stands in lines of /proc, as numbers and names. Pure: is given the text,
 * opens nothing. A text that is not as it should be gives nothing.
 */
#ifndef CONNLIFE_PROCTEXT_H
#define CONNLIFE_PROCTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/limits.h"

/* ip_local_port_range, less what ip_local_reserved_ports ("8080,9148-9200") has of it. */
void proctext_ports(struct netns_limits *limits, const char *range, const char *reserved);

/* A line of net/sockstat. */
void proctext_sockstat(struct netns_limits *limits, const char *line);

/* Two lines of net/netstat, names and values; both are cut into words. */
void proctext_netstat(struct netns_limits *limits, char *names, char *values);

/* A file of one number; *number stays as it was where there is none. */
void proctext_number(const char *text, int64_t *number);

/* The address in a line of kallsyms, if it is that of this symbol; else 0. */
uint64_t proctext_symbol(const char *line, const char *name);

/* Whether it is that of this symbol, its address told or hidden (zeros). */
bool proctext_has_symbol(const char *line, const char *name);

/* The mount point in a line of mountinfo, if a network namespace is mounted there. */
bool proctext_netns_mount(const char *line, char *path, size_t size);

/* What of the path is below the mount point: "/" for that itself, NULL for another place. */
const char *proctext_below(const char *mount, const char *path);

/* Copies it; one that is too long ends in "...". size is at least 4. */
void proctext_copy_cut(char *to, size_t size, const char *from);

#endif

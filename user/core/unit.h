/* SPDX-License-Identifier: GPL-2.0-only */
/* From the path of a control group to what people call it. Knows only the path. */
#ifndef CONNLIFE_UNIT_H
#define CONNLIFE_UNIT_H

#include <stddef.h>

/*
 * The deepest container (docker-0123456789ab: its id cut to 12 digits), systemd
 * unit (nginx.service) or pod of the path, else its last element. Empty for the
 * root. What doesn't fit into size is cut off. Bytes of the path are not escaped.
 */
void unit_of_cgroup(const char *path, char *unit, size_t size);

#endif

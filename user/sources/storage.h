/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether this machine can make socket storage (BPF_MAP_TYPE_SK_STORAGE), found by trying. */
#ifndef CONNLIFE_STORAGE_H
#define CONNLIFE_STORAGE_H

#include <stdbool.h>

/*
 * True only where the kernel took the map and then had no memory for the storage of a
 * socket. False where that could not be tried, as without the right to make a map.
 */
bool storage_fails(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether a BPF program is one of a connlife that is gone. */
#ifndef CONNLIFE_LEFTOVER_H
#define CONNLIFE_LEFTOVER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * True of a tc program of ours, by its name and its maps, whose events no hook
 * shares any more: those of a connlife that lives do. To be asked only of a program
 * that was on an interface before: ours come there when all the hooks are loaded.
 * False in doubt.
 */
bool leftover_is_one(uint32_t prog_id);

#endif

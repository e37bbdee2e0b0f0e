/* SPDX-License-Identifier: GPL-2.0-only */
/* What the running kernel has, asked without loading anything. */
#ifndef CONNLIFE_KERNEL_H
#define CONNLIFE_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

/* Whether bpf(2) may be used; says in one line on stderr why not. */
bool kernel_allows_bpf(void);

/* Address of a symbol by /proc/kallsyms; 0 if it is not there or hidden. */
uint64_t kernel_symbol(const char *name);

/* Whether it is there, though its address be hidden (kptr_restrict, no CAP_SYSLOG). */
bool kernel_has_symbol(const char *name);

/* Length of a jiffy (1 / CONFIG_HZ). */
uint64_t kernel_jiffy_ns(void);

#endif

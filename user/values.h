/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The values of options: numbers, sizes, times, ports, networks. Each one that is
 * not as it must be ends the program by wrong_usage(), which names the option (what)
 * and the text. Knows nothing of which options there are.
 */
#ifndef CONNLIFE_VALUES_H
#define CONNLIFE_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/types.h>
#include "event.h"
#include "filter.h"

/* Decimal digits only, from min to max. */
unsigned long value_number(const char *what, const char *text, unsigned long min,
			   unsigned long max);

/* Bytes, with K, M or G behind them: a power of two, and whole pages. */
uint32_t value_ring_size(const char *text);

/* In seconds; with s, m, h or d behind it. */
uint32_t value_time(const char *what, const char *text);

/* Sets a bit for each of "80,443" in an array of 65536; what is set stays. */
void value_ports(const char *what, const char *text, __u8 *ports);

/* Adds one network, or address, to those of the filter. */
void value_net(struct filter *filter, const char *text);

#endif

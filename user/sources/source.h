/* SPDX-License-Identifier: GPL-2.0-only */
/* What every source gives: events of bpf/event.h, in order, to one taker. */
#ifndef CONNLIFE_SOURCE_H
#define CONNLIFE_SOURCE_H

#include <stddef.h>

/* event is aligned to 8 bytes and valid until the call returns. */
typedef void (*event_taker)(void *ctx, const void *event, size_t size);

#endif

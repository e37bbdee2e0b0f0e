/* SPDX-License-Identifier: GPL-2.0-only */
/* Events one behind the other, as a ring buffer holds them. Knows no source and no engine. */
#ifndef CONNLIFE_BENCH_BATCH_H
#define CONNLIFE_BENCH_BATCH_H

#include <stddef.h>
#include <stdint.h>

struct batch {
	char *data;
	size_t len, cap;
	uint64_t events;
};

/* Where the next event may be written, aligned to 8 bytes; ends the program without memory. */
void *batch_room(struct batch *batch, size_t size);
void batch_put(struct batch *batch, const void *event, size_t size);
void batch_free(struct batch *batch);

/* The events of a recording; ends the program where it can't be read. */
void batch_read(struct batch *batch, const char *path);

/* Ends the program with a message. */
__attribute__((format(printf, 1, 2), noreturn)) void die(const char *format, ...);
void *need(void *memory);

#endif

// SPDX-License-Identifier: GPL-2.0-only
#include "batch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sources/recording.h"

#define FIRST_BYTES (1 << 16)

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("parts: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

void *need(void *memory)
{
	if (!memory)
		die("out of memory");
	return memory;
}

void *batch_room(struct batch *batch, size_t size)
{
	if (batch->cap - batch->len < size) {
		batch->cap = batch->cap ? batch->cap * 2 : FIRST_BYTES;
		batch->data = need(realloc(batch->data, batch->cap));
	}
	return batch->data + batch->len;
}

void batch_put(struct batch *batch, const void *event, size_t size)
{
	memcpy(batch_room(batch, size), event, size);
	batch->len += size;
	batch->events++;
}

void batch_free(struct batch *batch)
{
	free(batch->data);
	*batch = (struct batch){ 0 };
}

static void take_event(void *ctx, const void *event, size_t size)
{
	batch_put(ctx, event, size);
}

void batch_read(struct batch *batch, const char *path)
{
	static const volatile int never;

	if (recording_read(path, take_event, batch, &never))
		die("%s gives no workload", path);
}

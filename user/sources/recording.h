/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Recordings: the raw events of a run in a file, to run them again on any
 * machine of the same byte order. A header, then the events as they came, the
 * last one EV_END. Knows nothing of what an event means.
 */
#ifndef CONNLIFE_RECORDING_H
#define CONNLIFE_RECORDING_H

#include <stdint.h>
#include <stdio.h>

#include "sources/source.h"

struct recorder;

/* NULL and errno set if the file can't be written. "-" is no special name. */
struct recorder *recorder_open(const char *path);

/* After an error (a full disk) nothing more is written; recorder_close() tells. */
void recorder_put(struct recorder *recorder, const void *event, size_t size);

/* What is buffered goes to the file. 0, or the first negative errno since it was opened. */
int recorder_flush(struct recorder *recorder);

/* Ends the file with EV_END at ts_ns. 0, or the first negative errno since it was opened. */
int recorder_close(struct recorder *recorder, uint64_t ts_ns);

/*
 * Gives each event of the file to the taker, until *stop is set. 0, or
 * -errno of the file, -EBADMSG if it is no recording of this version and byte
 * order, -ENODATA if it is cut off (all that is whole was given). Says in one
 * line on stderr what is wrong.
 */
int recording_read(const char *path, event_taker take, void *ctx, const volatile int *stop);

/* The same in two steps. The path is for messages only; NULL with errno set where it can't be had. */
FILE *recording_open(const char *path);
int recording_read_from(FILE *file, const char *path, event_taker take, void *ctx,
			const volatile int *stop);

#endif

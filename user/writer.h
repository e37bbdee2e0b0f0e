/* SPDX-License-Identifier: GPL-2.0-only */
/* Text to standard output, whole; an error is said once, a closed pipe is not worth a word. */
#ifndef CONNLIFE_WRITER_H
#define CONNLIFE_WRITER_H

#include <stdbool.h>

#include "base/text.h"

struct writer {
	int fd;
	bool failed;
};

/*
 * Of a terminal it opens a description of its own, so before rights are given up; where
 * that can't be had, a write may wait for its reader. It is not to be closed.
 */
void writer_open(struct writer *writer);

/*
 * Writes and clears the text. False if it could not (or memory was short for
 * the text): nothing more will be written then.
 */
bool writer_flush(struct writer *writer, struct text *text);

#endif

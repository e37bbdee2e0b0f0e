/* SPDX-License-Identifier: GPL-2.0-only */
/* Text to a descriptor, whole; an error is said once, a closed pipe is not worth a word. */
#ifndef CONNLIFE_WRITER_H
#define CONNLIFE_WRITER_H

#include <stdbool.h>

#include "base/text.h"

struct writer {
	int fd; /* not closed */
	bool failed;
};

/*
 * Writes and clears the text. False if it could not (or memory was short for
 * the text): nothing more will be written then.
 */
bool writer_flush(struct writer *writer, struct text *text);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Looks ahead in a BPF ring buffer: at the records that are written and not read
 * yet. Reads nothing but what lies between both positions, whatever is there; knows
 * no event, and never moves the reader.
 */
#ifndef CONNLIFE_AHEAD_H
#define CONNLIFE_AHEAD_H

#include <stddef.h>

struct ahead {
	const char *ring; /* twice in a row, as the kernel maps it */
	size_t size; /* once; a power of two */
	const unsigned long *producer; /* how far it is written */
	unsigned long written; /* the same, when it was asked last */
	unsigned long read; /* where the event begins that is being read */
	unsigned long at; /* the first record that was not looked at */
	unsigned int given; /* events given and not done with, the one being read among them */
};

/* The reader is at the event that begins at this position: to be told of each. */
void ahead_follow(struct ahead *ahead, unsigned long read);

/*
 * The next event that was not given yet; it lies there until the reader is past it.
 * NULL if count events behind the one being read are given, or the next one is not
 * there yet: not written, or not submitted. What is thrown away is passed over.
 */
const void *ahead_next(struct ahead *ahead, unsigned int count, size_t *size);

#endif

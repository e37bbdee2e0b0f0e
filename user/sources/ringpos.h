/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How far a ring buffer is written and read. A reader stops at a record that
 * is reserved and not submitted yet (its CPU was taken away meanwhile), so that
 * "nothing to read" does not mean that nothing older is to come.
 */
#ifndef CONNLIFE_RINGPOS_H
#define CONNLIFE_RINGPOS_H

#include <stdbool.h>
#include <stddef.h>

struct ringpos {
	const unsigned long *consumer, *producer; /* NULL: not open */
};

/* 0 or a negative errno. The descriptor is not kept. */
int ringpos_open(struct ringpos *pos, int map_fd);
void ringpos_close(struct ringpos *pos);

/* Where the reader is. */
unsigned long ringpos_read(const struct ringpos *pos);

/* Where the next record will be reserved. */
unsigned long ringpos_written(const struct ringpos *pos);

/* Whether all that was reserved before that is read. */
bool ringpos_is_read(const struct ringpos *pos, unsigned long written);

/*
 * The ring itself, of size bytes, to read only and twice in a row: no record is cut
 * in two. NULL where it can't be mapped. Twice its size counts as memory of this
 * process then, though it is the kernel's.
 */
const char *ringpos_map_ring(int map_fd, size_t size);
void ringpos_unmap_ring(const char *ring, size_t size);

#endif

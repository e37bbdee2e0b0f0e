/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cleanup by attribute: what a function opened is closed on every way out of
 * it. Give ownership away with take_fd() or take_ptr().
 */
#ifndef CONNLIFE_CLEANUP_H
#define CONNLIFE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void cleanup_free(void *ptr)
{
	free(*(void **)ptr);
}

#define _cleanup_fd_ __attribute__((cleanup(cleanup_fd)))
#define _cleanup_file_ __attribute__((cleanup(cleanup_file)))
#define _cleanup_free_ __attribute__((cleanup(cleanup_free)))

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define take_ptr(ptr)                                                                              \
	({                                                                                         \
		typeof(ptr) _taken = (ptr);                                                        \
		(ptr) = NULL;                                                                      \
		_taken;                                                                            \
	})

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the ids of control groups (version 2) and their paths. */
#ifndef CONNLIFE_CGROUPFS_H
#define CONNLIFE_CGROUPFS_H

#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>

struct cgroupfs;

/* NULL if no cgroup2 is mounted or memory is short. */
struct cgroupfs *cgroupfs_open(void);
void cgroupfs_close(struct cgroupfs *cgroupfs);

/*
 * The path below the mount ("/" for the root), cut with "..." if it does not
 * fit. 0, or a negative errno (-ESTALE: it does not exist any more). NULL is
 * allowed and finds nothing.
 */
int cgroupfs_path(const struct cgroupfs *cgroupfs, uint64_t id, char *path, size_t size);

/*
 * The id and depth (the root is 0) of a cgroup given by its path below the
 * mount, or with the mount; below is what comes after the mount. 0 or -errno.
 */
int cgroupfs_find(const struct cgroupfs *cgroupfs, const char *text, __u64 *id, int *level,
		  char *below, size_t size);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The network namespaces of the host: found, entered, left again. */
#ifndef CONNLIFE_NETNS_H
#define CONNLIFE_NETNS_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/types.h>

/*
 * Calls visit inside each network namespace that a process lives in or that
 * is mounted somewhere (as `ip netns` does), the caller's own first. Each is
 * visited once, even if the process that it was found by ends meanwhile; one that
 * can't be entered is left out. Returns 0, 1 if any was, or a negative errno if
 * the caller's own could not be entered again.
 */
int netns_for_each(void (*visit)(void *ctx, uint64_t cookie), void *ctx);

/*
 * The cookie of a namespace given by name (/run/netns), path or inode number.
 * 0, -ENOENT if there is none, or another negative errno.
 */
int netns_find(const char *text, __u64 *cookie, __u32 *inum);

/* Whether text names a namespace by its inode. */
bool netns_is_number(const char *text);

/* A descriptor of that namespace, to be closed; or a negative errno. */
int netns_open(const char *text);

/* Enters it: what takes the caller home again with netns_leave(), or a negative errno. */
int netns_enter(int netns);
void netns_leave(int home);

#endif

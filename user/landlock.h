/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel's Landlock (Linux 5.13) lets the process open by name. */
#ifndef CONNLIFE_LANDLOCK_H
#define CONNLIFE_LANDLOCK_H

/*
 * For good: only reading, only below these (NULL ends them; what is not there is left
 * out), and no TCP port and no process outside, where the kernel knows that. Needs
 * no_new_privs or CAP_SYS_ADMIN. 0, or a negative errno.
 */
int landlock_allow_reading(const char *const paths[]);

#endif

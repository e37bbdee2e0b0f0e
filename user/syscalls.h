/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The system calls that the program may make once it runs, by seccomp: others fail
 * with EPERM. Needs no_new_privs or CAP_SYS_ADMIN. For good; 0 or a negative errno.
 */
#ifndef CONNLIFE_SYSCALLS_H
#define CONNLIFE_SYSCALLS_H

/* Of engine, views and ring buffer: no socket, no process, no BPF, no file but for reading. */
int syscalls_of_loop(void);

/* Of the keeper: namespaces, a few commands of bpf(2), netlink; no program is run. */
int syscalls_of_keeper(void);

#endif

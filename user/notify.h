/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What systemd is told of a service: by libsystemd, or nothing at all where it is
 * left out (make SYSTEMD=0) or nobody listens.
 */
#ifndef CONNLIFE_NOTIFY_H
#define CONNLIFE_NOTIFY_H

#include <stdint.h>

struct notify {
	uint64_t watchdog_ns; /* half of what systemd waits for a sign; 0: it does not wait */
	uint64_t next_ns;
};

void notify_init(struct notify *notify);

/* At every turn of the loop: a sign of life when one is due. */
void notify_alive(struct notify *notify, uint64_t now_ns);

void notify_ready(const char *status);
void notify_status(const char *status);
void notify_stopping(void);

#endif

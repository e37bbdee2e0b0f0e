/* SPDX-License-Identifier: GPL-2.0-only */
/* The wish to stop: whoever waits for somebody else looks at it. */
#ifndef CONNLIFE_STOP_H
#define CONNLIFE_STOP_H

#include <stdbool.h>

extern volatile int stop_wanted; /* by a signal */

/*
 * That, or the time of --duration is over. For signal handlers, too. Who reads standard output
 * is waited for beyond that time all the same: it may be a pager.
 */
bool stop_is_due(void);

#endif

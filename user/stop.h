/* SPDX-License-Identifier: GPL-2.0-only */
/* The wish to stop, set by a signal: whoever waits for somebody else looks at it. */
#ifndef CONNLIFE_STOP_H
#define CONNLIFE_STOP_H

extern volatile int stop_wanted;

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a life meant: from what was seen of one connection to the words of its
 * record. Pure: the same connection gives the same words.
 */
#ifndef CONNLIFE_VERDICT_H
#define CONNLIFE_VERDICT_H

#include "core/conn.h"

/*
 * Fills everything of the report but the cgroup's path. The connection must
 * have been closed, or be given up (closed_from ST_NONE: its end is unknown).
 */
void verdict_fill(const struct conn *conn, struct report_conn *report);

/*
 * Whether a late event (a reset that is told after EV_CLOSE) could still
 * change the verdict on a connection that just closed.
 */
bool verdict_can_change(const struct conn *conn);

/* The role that the counters of a socket found in mid-life tell (SCENARIOS R12). */
enum conn_role verdict_role_found(const struct ev_found *found);

/* Who closed first, by the state in which a socket was found. */
bool verdict_fin_was_sent(uint8_t state);

#endif

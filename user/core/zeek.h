/* SPDX-License-Identifier: GPL-2.0-only */
/* conn_state and history as Zeek's conn.log has them, where what was seen proves them. */
#ifndef CONNLIFE_ZEEK_H
#define CONNLIFE_ZEEK_H

#include "core/conn.h"

/* Empties where unknown. report must have its role, opened, closed and bytes already. */
void zeek_fill(const struct conn *conn, struct report_conn *report);

#endif

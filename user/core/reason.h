/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why a connection was reset, timed out or given up, by what its socket showed
 * at the end: for kernels that give no reason (before 6.10), and for ends that
 * no reset brought.
 */
#ifndef CONNLIFE_REASON_H
#define CONNLIFE_REASON_H

#include "core/conn.h"

/*
 * One of unread_data, linger0, linger2, disconnect, listener_closed,
 * data_after_close, keepalive, user_timeout, retransmissions, zero_window, icmp, killed,
 * out_of_memory; NULL where the socket does not show it.
 */
const char *reason_word(const struct conn *conn, enum conn_closed closed);

#endif

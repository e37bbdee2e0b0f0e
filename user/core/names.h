/* SPDX-License-Identifier: GPL-2.0-only */
/* The words that users see for what reports hold (DESIGN 5, RFC 9293, the kernel). */
#ifndef CONNLIFE_NAMES_H
#define CONNLIFE_NAMES_H

#include "core/report.h"

/* "ESTABLISHED" and so on, as RFC 9293 with underscores; "UNKNOWN" out of range. */
const char *name_state(uint8_t state);

/* Each gives NULL for unknown, so that a view writes null or "-". */
const char *name_role(enum conn_role role);
const char *name_opened(enum conn_opened opened);
const char *name_closed(enum conn_closed closed);
const char *name_first(enum conn_first first);
const char *name_teardown(enum conn_teardown teardown);
const char *name_remains(enum conn_remains remains);
const char *name_remains_end(enum conn_remains_end end);

/* "connect", "listen", ...; "unknown" for OWNER_UNKNOWN. */
const char *name_owner_source(enum ev_owner_source source);

/* enum sk_rst_reason without its prefix, "TCP_ABORT_ON_DATA"; NULL for -1 or one not known. */
const char *name_reset_reason(int reason);
/* Of a name without SK_RST_REASON_; -1: none of them. */
int reset_reason_number(const char *name);

/* "ECONNREFUSED"; NULL for 0, "E<number>" is never made up: NULL where libc has no name. */
const char *name_errno(int error);

/* "syn_again", "ack_ignored" and so on for one HANDSHAKE_* bit. */
const char *name_handshake(unsigned int bit);

/* "synack_ack", "handshake_ack" for one VIOLATION_* bit. */
const char *name_violation(unsigned int bit);

/* "preexisting", "lost_events", "table_full" for one INCOMPLETE_* bit. */
const char *name_incomplete(unsigned int bit);

#endif

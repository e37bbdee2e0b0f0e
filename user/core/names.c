// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables of words, one for each enumeration. Knows nothing of when a word is
 * right.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strerrorname_np() */
#endif
#include "core/names.h"

#include <string.h>

#include "base/array.h"

/* A value out of range is cast to one that is larger than any table. */
#define NAME_IN(names, value)                                                                      \
	((size_t)(value) < ARRAY_SIZE(names) ? (names)[(size_t)(value)] : NULL)

const char *name_state(uint8_t state)
{
	static const char *const names[] = {
		[ST_ESTABLISHED] = "ESTABLISHED",
		[ST_SYN_SENT] = "SYN_SENT",
		[ST_SYN_RECV] = "SYN_RECV",
		[ST_FIN_WAIT1] = "FIN_WAIT1",
		[ST_FIN_WAIT2] = "FIN_WAIT2",
		[ST_TIME_WAIT] = "TIME_WAIT",
		[ST_CLOSE] = "CLOSE",
		[ST_CLOSE_WAIT] = "CLOSE_WAIT",
		[ST_LAST_ACK] = "LAST_ACK",
		[ST_LISTEN] = "LISTEN",
		[ST_CLOSING] = "CLOSING",
		[ST_NEW_SYN_RECV] = "NEW_SYN_RECV",
	};
	const char *name = NAME_IN(names, state);

	return name ? name : "UNKNOWN";
}

const char *name_role(enum conn_role role)
{
	static const char *const names[] = {
		[ROLE_CLIENT] = "client",
		[ROLE_SERVER] = "server",
		[ROLE_BOTH] = "both",
	};

	return NAME_IN(names, role);
}

const char *name_opened(enum conn_opened opened)
{
	static const char *const names[] = {
		[OPENED_HANDSHAKE] = "handshake",     [OPENED_SIMULTANEOUS] = "simultaneous",
		[OPENED_FASTOPEN] = "fastopen",	      [OPENED_PREEXISTING] = "preexisting",
		[OPENED_REFUSED] = "refused",	      [OPENED_TIMED_OUT] = "timed_out",
		[OPENED_UNREACHABLE] = "unreachable", [OPENED_RESET] = "reset",
		[OPENED_ABORTED] = "aborted",
	};

	return NAME_IN(names, opened);
}

const char *name_closed(enum conn_closed closed)
{
	static const char *const names[] = {
		[CLOSED_FIN] = "fin",
		[CLOSED_RST_SENT] = "rst_sent",
		[CLOSED_RST_RECEIVED] = "rst_received",
		[CLOSED_TIMED_OUT] = "timed_out",
		[CLOSED_ABORTED] = "aborted",
		[CLOSED_KILLED] = "killed",
		[CLOSED_NONE] = "none",
	};

	return NAME_IN(names, closed);
}

const char *name_first(enum conn_first first)
{
	static const char *const names[] = {
		[FIRST_LOCAL] = "local",
		[FIRST_REMOTE] = "remote",
		[FIRST_BOTH] = "both",
		[FIRST_NONE] = "none",
	};

	return NAME_IN(names, first);
}

const char *name_teardown(enum conn_teardown teardown)
{
	static const char *const names[] = {
		[TEARDOWN_FOUR_WAY] = "four_way",
		[TEARDOWN_THREE_SEGMENT] = "three_segment",
		[TEARDOWN_SIMULTANEOUS] = "simultaneous",
		[TEARDOWN_HALF_CLOSE] = "half_close",
		[TEARDOWN_NONE] = "none",
	};

	return NAME_IN(names, teardown);
}

const char *name_remains(enum conn_remains remains)
{
	static const char *const names[] = {
		[REMAINS_TIME_WAIT] = "time_wait",
		[REMAINS_FIN_WAIT2] = "fin_wait2",
	};

	return NAME_IN(names, remains);
}

const char *name_remains_end(enum conn_remains_end end)
{
	static const char *const names[] = {
		[REMAINS_END_EXPIRED] = "expired",   [REMAINS_END_RESET] = "reset",
		[REMAINS_END_REUSED] = "reused",     [REMAINS_END_KILLED] = "killed",
		[REMAINS_END_OVERFLOW] = "overflow", [REMAINS_END_NAMESPACE] = "namespace",
	};

	return NAME_IN(names, end);
}

const char *name_owner_source(enum ev_owner_source source)
{
	static const char *const names[] = {
		[OWNER_LISTEN] = "listen", [OWNER_FD_TABLE] = "fd_table", [OWNER_CLOSE] = "close",
		[OWNER_READ] = "read",	   [OWNER_CONNECT] = "connect",
	};
	const char *name = NAME_IN(names, source);

	return name ? name : "unknown";
}

/* enum sk_rst_reason, with the numbers of 6.12, 6.18 and 7.2. */
static const char *const reset_reasons[] = {
	"NOT_SPECIFIED",
	"NO_SOCKET",
	"TCP_INVALID_ACK_SEQUENCE",
	"TCP_RFC7323_PAWS",
	"TCP_TOO_OLD_ACK",
	"TCP_ACK_UNSENT_DATA",
	"TCP_FLAGS",
	"TCP_OLD_ACK",
	"TCP_ABORT_ON_DATA",
	"TCP_TIMEWAIT_SOCKET",
	"INVALID_SYN",
	"TCP_ABORT_ON_CLOSE",
	"TCP_ABORT_ON_LINGER",
	"TCP_ABORT_ON_MEMORY",
	"TCP_STATE",
	"TCP_KEEPALIVE_TIMEOUT",
	"TCP_DISCONNECT_WITH_DATA",
	"MPTCP_RST_EUNSPEC",
	"MPTCP_RST_EMPTCP",
	"MPTCP_RST_ERESOURCE",
	"MPTCP_RST_EPROHIBIT",
	"MPTCP_RST_EWQ2BIG",
	"MPTCP_RST_EBADPERF",
	"MPTCP_RST_EMIDDLEBOX",
	"ERROR",
};

const char *name_reset_reason(int reason)
{
	return NAME_IN(reset_reasons, reason);
}

int reset_reason_number(const char *name)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(reset_reasons); i++) {
		if (!strcmp(reset_reasons[i], name))
			return (int)i;
	}
	return -1;
}

const char *name_errno(int error)
{
	/* libc calls 0 "0". */
	return error > 0 ? strerrorname_np(error) : NULL;
}

const char *name_incomplete(unsigned int bit)
{
	switch (bit) {
	case INCOMPLETE_PREEXISTING:
		return "preexisting";
	case INCOMPLETE_LOST_EVENTS:
		return "lost_events";
	case INCOMPLETE_TABLE_FULL:
		return "table_full";
	}
	return NULL;
}

const char *name_violation(unsigned int bit)
{
	switch (bit) {
	case VIOLATION_SYNACK_ACK:
		return "synack_ack";
	case VIOLATION_HANDSHAKE_ACK:
		return "handshake_ack";
	default:
		return NULL;
	}
}

const char *name_handshake(unsigned int bit)
{
	switch (bit) {
	case HANDSHAKE_SYN_AGAIN:
		return "syn_again";
	case HANDSHAKE_SYNACK_AGAIN:
		return "synack_again";
	case HANDSHAKE_SYN_IGNORED:
		return "syn_ignored";
	case HANDSHAKE_ACK_IGNORED:
		return "ack_ignored";
	case HANDSHAKE_SYN_COOKIE:
		return "syn_cookie";
	case HANDSHAKE_ACCEPT_QUEUE_FULL:
		return "accept_queue_full";
	case HANDSHAKE_DEFERRED_ACCEPT:
		return "deferred_accept";
	default:
		return NULL;
	}
}

// SPDX-License-Identifier: GPL-2.0-only
#include "core/reason.h"

#include <errno.h>
#include <string.h>

#include "core/names.h"

static bool is_out_of_memory(const struct conn *conn)
{
	const char *name = name_reset_reason(conn->reset_reason);

	return name && !strcmp(name, "TCP_ABORT_ON_MEMORY");
}

/* SCENARIOS R7: in this order, as tcp_close() asks. */
static const char *reset_by_us(const struct conn *conn)
{
	uint16_t flags = conn->close_flags;

	if (conn->closed_from == ST_FIN_WAIT2 && flags & EVF_LINGER2_NEG && !conn->error)
		return "linger2";
	if (conn->reset_was_reply)
		return conn->established ? "data_after_close" : NULL;
	if (flags & EVF_UNREAD)
		return "unread_data";
	if (flags & EVF_LINGER0)
		return "linger0";
	if (!(flags & (EVF_OWNED | EVF_HAS_FILE | EVF_DEAD)))
		return "listener_closed"; /* nobody had accepted it */
	if (flags & EVF_OWNED && flags & EVF_HAS_FILE && !conn->close_shutdown)
		return "disconnect"; /* connect() with AF_UNSPEC */
	return NULL;
}

static const char *timed_out(const struct conn *conn)
{
	bool waits_for_ack = conn->stats.snd_una != conn->stats.snd_nxt;

	if (conn->error && conn->error != ETIMEDOUT)
		return "icmp";
	/* probes of a window that stays closed go unanswered, with data still to be sent */
	if (!waits_for_ack && conn->stats.write_seq != conn->stats.snd_nxt)
		return "zero_window";
	/* keepalive probes are only sent where nothing waits for an ACK */
	if (!waits_for_ack)
		return conn->close_flags & EVF_KEEPALIVE ? "keepalive" : NULL;
	return conn->close_flags & EVF_USER_TIMEOUT ? "user_timeout" : "retransmissions";
}

const char *reason_word(const struct conn *conn, enum conn_closed closed)
{
	if (conn->closed_from == ST_NONE)
		return NULL;
	switch (closed) {
	case CLOSED_RST_SENT:
		return is_out_of_memory(conn) ? "out_of_memory" : reset_by_us(conn);
	case CLOSED_TIMED_OUT:
		return timed_out(conn);
	case CLOSED_KILLED:
		return "killed";
	default:
		return NULL;
	}
}

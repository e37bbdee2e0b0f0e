// SPDX-License-Identifier: GPL-2.0-only
#include "core/zeek.h"

#include <ctype.h>
#include <string.h>

/* An end that was no release on both sides: by who had closed until then. */
static const char *unfinished(const struct conn *conn, bool is_client)
{
	bool local = conn_passed(conn, ST_FIN_WAIT1) || conn_passed(conn, ST_LAST_ACK);
	bool remote = conn_passed(conn, ST_CLOSE_WAIT) || conn_passed(conn, ST_CLOSING);

	if (local == remote)
		return local ? "SF" : "S1";
	return local == is_client ? "S2" : "S3";
}

static const char *state_word(const struct conn *conn, const struct report_conn *report)
{
	bool is_client = report->role == ROLE_CLIENT;

	if (conn->opening_unseen || conn->preexisting)
		return "OTH";
	if (report->role != ROLE_CLIENT && report->role != ROLE_SERVER)
		return "";
	if (!conn->established) {
		if (report->opened == OPENED_REFUSED)
			return "REJ";
		return is_client && report->opened != OPENED_RESET ? "S0" : "";
	}
	if (conn->reset_sent_ns && report->closed != CLOSED_FIN &&
	    report->closed != CLOSED_RST_RECEIVED)
		return is_client ? "RSTO" : "RSTR"; /* killed or timed out: the peer is told so */
	switch (report->closed) {
	case CLOSED_FIN:
		/* the peer's FIN may still be to come */
		return conn->minisock_state == ST_FIN_WAIT2 && !conn_passed(conn, ST_TIME_WAIT)
			       ? unfinished(conn, is_client)
			       : "SF";
	case CLOSED_RST_RECEIVED:
		return is_client ? "RSTR" : "RSTO";
	case CLOSED_TIMED_OUT:
	case CLOSED_ABORTED:
	case CLOSED_KILLED:
		return unfinished(conn, is_client);
	default:
		return "";
	}
}

struct history {
	char *out;
	size_t len, size;
	bool is_client;
	bool late_data; /* that the side which did not close first sent after the FIN */
	bool late_is_local;
};

/* Upper case is the originator's. */
static void add(struct history *history, char letter, bool is_local)
{
	bool upper = is_local == history->is_client;

	if (history->len + 1 < history->size)
		history->out[history->len++] = upper ? letter : (char)tolower(letter);
}

static bool closed_by_peer(const struct conn *conn)
{
	return conn_passed(conn, ST_CLOSE_WAIT);
}

/* Whether that way had carried data before the first FIN already. */
static bool takes_up(const struct report_conn *report)
{
	return report->half_close_bytes != report->tx_bytes &&
	       report->half_close_bytes != report->rx_bytes;
}

static void add_fin(struct history *history, bool is_local)
{
	add(history, 'F', is_local);
	if (!history->late_data)
		return;
	history->late_data = false;
	add(history, 'D', history->late_is_local);
}

/*
 * Both ways carried data: which was first only shows if one of them had
 * already told its data before the other's began.
 */
static bool add_data(struct history *history, const struct conn *conn,
		     const struct report_conn *report)
{
	bool out = report->tx_bytes > 0, in = report->rx_bytes > 0;

	if (report->tx_bytes < 0 || report->rx_bytes < 0)
		return false;
	if (report->half_close_bytes > 0 && !takes_up(report)) {
		history->late_data = true; /* all of that way's came after the other's FIN */
		history->late_is_local = closed_by_peer(conn);
		if (history->late_is_local ? in : out)
			add(history, 'D', !history->late_is_local);
		return true;
	}
	if (out && in && !conn->story->data_out_first && !conn->story->data_in_first)
		return false;
	if (out && in) {
		add(history, 'D', conn->story->data_out_first);
		add(history, 'D', !conn->story->data_out_first);
	} else if (out || in) {
		add(history, 'D', out);
	}
	return true;
}

static void add_end(struct history *history, const struct conn *conn,
		    const struct report_conn *report)
{
	for (unsigned int i = 0; i < conn->states_len; i++) {
		switch (conn->states[i]) {
		case ST_FIN_WAIT1:
		case ST_LAST_ACK:
			add_fin(history, true);
			break;
		case ST_CLOSE_WAIT:
		case ST_CLOSING:
			add_fin(history, false);
			break;
		case ST_TIME_WAIT:
			if (!conn_passed(conn, ST_CLOSING))
				add_fin(history, false);
			break;
		}
	}
	if (conn->minisock_state == ST_TIME_WAIT && conn->closed_from == ST_FIN_WAIT2 &&
	    !conn_passed(conn, ST_TIME_WAIT))
		add_fin(history, false);
	if (conn->reset_sent_ns && report->closed != CLOSED_FIN &&
	    report->closed != CLOSED_RST_RECEIVED)
		add(history, 'R', true);
	else if (report->closed == CLOSED_RST_RECEIVED)
		add(history, 'R', false);
}

static void fill_history(const struct conn *conn, struct report_conn *report)
{
	struct history history = {
		report->history, 0,    sizeof(report->history), report->role == ROLE_CLIENT,
		false,		 false
	};

	if (!conn->story || conn->opening_unseen || conn->preexisting || conn->incomplete ||
	    (report->role != ROLE_CLIENT && report->role != ROLE_SERVER) ||
	    report->closed == CLOSED_UNKNOWN)
		return;
	add(&history, 'S', history.is_client);
	if (conn->established) {
		add(&history, 'H', !history.is_client);
		add(&history, 'A', history.is_client);
		if (!add_data(&history, conn, report)) {
			report->history[0] = '\0';
			return;
		}
	} else if (report->opened == OPENED_REFUSED) {
		add(&history, 'R', false);
	}
	add_end(&history, conn, report);
	report->history[history.len] = '\0';
}

void zeek_fill(const struct conn *conn, struct report_conn *report)
{
	strcpy(report->conn_state, state_word(conn, report));
	report->history[0] = '\0';
	fill_history(conn, report);
}

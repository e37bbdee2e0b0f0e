// SPDX-License-Identifier: GPL-2.0-only
/* The columns of life: a function a cell, then the list of them. */
#include "views/life.h"

#include "base/array.h"
#include "core/names.h"
#include "views/cells.h"

static void time_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_clock(cell, conn->end_ns);
}

static void seconds_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_seconds(cell, conn->end_ns);
}

static void pid_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_count(cell, conn->pid ? (int64_t)conn->pid : UNKNOWN_COUNT);
}

static void comm_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_bytes(cell, conn->comm, cell->width);
}

static void ip_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_family(cell, &conn->tuple);
}

static void laddr_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_addr(cell, &conn->tuple, conn->tuple.laddr);
}

static void lport_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	if (conn->tuple.lport)
		cell_port(cell, &conn->tuple, conn->tuple.lport);
	else
		cell_unknown(cell);
}

static void raddr_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_addr(cell, &conn->tuple, conn->tuple.raddr);
}

static void rport_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_port(cell, &conn->tuple, conn->tuple.rport);
}

static void tx_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_kb(cell, conn->tx_bytes);
}

static void rx_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_kb(cell, conn->rx_bytes);
}

static void duration_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_ms(cell, conn->duration_ns, 2);
}

static void opened_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_word(cell, name_opened(conn->opened));
}

static void first_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_word(cell, name_first(conn->closed_first));
}

static void closed_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_word(cell, name_closed(conn->closed));
}

static void remains_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_word(cell, name_remains(conn->remains));
}

static void role_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_word(cell, name_role(conn->role));
}

static void source_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_word(cell, conn->pid_source ? name_owner_source(conn->pid_source) : NULL);
}

static void uid_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_count(cell, conn->uid != UINT32_MAX ? (int64_t)conn->uid : UNKNOWN_COUNT);
}

static void netns_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_count(cell, conn->tuple.netns_inum ? (int64_t)conn->tuple.netns_inum : UNKNOWN_COUNT);
}

static void handshake_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_ms(cell, conn->handshake_ns, 3);
}

static void half_close_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_ms(cell, conn->half_close_ns, 3);
}

static void teardown_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_word(cell, name_teardown(conn->teardown));
}

static void time_wait_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_ms(cell, conn->time_wait_ns, 3);
}

static void remains_end_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_word(cell, name_remains_end(conn->remains_end));
}

static void retrans_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_count(cell, conn->retrans);
}

static void srtt_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	if (conn->srtt_us < 0)
		cell_unknown(cell);
	else
		text_fixed(cell->out, conn->srtt_us, 3);
}

static void error_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_word(cell, name_errno(conn->error));
}

static void reason_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	const char *kernels = name_reset_reason(conn->reset_reason);

	cell_word(cell, kernels ? kernels : conn->reason);
}

static void unusual_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_bits(cell, conn->handshake, name_handshake, ',');
}

static void violations_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_bits(cell, conn->violations, name_violation, ',');
}

static void conn_state_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_word(cell, *conn->conn_state ? conn->conn_state : NULL);
}

static void states_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	if (!conn->states_len)
		cell_unknown(cell);
	for (unsigned int i = 0; i < conn->states_len; i++) {
		if (i)
			text_char(cell->out, '>');
		text_str(cell->out, name_state(conn->states[i].state));
	}
}

static void incomplete_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_bits(cell, conn->incomplete, name_incomplete, '+');
}

static void cgroup_cell(struct cell *cell, const void *report)
{
	const struct report_conn *conn = report;

	cell_bytes(cell, conn->cgroup ? conn->cgroup : "", SIZE_MAX);
}

static const struct column life_columns[] = {
	{ "TIME", 8, 8, COLUMN_TIME, time_cell },
	{ "TIME(s)", 9, 9, COLUMN_SECONDS, seconds_cell },
	{ "PID", 7, 7, COLUMN_ALWAYS, pid_cell },
	{ "COMM", 16, 16, COLUMN_ALWAYS, comm_cell },
	{ "IP", 2, 2, COLUMN_IP, ip_cell },
	{ "LADDR", 15, 39, COLUMN_ALWAYS, laddr_cell },
	{ "LPORT", 5, 5, COLUMN_ALWAYS, lport_cell },
	{ "RADDR", 15, 39, COLUMN_ALWAYS, raddr_cell },
	{ "RPORT", 5, 5, COLUMN_ALWAYS, rport_cell },
	{ "TX_KB", 6, 6, COLUMN_ALWAYS, tx_cell },
	{ "RX_KB", 6, 6, COLUMN_ALWAYS, rx_cell },
	{ "MS", 8, 8, COLUMN_ALWAYS, duration_cell },

	{ "OPENED", 12, 12, COLUMN_ALWAYS, opened_cell },
	{ "FIRST", 6, 6, COLUMN_ALWAYS, first_cell },
	{ "CLOSED", 12, 12, COLUMN_ALWAYS, closed_cell },
	{ "REMAINS", 9, 9, COLUMN_ALWAYS, remains_cell },

	{ "ROLE", 6, 6, COLUMN_EXTENDED, role_cell },
	{ "SRC", 8, 8, COLUMN_EXTENDED, source_cell },
	{ "UID", 5, 5, COLUMN_EXTENDED, uid_cell },
	{ "NETNS", 10, 10, COLUMN_EXTENDED, netns_cell },
	{ "HS_MS", 8, 8, COLUMN_EXTENDED, handshake_cell },
	{ "HALF_MS", 8, 8, COLUMN_EXTENDED, half_close_cell },
	{ "TEARDOWN", 13, 13, COLUMN_EXTENDED, teardown_cell },
	{ "TW_MS", 9, 9, COLUMN_EXTENDED, time_wait_cell },
	{ "REM_END", 9, 9, COLUMN_EXTENDED, remains_end_cell },
	{ "RETR", 4, 4, COLUMN_EXTENDED, retrans_cell },
	{ "SRTT_MS", 8, 8, COLUMN_EXTENDED, srtt_cell },
	{ "ERROR", 12, 12, COLUMN_EXTENDED, error_cell },
	{ "REASON", 24, 24, COLUMN_EXTENDED, reason_cell },
	{ "HANDSHAKE", 22, 22, COLUMN_EXTENDED, unusual_cell },
	{ "VIOLATIONS", 13, 13, COLUMN_EXTENDED, violations_cell },
	{ "CONN_STATE", 10, 10, COLUMN_EXTENDED, conn_state_cell },
	{ "STATES", 55, 55, COLUMN_EXTENDED, states_cell },
	{ "INCOMPLETE", 11, 11, COLUMN_EXTENDED, incomplete_cell },
	{ "CGROUP", 0, 0, COLUMN_EXTENDED, cgroup_cell },
};

#define PLAIN_COLUMNS 16 /* before the extended ones, which are not even looked at */

static size_t columns_len(const struct view_columns *columns)
{
	return columns->extended ? ARRAY_SIZE(life_columns) : PLAIN_COLUMNS;
}

void life_header(struct text *text, const struct view_columns *columns)
{
	cells_header(text, life_columns, columns_len(columns), columns);
}

void life_line(struct text *text, const struct view_columns *columns,
	       const struct view_clock *clock, const struct report_conn *conn)
{
	cells_line(text, life_columns, columns_len(columns), columns, clock, conn);
}

// SPDX-License-Identifier: GPL-2.0-only
/* The columns of states: a function a cell, then the list of them. */
#include "views/states.h"

#include "base/array.h"
#include "core/names.h"
#include "views/cells.h"

static void time_cell(struct cell *cell, const void *report)
{
	const struct report_step *step = report;

	cell_clock(cell, step->ts_ns);
}

static void seconds_cell(struct cell *cell, const void *report)
{
	const struct report_step *step = report;

	cell_seconds(cell, step->ts_ns);
}

static void sock_cell(struct cell *cell, const void *report)
{
	const struct report_step *step = report;

	text_hex(cell->out, step->sock);
}

static void pid_cell(struct cell *cell, const void *report)
{
	const struct report_step *step = report;

	cell_count(cell, step->pid ? (int64_t)step->pid : UNKNOWN_COUNT);
}

static void comm_cell(struct cell *cell, const void *report)
{
	const struct report_step *step = report;

	cell_bytes(cell, step->comm, cell->width);
}

static void ip_cell(struct cell *cell, const void *report)
{
	const struct report_step *step = report;

	cell_family(cell, step->tuple);
}

static void laddr_cell(struct cell *cell, const void *report)
{
	const struct report_step *step = report;

	cell_addr(cell, step->tuple, step->tuple->laddr);
}

static void lport_cell(struct cell *cell, const void *report)
{
	const struct report_step *step = report;

	cell_port(cell, step->tuple, step->tuple->lport);
}

static void raddr_cell(struct cell *cell, const void *report)
{
	const struct report_step *step = report;

	cell_addr(cell, step->tuple, step->tuple->raddr);
}

static void rport_cell(struct cell *cell, const void *report)
{
	const struct report_step *step = report;

	cell_port(cell, step->tuple, step->tuple->rport);
}

static void old_state_cell(struct cell *cell, const void *report)
{
	const struct report_step *step = report;

	cell_word(cell, name_state(step->old_state));
}

static void arrow_cell(struct cell *cell, const void *report)
{
	cell_word(cell, "->");
}

static void new_state_cell(struct cell *cell, const void *report)
{
	const struct report_step *step = report;

	cell_word(cell, name_state(step->new_state));
}

static void in_old_cell(struct cell *cell, const void *report)
{
	const struct report_step *step = report;

	cell_ms(cell, step->in_old_ns, 3);
}

static const struct column states_columns[] = {
	{ "TIME", 8, 8, COLUMN_TIME, time_cell },
	{ "TIME(s)", 9, 9, COLUMN_SECONDS, seconds_cell },
	{ "SKADDR", 16, 16, COLUMN_ALWAYS, sock_cell },
	{ "C-PID", 7, 7, COLUMN_ALWAYS, pid_cell },
	{ "C-COMM", 10, 16, COLUMN_ALWAYS, comm_cell },
	{ "IP", 2, 2, COLUMN_IP, ip_cell },
	{ "LADDR", 15, 39, COLUMN_ALWAYS, laddr_cell },
	{ "LPORT", 5, 5, COLUMN_ALWAYS, lport_cell },
	{ "RADDR", 15, 39, COLUMN_ALWAYS, raddr_cell },
	{ "RPORT", 5, 5, COLUMN_ALWAYS, rport_cell },
	{ "OLDSTATE", 11, 11, COLUMN_ALWAYS, old_state_cell },
	{ "->", 2, 2, COLUMN_TABLE, arrow_cell },
	{ "NEWSTATE", 11, 11, COLUMN_ALWAYS, new_state_cell },
	{ "MS", 0, 0, COLUMN_ALWAYS, in_old_cell },
};

void states_header(struct text *text, const struct view_columns *columns)
{
	cells_header(text, states_columns, ARRAY_SIZE(states_columns), columns);
}

void states_line(struct text *text, const struct view_columns *columns,
		 const struct view_clock *clock, const struct report_step *step)
{
	cells_line(text, states_columns, ARRAY_SIZE(states_columns), columns, clock, step);
}

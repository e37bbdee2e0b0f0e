// SPDX-License-Identifier: GPL-2.0-only
/* The sums and the table of stuck; ports and queues are in stuck_usage.c. */
#include "views/stuck.h"

#include <string.h>

#include "base/array.h"
#include "core/names.h"
#include "core/stuck_words.h"
#include "views/cells.h"
#include "views/stuck_usage.h"

#define GROUPS_MAX 10 /* of processes and of ports, each */

/* What write makes of a row, as bytes that may be an enemy's. */
static void built_cell(struct cell *cell, const struct stuck_row *row, size_t max,
		       void (*write)(struct text *text, const struct stuck_row *row))
{
	struct text built;

	text_init(&built);
	write(&built, row);
	text_char(&built, '\0');
	if (built.failed)
		cell->out->failed = true;
	else
		cell_bytes(cell, built.data, max);
	text_free(&built);
}

static void state_cell(struct cell *cell, const void *report)
{
	const struct stuck_row *row = report;

	cell_word(cell, name_state(row->state));
}

static void age_words(struct text *text, const struct stuck_row *row)
{
	if (row->age_ns == UNKNOWN_NS)
		return;
	text_str(text, row->age_is_bound ? ">=" : "");
	words_span(text, row->age_ns);
}

static void age_cell(struct cell *cell, const void *report)
{
	built_cell(cell, report, SIZE_MAX, age_words);
}

static void laddr_cell(struct cell *cell, const void *report)
{
	const struct stuck_row *row = report;

	cell_addr(cell, &row->tuple, row->tuple.laddr);
}

static void lport_cell(struct cell *cell, const void *report)
{
	const struct stuck_row *row = report;

	cell_port(cell, &row->tuple, row->tuple.lport);
}

static void raddr_cell(struct cell *cell, const void *report)
{
	const struct stuck_row *row = report;

	cell_addr(cell, &row->tuple, row->tuple.raddr);
}

static void rport_cell(struct cell *cell, const void *report)
{
	const struct stuck_row *row = report;

	cell_port(cell, &row->tuple, row->tuple.rport);
}

static void holders_words(struct text *text, const struct stuck_row *row)
{
	if (!row->holders_len && row->hold == HOLD_ORPHAN) {
		text_str(text, "orphan");
	} else if (!row->holders_len && row->pid) {
		text_u64(text, row->pid);
		text_str(text, "/-");
	}
	for (unsigned int i = 0; i < row->holders_len; i++) {
		if (i)
			text_char(text, ',');
		text_u64(text, row->holders[i].pid);
		text_char(text, '/');
		text_u64(text, row->holders[i].fd);
	}
	if (row->holders_left_out) {
		text_char(text, '+');
		text_u64(text, row->holders_left_out);
	}
}

static void holders_cell(struct cell *cell, const void *report)
{
	built_cell(cell, report, SIZE_MAX, holders_words);
}

static bool is_named(const struct stuck_row *row, unsigned int index)
{
	for (unsigned int i = 0; i < index; i++) {
		if (!strcmp(row->holders[i].comm, row->holders[index].comm))
			return true;
	}
	return false;
}

static void comm_words(struct text *text, const struct stuck_row *row)
{
	if (!row->holders_len)
		text_str(text, row->comm);
	for (unsigned int i = 0; i < row->holders_len; i++) {
		if (is_named(row, i))
			continue;
		if (i)
			text_char(text, ',');
		text_str(text, row->holders[i].comm);
	}
}

static void comm_cell(struct cell *cell, const void *report)
{
	built_cell(cell, report, cell->width, comm_words);
}

static void unread_cell(struct cell *cell, const void *report)
{
	const struct stuck_row *row = report;

	cell_count(cell, row->unread);
}

static void unsent_cell(struct cell *cell, const void *report)
{
	const struct stuck_row *row = report;

	cell_count(cell, row->unsent);
}

static void retransmits_cell(struct cell *cell, const void *report)
{
	const struct stuck_row *row = report;

	cell_count(cell, row->retransmits);
}

static void unit_cell(struct cell *cell, const void *report)
{
	const struct stuck_row *row = report;

	cell_bytes(cell, row->unit, SIZE_MAX);
}

static void timer_cell(struct cell *cell, const void *report)
{
	built_cell(cell, report, SIZE_MAX, stuck_timer_words);
}

static void role_cell(struct cell *cell, const void *report)
{
	const struct stuck_row *row = report;

	cell_word(cell, name_role(row->role));
}

static void source_cell(struct cell *cell, const void *report)
{
	const struct stuck_row *row = report;

	cell_word(cell, row->pid_source ? name_owner_source(row->pid_source) : NULL);
}

static void netns_cell(struct cell *cell, const void *report)
{
	const struct stuck_row *row = report;

	cell_count(cell, row->tuple.netns_inum ? (int64_t)row->tuple.netns_inum : UNKNOWN_COUNT);
}

static void cgroup_cell(struct cell *cell, const void *report)
{
	const struct stuck_row *row = report;

	cell_bytes(cell, row->cgroup, SIZE_MAX);
}

static void words_cell(struct cell *cell, const void *report)
{
	built_cell(cell, report, SIZE_MAX, stuck_words);
}

/* In a table the words, the last column, go under the row. */
static const struct column stuck_columns[] = {
	{ "STATE", 10, 10, COLUMN_ALWAYS, state_cell },
	{ "AGE", 8, 8, COLUMN_ALWAYS, age_cell },
	{ "LADDR", 13, 39, COLUMN_ALWAYS, laddr_cell },
	{ "LPORT", 5, 5, COLUMN_ALWAYS, lport_cell },
	{ "RADDR", 13, 39, COLUMN_ALWAYS, raddr_cell },
	{ "RPORT", 5, 5, COLUMN_ALWAYS, rport_cell },
	{ "PID/FD", 9, 9, COLUMN_ALWAYS, holders_cell },
	{ "COMM", 12, 16, COLUMN_ALWAYS, comm_cell },
	{ "UNREAD", 6, 6, COLUMN_ALWAYS, unread_cell },
	{ "UNSENT", 6, 6, COLUMN_ALWAYS, unsent_cell },
	{ "RETR", 4, 4, COLUMN_ALWAYS, retransmits_cell },
	{ "ROLE", 6, 6, COLUMN_EXTENDED, role_cell },
	{ "SRC", 8, 8, COLUMN_EXTENDED, source_cell },
	{ "NETNS", 10, 10, COLUMN_EXTENDED, netns_cell },
	{ "UNIT", 15, 15, COLUMN_ALWAYS, unit_cell },
	{ "TIMER", 26, 26, COLUMN_ALWAYS, timer_cell },
	{ "CGROUP", 0, 0, COLUMN_EXTENDED, cgroup_cell },
	{ "WAITS_FOR", 0, 0, COLUMN_ALWAYS, words_cell },
};

static void words_line(struct text *text, const struct stuck_row *row)
{
	struct text words;

	text_init(&words);
	stuck_words(&words, row);
	text_str(text, "    ");
	if (words.failed)
		text->failed = true;
	else
		text_visible(text, words.data, words.len, SIZE_MAX);
	text_char(text, '\n');
	text_free(&words);
}

static void write_table(struct text *text, const struct view_columns *columns,
			const struct view_clock *clock, const struct stuck_list *list)
{
	size_t len = ARRAY_SIZE(stuck_columns) - (columns->csv ? 0 : 1);

	cells_header(text, stuck_columns, len, columns);
	for (size_t i = 0; i < list->len; i++) {
		cells_line(text, stuck_columns, len, columns, clock, &list->rows[i]);
		if (!columns->csv)
			words_line(text, &list->rows[i]);
	}
}

/* "10 CLOSE_WAIT, 2 LAST_ACK; oldest >=3 h" */
static void counts_words(struct text *text, const struct stuck_group *group)
{
	size_t len;
	const uint8_t *states = stuck_states(&len);
	bool is_first = true;

	for (size_t i = 0; i < len; i++) {
		if (!group->states[states[i]])
			continue;
		text_str(text, is_first ? "" : ", ");
		is_first = false;
		text_u64(text, group->states[states[i]]);
		text_char(text, ' ');
		text_str(text, name_state(states[i]));
	}
	if (group->oldest_ns == UNKNOWN_NS)
		return;
	text_str(text, group->oldest_is_bound ? "; oldest >=" : "; oldest ");
	words_span(text, group->oldest_ns);
}

static void group_name(struct text *text, const struct stuck_group *group)
{
	static const char *const nobody[HOLD_KINDS] = {
		[HOLD_UNKNOWN] = "not known",
		[HOLD_ORPHAN] = "no process (orphans)",
		[HOLD_QUEUED] = "not accepted yet",
	};

	if (group->port) {
		text_str(text, "port ");
		text_u64(text, group->port);
	} else if (group->pid) {
		text_visible(text, group->comm, strlen(group->comm), SIZE_MAX);
		text_char(text, '[');
		text_u64(text, group->pid);
		text_char(text, ']');
	} else {
		text_str(text, nobody[group->hold] ? nobody[group->hold] : "-");
	}
}

static void write_groups(struct text *text, const struct stuck_groups *groups)
{
	size_t len = groups->len < GROUPS_MAX ? groups->len : GROUPS_MAX;

	for (size_t i = 0; i < len; i++) {
		size_t start;

		text_str(text, "  ");
		start = text->len;
		group_name(text, &groups->all[i]);
		text_pad(text, start, 24);
		text_char(text, ' ');
		counts_words(text, &groups->all[i]);
		text_char(text, '\n');
	}
	if (len < groups->len) {
		text_str(text, "  and ");
		text_u64(text, groups->len - len);
		text_str(text, " more\n");
	}
}

static void write_sums(struct text *text, const struct stuck_page *page)
{
	struct stuck_group total = stuck_total(page->list);

	if (!total.total) {
		text_str(text, "Nothing is stuck.\n");
		return;
	}
	text_str(text, "Stuck: ");
	counts_words(text, &total);
	text_char(text, '\n');
	write_groups(text, page->by_process);
	write_groups(text, page->by_port);
	text_char(text, '\n');
}

void stuck_page_write(struct text *text, const struct view_columns *columns,
		      const struct view_clock *clock, const struct stuck_page *page)
{
	if (columns->csv) {
		write_table(text, columns, clock, page->list);
		return;
	}
	write_sums(text, page);
	if (page->list->len)
		write_table(text, columns, clock, page->list);
	stuck_usage_write(text, columns, page);
	if (page->list->failed || page->usage->failed)
		text_str(text, "\nMemory was short: something is missing here.\n");
}

// SPDX-License-Identifier: GPL-2.0-only
#include "views/stuck_usage.h"

#include <string.h>

#include "base/array.h"
#include "core/stuck_words.h"
#include "views/cells.h"

static void number_or_dash(struct text *text, int64_t number)
{
	if (number == UNKNOWN_COUNT)
		text_char(text, '-');
	else
		text_i64(text, number);
}

/* An address and a port as one word. */
static void endpoint(struct text *text, const uint8_t addr[16], uint16_t port)
{
	size_t start = text->len;

	text_addr(text, addr);
	if (!text->failed && memchr(text->data + start, ':', text->len - start)) {
		text->len = start;
		text_char(text, '[');
		text_addr(text, addr);
		text_char(text, ']');
	}
	text_char(text, ':');
	text_u64(text, port);
}

static void write_netns(struct text *text, uint32_t inum)
{
	text_str(text, "netns ");
	if (inum)
		text_u64(text, inum);
	else
		text_char(text, '-');
}

/* Of the namespace itself where that could be read, else as many as were seen. */
static void write_space(struct text *text, const struct usage_space *space)
{
	const struct netns_limits *limits = &space->limits;

	text_str(text, "  ");
	write_netns(text, space->netns_inum);
	text_str(text, ": ");
	text_u64(text, space->time_waits);
	text_str(text, " TIME_WAIT, ");
	text_u64(text, space->fin_waits);
	text_str(text, " FIN_WAIT2 without a socket; ");
	number_or_dash(text, limits->minisocks);
	text_str(text, " of tcp_max_tw_buckets ");
	number_or_dash(text, limits->minisocks_max);
	if (limits->minisocks_max > 0 && limits->minisocks >= limits->minisocks_max)
		text_str(text, ": full, connections end without TIME_WAIT");
	text_char(text, '\n');
}

static void write_used_up(struct text *text, const struct usage_destination *destination)
{
	text_fixed(text, (int64_t)destination->begun * 10 / USAGE_RATE_S, 1);
	text_str(text, "/s eaten: ");
	if (destination->space->limits.ports == UNKNOWN_COUNT) {
		text_char(text, '-');
	} else if (!destination->used_up_ns) {
		text_str(text, "used up");
	} else if (destination->used_up_ns == UNKNOWN_NS) {
		text_str(text, "holds");
	} else {
		text_str(text, "at this rate used up in ");
		words_span(text, destination->used_up_ns);
	}
	if (destination->space->limits.tw_reuse == 1)
		text_str(text, " (tcp_tw_reuse: a TIME_WAIT may be taken again after 1 s)");
}

static void write_destination(struct text *text, const struct usage_destination *destination)
{
	int64_t room = destination->space->limits.ports;

	text_str(text, "  to ");
	endpoint(text, destination->raddr, destination->rport);
	text_str(text, " from ");
	text_addr(text, destination->laddr);
	text_str(text, ": ");
	text_u64(text, destination->ports);
	text_str(text, " of ");
	number_or_dash(text, room);
	text_str(text, " ports");
	if (room > 0) {
		text_str(text, " (");
		text_fixed(text, destination->ports * INT64_C(1000) / room, 1);
		text_str(text, " %)");
	}
	text_str(text, ", ");
	text_u64(text, destination->time_waits);
	text_str(text, " in TIME_WAIT, ");
	write_used_up(text, destination);
	text_char(text, '\n');
}

static void write_server(struct text *text, const struct usage_server *server)
{
	text_str(text, "  port ");
	text_u64(text, server->port);
	text_str(text, " in ");
	write_netns(text, server->space->netns_inum);
	text_str(text, " closes first: the server collects TIME_WAIT (");
	text_u64(text, server->time_waits);
	text_str(text, ")\n");
}

static bool is_space_shown(const struct usage_space *space, const struct view_columns *columns)
{
	return columns->extended || space->time_waits || space->fin_waits;
}

static void write_time_wait(struct text *text, const struct view_columns *columns,
			    const struct stuck_page *page)
{
	const struct usage *usage = page->usage;
	bool is_told = false;

	for (size_t i = 0; i < usage->spaces_len; i++)
		is_told |= is_space_shown(&usage->spaces[i], columns);
	if (!is_told && !usage->destinations_len)
		return;
	text_str(text,
		 page->is_filtered
			 ? "\nTIME_WAIT and ports (connections that the filter lets through)\n"
			 : "\nTIME_WAIT and ports\n");
	for (size_t i = 0; i < usage->spaces_len; i++) {
		if (is_space_shown(&usage->spaces[i], columns))
			write_space(text, &usage->spaces[i]);
	}
	for (size_t i = 0; i < usage->destinations_len; i++)
		write_destination(text, &usage->destinations[i]);
	for (size_t i = 0; i < usage->servers_len; i++)
		write_server(text, &usage->servers[i]);
}

static void local_cell(struct cell *cell, const void *report)
{
	const struct usage_queue *queue = report;

	endpoint(cell->out, queue->tuple.laddr, queue->tuple.lport);
}

static void pid_cell(struct cell *cell, const void *report)
{
	const struct usage_queue *queue = report;

	cell_count(cell, queue->pid ? (int64_t)queue->pid : UNKNOWN_COUNT);
}

static void comm_cell(struct cell *cell, const void *report)
{
	const struct usage_queue *queue = report;

	cell_bytes(cell, queue->comm, cell->width);
}

static void queue_cell(struct cell *cell, const void *report)
{
	const struct usage_queue *queue = report;

	cell_count(cell, queue->queue);
}

static void backlog_cell(struct cell *cell, const void *report)
{
	const struct usage_queue *queue = report;

	cell_count(cell, queue->backlog);
}

static void longest_cell(struct cell *cell, const void *report)
{
	const struct usage_queue *queue = report;

	if (queue->longest_ns == UNKNOWN_NS) {
		cell_unknown(cell);
		return;
	}
	text_str(cell->out, queue->longest_is_bound ? ">=" : "");
	words_span(cell->out, queue->longest_ns);
}

static void requests_cell(struct cell *cell, const void *report)
{
	const struct usage_queue *queue = report;

	cell_count(cell, queue->requests);
}

static void drops_cell(struct cell *cell, const void *report)
{
	const struct usage_queue *queue = report;

	cell_count(cell, queue->drops);
}

static void netns_cell(struct cell *cell, const void *report)
{
	const struct usage_queue *queue = report;

	cell_count(cell, queue->tuple.netns_inum);
}

static void remark_cell(struct cell *cell, const void *report)
{
	const struct usage_queue *queue = report;

	if (queue->queue > queue->backlog)
		text_str(cell->out, "full: new connections are dropped");
	else
		cell_word(cell, queue->queue ? "nobody has accepted them yet" : NULL);
}

static const struct column queue_columns[] = {
	{ "LISTENER", 21, 45, COLUMN_ALWAYS, local_cell },
	{ "NETNS", 10, 10, COLUMN_ALWAYS, netns_cell },
	{ "PID", 7, 7, COLUMN_ALWAYS, pid_cell },
	{ "COMM", 12, 16, COLUMN_ALWAYS, comm_cell },
	{ "QUEUE", 5, 5, COLUMN_ALWAYS, queue_cell },
	{ "BACKLOG", 7, 7, COLUMN_ALWAYS, backlog_cell },
	{ "LONGEST", 8, 8, COLUMN_ALWAYS, longest_cell },
	{ "HALFOPEN", 8, 8, COLUMN_ALWAYS, requests_cell },
	{ "DROPS", 7, 7, COLUMN_ALWAYS, drops_cell },
	{ "NOTE", 0, 0, COLUMN_ALWAYS, remark_cell },
};

static bool is_queue_shown(const struct usage_queue *queue, const struct view_columns *columns)
{
	return columns->extended || queue->queue || queue->drops || queue->waiting ||
	       queue->requests;
}

static void write_overflows(struct text *text, const struct usage *usage)
{
	for (size_t i = 0; i < usage->spaces_len; i++) {
		const struct netns_limits *limits = &usage->spaces[i].limits;

		if (limits->listen_overflows <= 0 && limits->listen_drops <= 0)
			continue;
		text_str(text, "  ");
		write_netns(text, usage->spaces[i].netns_inum);
		text_str(text, ": ListenOverflows ");
		number_or_dash(text, limits->listen_overflows);
		text_str(text, ", ListenDrops ");
		number_or_dash(text, limits->listen_drops);
		text_str(text, " since it began\n");
	}
}

static void write_queues(struct text *text, const struct view_columns *columns,
			 const struct stuck_page *page)
{
	const struct usage *usage = page->usage;
	bool is_told = false;

	for (size_t i = 0; i < usage->queues_len; i++)
		is_told |= is_queue_shown(&usage->queues[i], columns);
	if (!is_told)
		return;
	text_str(text, "\nAccept queues\n");
	cells_header(text, queue_columns, ARRAY_SIZE(queue_columns), columns);
	for (size_t i = 0; i < usage->queues_len; i++) {
		if (is_queue_shown(&usage->queues[i], columns))
			cells_line(text, queue_columns, ARRAY_SIZE(queue_columns), columns, NULL,
				   &usage->queues[i]);
	}
	write_overflows(text, usage);
}

void stuck_usage_write(struct text *text, const struct view_columns *columns,
		       const struct stuck_page *page)
{
	write_time_wait(text, columns, page);
	write_queues(text, columns, page);
}

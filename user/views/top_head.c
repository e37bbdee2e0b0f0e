// SPDX-License-Identifier: GPL-2.0-only
/* Above the list: how many there are, the bar of states, totals, accept queues. */
#include <string.h>

#include "base/array.h"
#include "core/names.h"
#include "views/top.h"
#include "views/top_format.h"

/* In the order of a life, each with its letter in the bar. */
static const struct {
	uint8_t state;
	char letter;
} states[] = {
	{ ST_SYN_SENT, 'S' },	{ ST_SYN_RECV, 'R' },  { ST_ESTABLISHED, 'E' },
	{ ST_CLOSE_WAIT, 'C' }, { ST_FIN_WAIT1, '1' }, { ST_FIN_WAIT2, '2' },
	{ ST_CLOSING, 'X' },	{ ST_LAST_ACK, 'L' },  { ST_TIME_WAIT, 'T' },
};

/* What of the head such a screen has room for. */
struct head {
	bool title, bar, totals, queues;
	unsigned int counts; /* rows */
};

static unsigned int digits_of(uint64_t number)
{
	unsigned int digits = 1;

	for (; number >= 10; number /= 10)
		digits++;
	return digits;
}

static unsigned int count_width(const struct top_totals *totals, unsigned int i)
{
	uint64_t count = totals->states[states[i].state];

	return count ? (unsigned int)strlen(name_state(states[i].state)) + 1 + digits_of(count) : 0;
}

static unsigned int count_rows(const struct top_totals *totals, unsigned int columns)
{
	unsigned int rows = 1, column = 0, width;

	for (unsigned int i = 0; i < ARRAY_SIZE(states); i++) {
		width = count_width(totals, i);
		if (!width)
			continue;
		if (column && column + width > columns) {
			rows++;
			column = 0;
		}
		column += width + 2;
	}
	return rows;
}

static struct head head_for(const struct top_scene *scene, unsigned int rows, unsigned int columns)
{
	struct head head = {
		.title = rows >= 3,
		.bar = rows >= 12 && columns >= 20,
		.totals = rows >= 10,
		.queues = rows >= 11 && scene->list->queues_len,
	};

	if (rows >= 7)
		head.counts = count_rows(&scene->list->totals, columns);
	if (rows < 14 && head.counts > 1)
		head.counts = 1;
	if (scene->settings->pane == TOP_PANE_DETAILS)
		head = (struct head){ .title = head.title };
	return head;
}

unsigned int top_head_rows(const struct top_scene *scene, unsigned int rows, unsigned int columns)
{
	struct head head = head_for(scene, rows, columns);

	return head.title + head.bar + head.counts + head.totals + head.queues;
}

static const char *order_words(const struct top_settings *settings)
{
	static const char *const words[][2] = {
		[TOP_BY_AGE] = { "oldest state first", "youngest state first" },
		[TOP_BY_BYTES] = { "most bytes first", "fewest bytes first" },
		[TOP_BY_RATE] = { "highest rate first", "lowest rate first" },
		[TOP_BY_RETRANS] = { "most retransmissions first", "fewest retransmissions first" },
		[TOP_BY_STATE] = { "by state", "by state, backwards" },
	};

	return words[settings->sort][settings->reverse];
}

static void draw_title(struct top_page *page, const struct top_scene *scene)
{
	const struct toplist *list = scene->list;
	unsigned int column = top_page_put(page, 0, 0, LOOK_BOLD, "connlife top");
	int64_t time = scene->looked ? view_realtime_ns(scene->clock, scene->now_ns) : UNKNOWN_NS;

	if (scene->settings->paused)
		column = top_page_put(page, 0, column + 2, LOOK_REVERSE | LOOK_BOLD, " paused ");
	top_page_open(page, 0, column + 2, 0, LOOK_PLAIN);
	if (time != UNKNOWN_NS) {
		text_clock(&page->text, time);
		text_str(&page->text, "  ");
	}
	if (!scene->looked) {
		text_str(&page->text, "looking at what is there ...");
	} else {
		text_u64(&page->text, list->totals.conns);
		text_str(&page->text, list->totals.conns == 1 ? " connection, " : " connections, ");
		text_u64(&page->text, list->shown_len);
		text_str(&page->text, " shown, ");
		text_str(&page->text, order_words(scene->settings));
		if (!scene->settings->paused) {
			text_str(&page->text, ", every ");
			text_u64(&page->text, scene->interval_s);
			text_str(&page->text, " s");
		}
	}
	top_page_close(page);
}

/* How many of the cells go to each state: by its share, but one at least if it is there at all. */
static void share_out(const struct top_totals *totals, unsigned int cells, unsigned int *share)
{
	unsigned int taken = 0, largest = 0;
	uint64_t all = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(states); i++)
		all += totals->states[states[i].state];
	for (unsigned int i = 0; i < ARRAY_SIZE(states); i++) {
		uint64_t count = totals->states[states[i].state];

		share[i] = all ? (unsigned int)(count * cells / all) : 0;
		share[i] += count && !share[i];
		taken += share[i];
		if (share[i] > share[largest])
			largest = i;
	}
	/* what rounding left over, or took too much */
	if (all && share[largest] + cells > taken)
		share[largest] = share[largest] + cells - taken;
}

static void draw_bar(struct top_page *page, const struct top_totals *totals, unsigned int row)
{
	unsigned int share[ARRAY_SIZE(states)], column = 1;

	share_out(totals, page->columns - 2, share);
	top_page_put(page, row, 0, LOOK_PLAIN, "[");
	for (unsigned int i = 0; i < ARRAY_SIZE(states); i++) {
		if (!share[i])
			continue;
		top_page_open(page, row, column, share[i],
			      top_state_look(states[i].state) | LOOK_BOLD);
		for (unsigned int cell = 0; cell < share[i]; cell++)
			text_char(&page->text, states[i].letter);
		top_page_close(page);
		column += share[i];
	}
	top_page_put(page, row, page->columns - 1, LOOK_PLAIN, "]");
}

static void draw_counts(struct top_page *page, const struct top_totals *totals, unsigned int row,
			unsigned int end)
{
	unsigned int column = 0, width;

	for (unsigned int i = 0; i < ARRAY_SIZE(states); i++) {
		width = count_width(totals, i);
		if (!width)
			continue;
		if (column && column + width > page->columns) {
			column = 0;
			if (++row == end)
				return;
		}
		top_page_open(page, row, column, 0, top_state_look(states[i].state));
		text_str(&page->text, name_state(states[i].state));
		text_char(&page->text, ' ');
		text_u64(&page->text, totals->states[states[i].state]);
		top_page_close(page);
		column += width + 2;
	}
}

static void write_rate(struct text *text, const char *way, int64_t rate)
{
	text_str(text, way);
	top_format_bytes(text, rate);
	if (rate >= 0)
		text_str(text, "B/s");
}

static void draw_totals(struct top_page *page, const struct top_scene *scene, unsigned int row)
{
	const struct top_totals *totals = &scene->list->totals;
	uint64_t hidden = scene->settings->time_wait ? 0 : totals->states[ST_TIME_WAIT];

	top_page_open(page, row, 0, 0, LOOK_PLAIN);
	write_rate(&page->text, "out ", totals->tx_rate);
	write_rate(&page->text, "  in ", totals->rx_rate);
	text_str(&page->text, "  retransmissions ");
	text_u64(&page->text, totals->retrans);
	if (hidden) {
		text_str(&page->text, "  TIME_WAIT hidden (w shows them)");
	}
	top_page_close(page);
	if (!scene->lost && !scene->untracked && !scene->list->failed)
		return;
	top_page_open(page, row, top_page_width(page) + 2, 0, LOOK_ALARM);
	if (scene->list->failed)
		text_str(&page->text, "memory is short  ");
	if (scene->lost) {
		text_u64(&page->text, scene->lost);
		text_str(&page->text, " events lost  ");
	}
	if (scene->untracked) {
		text_u64(&page->text, scene->untracked);
		text_str(&page->text, " not tracked (--max-connections)");
	}
	top_page_close(page);
}

static void draw_queues(struct top_page *page, const struct toplist *list, unsigned int row)
{
	unsigned int column = top_page_put(page, row, 0, LOOK_PLAIN, "accept queues:");

	for (size_t i = 0; i < list->queues_len && column < page->columns; i++) {
		const struct top_queue *queue = &list->queues[i];
		bool is_full = queue->queue > queue->backlog;

		top_page_open(page, row, column + 1, 0, is_full ? LOOK_ALARM : LOOK_PLAIN);
		top_endpoint(&page->text, &queue->tuple, queue->tuple.laddr, queue->tuple.lport);
		text_char(&page->text, ' ');
		text_u64(&page->text, queue->queue);
		text_str(&page->text, " of ");
		text_u64(&page->text, queue->backlog);
		text_char(&page->text, ' ');
		top_owner(&page->text, queue->pid, queue->comm);
		if (i + 1 < list->queues_len)
			text_char(&page->text, ',');
		top_page_close(page);
		column += top_page_width(page) + 1;
	}
	if (!list->queues_left_out)
		return;
	top_page_open(page, row, column + 1, 0, LOOK_PLAIN);
	text_str(&page->text, "and ");
	text_u64(&page->text, list->queues_left_out);
	text_str(&page->text, " more");
	top_page_close(page);
}

void top_draw_head(struct top_page *page, const struct top_scene *scene)
{
	struct head head = head_for(scene, page->rows, page->columns);
	unsigned int row = 0;

	if (head.title) {
		draw_title(page, scene);
		row++;
	}
	if (head.bar)
		draw_bar(page, &scene->list->totals, row++);
	if (head.counts)
		draw_counts(page, &scene->list->totals, row, row + head.counts);
	row += head.counts;
	if (head.totals)
		draw_totals(page, scene, row++);
	if (head.queues)
		draw_queues(page, scene->list, row);
}
